"""What the tests of evidence share: a count of broken promises against the promise, and cuttings into batches."""

import itertools

import numpy as np
from hypothesis import strategies as st
from scipy import stats


def kept(broken: np.ndarray, delta: float) -> bool:
    """Whether as many broken promises as there are would be no surprise (1 in 1,000) if each broke with `delta`."""
    return int(broken.sum()) <= stats.binom.ppf(0.999, len(broken), delta)


def cuts(n: int) -> st.SearchStrategy[list[int]]:
    """Places at which `n` rows are cut into batches; batches may be empty."""
    return st.lists(st.integers(0, n), max_size=8).map(sorted)


def batches(cut: list[int], n: int) -> list[slice]:
    """The slices of a cutting."""
    edges = [0, *cut, n]
    return [slice(first, last) for first, last in itertools.pairwise(edges)]
