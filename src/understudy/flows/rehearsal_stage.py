"""The loop of a rehearsal: cases come, people look, the truth arrives, evidence moves the level; time is the data's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa

from understudy.autonomy.standing import Standing
from understudy.autonomy.truth import Truth, loss
from understudy.core.errors import UnderstudyError
from understudy.core.nouns import Decider, Deployment, Event, Level
from understudy.core.task import Task
from understudy.evaluation.rehearsal import Moved, Point, Record, day_of
from understudy.flows.answers import Answer, as_text, verdict_of
from understudy.flows.decide import Asked, decide_batch
from understudy.flows.head import Head, Library, load_head
from understudy.flows.learn import approve, learn
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.rehearsal_data import History, Step, live_inputs, steps
from understudy.flows.rehearsal_people import People
from understudy.flows.retrain import retrain
from understudy.flows.status import history as read_log
from understudy.flows.sweep import sweep
from understudy.models.search import Budget
from understudy.store.casebook import find_cases
from understudy.store.queue import waiting
from understudy.store.schema import cases as cases_table

BATCH = 256
REHEARSAL = "rehearsal"
"""Who acts in a rehearsal, in its log."""

Progress = Callable[[int, int, Level], None]


class DataClock:
    """Tells the time of the data."""

    def __init__(self, at: int = 0) -> None:
        self.at = at

    def now(self) -> int:
        """The time in microseconds since 1970-01-01 UTC."""
        return self.at

    def elapsed(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()


@dataclass
class Stage:
    """Everything that a rehearsal keeps in mind; n cases come.

    Attributes
    ----------
    library : Library
    name : str
        The task's.
    clock : DataClock
    people : People
    ids : list of str
    inputs : pl.DataFrame
    truths : sequence of str or float
        None where what people decided hides the outcome, so that nobody knows it.
    at, due : ndarray of int64
        When each case comes, and when its truth is known.
    budget, seed : Budget, int
        Of searches for new versions.
    tired : str
        Why no further version is trained; empty where one may be.
    said : list
        What the model answered by itself; None elsewhere.
    refused : set of str
        Cases that broke the contract.
    """

    library: Library
    name: str
    clock: DataClock
    people: People
    ids: list[str]
    inputs: pl.DataFrame
    truths: Sequence[str | float | None]
    at: np.ndarray
    due: np.ndarray
    calendar: bool
    budget: Budget
    seed: int
    tired: str = ""
    said: list[str | float | None] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    moves: list[Moved] = field(default_factory=list)
    course: list[Point] = field(default_factory=list)
    standing: Standing | None = None
    _waits: list[int] = field(default_factory=list, repr=False)
    _told: int = 0
    _seen: int = 0
    _loss: float = 0.0

    def today(self) -> str:
        """The day in words."""
        return day_of(self.clock.at, int(self.at[0]), calendar=self.calendar)


def set_stage(
    library: Library,
    name: str,
    clock: DataClock,
    people: People,
    history: History,
    due: np.ndarray,
    *,
    budget: Budget,
    seed: int,
) -> Stage:
    """The stage before the first case."""
    head = load_head(library, name)
    if head.reader is None:
        raise AssertionError("a rehearsal begins with a version")
    frame = history.frame[history.first :]
    stage = Stage(
        library=library,
        name=name,
        clock=clock,
        people=people,
        ids=case_ids(history),
        inputs=live_inputs(frame, head.task, head.reader.contract),
        truths=history.truths[history.first :],
        at=history.at[history.first :],
        due=due[history.first :],
        calendar=history.calendar,
        budget=budget,
        seed=seed,
    )
    note_moves(stage)
    return stage


def case_ids(history: History) -> list[str]:
    """The ids of the cases to come: their places among the rows in the order of time, from 1."""
    return [f"row-{place + 1}" for place in range(history.first, history.frame.height)]


def rehearse(stage: Stage, delay: str, tell: Progress) -> None:
    """Let all cases come, and everything that follows from them."""
    head = load_head(stage.library, stage.name)
    before = int(stage.at[0])
    for step in steps(stage.at, stage.due, delay):
        head = decide(stage, head, step)
        stage.clock.at = max(stage.clock.at, step.now)
        stage.people.work(head, step.now - before)
        before = step.now
        sweep(head)
        tell_truths(stage, head, step)
        learned = learn(stage.library, stage.name)
        if learned.proposed is not None:
            approve(head.library.work, stage.name, actor=REHEARSAL, why="Approved at once, as the rehearsal does.")
        if learned.due and not stage.tired:
            train_again(stage)
        stage.standing = learned.standing or stage.standing
        head = load_head(stage.library, stage.name)
        note_moves(stage)
        note_point(stage, head, step)
        tell(step.last, len(stage.ids), head.deployed.level)


def train_again(stage: Stage) -> None:
    """A new version, as it would be trained live; where that fails, none is tried again."""
    try:
        retrain(stage.library, stage.name, actor=REHEARSAL, budget=stage.budget, seed=stage.seed, full=False)
    except UnderstudyError as error:
        stage.tired = f"A new version was due on {stage.today()}, but could not be trained: {error.message}"


def decide(stage: Stage, head: Head, step: Step) -> Head:
    """Let the cases of a step come, batch by batch."""
    for first in range(step.first, step.last, BATCH):
        last = min(first + BATCH, step.last)
        stage.clock.at = max(stage.clock.at, int(stage.at[last - 1]))
        rows = stage.inputs[first:last].iter_rows(named=True)
        asked = [Asked(name, False, row) for name, row in zip(stage.ids[first:last], rows, strict=True)]
        results, head = decide_batch(head, asked)
        for case, result in zip(asked, results, strict=True):
            if not isinstance(result, Answer):
                stage.refused.add(case.id)
            by_model = isinstance(result, Answer) and result.decided_by is Decider.MODEL
            stage.said.append(result.decision if by_model and isinstance(result, Answer) else None)
    return head


def tell_truths(stage: Stage, head: Head, step: Step) -> None:
    """Report the outcomes that are known by now; none where the truth is what reviewers say."""
    if head.task.truth.source != "outcome":
        return
    known = np.flatnonzero((stage.due <= step.now) & (stage.due > stage._told)).tolist()
    stage._told = step.now
    able = [place for place in (*stage._waits, *known) if stage.ids[place] not in stage.refused]
    hidden = hides(head, [stage.ids[place] for place in able if place < step.last])
    ready = [place for place in able if place < step.last and hidden.get(stage.ids[place], False) is False]
    stage._waits = [place for place in able if place >= step.last or hidden.get(stage.ids[place], False) is None]
    told = [(stage.ids[place], stage.truths[place]) for place in ready]
    outcomes = [Outcome(id=name, outcome=truth) for name, truth in told if truth is not None]
    if outcomes:
        give_outcomes(head, REHEARSAL, outcomes)


def hides(head: Head, ids: Sequence[str]) -> dict[str, bool | None]:
    """By case whether its decision hides the truth for good; None while it is undecided. Empty where none can."""
    if not head.task.truth.hides_outcome or not ids:
        return {}
    with head.library.work.store.reading() as connection:
        cases = find_cases(connection, head.number, ids)
    found = {name: verdict_of(head, case) for name, case in cases.items()}
    hiding = head.task.truth.hides_outcome
    return {name: None if stands is None else stands.decision in hiding for name, stands in found.items()}


def note_moves(stage: Stage) -> None:
    """Read on in the event log."""
    for event in read_log(stage.library.work, stage.name, after=stage._seen):
        stage._seen = event.seq
        if event.kind.startswith("moved."):
            stage.moves.append(as_moved(stage, event))


def as_moved(stage: Stage, event: Event) -> Moved:
    """A move as the log tells it."""
    to = msgspec.convert(event.body["to"], Deployment)
    return Moved(
        at=event.at,
        when=day_of(event.at, int(stage.at[0]), calendar=stage.calendar),
        case=len(stage.said),
        kind=event.kind.removeprefix("moved."),
        by=event.actor,
        level=to.level,
        thresholds=to.thresholds,
        version=to.champion,
        reasons=msgspec.convert(event.body["reasons"], tuple[str, ...]),
    )


def note_point(stage: Stage, head: Head, step: Step) -> None:
    """Note where things stand."""
    with head.library.work.store.reading() as connection:
        left = waiting(connection, head.number)
    last = stage.course[-1] if stage.course else None
    fresh = range(step.first, step.last)
    given = [place for place in fresh if stage.said[place] is not None]
    stage._loss += sum(worth(head.task, stage.said[place], stage.truths[place]) for place in given)
    stage.course.append(
        Point(
            at=step.now,
            cases=step.last,
            automated=(0 if last is None else last.automated) + len(given),
            loss=stage._loss,
            reviews=stage.people.reviews,
            waiting=left,
            level=head.deployed.level,
        )
    )


def worth(task: Task, said: str | float | None, truth: str | float | None) -> float:
    """What an answer of the model was worth: its loss, as the ledger counts it; an unknown truth is a mistake."""
    if said is None:
        return 0.0
    label = None if truth is None else as_text(truth)
    return loss(task, as_text(said), Truth(source="outcome", label=label, propensity=1.0)) or 0.0


def as_record(stage: Stage, task: Task) -> Record:
    """The cases as arrays."""
    pairs = list(zip(stage.said, stage.truths, strict=True))
    lost = np.array([worth(task, said, truth) for said, truth in pairs])
    numbers = task.decision.kind == "regression"
    wrong = lost > 0 if numbers else np.array([said is not None and said != truth for said, truth in pairs])
    return Record(
        at=stage.at,
        automated=np.array([said is not None for said, _ in pairs]),
        side=np.array(["*" if numbers or said is None else str(said) for said, _ in pairs], dtype=object),
        loss=lost,
        wrong=wrong,
        calendar=stage.calendar,
    )


def count_strange(stage: Stage) -> int:
    """How many cases were unlike what the model had learned from, so that it may not decide them."""
    head = load_head(stage.library, stage.name)
    mine = (cases_table.c.task == head.number, cases_table.c.strangeness > head.deployed.strange_limit)
    with head.library.work.store.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).where(*mine)).scalar_one())


def price(task: Task, stage: Stage) -> float | None:
    """What the model's wrong answers would have cost; None where the task prices none."""
    prices = task.cost.mistakes
    if not prices:
        return None
    highest = max(prices.values())
    wrong = ((said, truth) for said, truth in zip(stage.said, stage.truths, strict=True) if said not in (None, truth))
    return sum(prices.get(f"{truth} -> {said}", highest) for said, truth in wrong)
