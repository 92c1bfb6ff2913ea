"""What one logged case says about the value of a policy that did not decide it.

An action was drawn with logged probabilities h; the target policy would have taken it with probability π. With the
weight w = π/h the mean of w·R is the target policy's value, for rewards R in [0, 1]. The estimators here add what has a
mean of 0 given the past, to make that steadier. Every pseudo-outcome has a floor −k fixed beforehand, as the bounds in
`off_policy` need it. Several of them, called views, stand side by side, since nobody knows beforehand which is best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, log

import msgspec
import numpy as np

BASELINES = (0.0, 0.5, 1.0)
"""What the views of IPS take off the reward before they weigh it, and add again after."""

CLIPS = (0.0, 2.0, 8.0)
"""How far below 0 the views of DR may fall; the first is IPS, so that bad predictions do little harm."""


class ValuePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is estimated, and how; fixed before the first case.

    Attributes
    ----------
    alpha : float
        The chance that the bounds of any policy ever miss its value, in (0, 1).
    policies : int
        How many target policies are valued at once. Their bounds hold together, whichever somebody picks.
    largest : float
        For IPS: no weight is larger, as one over the smallest propensity that is ever used. Finite, it narrows the
        bounds a lot, and every action that a target policy may take must have a positive logged probability; infinite,
        neither is assumed.
    clips : tuple of float
        Empty for IPS; for DR the floors k of its views, in rewards scaled to [0, 1]. Predictions are cut to k/w.
    limit : float
        For DR: where an action's weight is above it, or the action could not be logged, its reward is left to the
        predictions (switch-DR; Wang, Agarwal & Dudík 2017, ICML). The bounds allow for the worst that this can do.
    low, high : float
        The range of rewards.

    >>> ValuePlan(alpha=0.05, largest=9.0).floors
    (0.0, 4.0, 8.0)
    """

    alpha: float
    policies: int = 1
    largest: float = inf
    clips: tuple[float, ...] = ()
    limit: float = inf
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not (0 < self.alpha < 1 and self.policies >= 1):
            raise ValueError(f"alpha lies in (0, 1), policies is at least 1; got {self.alpha}, {self.policies}")
        if not -inf < self.low < self.high < inf:
            raise ValueError(f"rewards need a finite range, not {self.low} to {self.high}")
        if not (self.largest >= 1 and self.limit > 0 and all(0 <= clip < inf for clip in self.clips)):
            raise ValueError("largest is at least 1, limit is positive, clips are finite and at least 0")
        if (self.clips and self.largest < inf) or (not self.clips and self.limit < inf):
            raise ValueError("largest is for IPS, which has no clips; limit is for DR, which has some")

    @property
    def baselines(self) -> tuple[float, ...]:
        """What the views of IPS take off the reward."""
        return BASELINES if self.largest < inf else (0.0,)

    @property
    def floors(self) -> tuple[float, ...]:
        """How far below 0 each view may fall."""
        if self.clips:
            return self.clips
        return tuple(base * (self.largest - 1) if base else 0.0 for base in self.baselines)

    @property
    def goal(self) -> float:
        """The log wealth that refutes a value, ln(2·policies/α): all bounds share α."""
        return log(2 * self.policies / self.alpha)

    @property
    def method(self) -> str:
        """The estimator in the field's words."""
        if not self.clips:
            return "IPS"
        return "DR" if self.limit == inf else f"switch-DR at {self.limit:g}"


@dataclass(frozen=True, kw_only=True)
class PseudoOutcomes:
    """What logged cases say about p policies, row by row; v views.

    Attributes
    ----------
    weight : ndarray of shape (n, p)
        π/h of the action that was taken.
    outcome : ndarray of shape (n, p)
        The estimator's own pseudo-outcome, whose mean is the estimate.
    stake : ndarray of shape (n, p, 2, v)
        φ + k ≥ 0 of each view, for rewards and for rewards turned around.
    """

    weight: np.ndarray
    outcome: np.ndarray
    stake: np.ndarray


def ips(
    plan: ValuePlan, reward: np.ndarray, propensity: np.ndarray, target: np.ndarray, *, first_row: int = 0
) -> PseudoOutcomes:
    """Inverse propensity scoring (Horvitz & Thompson 1952): needs the probabilities of the action taken only.

    Parameters
    ----------
    plan : ValuePlan
        Without clips.
    reward : ndarray of shape (n,)
    propensity : ndarray of shape (n,)
        With which the action was drawn, in (0, 1].
    target : ndarray of shape (n,) or (n, p)
        With which each target policy would have taken it, in [0, 1].
    first_row : int
        The number of the first row, for messages.

    Raises
    ------
    ValueError
        A value lies outside its range, or a weight above the plan's largest; the row is named.

    >>> plan = ValuePlan(alpha=0.05, largest=2.0)
    >>> scores = ips(plan, np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    >>> scores.outcome.tolist()
    [[2.0], [0.0]]
    """
    if plan.clips:
        raise ValueError("the plan has clips, which belong to doubly_robust; IPS needs a plan without")
    same_rows(reward, propensity, target)
    gain = scaled(plan, reward, first_row)
    weight = weights(propensity, target, first_row)
    one_per_policy(plan, weight)
    refuse(
        weight > plan.largest * (1 + 1e-9), weight, f"at most {plan.largest:g}, the plan's largest weight", first_row
    )
    base = np.array(plan.baselines)
    sides = np.stack([gain, 1 - gain], axis=1)[:, None, :, None]
    stake = base + weight[:, :, None, None] * (sides - base) + np.array(plan.floors)
    return PseudoOutcomes(weight=weight, outcome=weight * gain[:, None], stake=np.maximum(stake, 0.0))


