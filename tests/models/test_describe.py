"""What is said of a model in words is what the model does, in the columns' own units."""

import numpy as np
import polars as pl
import pytest

from understudy.core.errors import ModelError
from understudy.data.contract import infer_contract
from understudy.data.prepare import encode, fit_encoding
from understudy.data.reading import read_frame
from understudy.models.describe import condition_words, describe
from understudy.models.recipes import RECIPES, Effort, Rows

EFFORT = Effort(0, 1)
LABELS = ("no", "yes")


@pytest.fixture(scope="module")
def claims():
    """Pay where the amount is at most 200, or the region is north and nothing was stolen; the encoding and the rows."""
    rng = np.random.default_rng(0)
    n = 800
    amount = np.round(rng.uniform(0, 1000, n), 2)
    region = rng.choice(["north", "south", "west"], n)
    stolen = rng.random(n) < 0.4
    words = np.where(stolen, "the bag was stolen", "the window broke last night")
    frame = pl.DataFrame(
        {
            "amount": [None if rng.random() < 0.05 else float(value) for value in amount],
            "region": region,
            "member": rng.random(n) < 0.5,
            "report": [f"{text} number {rng.integers(100)} of {rng.integers(1000)}" for text in words],
            "day": [f"2024-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}" for _ in range(n)],
        }
    )
    contract = infer_contract(frame)
    clean, _ = read_frame(contract, frame)
    encoding = fit_encoding(clean, contract)
    y = ((amount <= 200) | ((region == "north") & ~stolen)).astype(np.int64)
    X = encode(encoding, clean)
    return encoding, Rows("classification", 2, X, y, [feature.view for feature in encoding.features])


def feature(encoding, name):
    return next(place for place, one in enumerate(encoding.features) if one.name == name)


def test_a_rule_list_is_told_rule_by_rule(claims):
    encoding, rows = claims
    text = describe(RECIPES["rules"].fit(RECIPES["rules"].portfolio[0], rows, EFFORT), encoding, LABELS)
    first, *others = text.splitlines()
    assert first.startswith("if ")
    assert all(line.startswith("otherwise") for line in others)
    assert "amount" in text
    assert "region" in text
    assert sum(int(line.split("(")[-1].split()[0].replace(",", "")) for line in text.splitlines()) == 800


def test_a_list_without_rules_is_told_too(claims):
    encoding, rows = claims
    few = Rows("classification", 2, rows.X[:12], np.arange(12) % 2, rows.views)
    assert describe(RECIPES["rules"].fit(RECIPES["rules"].portfolio[0], few, EFFORT), encoding, LABELS).startswith(
        "always: "
    )


def test_a_tree_is_drawn_with_both_ways_of_every_question(claims):
    encoding, rows = claims
    fitted = RECIPES["tree"].fit({"leaves": 5, "min_samples_leaf": 10}, rows, EFFORT)
    text = describe(fitted, encoding, LABELS)
    lines = text.splitlines()
    assert len(lines) == 9
    assert text.count("?") == 4
    assert text.count("yes: ") == text.count("no: ") == 4
    assert lines[0].startswith(("amount > 20", "amount > 19"))
    assert sum(int(line.split("(")[-1].split()[0]) for line in lines if line.endswith("rows)")) == 800


def test_numbers_are_told_in_the_unit_of_the_target(claims):
    encoding, rows = claims
    numbers = Rows("regression", 0, rows.X, 1000.0 + 500 * rows.y, rows.views)
    for name in ("tree", "rules"):
        text = describe(RECIPES[name].fit(RECIPES[name].portfolio[0], numbers, EFFORT), encoding, ())
        assert "1,500" in text or "1,49" in text


def test_weights_are_told_by_size_and_zeros_by_name(claims):
    encoding, rows = claims
    text = describe(RECIPES["lasso"].fit({"strength": 0.2}, rows, EFFORT), encoding, LABELS)
    assert text.startswith("added to the log odds of yes:")
    sizes = [abs(float(line.split()[0])) for line in text.splitlines()[1:] if line.strip()[0] in "+-"]
    assert sizes == sorted(sizes, reverse=True)
    assert "more of amount" in text
    assert "exactly 0: " in text
    assert "member" in text.split("exactly 0: ")[1] or "and" in text.split("exactly 0: ")[1]


