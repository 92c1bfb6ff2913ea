"""Two versions on the same rows: every count and figure by another route, and no change where there is none."""

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from statsmodels.stats.contingency_tables import mcnemar

from evidence.promises import kept
from understudy.evaluation import compare as module
from understudy.evaluation.compare import MOST_GROUPS, OTHERS, Compared, Pair, common, compare, group_switches


def world(seed: int, n: int = 3000, *, bad: float = 0.3) -> tuple[pl.DataFrame, Pair]:
    """The second is right more often in the north, and less often in the south, than the first."""
    rng = np.random.default_rng(seed)
    region = rng.choice(["north", "south", "east"], n, p=[0.3, 0.2, 0.5])
    y = rng.integers(0, 2, n)
    first_right = rng.random(n) < 0.75
    chance = np.where(region == "north", 0.75 + bad / 2, np.where(region == "south", 0.75 - bad, 0.75))
    moved = rng.random(n) < 0.5
    second_right = np.where((region == "east") & ~moved, first_right, rng.random(n) < chance)

    def scores(right: np.ndarray) -> np.ndarray:
        sure = rng.uniform(0.55, 0.99, n)
        positive = np.where(right == (y == 1), sure, 1 - sure)
        return np.column_stack([1 - positive, positive])

    frame = pl.DataFrame({"region": region, "amount": rng.lognormal(3, 1, n).round(2)})
    pair = Pair(
        y=y,
        first=scores(first_right),
        second=scores(second_right),
        kind="classification",
        labels=("no", "yes"),
        by={"region": region},
    )
    return frame, pair


@pytest.fixture(scope="module")
def found() -> tuple[pl.DataFrame, Pair, Compared]:
    frame, pair = world(0)
    return frame, pair, compare(pair, frame, goal="roc_auc")


def test_each_metric_is_that_of_scikit_learn_and_the_goal_stands_first(found: tuple) -> None:
    _, pair, compared = found
    assert compared.metrics[0].metric == "roc_auc"
    by_name = {one.metric: one for one in compared.metrics}
    for scores, side in ((pair.first, "first"), (pair.second, "second")):
        told = {name: getattr(by_name[name], side).estimate for name in ("roc_auc", "accuracy", "log_loss")}
        assert told["roc_auc"] == pytest.approx(roc_auc_score(pair.y, scores[:, 1]))
        assert told["accuracy"] == pytest.approx(accuracy_score(pair.y, scores.argmax(axis=1)))
        assert told["log_loss"] == pytest.approx(log_loss(pair.y, scores))
    gain = by_name["log_loss"].gain.estimate
    assert gain == pytest.approx(log_loss(pair.y, pair.first) - log_loss(pair.y, pair.second))


def test_the_counts_are_those_of_a_plain_loop(found: tuple) -> None:
    frame, pair, compared = found
    mended = broken = 0
    by_region = dict.fromkeys(("north", "south", "east"), (0, 0))
    for y, one, two, region in zip(pair.y, pair.first, pair.second, frame["region"], strict=True):
        was, now = one.argmax() == y, two.argmax() == y
        mended, broken = mended + (now and not was), broken + (was and not now)
        a, b = by_region[region]
        by_region[region] = (a + (now and not was), b + (was and not now))
    assert (compared.all.mended, compared.all.broken) == (mended, broken)
    assert {one.of: (one.mended, one.broken) for one in compared.groups["region"]} == by_region
    assert sum(one.mended for one in compared.labels) == mended
    assert compared.all.p == pytest.approx(mcnemar([[0, broken], [mended, 0]], exact=True).pvalue)
    assert compared.differing == mended + broken


def test_who_gained_and_who_lost_is_told(found: tuple) -> None:
    _, _, compared = found
    assert [one.words for one in compared.gained] == ["region is north"]
    assert [one.words for one in compared.lost] == ["region is south"]
    verdicts = {one.of: one.verdict for one in compared.groups["region"]}
    assert verdicts == {"north": "better", "south": "worse", "east": "not shown"}


