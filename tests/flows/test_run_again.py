"""A run that was killed goes on, and a run under a time budget can be done again as it went."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import msgspec
import pytest

import understudy
from conftest import claims
from understudy.core.errors import ConflictError, InputError
from understudy.flows.models import beside
from understudy.flows.runs import Record, RunFiles, Wanted, open_run
from understudy.flows.workspace import open_workspace

ASKED = {"target": "pay", "drop": ("paid_amount",), "recipes": ("logistic", "lightgbm"), "seed": 3}
EIGHT = understudy.Budget(trials=8)
SCRIPT = """
import sys, understudy
understudy.run(sys.argv[1], workspace=sys.argv[2], target="pay", drop=("paid_amount",),
               recipes=("logistic", "lightgbm"), seed=3, budget=understudy.Budget(trials=8))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "claims.csv"
    claims(400).write_csv(path)
    return path


@pytest.fixture(scope="module")
def whole(table, tmp_path_factory):
    """A run that was not disturbed, and its workspace."""
    work = tmp_path_factory.mktemp("whole")
    return work, understudy.run(table, workspace=work, budget=EIGHT, **ASKED)


def fits(work: Path) -> int:
    files = list(work.glob(".understudy/runs/*/trials.jsonl"))
    return files[0].read_text().count('"fitting"') if files else 0


def killed(table: Path, work: Path) -> None:
    """A run that was killed in the middle of its search."""
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(table), str(work)])
    while fits(work) < 6:
        assert process.poll() is None
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def halfway(table, tmp_path_factory):
    work = tmp_path_factory.mktemp("halfway")
    killed(table, work)
    return work


def test_a_killed_run_goes_on_and_comes_to_the_same_version(table, whole, halfway):
    done = fits(halfway)
    told = []
    result = understudy.run(table, workspace=halfway, budget=EIGHT, tell=told.append, **ASKED)
    assert result.model.version == whole[1].model.version
    assert result.reused.startswith("reused ")
    assert "of an earlier run that was stopped after" in result.reused
    assert int(result.reused.split()[1]) >= 2
    assert any(result.reused in step.detail for step in told)
    assert done >= 6
    assert not list(halfway.glob(".understudy/runs/*"))


def test_fresh_starts_anew(table, tmp_path, whole):
    killed(table, tmp_path)
    result = understudy.run(table, workspace=tmp_path, budget=EIGHT, fresh=True, **ASKED)
    assert result.reused == ""
    assert result.model.version == whole[1].model.version


def test_two_runs_with_one_seed_and_a_budget_in_trials_give_the_same_version(table, whole, tmp_path):
    again = understudy.run(table, workspace=tmp_path, budget=EIGHT, **ASKED)
    assert again.model.version == whole[1].model.version
    assert again.reused == ""
    assert [row["recipe"] for row in again.leaderboard] == [row["recipe"] for row in whole[1].leaderboard]
    assert sum(row["weight"] for row in again.leaderboard) == pytest.approx(1.0)
    other = understudy.run(table, workspace=tmp_path, budget=EIGHT, **(ASKED | {"seed": 4}))
    assert other.model.version != again.model.version


def test_a_run_under_a_time_budget_is_replayed_to_the_same_version(table, tmp_path):
    timed = understudy.run(table, workspace=tmp_path / "timed", budget=4, **ASKED)
    plan = beside(open_workspace(tmp_path / "timed"), "claims", timed.model.version, "plan.json")
    (tmp_path / "plan.json").write_bytes(plan)
    record = msgspec.json.decode(plan, type=Record)
    assert record.plan.wanted.seconds == 4
    assert record.trials
    again = understudy.run(
        table, workspace=tmp_path / "again", target="pay", drop=("paid_amount",), replay=tmp_path / "plan.json"
    )
    assert again.model.version == timed.model.version
    assert [row["fold_scores"] for row in again.leaderboard] == [row["fold_scores"] for row in timed.leaderboard]
    named = understudy.run(table, workspace=tmp_path / "timed", replay=timed.model.version[:12])
    assert named.model.version == timed.model.version


