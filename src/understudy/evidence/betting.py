"""What a gambler with several fixed bets owns, folded so that the same rows give the same bits in any batches.

A state carries the logarithm of what each bet owns. Sums run from the carried value through the rows one by one, since
floating-point addition is not associative; for the same reason bets are mixed in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

CHUNK = 4096
"""How many rows are worked on at once: a bound on memory, without effect on the result."""

IN_CACHE = 256
"""How many rows are added up at once: a few hundred numbers each, they stay in the processor's cache."""


def chunks(n: int) -> Iterator[slice]:
    """Consecutive slices that cover `n` rows.

    >>> [(part.start, part.stop) for part in chunks(5000)]
    [(0, 4096), (4096, 5000)]
    """
    for first in range(0, n, CHUNK):
        yield slice(first, min(first + CHUNK, n))


def running(start: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The running sums of `steps` along the first axis, begun at `start`.

    Parameters
    ----------
    start : ndarray of shape (...)
    steps : ndarray of shape (n, ...)

    Returns
    -------
    ndarray of shape (n, ...)

    >>> running(np.array(10.0), np.array([1.0, 2.0])).tolist()
    [11.0, 13.0]
    """
    return np.cumsum(np.concatenate([start[None], steps]), axis=0)[1:]


def summed(start: np.ndarray, kinds: np.ndarray, which: np.ndarray) -> np.ndarray:
    """The last of the running sums of `kinds[which]`, to the last bit, without those before it.

    Where cases are of few kinds, what each kind adds is worked out once.

    Parameters
    ----------
    start : ndarray of shape (...)
    kinds : ndarray of shape (u, ...)
        What a case of each kind adds.
    which : ndarray of int, shape (n,)
        The kind of each case.

    Returns
    -------
    ndarray of shape (...)

    >>> summed(np.array([10.0, 0.0]), np.array([[1.0, 0.5], [2.0, 0.0]]), np.array([0, 1, 1])).tolist()
    [15.0, 0.5]
    """
    flat, total = kinds.reshape(len(kinds), -1), start.ravel()
    add = np.add.reduce if total.size > 1 else sum  # numpy adds a single column in another order
    for first in range(0, len(which), IN_CACHE):
        some = which[first : first + IN_CACHE]
        rows = np.empty((len(some) + 1, total.size))
        rows[0] = total
        np.take(flat, some, axis=0, out=rows[1:])
        total = np.asarray(add(rows))
    found: np.ndarray = total.reshape(start.shape)
    return found


def log_mixed(logs: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """The logarithm of what all bets own together.

    Parameters
    ----------
    logs : ndarray of shape (..., k)
        What each bet owns per unit that it began with, in nats.
    shares : sequence of k floats
        What each bet began with, of one in all.

    Returns
    -------
    ndarray of shape (...)

    >>> log_mixed(np.log([[3.0, 1.0]]), (0.5, 0.5)).round(3).tolist()
    [0.693]
    """
    top: np.ndarray = logs.max(axis=-1)
    total: np.ndarray = np.zeros_like(top)
    for bet, share in enumerate(shares):
        total += share * np.exp(logs[..., bet] - top)
    mixed: np.ndarray = top + np.log(total)
    return mixed


def log_gains(loss: np.ndarray, weight: np.ndarray, risk: float | np.ndarray, bets: Sequence[float]) -> np.ndarray:
    """What one case adds to each bet against "the risk is at least `risk`", in nats.

    A bet is a share f < 1 of the largest that cannot ruin, so it multiplies by 1 + f·w·(risk − ℓ)/(1 − risk), which is
    positive. The weight w = π_min/π evens out that cases were looked at with different probabilities π: then the factor
    is at most 1 on average where the risk is at least `risk` (Waudby-Smith & Ramdas 2024, J. R. Stat. Soc. B 86(1),
    section 4; Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro 2024, ACM/IMS J. Data Sci. 1(3), for the weights). It
    grows with `risk`, so that inverting the test gives a bound.

    Parameters
    ----------
    loss : ndarray of shape (n,) or (n, 1)
        Losses in [0, 1] of cases that were looked at.
    weight : ndarray of the same shape
        In (0, 1].
    risk : float or ndarray of shape (m,)
        In (0, 1); an array needs losses of shape (n, 1).
    bets : sequence of k floats
        In [0, 1).

    Returns
    -------
    ndarray of shape (n, k) or (n, m, k)

    >>> np.exp(log_gains(np.array([0.0, 1.0]), np.ones(2), 0.2, (0.5,))).round(3).tolist()
    [[1.125], [0.5]]
    """
    edge = weight * (risk - loss) / (1 - risk)
    gains: np.ndarray = np.log1p(edge[..., None] * np.asarray(bets, dtype=np.float64))
    return gains


def check_bets(bets: Sequence[float], shares: Sequence[float]) -> None:
    """Bets are shares of the largest one, below 1, and begin with no more than one in all.

    Raises
    ------
    ValueError
        They are not.
    """
    if not bets or not all(0 <= bet < 1 for bet in bets):
        raise ValueError(f"bets are shares of the largest bet, at least 0 and below 1, not {tuple(bets)}")
    if len(shares) != len(bets) or min(shares) <= 0 or sum(shares) > 1 + 1e-9:
        raise ValueError(f"{len(bets)} bets need as many positive shares, of 1 in all, not {tuple(shares)}")


def check_losses(loss: np.ndarray, weight: np.ndarray) -> None:
    """Losses lie in [0, 1], or are NaN where nobody looked; weights lie in (0, 1].

    Raises
    ------
    ValueError
        They do not.
    """
    refuse(loss, (loss < 0) | (loss > 1), "a loss lies between 0 and 1, or is NaN where nobody looked")
    check_weights(weight)


def check_weights(weight: np.ndarray) -> None:
    """Weights and propensities lie in (0, 1].

    Raises
    ------
    ValueError
        They do not.
    """
    refuse(weight, ~((weight > 0) & (weight <= 1)), "a weight or propensity lies above 0 and is at most 1")


def refuse(values: np.ndarray, wrong: np.ndarray, rule: str) -> None:
    """Name the first value that is wrong, and where it stands.

    >>> refuse(np.array([0.5, 1.5]), np.array([False, True]), "a share lies between 0 and 1")
    Traceback (most recent call last):
    ...
    ValueError: a share lies between 0 and 1; got 1.5 in row 1
    """
    if wrong.any():
        place = tuple(np.argwhere(wrong)[0].tolist())
        raise ValueError(f"{rule}; got {values[place]:g} in row {place[0]}")


def nested(array: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """A matrix as tuples of floats, which JSON keeps bit by bit."""
    return tuple(map(tuple, array.tolist()))
