"""A version is described by what it does, with effects from rows that did not choose its columns."""

from pathlib import Path

import pytest

import understudy
from conftest import claims
from understudy.core.errors import ModelError, NotFoundError
from understudy.flows.describe import describe
from understudy.flows.golive import RunResult
from understudy.flows.workspace import open_workspace
from understudy.models import search
from understudy.store.registry import find_version
from understudy.store.tasks import task_number


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """Learns the claims with one recipe only, and describes the version."""
    claims().write_csv(tmp_path / "claims.csv")
    every = search.entrants

    def learn(recipe: str, target: str = "pay", drop: str = "paid_amount"):
        monkeypatch.setattr(search, "entrants", lambda kind, _: every(kind, (recipe,)))
        understudy.run(
            tmp_path / "claims.csv", target=target, workspace=tmp_path, budget=understudy.Budget(trials=1), drop=(drop,)
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
    assert found.rows == 90
    assert {"estimated", "zero"} <= {one.state for one in found.effects}
    assert "exactly 0: " in found.text


def test_numbers_are_told_with_differences(learned):
    found = learned("ridge", target="paid_amount", drop="pay")
    assert found.kind == "regression"
    amount = next(one for one in found.effects if one.name.endswith("more of amount"))
    assert amount.effect.lower > 0
    assert amount.weight == pytest.approx(amount.effect.estimate, rel=0.5)


@pytest.mark.parametrize(("recipe", "beginning"), [("rules", "if "), ("tree", ""), ("bayes", "added to the log odds")])
def test_rules_trees_and_steps_are_told_without_effects(learned, recipe, beginning):
    found = learned(recipe)
    assert found.text.startswith(beginning)
    assert (found.effects, found.note) == ((), "")


def test_a_large_model_says_that_it_cannot_be_read(learned):
    with pytest.raises(ModelError, match="too large to be read"):
        learned("neighbours")


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
