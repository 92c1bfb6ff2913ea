"""Where a score is cut."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from understudy.evaluation.cut import best_cut

ROWS = st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12)


def lost(values: np.ndarray, costs: np.ndarray, cut: float, *, rising: bool) -> float:
    second = (values >= cut) == rising
    return float(costs[np.arange(len(values)), second.astype(int)].sum())


@given(ROWS, st.floats(0.1, 1.0))
def test_no_other_cut_would_have_lost_less(rows: list[tuple[int, bool]], price: float) -> None:
    values = np.array([float(value) for value, _ in rows])
    truth = np.array([right for _, right in rows])
    costs = np.column_stack([truth * price, ~truth * 1.0])
    cut, rising = best_cut(values, costs)
    everything = [lost(values, costs, at, rising=way) for at in (*range(6), np.inf) for way in (True, False)]
    assert lost(values, costs, cut, rising=rising) <= min(everything) + 1e-9


def test_a_score_that_falls_with_the_answer_is_turned_around() -> None:
    assert best_cut(np.array([1.0, 2.0, 3.0]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])) == (2.0, False)


def test_a_score_that_tells_nothing_leaves_one_answer() -> None:
    assert best_cut(np.array([1.0, 2.0]), np.array([[0.0, 1.0], [0.0, 1.0]])) == (np.inf, True)
