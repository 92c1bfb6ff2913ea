"""What Label Studio says of a task, read field by field; every fault is named."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from understudy.core.errors import DataError, Fault
from understudy.flows.labelstudio_config import ANSWER, CASE

LONGEST_NAME = 90
LONGEST_ID = 200
LONGEST_LEAD = 30 * 86_400.0
"""Seconds; a task that lay open for longer was not looked at for so long."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")
Read = TypeVar("Read")


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody answered.

    Attributes
    ----------
    id : str
        The annotation's.
    case, task : str, optional
        The case's id, and the name of the task to which it belongs, where the file tells.
    user : str
        Who answered, as Label Studio numbers or names him.
    value : str or float, optional
        The answer; None where the task was skipped.
    created_at, updated_at : int
        Microseconds since 1970 UTC.
    lead : int, optional
        How long it took, in microseconds.
    seen : bool
        Whether a prediction lay beside it.
    """

    id: str
    case: str | None
    task: str | None
    user: str
    value: str | float | None
    created_at: int
    updated_at: int
    lead: int | None
    seen: bool


class Faulty(msgspec.Struct, frozen=True, kw_only=True):
    """An annotation that cannot be read, and why."""

    id: str
    case: str | None
    faults: tuple[Fault, ...]


class FieldError(Exception):
    """What was expected instead."""


def read_file(text: bytes) -> list[dict[str, Any]]:
    """The tasks of an export.

    Raises
    ------
    DataError
        It is no JSON, or no list of tasks.
    """
    try:
        tasks = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"The file is no JSON: {error}.", hint="Export the project as JSON.") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DataError("The file is no list of tasks.", hint="Export the project as JSON, not as JSON-MIN or CSV.")
    return tasks


def read_annotations(task: dict[str, Any], number: int) -> list[Annotation | Faulty]:
    """The annotations of a task, which is the file's `number`-th; a task without a list of them has a fault."""
    found = task.get("annotations")
    if not isinstance(found, list):
        fault = Fault(
            where=f"task {number}: annotations",
            found=shown(found),
            expected="a list",
            hint="Export the project as JSON, not as JSON-MIN.",
        )
        return [Faulty(id="?", case=None, faults=(fault,))]
    return [read_annotation(raw, task, where=f"task {number}") for raw in found]


def read_annotation(raw: object, task: object, *, where: str = "") -> Annotation | Faulty:
    """An annotation with the task that it answers, or all of its faults.

    Parameters
    ----------
    raw : object
        The annotation, as JSON has it.
    task : object
        Its task, as JSON has it; who sends only its number tells nothing of the case.
    where : str
        What is told of the place where it stands.
    """
    if not isinstance(raw, dict):
        fault = Fault(where=f"{where}: annotation".strip(": "), found=shown(raw), expected="an object")
        return Faulty(id="?", case=None, faults=(fault,))
    name = shown(raw["id"]).strip("'") if "id" in raw else "?"
    place = ", ".join(part for part in (where, f"annotation {name}") if part)
    faults: list[Fault] = []

    def take(field: str, source: dict[str, Any], read: Callable[[Any], Read], default: Read) -> Read:
        try:
            return read(source.get(field))
        except FieldError as wrong:
            faults.append(Fault(where=f"{place}: {field}", found=shown(source.get(field)), expected=str(wrong)))
            return default

    cancelled = take("was_cancelled", raw, as_flag, default=False)
    take("ground_truth", raw, as_flag, default=False)
    created = take("created_at", raw, as_moment, 0)
    belongs = task if isinstance(task, dict) else {}
    case = take("task", {"task": belongs}, case_of, None)
    found = Annotation(
        id=take("id", raw, as_id, ""),
        case=case,
        task=task_named(belongs),
        user=take("completed_by", raw, as_user, ""),
        value=None if cancelled else take("result", raw, as_answer, None),
        created_at=created,
        updated_at=created if raw.get("updated_at") is None else take("updated_at", raw, as_moment, 0),
        lead=take("lead_time", raw, as_lead, None),
        seen=any(map(says, [raw.get("prediction"), *listed(belongs.get("predictions"))])),
    )
    return Faulty(id=name, case=case, faults=tuple(faults)) if faults else found


