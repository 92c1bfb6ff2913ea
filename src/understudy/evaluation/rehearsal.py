"""What a rehearsal of the whole loop came to, as values and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import numpy as np

from understudy.core.nouns import Kind, Level
from understudy.evaluation.retrospect import Retrospect
from understudy.evidence.gate import Distance

DAY = 86_400_000_000
MONTH_DAYS = 30
MOST_POINTS = 120
"""How many points of the course are kept, whatever the number of steps."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that the model gave by itself, how many were wrong, and their mean loss (None where it gave none)."""

    cases: int
    wrong: int
    error: float | None


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """A month of the calendar, or thirty days where the data has none.

    Attributes
    ----------
    label : str
    start : int
        Microseconds since 1970 UTC.
    cases : int
    automated : Tally
    share : float
        Of its cases, those that the model decided by itself.
    """

    label: str
    start: int
    cases: int
    automated: Tally
    share: float


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A move that was made.

    Attributes
    ----------
    at : int
        Microseconds since 1970 UTC, on the rehearsal's clock.
    when : str
        The day in words.
    case : int
        How many cases had come.
    kind, by : str
        What it is, and who made it.
    level : Level
    thresholds : dict of float
    version : str
    reasons : tuple of str
    """

    at: int
    when: str
    case: int
    kind: str
    by: str
    level: Level
    thresholds: dict[str, float]
    version: str
    reasons: tuple[str, ...]


class StepDown(msgspec.Struct, frozen=True, kw_only=True):
    """A step down, and what the model had decided by itself since the step up before it."""

    case: int
    when: str
    since: int
    before: Tally
    allowed: float


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Where things stood at a moment: counts since the beginning, and the queue as it was."""

    at: int
    cases: int
    automated: int
    loss: float
    reviews: int
    waiting: int
    level: Level


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """How often the model was wrong where it decided by itself, beside what was promised.

    Attributes
    ----------
    overall : Tally
    sides : dict of Tally
        By the answer that it gave.
    worst_month : Month, optional
        Of the months with at least 30 such answers.
    max_error, confidence : float
        The promise.
    kept : bool, optional
        Whether the overall error is within it; None where the model decided nothing.
    """

    overall: Tally
    sides: dict[str, Tally]
    worst_month: Month | None
    max_error: float
    confidence: float
    kept: bool | None


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What people did, and what they were spared.

    Attributes
    ----------
    reviews, audits : int
        Answers that people gave, and how many of them checked an answer of the model.
    saved : int
        Cases that nobody had to look at, because the model decided them.
    waiting : int
        Cases that still waited in the end.
    per_day : int
        What people could do.
    minutes : float
        What a review takes.
    hours_saved : float
    """

    reviews: int
    audits: int
    saved: int
    waiting: int
    per_day: int
    minutes: float
    hours_saved: float


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What a rehearsal came to.

    Attributes
    ----------
    task, question, target : str
    kind : {"classification", "regression"}
    rows, trained_on : int
        How many rows have an answer, and how many of them the first version learned from.
    version, model : str
    failed : tuple of str
        The go-live checks that kept it from watching.
    cases, refused, strange : int
        Cases that came; those among them that broke the contract, which nobody decides; and those that were too unlike
        what the model had learned from for it to decide them.
    automated, share : int, float
        What the model decided by itself.
    notes : tuple of str
        What was assumed.
    truth : str
        Against what it was measured.
    months : tuple of Month
    moves : tuple of Moved
    errors : Errors
    work : Work
    cost : float, optional
        Of the wrong answers, by `[cost]`; None where nothing is priced.
    step_downs : tuple of StepDown
    level : Level
        In the end.
    certified : dict of float
        By answer the threshold that was certified in the end.
    uncertified : dict of Distance
        By answer how far off the others are.
    course : tuple of Point
    owner : str, optional
        Who answers for the mandate.
    retrospect : Retrospect, optional
        What past decisions and their outcomes say of the first version; None where the task does not tell them.
    seconds : dict of float
        For `training` and for the `rehearsal`.
    report : str
        The file of the report.
    """

    task: str
    question: str
    target: str
    kind: Kind
    rows: int
    trained_on: int
    version: str
    model: str
    failed: tuple[str, ...]
    cases: int
    refused: int
    strange: int
    automated: int
    share: float
    notes: tuple[str, ...]
    truth: str
    months: tuple[Month, ...]
    moves: tuple[Moved, ...]
    errors: Errors
    work: Work
    cost: float | None
    step_downs: tuple[StepDown, ...]
    level: Level
    certified: dict[str, float]
    uncertified: dict[str, Distance]
    course: tuple[Point, ...]
    owner: str | None
    retrospect: Retrospect | None
    seconds: dict[str, float]
    report: str = ""


