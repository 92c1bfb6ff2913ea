"""Groups that do not differ are not said to, those that do are found, and of small ones it is told what is excluded."""

from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from evidence.promises import kept
from understudy.evaluation import fairness_tests
from understudy.evaluation.fairness import fairness, fairness_actions, promised_threshold
from understudy.evaluation.fairness_clusters import cells_of, clustered
from understudy.evaluation.fairness_found import Fairness, FairnessPlan
from understudy.evaluation.fairness_groups import group_column
from understudy.evaluation.fairness_rates import Sample, apart, rate, tally
from understudy.evaluation.report import CoveragePoint, TestPart
from understudy.evaluation.slice_evidence import gap


def two_classes(p: np.ndarray, y: np.ndarray, clusters: np.ndarray | None = None) -> TestPart:
    scores = np.column_stack([1 - p, p])
    return TestPart(
        y=y.astype(np.int64),
        scores=scores,
        confidence=scores.max(axis=1),
        baseline=scores,
        baseline_name="itself",
        hard=False,
        groups=clusters,
    )


def people(rng: np.random.Generator, n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "sex": rng.choice(["f", "m"], n),
            "region": rng.choice(["north", "south", "east", "west"], n, p=[0.6, 0.25, 0.1, 0.05]),
            "age": rng.integers(18, 80, n),
        }
    )


def anything(found: Fairness) -> bool:
    figures = [one for group in (*found.groups, *found.crossed) for one in group.figures.values()]
    return any(one.significant for one in figures)


def exchangeable(rng: np.random.Generator) -> bool:
    p = rng.beta(1, 1, 900)
    part = two_classes(p, rng.random(900) < p)
    return anything(fairness(people(rng, 900), part, ["sex", "region", "age"], FairnessPlan(threshold=0.8)))


def rare_errors(rng: np.random.Generator) -> bool:
    p = rng.choice([0.02, 0.98], 900, p=[0.95, 0.05])
    return anything(fairness(people(rng, 900), two_classes(p, rng.random(900) < p), ["region", "age"]))


def households(rng: np.random.Generator) -> bool:
    """Rows of one household have the same truth and the same groups."""
    home = rng.integers(0, 250, 900)
    p = rng.beta(1, 1, 250)
    y = rng.random(250) < p
    return anything(fairness(people(rng, 250)[home], two_classes(p[home], y[home], home), ["sex", "region"]))


@pytest.mark.parametrize("world", [exchangeable, rare_errors, households])
def test_groups_that_do_not_differ_are_not_said_to(world: Callable[[np.random.Generator], bool]) -> None:
    broken = np.array([world(np.random.default_rng(seed)) for seed in range(60)])
    assert kept(broken, 0.05)


def test_without_counting_all_comparisons_the_promise_would_break(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fairness_tests, "adjusted", lambda p, control: p)
    monkeypatch.setattr(fairness_tests, "SHARES", {"error": 1.0, "other": 1.0, "crossed": 1.0})
    broken = np.array([exchangeable(np.random.default_rng(seed)) for seed in range(40)])
    assert not kept(broken, 0.05)


def test_taking_rows_of_one_household_as_independent_would_break_the_promise() -> None:
    def blind(rng: np.random.Generator) -> bool:
        home = rng.integers(0, 100, 1500)
        p, who = rng.beta(1, 1, 100), people(rng, 100)
        y = rng.random(100) < p
        return anything(fairness(who[home], two_classes(p[home], y[home]), ["sex", "region"]))

    assert not kept(np.array([blind(np.random.default_rng(seed)) for seed in range(40)]), 0.05)


CHANCES = {"a": 0.1, "b": 0.13, "c": 0.3, "d": 0.02}


def bounds_hold(rng: np.random.Generator, plan: FairnessPlan) -> bool:
    """Whether the differences of error rates lie in their bounds, all of them."""
    group = rng.choice(list(CHANCES), 2000, p=[0.5, 0.3, 0.15, 0.05])
    chance = np.array([CHANCES[one] for one in group])
    wrong = rng.random(2000) < chance
    part = two_classes(np.full(2000, 0.7), ~wrong)
    found = fairness(pl.DataFrame({"group": group}), part, ["group"], plan)
    held = []
    for one in found.groups:
        inside = group == one.words.removeprefix("group is ")
        truth = chance[inside].mean() - chance[~inside].mean()
        held.append(one.error.difference.lower <= truth <= one.error.difference.upper)
    return all(held)


def test_bounds_of_differences_hold_for_all_groups_together() -> None:
    broken = np.array([not bounds_hold(np.random.default_rng(seed), FairnessPlan()) for seed in range(200)])
    assert kept(broken, 0.025)  # errors have half of alpha


