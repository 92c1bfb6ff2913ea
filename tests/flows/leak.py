"""A workspace whose only version is kept out by a check: it took a column that gives the answer away."""

from pathlib import Path

import numpy as np
import polars as pl

import understudy
from conftest import claims


def leaky(n: int = 600) -> pl.DataFrame:
    """The claims, with a column that says the answer in all rows but a few."""
    table = claims(n)
    flipped = np.random.default_rng(1).random(n) < 0.002
    other = pl.when(pl.col("pay") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    return table.with_columns(settled=pl.when(pl.Series(flipped)).then(other).otherwise(pl.col("pay")))


def run_with_leak(root: Path) -> Path:
    """Learn from the claims with the leak, on which the task insists, and return the workspace."""
    leaky().write_csv(root / "claims.csv")
    result = understudy.run(
        root / "claims.csv",
        target="pay",
        workspace=root,
        budget=understudy.Budget(trials=2),
        drop=("paid_amount",),
        use=("settled",),
    )
    assert result.level == "human"
    return root
