"""The search counts every slice of one or two predicates; a search through masks finds the same."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from understudy.evaluation.slice_search import EXPLAINED, Terms, search
from understudy.evaluation.slice_sums import Board, sum_cells

Slice = tuple[tuple[int, int], ...]


def board(rng: np.random.Generator, n: int, *, weights: bool, facets: int = 4) -> tuple[Board, np.ndarray, np.ndarray]:
    """Rows of some facets of up to six cells, with overlapping predicates, a loss, and weights."""
    cells = rng.integers(2, 7, facets)
    codes = np.stack([rng.integers(0, many, n) for many in cells]).astype(np.uint8)
    holds = np.zeros((facets, 8, 6))
    for facet, many in enumerate(cells):
        for predicate in range(rng.integers(2, 9)):
            holds[facet, predicate, :many] = rng.random(many) < 0.4
    holds[:, 0], holds[:, 1] = np.eye(6)[0], np.eye(6)[1]
    loss = rng.exponential(size=n) * (
        1 + rng.integers(0, 5) * ((codes[0] == 1) & (codes[1] == 0)) + rng.integers(0, 2) * (codes[2] == 1)
    )
    u = rng.lognormal(0, 0.5, n) if weights else np.ones(n)
    u /= u.mean()
    excess = u * (loss - u @ loss / n)
    return Board(codes, holds, (u, excess, excess**2) if weights else (excess, excess**2)), loss, u


def difference(inside: np.ndarray, outside: np.ndarray, loss: np.ndarray, u: np.ndarray) -> tuple[float, float]:
    """The gap between two sets of rows and its standard error."""

    def spread(rows: np.ndarray) -> float:
        w, values, n = u[rows], loss[rows], rows.sum()
        overall = u @ loss / u.sum()
        return (
            (w**2 @ (values - overall) ** 2 - (w @ values / w.sum() - overall) ** 2 * w.sum() ** 2 / n)
            * n
            / w.sum() ** 2
        )

    least = spread(inside | outside | True)
    means = [u[rows] @ loss[rows] / u[rows].sum() for rows in (inside, outside)]
    error = sum(max(spread(rows), least) / rows.sum() for rows in (inside, outside))
    return means[0] - means[1], float(np.sqrt(error))


def through_masks(board: Board, loss: np.ndarray, u: np.ndarray, least: int) -> Slice:
    """The slice that is rated highest, or the one that explains it, one mask after the other."""
    masks = {
        (facet, predicate): board.holds[facet, predicate][board.codes[facet]] > 0
        for facet in range(len(board.codes))
        for predicate in range(board.holds.shape[1])
        if board.holds[facet, predicate].any()
    }
    pairs = [(a, b) for a, b in combinations(masks, 2) if a[0] != b[0]]
    z, parent_t = stats.norm.isf(1 / (len(masks) + len(pairs))), stats.norm.isf(EXPLAINED / len(masks))

    def t(inside: np.ndarray, outside: np.ndarray) -> float:
        gap, error = difference(inside, outside, loss, u) if inside.any() and outside.any() else (0.0, 1.0)
        return gap / error

    rated = []
    for places in [*((one,) for one in masks), *pairs]:
        inside = np.logical_and.reduce([masks[place] for place in places])
        if inside.sum() < least or u[inside].sum() > 0.5 * u.sum() or t(inside, ~inside) < 2:
            continue
        if len(places) > 1 and any(t(inside, masks[place] & ~inside) < parent_t for place in places):
            continue
        gap, error = difference(inside, ~inside, loss, u)
        score = u[inside].sum() / u.sum() * (gap - z * error) if gap > z * error else gap / error - z
        rated.append((score, gap / error, places, inside))
    if not rated:
        return ()
    score, surest, found, whole = max(rated, key=lambda one: one[0])
    for _, telling, places, inside in rated if score > 0 else []:
        rest = whole & ~inside
        if telling > max(surest, z) and rest.any() and t(rest, ~(whole | inside)) < parent_t:
            surest, found = telling, places
    return tuple(sorted(found))


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_first_slice_is_the_one_that_a_search_through_masks_finds(seed: int, weights: bool) -> None:
    rows, loss, u = board(np.random.default_rng(seed), 1200, weights=weights)
    found, _ = search(rows, Terms(most=1, least=20, largest=0.5, most_facets=50, pairs=True))
    expected = through_masks(rows, loss, u, least=20)
    assert len(found) == len(expected[:1])
    if found:
        assert (rows.inside(found[0]) == rows.inside(expected)).all()


def test_sums_do_not_depend_on_how_rows_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _, _ = board(np.random.default_rng(0), 1000, weights=True)
    whole = sum_cells(rows, 4)
    monkeypatch.setattr("understudy.evaluation.slice_sums.CHUNK", 37)
    parts = sum_cells(rows, 4)
    assert np.allclose(whole.singles, parts.singles)
    assert all(np.allclose(one, other) for one, other in zip(whole.pairs, parts.pairs, strict=True))
    assert whole.pairs[0][0, 0].sum() == 1000


def test_the_next_slice_is_rated_on_the_rows_that_are_left() -> None:
    rng = np.random.default_rng(0)
    codes = np.stack([rng.random(4000) < 0.2, rng.random(4000) < 0.2, np.zeros(4000)]).astype(np.uint8)
    codes[2] = np.where(rng.random(4000) < 0.9, codes[0], rng.random(4000) < 0.2)  # nearly a copy of the first
    excess = codes[0] * 1.0 + codes[1] * 0.5 + rng.normal(0, 0.3, 4000)
    excess -= excess.mean()
    holds = np.tile(np.eye(2), (3, 1, 1))
    found, _ = search(
        Board(codes, holds, (excess, excess**2)), Terms(most=5, least=20, largest=0.5, most_facets=9, pairs=True)
    )
    assert found[:2] == [((0, 1),), ((1, 1),)]


def test_so_many_slices_are_compared() -> None:
    rows, _, _ = board(np.random.default_rng(3), 300, weights=False)
    sizes = (rows.holds.sum(axis=2) > 0).sum(axis=1).tolist()
    both = sum(a * b for a, b in combinations(sizes, 2))
    assert search(rows, Terms(most=1, least=20, largest=0.5, most_facets=9, pairs=True))[1] == sum(sizes) + both
    assert search(rows, Terms(most=1, least=20, largest=0.5, most_facets=9, pairs=False))[1] == sum(sizes)


@pytest.mark.parametrize("n", [0, 1, 39])
def test_with_too_few_rows_nothing_is_found(n: int) -> None:
    rows, _, _ = board(np.random.default_rng(0), 100, weights=False)
    assert search(rows.rows(np.arange(n)), Terms(most=3, least=20, largest=0.5, most_facets=9, pairs=True))[0] == []


def test_without_a_facet_nothing_is_found() -> None:
    empty = Board(np.empty((0, 5), dtype=np.uint8), np.zeros((0, 0, 0)), (np.ones(5), np.ones(5)))
    assert search(empty, Terms(most=3, least=2, largest=0.5, most_facets=9, pairs=True)) == ([], 0)


def test_equal_losses_are_no_excess() -> None:
    rows, _, _ = board(np.random.default_rng(0), 500, weights=False)
    flat = Board(rows.codes, rows.holds, (np.zeros(500), np.zeros(500)))
    assert search(flat, Terms(most=3, least=20, largest=0.5, most_facets=9, pairs=True))[0] == []
