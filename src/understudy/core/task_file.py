"""The task file: TOML that people edit, read with every fault at once."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeGuard

import msgspec
from msgspec import inspect

from understudy.core.errors import Fault, TaskFileError
from understudy.core.task import Section, Task, duration

CLASSIFICATION_GOALS = ("roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "f1")
PROPOSED = {
    "max_error": "the share of its own answers that may be wrong; `understudy init` proposes it from the data",
    "confidence": "how sure that promise must be, such as 0.95; `understudy init` proposes it",
}


@lru_cache(maxsize=64)  # a task's file is looked at before every decision and every pass, and seldom changes
def parse_task(text: str, *, file: str = "task.toml") -> Task:
    """Read a task file.

    Parameters
    ----------
    text : str
        The file's text.
    file : str
        Its name, for messages.

    Raises
    ------
    TaskFileError
        It is not TOML, or has faults; all of them are listed with their lines.

    >>> parse_task("[task]\\nname = 1")
    Traceback (most recent call last):
    ...
    understudy.core.errors.TaskFileError: task.toml has 6 faults.
      task.toml:1, [task]: expected question, a text of at least 1 character, got nothing
      task.toml:1, [task]: expected target, a text of at least 1 character, got nothing
      task.toml:1, [task]: expected kind, "classification" or "regression", got nothing
      task.toml:1, [task]: expected goal, one of "accuracy", "brier", "f1", "log_loss", "mae", "pr_auc", "r2", "rmse", \
"roc_auc", got nothing
      task.toml:2, name: expected a name of lower-case letters, digits, - and _, got 1
      task.toml:1, [autonomy]: expected a section [autonomy], got nothing (max_error: the share of its own \
answers that may be wrong; `understudy init` proposes it from the data)
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = f"{file}:{line.group(1)}" if line else file
        raise TaskFileError(f"{where} is not TOML: {error}", ()) from error
    lines = key_lines(text)
    faults = [
        msgspec.structs.replace(fault, where=f"{file}:{line_of(fault.where, lines)}, {label(fault.where)}")
        for fault in [*section_faults(raw), *rule_faults(raw)]
    ]
    if faults:
        count = f"{len(faults)} faults" if len(faults) > 1 else "a fault"
        raise TaskFileError(f"{file} has {count}.", tuple(faults))
    return msgspec.convert(raw, Task)


def label(path: str) -> str:
    """How a key is called in a message: its own name, or its section in brackets."""
    section, _, key = path.partition(".")
    return key or f"[{section}]"


