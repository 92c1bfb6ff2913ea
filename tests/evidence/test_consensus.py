"""What reviewers say together, and how often each of them errs."""

from itertools import product

import numpy as np
import pytest

from understudy.evidence import consensus
from understudy.evidence.consensus import PULL, Judgements, dawid_skene, reviewer_errors, votes

ERRS = np.linspace(0.03, 0.25, 8)


def reviewed(
    seed: int, *, errs: np.ndarray = ERRS, cases: int = 400, each: int = 3, answers: int = 2, hard: float = 0.0
) -> tuple[Judgements, np.ndarray]:
    """Some of the reviewers look at each case, and the truth; hard cases all get wrong."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(answers, size=cases)
    reviewer = np.argsort(rng.random((cases, len(errs))), axis=1)[:, :each].ravel()
    case = np.repeat(np.arange(cases), each)
    wrong = (rng.random(len(case)) < errs[reviewer]) ^ (rng.random(cases) < hard)[case]
    other = (truth[case] + rng.integers(1, answers, len(case))) % answers
    answer = np.where(wrong, other, truth[case])
    return Judgements(case=case, reviewer=reviewer, answer=answer, answers=answers), truth


def third_where_two_differ(seed: int) -> Judgements:
    """Two look at each case, and one more until more than half agree."""
    everyone, _ = reviewed(seed, cases=600, each=len(ERRS))
    said, kept = everyone.answer.reshape(600, -1), np.zeros((600, len(ERRS)), dtype=bool)
    for row, looks in enumerate(said):
        asked = next(n for n in range(2, 9) if n == 8 or 2 * np.bincount(looks[:n]).max() > n)
        kept[row, :asked] = True
    chosen = kept.ravel()
    return Judgements(
        case=everyone.case[chosen], reviewer=everyone.reviewer[chosen], answer=everyone.answer[chosen], answers=2
    )


def coverage(made: list[Judgements], errs: np.ndarray = ERRS) -> float:
    """How often the bounds hold a reviewer's error."""
    held = [
        one.lower <= err <= one.upper for said in made for one, err in zip(reviewer_errors(said), errs, strict=True)
    ]
    return float(np.mean(held))