@dataclass(frozen=True)
class Record:
    """The cases of a rehearsal in their order, n of them.

    Attributes
    ----------
    at : ndarray of int64
        When each came.
    automated : ndarray of bool
        Whether the model decided it by itself.
    side : ndarray of str
        What it then answered.
    loss : ndarray of float
        What that was worth, in [0, 1]; 0 where the model did not decide.
    wrong : ndarray of bool
    calendar : bool
        Whether the times are those of the data.
    """

    at: np.ndarray
    automated: np.ndarray
    side: np.ndarray
    loss: np.ndarray
    wrong: np.ndarray
    calendar: bool

    def tally(self, chosen: np.ndarray) -> Tally:
        """The answers that the model gave by itself among the chosen cases, a mask of shape (n,)."""
        given = chosen & self.automated
        cases = int(given.sum())
        error = float(self.loss[given].mean()) if cases else None
        return Tally(cases=cases, wrong=int((self.wrong & given).sum()), error=error)

    def months(self) -> tuple[Month, ...]:
        """The cases month by month."""
        first = int(self.at[0]) if len(self.at) else 0
        labels = np.array([month_of(int(at), first, calendar=self.calendar) for at in self.at], dtype=object)
        found = []
        for label in dict.fromkeys(labels.tolist()):
            chosen = labels == label
            automated, cases = self.tally(chosen), int(chosen.sum())
            start = int(self.at[chosen].min())
            share = automated.cases / cases
            found.append(Month(label=label, start=start, cases=cases, automated=automated, share=share))
        return tuple(found)

    def sides(self) -> dict[str, Tally]:
        """The answers that the model gave by itself, by what it said."""
        return {side: self.tally(self.side == side) for side in sorted(set(self.side[self.automated].tolist()))}


FEWEST_IN_MONTH = 30


def worst_month(months: Sequence[Month]) -> Month | None:
    """The month with the highest error, of those with enough answers to tell."""
    able = [month for month in months if month.automated.cases >= FEWEST_IN_MONTH]
    return max(able, key=lambda month: month.automated.error or 0.0, default=None)


def step_downs(moves: Sequence[Moved], record: Record, max_error: float) -> tuple[StepDown, ...]:
    """What each step down came after."""
    found: list[StepDown] = []
    since = 0
    places = np.arange(len(record.at))
    for move in moves:
        if move.kind == "step_up":
            since = move.case
        elif move.kind == "step_down":
            before = record.tally((places >= since) & (places < move.case))
            allowed = max_error * before.cases
            found.append(StepDown(case=move.case, when=move.when, since=since, before=before, allowed=allowed))
    return tuple(found)


def month_of(at: int, first: int, *, calendar: bool) -> str:
    """The month that a moment lies in; without a calendar, thirty days counted from the first case.

    >>> month_of(1_700_000_000_000_000, 0, calendar=True)
    '2023-11'
    >>> month_of(31 * DAY, 0, calendar=False)
    'days 31 to 60'
    """
    if calendar:
        return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m")
    block = (at - first) // DAY // MONTH_DAYS
    return f"days {block * MONTH_DAYS + 1} to {(block + 1) * MONTH_DAYS}"


