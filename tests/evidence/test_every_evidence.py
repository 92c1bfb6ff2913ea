"""What every statement has in common: bounds around its estimate, within its range, and clear words to bad input.

The tables name every public function that states something or folds something; one that is missing fails.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from promises import batches, cuts

from understudy import evidence
from understudy.core.evidence import Evidence
from understudy.evidence.assignment import arm_shares
from understudy.evidence.asymptotic import AsymptoticPlan, AsymptoticState, asymptotic_evidence, fold_asymptotic
from understudy.evidence.bands import Answers, BandPlan, between, history_bands, live_bands
from understudy.evidence.bernstein import BernsteinPlan, BernsteinState, bernstein_evidence, fold_bernstein
from understudy.evidence.budget import BudgetPlan, BudgetState, fold_budget, spent
from understudy.evidence.change import DetectorPlan, fold_detector, open_detector
from understudy.evidence.comparison import UnpairedPlan, fold_unpaired, open_unpaired, unpaired_lead
from understudy.evidence.consensus import Judgements, dawid_skene, reviewer_errors
from understudy.evidence.discoveries import LondState, e_bh, e_lond
from understudy.evidence.fixed import clopper_pearson, hoeffding_bentkus
from understudy.evidence.gate import GatePlan, Rows, fold_gate, how_far, open_gate
from understudy.evidence.label_shift import black_box_shares, label_shift
from understudy.evidence.means import WEIGHTS, MeanPlan, fold_mean, mean_bounds, mean_evidence, merge_means, open_mean
from understudy.evidence.off_policy import fold_values, open_values, self_normalised, values
from understudy.evidence.pairs import PairPlan, fold_pairs, lead, open_pairs
from understudy.evidence.people import anchoring, cohen_kappa, fleiss_kappa, krippendorff_alpha, reviewer_error
from understudy.evidence.pseudo_outcomes import CLIPS, ValuePlan, doubly_robust, ips
from understudy.evidence.shift import compare_cells, compare_share, strange_excess
from understudy.evidence.stretch import stretch_errors
from understudy.evidence.unlabelled import (
    Labelled,
    adapted_accuracy,
    adapted_confusion,
    estimated_accuracy,
    estimated_confusion,
    importance,
)
from understudy.evidence.winner import winner

PARTS = {
    *("assignment.one_arm", "bands.live_curve", "bands.history_curve", "bands.together", "consensus.stated"),
    *("consensus.silent", "gate_distance.distance", "gate_distance.bound", "label_shift.statements"),
    *("label_shift.nothing", "people.beyond_chance", "unlabelled.count_share", "unlabelled.shared_share"),
    *("unlabelled.refusal", "bands.widest_kept", "bands.closest", "gate.fold_side", "gate.fold_counts"),
}
"""Pieces of those below, or choices among their results."""

STATES = ("Evidence", "Distance", "Spent", "LabelShift", "SelectiveRisk", "Curve", "Winner")
"""What holds a statement."""


@dataclass(frozen=True)
class World:
    """Cases for every function, each array of n rows."""

    loss: np.ndarray
    cost: np.ndarray
    seen: np.ndarray
    drawn: np.ndarray
    weight: np.ndarray
    confidence: np.ndarray
    side: np.ndarray
    scores: np.ndarray
    label: np.ndarray

    @property
    def n(self) -> int:
        return len(self.loss)

    @property
    def looked(self) -> int:
        return int((~np.isnan(self.seen)).sum())

    @property
    def errors(self) -> int:
        return int(self.loss.sum())

    def part(self, where: slice) -> World:
        return World(**{name: array[where] for name, array in vars(self).items()})


def world(seed: int, n: int) -> World:
    """Any cases: with many errors or none, all looked at or hardly any, ties or none."""
    rng = np.random.default_rng(seed)
    risk, looks = rng.choice([0.0, 0.03, 0.3, 1.0]), rng.choice([0.05, 0.5, 1.0])
    loss = (rng.random(n) < risk).astype(float)
    cost = (
        np.round(rng.random(n), rng.integers(0, 4)) if rng.random() < 0.5 else np.full(n, rng.choice([0.0, 0.2, 1.0]))
    )
    first = rng.beta(*rng.choice([0.3, 1.0, 4.0], 2), n)
    return World(
        loss=loss,
        cost=cost,
        seen=np.where(rng.random(n) < looks, loss, np.nan),
        drawn=np.full(n, looks),
        weight=rng.choice([0.1, 0.5, 1.0], n),
        confidence=np.round(rng.random(n), 2),
        side=rng.integers(2, size=n),
        scores=np.column_stack([first, 1 - first]),
        label=(rng.random(n) > first).astype(int),
    )


@dataclass(frozen=True)
class Stated:
    """A function that states something.

    Attributes
    ----------
    say : callable
        From cases and α, what it states.
    low, high : float
        The range of what it is about.
    n : callable, optional
        How many observations it rests on; unknown where it is an effective size.
    """

    say: Callable[[World, float], Iterable[Evidence]]
    low: float = 0.0
    high: float = 1.0
    n: Callable[[World], int] | None = None


def mean(w: World, alpha: float, weights: tuple[float, ...] = (1.0,)) -> Evidence:
    plan = MeanPlan(alpha=alpha, low=-1.0, high=3.0, weights=weights)
    weight = None if weights == (1.0,) else w.weight
    return mean_evidence(fold_mean(open_mean(plan), plan, 4 * w.cost - 1, weight), plan)


def gate_rows(w: World) -> Rows:
    return Rows(side=w.side, confidence=w.confidence, loss=w.seen, weight=w.weight)


def gate_plan(alpha: float) -> GatePlan:
    return GatePlan(sides=("a", "b"), grid=((0.9, 0.5, 0.0), (0.7, 0.0)), max_error=0.1, delta=alpha)


def budget_plan(w: World, alpha: float) -> BudgetPlan:
    return BudgetPlan(max_error=0.05, delta=alpha, pi_min=float(w.drawn[0]) if w.n else 0.5, limit=100)


def answers(w: World) -> Answers:
    return Answers(confidence=w.confidence, loss=w.seen, weight=np.ones(w.n), cases=w.n + 10)


def band_statements(curves: Iterable[Iterable[object]]) -> list[Evidence]:
    return [said for curve in curves for at in curve for said in (at.risk, at.coverage)]


def bands_between(w: World, alpha: float) -> list[Evidence]:
    [curve] = live_bands(BandPlan(grid=((0.8, 0.4, 0.0),), alpha=alpha), [answers(w)])
    found = [between(curve, answers(w), threshold) for threshold in (0.95, 0.8, 0.6, 0.2, -1.0)]
    return [said for at in found for said in (at.risk, at.coverage)]


def half(w: World) -> np.ndarray:
    return np.full(w.n, 0.5)


def value(w: World, alpha: float, *, robust: bool) -> tuple[Evidence, ...]:
    both = np.full((w.n, 2), 0.5)
    if robust:
        plan = ValuePlan(alpha=alpha, clips=CLIPS)
        scores = doubly_robust(plan, w.cost, w.side, both, np.tile([0.8, 0.2], (w.n, 1)), both)
    else:
        plan = ValuePlan(alpha=alpha, largest=2.0)
        scores = ips(plan, w.cost, half(w), w.side.astype(float))
    return values(fold_values(open_values(plan), plan, scores), plan)


def labelled(w: World) -> Labelled:
    return Labelled(scores=w.scores, labels=w.label, predicted=w.scores.argmax(axis=1), weight=w.weight)


def flat(rows: Iterable[Iterable[Evidence]]) -> list[Evidence]:
    return [one for row in rows for one in row]


def judgements(w: World) -> Judgements:
    """Three of four reviewers on each case."""
    case, reviewer = np.repeat(np.arange(w.n // 3), 3), np.arange(w.n // 3 * 3) % 4
    return Judgements(case=case, reviewer=reviewer, answer=w.label[: len(case)], answers=2)


def best(w: World, alpha: float) -> list[Evidence]:
    return [winner([clopper_pearson(w.errors, w.n, alpha=alpha / 3)] * 2).value]


def double_votes(w: World) -> np.ndarray:
    return np.column_stack([2 * w.label, 2 - 2 * w.label])


STATED: dict[str, Stated] = {
    "assignment.arm_shares": Stated(
        lambda w, a: arm_shares([w.errors, w.n - w.errors], [0.3, 0.7], alpha=a), n=lambda w: w.n
    ),
    "asymptotic.asymptotic_evidence": Stated(
        lambda w, a: [asymptotic_evidence(fold_asymptotic(AsymptoticState(), w.cost), AsymptoticPlan(alpha=a))],
        -math.inf,
        math.inf,
        lambda w: w.n,
    ),
    "bands.live_bands": Stated(
        lambda w, a: band_statements(live_bands(BandPlan(grid=((0.8, 0.0),), alpha=a), [answers(w)]))
    ),
    "bands.history_bands": Stated(
        lambda w, a: band_statements(history_bands(BandPlan(grid=((0.8, 0.0),), alpha=a), [answers(w)]))
    ),
    "bands.between": Stated(bands_between),
    "bernstein.bernstein_evidence": Stated(
        lambda w, a: [
            bernstein_evidence(fold_bernstein(BernsteinState(), BernsteinPlan(alpha=a), w.cost), BernsteinPlan(alpha=a))
        ],
        n=lambda w: w.n,
    ),
    "budget.spent": Stated(
        lambda w, a: [spent(fold_budget(BudgetState(), budget_plan(w, a), w.seen, w.drawn), budget_plan(w, a)).errors],
        high=math.inf,
        n=lambda w: w.looked,
    ),
    "comparison.unpaired_lead": Stated(
        lambda w, a: [
            unpaired_lead(
                fold_unpaired(
                    open_unpaired(UnpairedPlan(alpha=a, least=0.5)),
                    UnpairedPlan(alpha=a, least=0.5),
                    w.side == 1,
                    w.seen,
                    half(w),
                ),
                UnpairedPlan(alpha=a, least=0.5),
            )
        ],
        -1.0,
        n=lambda w: w.looked,
    ),
    "consensus.reviewer_errors": Stated(lambda w, a: reviewer_errors(judgements(w), alpha=a)),
    "fixed.clopper_pearson": Stated(lambda w, a: [clopper_pearson(w.errors, w.n, alpha=a)], n=lambda w: w.n),
    "fixed.hoeffding_bentkus": Stated(lambda w, a: [hoeffding_bentkus(w.cost, alpha=a)], n=lambda w: w.n),
    "gate_distance.how_far": Stated(
        lambda w, a: [
            far.risk
            for far in how_far(fold_gate(open_gate(gate_plan(a)), gate_plan(a), gate_rows(w)), gate_plan(a)).values()
        ]
    ),
    "label_shift.label_shift": Stated(
        lambda w, a: [
            *label_shift(w.scores, w.label, w.scores[::2], alpha=a).shares,
            *label_shift(w.scores, w.label, w.scores[::2], alpha=a).check,
        ],
        n=lambda w: (w.n + 1) // 2,
    ),
    "label_shift.black_box_shares": Stated(
        lambda w, a: black_box_shares(w.scores, w.label, w.scores[::2], alpha=a), n=lambda w: (w.n + 1) // 2
    ),
    "means.mean_evidence": Stated(lambda w, a: [mean(w, a), mean(w, a, WEIGHTS)], -1.0, 3.0, lambda w: w.n),
    "means.mean_bounds": Stated(lambda w, a: [mean_bounds(w.seen, alpha=a, weight=w.weight)], n=lambda w: w.looked),
    "off_policy.values": Stated(lambda w, a: [*value(w, a, robust=False), *value(w, a, robust=True)]),
    "off_policy.self_normalised": Stated(
        lambda w, a: [self_normalised(ValuePlan(alpha=a), w.cost, half(w), w.side.astype(float))]
    ),
    "pairs.lead": Stated(
        lambda w, a: [
            lead(
                fold_pairs(open_pairs(PairPlan(alpha=a)), PairPlan(alpha=a), w.seen - 0.3, w.weight), PairPlan(alpha=a)
            )
        ],
        -1.0,
        n=lambda w: w.looked,
    ),
    "people.cohen_kappa": Stated(lambda w, a: [cohen_kappa(w.label, w.side, alpha=a)], -1.0, n=lambda w: w.n),
    "people.fleiss_kappa": Stated(lambda w, a: [fleiss_kappa(double_votes(w), alpha=a)], -1.0, n=lambda w: w.n),
    "people.krippendorff_alpha": Stated(
        lambda w, a: [
            krippendorff_alpha(np.column_stack([w.label, w.side, w.seen]), scale=scale, alpha=a)
            for scale in ("nominal", "ordinal", "interval")
        ],
        -1.0,
        n=lambda w: w.n,
    ),
    "people.reviewer_error": Stated(lambda w, a: [reviewer_error(w.errors, w.n, alpha=a)], n=lambda w: w.n),
    "people.anchoring": Stated(
        lambda w, a: [anchoring(w.errors, w.n, int(w.label.sum()), w.n, alpha=a)], -1.0, n=lambda w: 2 * w.n
    ),
    "stretch.stretch_errors": Stated(
        lambda w, a: [stretch_errors(w.seen, w.drawn, before=3, alpha=a)], high=math.inf, n=lambda w: w.looked
    ),
    "unlabelled.estimated_accuracy": Stated(
        lambda w, a: [estimated_accuracy(w.scores, w.side, alpha=a)], n=lambda w: w.n
    ),
    "unlabelled.estimated_confusion": Stated(
        lambda w, a: flat(estimated_confusion(w.scores, w.side, alpha=a)), n=lambda w: w.n
    ),
    "unlabelled.adapted_accuracy": Stated(
        lambda w, a: [adapted_accuracy(labelled(w), w.scores, w.side, alpha=a, fewest=20)] if w.n else []
    ),
    "unlabelled.adapted_confusion": Stated(
        lambda w, a: flat(adapted_confusion(labelled(w), w.scores, w.side, alpha=a, fewest=20)) if w.n else []
    ),
    "winner.winner": Stated(best, n=lambda w: w.n),
}


def public() -> dict[str, Callable[..., object]]:
    """Every function of the room, by module and name."""
    found = {}
    for module in pkgutil.iter_modules(evidence.__path__):
        names = vars(importlib.import_module(f"{evidence.__name__}.{module.name}"))
        for name, function in names.items():
            if inspect.isfunction(function) and function.__module__.endswith(f".{module.name}"):
                found[f"{module.name}.{name}"] = function
    return found


def test_every_function_that_states_something_has_an_entry() -> None:
    stating = {
        name
        for name, function in public().items()
        if any(word in str(function.__annotations__.get("return")) for word in STATES)
    }
    assert stating - PARTS == STATED.keys()


def test_every_function_that_folds_has_an_entry() -> None:
    folding = {name for name in public() if name.split(".")[1].startswith(("fold_", "merge_"))} - PARTS
    assert folding == {name for name in FOLDED if name != "discoveries.e_lond"} | {"means.merge_means"}


@pytest.mark.parametrize("name", STATED)
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 260), alpha=st.sampled_from([0.01, 0.05, 0.3]))
def test_the_estimate_lies_within_its_bounds_and_these_within_their_range(
    name: str, seed: int, n: int, alpha: float
) -> None:
    entry, cases = STATED[name], world(seed, n)
    for said in entry.say(cases, alpha):
        assert entry.low <= said.lower <= said.upper <= entry.high
        assert math.isnan(said.estimate) or said.lower <= said.estimate <= said.upper
        assert 0 < said.confidence < 1
        assert said.method
        if name != "winner.winner" and "thresholds at once" not in said.method:
            assert said.confidence >= 1 - alpha - 1e-12
        if entry.n is not None:
            assert said.n == entry.n(cases)


@pytest.mark.parametrize("name", STATED)
def test_of_nothing_nothing_is_said(name: str) -> None:
    entry = STATED[name]
    for said in entry.say(world(0, 0), 0.05):
        if said.method.endswith("between two") or "Clopper" in said.method or entry.high == math.inf:
            continue
        assert math.isnan(said.estimate) or said.n == 10  # ten cases of another side: the coverage is 0
        assert said.lower <= entry.low or said.n == 10
        assert said.upper >= entry.high or said.n == 10


Fold = Callable[[object, World], object]


@dataclass(frozen=True)
class Folded:
    """A fold: the state before the first case, and the state with a batch added."""

    opened: object
    fold: Fold


MEAN = MeanPlan(alpha=0.05, weights=WEIGHTS)
PAIRS = PairPlan(alpha=0.05)
UNPAIRED = UnpairedPlan(alpha=0.05, least=0.5)
DETECTOR = DetectorPlan(max_error=0.1, mean_run=1000)
BUDGET = BudgetPlan(max_error=0.05, delta=0.02, pi_min=0.05, limit=100)
VALUE = ValuePlan(alpha=0.05, largest=2.0)
GATE = gate_plan(0.05)

FOLDED: dict[str, Folded] = {
    "asymptotic.fold_asymptotic": Folded(AsymptoticState(), lambda s, w: fold_asymptotic(s, w.cost)),
    "bernstein.fold_bernstein": Folded(
        BernsteinState(), lambda s, w: fold_bernstein(s, BernsteinPlan(alpha=0.05), w.cost)
    ),
    "budget.fold_budget": Folded(BudgetState(), lambda s, w: fold_budget(s, BUDGET, w.seen, w.drawn)),
    "change.fold_detector": Folded(open_detector(DETECTOR), lambda s, w: fold_detector(s, DETECTOR, w.seen, w.weight)),
    "comparison.fold_unpaired": Folded(
        open_unpaired(UNPAIRED), lambda s, w: fold_unpaired(s, UNPAIRED, w.side == 1, w.seen, half(w))
    ),
    "discoveries.e_lond": Folded(LondState(), lambda s, w: e_lond(s, 20 * w.cost, 0.1)[0]),
    "gate.fold_gate": Folded(open_gate(GATE), lambda s, w: fold_gate(s, GATE, gate_rows(w))),
    "means.fold_mean": Folded(open_mean(MEAN), lambda s, w: fold_mean(s, MEAN, w.cost, w.weight)),
    "off_policy.fold_values": Folded(
        open_values(VALUE), lambda s, w: fold_values(s, VALUE, ips(VALUE, w.cost, half(w), w.side.astype(float)))
    ),
    "pairs.fold_pairs": Folded(open_pairs(PAIRS), lambda s, w: fold_pairs(s, PAIRS, w.seen - w.cost, w.weight)),
}


@pytest.mark.parametrize("name", FOLDED)
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), cut=cuts(300))
def test_batches_change_no_bit_and_json_keeps_all(name: str, seed: int, cut: list[int]) -> None:
    entry, cases = FOLDED[name], world(seed, 300)
    state = entry.opened
    for where in batches(cut, 300):
        state = entry.fold(msgspec.json.decode(msgspec.json.encode(state), type=type(state)), cases.part(where))
    assert state == entry.fold(entry.opened, cases)


@pytest.mark.parametrize("name", FOLDED)
def test_an_empty_batch_changes_nothing(name: str) -> None:
    entry = FOLDED[name]
    for state in (entry.opened, entry.fold(entry.opened, world(1, 50))):
        assert entry.fold(state, world(2, 0)) == state


@given(seed=st.integers(0, 10_000), cut=cuts(300))
def test_means_merge_in_any_cutting(seed: int, cut: list[int]) -> None:
    cases = world(seed, 300)
    state, whole = open_mean(MEAN), FOLDED["means.fold_mean"].fold(open_mean(MEAN), cases)
    for where in batches(cut, 300):
        state = merge_means(state, FOLDED["means.fold_mean"].fold(open_mean(MEAN), cases.part(where)))
    assert (state.rows, state.known) == (whole.rows, whole.known)
    np.testing.assert_allclose(state.table, whole.table, atol=1e-9)


def put(value: float, usual: float = 0.5) -> np.ndarray:
    """A row with one value that is not usual."""
    return np.array([usual, usual, value])


ONES, HALVES, NONE = np.ones(3), np.full(3, 0.5), np.array([False, True, False])
LOSSES, SHARES, WEIGHTED = (
    (-0.25, 1.5, math.inf, -math.inf),
    (-0.25, 1.5, math.nan, math.inf),
    (0.0, -0.5, 1.5, math.nan, math.inf),
)
COUNTS = ((-3, 5), (7, 5))


def scored(value: float) -> np.ndarray:
    return np.array([[0.5, 0.5], [0.2, 0.8], [value, 0.5]])


REFUSED: dict[str, tuple[Callable[[float], object], tuple[float, ...]]] = {
    "alpha": (lambda v: MeanPlan(alpha=v), (0.0, 1.0, -1.0, math.nan)),
    "alpha, people": (lambda v: reviewer_error(1, 3, alpha=v), (0.0, 1.0, math.nan)),
    "alpha, kappa": (lambda v: cohen_kappa(np.array([1]), np.array([1]), alpha=v), (0.0, 1.0, math.nan)),
    "alpha, Clopper-Pearson": (lambda v: clopper_pearson(1, 3, alpha=v), (0.0, 1.0, math.nan)),
    "alpha, Hoeffding-Bentkus": (lambda v: hoeffding_bentkus(HALVES, alpha=v), (0.0, 1.0, math.nan)),
    "alpha, CBPE": (lambda v: estimated_accuracy(scored(0.5), np.zeros(3, int), alpha=v), (0.0, 1.0, math.nan)),
    "alpha, MLLS": (lambda v: label_shift(scored(0.5), np.zeros(3, int), scored(0.5), alpha=v), (0.0, 1.0, math.nan)),
    "alpha, arms": (lambda v: arm_shares([1, 2], [0.5, 0.5], alpha=v), (0.0, 1.0, math.nan)),
    "alpha, stretch": (lambda v: stretch_errors(HALVES, HALVES, alpha=v), (0.0, 1.0, math.nan)),
    "alpha, consensus": (lambda v: reviewer_errors(judgements(world(0, 9)), alpha=v), (0.0, 1.0, math.nan)),
    "alpha, discoveries": (lambda v: e_bh(HALVES, v), (0.0, 1.0, math.nan)),
    "delta, gate": (gate_plan, (0.0, 1.0, math.nan)),
    "delta, budget": (lambda v: BudgetPlan(max_error=0.1, delta=v, pi_min=0.1, limit=1), (0.0, 1.0, math.nan)),
    "mean": (lambda v: fold_mean(open_mean(MEAN), MEAN, put(v), ONES), LOSSES),
    "mean, weight": (lambda v: fold_mean(open_mean(MEAN), MEAN, HALVES, put(v)), WEIGHTED),
    "Bernstein": (lambda v: fold_bernstein(BernsteinState(), BernsteinPlan(alpha=0.05), put(v)), LOSSES),
    "asymptotic": (lambda v: fold_asymptotic(AsymptoticState(), put(v)), (math.inf, -math.inf)),
    "asymptotic, propensity": (lambda v: fold_asymptotic(AsymptoticState(), HALVES, put(v)), WEIGHTED),
    "Hoeffding-Bentkus": (lambda v: hoeffding_bentkus(put(v)), LOSSES),
    "gate": (
        lambda v: fold_gate(
            open_gate(GATE), GATE, Rows(side=np.zeros(3, int), confidence=HALVES, loss=put(v), weight=ONES)
        ),
        LOSSES,
    ),
    "gate, weight": (
        lambda v: fold_gate(
            open_gate(GATE), GATE, Rows(side=np.zeros(3, int), confidence=HALVES, loss=HALVES, weight=put(v))
        ),
        WEIGHTED,
    ),
    "budget": (lambda v: fold_budget(BudgetState(), BUDGET, put(v), HALVES), LOSSES),
    "budget, propensity": (lambda v: fold_budget(BudgetState(), BUDGET, HALVES, put(v)), (*WEIGHTED, 0.01)),
    "detector": (lambda v: fold_detector(open_detector(DETECTOR), DETECTOR, put(v), ONES), LOSSES),
    "pairs": (lambda v: fold_pairs(open_pairs(PAIRS), PAIRS, put(v), ONES), (-1.5, 1.5, math.inf, -math.inf)),
    "pairs, weight": (lambda v: fold_pairs(open_pairs(PAIRS), PAIRS, HALVES, put(v)), WEIGHTED),
    "unpaired": (lambda v: fold_unpaired(open_unpaired(UNPAIRED), UNPAIRED, NONE, put(v), HALVES), LOSSES),
    "unpaired, propensity": (
        lambda v: fold_unpaired(open_unpaired(UNPAIRED), UNPAIRED, NONE, HALVES, put(v)),
        (*WEIGHTED, 0.25),
    ),
    "stretch": (lambda v: stretch_errors(put(v), HALVES), LOSSES),
    "stretch, propensity": (lambda v: stretch_errors(HALVES, put(v)), WEIGHTED),
    "bands": (lambda v: Answers(confidence=HALVES, loss=put(v), weight=ONES, cases=3), LOSSES),
    "bands, confidence": (lambda v: Answers(confidence=put(v), loss=HALVES, weight=ONES, cases=3), (math.nan,)),
    "IPS": (lambda v: ips(VALUE, put(v), HALVES, HALVES), SHARES),
    "IPS, propensity": (lambda v: ips(VALUE, HALVES, put(v), HALVES), WEIGHTED),
    "IPS, target": (lambda v: ips(VALUE, HALVES, HALVES, put(v)), SHARES),
    "CBPE": (lambda v: estimated_accuracy(scored(v), np.zeros(3, int)), SHARES),
    "MLLS": (lambda v: label_shift(scored(v), np.zeros(3, int), scored(0.5)), SHARES),
    "importance": (lambda v: importance(put(v), 3, 3), SHARES),
    "e-BH": (lambda v: e_bh(put(v), 0.1), (math.nan,)),
    "e-LOND": (lambda v: e_lond(LondState(), put(v), 0.1), (math.nan,)),
    "cells": (lambda v: compare_cells(np.array([4, 4]), np.array([4, int(v)])), (-3,)),
    "share": (lambda v: compare_share(int(v), 5, 1, 5), (-3, 7)),
    "strange": (lambda v: strange_excess(int(v), 5, limit=0.9, calibration=100), (-3, 7)),
    "Clopper-Pearson": (lambda v: clopper_pearson(int(v), 5), (-3, 7)),
    "reviewer error": (lambda v: reviewer_error(int(v), 5), (-3, 7)),
    "anchoring": (lambda v: anchoring(int(v), 5, 1, 5), (-3, 7)),
    "Fleiss": (lambda v: fleiss_kappa(np.array([[1, 1], [int(v), 2 - int(v)]])), (-3,)),
    "arms": (lambda v: arm_shares([1, int(v)], [0.5, 0.5]), (-3,)),
    "arms, shares": (lambda v: arm_shares([1, 1], [0.5, v]), (-0.5, 0.75, math.nan)),
    "Krippendorff": (lambda v: krippendorff_alpha(np.array([[1, 2], [v, 1]])), (math.inf, -math.inf)),
    "consensus": (
        lambda v: Judgements(case=np.array([0, 1]), reviewer=np.array([0, 0]), answer=np.array([0, int(v)]), answers=2),
        (-3, 7),
    ),
    "consensus, pull": (lambda v: dawid_skene(judgements(world(0, 9)), pull=v), (-0.5, math.nan, math.inf)),
}


@pytest.mark.parametrize(("what", "value"), [(what, value) for what, (_, many) in REFUSED.items() for value in many])
def test_what_cannot_be_is_refused_and_named(what: str, value: float) -> None:
    call, _ = REFUSED[what]
    with pytest.raises(ValueError, match=r"\w") as refused:
        call(value)
    assert f"{value:g}" in str(refused.value)
