"""Planted causes are named, and every figure that a verdict rests on is recomputed by plain counting."""

from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from understudy.core.evidence import Evidence
from understudy.evaluation import learning_curve
from understudy.evaluation.changes import HeldOut, share
from understudy.evaluation.diagnosis import Diagnosis, Figures, Reach, Rival, judge_figures, less, within_reach
from understudy.evaluation.diagnosis_actions import diagnosis_actions
from understudy.evaluation.generalization import difference, error_gap, generalization, row_losses
from understudy.evaluation.learning_curve import drawn_rows, error_curve
from understudy.evaluation.validation_curve import ValidationCurve, validation_curve

SEEDS = 20
Build = Callable[[float], object]


@pytest.fixture(autouse=True, scope="module")
def no_band():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning_curve, "BAND", 3)
        yield


def noisy(rng: np.random.Generator, truth: np.ndarray, flip: float) -> np.ndarray:
    return np.where(rng.random(len(truth)) < flip, ~truth, truth).astype(int)


def curved(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, 3))
    return X, noisy(rng, X[:, 0] * X[:, 1] > 0, 0.02)


def straight(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    X = rng.normal(size=(n, 6))
    return X, noisy(rng, X[:, 0] + X[:, 1] > 0, 0.2)


def certain_nowhere(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Logistic labels: a logistic regression is the right model, and wrong in a fourth of all cases."""
    X = rng.normal(size=(n, 2))
    return X, (rng.random(n) < 1 / (1 + np.exp(-1.5 * X[:, 0]))).astype(int)


def logistic(C: float) -> LogisticRegression:
    return LogisticRegression(C=C)


def tree(leaf: float) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(min_samples_leaf=int(leaf), random_state=0)


def neighbours(k: float) -> KNeighborsClassifier:
    return KNeighborsClassifier(int(k))


def diagnosed(seed: int, world, build: Build, values, chosen, rival: Build, *, rises: bool, n: int) -> Diagnosis:
    """The whole diagnosis of a scikit-learn model, fitted on the rows of an invented world."""
    rng = np.random.default_rng(seed)
    (X, y), (Z, t) = world(rng, n), world(rng, 1500)
    held = HeldOut(t, "accuracy")

    def scores(made, rows):
        return made.fit(X[rows], y[rows]).predict_proba(Z)

    draws = drawn_rows(n, [n // 16, n // 8, n // 4, n // 2, n], 3, seed)
    losses = np.stack([held.wrong(scores(build(chosen), rows)) for rows in draws])
    curve = error_curve([len(rows) for rows in draws], losses, now=n)
    everything = np.arange(n)
    turned = [build(value) for value in values]
    said = [scores(one, everything) for one in turned]
    train = [float(np.mean(one.predict(X) != y)) for one in turned]
    settings = validation_curve(
        held, recipe="x", parameter="p", title="p", values=values, scores=said, train=train, chosen=chosen,
        rises=rises, rows=n, now=n,
    )  # fmt: skip
    own, other = said[values.index(chosen)], rival(15)
    against = scores(other, everything)
    fits = np.mean(other.predict(X) != y)
    rivals = (
        Rival(
            recipe="y", title="Y", rows=n, now=n, larger=bool(fits < train[values.index(chosen)]),
            gain=held.gain(own, against), metric="accuracy", metric_gain=held.metric_gains(own, [against])[0],
            metric_level=1 - held.measure(own),
        ),
    )  # fmt: skip
    wrong = turned[values.index(chosen)].predict(X) != y
    error = held.error(own)
    figures = Figures(
        train=share(wrong.astype(float)),
        held=error,
        gap=error_gap(held.wrong(own), wrong.astype(float)),
        reaches=within_reach(error, learning=(curve,), validation=(settings,), rivals=rivals),
    )
    verdict, sentence = judge_figures(figures)
    return Diagnosis(
        verdict=verdict, sentence=sentence, figures=figures, learning=(curve,), validation=(settings,), rivals=rivals
    )


PLANTED = {
    "high bias": ("a line through a cross", curved, logistic, [0.01, 0.1, 1.0, 10.0], 1.0, neighbours, True, 800),
    "high variance": ("a deep tree on few rows", straight, tree, [1, 4, 16, 64], 1, neighbours, False, 320),
    "noise floor": (
        "the right model of noisy labels",
        certain_nowhere,
        logistic,
        [0.1, 1.0, 10.0],
        1.0,
        neighbours,
        True,
        1600,
    ),
}


@pytest.mark.parametrize("verdict", PLANTED)
def test_a_planted_cause_is_named_in_nine_of_ten_worlds(verdict):
    _, world, build, values, chosen, rival, rises, n = PLANTED[verdict]
    said = [diagnosed(s, world, build, values, chosen, rival, rises=rises, n=n).verdict for s in range(SEEDS)]
    assert np.mean([one == verdict for one in said]) >= 0.9, said


def test_the_advice_fits_the_cause():
    def advice(verdict):
        _, world, build, values, chosen, rival, rises, n = PLANTED[verdict]
        return {one.kind: one for one in diagnosis_actions(
            diagnosed(0, world, build, values, chosen, rival, rises=rises, n=n)
        )}  # fmt: skip

    assert "use a larger model" in advice("high bias")
    assert advice("high variance")["regularise"].gain.lower > 0
    assert advice("noise floor") == {}


def ev(estimate: float, half: float = 0.005) -> Evidence:
    return Evidence(estimate=estimate, lower=estimate - half, upper=estimate + half, confidence=0.95, n=900, method="x")


def figures(train: float = 0.1, held: float = 0.2, **given) -> Figures:
    return Figures(train=ev(train), held=ev(held), gap=ev(held - train), **given)


def reach(gain: float, half: float = 0.005, cause: str = "variance") -> Reach:
    return Reach(name="it", gain=ev(gain, half), cause=cause, level=0.2)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (figures(reaches=(reach(0.05),)), "high variance"),
        (figures(reaches=(reach(0.05, cause="bias"), reach(0.03))), "high bias"),
        (figures(train=0.18, reaches=(reach(0.1, cause="either"),)), "high bias"),  # people are right where it was not
        (figures(train=0.02, reaches=(reach(0.1, cause="either"),)), "high variance"),
        (figures(reaches=(reach(0.0),)), "noise floor"),
        (figures(reaches=(reach(0.008, half=0.001),)), "noise floor"),  # shown, but 4 % of the error only
        (figures(reaches=(reach(0.0, half=0.08),)), "none"),
        (figures(reaches=(reach(0.0, half=0.15),)), "too little data to tell"),
        (figures(), "too little data to tell"),
        (figures(irreducible=ev(0.19)), "noise floor"),
        (figures(held=0.0), "none"),
    ],
)
def test_verdicts(found, verdict):
    said, sentence = judge_figures(found)
    assert said == verdict
    assert sentence.endswith(".")


def test_the_figures_stand_in_the_sentence():
    _, sentence = judge_figures(figures(reaches=(reach(0.05),), baseline=ev(0.4), baseline_name="the rule"))
    assert "10.0% of the rows it learned from and in 20.0% of held-out rows" in sentence
    assert "the rule is wrong in 40.0%" in sentence


def test_the_gap_to_people_is_that_of_two_independent_shares():
    found = within_reach(ev(0.2), human=ev(0.05))
    assert [one.name for one in found] == ["people"]
    assert found[0].gain.estimate == pytest.approx(0.15)
    assert less(ev(0.2, 0.03), ev(0.1, 0.04)).lower == pytest.approx(0.1 - 0.05)


def test_the_gap_lies_within_its_bounds_as_often_as_promised():
    rng = np.random.default_rng(0)
    out = []
    for _ in range(1000):
        found = error_gap((rng.random(200) < 0.2).astype(float), (rng.random(300) < 0.05).astype(float))
        out.append(not found.lower <= 0.15 <= found.upper)
    assert sum(out) <= stats.binom.ppf(0.999, 1000, 0.05)


def turned(gain_of: dict[float, float], *, rows: int = 400, rises: bool = True) -> ValidationCurve:
    """A model wrong in a fifth of 2,000 cases, and what other values of its setting put right."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 2000)
    luck = rng.random(2000)
    scores = [np.eye(2)[np.where(luck < 0.2 - gain, 1 - y, y)] for gain in gain_of.values()]
    return validation_curve(
        HeldOut(y, "accuracy"), recipe="tree", parameter="leaves", title="leaves", values=list(gain_of), scores=scores,
        train=[0.1] * len(scores), chosen=8.0, rises=rises, rows=rows, now=400,
    )  # fmt: skip


def test_a_better_setting_is_found_and_told():
    found = turned({2.0: -0.05, 4.0: -0.02, 8.0: 0.0, 16.0: 0.03, 32.0: 0.01})
    assert found.better.value == 16.0
    assert found.better.complexity == 1
    assert found.better.gain.estimate == pytest.approx(0.03, abs=0.01)
    assert found.better.gain.confidence == pytest.approx(1 - 0.05 / 4)
    assert "leaves 16 instead of 8, a larger model" in found.words
    assert [one.value for one in found.settings] == [2, 4, 8, 16, 32]
    assert msgspec.json.decode(msgspec.json.encode(found), type=ValidationCurve) == found


def test_settings_stand_from_the_simplest_model_to_the_largest():
    assert [one.value for one in turned({4.0: 0.0, 8.0: 0.0, 16.0: 0.05}, rises=False).settings] == [16, 8, 4]


def test_few_rows_do_not_advise_a_simpler_model():
    """What is best on an eighth of the rows is too simple for all of them."""
    gains = {4.0: 0.05, 8.0: 0.0, 16.0: 0.0}
    assert turned(gains).better.value == 4.0
    assert turned(gains, rows=50).better is None
    assert turned(gains, rows=50).told == ()


def test_a_chosen_value_that_was_not_tried_is_refused():
    with pytest.raises(ValueError, match="not among the values"):
        turned({4.0: 0.0, 16.0: 0.0})


def by_round(rise: float) -> tuple[np.ndarray, np.ndarray]:
    """Losses on training rows that always fall, and held-out ones that may rise from the fifth round on."""
    rng = np.random.default_rng(0)
    rounds = np.arange(1, 11)
    held = 0.5 - 0.05 * np.minimum(rounds, 5) + rise * np.maximum(0, rounds - 5)
    return (
        np.maximum(0, 0.5 - 0.05 * rounds[:, None] + rng.normal(0, 0.1, 300)),
        held[:, None] + rng.normal(0, 0.1, 400) + rng.normal(0, 0.02, (10, 400)),
    )


@pytest.mark.parametrize(("rise", "turns"), [(0.01, True), (0.0, False)])
def test_it_tells_where_the_held_out_loss_turns(rise, turns):
    train, held = by_round(rise)
    found = generalization(range(1, 11), train, held, kept=5, recipe="LightGBM", loss="log loss")
    assert found.turns is turns
    assert found.gap.estimate == pytest.approx(held[4].mean() - train[4].mean())
    assert ("rises again" in found.words) is turns
    assert found.curve[2].held == pytest.approx(held[2].mean())
    if turns:
        assert found.best in (4, 5, 6)


def test_losses_by_round_need_as_many_rows_as_rounds():
    with pytest.raises(ValueError, match="3 rounds"):
        generalization([1, 2, 3], np.zeros((2, 5)), np.zeros((3, 5)), kept=1, recipe="x", loss="x")


def test_a_difference_of_means_is_bounded_like_welch():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1, 1, 500), rng.normal(0, 2, 700)
    found = difference(a, b)
    welch = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (found.lower, found.upper) == pytest.approx((welch.low, welch.high), abs=0.02)


def test_row_losses_are_log_loss_and_squared_error():
    losses = row_losses("classification", np.array([1, 0]), np.array([[0.2, 0.8], [0.5, 0.5]]))
    assert losses == pytest.approx(-np.log([0.8, 0.5]))
