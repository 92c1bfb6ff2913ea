"""Tests on counts say what they promise: two samples from one source seldom look different, others do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import kept
from scipy import stats

from understudy.evidence.discoveries import e_bh
from understudy.evidence.shift import (
    compare_cells,
    compare_share,
    debiased_psi,
    level_of_batch,
    log_evidence,
    pooled,
    strange_excess,
    strange_rank,
)

EVEN = np.full(32, 1 / 32)
LONG_TAIL = (1 / np.arange(1, 200)) / (1 / np.arange(1, 200)).sum()
NORMAL_EDGES = stats.norm.ppf(np.linspace(0, 1, 33)[1:-1])


def as_shares(mean: float, sd: float = 1.0) -> np.ndarray:
    """The shares of a normal number in 32 cells that a standard normal one fills evenly."""
    return np.diff(np.concatenate([[0.0], stats.norm.cdf(NORMAL_EDGES, mean, sd), [1.0]]))


def p_values(before: np.ndarray, now: np.ndarray, n: int, m: int, runs: int, seed: int) -> np.ndarray:
    """χ² on as many pairs of samples."""
    rng = np.random.default_rng(seed)
    pairs = zip(rng.multinomial(n, before, runs), rng.multinomial(m, now, runs), strict=True)
    return np.array([compare_cells(reference, batch).p for reference, batch in pairs])


def test_the_statistic_is_pearson_s() -> None:
    reference, batch = np.array([500, 300, 200]), np.array([60, 70, 70])
    table = stats.chi2_contingency(np.stack([reference, batch]), correction=False)
    found = compare_cells(reference, batch)
    assert found.statistic == pytest.approx(table.statistic * 1199 / 1200)
    assert (found.cells, found.p) == (3, pytest.approx(stats.chi2.sf(found.statistic, 2)))


def test_rare_cells_are_pooled_with_their_neighbours_until_five_are_expected() -> None:
    reference, batch = np.array([900, 20, 30, 2, 1]), np.array([95, 2, 4, 0, 0])
    joined = compare_cells(np.array([900, 53]), np.array([95, 6]))
    assert compare_cells(reference, batch) == joined
    assert pooled(np.array([3, 3, 3]), 0.5).tolist() == [0, 0, 0]
    assert pooled(np.array([0, 100, 0]), 0.5).tolist() == [0, 0, 0]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.floats(0.01, 0.5))
def test_pooled_cells_are_neighbours_and_hold_enough(both: list[int], share: float) -> None:
    counts = np.array(both)
    places = pooled(counts, share)
    assert set(np.diff(places).tolist()) <= {0, 1}
    held = np.bincount(places, counts * share)
    assert len(held) == 1 or (held >= 5 - 1e-9).all()


@pytest.mark.parametrize("empty", [np.zeros(3, dtype=int), np.array([4, 0, 0])])
def test_where_nothing_can_be_compared_nothing_is_said(empty: np.ndarray) -> None:
    found = compare_cells(empty, np.array([4, 0, 0]))
    assert (found.p, found.psi, found.cells) == (1.0, 0.0, 1)
    assert compare_share(0, 0, 3, 9).p == compare_share(0, 9, 0, 9).p == compare_share(9, 9, 5, 5).p == 1.0


@pytest.mark.parametrize(("reference", "n", "batch", "m"), [(0, 400, 3, 50), (40, 400, 0, 60), (3, 30, 9, 40)])
def test_a_share_is_compared_by_counting_all_ways(reference: int, n: int, batch: int, m: int) -> None:
    urn = stats.hypergeom(n + m, reference + batch, m)
    more = sum(urn.pmf(count) for count in range(batch, m + 1))
    fewer = sum(urn.pmf(count) for count in range(batch + 1))
    found = compare_share(reference, n, batch, m)
    assert found.p == pytest.approx(min(1.0, 2 * min(more, fewer)))
    greater = stats.fisher_exact([[batch, m - batch], [reference, n - reference]], alternative="greater")
    assert more == pytest.approx(greater.pvalue)


def test_the_psi_is_the_sum_it_is_called_after_and_zero_on_average_where_nothing_changed() -> None:
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.4, 0.3, 0.3])
    plain = float(((q - p) * np.log(q / p)).sum())
    assert debiased_psi(p * 10**8, q * 10**8) == pytest.approx(plain, abs=1e-6)
    rng = np.random.default_rng(0)
    found = [
        debiased_psi(*pair)
        for pair in zip(rng.multinomial(2000, EVEN, 3000), rng.multinomial(500, EVEN, 3000), strict=True)
    ]
    assert abs(np.mean(found)) < 0.003  # undebiased it would be 0.0775


@pytest.mark.parametrize(
    ("shares", "n", "m"), [(EVEN, 90, 500), (EVEN, 4500, 500), (LONG_TAIL, 270, 500), (LONG_TAIL, 1000, 20_000)]
)
def test_samples_from_one_source_look_different_as_seldom_as_promised(shares: np.ndarray, n: int, m: int) -> None:
    p = p_values(shares, shares, n, m, 4000, 1)
    assert kept(p <= 0.05, 0.05)
    assert kept(p <= 0.01, 0.0125)
    assert kept(p <= 0.001, 0.0015)


def test_far_out_the_rarest_cells_cost_no_more_than_a_factor_of_three() -> None:
    skewed = np.array([0.9, *[0.1 / 19] * 19])
    rng = np.random.default_rng(2)
    reference, batch = rng.multinomial(1000, skewed, 60_000), rng.multinomial(50_000, skewed, 60_000)
    both = reference + batch  # as compare_cells has it, all at once; two of the small cells at a time
    cells = [
        np.concatenate([c[:, :1], c[:, 1:19].reshape(-1, 9, 2).sum(axis=2), c[:, 19:]], axis=1) for c in (batch, both)
    ]
    cells = [np.concatenate([c[:, :9], c[:, 9:].sum(axis=1, keepdims=True)], axis=1) for c in cells]
    excess = (cells[0] - 50_000 * cells[1] / 51_000) ** 2 / cells[1]
    p = stats.chi2.sf(excess.sum(axis=1) * 51_000 * 50_999 / (1000 * 50_000), 9)
    assert kept(p <= 1e-4, 3e-4)


@pytest.mark.parametrize("share", [0.002, 0.03, 0.4])
def test_equal_shares_look_different_as_seldom_as_promised(share: float) -> None:
    rng = np.random.default_rng(3)
    counts = np.stack([rng.binomial(900, share, 4000), rng.binomial(500, share, 4000)])
    pairs, runs = np.unique(counts, axis=1, return_inverse=True)
    p = np.array([compare_share(reference, 900, batch, 500).p for reference, batch in pairs.T.tolist()])[runs]
    for alpha in (0.05, 0.01, 0.001):
        assert kept(p <= alpha, alpha)


def test_a_change_that_matters_is_found_in_the_smallest_batch() -> None:
    threshold = 0.0192 / (61 * 4.7)  # of a week's batch with 30 measures
    shifted = p_values(EVEN, as_shares(0.4), 4500, 500, 300, 4)
    wider = p_values(EVEN, as_shares(0.0, 1.3), 4500, 500, 300, 5)
    assert (shifted <= threshold).mean() > 0.9
    assert (wider <= threshold).mean() > 0.75
    assert compare_share(2, 4500, 12, 500).p <= threshold


@pytest.mark.parametrize(("limit", "n"), [(0.99, 4000), (0.9, 90), (0.99, 60), (0.95, 19), (0.95, 20)])
def test_as_many_ranks_are_strange_as_the_conformal_p_value_says(limit: float, n: int) -> None:
    strangeness = [1 - (1 + above) / (n + 1) for above in range(n + 1)]
    assert strange_rank(limit, n) == sum(found > limit for found in strangeness)


@pytest.mark.parametrize(("strange", "cases", "n"), [(9, 500, 4000), (30, 500, 300), (2, 10, 100)])
def test_strange_cases_are_counted_by_the_beta_binomial_law(strange: int, cases: int, n: int) -> None:
    rank = strange_rank(0.95, n)
    expected = stats.betabinom.sf(strange - 1, cases, rank, n + 1 - rank)
    assert strange_excess(strange, cases, limit=0.95, calibration=n) == pytest.approx(expected)


def strange_counts(n: int, m: int, runs: int, seed: int) -> np.ndarray:
    """How many of m cases are strange at 0.95, by n scores of their own kind; both are drawn anew in each run."""
    rng = np.random.default_rng(seed)
    highest = -np.sort(-rng.random((runs, n)), axis=1)[:, strange_rank(0.95, n) - 1]
    return (rng.random((runs, m)) > highest[:, None]).sum(axis=1)


def test_ordinary_cases_look_strange_as_seldom_as_promised_and_a_known_share_would_not_do() -> None:
    counts = strange_counts(200, 1000, 4000, 6)
    p = np.array([strange_excess(int(count), 1000, limit=0.95, calibration=200) for count in counts])
    for alpha in (0.05, 0.01, 0.001):
        assert kept(p <= alpha, alpha)
    assert (p <= 0.05).mean() > 0.03
    naive = stats.binom.sf(counts - 1, 1000, 0.05)  # as if the calibration had no end
    assert (naive <= 0.01).mean() > 0.1


def test_too_few_calibration_rows_call_nothing_strange() -> None:
    assert strange_excess(7, 10, limit=0.99, calibration=50) == 1.0
    assert strange_excess(0, 10, limit=0.99, calibration=5000) == 1.0


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0.001, 0.5))
def test_e_bh_on_this_evidence_is_the_step_up_of_benjamini_and_yekutieli(p: list[float], level: float) -> None:
    found = e_bh(log_evidence(np.array(p), level), level)
    adjusted = stats.false_discovery_control(p, method="by") if p else np.zeros(0)
    clear = np.abs(adjusted - level) > 1e-9
    assert (found == (adjusted <= level))[clear].all()


@pytest.mark.parametrize("tests", [1, 7, 60])
def test_evidence_is_one_on_average_where_nothing_changed(tests: int) -> None:
    step = 0.02 / (tests * (1 / np.arange(1, tests + 1)).sum())
    middles = (np.arange(1, tests + 1) - 0.5) * step
    assert np.exp(log_evidence(middles, 0.02)).sum() * step == pytest.approx(1.0)
    assert np.exp(log_evidence(np.full(tests, (tests + 0.5) * step), 0.02)).tolist() == [0.0] * tests


def alarms_of_a_year(rng: np.random.Generator, level: float, *, finite: bool = True, alike: bool = False) -> int:
    """False alarms among 26 batches of 2,000 cases against one reference of 1,000 rows, in ten columns."""
    columns = 1 if alike else 10
    reference = rng.multinomial(1000, EVEN, columns)
    alarms = 0
    for _ in range(26):
        batch = rng.multinomial(2000, EVEN, columns)
        pairs = list(zip(reference, batch, strict=True))
        if finite:
            p = np.array([compare_cells(*pair).p for pair in pairs])
        else:
            p = np.array([stats.chisquare(now, 2 * before).pvalue for before, now in pairs])
        p = np.repeat(p, 10 // columns)
        alarms += bool(e_bh(log_evidence(p, level), level).any())
    return alarms


@pytest.mark.parametrize("alike", [False, True])
def test_a_year_has_no_more_false_alarms_than_it_may_have(alike: bool) -> None:
    rng = np.random.default_rng(7)
    level = level_of_batch(5.0, 14)
    counts = np.array([alarms_of_a_year(rng, level, alike=alike) for _ in range(40)])
    assert counts.mean() - 3 * counts.std() / np.sqrt(40) <= 5.0
    assert counts.mean() < 5.0


def test_a_reference_that_is_taken_for_the_truth_raises_many_more() -> None:
    rng = np.random.default_rng(8)
    counts = np.array([alarms_of_a_year(rng, level_of_batch(5.0, 14), finite=False) for _ in range(10)])
    assert counts.mean() - 3 * counts.std() / np.sqrt(10) > 15.0


def test_the_levels_of_a_year_add_up_to_its_false_alarms() -> None:
    assert level_of_batch(1.0, 7) * 365.25 / 7 == pytest.approx(1.0)
    assert level_of_batch(1.0, 10_000) == 0.5


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="same cells"):
        compare_cells(np.zeros(2, dtype=int), np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="never negative"):
        compare_cells(np.array([1, -1]), np.array([1, 1]))
    with pytest.raises(ValueError, match="cannot lie in the cell"):
        compare_share(3, 2, 0, 5)
    with pytest.raises(ValueError, match="cannot be strange"):
        strange_excess(3, 2, limit=0.9, calibration=10)
    with pytest.raises(ValueError, match="between 0 and 1, not at 1"):
        log_evidence(np.zeros(1), 1.0)
    with pytest.raises(ValueError, match="positive"):
        level_of_batch(0.0, 7)
