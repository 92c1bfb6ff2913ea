"""How to learn from rows that come in time, tried out forwards."""

import itertools

import numpy as np
import pytest
from scipy import stats

from understudy.models.recipes import Effort, Rows
from understudy.models.schemes import (
    CANDIDATES,
    USUAL,
    Scheme,
    Window,
    block_gain,
    choose_scheme,
    memory_weights,
    part,
    window_losses,
)

VIEWS = ("number", "number", "number")
EFFORT = Effort(seed=0, threads=1)


def windows(X: np.ndarray, y: np.ndarray, *, classes: int = 2, k: int = 3) -> tuple[Window, ...]:
    """A rolling origin over rows in the order of time."""
    kind = "classification" if classes else "regression"
    cuts = np.linspace(0, len(y), k + 2).astype(int)[1:]
    made = []
    for start, stop in itertools.pairwise(cuts.tolist()):
        past = Rows(kind, classes, X[:start].astype(np.float32), y[:start], VIEWS)
        made.append(Window(past, X[start:stop].astype(np.float32), y[start:stop]))
    return tuple(made)


def test_the_newest_or_a_random_fifth_is_for_stopping_and_the_rest_to_fit_on() -> None:
    for stopping in ("last", "random"):
        places = part(50, stopping, seed=1)
        assert sorted([*places.fit, *places.stop]) == list(range(50))
        assert len(places.stop) == 10
    assert part(50, "last", 0).stop.min() == 40
    assert part(1, "last", 0).stop.tolist() == [0]


def test_old_rows_fade_by_half_every_quarter() -> None:
    fading = memory_weights(101, "fading")
    assert fading is not None
    assert fading[-1] == 1.0
    assert fading[100 - 101 // 4] == pytest.approx(0.5, abs=0.01)
    assert memory_weights(9, "all") is None
    recent = memory_weights(9, "recent")
    assert recent is not None
    assert recent.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]


def test_where_nothing_changes_the_usual_way_stays() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 3))
    y = (X[:, 0] + rng.normal(size=1200) > 0).astype(np.int64)
    chosen = choose_scheme(windows(X, y), EFFORT)
    assert chosen.scheme == USUAL
    assert set(chosen.losses) == {"last/all", "random/all", "last/fading", "last/recent"}
    assert "no other way was surely better" in chosen.words


@pytest.mark.parametrize("classes", [2, 0])
def test_where_old_rows_mislead_they_are_forgotten(classes: int) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2400, 3))
    turned = np.cos(np.linspace(0, np.pi, 2400))
    signal = 2 * turned * X[:, 0] + 0.5 * rng.normal(size=2400)
    y = (signal > 0).astype(np.int64) if classes else signal
    chosen = choose_scheme(windows(X, y, classes=classes), EFFORT)
    assert chosen.scheme.memory in ("fading", "recent")
    assert "its loss was lower by" in chosen.words


def test_where_neighbours_are_alike_stopping_on_random_rows_learns_them_by_heart() -> None:
    rng = np.random.default_rng(2)
    spell = np.repeat(np.arange(120), 20)
    X = np.column_stack([spell + rng.normal(0, 0.05, 2400), rng.normal(size=(2400, 2))])
    y = (rng.random(120) < 0.5).astype(np.int64)[spell]
    chosen = choose_scheme(windows(X, y), EFFORT)
    assert chosen.losses["random/all"] > 1.2 * chosen.losses["last/all"]
    assert chosen.scheme.stopping == "last"


def test_windows_that_are_short_or_cannot_be_learned_from_are_passed_over() -> None:
    rng = np.random.default_rng(3)
    X, one = rng.normal(size=(100, 3)), np.zeros(100, dtype=np.int64)
    assert choose_scheme(windows(X, one), EFFORT).scheme == USUAL
    assert choose_scheme((), EFFORT).losses == {}


def test_the_same_rows_give_the_same_choice() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(600, 3))
    y = (X[:, 0] > 0).astype(np.int64)
    assert choose_scheme(windows(X, y), EFFORT) == choose_scheme(windows(X, y), EFFORT)


def chosen_in_vain(runs: int, *, carefully: bool) -> int:
    """How often a scheme that is no better looks surely, or just, better; losses of blocks hang together."""
    rng, count = np.random.default_rng(5), 0
    for _ in range(runs):
        drift = rng.normal(0, 0.5, 36)
        gains = [block_gain(drift + rng.normal(size=36) - drift) for _ in CANDIDATES]
        count += any((gain.lower if carefully else gain.estimate) > 0 for gain in gains)
    return count


def test_a_scheme_that_is_no_better_is_rarely_chosen() -> None:
    assert chosen_in_vain(2000, carefully=True) <= stats.binom.ppf(0.999, 2000, 0.05)
    assert chosen_in_vain(200, carefully=False) > stats.binom.ppf(0.999, 200, 0.05)


def test_losses_of_a_window_are_means_of_blocks_with_weights() -> None:
    rng = np.random.default_rng(6)
    y, scores, weights = rng.integers(0, 2, 100), rng.random((100, 1)), rng.random(100)
    past = Rows("classification", 2, np.zeros((4, 3), dtype=np.float32), np.array([0, 1, 0, 1]), VIEWS)
    both = np.column_stack([1 - scores, scores])
    losses = -np.log(both[np.arange(100), y])
    means = window_losses(Window(past, np.empty((100, 3)), y, weights), both)
    assert means[0] == pytest.approx(np.average(losses[:8], weights=weights[:8]))
    assert means[-1] == pytest.approx(np.average(losses[91:], weights=weights[91:]))


def test_every_scheme_has_a_name_of_its_own() -> None:
    assert len({(scheme.stopping, scheme.memory) for scheme in (USUAL, *CANDIDATES)}) == 4
    assert Scheme() == USUAL
