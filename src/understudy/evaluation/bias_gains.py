"""What moving the predictions of some cases would gain, told on cases that had no part in how far they are moved."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import special

from understudy.core.evidence import Evidence
from understudy.evaluation.bias_tests import Cases
from understudy.evaluation.estimates import mean_evidence
from understudy.evaluation.thresholds import FOLDS, PRESENT, folds, switch_evidence

Scale = Literal["share", "sureness", "number"]
HALVINGS = 30


def shifted(cases: Cases, fit: np.ndarray, at: np.ndarray | None = None) -> np.ndarray:
    """Predictions moved so that they are right on average on some rows; shares by their log-odds."""
    predicted = cases.predicted if at is None else cases.predicted[at]
    if not cases.shares:
        return np.asarray(predicted + float((cases.outcome - cases.predicted)[fit].mean()))
    odds, came = special.logit(np.clip(cases.predicted[fit], 1e-9, 1 - 1e-9)), float(cases.outcome[fit].mean())
    low, high = -30.0, 30.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if special.expit(odds + middle).mean() < came else (low, middle)
    return np.asarray(special.expit(special.logit(np.clip(predicted, 1e-9, 1 - 1e-9)) + (low + high) / 2))


def moving_gain(cases: Cases, inside: np.ndarray, scale: Scale, seed: int, tolerance: float | None) -> Evidence | None:
    """Wrong decisions that moving a bucket's predictions avoids; each fold is moved as the others say."""
    if scale == "sureness" or (scale == "number" and tolerance is None):
        return None
    fold = folds(cases.n, seed, cases.groups)
    moved = cases.predicted.copy()
    for part in range(FOLDS):
        fit, at = inside & (fold != part), inside & (fold == part)
        if fit.any() and at.any():
            moved[at] = shifted(cases, fit, at)
    if scale == "share":
        now, later = cases.predicted > PRESENT, moved > PRESENT
        return switch_evidence(cases.outcome.astype(np.int64), now, later, 1.0 - np.eye(2), cases.groups)
    before, after = (np.abs(said - cases.outcome) > tolerance for said in (cases.predicted, moved))
    return mean_evidence(before * 1.0 - after, groups=cases.groups)
