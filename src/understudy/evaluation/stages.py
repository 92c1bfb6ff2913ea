"""Which stage do the wrong decisions come from? Each stage's output is replaced by the truth, and what is left counted.

One stage at a time tells what it would win alone. Where several err on the same case that counts some wrong decisions
twice, or not at all; so the share that each stage owns is its mean over all orders in which the stages could be mended
(Shapley 1953, "A value for n-person games"): the shares and what is left add up to the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.changes import percents
from understudy.evaluation.paired import mean_interval

MOST_ORDERED = 6
"""More stages than these are mended in the order given alone: their combinations are too many."""

Wrong = Callable[[frozenset[str]], np.ndarray]
"""For each case how wrong the decision is, in [0, 1], if these stages had given the truth."""


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage, and what it does to the decision.

    Attributes
    ----------
    name : str
    differs : float
        Of the cases, the share in which its output is not the truth.
    owns : Evidence
        Wrong decisions per case that it owns; the shares of all stages and what is left add up to the error.
    alone : Evidence
        Wrong decisions per case fewer if it alone were perfect.
    left : Evidence
        Wrong decisions per case if it and all stages before it were perfect.
    """

    name: str
    differs: float
    owns: Evidence
    alone: Evidence
    left: Evidence


class Stages(msgspec.Struct, frozen=True, kw_only=True):
    """An error, taken apart.

    Attributes
    ----------
    found : tuple of Stage
        In the order in which they work.
    error : Evidence
        Wrong decisions per case, as it is.
    rest : Evidence
        Wrong decisions per case that are left with every stage perfect: those of the decision itself, and of what
        nobody could know.
    n : int
        Cases that this rests on.
    unknown : int
        Cases that were left out, since the truth of some stage is not known.
    way : {"all orders", "in order"}
        How the shares were made.

    The bounds of one figure, such as `owns`, hold for all stages together with their confidence.
    """

    found: tuple[Stage, ...]
    error: Evidence
    rest: Evidence
    n: int
    unknown: int
    way: str

    @property
    def ranked(self) -> tuple[Stage, ...]:
        """The stages, that which owns most first."""
        return tuple(sorted(self.found, key=lambda one: -one.owns.estimate))

    def share(self, stage: Stage) -> float:
        """Of all wrong decisions, the share that a stage owns; 0 where none is wrong."""
        return stage.owns.estimate / self.error.estimate if self.error.estimate else 0.0

    @property
    def sentence(self) -> str:
        """The finding."""
        first = self.ranked[0]
        if first.owns.lower <= 0:
            return (
                f"No stage is shown to cause wrong decisions: {self.rest.estimate:.1%} of the cases stay wrong with "
                f"every stage perfect, out of {self.error.estimate:.1%}."
            )
        return (
            f"Of the stages, {first.name} owns most: {self.share(first):.0%} of the wrong decisions "
            f"({percent(first.owns)} of all cases). {self.rest.estimate:.1%} of the cases stay wrong with every stage "
            f"perfect, out of {self.error.estimate:.1%}."
        )


def percent(evidence: Evidence) -> str:
    """A share with its bounds, in per cent.

    >>> percent(Evidence(estimate=0.1, lower=0.08, upper=0.12, confidence=0.95, n=900, method="t"))
    '10.0 %, 8.0 to 12.0'
    """
    return f"{100 * evidence.estimate:.1f} %, {100 * evidence.lower:.1f} to {100 * evidence.upper:.1f}"