def doubly_robust(
    plan: ValuePlan,
    reward: np.ndarray,
    action: np.ndarray,
    logging: np.ndarray,
    target: np.ndarray,
    predicted: np.ndarray,
    *,
    first_row: int = 0,
) -> PseudoOutcomes:
    """The doubly robust estimator (Dudík, Langford & Li 2011, ICML), whose weights meet only what predictions miss.

    With a predicted reward q(a), cut to min(q, k/w(a)) in the view with floor k, the pseudo-outcome is
    w·(R − q(A)) + Σₐ π(a)·q(a) (as in Waudby-Smith et al. 2024). Good predictions narrow the bounds; bad ones make
    them wide and never wrong, if each was made from earlier rows only (`predict_forward`).

    Above the plan's limit on weights (switch-DR) the estimate is biased, by at most the target policies' probability of
    such actions (`left_to_predictions`) times the range. The lower bound counts their rewards as the smallest possible,
    the upper one as the largest; so the bounds hold the policy's value and not the mean of the estimator.

    Parameters
    ----------
    plan : ValuePlan
        With clips.
    reward : ndarray of shape (n,)
    action : ndarray of int, shape (n,)
        The place of the action that was taken.
    logging : ndarray of shape (n, a)
        The probabilities with which it was drawn; each row adds up to 1.
    target : ndarray of shape (n, a) or (n, p, a)
        Those of the target policies.
    predicted : ndarray of shape (n, a)
        The reward that each action was expected to bring, in the range of rewards.
    first_row : int
        The number of the first row, for messages.

    Raises
    ------
    ValueError
        A value lies outside its range, or a target policy takes an action that could not have been logged.

    >>> plan = ValuePlan(alpha=0.05, clips=(0.0, 1.0))
    >>> scores = doubly_robust(plan, np.array([1.0]), np.array([0]), np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]]),
    ...                        np.array([[0.75, 0.25]]))
    >>> scores.outcome.tolist()
    [[1.25]]
    """
    if not plan.clips:
        raise ValueError("the plan has no clips: give it CLIPS, or use ips")
    same_rows(reward, action, logging, target, predicted)
    gain, guess = scaled(plan, reward, first_row), scaled(plan, predicted, first_row)
    target, ratio = action_weights(plan, logging, target, first_row)
    place, actions = np.arange(len(gain)), logging.shape[1]
    refuse((action < 0) | (action >= actions), action, f"an action from 0 to {actions - 1}", first_row)
    refuse(logging[place, action] <= 0, action, "an action with a positive logged probability", first_row)
    kept, taken = ratio <= plan.limit, (place, slice(None), action)
    weight = ratio[taken]
    counted = weight * kept[taken]
    stake = np.empty((*weight.shape, 2, len(plan.clips)))
    for side, (won, guessed) in enumerate(((gain, guess), (1 - gain, 1 - guess))):
        for view, clip in enumerate(plan.clips):
            room = np.divide(clip, ratio, out=np.full_like(ratio, inf), where=ratio > 0)
            cut = np.minimum(guessed[:, None], room) * kept
            stake[:, :, side, view] = counted * (won[:, None] - cut[taken]) + (target * cut).sum(axis=2) + clip
    outcome = counted * (gain - guess[place, action])[:, None] + (target * guess[:, None]).sum(axis=2)
    return PseudoOutcomes(weight=weight, outcome=outcome, stake=np.maximum(stake, 0.0))


