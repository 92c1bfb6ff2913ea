"""Champion and challengers share the cases: who may answer any, with what probability, and when that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.autonomy.bandits import inverse_gap_weights, thompson
from understudy.autonomy.standing import percent
from understudy.core.nouns import Deployment, Level, Move, Traffic
from understudy.core.task import Task
from understudy.evidence.betting import check_losses, nested, running

STEP = 0.05
"""Shares of a bandit are changed when one of them moves by at least this much."""

ROUNDING = 1e-9

GROWTH = 2.0
"""A contextual bandit learns anew whenever it has so many times as many cases."""


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """The version that a case is given to.

    Attributes
    ----------
    version : str
    deployed : Deployment
        What binds its answers.
    propensity : float
        The probability with which the case was given to it.
    unit : bytes, optional
        A keyed hash of the unit whose cases all have the same draws; None where they belong to the case alone.
    """

    version: str
    deployed: Deployment
    propensity: float = 1.0
    unit: bytes | None = None


def sharing(task: Task, deployed: Deployment) -> dict[str, float]:
    """By version the share of cases that are given to it now; empty where the champion answers all.

    From `partial` on, a challenger without thresholds of its own gets none; nor does any while a suspicion has raised
    the champion's.

    >>> from understudy.core.task import Autonomy, Decision, Traffic as Settings
    >>> decision = Decision(name="late", question="Late?", target="late", kind="classification", goal="roc_auc")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95),
    ...             traffic=Settings(mode="split"))
    >>> traffic = Traffic(epoch=1, shares={"old": 0.9, "new": 0.1})
    >>> deployed = Deployment(level=Level.ASSIST, champion="old", challengers=("new",), epoch=1, traffic=traffic)
    >>> sharing(task, deployed), sharing(task, replace(deployed, level=Level.PARTIAL))
    ({'old': 0.9, 'new': 0.1}, {})
    """
    traffic = deployed.traffic
    if traffic is None or traffic.epoch != deployed.epoch or deployed.paused or deployed.raised_from:
        return {}
    if task.traffic.mode == "champion" or deployed.level.height < Level.ASSIST.height:
        return {}
    able = may_answer(deployed, traffic.thresholds)
    shares = {version: share for version, share in traffic.shares.items() if version in able and share > 0}
    return shares if deployed.champion in shares and len(shares) > 1 else {}


def may_answer(deployed: Deployment, thresholds: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    """The versions that cases may be given to at this level: from `partial` on, those with thresholds of their own."""
    alone = deployed.level.height >= Level.PARTIAL.height
    return (deployed.champion, *(one for one in deployed.challengers if thresholds.get(one) or not alone))


def bound(deployed: Deployment, version: str) -> Deployment:
    """What the router goes by for the answers of a version: a challenger never has more than its own thresholds."""
    if version == deployed.champion:
        return deployed
    level = min(deployed.level, Level.PARTIAL, key=lambda level: level.height)
    thresholds = deployed.traffic.thresholds.get(version, {}) if deployed.traffic else {}
    return replace(deployed, level=level, thresholds=thresholds)


def chances(traffic: Traffic, versions: Sequence[str], confidence: np.ndarray, *, floor: float) -> np.ndarray:
    """For each case the probability of each version.

    Parameters
    ----------
    traffic : Traffic
    versions : sequence of k str
    confidence : ndarray of shape (n, k)
        How sure each version is of its answer, NaN where it has none.
    floor : float
        The least probability where the case decides.

    Returns
    -------
    ndarray of shape (n, k)
        Rows of 1 in all.
    """
    if traffic.gamma > 0:
        losses = 1 - confidence + np.array([traffic.offsets.get(version, 0.0) for version in versions])
        return inverse_gap_weights(losses, traffic.gamma, floor=floor)
    shares = np.where(np.isnan(confidence), 0.0, [traffic.shares[version] for version in versions])
    given: np.ndarray = shares / shares.sum(axis=1, keepdims=True)
    return given


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What k versions have lost on the cases of which the losses of all are known.

    Attributes
    ----------
    weight : float
        How many cases they count for.
    loss, expected : tuple of k floats
        The sums of what each lost, and of what it expected to lose.
    won, lost : tuple of k floats
        Halves of successes and failures of each on the cases on which not all lost the same. The others say nothing
        about which is best. It is a half since what one wins there another loses: a count for each would look like
        twice as many cases.
    """

    weight: float
    loss: tuple[float, ...]
    expected: tuple[float, ...]
    won: tuple[float, ...]
    lost: tuple[float, ...]


def open_tally(versions: int) -> Tally:
    """The tally before the first case."""
    none = (0.0,) * versions
    return Tally(weight=0.0, loss=none, expected=none, won=none, lost=none)


