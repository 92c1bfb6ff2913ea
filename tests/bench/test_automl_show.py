"""The tables of the bench say what its results say, whoever failed, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.automl.boards import boards, overpromised
from bench.automl.contenders import CONTENDERS
from bench.automl.show import tables
from bench.evidence.show import filled

MARKERS = ("contenders", "primary", "against", "promises", "calibration", "costs", "failures")
PAGE = Path(__file__).parents[2] / "docs" / "modelling.md"


def result(contender: str, source: str, score: float, **more: Any) -> dict[str, Any]:
    """A line as `run` writes it."""
    metric = {"bike": "rmse", "covertype": "log_loss"}.get(source, "roc_auc")
    line = {
        "contender": contender, "source": source, "seed": 0, "seconds": 60.0, "told": False, "threads": 2,
        "state": "s", "data": "d", "failed": "", "metric": metric, metric: score, "calibration_error": 0.01,
        "promise": {"score": score, "lower": None, "upper": None, "where": ""}, "predictions": "",
        "fit_seconds": 61.0, "peak_mb": 500.0, "artifact_mb": 1.0, "one_row_ms": 0.05,
        "batch_rows_per_second": 1000, "versions": {contender: "1.0"}, "notes": {},
    }  # fmt: skip
    return line | more


def failed(contender: str, source: str, why: str, **more: Any) -> dict[str, Any]:
    names = ("contender", "source", "seed", "seconds", "told", "threads", "state", "data")
    line = result(contender, source, 0.0, **more)
    return {name: line[name] for name in names} | {"failed": why, "wall_seconds": 9.0, "peak_mb": 100.0}


def keep(folder: Path, name: str, y: np.ndarray, scores: np.ndarray) -> str:
    np.savez(folder / name, y=y, scores=scores, rows=np.arange(len(y)))
    return name


def answers(folder: Path, name: str, strength: float) -> str:
    rng = np.random.default_rng(7)
    y = rng.integers(2, size=400)
    sure = 1 / (1 + np.exp(-(strength * (2 * y - 1) + rng.normal(size=400))))
    return keep(folder, name, y, np.stack([1 - sure, sure], axis=1))


def numbers(folder: Path, name: str, noise: float) -> str:
    rng = np.random.default_rng(8)
    y = rng.normal(size=400)
    return keep(folder, name, y, (y + noise * rng.normal(size=400)).reshape(-1, 1))


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, Any]]:
    """Two tables, three contenders: FLAML fails on one of them, LightGBM takes no budget."""
    strong, weak = answers(tmp_path, "strong.npz", 2.0), answers(tmp_path, "weak.npz", 0.3)
    near, far = numbers(tmp_path, "near.npz", 0.1), numbers(tmp_path, "far.npz", 1.0)
    high = {"score": 0.95, "lower": 0.8, "upper": 0.99, "where": "kept rows"}
    low = {"score": 62.0, "lower": 61.0, "upper": 70.0, "where": "kept rows"}
    alone = {"lower": None, "upper": None}
    return [
        result("understudy", "adult", 0.9, predictions=strong, promise=high, notes={"training_seconds": 57}),
        result("flaml", "adult", 0.8, predictions=weak, promise=high | alone, one_row_ms=5.0, calibration_error=0.1),
        result("lightgbm", "adult", 0.7, predictions=weak, seconds=0),
        result(
            "understudy",
            "bike",
            80.0,
            predictions=far,
            promise=low,
            calibration_error=None,
            notes={"training_seconds": 63},
        ),
        failed("flaml", "bike", "ran out of <memory> | at 9 s"),
        result("lightgbm", "bike", 40.0, predictions=near, seconds=0, calibration_error=None),
    ]


@pytest.fixture
def shown(lines: list[dict[str, Any]], tmp_path: Path) -> dict[str, str]:
    return tables(lines, tmp_path, draws=200)


def row(table: str, head: str) -> list[str]:
    line = next(line for line in table.splitlines() if line.startswith(f"| {head}"))
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_best_of_a_row_is_marked_and_a_failure_is_no_figure(shown: dict[str, str]) -> None:
    assert row(shown["primary"], "adult, ROC AUC") == ["**0.9000**", "0.8000", "0.7000"]
    assert row(shown["primary"], "bike, by time, RMSE") == ["80.00", "–", "**40.00**"]


def test_who_fails_is_last_of_its_race(shown: dict[str, str]) -> None:
    assert row(shown["primary"], "mean rank (2 races)") == ["**1.50**", "2.50", "2.00"]


def test_the_best_peer_is_chosen_on_each_table(shown: dict[str, str]) -> None:
    adult, bike = row(shown["against"], "adult"), row(shown["against"], "bike")
    assert (adult[0], adult[-1]) == ("FLAML", "better")
    assert (bike[0], bike[-1]) == ("LightGBM", "worse")
    assert adult[1].startswith("+")
    assert bike[1].startswith("-")
    assert "Of 2 tables: better on 1, level on 0, worse on 1." in shown["against"]


def test_answers_to_other_rows_are_not_compared(lines: list[dict[str, Any]], tmp_path: Path) -> None:
    lines[-1] |= {"data": "of another day"}
    assert row(tables(lines, tmp_path, draws=50)["against"], "bike")[-1] == "not compared"


def test_a_promise_that_was_too_good_has_a_plus_whatever_the_metric(shown: dict[str, str]) -> None:
    assert row(shown["promises"], "adult") == ["+0.050", "+0.150", "+0.000"]
    assert row(shown["promises"], "bike") == ["+22 %", "–", "+0 %"]
    assert row(shown["promises"], "mean size, RMSE") == ["22 %", "–", "0 %"]
    assert "Its interval held what came in 1 of 2 runs." in shown["promises"]


def test_an_error_that_was_promised_too_high_has_a_minus() -> None:
    assert overpromised(result("flaml", "bike", 50.0, promise={"score": 60.0})) == pytest.approx(-0.2)
    assert overpromised(result("flaml", "covertype", 0.5, promise={"score": 0.6})) == pytest.approx(-0.1)
    assert overpromised(result("flaml", "bike", 50.0, promise={"score": None})) is None


def test_calibration_is_of_classes_only(shown: dict[str, str]) -> None:
    assert row(shown["calibration"], "adult") == ["0.0100", "0.1000", "0.0100"]
    assert "bike" not in shown["calibration"]
    assert row(shown["calibration"], "mean rank (1 races)") == ["**1.50**", "3.00", "**1.50**"]


def test_costs_are_beside_understudy_s(shown: dict[str, str]) -> None:
    assert row(shown["costs"], "FLAML")[3:5] == ["5", "100×"]
    assert row(shown["costs"], "Understudy")[0] == "61; 61"
    assert "compiled after 60 s (median; most 63 s)" in shown["costs"]


def test_failures_are_told_with_their_reason(shown: dict[str, str]) -> None:
    assert shown["failures"] == "- FLAML, bike, 60 s, seed 0: ran out of &lt;memory> \\| at 9 s"


def test_only_the_last_result_of_a_job_counts(lines: list[dict[str, Any]], tmp_path: Path) -> None:
    again = result("flaml", "bike", 50.0, predictions="near.npz", calibration_error=None)
    shown = tables([*lines, again, lines[0] | {"state": "later", "roc_auc": 0.85}], tmp_path, draws=50)
    assert shown["failures"] == "Nobody failed."
    assert row(shown["primary"], "adult")[0] == "**0.8500**"
    assert "2 states of its code" in shown["contenders"]


def test_what_was_told_of_the_order_is_a_bench_of_its_own(lines: list[dict[str, Any]], tmp_path: Path) -> None:
    told = [line | {"told": line["source"] == "bike", "rmse": 10.0} for line in lines if line["contender"] != "flaml"]
    assert row(tables([*lines, *told], tmp_path, draws=50)["primary"], "bike")[0] == "80.00"
    assert row(tables([*lines, *told], tmp_path, told=True, draws=50)["primary"], "bike")[0] == "**10.00**"


def test_budgets_stand_apart_and_whoever_takes_none_stands_on_each(lines: list[dict[str, Any]]) -> None:
    found = boards([*lines, lines[0] | {"seconds": 300.0}])
    assert [one.seconds for one in found] == [60, 300]
    assert found[1].contenders == ("understudy", "lightgbm")


def test_without_results_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no results yet"):
        tables([], tmp_path)


def test_the_page_has_a_place_for_every_table(shown: dict[str, str]) -> None:
    assert tuple(shown) == MARKERS
    page = filled(PAGE.read_text(encoding="utf-8"), shown)
    assert all(text in page for text in shown.values())


def test_every_contender_has_its_worker() -> None:
    workers = Path(PAGE.parents[1] / "bench" / "automl" / "workers")
    assert all((workers / f"{contender.worker}.py").is_file() for contender in CONTENDERS.values())
