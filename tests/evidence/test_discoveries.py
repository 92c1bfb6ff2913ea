"""Few of the discoveries are false, however the e-values depend on each other and whenever they are looked at."""

from math import log, pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import batches, cuts, kept

from understudy.evidence.discoveries import LondState, e_bh, e_lond, lond_level

ALPHA = 0.1


def rate_kept(false: np.ndarray, alpha: float) -> bool:
    """Whether a mean share of false discoveries like this would be no surprise (1 in 1,000) at a rate of `alpha`."""
    return bool(false.mean() - 3.1 * false.std() / np.sqrt(len(false)) <= alpha)


def false_share(found: np.ndarray, real: np.ndarray) -> np.ndarray:
    """The share of false ones among the discoveries of each run, shape (runs, p); 0 without any."""
    return (found & ~real).sum(axis=1) / np.maximum(1, found.sum(axis=1))


def log_ratios(rng: np.random.Generator, real: np.ndarray, lift: float, common: float) -> np.ndarray:
    """Log likelihood ratios of a normal shift by `lift`; the normals share a part `common`."""
    shared = np.sqrt(common) * rng.normal(size=(len(real), 1))
    normal = shared + np.sqrt(1 - common) * rng.normal(size=real.shape) + lift * real
    return lift * normal - lift**2 / 2


def naive_e_bh(e: np.ndarray, alpha: float) -> np.ndarray:
    """Try every number of discoveries."""
    for count in range(len(e), 0, -1):
        enough = e >= len(e) / (count * alpha)
        if enough.sum() >= count:
            return enough
    return np.zeros(len(e), dtype=bool)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 9.0, 11.0, 20.0, 21.0, 40.0, 99.0, np.inf]), max_size=12))
def test_e_bh_is_what_trying_every_number_finds(e: list[float]) -> None:
    with np.errstate(divide="ignore"):
        log_e = np.log(np.array(e))
    assert e_bh(log_e, ALPHA).tolist() == naive_e_bh(np.array(e), ALPHA).tolist()


