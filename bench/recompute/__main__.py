"""Recompute every figure of the reports on public tables, from the raw predictions and by another route.

The tables are read from the folder that is named; those that are missing are named, and left out. Exits with 1 where a
figure differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any, cast

import understudy
from bench.tables import TABLES
from understudy.flows.demo import ASKED, TARGET
from understudy.flows.propose import Told
from understudy.flows.run import write_task
from understudy.sources.tables import read_table

from .every import recompute
from .ledger import Compared
from .seen import Seen, see

TRIALS, DIAGNOSED = 3, 5.0
ASKED_OF: dict[str, dict[str, Any]] = {
    "adult": TABLES["adult"],
    "german_credit": TABLES["german_credit"],
    "nyc_flights_2013": {"target": TARGET, **ASKED},
    "california_housing": TABLES["california_housing"],
    "bike_sharing_hourly": TABLES["bike_sharing_hourly"],
    "sms_spam": TABLES["sms_spam"],
}
EDITS = {
    "adult": (("groups = []", 'groups = ["sex", "race", "age"]'),),
    "german_credit": (
        ("groups = []", 'groups = ["personal_status", "age"]'),
        ("mistakes = {}", 'mistakes = { "no -> yes" = 1.0, "yes -> no" = 5.0 }'),
    ),
    "bike_sharing_hourly": (("groups = []", 'groups = ["weathersit"]'),),
}
"""What is said of a table in its task file, so that more chapters have figures."""


def learn(name: str, folder: Path, place: Path) -> Seen:
    """Run a table, and open what came of it."""
    source, told = folder / f"{name}.csv", dict(ASKED_OF[name])
    work = understudy.open_workspace(place)
    file = work.task_file(name)
    if not file.is_file():
        target = told.pop("target")
        write_task(work, read_table(source).frame, name=name, target=target, told=cast("Told", told))
        text = file.read_text(encoding="utf-8")
        for old, new in EDITS.get(name, ()):
            text = text.replace(old, new, 1)
        file.write_text(text, encoding="utf-8")
        understudy.run(source, name=name, workspace=place, budget=understudy.Budget(trials=TRIALS), diagnose=DIAGNOSED)
    return see(place, name)


def line(name: str, chapter: str, found: Compared) -> str:
    """A row of the table."""
    drawn = f"{found.drawn:,} | {found.farthest:.2f}" if found.drawn else "– | –"
    verdict = "NOT" if found.wrong else "ok"
    return f"| {name} | {chapter} | {found.exact:,} | {found.largest:.1e} | {drawn} | {verdict} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the tables are (NAME.csv)")
    parser.add_argument("--only", nargs="*", choices=ASKED_OF, default=list(ASKED_OF), help="some of the tables")
    parser.add_argument("--keep", type=Path, help="a directory for the versions, which are then used again")
    options = parser.parse_args()
    print("| table | chapter | figures | largest difference | drawn anew | farthest, of what chance allows | |")
    print("|---|---|---|---|---|---|---|")
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as passing:
        for name in options.only:
            if not (options.folder / f"{name}.csv").is_file():
                print(f"{name}: missing {name}.csv in {options.folder}")
                continue
            ledger = recompute(learn(name, options.folder, (options.keep or Path(passing)) / name))
            for chapter, found in ledger.chapters.items():
                print(line(name, chapter, found), flush=True)
            wrong += [f"{name}: {what}" for what in ledger.wrong]
    if wrong:
        print("\nDiffers:", *wrong, sep="\n- ")
        sys.exit(1)


if __name__ == "__main__":
    main()
