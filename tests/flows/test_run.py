"""The main job, from a file to a version that watches."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

import understudy
from conftest import claims
from understudy.core.errors import ContractError, DataError, InputError, ModelError, NotFoundError, StoreError
from understudy.data.split import split
from understudy.flows.golive import RunResult
from understudy.flows.models import beside, list_models, read_report
from understudy.flows.version import Manifest
from understudy.flows.workspace import open_workspace
from understudy.store.events import first_broken_event, read_events
from understudy.store.tasks import task_number

SMALL = understudy.Budget(trials=1)


def test_a_run_ends_with_a_checked_compiled_version_in_shadow(ran: tuple[Path, RunResult]) -> None:
    work, result = ran
    assert result.model.compiled
    assert result.metrics["roc_auc"].lower > 0.5
    assert {check.code for check in result.checks} >= {"US001", "US002", "US003", "US004"}
    assert result.level == "shadow" if all(check.verdict != "fail" for check in result.checks) else "human"
    assert (result.task, result.rows, result.quarantined) == ("claims", 600, 0)
    assert Path(result.report).read_text().startswith("<!doctype html>")
    listing = list_models("claims", workspace=work)
    assert [record.version for record in listing.versions] == [result.model.version]


def test_the_json_of_a_result_has_the_promised_keys(ran: tuple[Path, RunResult]) -> None:
    plain = msgspec.to_builtins(ran[1])
    assert {"task", "kind", "rows", "quarantined", "model", "metrics", "baseline", "calibration_error"} <= set(plain)
    assert {"checks", "report", "seconds"} <= set(plain)
    assert {"version", "recipe", "compiled"} <= set(plain["model"])
    assert {"estimate", "lower", "upper"} <= set(plain["metrics"]["roc_auc"])


def test_the_reported_metric_is_that_of_the_loaded_version_on_the_test_part(
    ran: tuple[Path, RunResult], claims_csv: Path
) -> None:
    work, result = ran
    report = read_report("claims", workspace=work)
    version = understudy.load("claims", workspace=work)
    frame = pl.read_csv(claims_csv, infer_schema=False)
    scores = version.predict(frame).scores[:, 1]
    y = (frame["pay"] == "yes").to_numpy()
    test = split(600, order=frame["day"].rank("dense").to_numpy(), seed=0).test
    assert report.rows["test"] == len(test)
    assert roc_auc_score(y[test], scores[test]) == pytest.approx(result.metrics["roc_auc"].estimate, abs=1e-6)


def test_a_version_answers_a_row_as_it_answers_a_table(ran: tuple[Path, RunResult], claims_csv: Path) -> None:
    version = understudy.load("claims", workspace=ran[0])
    frame = pl.read_csv(claims_csv, infer_schema=False).head(50).drop("pay", "paid_amount")
    table = version.as_columns(version.predict(frame))
    for row, expected in zip(frame.to_dicts(), table.to_dicts(), strict=True):
        answer = version.predict_row({key: value for key, value in row.items() if key in version.inputs})
        assert answer.prediction == expected["prediction"]
        assert answer.probabilities["yes"] == pytest.approx(expected["probability_yes"], abs=1e-6)
        assert answer.strangeness == expected["strangeness"]


def test_a_case_that_breaks_the_contract_is_answered_with_every_fault(ran: tuple[Path, RunResult]) -> None:
    version = understudy.load("claims", workspace=ran[0])
    with pytest.raises(ContractError) as caught:
        version.predict_row({"amount": "much", "region": "north", "ages": 3})
    text = str(caught.value)
    assert "amount: expected a finite number, got 'much'" in text
    assert "report: expected a value, got nothing" in text
    assert "ages: expected a field of the contract, got an unknown field (did you mean 'age'?)" in text


def test_an_alien_case_is_strange_and_an_ordinary_one_is_not(ran: tuple[Path, RunResult]) -> None:
    version = understudy.load("claims", workspace=ran[0])
    row = {"amount": 150, "region": "north", "age": 40, "report": "the bag was stolen at the station number 5"}
    day = {"day": "2024-05-05"}
    assert version.predict_row(row | day).strangeness < 0.9
    assert version.predict_row(row | day | {"region": "the moon"}).strangeness > 0.98
    assert version.predict_row(row | day | {"amount": 1e9}).strangeness > 0.98


def test_the_same_seed_and_trials_give_the_same_version(claims_csv: Path, tmp_path: Path) -> None:
    options = {"target": "pay", "drop": ("paid_amount",), "budget": understudy.Budget(trials=2)}
    first = understudy.run(claims_csv, workspace=tmp_path / "a", **options)
    again = understudy.run(claims_csv, workspace=tmp_path / "b", **options)
    other = understudy.run(claims_csv, workspace=tmp_path / "c", seed=1, **options)
    assert first.model.version == again.model.version != other.model.version


def test_numbers_are_learned_with_intervals_and_time_is_respected(claims_csv: Path, tmp_path: Path) -> None:
    result = understudy.run(
        claims_csv, target="paid_amount", workspace=tmp_path, budget=SMALL, time="day", drop=("pay",)
    )
    assert result.kind == "regression"
    assert read_report("claims", workspace=tmp_path).scheme == "time"
    row = {
        "amount": 150,
        "region": "north",
        "age": 40,
        "report": "the bag was stolen at the station",
        "day": "2024-05-05",
    }
    version = understudy.load("claims", workspace=tmp_path)
    answer = version.predict_row(row)
    table = version.predict(pl.DataFrame([row]))
    assert answer.lower <= answer.prediction <= answer.upper
    assert (answer.lower, answer.upper) == pytest.approx((table.lower[0], table.upper[0]))
    assert answer.confidence == table.confidence[0]


def test_rows_that_break_the_contract_are_quarantined_with_number_and_reason(tmp_path: Path) -> None:
    frame = claims()
    amounts = frame["amount"].to_list()
    amounts[10], amounts[20] = "lots", "inf"
    answers = frame["pay"].to_list()
    answers[5] = "?"
    frame.with_columns(amount=pl.Series(amounts), pay=pl.Series(answers)).write_csv(tmp_path / "dirty.csv")
    result = understudy.run(
        tmp_path / "dirty.csv", target="pay", workspace=tmp_path, budget=SMALL, drop=("paid_amount",)
    )
    assert result.quarantined == 2
    rejected = pl.read_csv(result.rejected)
    assert rejected.rows() == [(11, "amount", "lots", "a finite number"), (21, "amount", "inf", "a finite number")]
    assert read_report("dirty", workspace=tmp_path).without_answer == 1


def test_a_leak_is_left_out_and_told(tmp_path: Path) -> None:
    frame = claims().with_columns(code=pl.when(pl.col("pay") == "yes").then(pl.lit("P")).otherwise(pl.lit("R")))
    frame.write_csv(tmp_path / "leaky.csv")
    result = understudy.run(
        tmp_path / "leaky.csv", target="pay", workspace=tmp_path, budget=SMALL, drop=("paid_amount",)
    )
    assert "code" in next(check.detail for check in result.checks if check.code == "US003")
    assert "code" not in {column.name for column in understudy.load("leaky", workspace=tmp_path).contract.used}


def test_todays_rules_are_the_bar(claims_csv: Path, tmp_path: Path) -> None:
    file = understudy.init(claims_csv, target="pay", workspace=tmp_path, drop=("paid_amount",))
    text = file.read_text()
    rule = 'rules = [{ when = "amount < 200 AND region = \'north\'", then = "yes" }]'
    file.write_text(re.sub(r"# rules = .*", rule, text))
    result = understudy.run(claims_csv, workspace=tmp_path, budget=SMALL)
    assert result.baseline["name"] == "today's rules"
    assert result.baseline["metrics"]["accuracy"].estimate > 0.5


@pytest.mark.parametrize(
    ("change", "target", "message"),
    [
        ({}, "payed", r"there is no column 'payed'\.\nDid you mean 'pay'\?"),
        ({"pay": pl.lit("yes")}, "pay", "is always 'yes' in 600 rows: there is nothing to learn"),
        ({"pay": pl.lit("?")}, "pay", "is never there in 0 rows"),
        ({}, "claim_id || 'x'", "has 600 different answers"),
    ],
)
def test_a_target_that_cannot_be_learned_is_refused(tmp_path: Path, change: dict, target: str, message: str) -> None:
    claims().with_columns(**change).write_csv(tmp_path / "c.csv")
    with pytest.raises(DataError, match=message):
        understudy.run(tmp_path / "c.csv", target=target, workspace=tmp_path, budget=SMALL)


def test_few_rows_and_no_columns_are_refused(tmp_path: Path) -> None:
    claims(10).write_csv(tmp_path / "few.csv")
    with pytest.raises(DataError, match="Only 10 of 10 rows"):
        understudy.run(tmp_path / "few.csv", target="pay", workspace=tmp_path, budget=SMALL)
    claims().select("claim_id", "pay").write_csv(tmp_path / "bare.csv")
    with pytest.raises(DataError, match=r"No column is left to learn from\.\nclaim_id: different in every row"):
        understudy.run(tmp_path / "bare.csv", target="pay", workspace=tmp_path, budget=SMALL)


def test_a_task_file_goes_before_options_and_a_conflict_is_told(ran: tuple[Path, RunResult], claims_csv: Path) -> None:
    with pytest.raises(InputError, match="says target = 'pay', but you said 'region'"):
        understudy.run(claims_csv, target="region", workspace=ran[0], budget=SMALL)
    with pytest.raises(InputError, match="has a file already"):
        understudy.init(claims_csv, target="pay", workspace=ran[0])
    with pytest.raises(InputError, match=r"There is no task 'other' yet \(tasks: claims\), and no target is named"):
        understudy.run(claims_csv, name="other", workspace=ran[0], budget=SMALL)


def test_what_happened_stands_in_an_unbroken_log(ran: tuple[Path, RunResult]) -> None:
    store = open_workspace(ran[0]).store
    with store.reading() as connection:
        number = task_number(connection, "claims")
        kinds = [event.kind for event in read_events(connection, number)]
        assert kinds[:2] == ["task.saved", "model.registered"]
        assert first_broken_event(connection, number) is None


def test_out_of_fold_predictions_and_stages_are_kept_for_later(ran: tuple[Path, RunResult]) -> None:
    work = open_workspace(ran[0])
    assert msgspec.json.decode(beside(work, "claims", "latest", "stages.json"))[-1] == "calibration"
    assert beside(work, "claims", "latest", "oof.parquet")[:4] == b"PAR1"


def test_a_damaged_file_of_a_version_is_found_before_it_is_opened(claims_csv: Path, tmp_path: Path) -> None:
    understudy.run(claims_csv, target="pay", workspace=tmp_path, budget=SMALL)
    work = open_workspace(tmp_path)
    version = list_models("claims", workspace=tmp_path).versions[0].version
    manifest = msgspec.json.decode(work.artifacts.get(version), type=Manifest)
    name = manifest.files["model.onnx"]
    place = tmp_path / ".understudy" / "objects" / name[:2] / name[2:]
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(bytes(data))
    with pytest.raises(StoreError, match="is damaged"):
        understudy.load("claims", workspace=tmp_path)


def test_a_killed_run_leaves_nothing_half_registered(claims_csv: Path, tmp_path: Path) -> None:
    code = "import sys, understudy; understudy.run(sys.argv[1], target='pay', workspace=sys.argv[2], budget=30)"
    process = subprocess.Popen([sys.executable, "-c", code, str(claims_csv), str(tmp_path)])
    while not (tmp_path / ".understudy" / "objects").exists():
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(NotFoundError, match="knows no task 'claims'"):
        list_models("claims", workspace=tmp_path)
    result = understudy.run(claims_csv, workspace=tmp_path, budget=SMALL)
    assert len(list_models("claims", workspace=tmp_path).versions) == 1
    assert result.model.version


def test_a_version_that_cannot_be_compiled_is_plainly_served_natively(
    claims_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise ModelError("no operator for this part")

    monkeypatch.setattr("understudy.flows.train.compile_model", refuse)
    result = understudy.run(claims_csv, target="pay", workspace=tmp_path, budget=SMALL, drop=("paid_amount",))
    assert not result.model.compiled
    assert result.model.reason == "no operator for this part"
    assert next(check.verdict for check in result.checks if check.code == "US004") == "warn"
    version = understudy.load("claims", workspace=tmp_path)
    scores = version.predict(pl.read_csv(claims_csv, infer_schema=False)).scores
    assert np.allclose(scores.sum(axis=1), 1)
