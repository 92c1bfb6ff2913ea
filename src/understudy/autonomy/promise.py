"""What the task file promises, as plans for the evidence: how much of δ goes where, what is bet, what is tolerated."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, log, log2

import msgspec
import numpy as np
from msgspec.structs import replace

from understudy.autonomy.noticing import cases_in_time, rate_to_notice
from understudy.core.nouns import Deployment, Level
from understudy.core.task import Task
from understudy.evidence.budget import CAUTION, LOOKS_TO_STOP, BudgetPlan, audit_rate, budget_limit
from understudy.evidence.change import DetectorPlan
from understudy.evidence.gate import GatePlan, make_grid
from understudy.evidence.pairs import PairPlan

FOR_BUDGET, FOR_EPOCHS = 0.4, 0.6
"""The parts of δ: for the error budget of a year, and for all epochs together."""

SIDE_BY_SIDE = 5 / 9
"""With versions side by side an epoch's share is granted to its champion, and earlier to others: 1.8 times in all."""

FIRST_EPOCHS = (0.6, 0.2, 0.1, 0.05)
FALSE_ALARMS_A_YEAR = 1.0
LEAST_VOLUME = 1000.0
"""Automated cases a year that are assumed until more have been seen."""

ROOM = LOOKS_TO_STOP + log(0.02) / CAUTION
"""How many looks' worth of errors an account of the error budget holds at least, beyond what it begins with: as much
as the limit leaves where δ is 2 %."""

FIRST_AUDIT_RATE = 0.2
"""The share of its own answers that people check after a step up, unless the task file says otherwise."""

CALM = 10.0
"""The audit rate halves after as many looks as would find so many errors at the promised risk."""


@dataclass(frozen=True)
class History:
    """Held-out rows of a version, n of them, inside the mandate and not strange: arrays of shape (n,).

    Attributes
    ----------
    side : ndarray of str
        What the version answers; where each group has thresholds of its own, to whom.
    confidence : ndarray
    loss : ndarray
        NaN where it cannot be known.
    group : ndarray of str, optional
        Where groups share thresholds, the group of each row.
    """

    side: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray
    group: np.ndarray | None = None


class Plans(msgspec.Struct, frozen=True, kw_only=True):
    """What is folded for the champion of an epoch; fixed when the epoch opens."""

    gate: GatePlan | None
    detector: DetectorPlan


def epoch_share(epoch: int) -> float:
    """The part of δ that the k-th epoch, or account of a year, gets: .6, .2, .1, .05, then half of the one before.

    >>> round(sum(epoch_share(k) for k in range(1, 60)), 6)
    1.0
    """
    if epoch <= len(FIRST_EPOCHS):
        return FIRST_EPOCHS[max(epoch, 1) - 1]
    return FIRST_EPOCHS[-1] * 0.5 ** (epoch - len(FIRST_EPOCHS))


def gate_delta(task: Task, epoch: int) -> float:
    """The part of δ that the gate of an epoch gets.

    Where several versions answer side by side, those beside the champion are certified at the shares of later epochs
    while these are still to come: then all of them together get the epochs' part of δ, and no more.
    """
    whole = FOR_EPOCHS * (1 - task.autonomy.confidence)
    return whole * epoch_share(epoch) * (1.0 if task.traffic.mode == "champion" else SIDE_BY_SIDE)


def make_plans(task: Task, epoch: int, history: History, volume_per_year: float) -> Plans:
    """The plans of an epoch.

    Parameters
    ----------
    task : Task
    epoch : int
    history : History
        Of the version that is champion.
    volume_per_year : float
        Automated cases that are expected in a year.
    """
    looks = looks_per_year(task, max(volume_per_year, LEAST_VOLUME))
    return Plans(
        gate=gate_plan(task, history, gate_delta(task, epoch)),
        detector=DetectorPlan(max_error=task.autonomy.max_error, mean_run=max(2.0, looks / FALSE_ALARMS_A_YEAR)),
    )


