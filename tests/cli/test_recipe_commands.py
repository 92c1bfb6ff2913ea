"""`recipes`, `advise` and `describe` as a user types them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from conftest import claims
from understudy.cli.main import app
from understudy.cli.show import console
from understudy.core.errors import NotFoundError
from understudy.flows import tryout
from understudy.models.recipes import RECIPES


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that is wide enough for every line, whatever was imported before."""
    monkeypatch.setattr(console, "_width", 200)


def typed(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception:
        raise done.exception
    return done.stdout


@pytest.fixture
def pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tryout, "PROBES", {"rules": "rules", "linear": "logistic", "bayes": "bayes"})
    claims(400).write_csv(tmp_path / "claims.csv")
    return tmp_path / "claims.csv"


def test_every_recipe_is_listed_with_what_it_costs() -> None:
    text = typed("recipes")
    assert all(name in text for name in RECIPES)
    assert "raced by default" in text
    assert " µs" in text
    listed = json.loads(typed("recipes", "--json"))
    assert [entry["name"] for entry in listed] == list(RECIPES)
    assert listed[1]["space"]["C"] == {"low": 0.001, "high": 100.0, "log": True, "choices": []}


def test_one_recipe_is_told_in_full() -> None:
    text = typed("recipes", "lasso")
    assert "sets most weights to exactly 0" in text
    assert "strength 0.0001 to 0.5 (log)" in text
    assert "keeps to a known direction" in text
    assert [entry["name"] for entry in json.loads(typed("recipes", "svm", "--json"))] == ["svm"]


def test_an_unknown_recipe_is_answered_with_those_that_exist() -> None:
    with pytest.raises(NotFoundError, match=r"no recipe 'forrest'[\s\S]*lightgbm, logistic"):
        typed("recipes", "forrest")


def test_advice_names_what_pays_what_was_tried_and_why(pay: Path) -> None:
    text = typed("advise", pay, "--target", "pay", "--drop", "paid_amount", "--interpretable", "--answer-within", 0.1)
    assert "A model pays" in text
    assert "tried on 400 rows, by time" in text
    assert "interpretability: its weights can be read" in text
    assert "✕ interpretability: a person cannot follow it" in text
    assert "answering time: about 9 µs an answer" in text
    assert "The best short list of rules:" in text


def test_advice_for_machines_is_one_object(pay: Path) -> None:
    advice = json.loads(typed("advise", pay, "--target", "pay", "--drop", "paid_amount", "--json"))
    assert advice["enough"] == "model"
    assert {"facts", "because", "probes", "recipes", "more_rows", "rules"} <= set(advice)
    assert {reason["criterion"] for reason in advice["recipes"][0]["reasons"]} >= {"metric"}
    assert list(pay.parent.iterdir()) == [pay]


def test_a_version_is_described_with_its_effects(ran: tuple[Path, object]) -> None:
    text = typed("describe", "--task", "claims", "--workspace", ran[0])
    assert "added to the log odds of yes" in text
    assert "multiplies the odds by" in text
    assert "Compared with: region = north" in text
    plain = json.loads(typed("describe", "--task", "claims", "--workspace", ran[0], "--json"))
    assert plain["recipe"] == "logistic"
    assert plain["effects"]