def left_to_predictions(plan: ValuePlan, logging: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The mean probability with which each target policy takes actions above the plan's limit on weights.

    Times the range of rewards it bounds the bias of switch-DR, however wrong the predictions are.

    Parameters
    ----------
    plan : ValuePlan
    logging, target : ndarray
        As for `doubly_robust`.

    Returns
    -------
    ndarray of shape (p,)

    >>> plan = ValuePlan(alpha=0.05, clips=CLIPS, limit=5.0)
    >>> left_to_predictions(plan, np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])).tolist()
    [0.8]
    """
    target, ratio = action_weights(plan, logging, target, 0)
    return np.asarray((target * (ratio > plan.limit)).sum(axis=2).mean(axis=0))


def predict_forward(
    n: int,
    actions: int,
    learn: Callable[[slice, slice], np.ndarray],
    *,
    first: int = 100,
    growth: float = 1.5,
    default: float = 0.5,
) -> np.ndarray:
    """Predicted rewards of every action, each from earlier rows only: cross-fitting in time order.

    Parameters
    ----------
    n, actions : int
    learn : callable of (past, block)
        Learns on the rows `past` and returns predictions for the rows `block`, shape (len(block), actions).
    first : int
        The rows that get the default, since nothing was learned.
    growth : float
        How much longer the past is at each learning, above 1.
    default : float

    Returns
    -------
    ndarray of shape (n, actions)

    >>> reward = np.arange(8.0)
    >>> predict_forward(8, 1, lambda past, block: np.full((2, 1), reward[past].mean()), first=4).ravel().tolist()
    [0.5, 0.5, 0.5, 0.5, 1.5, 1.5, 2.5, 2.5]
    """
    if first < 1 or growth <= 1:
        raise ValueError(f"first is at least 1 and growth above 1, not {first} and {growth}")
    predicted = np.full((n, actions), default)
    start = first
    while start < n:
        stop = min(n, max(start + 1, int(start * growth)))
        predicted[start:stop] = learn(slice(0, start), slice(start, stop))
        start = stop
    return predicted


def weights(propensity: np.ndarray, target: np.ndarray, first_row: int = 0) -> np.ndarray:
    """π/h of the actions taken, shape (n, p).

    Raises
    ------
    ValueError
        A probability lies outside its range; an action with a logged probability of 0 cannot have been taken.
    """
    target = target[:, None] if target.ndim == 1 else target
    refuse(~((propensity > 0) & (propensity <= 1)), propensity, "a propensity above 0 and at most 1", first_row)
    refuse(~((target >= 0) & (target <= 1)), target, "a target probability from 0 to 1", first_row)
    return np.asarray(target / propensity[:, None])


def action_weights(
    plan: ValuePlan, logging: np.ndarray, target: np.ndarray, first_row: int
) -> tuple[np.ndarray, np.ndarray]:
    """Target probabilities and weights of all actions, both of shape (n, p, a)."""
    target = np.asarray(target[:, None, :] if target.ndim == 2 else target, dtype=np.float64)
    distributions(logging, first_row, "logging")
    distributions(target, first_row, "target")
    one_per_policy(plan, target)
    if plan.limit == inf:
        support(logging, target, first_row)
    ratio = np.zeros_like(target)
    with np.errstate(divide="ignore"):
        np.divide(target, logging[:, None], out=ratio, where=target > 0)
    return target, ratio


def scaled(plan: ValuePlan, reward: np.ndarray, first_row: int = 0) -> np.ndarray:
    """Rewards as shares of their range."""
    inside = (reward >= plan.low) & (reward <= plan.high)
    refuse(~inside, reward, f"a reward from {plan.low:g} to {plan.high:g}", first_row)
    return np.asarray((reward - plan.low) / (plan.high - plan.low))


def distributions(chance: np.ndarray, first_row: int, name: str) -> None:
    """The probabilities of all actions lie in [0, 1] and add up to 1."""
    refuse(~((chance >= 0) & (chance <= 1)), chance, f"a {name} probability from 0 to 1", first_row)
    total = chance.sum(axis=-1)
    refuse(abs(total - 1) > 1e-6, total, f"{name} probabilities that add up to 1", first_row)


def support(logging: np.ndarray, target: np.ndarray, first_row: int) -> None:
    """Every action that a target policy may take could have been logged."""
    missing = np.argwhere((target > 0) & (logging[:, None] <= 0))
    if len(missing):
        row, policy, action = missing[0]
        raise ValueError(
            f"row {first_row + row}: policy {policy} takes action {action} with probability "
            f"{target[row, policy, action]:g}, which was logged with probability 0: what it brings cannot be known "
            "from this log. Let the logging policy explore, or set the plan's limit, and the bounds allow for the worst"
        )


def same_rows(reward: np.ndarray, *others: np.ndarray) -> None:
    """All arrays speak of the same rows."""
    if any(len(other) != len(reward) for other in others):
        raise ValueError(f"all arrays need {len(reward)} rows, not {[len(other) for other in others]}")


def one_per_policy(plan: ValuePlan, array: np.ndarray) -> None:
    """There are as many target policies as the plan says."""
    if array.shape[1] != plan.policies:
        raise ValueError(f"the plan has {plan.policies} policies, the target probabilities are for {array.shape[1]}")


def refuse(wrong: np.ndarray, values: np.ndarray, expected: str, first_row: int) -> None:
    """Name the first row that is wrong, and what stands there."""
    places = np.argwhere(wrong)
    if len(places):
        raise ValueError(f"row {first_row + places[0][0]}: expected {expected}, got {values[tuple(places[0])]:g}")
