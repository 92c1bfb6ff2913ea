"""Was the model any better than what decided then? What held-out history says, before anything is live.

People, rules or a score decided each case, and the outcome came later. Here the model is held against each of them on
the same cases, in pairs. Where what was decided hides the outcome, every outcome that the case may have had is taken
into account: bounds hold for the worst of them (partial identification; Manski 2003, "Partial Identification of
Probability Distributions", chapter 1). Where both would have done the same, their difference is 0 whatever it was.

All this is worth a step to `assist`, where people go on deciding, and never more. The cases are those that came then,
the outcomes those that showed; nobody drew a case for a blind look, and the model has never been let decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.core.nouns import Level
from understudy.evidence.fixed import clopper_pearson
from understudy.evidence.means import mean_bounds
from understudy.evidence.pairs import PairPlan, fold_pairs, lead, open_pairs

Way = Literal["model", "rules", "person", "together", "score", "constant"]

NEVER = (
    "Never partial from history, however good the figures: that a threshold keeps the promise is certified only live,"
    " on cases that come while the model watches, and whose looks are drawn beforehand."
)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One way to decide the held-out cases, and how well it would have done.

    Attributes
    ----------
    way : {"model", "rules", "person", "together", "score", "constant"}
    name : str
    error : Evidence
        Its mean loss over the cases that it decided; the estimate is NaN where outcomes are hidden.
    lead : Evidence, optional
        By how much the model loses less per case, on the same cases; None for the model itself.
    """

    way: Way
    name: str
    error: Evidence
    lead: Evidence | None = None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the model: in how many cases it would have given it, and its mean loss there.

    Nothing is said, not even an estimate, of an answer that the machine may not give or that hides its outcome.
    """

    answer: str
    cases: int
    error: Evidence | None


class Retrospect(msgspec.Struct, frozen=True, kw_only=True):
    """What history says of a version.

    Attributes
    ----------
    held_out : int
        Cases that came after those that it learned from.
    cases : int
        Those among them that count: not strange, inside the mandate, with an answer that it may give.
    hidden : int
        Those among these whose outcome was hidden by what was decided.
    aside : dict of int
        By reason how many were set aside.
    ways : tuple of Compared
        The model first.
    sides : tuple of Side
    today : str
        What decided then, as `ways` names it.
    level : Level
        The highest level that history justifies, `assist` at most.
    reasons : tuple of str
    never : str
        Why it justifies no more.
    notes : tuple of str
        What was assumed.
    priced : bool
        Whether losses are prices, as shares of the highest one; otherwise each is 0 or 1.
    """

    held_out: int
    cases: int
    hidden: int
    aside: dict[str, int]
    ways: tuple[Compared, ...]
    sides: tuple[Side, ...]
    today: str
    level: Level
    reasons: tuple[str, ...]
    never: str = NEVER
    notes: tuple[str, ...] = ()
    priced: bool = False


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the task asks for.

    Attributes
    ----------
    max_error, confidence : float
        The promise.
    margin : float
        How many more mistakes per case than what decides today are tolerated at `assist`.
    max_level : Level
    priced : bool
        Whether losses are prices, as shares of the highest one.
    """

    max_error: float
    confidence: float
    margin: float = 0.0
    max_level: Level = Level.PARTIAL
    priced: bool = False

    @property
    def alpha(self) -> float:
        """The chance that an interval misses; each of the two that a verdict rests on is used on one side only."""
        return 1 - self.confidence


@dataclass(frozen=True)
class Losses:
    """What one way of deciding would have lost, n cases.

    Attributes
    ----------
    way : Way
    name : str
    loss : ndarray of shape (n, k)
        In [0, 1], under each of the k outcomes that a case may have had; the same k times where its outcome is known,
        NaN where nothing was decided.
    """

    way: Way
    name: str
    loss: np.ndarray


