"""Side by side, fits change neither each other nor the process."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from understudy.models.recipes import RECIPES, Effort, linear
from understudy.models.steady import STEADY


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_linear_algebra_runs_on_one_thread_inside_and_as_before_outside():
    before = blas_threads()
    with STEADY:
        assert set(blas_threads()) == {1}
        with STEADY:
            assert set(blas_threads()) == {1}
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_a_function_may_be_steady_as_a_whole():
    @STEADY
    def inside():
        return set(blas_threads())

    before = blas_threads()
    assert inside() == inside() == {1}
    assert blas_threads() == before


def test_who_leaves_first_changes_nothing_for_those_still_inside():
    before, filters = blas_threads(), list(warnings.filters)
    entered, left = threading.Event(), threading.Event()

    def first():
        with STEADY:
            entered.set()
            assert second_is_in.wait(20)
        left.set()

    second_is_in = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(20)
    with STEADY:
        second_is_in.set()
        assert left.wait(20)
        assert set(blas_threads()) == {1}
    thread.join()
    assert blas_threads() == before
    assert list(warnings.filters) == filters


def test_the_settings_return_after_a_failure():
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), STEADY:
        raise ZeroDivisionError
    assert blas_threads() == before


def test_fits_side_by_side_give_the_bits_of_fits_one_by_one_and_leave_no_trace(make_rows, monkeypatch):
    monkeypatch.setattr(linear, "ITERATIONS", (2, 3))
    rows, filters = make_rows(3, n=2000), list(warnings.filters)

    def fit(c):
        return RECIPES["logistic"].fit({"C": c}, rows, Effort(seed=0, threads=1)).raw(rows.X)

    strengths = [0.1, 1.0, 10.0, 100.0] * 4
    with warnings.catch_warnings(record=True) as shown:
        alone = [fit(c) for c in strengths]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(fit, strengths))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))
    assert not shown
    assert list(warnings.filters) == filters
