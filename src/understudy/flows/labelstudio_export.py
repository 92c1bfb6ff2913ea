"""Cases go to Label Studio, and the log keeps which of them went without a suggestion."""

from __future__ import annotations

from pathlib import Path

import msgspec

from understudy.core.errors import DataError
from understudy.flows.facts import is_blind
from understudy.flows.head import Head
from understudy.flows.labelstudio_record import note_exported
from understudy.flows.labelstudio_tasks import annotations_of, read_cases, task_of


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: how many tasks, how many with a prediction, how many without since they are judged blindly."""

    tasks: int
    shown: int
    blind: int
    annotations: int


def export_tasks(head: Head, place: Path, *, actor: str, queued: bool = False, decided: bool = False) -> Exported:
    """Write cases as a JSON file of tasks that Label Studio imports.

    The log keeps which cases went out, and which without a suggestion: only answers to these can be blind.

    Parameters
    ----------
    head : Head
    place : Path
        The file, which is replaced at once or not at all.
    actor : str
    queued : bool
        Whether only those that wait for people are written, the first due first; else all that were not erased.
    decided : bool
        Whether what people have decided is written too, where nobody judges the case any more.

    Raises
    ------
    DataError
        The file cannot be written.
    """
    work = head.library.work
    now, answers = work.clock.now(), 0
    blind: list[int] = []
    shown: list[int] = []
    part = place.with_name(f".{place.name}.part")
    try:
        with part.open("wb") as sink:
            for page in read_cases(head, queued=queued):
                for case in page:
                    if case.body is None:
                        continue
                    with work.store.reading() as connection:
                        looks = annotations_of(connection, head, case, now) if decided else []
                    sink.write((b",\n" if blind or shown else b"[\n") + msgspec.json.encode(task_of(head, case, looks)))
                    (blind if is_blind(case) else shown).append(case.seq)
                    answers += len(looks)
            sink.write(b"\n]\n" if blind or shown else b"[]\n")
        part.replace(place)
    except OSError as error:
        raise DataError(f"{place} cannot be written: {error.strerror}.") from error
    finally:
        part.unlink(missing_ok=True)
    note_exported(head, blind, shown, actor=actor, way="file")  # had this no time, the answers would count as seen
    return Exported(tasks=len(blind) + len(shown), shown=len(shown), blind=len(blind), annotations=answers)