def compare(
    model: Losses, others: Sequence[Losses], terms: Terms, units: np.ndarray | None = None
) -> tuple[Compared, ...]:
    """How often each way was wrong, and by how much the model does better; the model comes first.

    Parameters
    ----------
    model : Losses
    others : sequence of Losses
        Of the same cases.
    terms : Terms
    units : ndarray of shape (n,), optional
        Cases of one unit are not independent; their mean counts as one.

    >>> terms = Terms(max_error=0.05, confidence=0.95)
    >>> model = Losses("model", "the model", np.tile([[0.0], [0.0], [0.0], [1.0]], (100, 1)))
    >>> clerk = Losses("person", "the clerk", np.tile([[0.0], [1.0], [0.0], [1.0]], (100, 1)))
    >>> first, second = compare(model, [clerk], terms)
    >>> first.error.estimate, second.error.estimate, second.lead.lower, second.lead.estimate, second.lead.upper
    (0.25, 0.5, 0.16, 0.25, 0.35)
    """
    return (
        Compared(way=model.way, name=model.name, error=error_of(model.loss, terms, units)),
        *(
            Compared(
                way=other.way,
                name=other.name,
                error=error_of(other.loss, terms, units),
                lead=lead_of(other.loss - model.loss, terms, units),
            )
            for other in others
        ),
    )


def error_of(loss: np.ndarray, terms: Terms, units: np.ndarray | None) -> Evidence:
    """The mean loss, bounded for the worst and the best of the outcomes that cases may have had."""
    low, high = per_unit(loss.min(axis=1), units), per_unit(loss.max(axis=1), units)
    best = share(low, terms.alpha)
    if np.array_equal(low, high):
        return best
    return msgspec.structs.replace(best, estimate=np.nan, upper=share(high, terms.alpha).upper)


def share(losses: np.ndarray, alpha: float) -> Evidence:
    """A mean of losses: exact where they are 0 or 1, by betting where they lie between."""
    if np.isin(losses, (0.0, 1.0)).all():
        return clopper_pearson(int(losses.sum()), len(losses), alpha=alpha)
    return mean_bounds(losses, alpha=alpha)


def lead_of(difference: np.ndarray, terms: Terms, units: np.ndarray | None) -> Evidence:
    """By how much the model does better, bounded for the worst and the best of the outcomes."""
    low, high = per_unit(difference.min(axis=1), units), per_unit(difference.max(axis=1), units)
    worst = paired(low, terms)
    if np.array_equal(low, high):
        return worst
    return msgspec.structs.replace(worst, estimate=np.nan, upper=paired(high, terms).upper)


def paired(difference: np.ndarray, terms: Terms) -> Evidence:
    """The mean of differences in [−1, 1], as live comparisons bound it."""
    plan = PairPlan(alpha=terms.alpha, margin=-terms.margin)
    return lead(fold_pairs(open_pairs(plan), plan, difference, np.ones(len(difference))), plan)


def per_unit(values: np.ndarray, units: np.ndarray | None) -> np.ndarray:
    """The mean over the cases of each unit, in the order in which units begin; cases without a value are left out.

    >>> per_unit(np.array([1.0, 0.0, np.nan, 1.0]), np.array([7, 7, 3, 5])).tolist()
    [0.5, 1.0]
    """
    seen = ~np.isnan(values)
    if units is None:
        return np.asarray(values[seen])
    _, first, codes = np.unique(units[seen], return_index=True, return_inverse=True)
    means = np.bincount(codes, weights=values[seen]) / np.bincount(codes)
    return np.asarray(means[np.argsort(first)])


def sides(
    said: np.ndarray, allowed: np.ndarray, loss: np.ndarray, terms: Terms, units: np.ndarray | None = None
) -> tuple[Side, ...]:
    """The answers of the model one by one.

    Parameters
    ----------
    said : ndarray of str, shape (n,)
    allowed : ndarray of bool, shape (n,)
        Whether the machine may give this answer.
    loss : ndarray of shape (n, k)
        As in `Losses`.
    terms : Terms
    units : ndarray of shape (n,), optional
        As for `compare`.
    """
    found = []
    for answer in sorted(set(said.tolist())):
        mine = said == answer
        apart = None if units is None else units[mine]
        error = error_of(loss[mine], terms, apart) if allowed[mine].all() else None
        found.append(Side(answer=str(answer), cases=int(mine.sum()), error=error))
    return tuple(found)


