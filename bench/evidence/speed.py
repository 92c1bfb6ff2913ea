"""Speed: a batch of a million cases folded into each online state, and how large the state stays."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np

from bench.evidence.show import Part, table
from understudy.evidence.asymptotic import AsymptoticState, fold_asymptotic
from understudy.evidence.bernstein import BernsteinPlan, BernsteinState, fold_bernstein
from understudy.evidence.budget import BudgetPlan, BudgetState, fold_budget
from understudy.evidence.change import DetectorPlan, fold_detector, open_detector
from understudy.evidence.comparison import UnpairedPlan, fold_unpaired, open_unpaired
from understudy.evidence.discoveries import LondState, e_lond
from understudy.evidence.gate import GatePlan, Rows, fold_gate, open_gate
from understudy.evidence.means import WEIGHTS, MeanPlan, fold_mean, open_mean
from understudy.evidence.off_policy import fold_values, open_values
from understudy.evidence.pairs import PairPlan, fold_pairs, open_pairs
from understudy.evidence.pseudo_outcomes import CLIPS, ValuePlan, doubly_robust, ips

N = 1_000_000
FEW = 1000
AUDITED = 0.05


@dataclass(frozen=True)
class World:
    """Cases as the functions take them, each array of shape (n,)."""

    loss: np.ndarray
    cost: np.ndarray
    seen: np.ndarray
    weight: np.ndarray
    confidence: np.ndarray
    side: np.ndarray
    difference: np.ndarray

    def first(self, n: int) -> World:
        """The first cases."""
        return World(**{name: array[:n] for name, array in vars(self).items()})


def world(seed: int) -> World:
    """A million cases: errors of 4 %, one case in 20 audited."""
    rng = np.random.default_rng(seed)
    loss = (rng.random(N) < 0.04).astype(float)
    return World(
        loss=loss,
        cost=rng.random(N),
        seen=np.where(rng.random(N) < AUDITED, loss, np.nan),
        weight=rng.uniform(0.1, 1.0, N),
        confidence=rng.random(N),
        side=rng.integers(2, size=N),
        difference=rng.choice([-1.0, 0.0, 1.0], N, p=[0.02, 0.95, 0.03]),
    )


def gate(thresholds: int, *, audited: bool) -> Callable[[World], object]:
    """A gate of two sides."""
    grid = (tuple(np.linspace(0.95, 0, thresholds)),) * 2
    plan = GatePlan(sides=("pay", "refuse"), grid=grid, max_error=0.05, delta=0.05)

    def fold(cases: World) -> object:
        loss = cases.seen if audited else cases.loss
        rows = Rows(side=cases.side, confidence=cases.confidence, loss=loss, weight=np.ones(len(loss)))
        return fold_gate(open_gate(plan), plan, rows)

    return fold


def mean(cases: World) -> object:
    """The mean of costs by betting."""
    plan = MeanPlan(alpha=0.05)
    return fold_mean(open_mean(plan), plan, cases.cost)


def weighted_mean(cases: World) -> object:
    """The same, cases looked at with unequal probabilities."""
    plan = MeanPlan(alpha=0.05, weights=WEIGHTS)
    return fold_mean(open_mean(plan), plan, cases.cost, cases.weight)


def bernstein(cases: World) -> object:
    """The mean of costs by empirical Bernstein."""
    return fold_bernstein(BernsteinState(), BernsteinPlan(alpha=0.05), cases.cost)


def asymptotic(cases: World) -> object:
    """The mean of rewards without limits."""
    return fold_asymptotic(AsymptoticState(), cases.cost)


def budget(cases: World) -> object:
    """The error budget."""
    plan = BudgetPlan(max_error=0.05, delta=0.02, pi_min=AUDITED, limit=1000)
    return fold_budget(BudgetState(), plan, cases.seen, np.full(len(cases.seen), AUDITED))


def detector(cases: World) -> object:
    """The e-detector."""
    plan = DetectorPlan(max_error=0.05, mean_run=100_000)
    return fold_detector(open_detector(plan), plan, cases.loss, np.ones(len(cases.loss)))


def pairs(cases: World) -> object:
    """The paired comparison on its usual grid of leads."""
    plan = PairPlan(alpha=0.05)
    return fold_pairs(open_pairs(plan), plan, cases.difference, np.ones(len(cases.difference)))


def unpaired(cases: World) -> object:
    """The unpaired comparison, half and half."""
    plan = UnpairedPlan(alpha=0.05, least=0.5)
    half = np.full(len(cases.loss), 0.5)
    return fold_unpaired(open_unpaired(plan), plan, cases.confidence < 0.5, cases.loss, half)


def by_ips(cases: World) -> object:
    """The value of a policy by IPS."""
    plan, half = ValuePlan(alpha=0.05, largest=2.0), np.full(len(cases.loss), 0.5)
    return fold_values(open_values(plan), plan, ips(plan, cases.loss, half, (cases.confidence < 0.5).astype(float)))


def by_dr(cases: World) -> object:
    """The value of a policy, doubly robust."""
    plan, both = ValuePlan(alpha=0.05, clips=CLIPS), np.full((len(cases.loss), 2), 0.5)
    target = np.tile([0.8, 0.2], (len(cases.loss), 1))
    return fold_values(open_values(plan), plan, doubly_robust(plan, cases.loss, cases.side, both, target, both))


def lond(cases: World) -> object:
    """Discoveries among a million hypotheses."""
    return e_lond(LondState(), cases.cost, 0.1)[0]


FUNCTIONS: dict[str, Callable[[World], object]] = {
    "mean, betting": mean,
    "mean, betting, 15 weights": weighted_mean,
    "mean, empirical Bernstein": bernstein,
    "mean, asymptotic": asymptotic,
    "gate, 40 thresholds, 5 % audited": gate(40, audited=True),
    "gate, 10 thresholds, all known": gate(10, audited=False),
    "gate, 40 thresholds, all known": gate(40, audited=False),
    "error budget": budget,
    "e-detector": detector,
    "paired comparison, 65 leads": pairs,
    "unpaired comparison": unpaired,
    "off-policy value, IPS": by_ips,
    "off-policy value, DR": by_dr,
    "e-LOND": lond,
}


def timed(fold: Callable[[World], object], cases: World) -> tuple[float, object]:
    """The processor's time that it takes, the shorter of two, and the state."""
    taken, state = [], None
    for _ in range(2):
        began = time.process_time()
        state = fold(cases)
        taken.append(time.process_time() - began)
    return min(taken), state


def size(state: object) -> int:
    """The bytes that a state takes where it is kept."""
    return len(msgspec.json.encode(state))


def measure(runs: int, jobs: int) -> Part:  # noqa: ARG001
    """Seconds for a million cases on one core, and the size of the state after a thousand and after a million."""
    cases = world(1)
    few = cases.first(FEW)
    rows = []
    for name, fold in FUNCTIONS.items():
        taken, state = timed(fold, cases)
        rows.append((name, f"{taken:.2f}", f"{size(fold(few)):,}", f"{size(state):,}"))
    head = ("folded online", "s for 1,000,000 cases", "bytes after 1,000", "bytes after 1,000,000")
    return Part("speed", {"speed": table(head, rows)})