def test_bounds_of_single_comparisons_would_not_hold_together(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = FairnessPlan(alpha=0.5)
    monkeypatch.setattr(fairness_tests, "SHARES", {"error": 1.0, "other": 1.0, "crossed": 1.0})
    broken = np.array([not bounds_hold(np.random.default_rng(seed), plan) for seed in range(100)])
    assert not kept(broken, 0.025)


def test_the_four_fifths_ratio_holds_the_true_one_though_its_groups_were_chosen() -> None:
    chances = np.array([0.5, 0.5, 0.45, 0.4, 0.5, 0.5])

    def missed(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        group = rng.integers(0, 6, 1500)
        said = rng.random(1500) < chances[group]
        part = two_classes(np.where(said, 0.9, 0.1), said)
        ratio = fairness(pl.DataFrame({"group": group}), part, ["group"]).selection[0].ratio
        return not ratio.lower <= 0.8 <= ratio.upper

    assert kept(np.array([missed(seed) for seed in range(100)]), 0.05)


def shifted(seed: int, n: int = 6000) -> tuple[pl.DataFrame, TestPart]:
    """The truth of one small group is another than the model learned."""
    rng = np.random.default_rng(seed)
    frame, p = people(rng, n), rng.beta(0.5, 0.5, n)
    strange = (frame["region"] == "east").to_numpy()
    return frame, two_classes(p, rng.random(n) < np.where(strange, 0.5, p))


@pytest.mark.parametrize("seed", range(10))
def test_a_shifted_group_is_found_first(seed: int) -> None:
    frame, part = shifted(seed)
    found = fairness(frame, part, ["sex", "region", "age"])
    first = fairness_actions(found)[0]
    assert (first.kind, first.subject, first.mandate) == ("fix group", "region is east", "\"region\" = 'east'")
    inside = (frame["region"] == "east").to_numpy()
    wrong = 1 - part.right
    assert first.gain.estimate == pytest.approx((wrong[inside].mean() - wrong[~inside].mean()) * inside.mean())
    assert 0 < first.gain.lower < first.gain.estimate < first.gain.upper
    assert not first.blocking


def test_a_group_that_is_merely_harder_promises_no_gain() -> None:
    rng = np.random.default_rng(3)
    frame = people(rng, 8000)
    hard = (frame["region"] == "south").to_numpy()
    p = np.where(hard, 0.6, 0.95)
    actions = fairness_actions(fairness(frame, two_classes(p, rng.random(8000) < p), ["region"]))
    assert [(action.kind, action.subject, action.gain) for action in actions] == [
        ("watch group", "region is south", None)
    ]
    assert "expects 40.0%" in actions[0].why


def test_an_intersection_is_named_where_neither_of_its_groups_is() -> None:
    rng = np.random.default_rng(5)
    frame = pl.DataFrame({"sex": rng.choice(["f", "m"], 8000), "club": rng.choice(["a", "b"], 8000)})
    odd = ((frame["sex"] == "f") != (frame["club"] == "a")).to_numpy()
    part = two_classes(np.full(8000, 0.9), rng.random(8000) < np.where(odd, 0.7, 0.9))
    found = fairness(frame, part, ["sex", "club"])
    assert not found.worse
    assert {group.words for group in found.crossed if group.standing == "worse"} == {
        "sex is f and club is b",
        "sex is m and club is a",
    }
    assert {action.kind for action in fairness_actions(found)} == {"fix group"}


def test_each_figure_is_what_others_compute() -> None:
    frame, part = shifted(1)
    found = fairness(frame, part, ["sex", "region"], FairnessPlan(threshold=0.9))
    y, said, p = part.y, part.scores.argmax(axis=1), part.scores[:, 1]
    for group in found.groups:
        column, value = group.predicates[0].words.split(" is ")
        inside = (frame[column] == value).to_numpy()
        (tn, fp), (fn, tp) = confusion_matrix(y[inside], said[inside])
        expected = {
            "error": (fp + fn) / inside.sum(),
            "selected": (tp + fp) / inside.sum(),
            "base": (tp + fn) / inside.sum(),
            "false_positive": fp / (fp + tn),
            "false_negative": fn / (fn + tp),
            "calibration": p[inside].mean() - y[inside].mean(),
            "automated": np.mean(np.maximum(p, 1 - p)[inside] >= 0.9),
            "surprise": (fp + fn) / inside.sum() - np.mean(1 - np.maximum(p, 1 - p)[inside]),
        }
        assert {name: one.rate.estimate for name, one in group.figures.items()} == pytest.approx(expected)
        lower, upper = proportion_confint(fp + fn, inside.sum(), method="beta")
        assert (group.error.rate.lower, group.error.rate.upper) == pytest.approx((lower, upper))
        wrong = said != y
        table = [[wrong[inside].sum(), (~wrong)[inside].sum()], [wrong[~inside].sum(), (~wrong)[~inside].sum()]]
        sides = [stats.fisher_exact(table, alternative=side).pvalue for side in ("less", "greater")]
        assert apart(tally(Sample(wrong), (~inside).astype(int), 2), 0).p == pytest.approx(min(1, 2 * min(sides)))
        assert group.error.rest == pytest.approx(wrong[~inside].mean())


def test_means_are_compared_as_welch_does() -> None:
    rng = np.random.default_rng(0)
    values, codes = rng.normal(size=300), np.repeat([0, 1], [40, 260])
    values[:40] = values[:40] * 3 + 1
    found = apart(tally(Sample(values, share=False), codes, 2), 0)
    other = stats.ttest_ind(values[:40], values[40:], equal_var=False)
    assert found.estimate == pytest.approx(values[:40].mean() - values[40:].mean())
    floor = max(values.var() / values[40:].var(ddof=1), 1)
    assert found.p == pytest.approx(other.pvalue, rel=0.3 * floor)
    mean = rate(tally(Sample(values, share=False), codes, 2), 0, 0.05)
    low, high = stats.t.interval(0.95, 39, values[:40].mean(), stats.sem(values[:40]))
    assert (mean.lower, mean.upper) == pytest.approx((low, high))


def test_clusters_are_counted_as_a_comparison_by_hand_does() -> None:
    rng = np.random.default_rng(0)
    clusters, codes = rng.integers(0, 80, 700), rng.integers(0, 3, 700)
    values, where = rng.random(700) < 0.2 + 0.3 * (clusters < 20), rng.random(700) < 0.7
    found = clustered(Sample(values, where=where), cells_of(clusters, codes, 3))
    _, known = np.unique(clusters[where], return_inverse=True)
    for code in range(3):
        inside = codes[where] == code
        other = gap(values[where] * 1.0, inside, None, known)
        one = found.apart(code)
        assert (one.here, one.there) == pytest.approx((other.inside, other.outside))
        assert (one.error, one.df) == pytest.approx((other.error, other.df))
        assert found.rate(code, 0.05).n == other.n


def test_ratios_hold_one_where_differences_hold_none() -> None:
    rng = np.random.default_rng(0)
    wrong, codes = rng.random(2000) < 0.2, (np.arange(2000) >= 300).astype(int)
    found = apart(tally(Sample(wrong), codes, 2), 0)
    low, high = found.ratio(0.05)
    assert low < found.here / found.there < high
    assert (low < 1 < high) == (found.difference(0.05)[0] < 0 < found.difference(0.05)[1])
    assert apart(tally(Sample(np.zeros(2000)), codes, 2), 0).ratio(0.05) is None


def test_of_a_group_too_small_it_is_told_what_is_excluded() -> None:
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"sex": ["f"] * 12 + ["m"] * 400})
    wrong = np.r_[[True], np.zeros(11, dtype=bool), rng.random(400) < 0.1]
    found = fairness(frame, two_classes(np.full(412, 0.8), ~wrong), ["sex"])
    small, large = found.groups
    assert (small.standing, large.standing) == ("few", "alone")
    excluded = proportion_confint(1, 12, method="beta")[1]
    assert f"too few to tell; an error rate above {excluded:.0%} is excluded." in small.sentence
    assert "too few others to compare with" in large.sentence
    assert found.few == (small,)
    assert fairness_actions(found)[-1].subject == "groups with few cases"
    assert "fair" not in " ".join(group.sentence for group in found.groups)


