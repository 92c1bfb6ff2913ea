"""Which calibration: the simplest that is as good as any on rows that it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from understudy.models.calibrate import LOWEST, Head, Method, apply_head, fit_probability_head, log_odds
from understudy.models.isotonic import Curve, Groups, grouped, isotonic_curve, mirrored, venn_abers_curve
from understudy.models.selection import clear_gain, mean_loss, row_losses, row_shares

FOLDS = 5
FEWEST_ROWS = 1000
"""With fewer rows a curve without a formula is a guess."""

FEWEST_PER_CLASS = 100
MOST_CLASSES = 10
"""With more, one curve for each class and a common sum bend each other more than they mend."""

MOST_ROWS = 100_000
"""So many rows decide; the head itself is fitted on all."""

LEAST_GAIN = 0.001
Fit = Callable[[np.ndarray, np.ndarray, np.ndarray | None], Head]


def choose_head(raw: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None) -> Head:
    """The calibration with the lowest log loss on rows that it was not fitted on.

    Each kind is fitted on four fifths of the rows and judged on the rest, five times. Platt scaling, or for more than
    two classes temperature scaling, stands against none at all, unless some probabilities are 0 or 1: nothing is that
    certain. Isotonic regression and Venn–Abers prediction, which have no formula to keep them smooth, must beat the
    better of these by more than a standard error and by a thousandth of its loss. They are tried only with a thousand
    rows or more, a hundred or more of each of at most ten classes.

    Parameters
    ----------
    raw : ndarray of shape (n, k)
        Out-of-fold probabilities.
    y : ndarray of int64, shape (n,)
    weights : ndarray of float64, shape (n,), optional
        How many rows each row stands for; by default itself.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> odds = rng.normal(size=4000)
    >>> y = (rng.random(4000) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    >>> said = 1 / (1 + np.exp(-3 * odds))
    >>> choose_head(np.column_stack([1 - said, said]), y).method
    'platt'
    """
    some = slice(None, None, -(-len(y) // MOST_ROWS))
    judged = raw[some], y[some], None if weights is None else weights[some]
    shares = row_shares(judged[2], len(judged[1]))
    plain: tuple[Method, ...] = ("platt",) if raw.min() <= LOWEST else ("none", "platt")
    losses = {method: crossed_losses(FITS[method], *judged) for method in plain}
    chosen = min(losses, key=lambda method: mean_loss(losses[method], shares))
    if enough(y, raw.shape[1]):
        before = losses[chosen]
        free: tuple[Method, ...] = ("isotonic", "venn-abers")
        losses |= {method: crossed_losses(FITS[method], *judged) for method in free}
        best = min(losses, key=lambda method: mean_loss(losses[method], shares))
        if clear_gain(before, losses[best], shares, least=LEAST_GAIN * mean_loss(before, shares)):
            chosen = best
    return FITS[chosen](raw, y, weights)


def enough(y: np.ndarray, k: int) -> bool:
    """Whether there are rows enough for curves without a formula."""
    return k <= MOST_CLASSES and len(y) >= FEWEST_ROWS and int(np.bincount(y, minlength=k).min()) >= FEWEST_PER_CLASS


def crossed_losses(fit: Fit, raw: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The log loss of every row by a head that was fitted without it, of shape (n,)."""
    losses = np.empty(len(y))
    fold = np.arange(len(y)) % FOLDS
    for index in range(FOLDS):
        out, rest = fold == index, fold != index
        head = fit(raw[rest], y[rest], None if weights is None else weights[rest])
        said = apply_head(head, raw[out])
        losses[out] = row_losses(said[np.arange(len(said)), y[out]], "classification")
    return losses


def curved(method: Method, curve: Callable[[Groups], Curve]) -> Fit:
    """Fits a curve for each class against all others; of two classes the second's, and its mirror."""

    def fit(raw: np.ndarray, y: np.ndarray, weights: np.ndarray | None) -> Head:
        odds, k = log_odds(raw), raw.shape[1]
        made = [curve(grouped(odds[:, place], y == place, weights)) for place in range(k) if k > 2 or place]
        curves = made if k > 2 else [mirrored(made[0]), made[0]]
        return Head(
            method=method,
            knots=tuple(tuple(one.knots.tolist()) for one in curves),
            levels=tuple(tuple(one.levels.tolist()) for one in curves),
        )

    return fit


FITS: dict[Method, Fit] = {
    "none": lambda *_: Head(),
    "platt": fit_probability_head,
    "isotonic": curved("isotonic", isotonic_curve),
    "venn-abers": curved("venn-abers", venn_abers_curve),
}
"""How each kind is fitted."""
