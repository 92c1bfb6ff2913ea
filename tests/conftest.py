"""What several rooms' tests share: invented tables with known answers, and a workspace that has been run once."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import numpy as np
import polars as pl
import pytest

import understudy
from postgres import running_server
from understudy.flows.golive import RunResult

hypothesis.settings.register_profile("same", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))

LEVELS = ("north", "south", "east", "west")


def claims(n: int = 600, seed: int = 0) -> pl.DataFrame:
    """Insurance claims: whether to pay follows the amount, the region and a word in the text, with some noise."""
    rng = np.random.default_rng(seed)
    amount = np.round(rng.lognormal(5, 1, n), 2)
    region = rng.choice(LEVELS, n, p=(0.4, 0.3, 0.2, 0.1))
    stolen = rng.random(n) < 0.3
    age = rng.integers(18, 80, n)
    score = 1.5 - 0.004 * amount + 1.5 * (region == "north") - 1.6 * stolen + 0.01 * age
    pay = rng.random(n) < 1 / (1 + np.exp(-score))
    words = np.where(stolen, "the bag was stolen at the station", "the window broke in the storm last night")
    day = np.array("2024-01-01", dtype="datetime64[D]") + np.sort(rng.integers(0, 300, n))
    return pl.DataFrame(
        {
            "claim_id": [f"C{i:05d}" for i in range(n)],
            "day": day.astype(str),
            "amount": [str(value) for value in amount],
            "region": region,
            "age": ["" if rng.random() < 0.1 else str(value) for value in age],
            "report": [f"{text} number {rng.integers(100)}" for text in words],
            "pay": np.where(pay, "yes", "no"),
            "paid_amount": np.round(np.where(pay, amount * 0.8, 0.0) + rng.normal(0, 5, n), 2).astype(str),
        }
    )


@pytest.fixture(scope="session")
def claims_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The claims as a CSV file."""
    path = tmp_path_factory.mktemp("data") / "claims.csv"
    claims().write_csv(path)
    return path


@pytest.fixture(scope="session")
def ran(claims_csv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A workspace in which `pay` has been learned once, and what the run came to."""
    work = tmp_path_factory.mktemp("work")
    result = understudy.run(
        claims_csv, target="pay", workspace=work, budget=understudy.Budget(trials=4), drop=("paid_amount",)
    )
    return work, result


@pytest.fixture(scope="session")
def postgres() -> Iterator[Callable[[], str]]:
    """Each call makes an empty PostgreSQL database, on a server that lives as long as the tests, and gives its URL."""
    with running_server() as make_database:
        yield make_database
