"""How a task stands by the evidence, and how far it is from the next step, in words."""

from __future__ import annotations

from math import isfinite

import msgspec

from understudy.autonomy.groups import FEWEST_ROWS, answer_of, divided
from understudy.autonomy.router import EVERY_ANSWER
from understudy.autonomy.watch import Watch
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Task
from understudy.evidence.budget import Spent
from understudy.evidence.gate import Distance


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """A certified threshold of a side, and how many of its cases of this epoch lie at or above it."""

    threshold: float
    cases: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence of an epoch says of its champion.

    Attributes
    ----------
    certified : dict of float
        By answer the threshold from which it keeps the promise.
    rungs : dict of tuple of Rung
        By answer every threshold that is certified, the strictest first.
    word : Deployment, optional
        What the epoch opened with where somebody's word opened it, such as an override; None after a promotion.
    distances : dict of Distance
        By answer how far it is from its first certificate.
    whole : bool
        Whether every answer that it gives is certified at every confidence.
    silent : tuple of str
        Answers that the mandate allows and of which nothing is known, since it has never given them.
    budget : Spent, optional
        How the error budget stands; None where nothing was ever automated.
    room : float
        The share of the budget's room that the worst stretch up to now has used.
    alarm : bool
        Whether the detector says that the risk has risen.
    suspicions : tuple of str
        What speaks, short of proof, for a world that has changed: a sentence each.
    watch : Watch
        What the looks at automated cases say since the audit rate, or how sure it must be, was last changed.
    wanted : float
        The audit rate for calm times.
    today : Evidence, optional
        By how much it errs less than what decides today, per case; None where that is not compared.
    untold : str
        Why that cannot be told; empty where it can.
    settled, looked, errors : float
        Cases in the ledger of this epoch, looks among them, and the sum of their losses.
    """

    certified: dict[str, float]
    rungs: dict[str, tuple[Rung, ...]] = {}
    word: Deployment | None = None
    distances: dict[str, Distance]
    whole: bool = False
    silent: tuple[str, ...] = ()
    budget: Spent | None = None
    room: float = 0.0
    alarm: bool = False
    suspicions: tuple[str, ...] = ()
    watch: Watch = Watch()
    wanted: float = 1.0
    today: Evidence | None = None
    untold: str = ""
    settled: int
    looked: int
    errors: float

    @property
    def held(self) -> dict[str, float]:
        """By answer the lowest threshold that anything speaks for: a certificate, or somebody's word."""
        automates = self.word is not None and self.word.level.height >= Level.PARTIAL.height
        lowest = dict(self.word.thresholds) if self.word is not None and automates else {}
        for answer, low in self.certified.items():
            lowest[answer] = min(low, lowest.get(answer, low))
        return lowest


def certified_reasons(task: Task, certified: dict[str, float]) -> tuple[str, ...]:
    """What is certified, in a sentence for each answer."""
    share = (
        f"at most {100 * task.autonomy.max_error:g} of 100 wrong with {100 * task.autonomy.confidence:g} % confidence"
    )
    return tuple(
        f"{answer!r} from a confidence of {threshold:.3f} on: certified, {share}."
        for answer, threshold in certified.items()
    )


def looks_text(standing: Standing) -> str:
    """How much evidence there is, in a sentence."""
    looked = f"{standing.looked:,} of {standing.settled:,} cases were looked at"
    return f"{looked}; their losses add up to {standing.errors:,.1f}."


def today_text(lead: Evidence) -> str:
    """How it compares with what decides today, as an interval."""
    fewer = f"between {100 * lead.lower:.1f} and {100 * lead.upper:.1f} fewer mistakes per 100 cases"
    sure = f"with {100 * lead.confidence:.3g} % confidence, by {lead.n:,} cases"
    return f"It makes {fewer} than what decides today, {sure}."


def far_off(task: Task, deployed: Deployment, standing: Standing) -> tuple[str, ...]:
    """What is missing for the next step up, a sentence for each answer that is not certified; and for `assist`."""
    found = [
        f"{'Any answer' if answer == EVERY_ANSWER else repr(answer)}: {distance_text(task, far)}"
        for answer, far in standing.distances.items()
        if answer not in standing.certified and answer not in map(answer_of, standing.certified)
    ]
    if deployed.champion and not standing.distances:
        few = f"no group has {FEWEST_ROWS} held-out rows"
        none = "no held-out row shows which answers it would give"
        found.append(f"Nothing can be certified: {few if divided(task) else none}.")
    if deployed.level is Level.SHADOW:
        found += [today_text(standing.today)] if standing.today is not None and standing.today.n else []
        found += [standing.untold] if standing.untold else []
    return tuple(found)


def distance_text(task: Task, far: Distance) -> str:
    """How far one answer is from its first certificate."""
    none = f"no threshold keeps {percent(task.autonomy.max_error)}"
    if not far.risk.n:
        return f"{none}; no case has counted for it yet."
    closest = f"the closest is {bound_text(far)} at {percent(far.coverage)} of its cases"
    if not isfinite(far.missing):
        return f"{none}; {closest}; at today's quality, {percent(far.risk.estimate)}, no number of looks will do."
    return f"{none}; {closest}; about {far.missing:,.0f} more looks at today's quality."


def bound_text(far: Distance) -> str:
    """The risk of the closest threshold: its bound at all times, or its estimate where nothing is bounded yet."""
    return f"at most {percent(far.risk.upper)}" if far.risk.upper < 1 else f"about {percent(far.risk.estimate)}"


def closest_text(task: Task, standing: Standing) -> str:
    """How close any answer comes to the promise, in one sentence; empty where no case has counted yet."""
    seen = {answer: far for answer, far in standing.distances.items() if far.risk.n}
    if not seen:
        return ""
    answer, far = min(seen.items(), key=lambda found: (found[1].risk.upper, found[1].risk.estimate))
    cases = "of its cases" if answer == EVERY_ANSWER else f"of the cases to which it says {answer!r}"
    none = f"No threshold keeps {percent(task.autonomy.max_error)}"
    return f"{none}; the closest is {bound_text(far)} at {percent(far.coverage)} {cases}."


def percent(share: float) -> str:
    """A share in percent, with three digits at most.

    >>> percent(0.05), percent(0.0914), percent(0.12)
    ('5 %', '9.14 %', '12 %')
    """
    return f"{100 * share:.3g} %"