def test_a_group_shown_to_lie_within_the_limit_is_told_apart_from_one_that_is_not_shown() -> None:
    rng = np.random.default_rng(2)
    frame = pl.DataFrame({"sex": rng.choice(["f", "m", "x"], 9000, p=[0.5, 0.49, 0.01])})
    found = fairness(frame, two_classes(np.full(9000, 0.8), rng.random(9000) < 0.8), ["sex"])
    assert [group.standing for group in found.groups] == ["alike", "alike", "open"]
    assert "a large one not excluded" in found.groups[2].sentence


def test_ages_are_cut_into_decades_other_numbers_into_fifths_and_blanks_are_a_group() -> None:
    ages = group_column(pl.Series("age", [str(age) for age in range(18, 90)] * 8 + ["?"]), 30)
    assert [group.words for group in ages.groups] == [
        "age is under 30",
        *(f"age is from {low} to {low + 9}" for low in (30, 40, 50, 60, 70)),
        "age is 80 or more",
        "age is missing",
    ]
    income = group_column(pl.Series("income", np.random.default_rng(0).lognormal(8, 1, 5000)), 30)
    sizes = np.bincount(income.codes)
    assert len(sizes) == 5
    assert sizes.min() > 600
    rare = group_column(pl.Series("town", [f"t{i % 40}" for i in range(4000)]), 30)
    assert rare.groups[-1].words == "town is one of 21 rarer values"
    for column in (ages, rare, income):
        assert set(np.unique(column.codes)) == set(range(len(column.groups)))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pl.Series("x", [None] * 40), ["x is missing"]),
        (pl.Series("x", [None] * 40, dtype=pl.String), ["x is missing"]),
        (pl.Series("x", ["a"] * 40, dtype=pl.Categorical), ["x is a"]),
        (pl.Series("x", [True, False] * 20), ["x is false", "x is true"]),
        (pl.Series("x", [1.0, 2.0, None, float("nan")] * 10), ["x is 1", "x is 2", "x is missing"]),
        (pl.date_range(pl.date(2020, 1, 1), pl.date(2021, 12, 31), eager=True).alias("x"), ["x is 2020", "x is 2021"]),
        (pl.Series("x", [*np.linspace(0, 1, 39), np.inf]), None),
        (pl.Series("x", ["?", "", "NA", "1"] * 10), ["x is 1", "x is missing"]),
    ],
)
def test_a_column_of_any_kind_is_groups(values: pl.Series, words: list[str] | None) -> None:
    found = group_column(values, 5)
    assert words is None or [group.words for group in found.groups] == words
    assert len(found.codes) == len(values)
    assert found.codes.max() < len(found.groups)


