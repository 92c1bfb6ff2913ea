"""How often people err is what loops count, with bounds that know cases and persons."""

import msgspec
import numpy as np
import pytest
from scipy import stats

from evidence.promises import kept
from understudy.evaluation.human_level import HumanLevel, human_level


def world(
    seed: int, n: int = 200, people: int = 6, seen: float = 0.7, spread: float = 0.1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes, judgements with gaps by people who err unlike, on cases that are unlike hard, and a model's answers."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    chance = np.clip(0.25 + spread * rng.normal(size=people) + spread * rng.normal(size=(n, 1)), 0, 1)
    said = np.where(rng.random((n, people)) < chance, 1 - truth[:, None], truth[:, None]).astype(float)
    said[rng.random((n, people)) > seen] = np.nan
    model = np.where(rng.random(n) < 0.15, 1 - truth, truth).astype(float)
    return said, truth.astype(float), model


def test_errors_against_the_outcome_are_those_of_a_loop() -> None:
    said, truth, model = world(0)
    truth[:20] = np.nan
    one, many, machine = [], [], []
    for answers, right, guess in zip(said, truth, model, strict=True):
        given = answers[~np.isnan(answers)]
        if np.isnan(right) or not len(given):
            continue
        one.append(np.mean(given != right))
        many.append(float((np.sum(given == 1) > len(given) / 2) != right))
        machine.append(float(guess != right))
    found = human_level(said, outcome=truth, model=model)
    assert (found.cases, found.by_outcome) == (len(one), True)
    for evidence, loop in ((found.person, one), (found.together, many), (found.model, machine)):
        assert evidence is not None
        assert evidence.estimate == pytest.approx(np.mean(loop))
        assert evidence.lower < evidence.estimate < evidence.upper
    assert found.gap is not None
    assert found.gap_together is not None
    assert found.gap.estimate == pytest.approx(np.mean(machine) - np.mean(one))
    assert found.gap_together.estimate == pytest.approx(np.mean(machine) - np.mean(many))
    apart = np.array(machine) - np.array(many)  # a case each: the bounds of a paired t-test
    reach = stats.t.isf(0.025, len(apart) - 1) * apart.std(ddof=1) / np.sqrt(len(apart))
    assert found.gap_together.upper - found.gap_together.estimate == pytest.approx(reach, rel=0.3)


def test_errors_against_the_others_are_those_of_a_loop() -> None:
    said, _, model = world(1)
    said[:30][~np.isnan(said[:30])] += 1  # three classes
    model[5] = np.nan
    people, machine = [], []
    for answers, guess in zip(said, model, strict=True):
        given = answers[~np.isnan(answers)].astype(int)
        if len(given) < 2:
            continue
        wrong, by_model = [], []
        for place, answer in enumerate(given):
            counts = np.bincount(np.delete(given, place), minlength=3)
            best = np.flatnonzero(counts == counts.max())
            wrong.append(1 - (answer in best) / len(best))
            by_model.append(1 - (guess in best) / len(best))
        people.append(np.mean(wrong))
        if not np.isnan(guess):
            machine.append(np.mean(by_model))
    found = human_level(said, model=model)
    assert found.together is None
    assert found.model is not None
    assert found.person.estimate == pytest.approx(np.mean(people))
    assert found.model.estimate == pytest.approx(np.mean(machine))


def test_numbers_are_held_against_the_median_of_the_others() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(100, 20, 150)
    said = truth[:, None] + rng.normal(0, 5, (150, 5))
    said[rng.random((150, 5)) > 0.8] = np.nan
    wrong = []
    for answers in said:
        given = answers[~np.isnan(answers)]
        if len(given) > 1:
            others = [np.median(np.delete(given, place)) for place in range(len(given))]
            wrong.append(np.mean(np.abs(given - others) > 6))
    found = human_level(said, tolerance=6.0)
    assert found.person.estimate == pytest.approx(np.mean(wrong))
    assert found.agreement.estimate > 0.8
    with_outcome = human_level(said, outcome=truth, tolerance=6.0)
    assert with_outcome.together is not None
    expected = np.mean(np.abs(np.nanmedian(said, axis=1) - truth) > 6)
    assert with_outcome.together.estimate == pytest.approx(expected)


def missed(*, known: bool) -> np.ndarray:
    """Whether the bounds miss the error of one person, in worlds of 40 people who err very unlike each other."""
    found = []
    for seed in range(250):
        rng = np.random.default_rng(seed)
        chance = rng.beta(2, 6, 40)  # 0.25 on average
        said = np.full((300, 40), np.nan)
        who = rng.integers(0, 40, (300, 2))
        wrong = (rng.random((300, 2)) < chance[who]).astype(float)
        np.put_along_axis(said, who, wrong, axis=1)
        # forgotten, everyone who judges seems to be one of two people, and only cases belong together
        person = human_level(said if known else wrong, outcome=np.zeros(300)).person
        found.append(not person.lower <= 0.25 <= person.upper)
    return np.array(found)


def test_the_bounds_hold_for_people_who_err_unlike_and_would_not_if_they_were_forgotten() -> None:
    assert kept(missed(known=True), 0.07)
    assert not kept(missed(known=False), 0.07)


def test_the_gap_holds_the_difference_in_nineteen_of_twenty_worlds() -> None:
    out = []
    for seed in range(250):
        found = human_level(
            world(seed, spread=0.0)[0], outcome=world(seed, spread=0.0)[1], model=world(seed, spread=0.0)[2]
        )
        assert found.gap is not None
        out.append(not found.gap.lower <= -0.10 <= found.gap.upper)
    assert kept(np.array(out), 0.05)


def test_who_is_better_is_said_only_where_it_shows() -> None:
    said, truth, model = world(3, n=400)
    assert "the model is better" in human_level(said, outcome=truth, model=model).sentence
    assert "the model is worse" in human_level(said, outcome=truth, model=1 - model).sentence
    even = np.where(np.isnan(said[:, 0]), truth, said[:, 0])
    assert "does not show" in human_level(said[:30, :1], outcome=truth[:30], model=even[:30]).sentence
    assert "the model" not in human_level(said, outcome=truth).sentence


def test_people_who_never_err_have_an_exact_bound() -> None:
    found = human_level(np.zeros((50, 3)), outcome=np.zeros(50), model=np.zeros(50))
    assert (found.person.estimate, found.person.lower) == (0, 0)
    assert found.person.upper == pytest.approx(1 - 0.025 ** (1 / 50))
    assert found.gap is not None
    assert found.gap.lower == -found.gap.upper


def test_it_survives_json() -> None:
    said, truth, model = world(4)
    found = human_level(said, outcome=truth, model=model)
    assert msgspec.json.decode(msgspec.json.encode(found), type=HumanLevel) == found


@pytest.mark.parametrize(
    ("said", "given", "words"),
    [
        (np.zeros((3, 2)), {"outcome": np.zeros(2)}, "outcome: expected one number for each of 3"),
        (np.zeros(3), {}, "shape"),
        (np.zeros((3, 1)), {}, "two judgements"),
        (np.full((3, 2), np.nan), {"outcome": np.zeros(3)}, "no case"),
        (np.zeros((0, 2)), {}, "no case"),
    ],
)
def test_what_cannot_be_judged_is_named(said: np.ndarray, given: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        human_level(said, **given)