def test_a_replay_on_other_data_is_refused(whole, tmp_path):
    claims(410).write_csv(tmp_path / "claims.csv")
    with pytest.raises(InputError, match="had other data"):
        understudy.run(tmp_path / "claims.csv", workspace=whole[0], replay="latest")


def test_what_is_no_record_is_refused(table, whole, tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps({"trials": []}))
    with pytest.raises(InputError, match="is no record of a run"):
        understudy.run(table, workspace=whole[0], replay=tmp_path / "plan.json")


def test_the_same_run_twice_at_a_time_is_refused(tmp_path):
    with open_run(tmp_path, plan(), fresh=False), pytest.raises(ConflictError, match="under way in another process"):
        open_run(tmp_path, plan(), fresh=False).__enter__()


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    from understudy.models.search.race import Chosen

    files = RunFiles(tmp_path)
    files.write(Chosen((1, 2)))
    files.close()
    with (tmp_path / "trials.jsonl").open("ab") as file:
        file.write(b'{"type":"chos')
    again = RunFiles(tmp_path)
    assert again.earlier() == (Chosen((1, 2)),)
    again.write(Chosen((3,)))
    again.close()
    assert RunFiles(tmp_path).earlier() == (Chosen((1, 2)), Chosen((3,)))


def plan():
    from understudy.flows.runs import Plan

    return Plan(task="t", name="claims", snapshot="s", wanted=Wanted(trials=1), libraries={})


def test_another_budget_or_seed_is_another_run():
    plans = [msgspec.structs.replace(plan(), wanted=Wanted(trials=n, seed=s)).run for n, s in ((1, 0), (2, 0), (1, 1))]
    assert len(set(plans)) == 3


@pytest.mark.parametrize("strategy", ["grid", "random"])
def test_settings_may_come_from_a_grid_or_at_random(strategy, table, tmp_path):
    options = ASKED | {"recipes": ("logistic",)}
    result = understudy.run(table, workspace=tmp_path, budget=understudy.Budget(trials=3), strategy=strategy, **options)
    assert {row["stage"] for row in result.leaderboard} == {"search"}


def test_a_single_member_is_what_was_asked_for(table, tmp_path):
    result = understudy.run(table, workspace=tmp_path, budget=understudy.Budget(trials=4), single=True, **ASKED)
    assert [row["weight"] for row in result.leaderboard if row["weight"]] == [1.0]


def test_every_trial_is_logged_to_mlflow(table, tmp_path, monkeypatch):
    address = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    result = understudy.run(table, workspace=tmp_path, budget=understudy.Budget(trials=3), **ASKED)
    client = mlflow.MlflowClient(address)
    experiment = client.get_experiment_by_name("understudy/claims")
    runs = client.search_runs([experiment.experiment_id])
    parent = next(run for run in runs if "mlflow.parentRunId" not in run.data.tags)
    logged = {run.info.run_name: run for run in runs if run is not parent}
    assert len(logged) == 3
    for row in result.leaderboard:
        run = logged[f"{row['number']} {row['recipe']}"]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert run.data.metrics["loss"] == pytest.approx(row["score"])
        assert run.data.params["recipe"] == row["recipe"]


def test_without_mlflow_the_way_to_install_it_is_told(table, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(understudy.core.errors.MissingExtraError, match=r"pip install 'understudy\[mlflow\]'"):
        understudy.run(table, workspace=tmp_path, budget=understudy.Budget(trials=1), **ASKED)


def test_the_standing_is_shown_as_the_search_goes(table, tmp_path):
    shown = []
    understudy.run(table, workspace=tmp_path, budget=understudy.Budget(trials=3), show=shown.append, **ASKED)
    assert shown[-1].left == 0
    assert shown[-1].running == 0
    assert sum(shown[-1].weights.values()) == pytest.approx(1.0)
    assert [len(standing.trials) for standing in shown] == sorted(len(standing.trials) for standing in shown)
