"""What each recipe costs: seconds to fit 10,000 rows on one core, and microseconds for one answer.

The catalogue's `Traits.seconds` and `Traits.micros` come from here. A fit has its first setting, and rows to stop on.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import polars as pl

from understudy.core.errors import ModelError
from understudy.data.contract import infer_contract
from understudy.data.prepare import encode, fit_encoding
from understudy.data.reading import read_frame
from understudy.models.calibrate import fit_number_head, fit_probability_head
from understudy.models.compile import compile_model
from understudy.models.recipes import RECIPES, Effort, Fitted, Recipe, Rows
from understudy.models.session import open_session, run_session

NUMBERS, CATEGORIES, LEVELS = 12, 3, 5
ANSWERS = 200


def invented(n: int, seed: int) -> tuple[pl.DataFrame, np.ndarray]:
    """Numbers and categories, and a target that follows some of them, bends and crossings among them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, NUMBERS))
    words = rng.integers(0, LEVELS, size=(n, CATEGORIES))
    signal = X[:, 0] + np.abs(X[:, 1]) + X[:, 2] * X[:, 3] + words[:, 0] * 0.5 + X[:, 4] * (words[:, 1] == 2)
    columns: dict[str, Any] = {f"number_{place}": X[:, place] for place in range(NUMBERS)}
    columns |= {f"word_{place}": [f"level {code}" for code in words[:, place]] for place in range(CATEGORIES)}
    return pl.DataFrame(columns), signal + rng.normal(size=n)


def make_rows(n: int, *, classes: bool) -> Rows:
    """Encoded rows to fit on, and a fifth as many to stop on."""
    table, y = invented(n + n // 5, seed=0)
    contract = infer_contract(table)
    frame, _ = read_frame(contract, table)
    encoding = fit_encoding(frame[:n], contract)
    target = (y > np.median(y)).astype(np.int64) if classes else y
    return Rows(
        kind="classification" if classes else "regression",
        n_classes=2 if classes else 0,
        X=encode(encoding, frame[:n]),
        y=target[:n],
        views=tuple(feature.view for feature in encoding.features),
        X_stop=encode(encoding, frame[n:]),
        y_stop=target[n:],
    )


def cost(recipe: Recipe, rows: Rows) -> dict[str, Any]:
    """One fit, and the answers to single rows."""
    began = time.process_time()
    fitted = recipe.fit(recipe.known(rows.kind)[0], rows, Effort(seed=0, threads=1))
    seconds = time.process_time() - began
    answer, how = answering(fitted, rows)
    times = []
    for row in range(ANSWERS):
        began = time.perf_counter()
        answer(rows.X[row : row + 1])
        times.append(time.perf_counter() - began)
    return {
        "recipe": recipe.name,
        "kind": rows.kind,
        "seconds": round(seconds, 2),
        "micros": round(statistics.median(times) * 1e6, 1),
        "served": how,
        "note": fitted.note,
    }


def answering(fitted: Fitted, rows: Rows) -> tuple[Callable[[np.ndarray], np.ndarray], str]:
    """From a row to an answer, compiled where that is possible."""
    fit_head = fit_probability_head if rows.n_classes else fit_number_head
    head = fit_head(fitted.raw(rows.X[:2000]), rows.y[:2000])
    try:
        model = compile_model(fitted, head, rows.X.shape[1])
    except ModelError as error:
        return fitted.raw, error.message
    session = open_session(model)
    return lambda X: run_session(session, X), f"onnx, {len(model) / 1e6:.1f} MB"


def main() -> None:
    """Measure every recipe that can run here, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", choices=RECIPES, default=list(RECIPES))
    options = parser.parse_args()
    for kind in ("classification", "regression"):
        rows = make_rows(options.rows, classes=kind == "classification")
        for name in options.only:
            recipe = RECIPES[name]
            if kind in recipe.kinds and (not recipe.extra or find_spec(recipe.extra)):
                print(json.dumps(cost(recipe, rows)))


if __name__ == "__main__":
    main()
