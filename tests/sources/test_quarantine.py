"""Rejected rows as a file: complete, numbered for people, and harmless in a spreadsheet."""

import csv
from pathlib import Path

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from understudy.data.contract import Column, Contract
from understudy.data.reading import read_frame
from understudy.sources.quarantine import safe_cells, write_rejected

NUMBER = Column(name="amount", kind="number")


def test_every_fault_is_written_with_row_value_and_reason(tmp_path: Path) -> None:
    _, rejected = read_frame(Contract(columns=(NUMBER,)), pl.DataFrame({"amount": ["1", "many", "", "2"]}))
    path = tmp_path / "rejected" / "run.csv"
    write_rejected(path, rejected)
    with path.open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"row": "2", "column": "amount", "value": "many", "expected": "a finite number"},
            {"row": "3", "column": "amount", "value": "nothing", "expected": "a value"},
        ]


def test_a_value_that_could_start_a_formula_gets_an_apostrophe(tmp_path: Path) -> None:
    values = ['=HYPERLINK("http://x")', "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "-5", "+1.5e3", "plain"]
    safe = safe_cells(pl.DataFrame({"value": values}))["value"].to_list()
    assert safe == [*("'" + value for value in values[:5]), "-5", "+1.5e3", "plain"]


@given(st.lists(st.text(max_size=8) | st.text("=+-@\t\r0123456789.e", max_size=5), min_size=1))
def test_no_cell_starts_a_formula_unless_it_is_a_number(values: list[str]) -> None:
    for cell in safe_cells(pl.DataFrame({"value": values}, schema={"value": pl.String}))["value"]:
        if cell[:1] in ("=", "+", "-", "@", "\t", "\r"):
            float(cell)  # raises where it is no number


def test_names_and_numbers_stay_as_they_are() -> None:
    frame = pl.DataFrame({"=n": [-1, 2], "word": [None, "ok"]})
    assert safe_cells(frame).equals(frame)
