"""What a recipe is: a way to fit a model on the encoded matrix, what it is good for, and how it is written as nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import lightgbm as lgb
import msgspec
import numpy as np
import optuna

from understudy.core.errors import ModelError
from understudy.core.nouns import Kind
from understudy.models.nodes import Graph
from understudy.models.steady import STEADY

Params = dict[str, Any]
Readable = Literal["whole", "weights", "no"]

LINEAR_VIEWS = frozenset({"number", "flag", "level", "word"})
TREE_VIEWS = frozenset({"number", "flag", "code", "word"})
ALL_VIEWS = LINEAR_VIEWS | TREE_VIEWS
BOTH: frozenset[Kind] = frozenset({"classification", "regression"})
CLASSES: frozenset[Kind] = frozenset({"classification"})
NUMBERS: frozenset[Kind] = frozenset({"regression"})


@dataclass(frozen=True)
class Rows:
    """What a recipe is fitted on.

    Attributes
    ----------
    kind : {"classification", "regression"}
    n_classes : int
        How many classes there are; 0 for regression. A class may have no row here.
    X : ndarray of float32, shape (n, d)
        The encoded inputs.
    y : ndarray of shape (n,)
        Class indices, or numbers.
    views : sequence of str
        What each of the d features shows: "number", "flag", "code", "level" or "word".
    X_stop, y_stop : ndarray, optional
        Rows on which boosting decides when to stop; none of them is in X.
    weights : ndarray of float64, shape (n,), optional
        How much each row of X counts; by default all alike.
    weights_stop : ndarray of float64, optional
        The same for the rows to stop on.
    monotone : ndarray of int64, shape (d,), optional
        What is known of each feature: with 1 the number, or the probability of the second of two classes, may only rise
        with it, with −1 only fall, with 0 anything.
    """

    kind: Kind
    n_classes: int
    X: np.ndarray
    y: np.ndarray
    views: Sequence[str]
    X_stop: np.ndarray | None = None
    y_stop: np.ndarray | None = None
    weights: np.ndarray | None = None
    weights_stop: np.ndarray | None = None
    monotone: np.ndarray | None = None

    @property
    def directed(self) -> bool:
        """Whether the direction of any feature is known."""
        return self.monotone is not None and bool(self.monotone.any())


@dataclass(frozen=True)
class Effort:
    """The seed, and how many threads a fit may use."""

    seed: int
    threads: int


class Estimate(NamedTuple):
    """What a library made: the estimator, its boosting rounds, and anything that a reader should know of the fit."""

    estimator: Any
    rounds: int = 0
    note: str = ""


@dataclass(frozen=True)
class Fitted:
    """A fitted member.

    Attributes
    ----------
    recipe : str
        The recipe's name.
    estimator : object
        What the library returned, or a value of our own with `predict_proba` and `classes_`, or `predict`.
    columns : ndarray of int64
        The features that it takes of the encoded matrix.
    kind, n_classes : Kind, int
        As in `Rows`.
    center, scale : float
        For regression, what the target was shifted and divided by before the fit.
    rounds : int
        How many boosting rounds were kept; 0 where that means nothing.
    note : str
        What a reader should know of the fit: rows left out, a search for weights that was cut short.
    """

    recipe: str
    estimator: Any
    columns: np.ndarray
    kind: Kind
    n_classes: int
    center: float = 0.0
    scale: float = 1.0
    rounds: int = 0
    note: str = ""

    def raw(self, X: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities of shape (n, n_classes), or numbers of shape (n, 1), as float64."""
        part = X[:, self.columns]
        if self.kind == "regression":
            values = np.asarray(self.estimator.predict(part), dtype=np.float64).reshape(-1, 1)
            return values * self.scale + self.center
        return full_probabilities(self, part)