def justified(
    ways: Sequence[Compared], today: Compared | None, terms: Terms, *, failed: Sequence[str] = (), untold: str = ""
) -> tuple[Level, tuple[str, ...]]:
    """The level that history justifies, and why.

    `assist` by the rule that holds live: the risk over all cases is at most what was promised, or the model is not
    worse than what decides today by more than the margin. Each of the two errs with a chance of at most half of what
    the confidence leaves.

    Parameters
    ----------
    ways : sequence of Compared
        The model first.
    today : Compared, optional
        What decided then; None where it cannot be told how well it did.
    terms : Terms
    failed : sequence of str
        Go-live checks that it failed.
    untold : str
        Why it cannot be told.
    """
    error = ways[0].error
    whole = bool(error.n) and error.upper <= terms.max_error
    fine = today is not None and today.lead is not None and today.lead.lower >= -terms.margin
    promised = f"that it is at most {hundred(terms.max_error)} is {'shown' if whole else 'not shown'}"
    reasons = [
        f"Over {error.n:,} cases {risk_text(error)}; {promised}.",
        lead_text(today, terms, fine=fine) if today is not None else untold,
    ]
    if failed:
        return Level.HUMAN, (f"A go-live check failed, so it may not even watch: {', '.join(failed)}.", *reasons)
    level = Level.ASSIST if whole or fine else Level.SHADOW
    if level.height > terms.max_level.height:
        reasons.append(f"The task allows no more than {terms.max_level.value}.")
        level = terms.max_level
    return level, tuple(reasons)


def risk_text(error: Evidence) -> str:
    """A risk in words, without an estimate where there is none."""
    between = f"between {hundred(error.lower)} and {hundred(error.upper)} of 100"
    if np.isnan(error.estimate):
        return f"its risk lies {between}, whatever the hidden outcomes were"
    return f"its risk is {hundred(error.estimate)} of 100 ({between})"


def lead_text(today: Compared, terms: Terms, *, fine: bool) -> str:
    """How the model compares with what decided then, as an interval."""
    if today.lead is None or not today.lead.n:
        return f"No case could be compared with {today.name}."
    what = "mistakes at the highest price" if terms.priced else "mistakes"
    between = f"between {hundred(today.lead.lower)} and {hundred(today.lead.upper)} fewer {what} per 100 cases"
    by = f"with {hundred(today.lead.confidence)} % confidence, by {today.lead.n:,} cases"
    bound = f"at most {hundred(terms.margin)} more per 100" if terms.margin else "no more"
    shown = "shown" if fine else "not shown"
    return f"It makes {between} than {today.name}, {by}: that it makes {bound} is {shown}."


def hundred(share: float) -> str:
    """A share as so many of 100.

    >>> hundred(0.5839), hundred(0.05)
    ('58.4', '5')
    """
    return f"{round(100 * share, 1):g}"


VERDICTS: Mapping[Level, str] = {
    Level.HUMAN: "History justifies nothing: people go on deciding, and the model does not watch.",
    Level.SHADOW: "History justifies shadow: the model may watch, and nobody sees what it says.",
    Level.ASSIST: "History justifies assist: the model may suggest, and people go on deciding every case.",
}


class Row(msgspec.Struct, frozen=True):
    """One way in words: who, how many of 100 it gets right (or loses), the interval, and how many fewer the model."""

    name: str
    achieved: str
    interval: str
    lead: str


def rows(result: Retrospect) -> tuple[Row, ...]:
    """The ways as rows of a table; an estimate is left out where outcomes are hidden."""
    return tuple(
        Row(
            way.name,
            "unknown" if np.isnan(achieved.estimate) else hundred(achieved.estimate),
            f"{hundred(achieved.lower)} to {hundred(achieved.upper)}",
            "" if way.lead is None else f"{hundred(way.lead.lower)} to {hundred(way.lead.upper)}",
        )
        for way, achieved in ((way, achievement(way.error, priced=result.priced)) for way in result.ways)
    )


def achievement(error: Evidence, *, priced: bool) -> Evidence:
    """What is right, from what is wrong; where losses are prices, they stay what they are."""
    if priced:
        return error
    turned = {"estimate": 1 - error.estimate, "lower": 1 - error.upper, "upper": 1 - error.lower}
    return msgspec.structs.replace(error, **turned)


def headers(result: Retrospect) -> tuple[str, str, str, str]:
    """What the columns of the table are."""
    sure = f"{hundred(result.ways[0].error.confidence)} % interval"
    if result.priced:
        return "", "lost of 100", sure, "the model: less lost per 100"
    return "", "right of 100", sure, "the model: fewer mistakes per 100"


def aside_text(result: Retrospect) -> str:
    """Which held-out cases do not count, and which outcomes are hidden, in a sentence; empty where none."""
    parts = [f"{count:,} {reason}" for reason, count in result.aside.items()]
    found = [f"Of {result.held_out:,} held-out cases {', '.join(parts)}: they do not count."] if parts else []
    if result.hidden:
        found.append(
            f"Of the {result.cases:,} that do, {result.hidden:,} have no outcome, because of what was decided."
        )
    return " ".join(found)
