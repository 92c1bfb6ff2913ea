"""The training rows in folds, each encoded by what its own rows show."""

from __future__ import annotations

import numpy as np
import polars as pl

from understudy.core.task import Task
from understudy.data.prepare import Encoding, encode, fit_encoding
from understudy.data.split import Split, folds
from understudy.flows.dataset import Dataset
from understudy.models.recipes import Rows
from understudy.models.search import Fold

FOLDS = 5
FEWER_FOLDS = 3
MANY_ROWS = 100_000


def clock_column(task: Task, frame: pl.DataFrame) -> str | None:
    """The time column among the inputs, which only ever grows: its absolute value predicts nothing."""
    time = task.decision.time
    return time if time in frame.columns else None


def make_folds(data: Dataset, parts: Split, *, seed: int, clock: str | None) -> tuple[Fold, ...]:
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
        encoding = fit_encoding(frame[fold.fit], data.contract, clock_column=clock)
        rows = Rows(
            kind="classification" if data.answers.labels else "regression",
            n_classes=len(data.answers.labels),
            X=encode(encoding, frame[fold.fit]),
            y=y[train][fold.fit],
            views=views(encoding),
            X_stop=encode(encoding, held_out),
            y_stop=y[parts.validation],
            weights=data.weights_of(train[fold.fit]),
            weights_stop=data.weights_of(parts.validation),
        )
        scored = encode(encoding, frame[fold.score])
        made.append(Fold(rows, scored, y[train][fold.score], fold.score, data.weights_of(train[fold.score])))
    return tuple(made)


def views(encoding: Encoding) -> tuple[str, ...]:
    """What each feature shows."""
    return tuple(feature.view for feature in encoding.features)


def calibration_rows(made: tuple[Fold, ...], n: int, *, newest: bool) -> np.ndarray:
    """Which training rows the head is calibrated on, as a mask of shape (n,): those that a fold predicts.

    By time only the newest windows count, half of them: their models saw about as much as the final one will, and their
    errors are those of the world as it is now.
    """
    chosen = np.zeros(n, dtype=bool)
    for fold in made[len(made) // 2 :] if newest else made:
        chosen[fold.positions] = True
    return chosen
