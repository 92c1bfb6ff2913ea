"""What each column adds to an answer: Shapley's axioms, brute force, and an independent TreeSHAP."""

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import lightgbm
import numpy as np
import pytest

from understudy.core.errors import DataError
from understudy.models.explain.shapley import Design, design, every_coalition, paired_walks

Score = Callable[[np.ndarray], np.ndarray]


def mixed(plan: Design, case: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """The rows that a design asks to be scored."""
    return np.where(plan.known, case, usual[plan.against])


def brute_force(score: Score, case: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """Shapley's formula in plain loops over all 2^d coalitions."""
    d = len(case)

    def worth(told: tuple[int, ...]) -> float:
        rows = usual.copy()
        rows[:, list(told)] = case[list(told)]
        return float(score(rows).mean())

    found = np.zeros(d)
    for column in range(d):
        others = [other for other in range(d) if other != column]
        for size in range(d):
            share = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            for told in combinations(others, size):
                found[column] += share * (worth((*told, column)) - worth(told))
    return found


def boosted(d: int, seed: int = 0, **more: Any) -> tuple[lightgbm.Booster, np.ndarray]:
    """A boosted model with interactions of any order, and rows."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(3000, d))
    logit = X[:, 0] + X[:, 1] * X[:, 2] + 2 * (X[:, 0] > 0) * (X[:, 1] > 0) * (X[:, 3] > 0)
    y = rng.random(3000) < 1 / (1 + np.exp(-logit))
    settings = {"objective": "binary", "num_leaves": 15, "verbose": -1, "num_threads": 1, "seed": 1} | more
    return lightgbm.train(settings, lightgbm.Dataset(X, y), 60), X


@pytest.mark.parametrize("d", [1, 2, 3, 5, 6, 7, 8, 20, 57, 130])
def test_contributions_add_up_to_the_score_less_the_mean_of_the_usual(d: int) -> None:
    plan = design(d)
    scores = np.random.default_rng(d).normal(size=len(plan.known))
    assert plan.contributions(scores).sum() == pytest.approx(scores[0] - plan.base(scores), abs=1e-10)


@pytest.mark.parametrize("d", [1, 2, 4, 5])
def test_few_columns_are_exact_whatever_the_model(d: int) -> None:
    rng = np.random.default_rng(d)
    plan = design(d)
    case, usual = rng.normal(size=d), rng.normal(size=(plan.background, d))
    inner = rng.normal(size=(d, 9))

    def score(rows: np.ndarray) -> np.ndarray:
        return np.sin(3 * rows @ inner).prod(axis=1) + rows.prod(axis=1)

    assert plan.exact
    assert plan.contributions(score(mixed(plan, case, usual))) == pytest.approx(
        brute_force(score, case, usual), abs=1e-10
    )


@pytest.mark.parametrize("d", [6, 7, 8])
def test_walks_are_exact_for_single_columns_and_pairs_of_them(d: int) -> None:
    rng = np.random.default_rng(d)
    plan = design(d)
    case, usual = rng.normal(size=d), rng.normal(size=(plan.background, d))
    pairs = rng.normal(size=(d, d))

    def score(rows: np.ndarray) -> np.ndarray:
        return np.exp(rows) @ np.arange(d) + np.einsum("ni,ij,nj->n", np.tanh(rows), pairs, rows)

    assert not plan.exact
    assert plan.contributions(score(mixed(plan, case, usual))) == pytest.approx(
        brute_force(score, case, usual), abs=1e-9
    )


def test_walks_without_their_reverses_are_not_exact_for_pairs() -> None:
    rng = np.random.default_rng(3)
    d, plan = 8, paired_walks(8, 16, 1)
    case, usual = rng.normal(size=d), rng.normal(size=(16, d))
    first = 1 + 16
    one_way = plan.weights.copy()
    inner = 2 * (d - 1)
    for walk in range(16):
        begin = first + walk * inner
        forward, backward = slice(begin, begin + d - 1), slice(begin + d - 1, begin + inner)
        one_way[:, forward] *= 2
        one_way[:, backward] = 0
    rows = mixed(plan, case, usual)
    scores = rows[:, 0] * rows[:, 1]
    exact = brute_force(lambda rows: rows[:, 0] * rows[:, 1], case, usual)
    assert plan.contributions(scores) == pytest.approx(exact, abs=1e-10)
    assert not np.allclose(one_way @ scores, exact, atol=1e-3)


def test_of_a_boosted_model_the_walks_come_close_to_all_coalitions() -> None:
    booster, X = boosted(8)
    plan = design(8)
    usual = X[: plan.background]

    def score(rows: np.ndarray) -> np.ndarray:
        return np.asarray(booster.predict(rows, raw_score=True))

    whole = every_coalition(8, plan.background)
    assert np.allclose(whole.contributions(score(mixed(whole, X[0], usual))), brute_force(score, X[0], usual))
    off, size, first = [], [], []
    for case in X[100:160]:
        exact = whole.contributions(score(mixed(whole, case, usual)))
        found = plan.contributions(score(mixed(plan, case, usual)))
        off.append(np.abs(found - exact).max())
        size.append(np.abs(exact).max())
        first.append(np.abs(found).argmax() == np.abs(exact).argmax())
    assert np.mean(off) < 0.03 * np.mean(size)
    assert np.mean(first) > 0.97


def test_of_additive_trees_it_says_what_lightgbm_itself_says() -> None:
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.permutation(np.repeat(np.arange(4.0), 1024)) for _ in range(7)])
    y = X @ np.arange(7) + np.sin(X).sum(axis=1) + rng.normal(size=4096)
    settings = {"objective": "regression", "num_leaves": 2, "verbose": -1, "num_threads": 1, "seed": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), 200)
    own = np.asarray(booster.predict(X[:50], pred_contrib=True))
    # The background has each value of a column as often as the rows on which the trees were grown.
    usual = np.column_stack([rng.permutation(np.repeat(np.arange(4.0), 16)) for _ in range(7)])
    plan = design(7)
    for case, expected in zip(X[:50], own, strict=True):
        scores = np.asarray(booster.predict(mixed(plan, case, usual)))
        assert plan.contributions(scores) == pytest.approx(expected[:-1], abs=1e-9)
        assert plan.base(scores) == pytest.approx(expected[-1], abs=1e-9)


def expected_at(tree: dict[str, Any], case: np.ndarray, told: set[int], usual: np.ndarray) -> float:
    """The mean of a tree where only the told columns are the case's own, by walking it for each background row."""
    total = 0.0
    for row in usual:
        node = tree
        while "leaf_value" not in node:
            column = node["split_feature"]
            value = case[column] if column in told else row[column]
            node = node["left_child"] if value <= node["threshold"] else node["right_child"]
        total += node["leaf_value"]
    return total / len(usual)


def test_of_trees_it_is_interventional_tree_shap() -> None:
    booster, X = boosted(4, num_leaves=6)
    trees = [one["tree_structure"] for one in booster.dump_model()["tree_info"]][:5]
    usual, case, plan = X[:64], X[200], design(4)
    found = plan.contributions(np.asarray(booster.predict(mixed(plan, case, usual), raw_score=True, num_iteration=5)))
    exact = np.zeros(4)
    for column in range(4):
        others = [other for other in range(4) if other != column]
        for size in range(4):
            share = 1 / (4 * math.comb(3, size))
            for told in combinations(others, size):
                for tree in trees:
                    more = expected_at(tree, case, {*told, column}, usual)
                    exact[column] += share * (more - expected_at(tree, case, set(told), usual))
    assert found == pytest.approx(exact, abs=1e-9)


def test_a_column_that_the_model_does_not_use_adds_nothing() -> None:
    plan = design(12)
    rng = np.random.default_rng(0)
    case, usual = rng.normal(size=12), rng.normal(size=(plan.background, 12))
    rows = mixed(plan, case, usual)
    found = plan.contributions(np.exp(rows[:, 0]) * rows[:, 1] * rows[:, 2])
    assert np.abs(found[3:]).max() < 1e-12
    assert np.abs(found[:3]).min() > 1e-3


def test_the_cost_is_bounded_and_the_same_each_time() -> None:
    assert all(len(design(d).known) <= 1310 for d in (1, 3, 6, 7, 20, 40, 80))
    again = paired_walks(20, 64, 1)
    assert np.array_equal(again.known, paired_walks(20, 64, 1).known)


def test_without_a_column_nothing_can_be_told() -> None:
    with pytest.raises(DataError, match="no column"):
        design(0)
