"""Agreement of people is measured as the field measures it, and its bounds hold."""

from math import comb, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import kept
from scipy import special, stats
from sklearn.metrics import cohen_kappa_score

from understudy.core.evidence import Evidence
from understudy.evidence.people import (
    anchoring,
    cohen_kappa,
    error_behind,
    fleiss_kappa,
    krippendorff_alpha,
    log_wealth,
    reviewer_error,
    share_bounds,
)

# Ten cases, fourteen reviewers, five answers, and its kappa of 0.210 (a widely printed example).
FOURTEEN = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)

# Four observers, twelve units, from Krippendorff's "Computing Krippendorff's Alpha-Reliability" (2011), part C.
GAPS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
        [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
    ]
).T


def spread(found: Evidence) -> float:
    """The standard error of ln D that the lower bound was made from."""
    tail = (1 - found.confidence) / 2
    return log((1 - found.lower) / (1 - found.estimate)) / float(stats.t.isf(tail, found.n - 1))


@given(seed=st.integers(0, 200), answers=st.integers(2, 5))
def test_cohen_kappa_is_that_of_scikit_learn(seed: int, answers: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, answers, 30)
    second = np.where(rng.random(30) < 0.5, first, rng.integers(0, answers, 30))
    if len(set(first) | set(second)) > 1:
        assert cohen_kappa(first, second).estimate == pytest.approx(cohen_kappa_score(first, second))


def large_sample_error(first: np.ndarray, second: np.ndarray) -> float:
    """The standard error of kappa by Fleiss, Cohen & Everitt (1969), cell by cell."""
    n, answers = len(first), sorted(set(first) | set(second))
    table = {
        (i, j): sum((a, b) == (i, j) for a, b in zip(first, second, strict=True)) / n for i in answers for j in answers
    }
    rows = {i: sum(table[i, j] for j in answers) for i in answers}
    columns = {j: sum(table[i, j] for i in answers) for j in answers}
    agree, chance = sum(table[i, i] for i in answers), sum(rows[i] * columns[i] for i in answers)
    total = 0.0
    for i in answers:
        for j in answers:
            weight = (i == j) * (1 - chance) - (columns[i] + rows[j]) * (1 - agree)
            total += table[i, j] * weight**2
    total -= (agree * chance - 2 * chance + agree) ** 2
    return float(np.sqrt(total / n) / (1 - chance) ** 2)


def test_the_spread_of_cohen_kappa_is_the_classical_one() -> None:
    rng = np.random.default_rng(1)
    first = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    second = np.where(rng.random(200) < 0.7, first, rng.integers(0, 3, 200))
    found = cohen_kappa(first, second)
    assert (1 - found.estimate) * spread(found) * np.sqrt(199 / 200) == pytest.approx(large_sample_error(first, second))


def test_fleiss_kappa_of_the_printed_example() -> None:
    found = fleiss_kappa(FOURTEEN)
    assert round(found.estimate, 3) == 0.21
    assert found.lower < 0.21 < found.upper
    assert (found.n, found.method, found.anytime) == (10, "Fleiss' kappa", False)


