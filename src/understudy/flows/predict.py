"""Score a file of any size, batch by batch, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec
import polars as pl
import pyarrow.parquet as pq

from understudy.core.errors import ContractError, DataError, Fault
from understudy.data.reading import read_frame
from understudy.flows.version import Version, load_version
from understudy.flows.workspace import open_workspace
from understudy.sources.quarantine import safe_cells, write_rejected
from understudy.sources.tables import CsvOptions, scan_batches

BATCH_ROWS = 50_000
MOST_FAULTS = 20


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """What was scored, and where it stands.

    Attributes
    ----------
    rows, rejected : int
        How many rows were scored, and how many were set aside because they break the contract.
    out : str
        The file of predictions.
    rejected_file : str, optional
        The file of rejected rows with their reasons.
    version : str
        The version that answered.
    """

    rows: int
    rejected: int
    out: str
    rejected_file: str | None
    version: str


@dataclass(frozen=True)
class Scoring:
    """How a file is scored.

    Attributes
    ----------
    version : str
        A digest, the beginning of it, `latest` or `champion`.
    inputs : bool
        Whether the inputs are written beside the predictions.
    skip_faulty : bool
        Whether rows that break the contract are set aside; otherwise they stop the scoring.
    csv : CsvOptions
        How a CSV file is written, where that cannot be detected.
    """

    version: str = "latest"
    inputs: bool = False
    skip_faulty: bool = False
    csv: CsvOptions = field(default_factory=CsvOptions)


class TableWriter(Protocol):
    """Takes batches until it is closed."""

    def write(self, batch: pl.DataFrame) -> None:
        """Append some rows."""

    def close(self) -> None:
        """Finish the file."""


def load(task: str, *, version: str = "latest", workspace: str | Path = ".") -> Version:
    """Load a version of a task from a workspace.

    Parameters
    ----------
    task : str
        The task's name.
    version : str
        A digest, the beginning of it, `latest` or `champion`.
    workspace : path
        The workspace's directory.
    """
    return load_version(open_workspace(workspace), task, version)


def score_file(
    source: str,
    task: str,
    out: str | Path,
    *,
    workspace: str | Path = ".",
    scoring: Scoring = Scoring(),
    tell: Callable[[int], None] = lambda _: None,
) -> Scored:
    """Score a CSV, Parquet, Arrow or JSON Lines file into a CSV or Parquet file.

    The columns are `row` (from 1), `prediction`, `confidence`, `probability_LABEL` or `lower` and `upper`, and
    `strangeness`. The file appears when it is complete, or not at all.

    Parameters
    ----------
    source : str
        A path or glob.
    task : str
        The task's name.
    out : path
        Where to write; ends in `.csv` or `.parquet`.
    workspace : path
        The workspace's directory.
    scoring : Scoring
        Which version answers, and what is written.
    tell : callable
        Is told after each batch how many rows have been read.

    Raises
    ------
    ContractError
        Rows break the contract, and `scoring.skip_faulty` is not set. Nothing is written.
    """
    version = load(task, version=scoring.version, workspace=workspace)
    out = Path(out)
    partial = out.with_name(f".{out.name}.partial")
    writer = open_writer(out, partial)
    rejected: list[pl.DataFrame] = []
    scored = 0
    try:
        for first, batch in numbered(scan_batches(source, scoring.csv, rows=BATCH_ROWS)):
            clean, faults = read_frame(version.contract, batch)
            rejected.append(faults.with_columns(pl.col("row") + first))
            if scoring.skip_faulty or not any(part.height for part in rejected):
                writer.write(scored_batch(version, batch, clean, faults, first, inputs=scoring.inputs))
            scored += clean.height
            tell(first + batch.height)
        faults = pl.concat(rejected) if rejected else pl.DataFrame()
        if faults.height and not scoring.skip_faulty:
            raise faulty(source, faults)
        writer.close()
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    rejected_file = None
    if faults.height:
        rejected_file = out.with_suffix(".rejected.csv")
        write_rejected(rejected_file, faults)
    return Scored(
        rows=scored,
        rejected=faults["row"].n_unique() if faults.height else 0,
        out=os.fspath(out),
        rejected_file=None if rejected_file is None else os.fspath(rejected_file),
        version=version.digest,
    )


def numbered(batches: Iterator[pl.DataFrame]) -> Iterator[tuple[int, pl.DataFrame]]:
    """Each batch with the number of rows before it."""
    first = 0
    for batch in batches:
        yield first, batch
        first += batch.height


def scored_batch(
    version: Version, batch: pl.DataFrame, clean: pl.DataFrame, faults: pl.DataFrame, first: int, *, inputs: bool
) -> pl.DataFrame:
    """The predictions of a batch, with row numbers, and with the inputs where they are wanted."""
    rows = pl.int_range(batch.height, eager=True)
    kept = ~rows.is_in(faults["row"].unique().implode())
    columns = version.as_columns(version.predict_clean(clean))
    table = columns.insert_column(0, (rows.filter(kept) + first + 1).alias("row"))
    if not inputs:
        return table
    beside = batch.filter(kept)
    clash = set(beside.columns) & set(table.columns)
    return table.hstack(beside.rename({name: f"input_{name}" for name in clash}))


def faulty(source: str, faults: pl.DataFrame) -> ContractError:
    """The error that lists what is wrong with a file."""
    rows = faults["row"].n_unique()
    shown = tuple(
        Fault(
            where=f"row {fault['row'] + 1}, {fault['column']}", found=repr(fault["value"]), expected=fault["expected"]
        )
        for fault in faults.head(MOST_FAULTS).iter_rows(named=True)
    )
    more = f" The first {MOST_FAULTS} are:" if faults.height > MOST_FAULTS else ""
    return ContractError(
        f"{rows:,} rows of {source} break the contract ({faults.height:,} faults). Nothing was written.{more}",
        shown,
        hint="Mend them, or set them aside with --skip-faulty.",
    )


class CsvWriter:
    """Appends batches to a CSV file; cells cannot start a formula in a spreadsheet."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._started = False

    def write(self, batch: pl.DataFrame) -> None:
        """Append some rows."""
        safe_cells(batch).write_csv(self._file, include_header=not self._started)
        self._started = True

    def close(self) -> None:
        """Finish the file."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class ParquetWriter:
    """Appends batches to a Parquet file, a row group each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, batch: pl.DataFrame) -> None:
        """Append some rows."""
        table = batch.to_arrow()
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()


def open_writer(out: Path, partial: Path) -> TableWriter:
    """A writer for the format that the file's ending names."""
    if not out.parent.is_dir():
        raise DataError(f"There is no directory {out.parent} to write {out.name} to.")
    if out.suffix == ".csv":
        return CsvWriter(partial)
    if out.suffix == ".parquet":
        return ParquetWriter(partial)
    raise DataError(f"Predictions cannot be written as {out.suffix or out.name!r}.", hint="Use .csv or .parquet.")
