"""`python -m bench.evidence`: the power of the evidence, as tables (Markdown) and pictures (SVG, PNG)."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.evidence import budget, change, controller, drift, gate, promotion, speed
from bench.evidence.show import Part, write

PARTS: dict[str, Callable[[int, int], Part]] = {
    "gate": gate.measure,
    "mapie": controller.measure,
    "budget": budget.measure,
    "change": change.measure,
    "promotion": promotion.measure,
    "drift": drift.measure,
    "speed": speed.measure,
}


def main() -> None:
    """Measure the parts that are asked for, print their tables, and write them."""
    parser = argparse.ArgumentParser(prog="python -m bench.evidence", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/evidence"), help="where tables and pictures go")
    parser.add_argument("--page", type=Path, help="a page with markers that also gets them, docs/evidence.md")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS), help="some of the parts")
    parser.add_argument("--runs", type=int, default=100, help="runs of each world")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--mapie", default=sys.executable, metavar="PYTHON", help="a Python that has MAPIE")
    options = parser.parse_args()
    parts = PARTS | {"mapie": partial(controller.measure, python=options.mapie)}
    for name in options.only:
        began = time.perf_counter()
        part = parts[name](options.runs, options.jobs)
        for marker, text in part.tables.items():
            print(f"\n{marker}\n\n{text}")
        write(part, options.out, options.page)
        print(f"\n{name}: {time.perf_counter() - began:.0f} s, written to {options.out}")


if __name__ == "__main__":
    main()
