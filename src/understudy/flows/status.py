"""How a task stands: who decides, what waits, what was done today."""

from __future__ import annotations

import msgspec

from understudy.core.nouns import Deployment, Event, Level, Move
from understudy.flows.drift import suspected
from understudy.flows.learn import read_proposal
from understudy.flows.moves import read_body
from understudy.flows.override import read_overrides
from understudy.flows.people import told
from understudy.flows.sentence import read_sentence
from understudy.flows.standing import read_far_off, read_noticing
from understudy.flows.trial import told_trial
from understudy.flows.workspace import Workspace
from understudy.store.counts import Counts, count_cases
from understudy.store.events import read_events
from understudy.store.registry import current
from understudy.store.tasks import TaskRecord, read_task, read_tasks

DAY = 86_400_000_000

ON_SCREEN = {
    Level.HUMAN: "People decide",
    Level.SHADOW: "It watches",
    Level.ASSIST: "It suggests",
    Level.PARTIAL: "It decides clear cases",
    Level.FULL: "It decides all but odd ones",
}


class TaskStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How a task stands.

    Attributes
    ----------
    task, question, kind : str
    level : Level
    on_screen : str
        The level in words.
    paused : bool
    champion : str
    thresholds : dict of float
    raised_from : dict of float
        What they were before a suspicion raised them; empty where none did.
    revision : int
        The deployment's.
    owner : str, optional
        Who answers for the mandate.
    max_error, confidence : float
        The promise.
    counts : Counts
        What waits, and what the last 24 hours brought.
    proposed : Move, optional
        The move that waits for a person.
    far_off : tuple of str
        What is missing for the next step up, by the last pass over the evidence: a sentence each.
    suspicions : tuple of str
        What the champion's inputs are suspected of, a sentence each; see the drift monitor.
    people : tuple of str
        How well reviewers agree and how often they err, a sentence each, as of the last pass.
    trial : tuple of str
        Where versions share the cases, how they compare by what each was given, and whether all went as was meant.
    noticing : tuple of str
        How soon a doubling of the promised risk would be noticed; empty where nothing is automated, or every outcome
        becomes known by itself.
    overridden : tuple of str
        Failed checks of what is deployed that somebody has overridden: who, when and why, a sentence each.
    sentence : tuple of str
        What its owner reads: how much it decides, what is promised, and how it is stopped.
    """

    task: str
    question: str
    kind: str
    level: Level
    on_screen: str
    paused: bool
    champion: str
    thresholds: dict[str, float]
    revision: int
    owner: str | None
    max_error: float
    confidence: float
    counts: Counts
    proposed: Move | None
    far_off: tuple[str, ...] = ()
    suspicions: tuple[str, ...] = ()
    raised_from: dict[str, float] = {}
    noticing: tuple[str, ...] = ()
    trial: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    sentence: tuple[str, ...] = ()


def task_status(work: Workspace, name: str) -> TaskStatus:
    """How one task stands.

    Raises
    ------
    NotFoundError
        The store knows no such task.
    """
    now = work.clock.now()
    with work.store.reading() as connection:
        record = read_task(connection, name)
        deployed = current(connection, record.number)
        counts = count_cases(connection, record.number, since=now - DAY, now=now)
        waiting = read_proposal(connection, record.number)
        missing = read_far_off(connection, read_body(record), record.number, deployed)
        trial = told_trial(connection, read_body(record), record.number, deployed)
        noticing = read_noticing(connection, read_body(record), record.number, deployed, now)
        suspicions = suspected(connection, record.number, deployed.champion)
        people = told(connection, record.number)
        overrides = read_overrides(connection, record.number)
        sentence = read_sentence(connection, read_body(record), record.number, now)
    return as_status(
        record,
        deployed,
        counts,
        proposed=None if waiting is None else waiting.move,
        far_off=missing,
        suspicions=suspicions,
        people=people,
        noticing=noticing,
        trial=trial,
        overridden=tuple(
            f"Version {made.version[:12]}: {made.words}"
            for made in overrides
            if made.version in (deployed.champion, *deployed.challengers)
        ),
        sentence=sentence,
    )


def all_status(work: Workspace) -> list[TaskStatus]:
    """How every task stands, by name."""
    with work.store.reading() as connection:
        names = [record.name for record in read_tasks(connection)]
    return [task_status(work, name) for name in names]


def as_status(
    record: TaskRecord,
    deployed: Deployment,
    counts: Counts,
    *,
    proposed: Move | None,
    far_off: tuple[str, ...],
    suspicions: tuple[str, ...],
    people: tuple[str, ...],
    noticing: tuple[str, ...],
    trial: tuple[str, ...],
    overridden: tuple[str, ...],
    sentence: tuple[str, ...],
) -> TaskStatus:
    """The status of a task from what the store says."""
    task = read_body(record)
    return TaskStatus(
        task=record.name,
        question=task.decision.question,
        kind=task.decision.kind,
        level=deployed.level,
        on_screen=ON_SCREEN[deployed.level],
        paused=deployed.paused,
        champion=deployed.champion,
        thresholds=deployed.thresholds,
        raised_from=deployed.raised_from,
        noticing=noticing,
        trial=trial,
        revision=deployed.revision,
        owner=task.mandate.owner,
        max_error=task.autonomy.max_error,
        confidence=task.autonomy.confidence,
        counts=counts,
        proposed=proposed,
        far_off=far_off,
        suspicions=suspicions,
        people=people,
        overridden=overridden,
        sentence=sentence,
    )


def history(work: Workspace, name: str, *, after: int = 0, most: int = 1000) -> list[Event]:
    """The events of a task after the given number, the oldest first."""
    with work.store.reading() as connection:
        return read_events(connection, read_task(connection, name).number, after=after, most=most)