def test_numbers_and_many_classes_are_compared_too() -> None:
    rng = np.random.default_rng(4)
    who = pl.DataFrame({"site": rng.choice(["a", "b"], 3000)})
    truth = rng.normal(size=3000)
    predicted = truth + rng.normal(0, 1, 3000) + np.where(who["site"] == "b", 0.8, 0.0)
    part = TestPart(
        y=truth,
        scores=predicted[:, None],
        confidence=np.full(3000, 0.68),
        baseline=predicted[:, None],
        baseline_name="itself",
        hard=False,
        tolerance=1.0,
    )
    b = fairness(who, part, ["site"]).groups[1]
    inside = (who["site"] == "b").to_numpy()
    off = predicted[inside] - truth[inside]
    assert b.figures["bias"].rate.estimate == pytest.approx(off.mean())
    assert b.figures["size"].rate.estimate == pytest.approx(np.abs(off).mean())
    assert b.figures["bias"].significant
    assert b.standing == "worse"
    scores = rng.dirichlet([1, 1, 1], 3000)
    part = many_classes(scores, (rng.random((3000, 1)) < scores.cumsum(axis=1)).argmax(axis=1))
    assert set(fairness(who, part, ["site"]).groups[0].figures) == {"error", "surprise"}


def many_classes(scores: np.ndarray, y: np.ndarray) -> TestPart:
    return TestPart(
        y=y, scores=scores, confidence=scores.max(axis=1), baseline=scores, baseline_name="itself", hard=False
    )


def test_it_is_stored_and_read_again() -> None:
    frame, part = shifted(0, 900)
    found = fairness(frame, part, ["sex", "region"])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Fairness) == found


def test_bad_input_is_named() -> None:
    frame, part = shifted(0, 300)
    assert fairness(frame, part, []) is None
    with pytest.raises(ValueError, match="no column race"):
        fairness(frame, part, ["race"])
    with pytest.raises(ValueError, match="got 10 and 300"):
        fairness(frame.head(10), part, ["sex"])
    with pytest.raises(ValueError, match="two rows at least"):
        FairnessPlan(least=1)
    one = fairness(frame.head(1), two_classes(np.array([0.9]), np.array([1])), ["sex", "age"])
    assert [group.standing for group in one.groups] == ["few", "few"]


def test_the_threshold_is_that_at_which_the_promise_would_have_been_kept() -> None:
    def point(coverage: float, threshold: float, upper: float) -> CoveragePoint:
        return CoveragePoint(coverage=coverage, threshold=threshold, error=upper / 2, lower=0.0, upper=upper)

    points = [point(0.2, 0.99, 0.01), point(0.5, 0.9, 0.04), point(1.0, 0.5, 0.2)]
    assert promised_threshold(points, 0.05) == 0.9
    assert promised_threshold(points, 0.001) is None
