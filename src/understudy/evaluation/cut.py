"""Where a score is cut into two answers."""

from __future__ import annotations

import numpy as np


def best_cut(values: np.ndarray, costs: np.ndarray) -> tuple[float, bool]:
    """From which value of a score on an answer of two would have lost least.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite.
    costs : ndarray of shape (n, 2)
        What the first and the second answer would have lost on each case.

    Returns
    -------
    cut : float
        The lowest value that gets the other answer than those below it; infinite where all get the same.
    rising : bool
        Whether values from the cut on get the second answer; otherwise they get the first.

    >>> best_cut(np.array([1.0, 2.0, 3.0, 4.0]), np.array([[0, 1], [0, 1], [1, 0], [1, 0]]))
    (3.0, True)
    """
    order = np.argsort(values, kind="stable")
    ordered, gain = values[order], (costs[:, 0] - costs[:, 1])[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    from_here = np.append(np.cumsum(gain[::-1])[::-1][starts], 0.0)
    cuts = np.append(ordered[starts], np.inf)
    rising, falling = int(from_here.argmax()), int(from_here.argmin())
    total = float(gain.sum())
    if from_here[rising] >= total - from_here[falling]:
        return float(cuts[rising]), True
    return float(cuts[falling]), False
