"""A job is done once in each state of the code, alone, and what fails is told."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bench.automl import race
from bench.automl.contenders import CONTENDERS, Contender
from bench.automl.race import Plan, read_results, run
from bench.automl.sources import SOURCES, Source

COIN = """
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from bench.automl.workers.job import Model, Promise, perform

@dataclass
class Coin(Model):
    libraries = ("numpy",)
    def read(self, path): return Path(path).read_text().splitlines()[1:]
    def predict(self, table): return np.full((len(table), 2), 0.5)
    def singles(self, table, count): return table[:count]
    def one(self, row): return 0.5
    def repeat(self, table, rows): return [table[place % len(table)] for place in range(rows)]
    def save(self): return Path(__file__)

def fit(job):
    if job.seed: raise RuntimeError("no more coins")
    return Coin(labels=["yes", "no"], promise=Promise(0.6, where="thought"), notes={"time": job.time})

perform(fit)
"""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A contender that throws coins, on a table of its own; with the second seed it fails."""
    pl.DataFrame({"x": range(40), "answer": ["yes", "no"] * 20}).write_csv(tmp_path / "coins.csv")
    (tmp_path / "coin.py").write_text(COIN)
    monkeypatch.setitem(CONTENDERS, "coin", Contender("Coin", "thrown", "coin"))
    monkeypatch.setitem(SOURCES, "coins", Source("coins.csv", "answer", positive="yes", time="row order"))
    monkeypatch.setattr(race, "command_of", lambda *_: [sys.executable, str(tmp_path / "coin.py")])
    monkeypatch.setattr(race, "state_of", lambda *_: "state")
    return Plan(tmp_path, tmp_path, tmp_path / "out", ["coin"], ["coins"], [5.0], seeds=2)


def test_a_job_is_judged_on_what_was_kept_from_it(plan: Plan) -> None:
    fine, broken = list(run(plan))
    assert fine["failed"] == ""
    assert (fine["roc_auc"], fine["log_loss"]) == (0.5, pytest.approx(np.log(2)))
    assert (fine["promise"]["score"], fine["test_rows"], fine["seconds"]) == (0.6, 8, 5.0)
    assert fine["one_row_ms"] >= 0
    assert fine["artifact_mb"] > 0
    assert fine["peak_mb"] > 0
    with np.load(plan.out / "predictions" / fine["predictions"]) as kept:
        assert kept["rows"].tolist() == list(range(32, 40))
        assert kept["y"].tolist() == [1, 0] * 4  # the positive answer is the last
        assert kept["scores"].shape == (8, 2)
    assert broken["failed"] == "RuntimeError: no more coins"
    assert read_results(plan.results) == [json.loads(json.dumps(one)) for one in (fine, broken)]


def test_what_is_done_is_not_done_again_unless_that_is_wanted(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(list(run(plan))) == 2
    assert list(run(plan)) == []
    assert [one["seed"] for one in run(replace(plan, retry=True))] == [1]
    assert len(list(run(replace(plan, fresh=True)))) == 2
    monkeypatch.setattr(race, "state_of", lambda *_: "changed")
    assert len(list(run(plan))) == 2


def test_the_order_is_told_only_when_it_should_be(plan: Plan) -> None:
    plan = replace(plan, seeds=1)
    assert [one["notes"]["time"] for one in run(plan)] == [""]
    assert [one["notes"]["time"] for one in run(replace(plan, told=True))] == ["row order"]


def test_who_takes_no_budget_runs_once_for_all_of_them(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTENDERS, "coin", Contender("Coin", "thrown", "coin", timed=False))
    assert [one["seconds"] for one in run(replace(plan, seeds=1, budgets=[5.0, 9.0]))] == [0]