def test_what_is_told_survives_being_stored(found: tuple) -> None:
    assert msgspec.json.decode(msgspec.json.encode(found[2]), type=Compared) == found[2]


def equal_versions(seed: int) -> tuple[pl.DataFrame, Pair]:
    """Two versions that err independently of each other and of the inputs, as often as each other."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"a": rng.choice([*"pqrst"], 600), "b": rng.random(600)})
    y = rng.integers(0, 2, 600)
    one, two = (np.eye(2)[np.where(rng.random(600) < 0.25, 1 - y, y)] for _ in range(2))
    by = {"a": frame["a"].to_numpy().astype(str)}
    return frame, Pair(y, one, two, "classification", labels=("no", "yes"), by=by)


def test_equal_versions_are_seldom_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "metric_changes", lambda *_: ())  # their bounds have tests of their own
    wholes, groups, slices = [], [], []
    for seed in range(150):
        frame, pair = equal_versions(seed)
        compared = compare(pair, frame, goal="accuracy", seed=seed)
        wholes.append(compared.all.verdict != "not shown")
        groups.append(any(one.verdict != "not shown" for one in compared.groups["a"]))
        slices.append(bool(compared.better.significant or compared.worse.significant))
    assert kept(np.array(wholes), 0.05)
    assert kept(np.array(groups), 0.05)
    assert kept(np.array(slices), 0.05)


def test_groups_that_are_each_judged_alone_would_be_told_apart_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = module.change_interval
    monkeypatch.setattr(module, "change_interval", lambda *counts, alpha, **_: alone(*counts, alpha=alpha))
    found = []
    for seed in range(300):
        _, pair = equal_versions(seed)
        switches = group_switches(pair, pair.right(pair.first), pair.right(pair.second))["a"]
        found.append(any(one.verdict != "not shown" for one in switches))
    assert not kept(np.array(found), 0.05)


def test_for_numbers_right_means_within_the_tolerance() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0, 10, 500)
    first, second = y + rng.normal(0, 5, 500), y + rng.normal(0, 2, 500)
    pair = Pair(y, first[:, None], second[:, None], "regression", tolerance=3.0)
    compared = compare(pair, pl.DataFrame({"x": y}), goal="rmse")
    assert compared.all.second == pytest.approx(np.mean(np.abs(second - y) > 3))
    assert compared.metrics[0].verdict == "better"
    assert compared.metrics[0].gain.estimate == pytest.approx(
        np.sqrt(np.mean((first - y) ** 2)) - np.sqrt(np.mean((second - y) ** 2))
    )
    assert compared.labels == ()


def test_rows_that_belong_together_have_no_exact_test() -> None:
    frame, pair = world(1, 600)
    grouped = Pair(**{**vars(pair), "groups": np.arange(600) // 3})
    compared = compare(grouped, frame, goal="accuracy")
    assert compared.all.p is None
    assert compared.all.gain.n == 200
    assert compared.all.gain.method == "cluster-robust t"


def test_of_many_values_the_rare_ones_are_compared_together() -> None:
    masks = common(np.array([f"v{place % 30:02}" for place in range(300)] + ["v00"] * 5))
    assert len(masks) == MOST_GROUPS + 1
    assert next(iter(masks)) == "v00"
    assert sum(mask.sum() for mask in masks.values()) == 305
    assert masks[OTHERS].sum() == 180


def test_no_row_is_refused() -> None:
    none = np.empty((0, 2))
    with pytest.raises(ValueError, match="at least one"):
        compare(Pair(np.empty(0, dtype=int), none, none, "classification"), pl.DataFrame(), goal="f1")


def test_one_row_is_compared_without_a_verdict() -> None:
    one = np.array([[0.2, 0.8]])
    compared = compare(
        Pair(np.array([1]), one, one[:, ::-1], "classification", labels=("no", "yes")),
        pl.DataFrame({"x": [1.0]}),
        goal="accuracy",
    )
    assert (compared.all.broken, compared.all.verdict) == (1, "not shown")
