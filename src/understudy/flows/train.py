"""From clean rows to a trained, calibrated model and everything that is served with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from understudy.core.ports import Clock, Engine
from understudy.core.task import Task
from understudy.data.prepare import Encoding, encode, fit_encoding
from understudy.data.split import Split, folds
from understudy.flows.dataset import Dataset
from understudy.models.calibrate import Head, fit_head
from understudy.models.recipes import RECIPES, Fitted
from understudy.models.search import Budget, Fold, Found, Race, Trial, refit, search
from understudy.monitoring.strangeness import Strangeness, fit_strangeness

FOLDS = 5
FEWER_FOLDS = 3
MANY_ROWS = 100_000


@dataclass(frozen=True)
class Trained:
    """The model that a search found, fitted on all training rows, with its calibration and its reference.

    Attributes
    ----------
    found : Found
        The search: every trial, the best one, and its out-of-fold predictions.
    positions : ndarray of int64
        The rows of the dataset that the out-of-fold predictions belong to.
    encoding, fitted, head : Encoding, Fitted, Head
        From inputs to calibrated scores.
    reference : Strangeness
        What ordinary cases look like.
    """

    found: Found
    positions: np.ndarray
    encoding: Encoding
    fitted: Fitted
    head: Head
    reference: Strangeness


def clock_column(task: Task, frame: pl.DataFrame) -> str | None:
    """The time column among the inputs, which only ever grows: its absolute value predicts nothing."""
    return task.time if task.time in frame.columns else None


def make_folds(data: Dataset, parts: Split, *, seed: int) -> tuple[FoldData, ...]:
    """The training rows in folds, each with an encoding of its own; nothing is fitted outside its fold."""
    train, y = parts.train, data.answers.y
    frame, held_out = data.frame[train], data.frame[parts.validation]
    made = []
    for fold in folds(
        parts.scheme,
        n=len(train),
        k=FOLDS if len(train) < MANY_ROWS else FEWER_FOLDS,
        strata=y[train] if data.answers.labels else None,
        order=None if data.order is None else data.order[train],
        groups=None if data.groups is None else data.groups[train],
        seed=seed,
    ):
        encoding = fit_encoding(frame[fold.fit], data.contract)
        made.append(
            FoldData(
                X=encode(encoding, frame[fold.fit]),
                y=y[train][fold.fit],
                X_score=encode(encoding, frame[fold.score]),
                y_score=y[train][fold.score],
                score=fold.score,
                X_stop=encode(encoding, held_out),
                y_stop=y[parts.validation],
                views=tuple(feature.view for feature in encoding.features),
            )
        )
    return tuple(made)