def by_loops(said: Judgements, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dawid & Skene (1979), equations 2.3 to 2.5, one sum after the other."""
    n, r, k = said.cases, said.reviewers, said.answers
    rows = list(zip(said.case.tolist(), said.reviewer.tolist(), said.answer.tolist(), strict=True))
    chance = votes(said)
    for step in range(steps + 1):
        confusion, shares = np.zeros((r, k, k)), chance.sum(axis=0) / n
        for case, reviewer, answer in rows:
            confusion[reviewer, :, answer] += chance[case]
        for reviewer, right in product(range(r), range(k)):
            confusion[reviewer, right] /= confusion[reviewer, right].sum()
        if step == steps:
            break
        chance = np.tile(shares, (n, 1))
        for case, reviewer, answer in rows:
            chance[case] *= confusion[reviewer, :, answer]
        chance /= chance.sum(axis=1, keepdims=True)
    return chance, shares, confusion


@pytest.mark.parametrize("answers", [2, 4])
def test_without_made_up_answers_it_is_the_method_of_1979(answers: int) -> None:
    said, _ = reviewed(1, errs=np.full(6, 0.25), cases=200, each=5, answers=answers)
    chance, shares, confusion = by_loops(said, 7)
    found = dawid_skene(said, pull=0.0, steps=7)
    assert (found.steps, found.converged) == (7, False)
    np.testing.assert_allclose(found.chance, chance, atol=1e-12)
    np.testing.assert_allclose(found.shares, shares, atol=1e-12)
    np.testing.assert_allclose(found.confusion, confusion, atol=1e-12)


def test_one_step_by_hand() -> None:
    case, reviewer = np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1])
    said = Judgements(case=case, reviewer=reviewer, answer=np.array([0, 0, 1, 1, 1]), answers=2)
    found = dawid_skene(said, pull=0.0, steps=1)
    # Votes 2/3 and 0: reviewers 0 and 1 say 0 of a 0 for sure, and of a 1 with (1/3)/(4/3) = 1/4; reviewer 2 says 1.
    assert found.chance[0, 0] == pytest.approx((1 / 3) / (1 / 3 + 2 / 3 / 16))
    assert found.chance[1].tolist() == [0.0, 1.0]


def test_it_is_right_more_often_than_the_majority_where_reviewers_differ() -> None:
    errs = np.array([0.03, 0.1, 0.35, 0.4, 0.45])
    gains = []
    for seed in range(20):
        said, truth = reviewed(seed, errs=errs, each=5)
        gains.append([(chance.argmax(axis=1) == truth).mean() for chance in (votes(said), dawid_skene(said).chance)])
    majority, together = np.mean(gains, axis=0)
    assert together > majority + 0.05


@pytest.mark.parametrize(("answers", "runs"), [(2, 16), (4, 8)])
def test_errors_are_estimated_without_bias_and_their_bounds_hold_as_often_as_they_say(answers: int, runs: int) -> None:
    made = [reviewed(seed, answers=answers)[0] for seed in range(runs)]
    found = np.array([dawid_skene(said).errors for said in made])
    np.testing.assert_allclose(found.mean(axis=0), ERRS, atol=0.03)
    assert coverage(made) > 0.9  # of 64 or more, with 95 % each


def test_bounds_hold_where_a_third_is_asked_only_if_two_differ() -> None:
    assert coverage([third_where_two_differ(seed) for seed in range(10)]) > 0.9


def test_bounds_that_ignore_how_the_truth_was_found_do_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [reviewed(seed)[0] for seed in range(25)]
    monkeypatch.setattr(consensus, "errors_without", lambda said, whole, group, pull: whole.errors)
    assert coverage(made) < 0.9


def test_errors_that_all_share_stay_unseen() -> None:
    made = [reviewed(seed, hard=0.2)[0] for seed in range(10)]
    truly = 0.8 * ERRS + 0.2 * (1 - ERRS)
    assert coverage(made, truly) < 0.3


def test_made_up_answers_spread_evenly_would_add_errors_where_there_are_many_answers() -> None:
    errs = np.full(8, 0.1)
    made = [reviewed(seed, errs=errs, cases=100, answers=8)[0] for seed in range(20)]
    assert np.mean([dawid_skene(said).errors for said in made]) == pytest.approx(0.1, abs=0.01)
    counts = [np.bincount(said.reviewer) / 8 for said in made]  # of each row
    assert np.mean([PULL * 7 / 8 / (count + PULL) for count in counts]) > 0.2


def test_two_answers_tell_that_one_is_wrong_and_never_whose() -> None:
    said, _ = reviewed(0, each=2)
    found = reviewer_errors(said)
    assert all(np.isnan(one.estimate) and (one.lower, one.upper) == (0.0, 1.0) for one in found)
    assert sum(one.n for one in found) == 800
    assert "too few thirds" in found[0].method


def test_who_shares_no_case_is_not_judged() -> None:
    said, _ = reviewed(0)
    alone = Judgements(
        case=np.append(said.case, 400),
        reviewer=np.append(said.reviewer, 8),
        answer=np.append(said.answer, 1),
        answers=2,
    )
    *others, last = reviewer_errors(alone)
    assert (last.n, np.isnan(last.estimate)) == (0, True)
    assert not any(np.isnan(one.estimate) for one in others)


def test_reviewers_who_never_differ_are_not_proven_perfect() -> None:
    said, _ = reviewed(0, errs=np.zeros(3), cases=100)
    for one in reviewer_errors(said):
        assert one.lower <= one.estimate < 0.02 < one.upper < 0.2


def test_the_order_of_the_rows_changes_nothing_that_shows() -> None:
    said, _ = reviewed(3)
    order = np.random.default_rng(0).permutation(len(said.case))
    mixed = Judgements(case=said.case[order], reviewer=said.reviewer[order], answer=said.answer[order], answers=2)
    np.testing.assert_allclose(dawid_skene(said).chance, dawid_skene(mixed).chance, atol=1e-5)


def test_nothing_said_says_nothing() -> None:
    none = np.array([], dtype=np.int64)
    said = Judgements(case=none, reviewer=none, answer=none, answers=3)
    found = dawid_skene(said)
    assert (found.chance.shape, found.confusion.shape, found.shares.tolist()) == ((0, 3), (0, 3, 3), [1 / 3] * 3)
    assert reviewer_errors(said) == ()


@pytest.mark.parametrize(
    ("case", "reviewer", "answer", "answers", "words"),
    [
        ([0, 0], [1, 1], [0, 1], 2, "reviewer 1 answered case 0 2 times"),
        ([0, 1], [0, 0], [0, 2], 2, "answers lie from 0 to 1, got 2"),
        ([0, -1], [0, 0], [0, 1], 2, "case, row 1: counted from 0, got -1"),
        ([0, 1], [0], [0, 1], 2, "reviewer: expected"),
        ([0, 1], [0, 0], [0.0, 1.0], 2, "answer: expected .* whole numbers, got float64"),
        ([0], [0], [0], 1, "2 answers or more to choose from, not 1"),
    ],
)
def test_what_cannot_be_is_refused(case, reviewer, answer, answers, words) -> None:
    with pytest.raises(ValueError, match=words):
        Judgements(case=np.array(case), reviewer=np.array(reviewer), answer=np.array(answer), answers=answers)


def test_settings_that_cannot_be_are_refused() -> None:
    said, _ = reviewed(0, cases=10)
    with pytest.raises(ValueError, match="at least 0, not -1"):
        dawid_skene(said, pull=-1)
    with pytest.raises(ValueError, match="alpha lies between 0 and 1, not 0"):
        reviewer_errors(said, alpha=0)
