"""The bounds on risk and coverage hold for all thresholds together, so also for the one that somebody picks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import kept
from scipy import stats

from understudy.evidence.bands import (
    Answers,
    BandPlan,
    Curve,
    SelectiveRisk,
    between,
    closest,
    history_bands,
    live_bands,
    rings,
    widest_kept,
)
from understudy.evidence.betting import log_mixed
from understudy.evidence.gate import make_grid
from understudy.evidence.means import BETS, SHARES, mean_bounds

ALPHA, RISK = 0.1, 0.05
GRID = (0.9, 0.8, 0.6, 0.3, 0.0)
PLAN = BandPlan(grid=(GRID,), alpha=ALPHA)
FINE = np.linspace(0.0, 0.9, 19)


@dataclass(frozen=True)
class World:
    """Cases whose confidence is drawn by `draw`, and which are wrong with the probability `wrong(confidence)`."""

    wrong: Callable[[np.ndarray], np.ndarray]
    draw: Callable[[np.random.Generator, int], np.ndarray] = lambda rng, n: rng.random(n)
    least: float = 1.0

    def answers(self, rng: np.random.Generator, n: int) -> Answers:
        """Cases of this world; where `least` is below 1, wrong ones are looked at more often than right ones."""
        confidence = self.draw(rng, n)
        chance = self.wrong(confidence)
        hint = rng.random(n) < chance  # what an observer suspects before the look
        loss = np.where(hint, rng.random(n) < 0.8, rng.random(n) < chance * 0.2 / np.maximum(1 - chance, 1e-9))
        propensity = np.where(hint, 1.0, self.least)
        seen = rng.random(n) < propensity
        return Answers(
            confidence=confidence,
            loss=np.where(seen, loss, np.nan).astype(float),
            weight=self.least / propensity,
            cases=n,
        )

    @cached_property
    def many(self) -> tuple[np.ndarray, np.ndarray]:
        """So many confidences, falling, that chance plays no part; and how often it is wrong from each of them on."""
        confidence = np.sort(self.draw(np.random.default_rng(99), 1_000_000))[::-1]
        return confidence, self.wrong(confidence).cumsum() / np.arange(1, len(confidence) + 1)

    def truth(self, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The coverage and the risk at each threshold."""
        confidence, risk = self.many
        covered = len(confidence) - np.searchsorted(confidence[::-1], thresholds, side="left")
        return covered / len(confidence), risk[np.maximum(covered, 1) - 1]


ATOMS = np.array([0.0, 0.3, 0.6, 0.8, 0.9, 0.95])
WORLDS = {
    "risk at the limit everywhere": World(lambda c: np.full(len(c), RISK)),
    "risk falls with confidence": World(lambda c: 0.3 * (1 - c)),
    "confidence against correctness": World(lambda c: 0.02 + 0.2 * c),
    "rare errors": World(lambda c: np.full(len(c), 0.002)),
    "heavy ties": World(lambda c: 0.3 * (1 - c), lambda rng, n: rng.choice(ATOMS, n)),
}
AUDITED = World(lambda c: 0.2 * (1 - c) + 0.02, least=0.1)


def misses(curve: Curve, coverage: np.ndarray, risk: np.ndarray) -> bool:
    """Whether any bound misses the truth."""
    return any(
        not (at.coverage.lower <= share <= at.coverage.upper and at.risk.lower <= mean <= at.risk.upper)
        for at, share, mean in zip(curve, coverage, risk, strict=True)
    )


@pytest.mark.parametrize("name", WORLDS)
def test_from_history_all_bounds_hold_together(name: str) -> None:
    world, rng = WORLDS[name], np.random.default_rng(1)
    truth = world.truth(np.array(GRID))
    broken = [misses(history_bands(PLAN, [world.answers(rng, 400)])[0], *truth) for _ in range(150)]
    assert kept(np.array(broken), ALPHA)


@pytest.mark.parametrize("name", WORLDS)
def test_from_history_they_hold_too_on_a_grid_of_its_own_quantiles(name: str) -> None:
    world, rng, broken = WORLDS[name], np.random.default_rng(12), []
    for _ in range(150):
        answers = world.answers(rng, 400)
        grid = make_grid(answers.confidence, 0.05, points=5)
        [curve] = history_bands(BandPlan(grid=(grid,), alpha=ALPHA), [answers])
        broken.append(misses(curve, *world.truth(np.array(grid))))
    assert kept(np.array(broken), ALPHA)