def account_plan(task: Task, number: int, volume_per_year: float) -> BudgetPlan:
    """The plan of the `number`-th account that a task opens in a year.

    Later accounts have less of δ, so that their bound begins higher; each has at least so much room above it.

    >>> from understudy.core.task import Autonomy, Decision
    >>> decision = Decision(name="late", question="Late?", target="late", kind="classification", goal="roc_auc")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95))
    >>> [round(account_plan(task, number, 0.0).limit) for number in (1, 2, 3)]
    [53, 58, 62]
    """
    settings = task.autonomy
    floor, volume = least_audited(task), max(volume_per_year, LEAST_VOLUME)
    plan = BudgetPlan(
        max_error=settings.max_error,
        delta=FOR_BUDGET * (1 - settings.confidence) * epoch_share(number),
        pi_min=floor,
        limit=budget_limit(volume, settings.max_error, settings.tolerated_excess, floor),
    )
    return replace(plan, limit=max(plan.limit, plan.entry + ROOM / floor))


def today_plan(task: Task, epoch: int) -> PairPlan:
    """How the champion is compared with what decides today, for the step to `assist`.

    It has a δ of its own, divided among the epochs: at `assist` people still decide every case.
    """
    settings = task.autonomy
    margin = min(settings.margin_assist, 0.999)
    return PairPlan(alpha=(1 - settings.confidence) * epoch_share(epoch), margin=-margin)


def gate_plan(task: Task, history: History, delta: float) -> GatePlan | None:
    """The sides that history shows, each with its grid; None where it shows none."""
    grids = {
        side: make_grid(history.confidence[history.side == side], task.autonomy.min_coverage)
        for side in sorted(set(history.side.tolist()))
    }
    if not grids:
        return None
    groups = ("",) if history.group is None else tuple(sorted(set(history.group.tolist())))
    return GatePlan(
        sides=tuple(grids),
        grid=tuple(grids.values()),
        max_error=task.autonomy.max_error,
        delta=delta,
        groups=groups,
    )


def first_audit_rate(task: Task) -> float:
    """The share of its own answers that people check after a step up."""
    settings = task.autonomy
    return max(settings.audit_rate or FIRST_AUDIT_RATE, settings.audit_floor)


def wanted_audit_rate(task: Task, volume_per_year: float) -> float:
    """The share of its own answers that people check in calm times.

    As the task file says; or the floor where outcomes come by themselves; or as a doubling needs to be noticed in time;
    or as what is tolerated needs, but no more than after a step up: where few cases come, so small an excess cannot be
    noticed.
    """
    settings = task.autonomy
    if settings.audit_rate is not None or outcomes_tell(task):
        return max(settings.audit_rate or 0.0, settings.audit_floor)
    if settings.notice is not None:
        cases = cases_in_time(task, settings.notice, volume_per_year)
        rate = rate_to_notice(cases, settings.max_error, volume_per_year, alarms_per_year=FALSE_ALARMS_A_YEAR)
        return max(rate, settings.audit_floor)
    needed = audit_rate(volume_per_year, settings.max_error, settings.tolerated_excess, settings.audit_floor)
    return min(needed, first_audit_rate(task))


def outcomes_tell(task: Task) -> bool:
    """Whether the truth of every case becomes known by itself."""
    return task.truth.source == "outcome" and not task.truth.hides_outcome


def least_audited(task: Task) -> float:
    """The smallest probability of a look at an automated case, whatever the audit rate will be."""
    return 1.0 if outcomes_tell(task) else task.autonomy.audit_floor


def looks_per_year(task: Task, volume_per_year: float) -> float:
    """How many automated cases a year the truth becomes known of; one step up included, after which more are audited.

    Where some answers hide their outcome, all cases are counted: more looks make false alarms rarer.
    """
    if task.truth.source == "outcome":
        return volume_per_year
    first, wanted = first_audit_rate(task), wanted_audit_rate(task, volume_per_year)
    halvings = max(ceil(log2(first / wanted) - 1e-9), 0)
    return min(volume_per_year, volume_per_year * wanted + halvings * CALM / task.autonomy.max_error)


def least_propensity(task: Task, deployed: Deployment) -> float:
    """The smallest probability of a look that counts, for any case under a deployment.

    It is known before the case, so that a bet in proportion to it does not depend on the case.
    """
    if outcomes_tell(task):
        return 1.0
    found = 1.0
    if deployed.level.height >= Level.ASSIST.height:
        found = min(found, deployed.blind_rate)
    if deployed.level.height >= Level.PARTIAL.height or task.today.rules:
        found = min(found, deployed.audit_rate)
    return found