def day_of(at: int, first: int, *, calendar: bool) -> str:
    """The day that a moment lies in, in words.

    >>> day_of(1_700_000_000_000_000, 0, calendar=True), day_of(3 * DAY, 0, calendar=False)
    ('2023-11-14', 'day 4')
    """
    if calendar:
        return datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d")
    return f"day {max(at - first, 0) // DAY + 1}"


@dataclass(frozen=True)
class Line:
    """A line of the timeline: one move, or changes of thresholds in a row, of which the last holds."""

    first: Moved
    last: Moved
    times: int


def folded_moves(moves: Sequence[Moved]) -> list[Line]:
    """The moves as lines; changes of thresholds, and of the audit rate, that follow each other are folded into one."""
    lines: list[Line] = []
    for move in moves:
        before = lines[-1] if lines else None
        if before is not None and move.kind == before.last.kind and move.kind in ("thresholds", "audit"):
            lines[-1] = Line(before.first, move, before.times + 1)
        else:
            lines.append(Line(move, move, 1))
    return lines


def thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """At most so many points, evenly chosen, the first and the last among them."""
    if len(points) <= MOST_POINTS:
        return tuple(points)
    chosen = np.unique(np.linspace(0, len(points) - 1, MOST_POINTS).round().astype(int))
    return tuple(points[place] for place in chosen)


def conclusion(result: Backtest) -> str:
    """What an owner should know before it goes live, in a few sentences."""
    return " ".join([*may_decide(result), *who_answers(result)])


def may_decide(result: Backtest) -> list[str]:
    """What it decided, how well, at what price and with what gain."""
    promise = f"at most {100 * result.errors.max_error:g} of 100 wrong against {result.truth}"
    if not result.automated:
        why = f"its checks failed: {', '.join(result.failed)}" if result.failed else nearest(result)
        none = f"Of {result.cases:,} cases it would have decided none by itself: {why}."
        return [none, f"The promise asked for: {promise}."]
    overall = result.errors.overall
    measured = f"{overall.wrong:,} were wrong, {per_hundred(overall.error)} of 100"
    verdict = "" if result.errors.kept else " That is more than promised."
    cost = "what that costs, [cost] does not say" if result.cost is None else f"that would have cost {result.cost:,.2f}"
    spared = f"People would have been spared {result.work.saved:,} looks, {result.work.hours_saved:,.0f} hours"
    decided = f"Of {result.cases:,} cases it would have decided {overall.cases:,} by itself, {result.share:.1%}"
    return [
        f"{decided}, on the promise of {promise}.",
        f"Of these {measured}; {cost}.{verdict}",
        f"{spared} at {result.work.minutes:g} minutes each.",
    ]


def per_hundred(error: float | None) -> str:
    """An error as so many of 100.

    >>> per_hundred(0.0312)
    '3.12'
    """
    return f"{100 * (error or 0.0):.3g}"


def nearest(result: Backtest) -> str:
    """Why nothing was certified, with the answer that came nearest."""
    if not result.uncertified:
        return "nothing could be certified"
    side, far = max(result.uncertified.items(), key=lambda item: item[1].best)
    return f"nothing was certified; nearest came {side!r}, {distance_text(far)}"


def distance_text(far: Distance) -> str:
    """How far an answer is from its first certificate, in words."""
    if not far.risk.n:
        return "no case has counted for it"
    risk = f"its risk is about {100 * far.risk.estimate:.3g} of 100 where it is surest"
    if not np.isfinite(far.missing):
        return f"{risk}, which is not below the promise"
    return f"{risk}; about {far.missing:,.0f} more looks would do if that holds"


def who_answers(result: Backtest) -> list[str]:
    """Who is responsible, and how it is stopped."""
    owner = f"{result.owner} is responsible" if result.owner else "Nobody is responsible yet: name [mandate] owner"
    return [f"{owner}. It stops at once with: understudy pause --task {result.task}"]
