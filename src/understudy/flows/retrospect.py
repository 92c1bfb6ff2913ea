"""What past decisions and their outcomes say of a version, on cases that came after those it learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from understudy.core.task import Task
from understudy.data.reading import read_frame
from understudy.evaluation.retrospect import Compared, Losses, Retrospect, Terms, Way, compare, justified, sides
from understudy.flows.dataset import read_groups
from understudy.flows.golive import RunResult
from understudy.flows.head import Head, Library, load_head
from understudy.flows.rehearsal_data import History, hiding_answers, live_inputs, words_or
from understudy.flows.retrospect_ways import HIDDEN, UNTOLD, open_court, ways_then
from understudy.flows.version import Version, load_version
from understudy.flows.workspace import Workspace

HIDES = "would get an answer after which the outcome never shows"


@dataclass(frozen=True)
class Stand:
    """What the version says of the held-out cases that keep the contract, n of them.

    Attributes
    ----------
    places : ndarray of int64
        Their places in the history.
    said : pl.Series
        Its answers: words, or numbers.
    inside : ndarray of bool
        Not strange, and inside the limits of the mandate.
    barred : ndarray of bool
        Whether the answer is none that it may give.
    aside : dict of int
        How many held-out cases do not count, by reason.
    """

    places: np.ndarray
    said: pl.Series
    inside: np.ndarray
    barred: np.ndarray
    aside: dict[str, int]

    @property
    def counted(self) -> np.ndarray:
        """Which cases count: as live, those that it might be let decide."""
        return np.asarray(self.inside & ~self.barred)


def look_back(work: Workspace, task: Task, history: History, trained: RunResult) -> Retrospect | None:
    """What history says of the first version; None where the task does not say what decided then.

    Parameters
    ----------
    work : Workspace
        In which the version is registered.
    task : Task
        As it is rehearsed: its mandate allows no answer of which history proves nothing.
    history : History
    trained : RunResult

    Raises
    ------
    DataError
        None of the decisions is an answer of the task.
    """
    today = task.today
    if not (today.rules or today.column is not None or today.columns or today.score is not None):
        return None
    version = load_version(work, task.name, trained.model.version)
    stand = take_stand(load_head(Library(work), task.name), version, history)
    court, counted = open_court(task, version.manifest.labels, history), stand.counted
    here, now = court.at(stand.places), court.at(stand.places[counted])
    mine = here.losses(stand.said)
    others, notes = ways_then(history.frame[stand.places[counted]], history, court, now)
    terms, units = terms_of(task), read_units(task, history, stand.places)
    ways = compare(Losses("model", "the model", mine[counted]), others, terms, some(units, counted))
    then = decided_then(ways)
    failed = [f"{check.code} ({check.name})" for check in trained.checks if check.verdict == "fail"]
    level, reasons = justified(ways, then, terms, failed=failed, untold=UNTOLD)
    inside, said = stand.inside, stand.said.to_numpy()
    return Retrospect(
        held_out=history.frame.height - history.first,
        cases=int(counted.sum()),
        hidden=int((now.truths == HIDDEN).sum()) if court.labels else 0,
        aside=stand.aside,
        ways=ways,
        sides=sides(said[inside], ~stand.barred[inside], mine[inside], terms, some(units, inside))
        if court.labels
        else (),
        today="" if then is None else then.name,
        level=level,
        reasons=reasons,
        notes=(*notes, *hidden_notes(task, stand)),
        priced=terms.priced,
    )


def terms_of(task: Task) -> Terms:
    """What the task asks for."""
    settings = task.autonomy
    return Terms(
        max_error=settings.max_error,
        confidence=settings.confidence,
        margin=min(settings.margin_assist, 0.999),
        max_level=settings.max_level,
        priced=bool(task.cost.mistakes),
    )


def read_units(task: Task, history: History, places: np.ndarray) -> np.ndarray | None:
    """Which cases belong together, so that they are not independent; None where the task names no group."""
    group = task.decision.split_group
    return None if group is None else read_groups(history.frame, group)[places]


def some(units: np.ndarray | None, chosen: np.ndarray) -> np.ndarray | None:
    """The units of some cases."""
    return None if units is None else units[chosen]


def decided_then(ways: Sequence[Compared]) -> Compared | None:
    """What decided then: rules before people, people before a score."""
    order: tuple[Way, ...] = ("rules", "person", "score")
    return next((found for way in order for found in ways if found.way == way), None)


def take_stand(head: Head, version: Version, history: History) -> Stand:
    """Let a version answer the held-out cases."""
    inputs = live_inputs(history.frame[history.first :], head.task, version.contract)
    clean, rejected = read_frame(version.contract, inputs)
    sound = ~np.isin(np.arange(inputs.height), rejected["row"].to_numpy())
    predictions, labels = version.predict_clean(clean), version.manifest.labels
    words = np.array(labels, dtype=object)[predictions.scores.argmax(axis=1)].tolist() if labels else None
    said = pl.Series("said", predictions.scores[:, 0] if words is None else words)
    strange = predictions.strangeness > head.task.autonomy.strange_limit
    outside = outside_mandate(head, inputs.filter(pl.Series(sound)), clean, int(history.at[history.first]))
    barred = np.array([bool(head.allow) and answer not in head.allow for answer in said.to_list()], dtype=bool)
    hiding = np.isin(said.to_numpy(), hiding_answers(head.task)) & barred
    reasons = {
        "break the contract": int((~sound).sum()),
        "are unlike what it learned from": int(strange.sum()),
        "lie outside the mandate": int((outside & ~strange).sum()),
        HIDES: int((~strange & ~outside & hiding).sum()),
        "would get an answer that it may not give": int((~strange & ~outside & barred & ~hiding).sum()),
    }
    return Stand(
        places=history.first + np.flatnonzero(sound),
        said=said,
        inside=~strange & ~outside,
        barred=barred,
        aside={reason: count for reason, count in reasons.items() if count},
    )


def outside_mandate(head: Head, inputs: pl.DataFrame, clean: pl.DataFrame, now: int) -> np.ndarray:
    """Which cases lie outside the limits of the mandate."""
    rows: list[dict[str, object]] = [{}] * clean.height
    if head.limits.expressions or head.nevers.expressions:
        both = zip(inputs.iter_rows(named=True), clean.iter_rows(named=True), strict=True)
        rows = [{**plain, **typed} for plain, typed in both]
    return np.array([bool(reasons) for reasons in head.outside(rows, now)], dtype=bool)


def hidden_notes(task: Task, stand: Stand) -> tuple[str, ...]:
    """What cannot be told of answers that hide their outcome."""
    hiding = hiding_answers(task)
    if not hiding:
        return ()
    said = f"The model would have said so in {stand.aside.get(HIDES, 0):,} cases, which are left out"
    others = "those among them in which people decided otherwise are not like the rest"
    proved = f"Of {words_or(hiding)} nothing is proved, and nothing estimated: after it the outcome never shows."
    return (f"{proved} {said}; {others}. Let it watch, and have people look at such cases blindly.",)
