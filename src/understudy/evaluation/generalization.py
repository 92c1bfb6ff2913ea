"""How the loss on training rows and on held-out rows goes on, round by round of boosting, and where it turns."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.core.nouns import Kind
from understudy.evaluation.changes import CONFIDENCE, share
from understudy.evaluation.intervals import bootstrap_weights, draws_for, interval, method_name
from understudy.evaluation.words import bounds

LOWEST = 1e-15


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The mean losses after so many rounds."""

    rounds: int
    train: float
    held: float


class Generalization(msgspec.Struct, frozen=True, kw_only=True):
    """Losses by round.

    Attributes
    ----------
    recipe : str
    loss : str
        What is measured, for people: "log loss", or "squared error" as a share of the target's variance.
    curve : tuple of Round
    kept : int
        After how many rounds the model stops.
    best : int
        After how many of those that were looked at the held-out loss is least.
    gap : Evidence
        At the round that is kept, how much higher the loss is on held-out rows than on training rows.
    rise : Evidence
        How much higher the held-out loss is after the last round than after the best one, paired by rows.
    """

    recipe: str
    loss: str
    curve: tuple[Round, ...]
    kept: int
    best: int
    gap: Evidence
    rise: Evidence

    @property
    def turns(self) -> bool:
        """Whether the held-out loss is shown to rise again."""
        return self.rise.lower > 0

    @property
    def words(self) -> str:
        """What was found, in two sentences."""
        last = self.curve[-1].rounds
        turn = (
            f"The held-out {self.loss} is least after {self.best:,} rounds and rises again by {last:,}"
            if self.turns
            else f"The held-out {self.loss} does not turn within {last:,} rounds"
        )
        return f"{turn}; the model keeps {self.kept:,}. There it is higher than on training rows by {bounds(self.gap)}."


def row_losses(kind: Kind, y: np.ndarray, scores: np.ndarray, variance: float = 1.0) -> np.ndarray:
    """Log loss of each row in nats, or squared error over a variance.

    >>> row_losses("regression", np.array([1.0]), np.array([[3.0]]), variance=8.0).tolist()
    [0.5]
    """
    if kind == "regression":
        return np.asarray((y - scores[:, 0]) ** 2 / variance)
    return np.asarray(-np.log(np.clip(scores[np.arange(len(y)), y], LOWEST, 1.0)))


def generalization(
    rounds: Sequence[int],
    train: np.ndarray,
    held: np.ndarray,
    *,
    kept: int,
    recipe: str,
    loss: str,
    groups: np.ndarray | None = None,
    seed: int = 0,
) -> Generalization:
    """Losses by round, the gap between them, and whether more rounds do harm.

    Parameters
    ----------
    rounds : sequence of int, length r
        In increasing order.
    train : ndarray of shape (r, a)
        The loss of each training row after so many rounds.
    held : ndarray of shape (r, n)
        The same of held-out rows.
    kept : int
        After how many rounds the model stops; the nearest of `rounds` stands for it.
    recipe, loss : str
    groups : ndarray of shape (n,), optional
    seed : int

    Raises
    ------
    ValueError
        There is no round, or the shapes do not fit.
    """
    if not len(rounds) or train.shape[0] != len(rounds) or held.shape[0] != len(rounds):
        raise ValueError(f"{len(rounds)} rounds need as many losses, got {train.shape} and {held.shape}")
    means = held.mean(axis=1)
    best, stop = int(means.argmin()), int(np.abs(np.asarray(rounds) - kept).argmin())
    own = train[stop]
    return Generalization(
        recipe=recipe,
        loss=loss,
        curve=tuple(
            Round(rounds=int(n), train=float(a), held=float(b))
            for n, a, b in zip(rounds, train.mean(axis=1), means, strict=True)
        ),
        kept=int(kept),
        best=int(rounds[best]),
        gap=difference(held[stop], own, groups=groups, seed=seed),
        rise=bootstrap_mean(held[-1] - held[best], groups=groups, seed=seed),
    )


def bootstrap_mean(values: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0) -> Evidence:
    """A mean with its percentile bootstrap interval."""
    draws = draws_for(len(values))
    drawn = [float(w @ values / w.sum()) for w in bootstrap_weights(len(values), draws, seed, groups)]
    n = len(values) if groups is None else len(np.unique(groups))
    mean = float(values.mean())
    return interval(mean, drawn, confidence=CONFIDENCE, n=n, method=method_name(draws, groups, "paired "))


def difference(held: np.ndarray, train: np.ndarray, *, groups: np.ndarray | None = None, seed: int = 0) -> Evidence:
    """How much higher the mean of some rows is than that of others: both vary, independently of each other."""
    draws = draws_for(max(len(held), len(train)))
    first = [float(w @ held / w.sum()) for w in bootstrap_weights(len(held), draws, seed, groups)]
    second = [float(w @ train / w.sum()) for w in bootstrap_weights(len(train), draws, seed + 1)]
    drawn = [a - b for a, b in zip(first, second, strict=True)]
    n = len(held) if groups is None else len(np.unique(groups))
    estimate = float(held.mean() - train.mean())
    return interval(estimate, drawn, confidence=CONFIDENCE, n=n, method=method_name(draws, groups))


def error_gap(held: np.ndarray, train: np.ndarray, *, groups: np.ndarray | None = None) -> Evidence:
    """How much more often answers are wrong on held-out rows than on training rows.

    >>> round(error_gap(np.array([0.0, 1.0] * 50), np.zeros(100)).estimate, 2)
    0.5
    """
    one, other = share(held, groups), share(train)
    below = np.hypot(one.estimate - one.lower, other.upper - other.estimate)
    above = np.hypot(one.upper - one.estimate, other.estimate - other.lower)
    estimate = one.estimate - other.estimate
    return Evidence(
        estimate=estimate,
        lower=float(estimate - below),
        upper=float(estimate + above),
        confidence=CONFIDENCE,
        n=one.n,
        method="difference of two shares, squared distances added (Newcombe 1998)",
    )
