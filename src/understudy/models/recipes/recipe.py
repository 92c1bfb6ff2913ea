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
from understudy.models.rows import Effort, Rows, counted, notes, scaled, target_scale, thinned
from understudy.models.steady import STEADY
from understudy.models.steps import PLAIN, Step, add_steps, apply_steps, preparation, prepared
from understudy.models.steps.kept import Kept

Params = dict[str, Any]
Readable = Literal["whole", "weights", "no"]

LINEAR_VIEWS = frozenset({"number", "flag", "level", "word"})
TREE_VIEWS = frozenset({"number", "flag", "code", "word"})
ALL_VIEWS = LINEAR_VIEWS | TREE_VIEWS
BOTH: frozenset[Kind] = frozenset({"classification", "regression"})
CLASSES: frozenset[Kind] = frozenset({"classification"})
NUMBERS: frozenset[Kind] = frozenset({"regression"})


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
    steps : tuple of Step
        What these features go through before the estimator.
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
    steps: tuple[Step, ...] = ()

    def raw(self, X: np.ndarray) -> np.ndarray:
        """Uncalibrated probabilities of shape (n, n_classes), or numbers of shape (n, 1), as float64."""
        part = apply_steps(self.steps, X[:, self.columns])
        if self.kind == "regression":
            return predicted(self.estimator, part).reshape(-1, 1) * self.scale + self.center
        return full_probabilities(self, part)

    @property
    def own_columns(self) -> np.ndarray | None:
        """The features that the estimator reads as they are encoded; None where steps bend or mix them."""
        columns = self.columns
        for step in self.steps:
            if not isinstance(step, Kept):
                return None
            columns = columns[list(step.columns)]
        return columns


def predicted(estimator: Any, X: np.ndarray) -> np.ndarray:
    """What an estimator predicts, as float64.

    LightGBM keeps the number of threads for the whole process: a prediction on several, beside a fit on one in another
    thread, writes beyond the buffers of that fit, and the process dies.
    """
    told = {"num_threads": 1} if isinstance(estimator, lgb.Booster) else {}
    return np.asarray(estimator.predict(X, **told), dtype=np.float64)


def full_probabilities(fitted: Fitted, X: np.ndarray) -> np.ndarray:
    """Probabilities with a column for every class, also for those that were not in the training rows."""
    estimator = fitted.estimator
    if isinstance(estimator, lgb.Booster):
        scores = predicted(estimator, X)
        return scores if scores.ndim == 2 else np.column_stack([1 - scores, scores])
    probabilities = np.zeros((len(X), fitted.n_classes))
    probabilities[:, estimator.classes_] = estimator.predict_proba(X)
    return probabilities


def add_part(fitted: Fitted, graph: Graph) -> None:
    """Write what the estimator reads, as `part`: the member's features of the matrix `X`, after its steps."""
    target = "chosen" if fitted.steps else "part"
    graph.add("Gather", ["X", graph.constant("columns", fitted.columns, np.int64)], target, axis=1)
    if fitted.steps:
        add_steps(graph, fitted.steps, target, "part")


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
        Settings that are tried first, the best guess first; "steps" names a preparation.
    portfolio_numbers : tuple of dict
        The same for numbers, where others are better.
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
    portfolio_numbers: tuple[Params, ...] = ()

    def known(self, kind: Kind) -> tuple[Params, ...]:
        """The settings that are tried first in a task of this kind."""
        return self.portfolio_numbers if kind == "regression" and self.portfolio_numbers else self.portfolio

    def columns(self, views: Sequence[str], steps: str = PLAIN) -> np.ndarray:
        """The features that it takes, by their views; with some preparations also codes."""
        taken = self.views | {"code"} if preparation(steps).takes_codes else self.views
        return np.array([index for index, view in enumerate(views) if view in taken], dtype=np.int64)

    def fit(self, params: Params, rows: Rows, effort: Effort) -> Fitted:
        """Fit on some rows.

        The setting "steps" names the preparation; without it there is none. It is fitted on these rows alone.

        Raises
        ------
        ModelError
            No feature has a view that the recipe takes, it cannot keep to a known direction, or the library refuses the
            rows or the settings.
        MissingExtraError
            Its library is not installed.
        """
        settings = {key: value for key, value in params.items() if key != "steps"}
        name = params.get("steps", PLAIN)
        columns = self.columns(rows.views, name)
        if not len(columns):
            raise ModelError(f"{self.title} has no feature to learn from.")
        self.check_directions(rows)
        rows, thin = thinned(counted(rows), effort.seed)
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
                part, steps, said = prepared(part, name, effort)
                estimator, rounds, note = self.fit_part(settings, part, effort)
        except (ValueError, ArithmeticError, lgb.basic.LightGBMError) as error:
            raise ModelError(f"{self.title} could not be fitted: {error}") from error
        note = notes(thin, said, note)
        return Fitted(self.name, estimator, columns, rows.kind, rows.n_classes, center, scale, rounds, note, steps)

    def check_directions(self, rows: Rows) -> None:
        """Refuse to fit where a direction is known and would not be kept."""
        if not rows.directed:
            return
        if not self.traits.monotone:
            raise ModelError(f"{self.title} cannot keep to a known direction.")
        if rows.n_classes > 2:
            raise ModelError(f"A direction is for numbers and for two answers; here are {rows.n_classes}.")
