"""The edge export answers with ONNX Runtime and numpy alone, and as the service does."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
import polars as pl
import pytest

import understudy
from understudy.core.errors import DataError, InputError, ModelError
from understudy.flows.export import MLFLOW_SOURCES, SOURCES, export, travelling
from understudy.flows.golive import RunResult

ALONE = """
import runpy, sys
BARRED = {"understudy", "polars", "sklearn", "lightgbm", "scipy", "pandas", "msgspec", "pyarrow", "onnx", "sqlalchemy"}
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BARRED:
            raise ImportError(f"{name} is not on this machine")
sys.meta_path.insert(0, Guard())
place, package = sys.argv[1], sys.argv[2]
if package:
    sys.path.insert(0, place)
    runpy.run_module(package, run_name="__main__")
else:
    runpy.run_path(place, run_name="__main__")
"""


def answers(place: Path, rows: list[dict], package: str = "") -> list[dict]:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    command = [sys.executable, "-I", "-c", ALONE, str(place), package]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("form", ["onnx", "python"])
def test_it_answers_as_the_version_does_without_understudy(
    form: str, ran: tuple[Path, RunResult], claims_csv: Path, tmp_path: Path
) -> None:
    place = export("claims", tmp_path / "edge", format=form, workspace=ran[0])
    package = "claims_model" if form == "python" else ""
    version = understudy.load("claims", workspace=ran[0])
    rows = pl.read_csv(claims_csv, infer_schema=False).select(version.inputs).head(30).to_dicts()
    rows.append(rows[0] | {"region": "the moon", "amount": 1e12})
    for row, got in zip(rows, answers(place, rows, package), strict=True):
        expected = version.predict_row(row)
        assert got["prediction"] == expected.prediction
        assert got["strangeness"] == expected.strangeness
        assert got["probabilities"] == pytest.approx(expected.probabilities, abs=1e-6)


def test_it_answers_faults_in_words(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    archive = export("claims", tmp_path / "edge.zip", workspace=ran[0])
    (faulty,) = answers(archive, [{"amount": "much"}])
    assert {"where": "amount", "found": "'much'", "expected": "a finite number"} in faulty["faults"]


def test_the_package_is_imported_from_a_zip_file_too(
    ran: tuple[Path, RunResult], claims_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(export("claims", tmp_path / "edge.zip", workspace=ran[0]))
    package = importlib.import_module("claims_model")
    model = package.Model()
    rows = pl.read_csv(claims_csv, infer_schema=False).head(3).to_dicts()
    version = understudy.load("claims", workspace=ran[0])
    together = model.predict_all(rows)
    for one, row in zip(together, rows, strict=True):
        assert one["probabilities"] == pytest.approx(model.predict(row)["probabilities"], abs=1e-6)
    assert [one["prediction"] for one in together] == [version.predict_row(row).prediction for row in rows]
    assert model.predict_all([]) == []
    assert model.manifest["task"] == "claims"
    with pytest.raises(package.ContractError, match="amount: expected a finite number"):
        model.predict({"amount": "much"})


def test_what_travels_imports_nothing_of_ours() -> None:
    for text in travelling(SOURCES | MLFLOW_SOURCES).values():
        modules = {
            node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        assert not any((module or "").startswith("understudy") for module in modules)


def test_an_mlflow_model_says_how_it_is_loaded_and_what_it_takes(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    place = export("claims", tmp_path / "model", format="mlflow", workspace=ran[0])
    described = json.loads((place / "MLmodel").read_text())
    flavor = described["flavors"]["python_function"]
    assert (place / flavor["code"] / flavor["loader_module"].replace(".", "/")).with_suffix(".py").is_file()
    assert (place / flavor["env"]["virtualenv"]).is_file()
    version = understudy.load("claims", workspace=ran[0])
    inputs = json.loads(described["signature"]["inputs"])
    assert [one["name"] for one in inputs] == list(version.inputs)
    assert described["metadata"]["version"] == version.digest
    assert "onnxruntime==" in (place / "requirements.txt").read_text()


def test_mlflow_loads_it_and_answers_as_the_version_does(
    ran: tuple[Path, RunResult], claims_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "claims_model"]:
        monkeypatch.delitem(sys.modules, name)  # of another export
    place = export("claims", tmp_path / "model", format="mlflow", workspace=ran[0])
    version = understudy.load("claims", workspace=ran[0])
    frame = pd.read_csv(claims_csv)[list(version.inputs)].head(40)
    said = mlflow.pyfunc.load_model(str(place)).predict(frame)
    expected = version.as_columns(version.predict(pl.read_csv(claims_csv, infer_schema=False).head(40)))
    assert said["prediction"].tolist() == expected["prediction"].to_list()
    assert said["probability_yes"].tolist() == pytest.approx(expected["probability_yes"].to_list(), abs=1e-6)


def test_a_folder_that_is_there_is_not_overwritten(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    export("claims", tmp_path / "model", format="python", workspace=ran[0])
    with pytest.raises(DataError, match="is there already"):
        export("claims", tmp_path / "model", format="mlflow", workspace=ran[0])


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no format 'pmml'[\s\S]*onnx, python, mlflow"):
        export("claims", tmp_path / "model", format="pmml", workspace=tmp_path)  # type: ignore[arg-type]


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
