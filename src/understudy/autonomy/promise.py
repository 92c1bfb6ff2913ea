"""What the task file promises, as plans for the evidence: how much of δ goes where, what is bet, what is tolerated."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from understudy.core.nouns import Deployment, Level
from understudy.core.task import Task
from understudy.evidence.budget import BudgetPlan, audit_rate, budget_limit
from understudy.evidence.change import DetectorPlan
from understudy.evidence.gate import GatePlan, make_grid

FOR_BUDGET, FOR_EPOCHS = 0.4, 0.6
"""The parts of δ: for the error budget, and for all epochs of a year together."""

FIRST_EPOCHS = (0.6, 0.2, 0.1, 0.05)
FALSE_ALARMS_A_YEAR = 1.0
LEAST_VOLUME = 1000.0
"""Automated cases a year that are assumed until more have been seen."""


@dataclass(frozen=True)
class History:
    """Held-out rows of a version, n of them, inside the mandate and not strange: arrays of shape (n,).

    Attributes
    ----------
    side : ndarray of str
        What the version answers.
    confidence, loss : ndarray
    """

    side: np.ndarray
    confidence: np.ndarray
    loss: np.ndarray


class Plans(msgspec.Struct, frozen=True, kw_only=True):
    """What is folded for the champion of an epoch; fixed when the epoch opens."""

    gate: GatePlan | None
    budget: BudgetPlan
    detector: DetectorPlan


def epoch_share(epoch: int) -> float:
    """The part of the epochs' δ that the k-th epoch gets, k from 1: .6, .2, .1, .05, then half of the one before.

    >>> round(sum(epoch_share(k) for k in range(1, 60)), 6)
    1.0
    """
    if epoch <= len(FIRST_EPOCHS):
        return FIRST_EPOCHS[max(epoch, 1) - 1]
    return FIRST_EPOCHS[-1] * 0.5 ** (epoch - len(FIRST_EPOCHS))


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
    settings = task.autonomy
    delta, volume = 1 - settings.confidence, max(volume_per_year, LEAST_VOLUME)
    floor = settings.audit_floor
    return Plans(
        gate=gate_plan(task, history, FOR_EPOCHS * delta * epoch_share(epoch)),
        budget=BudgetPlan(
            max_error=settings.max_error,
            delta=FOR_BUDGET * delta,
            pi_min=floor,
            limit=budget_limit(volume, settings.max_error, settings.tolerated_excess, floor),
        ),
        detector=DetectorPlan(
            max_error=settings.max_error,
            mean_run=max(2.0, volume * look_rate(task, volume) / FALSE_ALARMS_A_YEAR),
        ),
    )


def gate_plan(task: Task, history: History, delta: float) -> GatePlan | None:
    """The sides that history shows, each with its grid; None where it shows none."""
    grids = {
        side: make_grid(history.confidence[history.side == side], task.autonomy.min_coverage)
        for side in sorted(set(history.side.tolist()))
    }
    if not grids:
        return None
    return GatePlan(sides=tuple(grids), grid=tuple(grids.values()), max_error=task.autonomy.max_error, delta=delta)


def wanted_audit_rate(task: Task, volume_per_year: float) -> float:
    """The share of its own answers that people check: as the task file says, or as what it tolerates needs."""
    settings = task.autonomy
    if settings.audit_rate is not None:
        return max(settings.audit_rate, settings.audit_floor)
    return audit_rate(volume_per_year, settings.max_error, settings.tolerated_excess, settings.audit_floor)


def look_rate(task: Task, volume_per_year: float) -> float:
    """The share of automated cases whose truth becomes known: all where outcomes come by themselves, or the audits."""
    return 1.0 if task.truth.source == "outcome" else wanted_audit_rate(task, volume_per_year)


def least_propensity(task: Task, deployed: Deployment) -> float:
    """The smallest probability of a look that counts, for any case under a deployment.

    It is known before the case, so that a bet in proportion to it does not depend on the case.
    """
    if task.truth.source == "outcome" and not task.truth.hides_outcome:
        return 1.0
    found = 1.0
    if deployed.level.height >= Level.ASSIST.height:
        found = min(found, deployed.blind_rate)
    if deployed.level.height >= Level.PARTIAL.height or task.today.rules:
        found = min(found, deployed.audit_rate)
    return found
