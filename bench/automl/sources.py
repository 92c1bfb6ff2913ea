"""The public tables of the bench, and how each is parted once into rows to learn from and rows that come after."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

TEST = 0.2
"""The share of the rows that only judge."""


@dataclass(frozen=True)
class Source:
    """A table that contenders learn from.

    Attributes
    ----------
    file : str
    target : str
        The column with the answer.
    metric : {"roc_auc", "log_loss", "rmse"}
        What contenders are asked to do well in, and what they are ranked by.
    positive : str
        The positive answer of two.
    drop : tuple of str
        What is not known when the answer is needed, and what names a row.
    time : str
        Where the rows of the file are in the order in which they happened: the column or SQL expression that says so,
        or "row order". Those that come last then judge.
    above : float, optional
        Whether the target is above this is asked, instead of the number.
    """

    file: str
    target: str
    metric: str = "roc_auc"
    positive: str = ""
    drop: tuple[str, ...] = ()
    time: str = ""
    above: float | None = None

    @property
    def kind(self) -> str:
        """Whether an answer is chosen or a number estimated."""
        return "regression" if self.metric == "rmse" else "classification"


FAILURES = ("twf", "hdf", "pwf", "osf", "rnf")
DEPARTURE = "month * 1000000 + day * 10000 + hour * 100 + minute"
SOURCES: dict[str, Source] = {
    "adult": Source("adult.csv", "income", positive=">50K", drop=("split",)),
    "german credit": Source("german_credit.csv", "default", positive="yes"),
    "bank": Source("bank_marketing_full.csv", "y", positive="yes", drop=("duration",), time="row order"),
    "covertype": Source("covertype_15k.csv", "cover_type", metric="log_loss"),
    "breast cancer": Source("breast_cancer_wdbc.csv", "diagnosis", positive="malignant"),
    "mortgages": Source("hmda_boston.csv", "deny", positive="yes"),
    "elec2": Source("electricity_elec2.csv", "class", positive="UP", drop=("date",), time="row order"),
    "flights": Source(
        "nyc_flights_2013.csv",
        "arr_delay",
        positive="yes",
        drop=("year", "arr_time", "air_time"),
        time=DEPARTURE,
        above=15,
    ),
    "sms": Source("sms_spam.csv", "label", positive="spam"),
    "failures": Source(
        "ai4i_predictive_maintenance.csv", "machine_failure", positive="1", drop=("udi", "product_id", *FAILURES)
    ),
    "california": Source("california_housing.csv", "median_house_value", metric="rmse"),
    "bike": Source(
        "bike_sharing_hourly.csv", "cnt", metric="rmse", drop=("instant", "casual", "registered"), time="dteday"
    ),
    "demand": Source("vic_electricity_demand.csv", "Demand", metric="rmse", time="Time"),
}


@dataclass(frozen=True)
class Parts:
    """A table, parted and written.

    Attributes
    ----------
    train, test : Path
        CSV files with the answers.
    rows : ndarray of int64
        The place in the table of each test row, so that seeds that share rows are compared as such.
    digest : str
        Of both files.
    """

    train: Path
    test: Path
    rows: np.ndarray
    digest: str


def read_source(source: Source, folder: Path) -> pl.DataFrame:
    """The table as contenders see it, every cell as it is written.

    Raises
    ------
    FileNotFoundError
        The folder does not have it.
    """
    frame = pl.read_csv(folder / source.file, infer_schema=False).drop(source.drop)
    if source.above is not None:
        above = pl.col(source.target).cast(pl.Float64) > source.above
        frame = frame.with_columns(pl.when(above).then(pl.lit("yes")).otherwise(pl.lit("no")).alias(source.target))
    return frame


def judging_rows(answers: np.ndarray, *, ordered: bool, strata: bool, seed: int) -> np.ndarray:
    """Which rows judge: the last fifth where rows are in order, else a fifth at random, of each class alike.

    >>> judging_rows(np.arange(10), ordered=True, strata=False, seed=0)
    array([8, 9])
    """
    n = len(answers)
    if ordered:
        return np.arange(n - round(n * TEST), n)
    places = np.random.default_rng(seed).permutation(n)
    if not strata:
        return np.sort(places[: round(n * TEST)])
    groups = [places[answers[places] == label] for label in np.unique(answers)]
    return np.sort(np.concatenate([group[: round(len(group) * TEST)] for group in groups]))


def part(source: Source, folder: Path, place: Path, seed: int) -> Parts:
    """Part a table for a seed, and write both parts into `place`."""
    frame = read_source(source, folder)
    rows = judging_rows(
        frame[source.target].to_numpy(),
        ordered=bool(source.time),
        strata=source.kind == "classification",
        seed=seed,
    )
    judges = np.zeros(frame.height, dtype=bool)
    judges[rows] = True
    place.mkdir(parents=True, exist_ok=True)
    train, test = place / "train.csv", place / "test.csv"
    frame.filter(~judges).write_csv(train)
    frame.filter(judges).write_csv(test)
    both = hashlib.sha256(train.read_bytes() + test.read_bytes()).hexdigest()
    return Parts(train, test, rows, both[:16])


def labels_of(source: Source, train: Path) -> list[str]:
    """The answers in the order of the scores, the positive one last; none for numbers."""
    if source.kind == "regression":
        return []
    labels = sorted(pl.read_csv(train, infer_schema=False)[source.target].unique().to_list())
    return [label for label in labels if label != source.positive] + [source.positive] * bool(source.positive)


def truth(source: Source, test: Path, labels: list[str]) -> np.ndarray:
    """The answers of the test rows: class indices, or numbers."""
    answers = pl.read_csv(test, infer_schema=False)[source.target]
    if not labels:
        return answers.cast(pl.Float64).to_numpy()
    index = {label: place for place, label in enumerate(labels)}
    return np.array([index[answer] for answer in answers.to_list()], dtype=np.int64)