def fold_tally(tally: Tally, loss: np.ndarray, confidence: np.ndarray, weight: np.ndarray) -> Tally:
    """The tally with these cases added; the same for any cutting of the same cases into batches.

    Parameters
    ----------
    tally : Tally
    loss, confidence : ndarray of shape (n, k)
        In [0, 1], in decision order; cases of which a loss is NaN do not count.
    weight : ndarray of shape (n,)
        π_min/π in (0, 1]: the smallest probability of a look under the deployment that held, over the case's own.

    >>> tally = fold_tally(open_tally(2), np.array([[1.0, 0.0], [1.0, 1.0]]), np.full((2, 2), 0.75), np.ones(2))
    >>> tally.loss, tally.expected, tally.won, tally.lost
    ((2.0, 1.0), (0.5, 0.5), (0.0, 0.5), (0.5, 0.0))
    """
    known = ~np.isnan(loss).any(axis=1)
    check_losses(loss[known].ravel(), np.repeat(weight[known], loss.shape[1]))
    lost, counts = loss[known], weight[known][:, None]
    halves = np.where((lost != lost[:, :1]).any(axis=1, keepdims=True), counts / 2, 0.0)
    rows = np.stack([counts * lost, counts * (1 - confidence[known]), halves * (1 - lost), halves * lost], axis=1)
    sums = running(np.array([tally.loss, tally.expected, tally.won, tally.lost]), rows)
    whole = running(np.array([tally.weight]), counts)
    if not len(lost):
        return tally
    loss_sums, expected, won, failed = nested(sums[-1])
    return Tally(weight=float(whole[-1, 0]), loss=loss_sums, expected=expected, won=won, lost=failed)


def wanted_traffic(
    task: Task, deployed: Deployment, certified: Mapping[str, dict[str, float]], tally: Tally
) -> Traffic | None:
    """How the versions are to share the cases; None where the champion is to answer all.

    Parameters
    ----------
    task : Task
    deployed : Deployment
    certified : mapping of dict of float
        By challenger and answer, the threshold from which it keeps the promise by evidence of its own.
    tally : Tally
        Of those that may answer, in their order.
    """
    settings, able = task.traffic, may_answer(deployed, certified)
    if settings.mode == "champion" or deployed.level.height < Level.ASSIST.height or len(able) < 2:
        return None
    alone = deployed.level.height >= Level.PARTIAL.height
    thresholds = {version: dict(certified[version]) for version in able[1:]} if alone else {}
    traffic = Traffic(epoch=deployed.epoch, shares=dict.fromkeys(able, 1 / len(able)), thresholds=thresholds)
    if settings.mode == "split":
        rest = 1 - settings.share * len(able[1:])
        return replace(traffic, shares={deployed.champion: rest, **dict.fromkeys(able[1:], settings.share)})
    if settings.mode == "bandit":
        shares = thompson(np.array(tally.won), np.array(tally.lost), floor=settings.floor)
        return replace(traffic, shares=dict(zip(able, shares.tolist(), strict=True)))
    if not tally.weight:
        return traffic
    offsets = (np.array(tally.loss) - np.array(tally.expected)) / tally.weight
    gamma = sqrt(len(able) * tally.weight)
    return replace(traffic, gamma=gamma, offsets=dict(zip(able, offsets.tolist(), strict=True)))


def propose_traffic(
    task: Task, deployed: Deployment, certified: Mapping[str, dict[str, float]], tally: Tally
) -> Move | None:
    """The move to another sharing of the cases, with its reasons; None where it stays about as it is.

    It opens no epoch: all versions predict on all cases, whoever answers them, and evidence counts predictions.
    """
    wanted = wanted_traffic(task, deployed, certified, tally)
    if wanted is None:
        why = "The champion answers all cases."
        gone = Move(kind="traffic", to=replace(deployed, traffic=None), reasons=(why,))
        return gone if deployed.traffic is not None else None
    step = STEP if task.traffic.mode == "bandit" else ROUNDING
    if deployed.traffic is not None and alike(deployed.traffic, wanted, step):
        return None
    told = tuple(
        why_share(task, wanted, version, place, tally) for place, version in enumerate(may_answer(deployed, certified))
    )
    return Move(kind="traffic", to=replace(deployed, traffic=wanted), reasons=told)


def alike(traffic: Traffic, wanted: Traffic, step: float) -> bool:
    """Whether the sharing that holds is near enough to the one that is wanted; thresholds must be the same."""
    frame = (traffic.epoch, traffic.shares.keys(), traffic.thresholds)
    if frame != (wanted.epoch, wanted.shares.keys(), wanted.thresholds):
        return False
    learned = traffic.gamma <= wanted.gamma < traffic.gamma * sqrt(GROWTH) or traffic.gamma == wanted.gamma
    return learned and all(abs(share - wanted.shares[version]) < step for version, share in traffic.shares.items())


def why_share(task: Task, wanted: Traffic, version: str, place: int, tally: Tally) -> str:
    """What a version is given of the cases, and why, in a sentence."""
    share = f"Version {version[:12]} answers {percent(wanted.shares[version])} of the cases"
    if task.traffic.mode == "bandit":
        right, wrong = 2 * tally.won[place], 2 * tally.lost[place]
        return f"{share}: where they differ, it was right {right:,.0f} times of {right + wrong:,.0f}."
    if wanted.gamma > 0:
        mean = tally.loss[place] / tally.weight
        return f"{share} where all expect the same loss; so far it lost {mean:.3f} on average."
    return f"{share}."
