"""What `understudy run` makes of public tables: metrics, seconds, and how fast the result answers.

Reads the tables from the folder that is named; those that are missing are named, and left out.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

import understudy
from understudy.flows.predict import score_file

TABLES: dict[str, dict[str, Any]] = {
    "adult": {"target": "income", "drop": ("split",)},
    "german_credit": {"target": "default"},
    "california_housing": {"target": "median_house_value"},
    "bike_sharing_hourly": {"target": "cnt", "drop": ("casual", "registered", "instant"), "time": "dteday"},
    "sms_spam": {"target": "label"},
    "covertype_15k": {"target": "cover_type"},
}
ONE_BY_ONE = 2000
MANY = 1_000_000


def measure(name: str, folder: Path, *, budget: float, many: bool) -> dict[str, Any]:
    """Run one table and time its version."""
    source = folder / f"{name}.csv"
    with tempfile.TemporaryDirectory() as place:
        result = understudy.run(source, workspace=place, budget=budget, **TABLES[name])
        version = understudy.load(name, workspace=place)
        rows = pl.read_csv(source, infer_schema=False, n_rows=200)
        cases = [{key: row[key] for key in version.inputs} for row in rows.to_dicts()]
        times = []
        for turn in range(ONE_BY_ONE):
            case = cases[turn % len(cases)]
            began = time.perf_counter()
            version.predict_row(case)
            times.append(time.perf_counter() - began)
        found = {
            "table": name,
            "rows": result.rows,
            "recipe": result.model.recipe,
            "compiled": result.model.compiled,
            "level": result.level,
            "metrics": {key: round(evidence.estimate, 4) for key, evidence in result.metrics.items()},
            "calibration_error": round(result.calibration_error, 4),
            "run_seconds": result.seconds,
            "one_row_us_median": round(statistics.median(times) * 1e6, 1),
        }
        if many:
            found["million_rows_seconds"] = round(million(source, name, Path(place)), 1)
    return found


def million(source: Path, name: str, place: Path) -> float:
    """Seconds to score a million rows from file to file."""
    frame = pl.read_csv(source, infer_schema=False)
    copies = -(-MANY // frame.height)
    pl.concat([frame] * copies).head(MANY).write_parquet(place / "many.parquet")
    began = time.perf_counter()
    score_file(str(place / "many.parquet"), name, place / "out.parquet", workspace=place)
    return time.perf_counter() - began


def main() -> None:
    """Measure every table that is there, and print a line for each and then all of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="where the tables are (NAME.csv)")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds of search for each table")
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES), help="some of the tables")
    options = parser.parse_args()
    if options.folder is None or not options.folder.is_dir():
        sys.exit("Name the folder of the tables: make bench DATA=FOLDER")
    results = []
    for name in options.only:
        if not (options.folder / f"{name}.csv").is_file():
            print(f"{name}: missing {name}.csv in {options.folder}")
            continue
        results.append(measure(name, options.folder, budget=options.budget, many=name == "adult"))
        print(json.dumps(results[-1]))
    print(json.dumps({"machine": platform.platform(), "python": platform.python_version(), "results": results}))


if __name__ == "__main__":
    main()
