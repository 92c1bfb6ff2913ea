"""What is said of a winner is true although it was picked by the same numbers."""

import msgspec
import numpy as np
import pytest
from promises import kept

from understudy.core.evidence import Evidence
from understudy.evidence.means import MeanPlan, fold_mean, mean_evidence, open_mean
from understudy.evidence.winner import selected_alpha, winner

ALPHA, CANDIDATES = 0.1, 12
LOOKS = (30, 100, 300, 1000)


def rate(lower: float, upper: float, confidence: float = 0.99) -> Evidence:
    """A statement about an error rate."""
    return Evidence(
        estimate=(lower + upper) / 2, lower=lower, upper=upper, confidence=confidence, n=100, method="m", anytime=True
    )


def statements(rng: np.random.Generator, alpha: float, risks: np.ndarray) -> list[list[Evidence]]:
    """At each look a statement about each candidate."""
    plan = MeanPlan(alpha=alpha)
    losses, states = rng.random((len(risks), LOOKS[-1])) < risks[:, None], [open_mean(plan)] * len(risks)
    found, done = [], 0
    for look in LOOKS:
        states = [fold_mean(state, plan, row[done:look]) for state, row in zip(states, losses, strict=True)]
        found.append([mean_evidence(state, plan) for state in states])
        done = look
    return found


def test_what_is_said_of_the_winner_holds_at_all_looks_however_often_the_pick_changes() -> None:
    rng, broken = np.random.default_rng(1), []
    for _ in range(60):
        risks = rng.uniform(0.1, 0.2, CANDIDATES)
        said = [winner(found) for found in statements(rng, ALPHA / CANDIDATES, risks)]
        best = risks.min()
        broken.append(
            any(
                not one.value.lower <= risks[one.place] <= one.value.upper
                or risks[one.place] - best > one.regret
                or int(risks.argmin()) not in one.contenders
                for one in said
            )
        )
    assert kept(np.array(broken), ALPHA)


def lucky(rng: np.random.Generator, level: float, count: int) -> bool:
    """Whether the bound of the luckiest of equals misses; e-values of 0 or 1/level, which is as bad as it gets."""
    return bool((rng.random(count) < level).any())


def test_bounds_for_each_alone_miss_for_the_winner() -> None:
    rng = np.random.default_rng(2)
    alone = [lucky(rng, ALPHA, CANDIDATES) for _ in range(2000)]
    together = [lucky(rng, ALPHA / CANDIDATES, CANDIDATES) for _ in range(2000)]
    assert np.mean(alone) > 5 * ALPHA
    assert kept(np.array(together), ALPHA)
    assert np.mean(together) > 0.7 * ALPHA


def test_of_the_bounds_that_are_shown_few_miss_whatever_is_chosen() -> None:
    rng, shown, plain = np.random.default_rng(3), [], []
    for _ in range(4000):
        e = 1 / rng.random(CANDIDATES)  # as large as e-values that all stop at their best may be: P(e ≥ x) = 1/x
        order = np.argsort(-e)
        chosen = max(1, int(rng.integers(1, 4)))
        for found, alpha in ((shown, selected_alpha(ALPHA, chosen, CANDIDATES)), (plain, ALPHA)):
            found.append((e[order[:chosen]] >= 1 / alpha).mean())
    assert np.mean(shown) - 3.1 * np.std(shown) / np.sqrt(len(shown)) <= ALPHA
    assert np.mean(plain) > 3 * ALPHA


def test_the_best_worst_case_wins() -> None:
    found = winner([rate(0.02, 0.3), rate(0.06, 0.1), rate(0.15, 0.2)])
    assert (found.place, found.contenders) == (1, (0, 1))
    assert found.regret == pytest.approx(0.08)
    assert found.value.method == "m, simultaneous over 3"
    assert found.value.confidence == pytest.approx(0.97)
    assert found.value.anytime


def test_where_more_is_better_the_highest_lower_bound_wins() -> None:
    found = winner([rate(-0.1, 0.3), rate(0.02, 0.1)], smallest=False)
    assert (found.place, found.contenders) == (1, (0, 1))
    assert found.regret == pytest.approx(0.28)


def test_one_candidate_regrets_nothing() -> None:
    found = winner([rate(0.1, 0.2)])
    assert (found.place, found.regret, found.contenders) == (0, 0.0, (0,))


def test_one_statement_for_one_look_makes_all_of_it_one() -> None:
    once = msgspec.structs.replace(rate(0.0, 1.0), anytime=False)
    assert not winner([rate(0.1, 0.2), once]).value.anytime


@pytest.mark.parametrize("candidates", [[], [rate(0.1, 0.2, confidence=0.5)] * 2])
def test_where_nothing_holds_together_nothing_is_said(candidates: list[Evidence]) -> None:
    with pytest.raises(ValueError, match="nothing holds"):
        winner(candidates)


@pytest.mark.parametrize(("alpha", "chosen", "candidates"), [(0.0, 1, 2), (0.1, 0, 2), (0.1, 3, 2)])
def test_a_choice_without_meaning_is_refused(alpha: float, chosen: int, candidates: int) -> None:
    with pytest.raises(ValueError, match="chosen"):
        selected_alpha(alpha, chosen, candidates)
