"""The training rows in folds, each encoded by what its own rows show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from understudy.core.task import Task
from understudy.data.prepare import Encoding, encode, fit_encoding
from understudy.data.split import Split, folds
from understudy.flows.dataset import Dataset
from understudy.models.directions import directions
from understudy.models.recipes import Effort, Rows
from understudy.models.schemes import USUAL, Chosen, Scheme, Window, choose_scheme, memory_weights, part, weighted
from understudy.models.search import Fold

FOLDS = 5
FEWER_FOLDS = 3
MANY_ROWS = 2_000
"""From so many rows on three folds tell nearly as much as five, in three fifths of the time."""

PROBE_ROWS, FEWEST_PROBED, PROBE_CELLS = 6000, 1000, 80_000
PROBE_WINDOWS = 3


def clock_column(task: Task, frame: pl.DataFrame) -> str | None:
    """The time column among the inputs, which only ever grows: its absolute value predicts nothing."""
    time = task.decision.when
    return time if time in frame.columns else None


def make_folds(
    data: Dataset, parts: Split, *, seed: int, clock: str | None, scheme: Scheme = USUAL
) -> tuple[Fold, ...]:
    """The training rows in folds, each with an encoding of its own; nothing is fitted outside its fold.

    Boosting stops on the validation part. By time it stops on some of the fold's own past instead, the newest or random
    ones: the validation part comes after the rows that are scored, and would tell their future. There old rows count as
    the scheme says.
    """
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
        copies=None if data.copies is None else data.copies.codes[train],
        seed=seed,
    ):
        if parts.scheme == "time":
            places = part(len(fold.fit), scheme.stopping, seed)
            fit, stop = train[fold.fit[places.fit]], train[fold.fit[places.stop]]
            stopped_on = data.frame[stop]
        else:
            fit, stop, stopped_on = train[fold.fit], parts.validation, held_out
        encoding = fit_encoding(data.frame[fit], data.contract, clock_column=clock)
        rows = replace(
            rows_of(data, encoding, fit),
            weights=weights_in_time(data, fit, scheme),
            X_stop=encode(encoding, stopped_on),
            y_stop=y[stop],
            weights_stop=data.weights_of(stop),
        )
        scored = encode(encoding, frame[fold.score])
        made.append(Fold(rows, scored, y[train][fold.score], fold.score, data.weights_of(train[fold.score])))
    return tuple(made)


def rows_of(data: Dataset, encoding: Encoding, positions: np.ndarray) -> Rows:
    """Some rows as recipes take them."""
    return Rows(
        kind="classification" if data.answers.labels else "regression",
        n_classes=len(data.answers.labels),
        X=encode(encoding, data.frame[positions]),
        y=data.answers.y[positions],
        views=views(encoding),
        weights=data.weights_of(positions),
        monotone=directions(encoding, data.monotone) if data.monotone else None,
    )


def find_scheme(data: Dataset, parts: Split, *, effort: Effort, clock: str | None) -> Chosen:
    """How to learn from rows that come in time, tried out on windows of those it may use; as usual from others."""
    if parts.scheme != "time" or data.order is None:
        return Chosen(scheme=USUAL, losses={}, gains={})
    trees = max(1, len(data.answers.labels) - 1)
    most = min(PROBE_ROWS, max(FEWEST_PROBED, PROBE_CELLS // (data.frame.width * trees)))
    known = np.concatenate([parts.train, parts.validation])
    chosen = known[np.sort(np.random.default_rng(effort.seed).permutation(len(known))[:most])]
    groups = None if data.groups is None else data.groups[chosen]
    windows = []
    for fold in folds("time", n=len(chosen), k=PROBE_WINDOWS, order=data.order[chosen], groups=groups):
        past, later = chosen[fold.fit], chosen[fold.score]
        encoding = fit_encoding(data.frame[past], data.contract, clock_column=clock)
        scored = encode(encoding, data.frame[later])
        windows.append(Window(rows_of(data, encoding, past), scored, data.answers.y[later], data.weights_of(later)))
    return choose_scheme(tuple(windows), Effort(effort.seed, threads=1))


def weights_in_time(data: Dataset, positions: np.ndarray, scheme: Scheme) -> np.ndarray | None:
    """How much each row counts in a fit, by its own weight and, where rows come in time, by its age."""
    own = data.weights_of(positions)
    by_age = memory_weights(len(positions), scheme.memory)
    if by_age is None or data.order is None:
        return own
    ranks = np.argsort(np.argsort(data.order[positions], kind="stable"), kind="stable")
    return weighted(own, by_age[ranks])


def views(encoding: Encoding) -> tuple[str, ...]:
    """What each feature shows."""
    return tuple(feature.view for feature in encoding.features)


def calibration_rows(made: tuple[Fold, ...], n: int) -> np.ndarray:
    """Which training rows the head is calibrated on, as a mask of shape (n,): those that a fold predicts.

    By time these are the newer half: their models saw about as much as the final one will, and their errors are those
    of the world as it is now.
    """
    chosen = np.zeros(n, dtype=bool)
    for fold in made:
        chosen[fold.positions] = True
    return chosen
