"""What the search expects of the model that it chose, to be held against what comes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from understudy.core.evidence import Evidence
from understudy.core.task import Task
from understudy.data.split import Split
from understudy.evaluation.measures import measure
from understudy.evaluation.optimism import bias_corrected
from understudy.flows.dataset import Dataset
from understudy.models.calibrate import Head, apply_head
from understudy.models.search import Found
from understudy.models.selection import blended, greedy_weights

MOST_ROWS = 5000
MOST_CANDIDATES = 20


@dataclass(frozen=True)
class Expected:
    """What the search expects, by the task's metric.

    Attributes
    ----------
    metric : str
    searched : float
        On the rows that the choice was made by.
    corrected : Evidence, optional
        The same without the luck of having been chosen.
    candidates : int
        Of how many the choice was made.
    """

    metric: str
    searched: float
    corrected: Evidence | None
    candidates: int


def expect(
    data: Dataset, task: Task, parts: Split, found: Found, weights: dict[int, float], head: Head, *, seed: int
) -> Expected:
    """What the search expects of the members that it chose, with their weights and their calibration.

    Of few rows it is corrected for the choice: members and weights are chosen anew in every draw. Of many rows the
    correction is smaller than its own error, and is left out.
    """
    numbers = [*weights, *(number for number in found.stack if number not in weights)][:MOST_CANDIDATES]
    stack = np.stack([found.stack[number] for number in numbers])
    scored = np.isfinite(stack).all(axis=(0, 2))
    rows = parts.train[scored]
    y, stack = data.answers.y[rows], stack[:, scored]
    kept = np.array([weights.get(number, 0.0) for number in numbers])
    metric, searched = task.decision.goal, apply_head(head, blended(stack, kept))
    value = measure(metric, y, searched)
    if not np.isfinite(value):
        metric = "log_loss" if data.answers.labels else "rmse"
        value = measure(metric, y, searched)
    corrected = None
    if len(y) <= MOST_ROWS:
        together = data.together
        corrected = bias_corrected(
            y,
            np.stack([apply_head(head, one) for one in stack]),
            metric,
            lambda drawn: greedy_weights(stack, y, task.decision.kind, drawn),
            seed=seed,
            groups=None if together is None else together[rows],
        )
    return Expected(metric=metric, searched=value, corrected=corrected, candidates=len(found.trials))
