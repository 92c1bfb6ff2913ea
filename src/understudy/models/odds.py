"""What each column of a linear model is worth, and how sure that is: odds ratios, or differences, with intervals."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
from scipy.special import expit
from scipy.stats import norm

from understudy.core.errors import ModelError
from understudy.core.evidence import Evidence
from understudy.models.recipes.penalised import Penalty, fit_weights
from understudy.models.recipes.recipe import Fitted
from understudy.models.rows import Rows
from understudy.models.steps import apply_steps
from understudy.models.steps.curves import Curves
from understudy.models.steps.kept import Kept

LEAST = 1e-8
"""A penalty so small that it only keeps weights finite where the answers are parted without error."""
DEPENDENT = 1e-7


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What one feature of a linear model is worth.

    Attributes
    ----------
    feature : int
        Its place in the encoded matrix.
    state : {"estimated", "zero", "reference", "curve"}
        Whether it was estimated; the penalty has set its weight to exactly 0; or it follows from the others on these
        rows, as the level that the other levels of a column are compared with, or a column that never varies; or it
        enters as a curve, which is no single figure. The others are adjusted for the curves.
    weight : float
        The weight that the model itself gives it, penalised.
    effect : Evidence, optional
        The factor by which one more of it multiplies the odds, or what it adds to the number, all others being equal.
        One more is a standard deviation of a number, or that a level, a word or a missing value is there.
    """

    feature: int
    state: Literal["estimated", "zero", "reference", "curve"]
    weight: float
    effect: Evidence | None = None


def effects(fitted: Fitted, rows: Rows, *, confidence: float = 0.95) -> tuple[Effect, ...]:
    """The effects of a linear model's features, estimated without a penalty on the features that it kept.

    The intervals are Wald's, with the larger of two variances: that of the likelihood, and the one that holds too where
    the model is wrong (Huber 1967; White 1980). They hold if the rows did not choose the features: a model with an L1
    penalty needs rows that it was not fitted on (data splitting; Cox 1975, Wasserman & Roeder 2009), one without takes
    any. They speak of rows that are alike and of nothing else: an effect is no cause.

    Parameters
    ----------
    fitted : Fitted
        Of the recipes logistic, ridge, lasso or elastic_net.
    rows : Rows
        Encoded as those that it was fitted on.
    confidence : float
        Of each interval by itself.

    Raises
    ------
    ModelError
        The model is not linear, tells more than two answers apart, multiplies or mixes its columns, or the rows are too
        few or of one class.
    """
    weights = np.atleast_2d(getattr(fitted.estimator, "coef_", np.zeros((2, 0))))
    if len(weights) != 1:
        raise ModelError(
            "Effects are those of a linear model of a number or of two answers.",
            hint="The recipes are logistic, ridge, lasso and elastic_net.",
        )
    features, bent = origins(fitted)
    X = np.asarray(apply_steps(fitted.steps, rows.X[:, fitted.columns]), dtype=np.float64)
    kept = np.flatnonzero(weights[0])
    free = independent(X[:, kept], [rows.views[features[place]] for place in kept])
    chosen = kept[free]
    estimate, error = refitted(X[:, chosen], rows, fitted)
    away = norm.ppf(0.5 + confidence / 2) * error
    found = {}
    for place, middle, width in zip(chosen.tolist(), estimate.tolist(), away.tolist(), strict=True):
        bounds = np.array([middle, middle - width, middle + width])
        with np.errstate(over="ignore"):
            value, lower, upper = (bounds * fitted.scale if rows.kind == "regression" else np.exp(bounds)).tolist()
        found[place] = Evidence(
            estimate=value, lower=lower, upper=upper, confidence=confidence, n=len(rows.y), method="Wald, robust"
        )
    single = tuple(
        Effect(
            feature=int(features[place]),
            state="estimated" if place in found else "reference" if weight else "zero",
            weight=weight * fitted.scale,
            effect=found.get(place),
        )
        for place, weight in enumerate(weights[0].tolist())
        if not bent[place]
    )
    curves = dict.fromkeys(features[bent].tolist())
    return single + tuple(Effect(feature=feature, state="curve", weight=0.0) for feature in curves)


def origins(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """The encoded feature that each weight belongs to, and whether it is part of a curve."""
    features, bent = fitted.columns, np.zeros(len(fitted.columns), dtype=bool)
    for step in fitted.steps:
        if isinstance(step, Kept):
            places = list(step.columns)
            features, bent = features[places], bent[places]
        elif isinstance(step, Curves):
            places = [*step.kept, *step.columns]
            features, bent = features[places], np.arange(len(places)) >= len(step.kept)
        else:
            raise ModelError(
                "Its columns are multiplied, mixed or replaced: what each is worth is no single figure.",
                hint="The recipe lasso keeps columns as they are.",
            )
    return features, bent


def independent(X: np.ndarray, views: list[str]) -> np.ndarray:
    """The places of columns that do not follow from the constant and those before them, in the order of the columns.

    Levels come last and the most frequent ones at the very end, so that each column's most frequent level becomes the
    one that the others are compared with.
    """
    often = np.array([column.sum() if view == "level" else -1.0 for column, view in zip(X.T, views, strict=True)])
    order = np.argsort(often, kind="stable")
    sizes = np.sqrt((X**2).sum(axis=0))[order]
    columns = np.column_stack([np.ones(len(X)), X[:, order] / np.where(sizes > 0, sizes, 1.0)])
    kept: list[int] = []
    base = columns[:, :1] / np.sqrt(max(len(X), 1))
    for place in range(len(order)):
        rest = columns[:, place + 1]
        for _ in range(2):  # twice is enough (Kahan; Parlett 1980)
            rest = rest - base @ (base.T @ rest)
        size = float(np.sqrt(rest @ rest))
        if size > DEPENDENT:
            kept.append(int(order[place]))
            base = np.column_stack([base, rest / size])
    return np.sort(np.array(kept, dtype=np.int64))


def refitted(X: np.ndarray, rows: Rows, fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Weights without a penalty, and their standard errors, of shape (d,)."""
    n, d = X.shape
    if n <= d + 1:
        raise ModelError(f"{n:,} rows are too few for the effects of {d:,} features.")
    logistic = rows.kind == "classification"
    if logistic and len(np.unique(rows.y)) < 2:
        raise ModelError("The rows are all of one class: they show no effect.")
    target = rows.y.astype(np.float64) if logistic else (rows.y - fitted.center) / fitted.scale
    each = np.ones(n) if rows.weights is None else rows.weights / rows.weights.mean()
    solved = fit_weights(X, target[:, None], each / n, Penalty(0.0, LEAST), logistic=logistic)
    z = X @ solved.weights[0] + solved.intercept[0]
    residuals = target - (expit(z) if logistic else z)
    bend = expit(z) * (1 - expit(z)) if logistic else np.ones(n)
    design = np.column_stack([X, np.ones(n)])
    inverse = np.linalg.pinv((design * (each * bend)[:, None]).T @ design + n * LEAST * np.eye(d + 1), hermitian=True)
    spread = 1.0 if logistic else float(each @ residuals**2) / (n - d - 1)
    scores = design * (each * residuals)[:, None]
    robust = inverse @ (scores.T @ scores) @ inverse * n / (n - d - 1)
    variance = np.maximum(np.diag(inverse) * spread, np.diag(robust))[:d]
    return solved.weights[0], np.sqrt(variance)