@pytest.mark.parametrize("common", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("nulls", [20, 14])
def test_e_bh_keeps_its_rate_under_any_dependence(common: float, nulls: int) -> None:
    rng = np.random.default_rng(1)
    real = np.broadcast_to(np.arange(20) >= nulls, (4000, 20))
    found = np.array([e_bh(row, ALPHA) for row in log_ratios(rng, real, 2.5, common)])
    assert rate_kept(false_share(found, real), ALPHA)
    if nulls < 20 and common == 0:
        assert found[:, nulls:].mean() > 0.3


def test_e_bh_gives_nothing_away_where_only_one_is_ever_large() -> None:
    rng, runs, p = np.random.default_rng(2), 20_000, 10
    e = np.zeros((runs, p))
    lucky = rng.random(runs) < ALPHA  # each e-value is p/α with probability α/p, never two of them
    e[lucky, rng.integers(p, size=lucky.sum())] = p / ALPHA
    with np.errstate(divide="ignore"):
        false = np.array([e_bh(row, ALPHA).any() for row in np.log(e)])
    assert kept(false, ALPHA)
    assert false.mean() > 0.9 * ALPHA


def test_without_the_number_of_hypotheses_most_discoveries_are_false() -> None:
    rng = np.random.default_rng(3)
    real = np.zeros((2000, 100), dtype=bool)
    found = log_ratios(rng, real, 2.5, 0.0) >= -log(ALPHA)
    assert false_share(found, real).mean() > 3 * ALPHA


def test_e_lond_by_hand() -> None:
    levels = [ALPHA * 6 / pi**2, ALPHA * 6 / (4 * pi**2) * 2, ALPHA * 6 / (9 * pi**2) * 2, ALPHA * 6 / (16 * pi**2) * 3]
    e = [1.01 / levels[0], 0.99 / levels[1], 1.01 / levels[2], 1.01 / levels[3]]
    state, found = e_lond(LondState(), np.log(e), ALPHA)
    assert (found.tolist(), state) == ([True, False, True, True], LondState(tested=4, found=3))
    assert sum(lond_level(place, 0, ALPHA) for place in range(1, 100_000)) == pytest.approx(ALPHA, rel=1e-4)


@given(cut=cuts(60), seed=st.integers(0, 30))
def test_batches_change_no_discovery(cut: list[int], seed: int) -> None:
    log_e = np.random.default_rng(seed).normal(3, 4, 60)
    state, parts = LondState(), []
    for where in batches(cut, 60):
        state, found = e_lond(state, log_e[where], ALPHA)
        parts.extend(found.tolist())
    whole, expected = e_lond(LondState(), log_e, ALPHA)
    assert (state, parts) == (whole, expected.tolist())


@pytest.mark.parametrize("common", [0.0, 0.6])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_e_lond_keeps_its_rate_over_a_long_stream(common: float, share: float) -> None:
    rng = np.random.default_rng(4)
    real = rng.random((1500, 80)) < share
    found = np.array([e_lond(LondState(), row, ALPHA)[1] for row in log_ratios(rng, real, 3.5, common)])
    assert rate_kept(false_share(found, real), ALPHA)
    if share:
        assert found[real].mean() > 0.1


def greedy(rng: np.random.Generator, alpha: float, *, decay: bool) -> tuple[int, int]:
    """False and all discoveries in a stream of e-values that are 1/level with a probability of just that level."""
    found = false = 0
    for place in range(1, 41):
        level = min(1.0, lond_level(place if decay else 1, found, alpha))
        real = place % 10 == 0
        hit = real or rng.random() < level
        found, false = found + hit, false + (hit and not real)
    return false, found


@pytest.mark.parametrize("decay", [True, False])
def test_e_lond_needs_levels_that_decay(decay: bool) -> None:
    rng = np.random.default_rng(5)
    shares = np.array(
        [false / max(1, found) for false, found in (greedy(rng, ALPHA, decay=decay) for _ in range(4000))]
    )
    assert rate_kept(shares, ALPHA) == decay
    if not decay:
        assert shares.mean() > 3 * ALPHA


def overlapping(rng: np.random.Generator, runs: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Thirty tests that overlap: a new one at every third look, each looked at until the end or its discovery."""
    tests, looks, lift = 30, 150, 0.35
    real = np.arange(tests) % 6 == 5
    log_e, found = np.zeros((runs, tests)), np.zeros((runs, tests), dtype=bool)
    place = np.arange(1, tests + 1)
    for look in range(looks):
        opened = place <= 1 + look // 3
        normal = rng.normal(size=(runs, tests)) + lift * real
        log_e += np.where(opened, lift * normal - lift**2 / 2, 0.0)
        level = alpha * 6 / (pi * place) ** 2 * (found.sum(axis=1, keepdims=True) + 1)
        found |= opened & (log_e >= -np.log(level))
    return found, np.broadcast_to(real, found.shape)


def test_tests_may_overlap_and_be_looked_at_again_and_again() -> None:
    found, real = overlapping(np.random.default_rng(6), 3000, ALPHA)
    assert rate_kept(false_share(found, real), ALPHA)
    assert found[real].mean() > 0.3


def test_nothing_is_found_in_nothing() -> None:
    assert e_bh(np.array([]), ALPHA).tolist() == []
    assert e_lond(LondState(), np.array([]), ALPHA)[0] == LondState()
    assert not e_bh(np.array([-np.inf, 0.0]), ALPHA).any()
    assert e_bh(np.array([log(10.0)]), ALPHA).tolist() == [True]


@pytest.mark.parametrize("alpha", [0.0, 1.0, np.nan])
def test_a_rate_without_meaning_is_refused(alpha: float) -> None:
    for call in (lambda: e_bh(np.zeros(2), alpha), lambda: e_lond(LondState(), np.zeros(2), alpha)):
        with pytest.raises(ValueError, match="false discovery rate"):
            call()


@pytest.mark.parametrize("log_e", [np.array([0.0, np.nan]), np.zeros((2, 2))])
def test_e_values_that_are_none_are_refused(log_e: np.ndarray) -> None:
    for call in (lambda: e_bh(log_e, ALPHA), lambda: e_lond(LondState(), log_e, ALPHA)):
        with pytest.raises(ValueError, match="one row"):
            call()


@pytest.mark.parametrize(("place", "found"), [(0, 0), (1, -1)])
def test_places_are_counted_from_one(place: int, found: int) -> None:
    with pytest.raises(ValueError, match="counted from"):
        lond_level(place, found, ALPHA)
