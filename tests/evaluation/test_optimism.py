"""What is left of a search's figure once the luck of the choice is taken off."""

import numpy as np
import pytest
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.measures import measure
from understudy.evaluation.optimism import Expectation, best_of, bias_corrected


def guesses(n: int, m: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Answers, and candidates that know nothing of them."""
    one = rng.random((m, n))
    return rng.integers(0, 2, n), np.stack([1 - one, one], axis=2)


def test_on_data_without_a_signal_the_corrected_auc_is_a_half_and_the_searched_one_is_not() -> None:
    rng, searched, corrected, missed = np.random.default_rng(0), [], [], 0
    for run in range(60):
        y, stack = guesses(120, 25, rng)
        searched.append(max(measure("roc_auc", y, one) for one in stack))
        found = bias_corrected(y, stack, "roc_auc", best_of(y, stack, "roc_auc"), draws=60, seed=run)
        corrected.append(found.estimate)
        missed += not found.lower <= 0.5 <= found.upper
    assert np.mean(searched) > 0.58
    assert abs(np.mean(corrected) - 0.5) < 3.3 * np.std(corrected) / np.sqrt(60)
    assert missed <= stats.binom.ppf(0.999, 60, 0.05)


def test_judged_on_the_rows_that_chose_the_luck_stays() -> None:
    rng = np.random.default_rng(1)
    flattered = []
    for _ in range(60):
        y, stack = guesses(120, 25, rng)
        drawn = np.bincount(rng.integers(0, 120, 120), minlength=120).astype(np.float64)
        weights = best_of(y, stack, "roc_auc")(drawn)
        flattered.append(measure("roc_auc", y, np.tensordot(weights, stack, axes=1), drawn))
    assert abs(np.mean(flattered) - 0.5) > 3.3 * np.std(flattered) / np.sqrt(60)


def test_it_is_the_mean_over_draws_of_the_choice_on_the_rows_left_out() -> None:
    y, stack = guesses(50, 4, np.random.default_rng(2))
    found = bias_corrected(y, stack, "log_loss", best_of(y, stack, "log_loss"), draws=20, seed=3)
    rng, values = np.random.default_rng(3), []
    for _ in range(20):
        rows = rng.integers(0, 50, 50)
        left = np.setdiff1d(np.arange(50), rows)
        losses = [measure("log_loss", y[rows], one[rows]) for one in stack]
        values.append(measure("log_loss", y[left], stack[int(np.argmin(losses))][left]))
    assert found.estimate == pytest.approx(np.mean(values))
    assert (found.lower, found.upper) == pytest.approx(np.quantile(values, [0.025, 0.975]))


def test_one_candidate_alone_was_not_chosen_and_is_not_corrected() -> None:
    y, stack = guesses(400, 1, np.random.default_rng(4))
    found = bias_corrected(y, stack, "log_loss", best_of(y, stack, "log_loss"))
    assert found.estimate == pytest.approx(measure("log_loss", y, stack[0]), rel=0.02)


def test_rows_of_one_group_are_drawn_together() -> None:
    y, stack = guesses(100, 3, np.random.default_rng(5))
    groups, seen = np.arange(100) // 10, []

    def choose(drawn: np.ndarray) -> np.ndarray:
        seen.append(drawn)
        return np.array([1.0, 0.0, 0.0])

    assert bias_corrected(y, stack, "brier", choose, draws=5, groups=groups).n == 10
    assert all(len(np.unique(drawn[groups == group])) == 1 for drawn in seen for group in range(10))


@pytest.mark.parametrize("stack", [np.empty((0, 3, 2)), np.full((2, 3, 2), np.nan), np.ones((2, 4, 2))])
def test_what_cannot_be_judged_is_refused(stack: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"predictions are of shape \(m, 3, k\), without NaN"):
        bias_corrected(np.array([0, 1, 0]), stack, "brier", lambda _: np.ones(len(stack)))


def test_the_words_name_the_hold_out_first_and_then_what_the_search_saw() -> None:
    evidence = Evidence(estimate=0.81, lower=0.77, upper=0.85, confidence=0.95, n=200, method="bootstrap")
    told = Expectation(metric="roc_auc", searched=0.861, corrected=None, held_out=evidence, candidates=12)
    assert told.words == (
        "ROC AUC 0.81 on hold-out rows, never used in the search (0.77 to 0.85); the search itself saw 0.861"
    )