def decompose(
    wrong: Wrong,
    differs: Mapping[str, float],
    *,
    unknown: int = 0,
    groups: np.ndarray | None = None,
    alpha: float = 0.05,
) -> Stages:
    """How much of the error each stage owns.

    Up to six stages are mended in all orders (2^k predictions of all cases), more in the order given (2k).

    Parameters
    ----------
    wrong : callable
        From the names of the stages that are perfect to how wrong each decision is, in [0, 1], of shape (n,).
    differs : mapping of str to float
        By stage, in the order in which they work, the share of cases in which its output is not the truth.
    unknown : int
        How many cases were left out beforehand.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    alpha : float
        The chance that any of the bounds of one figure is wrong.

    Raises
    ------
    ValueError
        There is no stage or no case, or a loss lies outside [0, 1].

    >>> read, ruled = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0, 1.0])
    >>> def wrong(perfect):
    ...     bad = np.zeros(4) if "reading" in perfect else read
    ...     return np.maximum(bad, np.zeros(4) if "rules" in perfect else ruled)
    >>> found = decompose(wrong, {"reading": 0.5, "rules": 0.5})
    >>> [(one.name, one.owns.estimate, one.alone.estimate) for one in found.found], found.rest.estimate
    ([('reading', 0.375, 0.25), ('rules', 0.375, 0.25)], 0.0)
    """
    names = tuple(differs)
    if not names:
        raise ValueError("an error is taken apart by stages, of which there is none")
    losses = {frozenset[str](): checked(wrong(frozenset()))}
    every = len(names) <= MOST_ORDERED
    for perfect in subsets(names, every=every):
        losses[perfect] = checked(wrong(perfect))
    owned = shapley(names, losses) if every else in_order(names, losses)
    nothing, k = losses[frozenset()], len(names)

    def gain(values: np.ndarray) -> Evidence:
        return mean_interval(values, alpha=alpha, groups=groups, together=k)

    def rate(values: np.ndarray, together: int) -> Evidence:
        found = mean_interval(values, alpha=alpha, groups=groups, together=together)
        return msgspec.structs.replace(found, lower=max(0.0, found.lower))

    found = tuple(
        Stage(
            name=name,
            differs=differs[name],
            owns=gain(owned[name]),
            alone=gain(nothing - losses[frozenset({name})]),
            left=rate(losses[frozenset(names[: place + 1])], k),
        )
        for place, name in enumerate(names)
    )
    return Stages(
        found=found,
        error=rate(nothing, 1),
        rest=rate(losses[frozenset(names)], 1),
        n=len(nothing),
        unknown=unknown,
        way="all orders" if every else "in order",
    )


def checked(losses: np.ndarray) -> np.ndarray:
    """Losses as they may be."""
    values = np.asarray(losses, dtype=np.float64)
    if not len(values):
        raise ValueError("an error is taken apart by cases, of which there is none with a known truth")
    if not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"how wrong a decision is lies in [0, 1]; got {values.min():.4g} to {values.max():.4g}")
    return values


def subsets(names: Sequence[str], *, every: bool) -> list[frozenset[str]]:
    """The sets of perfect stages that are asked for: all, or each alone and each with all before it."""
    if every:
        return [frozenset(some) for size in range(1, len(names) + 1) for some in combinations(names, size)]
    single = [frozenset({name}) for name in names]
    return list(dict.fromkeys([*single, *(frozenset(names[: place + 1]) for place in range(len(names)))]))


def shapley(names: Sequence[str], losses: Mapping[frozenset[str], np.ndarray]) -> dict[str, np.ndarray]:
    """For each case what each stage owns of its loss, as the mean over all orders."""
    k = len(names)
    owned = {name: np.zeros(len(losses[frozenset()])) for name in names}
    for perfect, loss in losses.items():
        for name in names:
            if name not in perfect:
                orders = math.factorial(len(perfect)) * math.factorial(k - len(perfect) - 1) / math.factorial(k)
                owned[name] += orders * (loss - losses[perfect | {name}])
    return owned


def in_order(names: Sequence[str], losses: Mapping[frozenset[str], np.ndarray]) -> dict[str, np.ndarray]:
    """For each case what each stage wins once all before it are perfect."""
    left = [losses[frozenset(names[:place])] for place in range(len(names) + 1)]
    return {name: left[place] - left[place + 1] for place, name in enumerate(names)}


def stage_actions(stages: Stages) -> tuple[Action, ...]:
    """One action for each stage that is shown to cause wrong decisions, that which would win most first.

    >>> stage_actions(decompose(lambda perfect: np.full(200, 0.0 if perfect else 1.0), {"reading": 0.4}))[0].what
    'Make the stage reading more exact'
    """
    shown = sorted((one for one in stages.found if one.alone.lower > 0), key=lambda one: -one.alone.estimate)
    return tuple(fix(stages, one) for one in shown)


def fix(stages: Stages, one: Stage) -> Action:
    """Make a stage more exact."""
    return Action(
        kind="fix stage",
        subject=one.name,
        what=f"Make the stage {one.name} more exact",
        why=(
            f"Its output is not the truth in {one.differs:.1%} of the cases, and it owns {stages.share(one):.0%} of "
            f"the wrong decisions. With its true values {one.alone.estimate:.2%} of all cases fewer would be wrong "
            f"({percents(one.alone)}), by the model as it is."
        ),
        gain=one.alone,
        share=one.differs,
        effort="days",
        chapter="stages",
    )
