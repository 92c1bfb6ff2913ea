"""Which members share an answer, and by what weights: greedy ensemble selection."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from understudy.core.nouns import Kind

MOST_MEMBERS = 8
ROUNDS = 40
LEAST_GAIN = 0.001
CLIP = 1e-15


def greedy_weights(
    stack: np.ndarray,
    y: np.ndarray,
    kind: Kind,
    weights: np.ndarray | None = None,
    *,
    most: int = MOST_MEMBERS,
    rounds: int = ROUNDS,
) -> np.ndarray:
    """How much each member counts in a weighted mean of their predictions, chosen on predictions out of fold.

    Greedy selection with replacement (Caruana, Niculescu-Mizil, Crew & Ksikes 2004): round after round the member joins
    with which the mean has the lowest log loss, or squared error; members that joined more often count more, and of all
    rounds the best one is kept. One member alone is kept unless the mean is better by more than a standard error of
    the paired difference, rows taken as independent, and by more than a thousandth of that member's loss.

    Parameters
    ----------
    stack : ndarray of shape (m, n, k) or (m, n, 1)
        Each member's out-of-fold probabilities, or numbers. Rows that any member does not predict, NaN, are left out.
    y : ndarray of shape (n,)
        Class indices, or numbers.
    kind : {"classification", "regression"}
    weights : ndarray of float64, shape (n,), optional
        How much each row counts; by default all alike.
    most : int
        How many members may take part.
    rounds : int
        How often a member joins; the weights are multiples of one over the kept round's number.

    Returns
    -------
    ndarray of float64, shape (m,)
        Not negative, with sum 1. Of members that do equally well the earlier counts.

    Raises
    ------
    ValueError
        There is no member, or no row that all members predict.

    Examples
    --------
    Two members that err in opposite directions share the answer; the third is not needed.

    >>> y = np.array([1.0, 2.0, 3.0, 4.0])
    >>> stack = np.stack([y + 1, y - 1, y + 3])[:, :, None]
    >>> greedy_weights(stack, y, "regression").tolist()
    [0.5, 0.5, 0.0]
    """
    if stack.ndim != 3 or not len(stack) or most < 1 or rounds < 1:
        raise ValueError(f"there must be a member and a round to select in, got {stack.shape}, {most=}, {rounds=}")
    whole = predicted_by_all(stack)
    if not whole.any():
        raise ValueError("no row is predicted by every member")
    shares = row_shares(None if weights is None else weights[whole], int(whole.sum()))
    scored = truth_scores(stack[:, whole], y[whole], kind)
    chosen = greedy_joins(scored, shares, kind, most, rounds)
    single = np.zeros(len(stack))
    single[np.argmin(mean_losses(scored, shares, kind))] = 1.0
    return chosen if clearly_better(chosen, single, scored, shares, kind) else single


def blended(stack: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted mean of members' predictions, of shape (n, k); NaN where a member that counts does not predict.

    >>> blended(np.array([[[1.0]], [[3.0]], [[np.nan]]]), np.array([0.25, 0.75, 0.0])).tolist()
    [[2.5]]
    """
    counted = np.flatnonzero(weights)
    return np.asarray(np.tensordot(weights[counted], stack[counted], axes=1))


def predicted_by_all(stack: np.ndarray) -> np.ndarray:
    """The rows that every member predicts, as a mask of shape (n,)."""
    return np.asarray(np.isfinite(stack).all(axis=(0, 2)))


def row_shares(weights: np.ndarray | None, n: int) -> np.ndarray:
    """How much each of n rows counts, with sum 1."""
    return np.full(n, 1 / n) if weights is None else weights / weights.sum()


def truth_scores(stack: np.ndarray, y: np.ndarray, kind: Kind) -> np.ndarray:
    """What the loss of a mean needs of each member, of shape (m, n): the error, or the true class's probability.

    Both mix as the predictions do.
    """
    if kind == "regression":
        return np.asarray(stack[:, :, 0] - y)
    return np.asarray(stack[:, np.arange(len(y)), y])


def row_losses(scored: np.ndarray, kind: Kind) -> np.ndarray:
    """The loss of every row, from `truth_scores` or a mean of them."""
    return scored**2 if kind == "regression" else -np.log(np.clip(scored, CLIP, 1.0))


def mean_losses(scored: Iterable[np.ndarray], shares: np.ndarray, kind: Kind) -> np.ndarray:
    """The loss of each member, of shape (m,)."""
    return np.array([mean_loss(row_losses(one, kind), shares) for one in scored])


def mean_loss(losses: np.ndarray, shares: np.ndarray) -> float:
    """The mean by shares, to the same bits on any number of threads, which a dot product is not."""
    return float(np.sum(losses * shares))


def greedy_joins(scored: np.ndarray, shares: np.ndarray, kind: Kind, most: int, rounds: int) -> np.ndarray:
    """The weights after the best of so many rounds, of shape (m,)."""
    joined = np.zeros(len(scored))
    total = np.zeros(scored.shape[1])
    best, lowest = joined, np.inf
    for turn in range(1, rounds + 1):
        able = np.flatnonzero(joined) if np.count_nonzero(joined) >= most else np.arange(len(scored))
        losses = mean_losses(((total + scored[member]) / turn for member in able), shares, kind)
        member = able[np.argmin(losses)]
        joined[member] += 1
        total += scored[member]
        if losses.min() < lowest:
            best, lowest = joined / turn, float(losses.min())
    return best


def clearly_better(weights: np.ndarray, single: np.ndarray, scored: np.ndarray, shares: np.ndarray, kind: Kind) -> bool:
    """Whether a mean's loss lies below that of one member by more than chance and more than a trifle."""
    alone = row_losses(single @ scored, kind)
    return clear_gain(alone, row_losses(weights @ scored, kind), shares, least=LEAST_GAIN * mean_loss(alone, shares))


def clear_gain(before: np.ndarray, after: np.ndarray, shares: np.ndarray, *, least: float = 0.0) -> bool:
    """Whether losses fall, in the mean, by more than `least` and more than one standard error of the difference.

    Parameters
    ----------
    before, after : ndarray of shape (n,)
        The losses of the same rows.
    shares : ndarray of shape (n,)
        How much each row counts, with sum 1.
    least : float

    Examples
    --------
    >>> clear_gain(np.array([2.0, 2.0, 2.0]), np.array([1.0, 1.1, 0.9]), np.full(3, 1 / 3))
    True
    >>> clear_gain(np.array([2.0, 2.0, 2.0]), np.array([1.0, 1.1, 3.9]), np.full(3, 1 / 3))
    False
    """
    differences = before - after
    gain = mean_loss(differences, shares)
    error = float(np.sqrt(np.sum((shares * (differences - gain)) ** 2)))
    return gain > max(least, error)
