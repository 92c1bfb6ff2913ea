"""Advice follows the data: noise needs nothing, rules need rules, and curves need more than lines."""

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

import understudy
from conftest import claims
from evidence.promises import kept
from understudy.core.errors import InputError
from understudy.flows import tryout
from understudy.flows.advise import Advice, advise
from understudy.flows.dataset import assemble
from understudy.flows.propose import propose_task
from understudy.models.advice import Wishes
from understudy.models.probes import what_is_enough
from understudy.models.recipes import RECIPES

FLIGHTS = Path(__file__).parent.parent.parent / "examples" / "flights" / "flights.csv.gz"
FAST = {"rules": "rules", "tree": "tree", "linear": "logistic", "bayes": "bayes"}
FEW = {"linear": "logistic", "boosting": "lightgbm"}


@pytest.fixture
def fast(monkeypatch):
    """Only the recipes that are fitted in a moment are tried."""
    monkeypatch.setattr(tryout, "PROBES", FAST)


def table(kind: str, n: int = 1500, seed: int = 0) -> pl.DataFrame:
    """Rows whose answer follows a rule, a straight line, a curve, or nothing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    region = rng.choice(["north", "south", "west"], n)
    odds = {
        "rule": 8.0 * ((X[:, 0] > 0.5) & (region == "north")) - 4,
        "line": 1.5 * X[:, 0] - X[:, 1] + 0.8 * (region == "north"),
        "curve": 3 * np.abs(X[:, 0]) - 2.4 + 2 * X[:, 1] * X[:, 2],
        "noise": np.zeros(n),
    }[kind]
    pay = rng.random(n) < 1 / (1 + np.exp(-odds))
    columns = {f"x{place}": X[:, place] for place in range(4)}
    return pl.DataFrame(columns | {"region": region, "pay": np.where(pay, "yes", "no")})


def written(frame: pl.DataFrame, place: Path) -> Path:
    frame.write_csv(place / "pay.csv")
    return place / "pay.csv"


def fits(advice: Advice) -> dict[str, str]:
    return {one.recipe: one.fit for one in advice.recipes}


def test_a_table_that_follows_rules_needs_rules(tmp_path, fast):
    advice = advise(written(table("rule", n=3000), tmp_path), target="pay")
    assert advice.enough == "rules"
    assert "without machine learning" in advice.because
    assert advice.rules.startswith("if ")
    assert "x0 > " in advice.rules
    assert "region = north" in advice.rules


def test_noise_needs_nothing(tmp_path, fast):
    advice = advise(written(table("noise", seed=1), tmp_path), target="pay")
    assert advice.enough == "nothing"
    assert "remains possible" in advice.because
    assert "good" not in fits(advice).values()
    assert advice.rules.startswith("always: ")


def test_a_straight_line_speaks_for_linear_models_and_a_curve_against_them(tmp_path, monkeypatch):
    monkeypatch.setattr(tryout, "PROBES", FEW)
    line = advise(written(table("line"), tmp_path), target="pay")
    assert line.enough == "model"
    assert fits(line)["logistic"] == fits(line)["lasso"] == "good"
    curve = advise(written(table("curve"), tmp_path), target="pay")
    found = {one.recipe: one for one in curve.recipes}
    assert found["lasso"].fit == "poor"
    assert ("linearity", "against") in {(reason.criterion, reason.bearing) for reason in found["lasso"].reasons}
    assert found["lightgbm"].fit == "good"


def test_tables_of_noise_are_seldom_taken_for_more(monkeypatch):
    """In 50 tables of noise a signal is seen no more often than the intervals allow."""
    monkeypatch.setattr(tryout, "PROBES", {"linear": "logistic", "bayes": "bayes"})
    seen = []
    for seed in range(50):
        frame = table("noise", n=150, seed=seed)
        task, _ = propose_task(frame, name="pay", target="pay", told={})
        trial = tryout.prepare(assemble(frame, task, seed=0), task, seed)
        probes, _ = tryout.compare(trial, task, lambda _: None)
        seen.append(any(probe.gain.lower > 0 for probe in probes))
    assert kept(np.array(seen), 0.05)


def test_rows_that_recipes_have_seen_would_show_a_signal_in_noise(fast):
    """Were they judged on the rows that they were fitted on, nearly every table of noise would."""
    frame = table("noise", n=150)
    task, _ = propose_task(frame, name="pay", target="pay", told={})
    trial = tryout.prepare(assemble(frame, task, seed=0), task, 0)
    one = trial.parts[0]
    cheat = tryout.Tryout(
        trial.data,
        trial.scheme,
        (type(one)(one.fit, one.fit),),
        trial.fitted_on[:1],
        (trial.fitted_on[0].X,),
        trial.goal,
        0,
    )
    probes, _ = tryout.compare(cheat, task, lambda _: None)
    assert max(probe.gain.lower for probe in probes) > 0


def files_in(place):
    """What stands there, but for what SQLite keeps beside its file while it is open."""
    return sorted(path for path in place.rglob("*") if not path.name.endswith(("-wal", "-shm")))


def test_todays_rules_are_enough_where_they_are_as_good(tmp_path, fast):
    source = written(table("rule", n=3000), tmp_path)
    file = understudy.init(source, target="pay", workspace=tmp_path)
    rules = 'rules = [{ when = "x0 > 0.5 AND region = \'north\'", then = "yes" }, { when = "x0 > -100", then = "no" }]'
    lines = file.read_text().splitlines()
    file.write_text("\n".join(rules if line.startswith("# rules = ") else line for line in lines))
    before = files_in(tmp_path)
    advice = advise(source, workspace=tmp_path)
    assert advice.enough == "today"
    assert "today's rules" in advice.because.lower()
    assert files_in(tmp_path) == before


def test_a_poor_rule_of_today_is_not(tmp_path, fast):
    source = written(table("line"), tmp_path)
    file = understudy.init(source, target="pay", workspace=tmp_path)
    lines = file.read_text().splitlines()
    rules = 'rules = [{ when = "region = \'north\'", then = "yes" }, { when = "x0 > -100", then = "no" }]'
    file.write_text("\n".join(rules if line.startswith("# rules = ") else line for line in lines))
    advice = advise(source, workspace=tmp_path)
    today = next(probe for probe in advice.probes if not probe.family)
    assert advice.enough == "model"
    assert 0 < today.gain.estimate < today.behind.estimate


def test_numbers_groups_and_time_are_tried_as_they_would_be_run(tmp_path):
    frame = claims(500).with_columns(month=pl.col("day").str.slice(0, 7))
    advice = advise(written(frame.drop("pay"), tmp_path), target="paid_amount", time="day", drop=("month",))
    assert (advice.scheme, advice.goal, advice.facts.kind) == ("time", "rmse", "regression")
    assert {probe.name for probe in advice.probes} >= {"ridge", "rules", "lightgbm"}
    assert "bayes" not in {probe.name for probe in advice.probes}
    grouped = advise(written(frame.drop("paid_amount"), tmp_path), target="pay", split_group="month")
    assert grouped.scheme == "group"
    assert "cluster" in grouped.probes[0].gain.method


def test_flights_pay_a_model_and_wishes_are_named(tmp_path):
    advice = understudy.advise(
        FLIGHTS,
        target="arr_delay > 15",
        drop=("dep_delay",),
        wishes=Wishes(interpretable=True, answer_micros=100.0),
    )
    assert advice.enough == "model"
    assert advice.facts.measured < advice.facts.rows
    assert fits(advice)["lightgbm"] == "barred"
    assert {reason.criterion for one in advice.recipes for reason in one.reasons} >= {
        "metric",
        "interpretability",
        "answering time",
    }
    assert msgspec.json.decode(msgspec.json.encode(advice), type=Advice).recipes == advice.recipes


def test_a_class_that_is_missing_in_a_fold_does_no_harm(tmp_path, fast):
    frame = table("line", n=300)
    pay = frame["pay"].to_list()
    pay[7], pay[8] = "perhaps", "perhaps"
    advice = advise(written(frame.with_columns(pay=pl.Series(pay)), tmp_path), target="pay")
    assert (advice.facts.classes, advice.facts.rarest) == (3, 2)
    assert advice.enough == "model"


def test_a_recipe_that_cannot_be_tried_costs_its_place_and_not_the_advice(tmp_path, fast, monkeypatch):
    def broken(*_):
        raise ValueError("the matrix is singular")

    monkeypatch.setitem(RECIPES, "tree", msgspec_replace(RECIPES["tree"], broken))
    advice = advise(written(table("line", n=200), tmp_path), target="pay")
    tree = next(probe for probe in advice.probes if probe.name == "tree")
    assert "the matrix is singular" in tree.error
    assert fits(advice)["tree"] == "poor"
    assert what_is_enough(advice.probes, advice.facts)[0] == advice.enough


def msgspec_replace(recipe, fit_part):
    return type(recipe)(**{**vars(recipe), "fit_part": fit_part})


def test_without_a_target_and_a_task_the_columns_are_named(tmp_path):
    with pytest.raises(InputError, match=r"no target is named[\s\S]*--target COLUMN[\s\S]*region"):
        advise(written(table("line", n=60), tmp_path), workspace=tmp_path)