def section_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with each section and key by itself; `where` is its dotted path."""
    sections = {field.encode_name: field.type for field in msgspec.structs.fields(Task)}
    for name, body in raw.items():
        if name not in sections:
            yield unknown(name, f"[{name}]", list(sections), "a section of a task file")
        elif not isinstance(body, dict):
            yield Fault(where=name, found=repr(body)[:60], expected=f"a section [{name}]")
        else:
            yield from key_faults(name, body, sections[name])
    for name, section in sections.items():
        required = [field for field in msgspec.structs.fields(section) if field.required]
        if name not in raw and required:
            first = required[0].name
            hint = f"{first}: {PROPOSED[first]}" if first in PROPOSED else ""
            yield Fault(where=name, found="nothing", expected=f"a section [{name}]", hint=hint)


def key_faults(name: str, body: Mapping[str, Any], section: type[Section]) -> Iterator[Fault]:
    """What is wrong with the keys of one section."""
    fields = {field.name: field for field in msgspec.structs.fields(section)}
    for key, field in fields.items():
        if field.required and key not in body:
            yield Fault(
                where=name, found="nothing", expected=f"{key}, {meaning(field.type)}", hint=PROPOSED.get(key, "")
            )
    for key, value in body.items():
        path = f"{name}.{key}"
        if key not in fields:
            yield unknown(path, key, list(fields), f"a key of [{name}]")
            continue
        try:
            msgspec.convert(value, fields[key].type)
        except msgspec.ValidationError as error:
            detail = str(error) if isinstance(value, list | dict) else ""
            yield Fault(where=path, found=shown(value), expected=meaning(fields[key].type), hint=detail)


def unknown(path: str, key: str, known: list[str], expected: str) -> Fault:
    """The fault of a name that does not exist, with the nearest that does."""
    near = difflib.get_close_matches(key.strip("[]"), known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return Fault(where=path, found=key, expected=expected, hint=hint)


def shown(value: object) -> str:
    """A value as the file would say it, cut short."""
    text = {True: "true", False: "false"}.get(value, "") if isinstance(value, bool) else ""
    return text or (f'"{value}"' if isinstance(value, str) else repr(value))[:60]


def rule_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong between keys that are right by themselves."""
    task, autonomy = table(raw, "task"), table(raw, "autonomy")
    kind, goal = task.get("kind"), task.get("goal")
    fits = {"classification": CLASSIFICATION_GOALS, "regression": ("rmse", "mae", "r2")}.get(str(kind))
    if fits and isinstance(goal, str) and goal not in fits:
        yield Fault(where="task.goal", found=shown(goal), expected=f"a metric for {kind}: {', '.join(fits)}")
    if kind == "regression" and "tolerance" not in task:
        yield Fault(
            where="task", found="nothing", expected="tolerance, how far an answer may be off and still be right"
        )
    if kind == "regression" and "positive" in task:
        yield Fault(where="task.positive", found=shown(task["positive"]), expected="no positive answer for regression")
    if kind == "classification" and "tolerance" in task:
        yield Fault(where="task.tolerance", found=shown(task["tolerance"]), expected="no tolerance for classification")
    rate, floor = autonomy.get("audit_rate"), autonomy.get("audit_floor", 0.02)
    if isinstance(rate, float) and isinstance(floor, float) and rate < floor:
        yield Fault(where="autonomy.audit_rate", found=shown(rate), expected=f"at least audit_floor, {floor}")
    for key in table(table(raw, "cost"), "mistakes"):
        if " -> " not in key:
            yield Fault(where="cost.mistakes", found=shown(key), expected='mistakes by "truth -> answer"')
    if table(raw, "today").get("column") and table(raw, "today").get("columns"):
        yield Fault(where="today.columns", found="column and columns", expected="one of the two")
    if autonomy.get("groups", "whole") in ("shared", "own") and not task.get("groups"):
        expected = "columns in [task] groups for which the promise is to hold"
        yield Fault(where="autonomy.groups", found=shown(autonomy["groups"]), expected=expected)
    yield from notice_faults(raw)
    yield from bandit_faults(raw)
    yield from stage_faults(raw)


def notice_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with how soon a doubling must be noticed."""
    autonomy = table(raw, "autonomy")
    notice, risk = autonomy.get("notice"), autonomy.get("max_error")
    if not isinstance(notice, dict):
        return
    if len(notice) != 1:
        found = " and ".join(notice) or "neither"
        yield Fault(where="autonomy.notice", found=found, expected="one of doubling_within and doubling_before")
    if "audit_rate" in autonomy:
        expected = "no audit_rate beside notice, which computes it"
        yield Fault(where="autonomy.audit_rate", found=shown(autonomy["audit_rate"]), expected=expected)
    if isinstance(risk, float) and risk >= 0.5:
        expected = "a max_error below 0.5 beside notice: a risk of twice as much must be possible"
        yield Fault(where="autonomy.notice", found=f"max_error = {risk}", expected=expected)
    within, wait = notice.get("doubling_within"), table(raw, "review").get("answer_within", "1d")
    if is_duration(within) and is_duration(wait) and duration(within) <= duration(wait):
        expected = f'a time longer than [review] answer_within, "{wait}", which an audit may take'
        yield Fault(where="autonomy.notice", found=shown(within), expected=expected)


def is_duration(value: object) -> TypeGuard[str]:
    """Whether a value is a duration such as "7d"."""
    return isinstance(value, str) and re.fullmatch(r"[0-9]+[mhdw]", value) is not None


def bandit_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Why a bandit may not choose who decides: the machine may give answers that hurt somebody, or any answer."""
    traffic, mode = table(raw, "traffic"), table(raw, "traffic").get("mode")
    if mode not in ("bandit", "contextual") or traffic.get("adverse") is True:
        return
    allow, hiding = listed(raw, "mandate", "allow"), listed(raw, "truth", "hides_outcome")
    hurtful = [answer for answer in hiding if answer in allow]
    if allow and not hurtful:
        return
    yield Fault(
        where="traffic.mode",
        found=shown(mode),
        expected=f'"champion" or "split" while the machine may answer {shown(hurtful[0]) if hurtful else "anything"}',
        hint="in [mandate] allow only answers that hurt nobody, or say adverse = true",
    )