def test_each_of_several_answers_has_its_weights(claims):
    encoding, rows = claims
    three = Rows("classification", 3, rows.X, np.arange(800) % 3, rows.views)
    for name in ("logistic", "linear_svm"):
        text = describe(RECIPES[name].fit(RECIPES[name].portfolio[0], three, EFFORT), encoding, ("a", "b", "c"))
        assert [f"of {label}:" in text for label in "abc"] == [True] * 3


def test_the_steps_of_naive_bayes_are_told_for_the_columns_that_part_most(claims):
    encoding, rows = claims
    text = describe(RECIPES["bayes"].fit({"bins": 4, "alpha": 1.0}, rows, EFFORT), encoding, LABELS)
    assert text.startswith("added to the log odds of yes:")
    line = next(line for line in text.splitlines() if line.startswith("  amount: "))
    steps = [float(part.rsplit(" ", 1)[1]) for part in line.removeprefix("  amount: ").split(", ")]
    assert steps[0] > 1 > steps[-1]
    assert "north +" in text


def test_conditions_are_told_in_the_columns_own_words(claims):
    encoding, _ = claims
    cases = {
        ("region = north", 0.5): ("region = north", "region ≠ north"),
        ("member", 0.5): ("member is true", "member is false"),
        ("amount is missing", 0.5): ("amount is missing", "amount is there"),
        ("report: stolen", 0.0): ("report: stolen occurs", "report: stolen does not occur"),
    }
    for (name, threshold), (yes, no) in cases.items():
        place = feature(encoding, name)
        assert condition_words(encoding, place, threshold, above=True) == yes
        assert condition_words(encoding, place, threshold, above=False) == no


def test_dates_and_lengths_are_told_in_their_own_numbers(claims):
    encoding, _ = claims
    month = feature(encoding, "month of day")
    scale = next(part for part in encoding.parts if part.column == "day").numbers["month"]
    assert condition_words(encoding, month, (6.5 - scale.center) / scale.scale, above=True) == "month of day > 6.5"
    long = feature(encoding, "characters in report")
    scale = next(part for part in encoding.parts if part.column == "report").chars
    threshold = (np.log1p(30.0) - scale.center) / scale.scale
    assert condition_words(encoding, long, threshold, above=False) == "characters in report ≤ 30"


@pytest.mark.parametrize("name", ["forest", "neighbours", "svm"])
def test_a_model_that_is_too_large_says_which_are_not(name, claims):
    encoding, rows = claims
    fitted = RECIPES[name].fit({**RECIPES[name].portfolio[0], "n_estimators": 5}, rows, EFFORT)
    with pytest.raises(ModelError, match=r"too large to be read[\s\S]*rules, tree, logistic"):
        describe(fitted, encoding, LABELS)


def test_a_curve_is_told_piece_by_piece_in_its_own_unit_and_the_pieces_add_up(claims):
    encoding, rows = claims
    fitted = RECIPES["logistic"].fit({"C": 1.0, "steps": "curves"}, rows, EFFORT)
    text = describe(fitted, encoding, LABELS)
    assert text.startswith("added to the log odds of yes:")
    pieces = [line.split(maxsplit=1) for line in text.splitlines() if " amount from " in line]
    assert len(pieces) >= 3
    place, scale = feature(encoding, "amount"), encoding.parts[0]
    for said, words in pieces:
        ends = [float(end) for end in words.removeprefix("amount from ").split(" to ")]
        two = np.repeat(rows.X[:1], 2, axis=0)
        two[:, place] = [(end - scale.center) / scale.scale for end in ends]
        odds = np.log(fitted.raw(two)[:, 1] / fitted.raw(two)[:, 0])
        assert odds[1] - odds[0] == pytest.approx(float(said), rel=0.05, abs=0.02)


def test_what_is_kept_of_many_columns_is_told_by_name(claims):
    encoding, rows = claims
    text = describe(RECIPES["lasso"].fit({"strength": 0.01, "steps": "stable"}, rows, EFFORT), encoding, LABELS)
    assert "amount" in text
    assert len(text.splitlines()) < 10
