"""Planted biases are found first and by name; predictions that are right show none."""

from datetime import date

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from understudy.evaluation.bias_tests import Cases, sums_of
from understudy.evaluation.measure_actions import bias_actions
from understudy.evaluation.prediction_bias import BiasPlan, Bucket, PredictionBias, prediction_bias


def inputs(seed: int, n: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    amount = rng.gamma(2, 500, n)
    return pl.DataFrame(
        {
            "region": rng.choice(["north", "south", "east", "west"], n, p=[0.15, 0.35, 0.3, 0.2]),
            "amount": pl.Series(np.where(rng.random(n) < 0.1, np.nan, amount)).fill_nan(None),
            "age": rng.integers(18, 80, n),
            "vip": rng.random(n) < 0.2,
            "seen": pl.Series(np.datetime64("2024-01-01") + rng.integers(0, 700, n).astype("timedelta64[D]")),
        }
    )


def world(seed: int, n: int = 3000) -> tuple[pl.DataFrame, np.ndarray, np.random.Generator]:
    frame, rng = inputs(seed, n), np.random.default_rng(seed + 10_000)
    return frame, rng.beta(1, 5, n), rng


def lift(p: np.ndarray, where: np.ndarray, odds: float) -> np.ndarray:
    return np.where(where, p * odds / (1 - p + p * odds), p)


def shown(seed: int, *, single: bool) -> bool:
    """Whether right predictions are called biased; `single`: as if each bucket were the only one."""
    frame, p, rng = world(seed, 1500)
    found = prediction_bias(frame, p, rng.random(1500) < p, scale="share", plan=BiasPlan(least_share=0.0))
    if single:
        every = (*found.deciles, found.overall)
        return any(one.p <= 0.05 for one in every)
    return bool(found.found) or found.small > 0


def test_right_predictions_show_no_bias_and_would_if_buckets_were_not_counted() -> None:
    alarms = sum(shown(seed, single=False) for seed in range(60))
    assert alarms <= stats.binom.ppf(0.999, 60, 0.05)
    assert sum(shown(seed, single=True) for seed in range(20)) > stats.binom.ppf(0.999, 20, 0.05)


def numbers_alarm(seed: int, *, grouped: bool) -> bool:
    frame, rng = inputs(seed, 1000), np.random.default_rng(seed)
    frame = frame[np.repeat(np.arange(200), 5)]
    predicted = np.repeat(rng.gamma(2, 50, 200), 5)
    outcome = predicted + np.repeat(rng.gamma(4, 5, 200) - 20, 5)
    groups = np.repeat(np.arange(200), 5) if grouped else None
    found = prediction_bias(frame, predicted, outcome, scale="number", groups=groups, plan=BiasPlan(least_spread=0))
    return bool(found.found) or found.small > 0


def test_rows_that_hang_together_show_no_bias_where_it_is_told_and_do_where_it_is_not() -> None:
    alarms = sum(numbers_alarm(seed, grouped=True) for seed in range(60))
    assert alarms <= stats.binom.ppf(0.999, 60, 0.06)
    assert sum(numbers_alarm(seed, grouped=False) for seed in range(20)) > stats.binom.ppf(0.999, 20, 0.06)


def test_a_planted_bias_is_found_first_and_said_in_a_sentence() -> None:
    first = 0
    for seed in range(12):
        frame, p, rng = world(seed)
        where = (frame["region"] == "north").to_numpy()
        found = prediction_bias(frame, p, rng.random(3000) < lift(p, where, 2.5), scale="share")
        first += bool(found.found) and found.found[0].words == "region is north"
        if seed == 0:
            (one, *others) = found.found
            assert others == []  # tenths of the prediction are biased only by these rows
            assert one.sentence.startswith(
                f"It predicts {one.predicted:.1%} where {one.observed:.1%} happen when region is north"
            )
            assert (one.predicted, one.n) == (pytest.approx(p[where].mean()), where.sum())
            assert found.sentence == one.sentence
    assert first >= 11


def test_each_figure_is_that_of_a_loop() -> None:
    frame, p, rng = world(1)
    y = (rng.random(3000) < lift(p, (frame["region"] == "north").to_numpy(), 3.0)) * 1.0
    found = prediction_bias(frame, p, y, scale="share")
    regions = {one.words: one for one in found.around[0]}
    for region in ("north", "south", "east", "west"):
        inside = (frame["region"] == region).to_numpy()
        one = regions[f"region is {region}"]
        assert one.condition == f"\"region\" = '{region}'"
        assert one.observed == pytest.approx(y[inside].mean())
        assert one.bias.estimate == pytest.approx((y - p)[inside].mean())
        low, high = proportion_confint(y[inside].sum(), inside.sum(), alpha=0.05 / found.tested, method="beta")
        if not one.significant:
            assert (one.bias.lower, one.bias.upper) == pytest.approx((low - p[inside].mean(), high - p[inside].mean()))
    assert sum(one.n for one in found.deciles) == 3000


def test_p_values_are_those_of_the_exact_law_and_all_are_counted() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(1, 4, 400)
    y = (rng.random(400) < p) * 1.0
    codes = rng.integers(0, 4, 400)
    sums = sums_of(Cases.of(p, y, shares=True, groups=None), codes, 4)
    for at in range(4):
        inside = codes == at
        law, came = stats.poisson_binom(p[inside]), y[inside].sum()
        assert sums.p[at] == pytest.approx(min(1, 2 * min(law.cdf(came), law.sf(came - 1))), rel=0.02)
    frame = inputs(2, 400)
    found = prediction_bias(frame, p, y, scale="share")
    every = {one.words: one for one in (found.overall, *found.deciles)}
    assert all(one.adjusted >= one.p for one in every.values())
    assert found.tested > 20
    levels = [one.adjusted for one in every.values()]
    assert min(levels) <= min(multipletests([one.p for one in every.values()], method="bonferroni")[1]) * found.tested


def test_numbers_are_tested_by_student() -> None:
    rng = np.random.default_rng(3)
    predicted = rng.normal(100, 20, 900)
    outcome = predicted + rng.normal(0, 10, 900)
    codes = np.repeat([0, 1, -1], 300)
    sums = sums_of(Cases.of(predicted, outcome, shares=False, groups=None), codes, 2)
    for at in range(2):
        expected = stats.ttest_1samp((outcome - predicted)[codes == at], 0)
        assert sums.p[at] == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("cause", ["missing", "unseen", "rare", "moved", "period"])
def test_the_cause_is_named(cause: str) -> None:
    frame, p, rng = world(4, 4000)
    train, train_p, _ = world(5, 4000)
    time, where, known = None, np.zeros(4000, dtype=bool), train_p
    if cause == "missing":
        where = frame["amount"].is_null().to_numpy()
        known = lift(train_p, train["amount"].is_null().to_numpy(), 3.0)
    elif cause in ("unseen", "rare"):
        where = (frame["region"] == "north").to_numpy()
        few = train["region"] == "north"
        train = train.filter(~few | (few & (pl.Series(few).cum_sum() <= (0 if cause == "unseen" else 20))))
        known = np.full(train.height, 0.16)
    elif cause == "moved":
        where = (frame["region"] == "north").to_numpy()
    else:
        time = frame["seen"].alias("decided")
        frame, train = frame.drop("seen"), train.drop("seen")
        where = (time >= date(2025, 6, 1)).to_numpy()
    y = rng.random(4000) < lift(p, where, 3.0)
    came = (np.random.default_rng(0).random(train.height) < known) * 1.0
    found = prediction_bias(frame, p, y, scale="share", time=time, train=train, train_outcome=came)
    one = found.found[0]
    assert one.cause is not None
    assert one.cause.kind == cause
    (action, *_) = bias_actions(found)
    assert action.what.startswith("Fix the model, not its output, where ")
    assert action.share == pytest.approx(where.mean(), abs=0.12)


def test_a_bias_everywhere_is_one_finding_and_hides_none_beside_it() -> None:
    frame, p, rng = world(6, 20_000)
    everywhere = lift(p, np.ones(20_000, dtype=bool), 1.5)
    found = prediction_bias(frame, p, rng.random(20_000) < everywhere, scale="share")
    assert [one.kind for one in found.found] == ["all"]
    assert found.explained > 5
    vip = frame["vip"].to_numpy()
    found = prediction_bias(frame, p, rng.random(20_000) < lift(everywhere, vip, 1.8), scale="share")
    assert {"all", "value"} == {one.kind for one in found.found}
    assert "vip is true" in [one.words for one in found.found]


def test_moving_the_predictions_of_a_bucket_avoids_mistakes_on_other_rows_too() -> None:
    frame, _, rng = world(7, 6000)
    p = rng.random(6000)
    where = (frame["region"] == "south").to_numpy()
    y = rng.random(6000) < lift(p, where, 4.0)
    (one, *_) = prediction_bias(frame, p, y, scale="share").found
    assert one.words == "region is south"
    moved = lift(p, where, 4.0)
    expected = np.mean(((p > 0.5) != y) * 1.0 - ((moved > 0.5) != y))
    assert one.gain.lower <= expected <= one.gain.upper
    assert one.gain.lower > 0


def test_a_bias_that_no_decision_hangs_on_is_a_finding_but_nothing_to_do() -> None:
    frame, rng = inputs(3, 6000), np.random.default_rng(3)
    p = np.full(6000, 0.05)
    found = prediction_bias(frame, p, rng.random(6000) < lift(p, frame["vip"].to_numpy(), 4.0), scale="share")
    assert found.found[0].words == "vip is true"
    assert found.found[0].gain.estimate == 0
    assert found.found[0].cause is None
    assert bias_actions(found) == ()


def test_of_many_biases_without_a_cause_those_are_to_be_mended_that_would_win_most() -> None:
    frame, rng = inputs(8, 3000), np.random.default_rng(8)
    predicted = rng.normal(100, 20, 3000)
    outcome = predicted + rng.normal(0, 5, 3000) + 12 * frame["vip"].to_numpy()
    (one, *_) = (found := prediction_bias(frame, predicted, outcome, scale="number", tolerance=8.0)).found

    def named(gain: float) -> Bucket:
        return replace(one, words=f"w{gain:g}", gain=replace(one.gain, estimate=gain))

    many = replace(found, found=tuple(named(gain) for gain in (0.01, 0.07, 0.0, 0.03, 0.02, 0.05, 0.04, -0.01)))
    assert [action.subject for action in bias_actions(many)] == ["w0.07", "w0.05", "w0.04", "w0.03", "w0.02"]


def test_numbers_have_a_gain_where_there_is_a_tolerance() -> None:
    frame, rng = inputs(8, 3000), np.random.default_rng(8)
    predicted = rng.normal(100, 20, 3000)
    where = frame["vip"].to_numpy()
    outcome = predicted + rng.normal(0, 5, 3000) + 12 * where
    (one, *_) = prediction_bias(frame, predicted, outcome, scale="number", tolerance=8.0).found
    assert one.words == "vip is true"
    assert one.sentence.startswith("On average it predicts ")
    assert " when vip is true (" in one.sentence
    before, after = np.abs(outcome - predicted) > 8, np.abs(outcome - predicted - 12 * where) > 8
    assert one.gain.estimate == pytest.approx(before.mean() - after.mean(), abs=0.005)
    assert prediction_bias(frame, predicted, outcome, scale="number").found[0].gain is None


def test_biases_too_small_to_matter_are_counted_and_not_shown() -> None:
    rng = np.random.default_rng(9)
    p = np.full(400_000, 0.1)
    found = prediction_bias(
        pl.DataFrame({"a": rng.choice(["x", "y"], 400_000)}), p, rng.random(400_000) < 0.106, scale="share"
    )
    assert (found.found, found.small > 0) == ((), True)
    assert "None of" in found.sentence


@pytest.mark.parametrize("n", [1, 7, 800])
def test_it_survives_as_json_whatever_the_rows(n: int) -> None:
    frame, p, rng = world(10, n)
    for scale in ("share", "sureness", "number"):
        found = prediction_bias(frame, p, (rng.random(n) < lift(p, np.ones(n, dtype=bool), 9.0)) * 1.0, scale=scale)
        assert msgspec.json.decode(msgspec.json.encode(found), type=PredictionBias) == found


def test_what_does_not_fit_is_refused() -> None:
    frame, p, _ = world(11, 20)
    with pytest.raises(ValueError, match="one outcome per row: got shape"):
        prediction_bias(frame, p, np.zeros(19), scale="share")
    with pytest.raises(ValueError, match="no rows"):
        prediction_bias(frame[:0], p[:0], p[:0], scale="share")
    with pytest.raises(ValueError, match="finite numbers"):
        prediction_bias(frame, p, np.full(20, np.nan), scale="share")