def case_of(task: dict[str, Any]) -> str | None:
    """The id of a task's case: as `meta` has it, or the data; None where neither does."""
    named = [part[CASE] for part in (task.get("meta"), task.get("data")) if isinstance(part, dict) and CASE in part]
    for name in named:
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID or CONTROL.search(name):
            raise FieldError(f"a case's id in meta.{CASE} and data.{CASE}")
    if len(set(named)) > 1:
        raise FieldError(f"the same id in meta.{CASE} and data.{CASE}")
    return named[0] if named else None


def task_named(task: dict[str, Any]) -> str | None:
    """The name of the task to which a case belongs, where `meta` tells."""
    meta = task.get("meta")
    name = meta.get("task") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else None


def as_id(value: Any) -> str:
    """An annotation's id: a number, or a short word."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise FieldError("a number or a word")
    text = str(value) if isinstance(value, str) or abs(value) < 2**63 else ""
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        raise FieldError("a number or a word")
    return text


def as_user(value: Any) -> str:
    """Who answered: a user's number or address, or an object that has one."""
    if isinstance(value, dict):
        value = value.get("id") if value.get("id") is not None else value.get("email")
    try:
        return as_id(value)
    except FieldError as wrong:
        raise FieldError("the number or address of a user") from wrong


def as_flag(value: Any) -> bool:
    """True or false; nothing means false."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise FieldError("true or false")


def as_moment(value: Any) -> int:
    """A time in ISO 8601, in microseconds; without an offset it is UTC."""
    if not isinstance(value, str):
        raise FieldError("a time such as 2026-03-01T09:30:00Z")
    try:
        moment = datetime.fromisoformat(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(aware.timestamp() * 1e6)
    except (ValueError, OverflowError) as error:
        raise FieldError("a time such as 2026-03-01T09:30:00Z") from error


def as_lead(value: Any) -> int | None:
    """How long it took, from seconds to microseconds."""
    if value is None:
        return None
    seconds = as_number(value)
    if seconds is None or seconds < 0:
        raise FieldError("seconds, 0 or more")
    return round(min(seconds, LONGEST_LEAD) * 1e6)


def as_answer(value: Any) -> str | float:
    """The one answer in the results of an annotation; results of other controls are passed over."""
    if not isinstance(value, list):
        raise FieldError("a list")
    ours = [part for part in value if isinstance(part, dict) and part.get("from_name") == ANSWER]
    if len(ours) != 1:
        raise FieldError(f"one result of the control {ANSWER!r}")
    kind, found = ours[0].get("type"), ours[0].get("value")
    given = found.get(kind) if isinstance(found, dict) and kind in ("choices", "number") else None
    if kind == "number":
        number = as_number(given)
        if number is None:
            raise FieldError("a number in value.number")
        return number
    if not isinstance(given, list) or len(given) != 1 or not isinstance(given[0], str):
        raise FieldError("one choice in value.choices, or a number in value.number")
    return given[0]


def as_number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def says(prediction: Any) -> bool:
    """Whether a prediction says anything: those that were withheld are empty."""
    return isinstance(prediction, dict) and bool(prediction.get("result"))


def listed(value: Any) -> list[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []


def shown(value: object) -> str:
    """A value for a message."""
    return "nothing" if value is None else repr(value)[:80]


def read_deleted(ids: object) -> list[str | Faulty]:
    """The ids of annotations that were deleted, or what is wrong with them."""
    found: list[str | Faulty] = []
    for raw in ids if isinstance(ids, list) else [ids]:
        given = raw.get("id") if isinstance(raw, dict) else raw
        try:
            found.append(as_id(given))
        except FieldError as wrong:
            fault = Fault(where=f"annotation {shown(given)}: id", found=shown(given), expected=str(wrong))
            found.append(Faulty(id="?", case=None, faults=(fault,)))
    return found
