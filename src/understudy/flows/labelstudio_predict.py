"""What a model says to Label Studio: nothing of a case that somebody judges blindly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.core.canonical import canonical
from understudy.flows.decide import predict
from understudy.flows.facts import UNSEEN, is_blind
from understudy.flows.head import Head
from understudy.flows.labelstudio_annotations import FieldError, case_of, task_named
from understudy.flows.labelstudio_record import blind_since, note_exported
from understudy.flows.labelstudio_tasks import as_prediction, inputs_of, prediction_of
from understudy.flows.version import Prediction
from understudy.store.casebook import CaseRecord, find_cases
from understudy.store.ledger import cases_by_number
from understudy.store.schema import queue, reviews

WITHHELD: dict[str, Any] = {"result": [], "score": 0.0}
LATELY = 1000
"""Of how many reviews, the newest, the cases are held back like those that wait: the answer may be taken back."""


def predict_tasks(head: Head, tasks: Sequence[Mapping[str, Any]], *, actor: str) -> list[dict[str, Any]]:
    """A prediction for each task, empty where it is withheld.

    A recorded case is known by its id in `meta` or `data`. It gets the suggestion that its reviewers would see here;
    where they would see none, it is withheld, and the log keeps that it went out so. A task that is no recorded case
    gets the champion's answer from `assist` on, unless its inputs are those of a case that is judged blindly.

    Parameters
    ----------
    head : Head
    tasks : sequence of mapping
        As Label Studio sends them.
    actor : str
        Who asks.
    """
    names = [named(head, task) for task in tasks]
    with head.library.work.store.reading() as connection:
        known = find_cases(connection, head.number, [name for name in names if name])
        went = blind_since(connection, head.number)
    withheld = WITHHELD | {"model_version": head.deployed.champion}
    said = [None if name not in known else prediction_of(head, known[name]) for name in names]
    for place, found in zip(others(names, known), unknown(head, tasks, names, known), strict=True):
        said[place] = found
    fresh = [case.seq for case in known.values() if is_blind(case) and case.seq not in went]
    if fresh:
        note_exported(head, fresh, (), actor=actor, way="predict")
    return [withheld if one is None else one for one in said]


def named(head: Head, task: Mapping[str, Any]) -> str | None:
    """The id of a task's case; empty where it cannot be told, None where the task names none."""
    try:
        name = case_of(dict(task))
    except FieldError:
        return ""
    return name if task_named(dict(task)) in (None, head.name) else ""


def others(names: Sequence[str | None], known: Mapping[str, CaseRecord]) -> list[int]:
    """The places of the tasks that are no recorded cases, and of no other task."""
    return [place for place, name in enumerate(names) if name != "" and name not in known]


def unknown(
    head: Head, tasks: Sequence[Mapping[str, Any]], names: Sequence[str | None], known: Mapping[str, CaseRecord]
) -> list[dict[str, Any] | None]:
    """What the champion says of the tasks that are no recorded cases."""
    places = others(names, known)
    if not places or head.deployed.level in UNSEEN or head.deployed.paused or head.champion is None:
        return [None] * len(places)
    hidden = blind_inputs(head)
    rows = [inputs_of(head, data) if isinstance(data := tasks[place].get("data"), dict) else {} for place in places]
    read = [head.read(row) for row in rows]
    asked = [at for at, (_, found, faults) in enumerate(read) if not faults and key_of(head, found) not in hidden]
    answers: list[dict[str, Any] | None] = [None] * len(places)
    for at, guess in zip(asked, predict(head.champion, [read[at][0] for at in asked]), strict=True):
        answers[at] = None if guess is None else champion_said(head, guess, f"prediction-{places[at]}")
    return answers


def champion_said(head: Head, guess: Prediction, name: str) -> dict[str, Any]:
    """A champion's answer as Label Studio has it."""
    return as_prediction(guess.prediction, guess.confidence, head.deployed.champion, name)


def blind_inputs(head: Head) -> set[bytes]:
    """The inputs of the cases that somebody judges blindly, or has just judged."""
    waiting = sa.select(queue.c.case_seq).where(queue.c.task == head.number)
    newest = sa.select(reviews.c.case_seq).where(reviews.c.task == head.number).order_by(reviews.c.seq.desc())
    with head.library.work.store.reading() as connection:
        seqs = {*connection.execute(waiting).scalars(), *connection.execute(newest.limit(LATELY)).scalars()}
        cases = cases_by_number(connection, head.number, sorted(seqs))
    return {key_of(head, msgspec.json.decode(case.body)) for case in cases if is_blind(case) and case.body}


def key_of(head: Head, inputs: Mapping[str, Any]) -> bytes:
    """What of some inputs the models read."""
    return canonical({name: inputs[name] for name in sorted(head.columns & inputs.keys())})
