"""The edge export answers with ONNX Runtime and numpy alone, and as the service does."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import understudy
from understudy.core.errors import ModelError
from understudy.flows.export import export
from understudy.flows.golive import RunResult

ALONE = """
import runpy, sys
ALLOWED = {"numpy", "onnxruntime", "rows", "strange_rows", "intervals", "__main__"}
BARRED = {"understudy", "polars", "sklearn", "lightgbm", "scipy", "pandas", "msgspec", "pyarrow", "onnx", "sqlalchemy"}
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BARRED:
            raise ImportError(f"{name} is not on this machine")
sys.meta_path.insert(0, Guard())
sys.argv = [sys.argv[1]]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def answers(archive: Path, rows: list[dict]) -> list[dict]:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    command = [sys.executable, "-I", "-c", ALONE, str(archive)]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_answers_as_the_version_does_without_understudy(
    ran: tuple[Path, RunResult], claims_csv: Path, tmp_path: Path
) -> None:
    archive = export("claims", tmp_path / "edge.zip", workspace=ran[0])
    version = understudy.load("claims", workspace=ran[0])
    rows = pl.read_csv(claims_csv, infer_schema=False).select(version.inputs).head(30).to_dicts()
    rows.append(rows[0] | {"region": "the moon", "amount": 1e12})
    for row, got in zip(rows, answers(archive, rows), strict=True):
        expected = version.predict_row(row)
        assert got["prediction"] == expected.prediction
        assert got["strangeness"] == expected.strangeness
        assert got["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)


def test_it_answers_faults_in_words(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    archive = export("claims", tmp_path / "edge.zip", workspace=ran[0])
    (faulty,) = answers(archive, [{"amount": "much"}])
    assert {"where": "amount", "found": "'much'", "expected": "a finite number"} in faulty["faults"]


def test_numbers_come_with_their_interval(claims_csv: Path, tmp_path: Path) -> None:
    budget = understudy.Budget(trials=1)
    understudy.run(claims_csv, target="paid_amount", workspace=tmp_path, budget=budget, drop=("pay",))
    archive = export("claims", tmp_path / "edge.zip", workspace=tmp_path)
    version = understudy.load("claims", workspace=tmp_path)
    rows = pl.read_csv(claims_csv, infer_schema=False).select(version.inputs).head(5).to_dicts()
    for row, got in zip(rows, answers(archive, rows), strict=True):
        expected = version.predict_row(row)
        assert (got["lower"], got["upper"]) == pytest.approx((expected.lower, expected.upper))
        assert got["confidence"] == expected.confidence


def test_the_same_version_makes_the_same_archive(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    first, second = (export("claims", tmp_path / name, workspace=ran[0]) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()


def test_a_natively_served_version_is_not_exported(
    claims_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> bytes:
        raise ModelError("no operator for this part")

    monkeypatch.setattr("understudy.flows.train.compile_model", refuse)
    understudy.run(claims_csv, target="pay", workspace=tmp_path, budget=understudy.Budget(trials=1))
    with pytest.raises(ModelError, match=r"served natively \(no operator for this part\) and cannot be exported"):
        export("claims", tmp_path / "edge.zip", workspace=tmp_path)