def full_probabilities(fitted: Fitted, X: np.ndarray) -> np.ndarray:
    """Probabilities with a column for every class, also for those that were not in the training rows."""
    estimator = fitted.estimator
    if isinstance(estimator, lgb.Booster):
        scores = np.asarray(estimator.predict(X), dtype=np.float64)
        return scores if scores.ndim == 2 else np.column_stack([1 - scores, scores])
    probabilities = np.zeros((len(X), fitted.n_classes))
    probabilities[:, estimator.classes_] = estimator.predict_proba(X)
    return probabilities


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a recipe is good for, and what it costs.

    Attributes
    ----------
    family : str
        Recipes of one family do well, or badly, on the same data.
    about : str
        What it does, in a sentence.
    reads : {"whole", "weights", "no"}
        Whether a person can follow it: all of it at a glance, as weights, or not.
    fewest : int
        From how many rows on it is worth a try.
    most : int, optional
        How many rows it learns from; of more it takes a sample.
    wide : bool
        Whether it copes with more features than rows.
    bends : bool
        Whether it finds curves.
    joins : bool
        Whether it finds that one column matters differently by another.
    per_class : bool
        Whether it fits a model for each of several classes.
    monotone : bool
        Whether it can keep to a known direction.
    online : bool
        Whether its method can take in row after row, without the rows before.
    seconds : float
        What a fit takes on 10,000 rows of 30 features and two classes, on one core (measured; `bench/recipes.py`).
    growth : float
        The power of the number of rows with which that time grows.
    micros : float
        What one answer takes, compiled if it compiles, in microseconds (measured likewise).
    native : str
        Why it cannot, or cannot always, be compiled to ONNX; empty where it can.
    """

    family: str = ""
    about: str = ""
    reads: Readable = "no"
    fewest: int = 0
    most: int | None = None
    wide: bool = True
    bends: bool = True
    joins: bool = True
    per_class: bool = False
    monotone: bool = False
    online: bool = False
    seconds: float = 0.0
    growth: float = 1.0
    micros: float = 0.0
    native: str = ""


NO_TRAITS = Traits()


@dataclass(frozen=True)
class Recipe:
    """A way to build a model.

    Attributes
    ----------
    name, title : str
        For machines and for people.
    kinds : frozenset of str
        The kinds of task that it suits.
    views : frozenset of str
        The views of the encoding that it takes.
    portfolio : tuple of dict
        Settings that are tried first, the best guess first.
    space : callable
        Draws settings from an Optuna trial.
    fit_part : callable
        Fits on the chosen features and the scaled target.
    nodes : callable, optional
        Writes a member as ONNX nodes from `part`, its own features, to `raw`, its uncalibrated scores; without it
        members are served natively.
    traits : Traits
        What it is good for, and what it costs.
    extra : str
        The optional library that it needs, which is also the name of its extra; empty where it needs none.
    rounds : str
        The setting that says how many rounds, or epochs, a fit without rows to stop on has.
    raced : bool
        Whether it takes part in a search that names no recipes.
    """

    name: str
    title: str
    kinds: frozenset[Kind]
    views: frozenset[str]
    portfolio: tuple[Params, ...]
    space: Callable[[optuna.Trial], Params]
    fit_part: Callable[[Params, Rows, Effort], Estimate]
    nodes: Callable[[Fitted, Graph], None] | None = None
    traits: Traits = NO_TRAITS
    extra: str = ""
    rounds: str = "n_estimators"
    raced: bool = True

    def columns(self, views: Sequence[str]) -> np.ndarray:
        """The features that it takes, by their views."""
        return np.array([index for index, view in enumerate(views) if view in self.views], dtype=np.int64)

    def fit(self, params: Params, rows: Rows, effort: Effort) -> Fitted:
        """Fit on some rows.

        Raises
        ------
        ModelError
            No feature has a view that the recipe takes, it cannot keep to a known direction, or the library refuses the
            rows or the settings.
        MissingExtraError
            Its library is not installed.
        """
        columns = self.columns(rows.views)
        if not len(columns):
            raise ModelError(f"{self.title} has no feature to learn from.")
        self.check_directions(rows)
        rows = counted(rows)
        center, scale = target_scale(rows)
        part = replace(
            scaled(rows, center, scale),
            X=rows.X[:, columns],
            views=[rows.views[index] for index in columns],
            X_stop=None if rows.X_stop is None else rows.X_stop[:, columns],
            monotone=None if rows.monotone is None else rows.monotone[columns],
        )
        try:
            with STEADY:
                estimator, rounds, note = self.fit_part(params, part, effort)
        except (ValueError, ArithmeticError, lgb.basic.LightGBMError) as error:
            raise ModelError(f"{self.title} could not be fitted: {error}") from error
        return Fitted(self.name, estimator, columns, rows.kind, rows.n_classes, center, scale, rounds, note)

    def check_directions(self, rows: Rows) -> None:
        """Refuse to fit where a direction is known and would not be kept."""
        if not rows.directed:
            return
        if not self.traits.monotone:
            raise ModelError(f"{self.title} cannot keep to a known direction.")
        if rows.n_classes > 2:
            raise ModelError(f"A direction is for numbers and for two answers; here are {rows.n_classes}.")


def counted(rows: Rows) -> Rows:
    """The rows that count at all; libraries differ in what they make of a weight of 0."""
    if rows.weights is None or rows.weights.all():
        return rows
    kept = rows.weights > 0
    return replace(rows, X=rows.X[kept], y=rows.y[kept], weights=rows.weights[kept])


def target_scale(rows: Rows) -> tuple[float, float]:
    """The mean and standard deviation of a numeric target; 0 and 1 for classes, and 1 where it is constant."""
    if rows.kind == "classification":
        return 0.0, 1.0
    center = float(np.average(rows.y, weights=rows.weights))
    return center, float(np.sqrt(np.average((rows.y - center) ** 2, weights=rows.weights))) or 1.0


def scaled(rows: Rows, center: float, scale: float) -> Rows:
    """The rows with their numeric target, also that of the stopping rows, shifted and divided."""
    if rows.kind == "classification":
        return rows
    y_stop = None if rows.y_stop is None else (rows.y_stop - center) / scale
    return replace(rows, y=(rows.y - center) / scale, y_stop=y_stop)


def sampled(rows: Rows, most: int, seed: int) -> tuple[Rows, str]:
    """At most so many of the rows, drawn at random and kept in their order, and a note that says so."""
    n = len(rows.y)
    if n <= most:
        return rows, ""
    chosen = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    weights = None if rows.weights is None else rows.weights[chosen]
    part = replace(rows, X=rows.X[chosen], y=rows.y[chosen], weights=weights)
    return part, f"fitted on a random {most:,} of {n:,} rows"


def notes(*parts: str) -> str:
    """What there is to say of a fit, in one line.

    >>> notes("", "a sample", "cut short")
    'a sample; cut short'
    """
    return "; ".join(part for part in parts if part)


def baseline_scores(y: np.ndarray, *, kind: Kind, n_classes: int, n: int) -> np.ndarray:
    """What one would say knowing nothing of the case: the shares of the classes, or the mean.

    Returns
    -------
    ndarray of shape (n, n_classes) or (n, 1)
    """
    if kind == "regression":
        return np.full((n, 1), float(np.mean(y)))
    shares = np.bincount(y, minlength=n_classes) / len(y)
    return np.tile(shares, (n, 1))
