"""Rows as they come, in the contract's types: what fits, and every fault of what does not."""

from __future__ import annotations

import polars as pl

from understudy.core.errors import ContractError, Fault
from understudy.data.contract import Column, Contract, without_missing
from understudy.data.values import as_booleans, as_dates, as_integers, as_numbers, whole_floats

SHOWN = 20
LONGEST_VALUE = 80
REJECTED = {"row": pl.Int64, "column": pl.String, "value": pl.String, "expected": pl.String}


def read_frame(contract: Contract, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split rows into those that keep the contract and the faults of those that do not.

    Parameters
    ----------
    contract : Contract
    frame : pl.DataFrame
        Rows with at least the contract's used columns, as text or typed.

    Returns
    -------
    clean : pl.DataFrame
        The used columns, typed: number Float64, integer Int64, boolean Boolean, category and text String, datetime
        Datetime in microseconds UTC.
    rejected : pl.DataFrame
        One line per fault: `row` (from 0), `column`, `value` and what was `expected`.

    Raises
    ------
    ContractError
        A used column is not there at all.
    """
    absent = [column for column in contract.used if column.name not in frame.columns]
    if absent:
        faults = tuple(
            Fault(where=column.name, found="no such column", expected=f"a column of kind {column.kind}")
            for column in absent
        )
        raise ContractError("The data lacks columns that the model needs.", faults)
    columns, broken = [], []
    for column in contract.used:
        values, lines = read_column(column, frame[column.name])
        columns.append(values)
        broken.append(lines)
    rejected = pl.concat(broken).sort("row", maintain_order=True) if columns else pl.DataFrame(schema=REJECTED)
    clean = pl.DataFrame(columns)
    if rejected.height:
        clean = clean.filter(~pl.int_range(frame.height, eager=True).is_in(rejected["row"].unique().implode()))
    return clean, rejected


def canonical_schema(contract: Contract) -> dict[str, pl.DataType | type[pl.DataType]]:
    """The type of each used column in a clean frame."""
    return {column.name: TYPES[column.kind] for column in contract.used}


def check_frame(contract: Contract, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows in the contract's types, or an error that lists every fault.

    Raises
    ------
    ContractError
        A row breaks the contract.
    """
    clean, rejected = read_frame(contract, frame)
    if rejected.height:
        raise ContractError(
            f"{rejected['row'].n_unique():,} of {frame.height:,} rows break the contract"
            + (f" (the first {SHOWN} of {rejected.height:,} faults):" if rejected.height > SHOWN else ":"),
            tuple(
                Fault(where=f"row {row['row'] + 1}, {row['column']}", found=row["value"], expected=row["expected"])
                for row in rejected.head(SHOWN).iter_rows(named=True)
            ),
        )
    return clean


def read_column(column: Column, raw: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
    """One column in its type (null where it is missing or broken), and its faults."""
    present = without_missing(raw)
    values = READERS[column.kind](column, present).alias(column.name)
    broken = values.is_null() & present.is_not_null()
    missing = present.is_null()
    faults = [fault_lines(column, raw, broken, expectation(column))]
    if not column.nullable:
        faults.append(fault_lines(column, present, missing, "a value"))
    return values, pl.concat(faults)


def fault_lines(column: Column, raw: pl.Series, where: pl.Series, expected: str) -> pl.DataFrame:
    """One line for each row at fault."""
    rows = where.arg_true().cast(pl.Int64)
    if rows.is_empty():
        return pl.DataFrame(schema=REJECTED)
    found = raw.gather(rows)
    text = found if found.dtype == pl.String else pl.Series([None if value is None else str(value) for value in found])
    return pl.DataFrame(
        {
            "row": rows,
            "column": [column.name] * len(rows),
            "value": text.cast(pl.String).fill_null("nothing").str.slice(0, LONGEST_VALUE),
            "expected": [expected] * len(rows),
        },
        schema=REJECTED,
    )


def expectation(column: Column) -> str:
    """What a value of this column must be, in words."""
    return {
        "number": "a finite number",
        "integer": "a whole number",
        "boolean": "true or false",
        "datetime": f"a date like {column.format}" if column.format else "an ISO 8601 date or time",
    }.get(column.kind, "a single value")


def read_numbers(_: Column, values: pl.Series) -> pl.Series:
    """Finite Float64 numbers."""
    if values.dtype == pl.String:
        return as_numbers(values)
    if not values.dtype.is_numeric():
        return nothing(values, pl.Float64)
    numbers = values.cast(pl.Float64)
    return numbers.set(numbers.is_infinite().fill_null(value=False), None)


def read_integers(_: Column, values: pl.Series) -> pl.Series:
    """Whole Int64 numbers."""
    if values.dtype == pl.String:
        return as_integers(values)
    if values.dtype.is_integer():
        whole = values.cast(pl.Int64, strict=False)
        return whole.set((whole == -(2**63)).fill_null(value=False), None)
    if not values.dtype.is_numeric():
        return nothing(values, pl.Int64)
    return whole_floats(values.cast(pl.Float64))


def read_booleans(_: Column, values: pl.Series) -> pl.Series:
    """Truth values."""
    if values.dtype == pl.Boolean:
        return values
    if values.dtype.is_numeric():
        numbers = values.cast(pl.Float64)
        valid = numbers.is_in([0.0, 1.0]).fill_null(value=False)
        return (numbers == 1.0).set(~valid, None)
    return as_booleans(values) if values.dtype == pl.String else nothing(values, pl.Boolean)


def read_words(_: Column, values: pl.Series) -> pl.Series:
    """Text; whole numbers without a decimal point, truth values as words."""
    if values.dtype.is_float() or values.dtype.is_decimal():
        values = values.cast(pl.Float64)
        whole = whole_floats(values).cast(pl.String)
        if (broken := whole.is_null() & values.is_not_null()).any():
            return whole.scatter(broken.arg_true(), [str(value) for value in values.filter(broken)])
        return whole
    if values.dtype in (pl.String, pl.Boolean) or values.dtype.is_integer():
        return values.cast(pl.String)
    return nothing(values, pl.String)


def read_dates(column: Column, values: pl.Series) -> pl.Series:
    """Naive UTC times in microseconds."""
    if values.dtype == pl.String:
        return as_dates(values, column.format)
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is not None:
        values = values.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    if values.dtype in (pl.Date, pl.Datetime):
        return values.cast(pl.Datetime("us"))
    return nothing(values, pl.Datetime("us"))


def nothing(values: pl.Series, dtype: pl.DataType | type[pl.DataType]) -> pl.Series:
    """A column without a value, for a type that cannot be read."""
    return pl.Series(values.name, [None] * len(values), dtype=dtype)


TYPES: dict[str, pl.DataType | type[pl.DataType]] = {
    "number": pl.Float64,
    "integer": pl.Int64,
    "boolean": pl.Boolean,
    "category": pl.String,
    "text": pl.String,
    "identifier": pl.String,
    "datetime": pl.Datetime("us"),
}

READERS = {
    "number": read_numbers,
    "integer": read_integers,
    "boolean": read_booleans,
    "category": read_words,
    "text": read_words,
    "identifier": read_words,
    "datetime": read_dates,
}