@pytest.mark.parametrize(("scale", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorff_alpha_of_the_printed_example(scale: str, printed: float) -> None:
    found = krippendorff_alpha(GAPS, scale=scale)
    assert round(found.estimate, 3) == printed
    assert found.n == 11  # one unit was seen by one observer only


def naive_alpha(answers: np.ndarray) -> float:
    """Pair by pair, interval scale."""
    kept_rows = [row[~np.isnan(row)] for row in answers]
    kept_rows = [row for row in kept_rows if len(row) > 1]
    everything = np.concatenate(kept_rows)
    n = len(everything)
    within = sum(sum((a - b) ** 2 for a in row for b in row) / (len(row) - 1) for row in kept_rows) / n
    return 1 - within / (sum((a - b) ** 2 for a in everything for b in everything) / (n * (n - 1)))


@given(seed=st.integers(0, 100))
def test_krippendorff_alpha_is_that_of_all_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    answers = np.where(rng.random((12, 4)) < 0.3, np.nan, rng.normal(size=(12, 1)) + rng.normal(size=(12, 4)).round(1))
    assert krippendorff_alpha(answers, scale="interval").estimate == pytest.approx(naive_alpha(answers))


@pytest.mark.parametrize("scale", ["nominal", "ordinal", "interval"])
def test_the_spread_of_alpha_is_that_of_a_bootstrap_of_cases(scale: str) -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(1, 5, 150)[:, None]
    answers = np.where(rng.random((150, 3)) < 0.75, truth, rng.integers(1, 5, (150, 3))).astype(float)
    answers[rng.random((150, 3)) < 0.2] = np.nan
    drawn = [
        np.log(1 - krippendorff_alpha(answers[rng.integers(0, 150, 150)], scale=scale).estimate) for _ in range(400)
    ]
    assert spread(krippendorff_alpha(answers, scale=scale)) == pytest.approx(np.std(drawn), rel=0.12)


def test_for_two_reviewers_without_gaps_alpha_is_nearly_fleiss_kappa() -> None:
    rng = np.random.default_rng(3)
    answers = rng.integers(0, 2, (500, 2)).astype(float)
    counts = np.stack([(answers == 0).sum(axis=1), (answers == 1).sum(axis=1)], axis=1)
    one, other = krippendorff_alpha(answers), fleiss_kappa(counts)
    assert one.estimate - other.estimate == pytest.approx((1 - other.estimate) / 1000, rel=1e-6)
    assert spread(one) == pytest.approx(spread(other), rel=1e-3)


def two_reviewers(rng: np.random.Generator, n: int, error: float, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Answers of two people who err independently."""
    truth = rng.random(n) < share
    return truth ^ (rng.random(n) < error), truth ^ (rng.random(n) < error)


@pytest.mark.parametrize(
    ("n", "error", "share"), [(50, 0.1, 0.5), (200, 0.1, 0.5), (200, 0.3, 0.5), (200, 0.02, 0.5), (1000, 0.05, 0.1)]
)
def test_bounds_of_kappa_miss_about_as_seldom_as_they_say(n: int, error: float, share: float) -> None:
    rng, broken = np.random.default_rng(4), []
    said = share * (1 - error) + (1 - share) * error
    kappa = 1 - 2 * error * (1 - error) / (2 * said * (1 - said))
    for _ in range(600):
        found = cohen_kappa(*two_reviewers(rng, n, error, share))
        broken.append(not found.lower <= kappa + 1e-9 <= found.upper + 2e-9)
    assert kept(np.array(broken), 0.05)


def hard_and_easy(rng: np.random.Generator, n: int) -> np.ndarray:
    """Answers of ten people; some cases are hard for all of them."""
    truth, error = rng.random((n, 1)) < 0.5, rng.choice([0.02, 0.5], (n, 1))
    return (truth ^ (rng.random((n, 10)) < error)).astype(float)


def test_cases_and_not_answers_are_independent() -> None:
    rng, by_case, by_pair = np.random.default_rng(5), [], []
    alpha = krippendorff_alpha(hard_and_easy(rng, 40_000)).estimate
    for _ in range(400):
        answers = hard_and_easy(rng, 60)
        for broken, cut in ((by_case, answers), (by_pair, answers.reshape(-1, 2))):
            found = krippendorff_alpha(cut)
            broken.append(not found.lower <= alpha <= found.upper)
    assert kept(np.array(by_case), 0.05)
    assert not kept(np.array(by_pair), 0.05)  # every two answers to a case taken for a case of their own


@pytest.mark.parametrize("n", [20, 200])
def test_no_disagreement_is_not_taken_for_certain(n: int) -> None:
    answers = np.tile([0, 1], n // 2)
    for found in (
        cohen_kappa(answers, answers),
        fleiss_kappa(3 * np.eye(2, dtype=int)[answers]),
        krippendorff_alpha(np.stack([answers, answers], axis=1).astype(float)),
    ):
        assert (found.estimate, found.upper) == (1.0, 1.0)
        assert 1 - found.lower == pytest.approx(2 * (1 - 0.025 ** (1 / n)), rel=0.06)


def test_one_answer_only_or_one_case_says_nothing_about_chance() -> None:
    same = np.zeros(50)
    for found in (
        cohen_kappa(same, same),
        fleiss_kappa(np.tile([3, 0], (50, 1))),
        krippendorff_alpha(np.zeros((50, 3))),
        cohen_kappa(np.array([0]), np.array([1])),
        cohen_kappa(np.array([]), np.array([])),
        fleiss_kappa(np.empty((0, 3), dtype=int)),
        krippendorff_alpha(np.full((5, 3), np.nan)),
        krippendorff_alpha(np.empty((0, 3))),
    ):
        assert np.isnan(found.estimate)
        assert (found.lower, found.upper) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cohen_kappa(np.zeros(3), np.zeros(4)), "the same cases"),
        (lambda: fleiss_kappa(np.array([[2, 1], [2, 2]])), "there are 3 to 4"),
        (lambda: fleiss_kappa(np.array([[1, 0], [0, 1]])), "two at least"),
        (lambda: fleiss_kappa(np.array([[3, -1]])), "not negative"),
        (lambda: krippendorff_alpha(np.zeros(3)), "cases by reviewers"),
        (lambda: krippendorff_alpha(GAPS, scale="ratio"), "nominal, ordinal or interval, not 'ratio'"),
        (lambda: cohen_kappa(np.arange(4), np.arange(4), alpha=1.0), "alpha lies"),
        (lambda: reviewer_error(3, 2), "from 0 to 2, the number of cases, got 3"),
        (lambda: reviewer_error(1, 2, alpha=0.0), "alpha lies"),
        (lambda: anchoring(-1, 2, 1, 2), "got -1"),
        (lambda: anchoring(1, 2, 3, 2), "got 3"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_wealth_by_hand() -> None:
    mixture = 1 / (11 * comb(10, 3))  # of 3 in 10 under all shares alike
    assert log_wealth(0.4, 3, 10) == pytest.approx(log(mixture / (0.4**3 * 0.6**7)))
    low, high = share_bounds(3, 10, 0.1)
    for bound in (low, high):
        assert log_wealth(bound, 3, 10) == pytest.approx(log(10))
    assert share_bounds(0, 0, 0.1) == (0.0, 1.0)
    assert share_bounds(0, 20, 0.1)[0] == 0.0
    assert share_bounds(20, 20, 0.1)[1] == 1.0


def mixture_wealth(share: float, rows: np.ndarray) -> np.ndarray:
    """The log wealth against a true share after every row, along the last axis."""
    n, count = np.arange(1, rows.shape[-1] + 1), rows.cumsum(axis=-1)
    against = special.xlogy(count, share) + special.xlogy(n - count, 1 - share)
    return special.gammaln(count + 1) + special.gammaln(n - count + 1) - special.gammaln(n + 2) - against


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.97])
def test_a_true_share_is_refuted_as_seldom_as_promised_after_every_case(share: float) -> None:
    wealth = mixture_wealth(share, np.random.default_rng(9).random((3000, 1000)) < share)
    assert kept((wealth >= log(20)).any(axis=1), 0.05)
    low, high = share_bounds(37, 200, 0.05)
    assert (mixture_wealth(share, np.arange(200) < 37)[-1] < log(20)) == (low < share < high)


def test_two_true_shares_together_are_refuted_as_seldom_as_promised_in_any_order() -> None:
    rng = np.random.default_rng(10)
    shown = rng.random((3000, 600)) < 0.8
    wealth = np.zeros(shown.shape)
    for kind, share in ((shown, 0.9), (~shown, 0.7)):
        n, count = kind.cumsum(axis=1), (kind & (rng.random(shown.shape) < share)).cumsum(axis=1)
        against = special.xlogy(count, share) + special.xlogy(n - count, 1 - share)
        wealth += special.betaln(count + 1, n - count + 1) - against
    assert kept((wealth >= log(20)).any(axis=1), 0.05)


LOOKS = np.unique(np.geomspace(3, 1000, 12).astype(int))


def error_bounds(rng: np.random.Generator, chance: np.ndarray, shared: float, runs: int) -> np.ndarray:
    """Bounds on the error at every look; two reviewers err with `chance` each, and together in a `shared` part."""
    found = []
    for _ in range(runs):
        first, second = (rng.random(LOOKS[-1]) < own for own in chance)
        together = rng.random(LOOKS[-1]) < shared
        differs = np.where(together, False, first ^ second).cumsum()
        stated = [reviewer_error(int(differs[n - 1]), int(n)) for n in LOOKS]
        found.append([(one.lower, one.upper) for one in stated])
    return np.array(found)


@pytest.mark.parametrize("error", [0.0, 0.02, 0.1, 0.3])
def test_bounds_on_the_error_of_reviewers_hold_at_all_looks(error: float) -> None:
    bounds = error_bounds(np.random.default_rng(6), np.array([error, error]), 0.0, 200)
    assert kept(((bounds[..., 0] > error) | (bounds[..., 1] < error)).any(axis=1), 0.05)


def test_the_lower_bound_needs_no_assumption_and_the_upper_one_does() -> None:
    rng = np.random.default_rng(7)
    unequal = error_bounds(rng, np.array([0.3, 0.0]), 0.0, 100)
    assert kept((unequal[..., 0] > 0.15).any(axis=1), 0.05)
    shared = error_bounds(rng, np.array([0.05, 0.05]), 0.2, 100)  # both wrong in the same way on a fifth of the cases
    true = 0.2 + 0.8 * 0.05
    assert kept((shared[..., 0] > true).any(axis=1), 0.05)
    assert (shared[..., 1] < true).any(axis=1).mean() > 0.9


def test_the_error_behind_a_disagreement() -> None:
    for error in (0.0, 0.01, 0.2, 0.5):
        assert error_behind(2 * error * (1 - error)) == pytest.approx(error)
    assert error_behind(0.9) == 0.5
    much = reviewer_error(60, 100)
    assert (much.estimate, much.upper) == (0.5, 1.0)
    none = reviewer_error(0, 0)
    assert (none.lower, none.upper, none.n) == (0.0, 1.0, 0)
    assert np.isnan(none.estimate)


def test_bounds_on_anchoring_hold_at_all_looks() -> None:
    rng, broken = np.random.default_rng(8), []
    for _ in range(60):
        shown = rng.random(LOOKS[-1]) < 0.7
        agreed = rng.random(LOOKS[-1]) < np.where(shown, 0.9, 0.7)
        missed = False
        for n in LOOKS[::3]:
            blind, assisted = ((int(agreed[:n][kind[:n]].sum()), int(kind[:n].sum())) for kind in (~shown, shown))
            found = anchoring(*blind, *assisted)
            missed = missed or not found.lower <= 0.2 <= found.upper
        broken.append(missed)
    assert kept(np.array(broken), 0.05)


def test_bounds_for_one_look_miss_the_gap_if_one_looks_often() -> None:
    rng = np.random.default_rng(11)
    shown = rng.random((500, 1000)) < 0.7
    agreed = rng.random(shown.shape) < np.where(shown, 0.9, 0.7)
    shares, noise = [], 0.0
    for kind in (~shown, shown):
        n = np.maximum(kind.cumsum(axis=1), 1)
        share = (kind & agreed).cumsum(axis=1) / n
        shares.append(share)
        noise = noise + share * (1 - share) / n
    off = abs(shares[1] - shares[0] - 0.2) > 1.96 * np.sqrt(noise)
    assert off[:, 50:].any(axis=1).mean() > 0.2


def test_the_gap_is_that_of_a_fine_grid_of_both_shares() -> None:
    found = anchoring(14, 20, 45, 50, alpha=0.1)
    grid = np.linspace(0.001, 0.999, 999)
    first, second = (np.array([log_wealth(share, *counts) for share in grid]) for counts in ((14, 20), (45, 50)))
    inside = first[:, None] + second < log(10)
    difference = (grid - grid[:, None])[inside]
    assert (found.lower, found.upper) == pytest.approx((difference.min(), difference.max()), abs=3e-3)
    assert found.estimate == pytest.approx(0.2)
    assert (found.n, found.anytime) == (70, True)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_the_roles_may_be_exchanged(one: int, more: int, other: int, rest: int) -> None:
    forth, back = anchoring(one, one + more, other, other + rest), anchoring(other, other + rest, one, one + more)
    assert (forth.lower, forth.upper) == pytest.approx((-back.upper, -back.lower), abs=1e-6)
    assert -1 <= forth.lower <= forth.upper <= 1


def test_without_reviews_of_a_kind_nothing_is_known() -> None:
    none = anchoring(0, 0, 0, 0)
    assert (none.lower, none.upper) == (-1.0, 1.0)
    half = anchoring(0, 0, 90, 100)
    assert np.isnan(half.estimate)
    assert half.lower < -0.15
    assert half.upper > 0.9
