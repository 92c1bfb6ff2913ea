"""How much a model's figures rest on each column: what is lost when its values are dealt out anew (permutation).

Breiman 2001, "Random forests"; Fisher, Rudin & Dominici 2019, "All models are wrong, but many are useful". A column's
importance is that for this model: another column that says nearly the same takes over in the model's place, so those
that stand for each other are dealt out together as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import polars as pl
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.core.nouns import Kind
from understudy.evaluation.associations import associations, stand_ins
from understudy.evaluation.intervals import group_codes
from understudy.evaluation.measures import METRICS
from understudy.evaluation.statistic import Statistic, weighted_mean

Predict = Callable[[pl.DataFrame], np.ndarray]
FEWEST_REPEATS, MOST_REPEATS = 3, 10
MOST_ROWS = 6000
MOST_SCORED = 250_000
AGAIN = 100_000
"""How many rows are scored in all: with many columns fewer rows are taken, and few rows are dealt out more often."""

FEWEST_ROWS = 500


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """What a model loses without what one column, or several that stand for each other, say.

    Attributes
    ----------
    columns : tuple of str
    metric : Evidence
        By how much the metric gets worse; positive means worse, whatever the metric.
    wrong : Evidence
        How many more decisions per case are wrong (for numbers: beyond the tolerance).
    association : float
        Of several columns, how strongly the two least alike go together, from 0 to 1.
    """

    columns: tuple[str, ...]
    metric: Evidence
    wrong: Evidence
    association: float = 0.0

    @property
    def shown(self) -> bool:
        """Whether the model is shown to rest on it."""
        return self.metric.lower > 0 or self.wrong.lower > 0


class Importances(msgspec.Struct, frozen=True, kw_only=True):
    """What each column is worth to a model; the bounds hold for all of them together.

    Attributes
    ----------
    metric, title : str
        The metric, in code and for people.
    value : float
        The metric on the rows as they are.
    whole : Evidence
        By how much it gets worse where all columns are dealt out together: all that the model knows.
    columns : tuple of Importance
        One for each column, the most important first.
    together : tuple of Importance
        One for each group of columns that stand for each other.
    rows, repeats : int
        How many rows were taken, and how often each column was dealt out.
    """

    metric: str
    title: str
    value: float
    whole: Evidence
    columns: tuple[Importance, ...]
    together: tuple[Importance, ...]
    rows: int
    repeats: int


def importances(
    predict: Predict,
    frame: pl.DataFrame,
    y: np.ndarray,
    *,
    kind: Kind,
    goal: str,
    tolerance: float | None = None,
    groups: np.ndarray | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Importances:
    """What each column is worth to a model, on rows that it was not fitted on.

    The intervals are paired: each case is scored with its own value and with borrowed ones, and a row counts both for
    its own case and for the value that it lends (Hájek's projection of the statistic; van der Vaart 1998, Asymptotic
    Statistics, ch. 12). They hold for all columns at once (Bonferroni).

    Parameters
    ----------
    predict : callable
        From rows in canonical types to scores of shape (n, k) or (n, 1).
    frame : pl.DataFrame
        The columns that the model takes.
    y : ndarray of shape (n,)
        Class indices or numbers.
    kind : Kind
    goal : str
        The metric; where it is not defined on these rows, log loss or RMSE.
    tolerance : float, optional
        For numbers, how far an answer may be off and still be right.
    groups : ndarray of shape (n,), optional
        Rows of one group are not independent.
    confidence : float
        That all bounds hold.
    seed : int
    """
    rows = taken(len(y), frame.width, seed)
    frame, y = frame[rows], y[rows]
    own = None if groups is None else groups[rows]
    repeats = int(np.clip(AGAIN // (len(y) * (frame.width + 2)), FEWEST_REPEATS, MOST_REPEATS))
    judge = Judge.of(predict(frame), y, kind=kind, goal=goal, tolerance=tolerance, groups=own, repeats=repeats)
    found = associations(frame)
    sets = [*((place,) for place in range(frame.width)), *stand_ins(found)]
    generator = np.random.default_rng(seed)
    alpha = (1 - confidence) / len(sets)
    made = []
    for places in sets:
        metric, wrong = judge.lost(predict, frame, [frame.columns[place] for place in places], generator, alpha)
        least = float(min(found[i, j] for i in places for j in places))
        columns = tuple(frame.columns[place] for place in places)
        made.append(
            Importance(columns=columns, metric=metric, wrong=wrong, association=least if len(places) > 1 else 0.0)
        )
    whole, _ = judge.lost(predict, frame, frame.columns, generator, 1 - confidence)
    single = sorted(made[: frame.width], key=lambda one: -one.metric.estimate)
    return Importances(
        metric=judge.metric,
        title=METRICS[judge.metric].title,
        value=judge.value,
        whole=whole,
        columns=tuple(single),
        together=tuple(sorted(made[frame.width :], key=lambda one: -one.metric.estimate)),
        rows=len(y),
        repeats=judge.repeats,
    )


def taken(n: int, d: int, seed: int) -> np.ndarray:
    """The rows that are affordable, at random, in their order."""
    most = int(np.clip(MOST_SCORED // (FEWEST_REPEATS * (d + 2)), FEWEST_ROWS, MOST_ROWS))
    return np.arange(n) if n <= most else np.sort(np.random.default_rng(seed).choice(n, most, replace=False))


class Judge(msgspec.Struct, frozen=True):
    """Judges scores of the same rows by the metric and by wrong decisions."""

    y: np.ndarray
    kind: Kind
    metric: str
    tolerance: float | None
    groups: np.ndarray | None
    value: float
    statistics: tuple[Statistic, Statistic]
    repeats: int

    @classmethod
    def of(
        cls,
        scores: np.ndarray,
        y: np.ndarray,
        *,
        kind: Kind,
        goal: str,
        tolerance: float | None,
        groups: np.ndarray | None,
        repeats: int,
    ) -> Judge:
        """A judge by the goal where it is defined on these rows, else by log loss or RMSE."""
        ones = np.ones(len(y))
        usable = goal in METRICS and np.isfinite(METRICS[goal].prepare(y, scores)(ones))
        metric = goal if usable else "log_loss" if kind == "classification" else "rmse"
        both = METRICS[metric].prepare(y, scores), weighted_mean(wrong_answers(y, scores, tolerance))
        return cls(y, kind, metric, tolerance, groups, both[0](ones), both, repeats)

    def lost(
        self,
        predict: Predict,
        frame: pl.DataFrame,
        columns: Sequence[str],
        generator: np.random.Generator,
        alpha: float,
    ) -> tuple[Evidence, Evidence]:
        """By how much both figures get worse where some columns are dealt out anew."""
        n, ones = len(self.y), np.ones(len(self.y))
        signs = (-1 if METRICS[self.metric].greater_is_better else 1), 1
        orders = np.array([generator.permutation(n) for _ in range(self.repeats)])
        worse, pulls = np.zeros((2, self.repeats)), np.zeros((2, self.repeats, n))
        for repeat, order in enumerate(orders):
            scores = predict(frame.with_columns(frame[name].gather(order) for name in columns))
            after = (
                METRICS[self.metric].prepare(self.y, scores),
                weighted_mean(wrong_answers(self.y, scores, self.tolerance)),
            )
            for place, (sign, old, new) in enumerate(zip(signs, self.statistics, after, strict=True)):
                worse[place, repeat] = sign * (new(ones) - old(ones))
                pulls[place, repeat] = sign * (new.pull() - old.pull())
        metric, wrong = (
            interval_of(worse[place], influence(pulls[place], orders), self.groups, alpha) for place in range(2)
        )
        return metric, wrong


def influence(pulls: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """How far each row pulls an importance: by its own case, and by the value that it lends to other cases.

    What a row's value does to the case that borrows it is how far that repeat lies from the mean of the case's repeats,
    which is free of the case's own part; among R repeats that is smaller by the factor (R − 1)/R.

    Parameters
    ----------
    pulls : ndarray of shape (repeats, n)
        The pull of each case in each repeat.
    orders : ndarray of int64, shape (repeats, n)
        From which row each case borrows.
    """
    repeats = len(pulls)
    own = pulls.mean(axis=0)
    lent = np.zeros_like(own)
    for pull, order in zip(pulls, orders, strict=True):
        lent[order] += (pull - own) / (repeats - 1)
    return np.asarray(own + lent)


def wrong_answers(y: np.ndarray, scores: np.ndarray, tolerance: float | None) -> np.ndarray:
    """1 where the answer is wrong (for numbers: beyond the tolerance)."""
    if tolerance is None:
        return np.asarray(scores.argmax(axis=1) != y, dtype=np.float64)
    return np.asarray(np.abs(scores[:, 0] - y) > tolerance, dtype=np.float64)


def interval_of(worse: np.ndarray, pull: np.ndarray, groups: np.ndarray | None, alpha: float) -> Evidence:
    """The mean over the repeats, with bounds by Student's t over independent units."""
    n = len(pull)
    units, member = (n, None) if groups is None else group_codes(groups)
    each = pull if member is None else np.bincount(member, pull, minlength=units)
    error = float(np.sqrt(each @ each * units / max(1, units - 1))) / n
    half = float(stats.t.isf(alpha / 2, max(1, units - 1))) * error
    middle = float(worse.mean())
    return Evidence(
        estimate=middle,
        lower=middle - half,
        upper=middle + half,
        confidence=1 - alpha,
        n=units,
        method=f"permutation, {len(worse)} repeats, {'' if groups is None else 'cluster-robust '}t",
    )