def stage_faults(raw: Mapping[str, Any]) -> Iterator[Fault]:
    """Why a column cannot be the truth of a stage: it is an input, which is known when a case is decided."""
    stages = [columns for columns in table(table(raw, "model"), "stages").values() if isinstance(columns, dict)]
    inputs = {*(name for columns in stages for name in columns), *listed(raw, "task", "use")}
    for truth in dict.fromkeys(str(name) for columns in stages for name in columns.values()):
        if truth in inputs:
            expected = "a column with the truth, which is no stage's output and not in [task] use"
            yield Fault(where="model.stages", found=shown(truth), expected=expected)


def table(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A sub-table, or nothing where there is none."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def listed(raw: Mapping[str, Any], section: str, key: str) -> list[Any]:
    """A list in a section, or nothing where there is none."""
    value = table(raw, section).get(key)
    return value if isinstance(value, list) else []


def meaning(annotation: Any) -> str:
    """What a key must hold, in words.

    >>> meaning(float | None), meaning(tuple[str, ...])
    ('a number', 'a list of texts')
    """
    return described(inspect.type_info(annotation))


def described(info: inspect.Type) -> str:
    """What a type is, in words."""
    if isinstance(info, inspect.Metadata):
        said = (info.extra_json_schema or {}).get("description")
        return str(said) if said else described(info.type)
    if isinstance(info, inspect.UnionType):
        return " or ".join(described(part) for part in info.types if not isinstance(part, inspect.NoneType))
    if isinstance(info, inspect.LiteralType):
        values = [f'"{value}"' for value in info.values]
        return " or ".join(values) if len(values) < 3 else f"one of {', '.join(values)}"
    if isinstance(info, inspect.EnumType):
        return "one of " + ", ".join(f'"{member.value}"' for member in info.cls)
    if isinstance(info, inspect.VarTupleType):
        return f"a list of {plural(info.item_type)}"
    return scalar(info)


def scalar(info: inspect.Type) -> str:
    """What a simple type is, in words, with its bounds."""
    if isinstance(info, inspect.FloatType | inspect.IntType):
        noun = "a number" if isinstance(info, inspect.FloatType) else "a whole number"
        bounds = [("above", info.gt), ("of at least", info.ge), ("below", info.lt), ("of at most", info.le)]
        said = " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)
        return f"{noun} {said}" if said else noun
    if isinstance(info, inspect.StrType):
        return f"a text of at least {info.min_length} character" if info.min_length else "a text"
    if isinstance(info, inspect.BoolType):
        return "true or false"
    return "a table"


def plural(info: inspect.Type) -> str:
    """What the items of a list are, in words."""
    if isinstance(info, inspect.Metadata):
        said = (info.extra_json_schema or {}).get("description")
        return f"values like {said}" if said else plural(info.type)
    if isinstance(info, inspect.StructType):
        return "tables with " + " and ".join(field.name for field in info.fields)
    return "texts"


def key_lines(text: str) -> dict[str, int]:
    """The line of each section and key, by dotted path; strings and lists over several lines do not confuse it."""
    lines: dict[str, int] = {}
    section, quote, depth = "", "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if not quote and depth <= 0:
            if header := re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]", line):
                section = header.group(1).replace(" ", "").replace('"', "")
                lines.setdefault(section, number)
            elif key := re.match(r"\s*([A-Za-z0-9_.\"' -]+?)\s*=", line):
                name = key.group(1).replace('"', "").replace("'", "")
                lines.setdefault(f"{section}.{name}" if section else name, number)
        quote, depth = after_line(line, quote, depth)
    return lines


def after_line(line: str, quote: str, depth: int) -> tuple[str, int]:
    """Whether a string or list is still open at the end of a line."""
    for mark in re.findall(r'"""|\'\'\'|\\.|"(?:[^"\\]|\\.)*"(?!"")|\'[^\']*\'(?!\'\')|#.*|[\[\]{}]', line):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in ('"""', "'''"):
            quote = mark
        elif mark.startswith("#"):
            break
        elif mark in "[{":
            depth += 1
        elif mark in "]}":
            depth -= 1
    return quote, depth


def line_of(path: str, lines: Mapping[str, int]) -> int:
    """The line of a dotted path, or of the section that it would stand in, or the first."""
    for name in (path, path.rpartition(".")[0], path.partition(".")[0]):
        if name in lines:
            return lines[name]
    return 1