def own_wealth(answers: Answers, thresholds: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """What the gamblers above and below own against the true risk, case by case; of shape (2, n, t)."""
    loss, weight = np.nan_to_num(answers.loss), np.where(np.isnan(answers.loss), 0.0, answers.weight)
    counted = (answers.confidence[:, None] >= thresholds) * weight[:, None]
    edges = [(loss[:, None] - risk) / risk, (risk - loss[:, None]) / (1 - risk)]
    logs = [np.log1p((counted * edge)[:, :, None] * np.array(BETS)).cumsum(axis=0) for edge in edges]
    return np.array([log_mixed(path, SHARES) for path in logs])


def ever_refuted(world: World, *, weighted: bool = True, alpha: float, runs: int = 120, n: int = 1000) -> np.ndarray:
    """Whether the truth at any threshold ever leaves bounds that are looked at after every case."""
    rng = np.random.default_rng(2)
    _, risk = world.truth(np.array(GRID))
    broken = []
    for _ in range(runs):
        answers = world.answers(rng, n)
        if not weighted:
            answers = Answers(confidence=answers.confidence, loss=answers.loss, weight=np.ones(n), cases=answers.cases)
        broken.append(own_wealth(answers, np.array(GRID), risk).max() >= np.log(2 / alpha))
    return np.array(broken)


@pytest.mark.parametrize("name", [*WORLDS, "audits that depend on the case"])
def test_live_all_bounds_hold_together_at_all_times(name: str) -> None:
    assert kept(ever_refuted(WORLDS.get(name, AUDITED), alpha=PLAN.for_risk), ALPHA)


def test_audits_without_their_weights_break_the_promise() -> None:
    assert not kept(ever_refuted(AUDITED, weighted=False, alpha=PLAN.for_risk), ALPHA)


@pytest.mark.parametrize("world", [WORLDS["risk falls with confidence"], WORLDS["heavy ties"], AUDITED])
def test_the_live_bounds_are_those_that_an_own_gambler_refutes(world: World) -> None:
    answers = world.answers(np.random.default_rng(3), 800)
    [curve] = live_bands(PLAN, [answers])
    goal = np.log(2 / PLAN.for_risk)
    for at in curve:
        for place, bound, outwards in ((0, at.risk.lower, -1), (1, at.risk.upper, 1)):
            if 0 < bound < 1:
                inside, outside = bound - outwards * 1e-6, bound + outwards * 1e-6
                found = [
                    own_wealth(answers, np.array([at.threshold]), np.array([r]))[place, -1, 0]
                    for r in (inside, outside)
                ]
                assert found[0] < goal < found[1]


def test_bounds_for_one_threshold_break_when_the_best_is_picked_and_those_for_all_do_not() -> None:
    rng, world, k = np.random.default_rng(4), WORLDS["risk at the limit everywhere"], 4
    every = BandPlan(grid=(GRID,) * k, alpha=ALPHA)
    each = [BandPlan(grid=((threshold,),), alpha=ALPHA) for threshold in GRID]
    broken: dict[str, list[bool]] = {"every": [], "each": []}
    for _ in range(100):
        drawn = [world.answers(rng, 300) for _ in range(k)]
        curves = {
            "every": history_bands(every, drawn),
            "each": [[history_bands(plan, [answers])[0][0] for plan in each] for answers in drawn],
        }
        for kind, found in curves.items():
            broken[kind].append(any(widest_kept(curve, RISK * 0.999) is not None for curve in found))
    assert kept(np.array(broken["every"]), ALPHA)
    assert not kept(np.array(broken["each"]), ALPHA)


@pytest.mark.parametrize("bands", [live_bands, history_bands])
@pytest.mark.parametrize("name", ["risk falls with confidence", "confidence against correctness", "heavy ties"])
def test_between_thresholds_the_bounds_hold_too(name: str, bands: Callable[..., tuple[Curve, ...]]) -> None:
    world, rng = WORLDS[name], np.random.default_rng(5)
    coverage, risk = world.truth(FINE)
    broken = []
    for _ in range(25):
        answers = world.answers(rng, 1000)
        [curve] = bands(PLAN, [answers])
        broken.append(misses(tuple(between(curve, answers, at) for at in FINE.tolist()), coverage, risk))
    assert kept(np.array(broken), ALPHA)


def test_from_history_each_bound_is_exact_at_its_part_of_alpha() -> None:
    answers = WORLDS["risk falls with confidence"].answers(np.random.default_rng(6), 500)
    for at in history_bands(PLAN, [answers])[0]:
        loss = answers.loss[answers.confidence >= at.threshold]
        errors, n = int(loss.sum()), len(loss)
        assert at.risk.estimate == errors / n
        assert at.risk.upper == pytest.approx(stats.beta.ppf(1 - 0.9 * ALPHA / 5 / 2, errors + 1, n - errors))
        assert at.coverage.estimate == n / 500
        assert at.coverage.lower == pytest.approx(stats.beta.ppf(0.1 * ALPHA / 5 / 2, n, 501 - n) if n else 0)
        assert (at.risk.n, at.coverage.n, at.risk.confidence, at.risk.anytime) == (n, 500, 0.9, False)


def test_live_each_bound_is_that_of_its_own_cases_whatever_the_others_are() -> None:
    answers = WORLDS["risk falls with confidence"].answers(np.random.default_rng(7), 500)
    for at in live_bands(PLAN, [answers])[0]:
        alone = mean_bounds(answers.loss[answers.confidence >= at.threshold], alpha=PLAN.for_risk)
        assert (at.risk.estimate, at.risk.lower, at.risk.upper) == pytest.approx(
            (alone.estimate, alone.lower, alone.upper)
        )
        assert (at.risk.n, at.risk.anytime, at.risk.confidence) == (alone.n, True, 0.9)


def test_a_band_for_all_thresholds_costs_little_more_than_for_one() -> None:
    many, one = (
        BandPlan(grid=(tuple(np.linspace(0.9, 0, 20).tolist()),), alpha=0.05),
        BandPlan(grid=((0.0,),), alpha=0.05),
    )
    answers = WORLDS["risk at the limit everywhere"].answers(np.random.default_rng(8), 2000)
    for bands in (live_bands, history_bands):
        wide, narrow = bands(many, [answers])[0][-1].risk, bands(one, [answers])[0][-1].risk
        assert 1.2 < (wide.upper - wide.estimate) / (narrow.upper - narrow.estimate) < 1.6


def test_costs_are_bounded_as_means_and_refused_as_counts() -> None:
    rng = np.random.default_rng(9)
    loss = np.where(rng.random(600) < 0.1, 0.25, 0.0)
    answers = Answers(confidence=rng.random(600), loss=loss, weight=np.ones(600), cases=600)
    [curve] = history_bands(PLAN, [answers], costs=True)
    assert all(at.risk.lower <= 0.025 <= at.risk.upper < 0.2 for at in curve[2:])
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        history_bands(PLAN, [answers])


def test_without_a_look_nothing_is_known_of_the_risk_but_the_coverage_is() -> None:
    unseen = Answers(confidence=np.full(50, 0.95), loss=np.full(50, np.nan), weight=np.ones(50), cases=100)
    nobody = Answers(confidence=np.empty(0), loss=np.empty(0), weight=np.empty(0), cases=0)
    for bands in (live_bands, history_bands):
        [at, *_], [none, *_] = bands(PLAN, [unseen])[0], bands(PLAN, [nobody])[0]
        assert (at.risk.lower, at.risk.upper, at.risk.n) == (0.0, 1.0, 0)
        assert np.isnan(at.risk.estimate)
        assert 0.2 < at.coverage.lower < at.coverage.estimate == 0.5 < at.coverage.upper < 0.8
        assert (none.coverage.lower, none.coverage.upper) == (0.0, 1.0)


@given(seed=st.integers(0, 50))
def test_each_case_is_in_one_ring(seed: int) -> None:
    confidence = np.random.default_rng(seed).choice([0.1, 0.3, 0.5, 0.6, 0.9, 1.0], 30)
    grid = (0.9, 0.6, 0.3)
    found = dict(rings(grid, confidence))
    assert tuple(found) == grid
    for threshold in grid:
        places = np.concatenate([found[higher] for higher in grid if higher >= threshold])
        assert sorted(places.tolist()) == np.flatnonzero(confidence >= threshold).tolist()


def test_what_keeps_a_promise_is_the_lowest_proven_threshold_and_the_closest_has_the_lowest_bound() -> None:
    answers = WORLDS["risk falls with confidence"].answers(np.random.default_rng(10), 5000)
    [curve] = live_bands(PLAN, [answers])
    found = widest_kept(curve, 0.12)
    assert isinstance(found, SelectiveRisk)
    assert found.risk.upper <= 0.12
    assert all(at.risk.upper > 0.12 for at in curve if at.threshold < found.threshold)
    assert widest_kept(curve, 0.0001) is None
    assert closest(curve) == min(curve, key=lambda at: at.risk.upper)
    assert closest(()) is None


def test_beyond_the_grid_nothing_is_known_of_the_risk() -> None:
    answers = WORLDS["rare errors"].answers(np.random.default_rng(11), 2000)
    plan = BandPlan(grid=((0.8, 0.5),), alpha=ALPHA)
    [curve] = history_bands(plan, [answers])
    above, inside, below = (between(curve, answers, threshold) for threshold in (0.9, 0.5, 0.4))
    assert (above.risk.lower, above.risk.upper, below.risk.upper) == (0.0, 1.0, 1.0)
    assert above.coverage.upper == curve[0].coverage.upper
    assert inside == curve[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BandPlan(grid=((0.5, 0.5),), alpha=0.1), "strictly decrease"),
        (lambda: BandPlan(grid=((0.5,),), alpha=1.0), "alpha"),
        (lambda: live_bands(PLAN, []), "0 sides"),
        (lambda: Answers(confidence=np.ones(2), loss=np.zeros(2), weight=np.ones(2), cases=1), "at most 1 cases"),
        (lambda: Answers(confidence=np.array([np.nan]), loss=np.zeros(1), weight=np.ones(1), cases=1), "not NaN"),
        (lambda: Answers(confidence=np.ones(1), loss=np.array([2.0]), weight=np.ones(1), cases=1), "a loss"),
        (
            lambda: history_bands(
                PLAN, [Answers(confidence=np.ones(1), loss=np.zeros(1), weight=np.array([0.5]), cases=1)]
            ),
            "weights of 1",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
