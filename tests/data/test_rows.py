"""The row path against the column path: the same values, the same faults, the same bits."""

from datetime import UTC, date, datetime, timedelta, timezone

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from understudy.data.contract import Column, Contract, infer_contract
from understudy.data.prepare import encode, fit_encoding
from understudy.data.reading import canonical_schema, read_column, read_frame
from understudy.data.rows import RowEncoder, RowReader

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            " ",
            "NA",
            "nan",
            "?",
            "none",
            "1",
            " 1 ",
            "1.0",
            "+7",
            "-0",
            "1e3",
            "1e999",
            ".5",
            "5.",
            "1_000",
            "0x1",
            "١",
        ]
    ),
    st.sampled_from(["true", "YES", "f", "n", "2024-02-29", "2023-02-29", "2024-01-01T10:00", "2024-01-01 10:00:30.5"]),
    st.sampled_from(
        ["2024-01-01T10:00:00Z", "2024-01-01T23:30:00-02:30", "2024-01-01T24:00", "0001-01-01T00:00+23:59"]
    ),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
)
NUMBERS = st.one_of(st.floats(), st.floats(-1e6, 1e6), st.integers(-(2**62), 2**62).map(float))


def reader(column: Column) -> RowReader:
    return RowReader(msgspec.to_builtins(Contract(columns=(column,))))


def column(kind: str, **more: object) -> Column:
    return Column(name="x", kind=kind, nullable=True, **more)


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "category", "text", "datetime"])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=30))
@example(["1e999", "9223372036854775808", "-9223372036854775808", "0001-01-01T00:00+23:59"])
def test_text_is_read_alike_by_row_and_by_column(kind: str, texts: list[str]) -> None:
    described = column(kind)
    values, faults = read_column(described, pl.Series("x", texts, dtype=pl.String))
    read = [reader(described).read({"x": text}) for text in texts]
    assert [row for (row,), _ in read] == values.to_list()
    assert [fault["expected"] for _, row in read for fault in row] == faults["expected"].to_list()


@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "category"])
@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=30))
def test_numbers_are_read_alike_by_row_and_by_column(kind: str, numbers: list[float]) -> None:
    described = column(kind)
    values, faults = read_column(described, pl.Series("x", numbers, dtype=pl.Float64))
    read = [reader(described).read({"x": number}) for number in numbers]
    assert [row for (row,), _ in read] == values.to_list()
    assert sum(len(row) for _, row in read) == faults.height


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", True, "a finite number"),
        ("number", [1], "a finite number"),
        ("number", 10**400, "a finite number"),
        ("integer", 2.5, "a whole number"),
        ("integer", 2**63, "a whole number"),
        ("boolean", 2, "true or false"),
        ("category", {"a": 1}, "a single value"),
        ("text", ["a"], "a single value"),
        ("datetime", 20240101, "an ISO 8601 date or time"),
    ],
)
def test_a_value_of_the_wrong_type_is_a_fault(kind: str, value: object, expected: str) -> None:
    values, faults = reader(column(kind)).read({"x": value})
    assert values == [None]
    assert [fault["expected"] for fault in faults] == [expected]
    assert faults[0]["where"] == "x"


def test_every_fault_is_listed_at_once_with_the_nearest_field() -> None:
    contract = Contract(columns=(Column(name="amount", kind="number"), Column(name="age", kind="integer")))
    _, faults = RowReader(msgspec.to_builtins(contract)).read({"amount": "much", "agee": 3})
    assert [(fault["where"], fault["expected"]) for fault in faults] == [
        ("amount", "a finite number"),
        ("age", "a value"),
        ("agee", "a field of the contract"),
    ]
    assert faults[-1]["hint"] == "did you mean 'age'?"


def test_left_out_columns_may_be_sent_and_are_ignored() -> None:
    contract = Contract(columns=(Column(name="a", kind="number"), Column(name="id", kind="identifier", used=False)))
    assert RowReader(msgspec.to_builtins(contract)).read({"a": 1, "id": "x"}) == ([1.0], [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 1, 1, 12)),
        (datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2024, 1, 1, 10)),
        (date(2024, 1, 1), datetime(2024, 1, 1)),
        ("2024-01-01T12:00:00+02:00", datetime(2024, 1, 1, 10)),
    ],
)
def test_time_zones_become_utc(value: object, expected: datetime) -> None:
    assert reader(column("datetime")).read({"x": value}) == ([expected], [])


def test_a_date_format_of_its_own_is_read() -> None:
    described = column("datetime", format="%d/%m/%Y")
    assert reader(described).read({"x": "29/02/2024"})[0] == [datetime(2024, 2, 29)]
    assert reader(described).read({"x": "2024-02-29"})[1][0]["expected"] == "a date like %d/%m/%Y"


MOMENTS = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
ROWS = st.fixed_dictionaries(
    {
        "number": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "whole": st.none() | st.integers(-(2**62), 2**62),
        "truth": st.none() | st.booleans(),
        "level": st.none() | st.sampled_from(["a", "b", "c", "unseen", "", "A", "漢"]),
        "moment": st.none() | MOMENTS,
        "prose": st.none() | st.text(max_size=60) | st.sampled_from(["fire and water", "WATER water fire", "ß ſ ı İ"]),
    }
)


def fitted() -> tuple[Contract, object]:
    rng = np.random.default_rng(0)
    n = 300
    frame = pl.DataFrame(
        {
            "number": rng.normal(1e5, 3e4, n),
            "whole": rng.integers(0, 2**40, n),
            "truth": rng.random(n) < 0.3,
            "level": rng.choice(["a", "b", "c"], n, p=[0.6, 0.395, 0.005]),
            "moment": [datetime(2024, 1, 1) + timedelta(minutes=int(m)) for m in rng.integers(0, 500_000, n)],
            "prose": rng.choice(["fire and water", "water in the cellar", "a fire on the roof"], n),
        }
    )
    kinds = ("number", "integer", "boolean", "category", "datetime", "text")
    columns = tuple(
        Column(name=name, kind=kind, nullable=True) for name, kind in zip(frame.columns, kinds, strict=True)
    )
    contract = Contract(columns=columns)
    clean, _ = read_frame(contract, frame)
    return contract, fit_encoding(clean, contract)


CONTRACT, ENCODING = fitted()
ENCODER = RowEncoder(msgspec.to_builtins(ENCODING))


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=10))
def test_rows_are_encoded_to_the_same_bits_as_their_columns(rows: list[dict]) -> None:
    frame = pl.DataFrame(rows, schema=canonical_schema(CONTRACT))
    by_column = encode(ENCODING, frame)
    by_row = np.array([ENCODER.encode(values) for values in frame.iter_rows()], dtype=np.float32)
    assert np.argwhere(by_row != by_column).tolist() == []
    assert np.isfinite(by_column).all()


def test_an_inferred_contract_reads_its_own_rows() -> None:
    frame = pl.DataFrame({"a": ["1", "2.5", "?"], "b": ["x", "y", "x"], "c": ["true", "false", "true"]})
    contract = infer_contract(frame)
    clean, rejected = read_frame(contract, frame)
    rows = RowReader(msgspec.to_builtins(contract))
    assert rejected.is_empty()
    assert [tuple(rows.read(row)[0]) for row in frame.to_dicts()] == clean.rows()
