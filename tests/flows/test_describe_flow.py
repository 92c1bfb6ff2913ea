"""A version is described by what it does, with effects from rows that did not choose its columns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import understudy
from conftest import claims
from understudy.core.errors import ModelError, NotFoundError
from understudy.data.contract import infer_contract
from understudy.data.prepare import encode, fit_encoding
from understudy.data.reading import read_frame
from understudy.flows.describe import blend_text, describe
from understudy.flows.folding import views
from understudy.flows.golive import RunResult
from understudy.flows.workspace import open_workspace
from understudy.models.blend import Blend
from understudy.models.describe import describe as in_words
from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.store.registry import find_version
from understudy.store.tasks import task_number


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """Learns the claims with one recipe only, on plain features, and describes the version."""
    claims().write_csv(tmp_path / "claims.csv")

    def learn(recipe: str, target: str = "pay", drop: str = "paid_amount"):
        plain = {key: value for key, value in RECIPES[recipe].portfolio[0].items() if key != "steps"}
        monkeypatch.setitem(RECIPES, recipe, replace(RECIPES[recipe], portfolio=(plain,)))
        understudy.run(
            tmp_path / "claims.csv",
            target=target,
            workspace=tmp_path,
            budget=understudy.Budget(trials=1),
            recipes=(recipe,),
            drop=(drop,),
        )
        return describe("claims", workspace=tmp_path)

    return learn


def test_a_logistic_regression_is_told_with_odds_ratios_from_the_rows_that_it_was_fitted_on(learned):
    found = learned("logistic")
    assert (found.task, found.recipe, found.kind, found.note) == ("claims", "logistic", "classification", "")
    assert found.text.startswith("added to the log odds of yes:")
    assert found.rows == 420
    north = next(one for one in found.effects if one.name == "region = north")
    assert north.state == "reference"  # the most frequent one
    others = [one.effect for one in found.effects if one.name in ("region = south", "region = east", "region = west")]
    assert all(one.lower < 0.22 < one.upper for one in others)  # exp(-1.5)
    amount = next(one for one in found.effects if one.name.endswith("more of amount"))
    assert amount.effect.upper < 1


def test_a_lasso_is_told_with_effects_from_rows_that_it_has_not_seen(learned):
    found = learned("lasso")
    assert 80 < found.rows < 100  # the test part
    assert {"estimated", "zero"} <= {one.state for one in found.effects}
    assert "exactly 0: " in found.text


def test_numbers_are_told_with_differences(learned):
    found = learned("ridge", target="paid_amount", drop="pay")
    assert found.kind == "regression"
    amount = next(one for one in found.effects if one.name.endswith("more of amount"))
    assert 0 < amount.effect.estimate < amount.effect.upper
    assert amount.weight == pytest.approx(amount.effect.estimate, rel=0.5)


@pytest.mark.parametrize(("recipe", "beginning"), [("rules", "if "), ("tree", ""), ("bayes", "added to the log odds")])
def test_rules_trees_and_steps_are_told_without_effects(learned, recipe, beginning):
    found = learned(recipe)
    assert found.text.startswith(beginning)
    assert (found.effects, found.note) == ((), "")


def test_a_large_model_says_that_it_cannot_be_read(learned):
    with pytest.raises(ModelError, match="too large to be read"):
        learned("neighbours")


def fitted_on(rows, recipe, params):
    return RECIPES[recipe].fit(params, rows, Effort(seed=0, threads=1))


def test_of_a_blend_each_member_that_can_be_read_is_told_with_its_share():
    source = claims().select("amount", "region", "age")
    contract = infer_contract(source)
    frame, _ = read_frame(contract, source)
    encoding = fit_encoding(frame, contract)
    X = encode(encoding, frame)
    y = (X[:, 0] > 0).astype(np.int64)
    rows = Rows("classification", 2, X, y, views(encoding))
    tree = fitted_on(rows, "tree", RECIPES["tree"].portfolio[0])
    forest = fitted_on(rows, "forest", {"n_estimators": 5, "min_samples_leaf": 5, "max_features": 0.5})
    text = blend_text(Blend((forest, tree), np.array([0.6, 0.4])), encoding, ("no", "yes"))
    assert text.startswith("60% Random forest: too large to be read.\n\n40% Decision tree:\n")
    assert text.endswith(in_words(tree, encoding, ("no", "yes")))
    with pytest.raises(ModelError, match=r"Blend of 2 × Random forest: each of them is too large to be read"):
        blend_text(Blend((forest, forest), np.array([0.6, 0.4])), encoding, ("no", "yes"))


def test_without_its_snapshot_a_version_is_told_without_effects(learned, tmp_path):
    found = learned("logistic")
    work = open_workspace(tmp_path)
    with work.store.reading() as connection:
        snapshot = find_version(connection, task_number(connection, "claims"), found.version).snapshot
    (tmp_path / ".understudy" / "objects" / snapshot[:2] / snapshot[2:]).unlink()
    again = describe("claims", version=found.version[:12], workspace=tmp_path)
    assert again.text == found.text
    assert (again.effects, again.note) == ((), "the rows that it was trained on are gone")


def test_a_version_that_does_not_exist_is_not_found(ran: tuple[Path, RunResult]):
    with pytest.raises(NotFoundError):
        describe("claims", version="0000", workspace=ran[0])
