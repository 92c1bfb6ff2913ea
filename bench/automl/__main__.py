"""`python -m bench.automl setup | run | table`: Understudy beside AutoGluon, FLAML, CatBoost and LightGBM.

`setup --place DIR` makes an environment for each contender, with pip. `run FOLDER` lets them learn from the tables in a
folder, one after the other, and appends a line for each job; what has been done in the same state of the code is not
done again. `table --page docs/modelling.md` makes the tables.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from bench.automl.contenders import CONTENDERS, DEFAULT, set_up
from bench.automl.judge import DRAWS
from bench.automl.race import Plan, read_results, run
from bench.automl.show import tables
from bench.automl.sources import SOURCES
from bench.evidence.show import Part, write

OUT, PLACE = Path("build/automl"), Path("build/automl/environments")


def main() -> None:
    """Do what the first word says."""
    options = parser().parse_args()
    if options.command == "setup":
        set_up(options.contenders, options.place.absolute())
    elif options.command == "run":
        for result in run(as_plan(options)):
            print(told(result), flush=True)
    else:
        results = read_results(options.out / "results.jsonl")
        found = tables(
            [result for result in results if result["contender"] in options.contenders],
            options.out / "predictions",
            told=options.told,
            draws=options.draws,
        )
        for marker, text in found.items():
            print(f"\n{marker}\n\n{text}")
        write(Part("automl", found), options.out, options.page)


def parser() -> argparse.ArgumentParser:
    """What can be said on the command line."""
    asked = argparse.ArgumentParser(
        prog="python -m bench.automl", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = asked.add_subparsers(dest="command", required=True)
    for name in ("setup", "run", "table"):
        one = commands.add_parser(name)
        one.add_argument("--out", type=Path, default=OUT, help="where results, predictions and tables go")
        one.add_argument("--told", action="store_true", help="say to those who can be told that rows are in order")
        one.add_argument("--contenders", nargs="*", choices=CONTENDERS, default=DEFAULT, help="some of them, or more")
        if name != "table":
            one.add_argument("--place", type=Path, default=PLACE, help="where the environments are")
        if name == "run":
            one.add_argument("folder", type=Path, help="where the tables are")
            one.add_argument("--tables", nargs="*", choices=SOURCES, default=None, help="some of the tables")
            one.add_argument("--seconds", nargs="*", type=float, default=[60.0, 300.0], help="the budgets")
            one.add_argument("--seeds", type=int, default=3)
            one.add_argument("--threads", type=int, default=2)
            one.add_argument("--fresh", action="store_true", help="do again what has been done")
            one.add_argument("--retry", action="store_true", help="do again what failed")
            one.add_argument("--most-mb", type=float, default=12_000, help="stop what takes more memory")
        if name == "table":
            one.add_argument("--page", type=Path, help="a page with markers that also gets them, docs/modelling.md")
            one.add_argument("--draws", type=int, default=DRAWS, help="of the bootstrap")
    return asked


def as_plan(options: argparse.Namespace) -> Plan:
    """What to run; tables that are missing are named, and left out."""
    wanted = options.tables or list(SOURCES)
    missing = [name for name in wanted if not (options.folder / SOURCES[name].file).is_file()]
    for name in missing:
        print(f"{name}: missing {SOURCES[name].file} in {options.folder}")
    return Plan(
        folder=options.folder,
        peers=options.place.absolute(),
        out=options.out,
        contenders=options.contenders,
        sources=[name for name in wanted if name not in missing],
        budgets=options.seconds,
        seeds=options.seeds,
        threads=options.threads,
        told=options.told,
        fresh=options.fresh,
        retry=options.retry,
        most_mb=options.most_mb,
    )


def told(result: dict[str, object]) -> str:
    """A result as a short line."""
    names = ("source", "contender", "seconds", "seed", "failed", "roc_auc", "log_loss", "rmse", "calibration_error")
    more = ("fit_seconds", "wall_seconds", "peak_mb", "artifact_mb", "one_row_ms", "batch_rows_per_second")
    short = {name: result[name] for name in (*names, "promise", *more, "notes") if result.get(name) not in (None, "")}
    return json.dumps(short, default=str)


if __name__ == "__main__":
    main()
