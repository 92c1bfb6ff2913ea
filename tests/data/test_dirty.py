"""Dirty rows keep the contract and strain it."""

import msgspec
import numpy as np
import polars as pl

from understudy.data.contract import infer_contract
from understudy.data.dirty import dirty_rows
from understudy.data.prepare import fit_encoding
from understudy.data.reading import read_frame
from understudy.data.rows import RowEncoder, RowReader


def test_every_dirty_row_keeps_the_contract_and_encodes_to_finite_numbers() -> None:
    frame = pl.DataFrame(
        {
            "n": [1.5, None, 3.0],
            "i": [1, 2, 3],
            "b": [True, False, True],
            "c": ["x", "y", "x"],
            "d": ["2024-01-01", "2024-02-01", "2024-03-01"],
            "t": ["a long text of words", "another text of words", "some more prose here now"],
        }
    )
    contract = infer_contract(frame)
    clean, _ = read_frame(contract, frame)
    rows = dirty_rows(contract, clean)
    reader = RowReader(msgspec.to_builtins(contract))
    encoder = RowEncoder(msgspec.to_builtins(fit_encoding(clean, contract)))
    assert len(rows) > 40
    for row in rows:
        values, faults = reader.read(row)
        assert faults == []
        assert np.isfinite(np.array(encoder.encode(values), dtype=np.float32)).all()
    changed = {
        name for row in rows for name in row if row not in clean.to_dicts() and row[name] not in clean[name].to_list()
    }
    assert changed == set(frame.columns)


def test_of_many_columns_some_values_each_are_strained():
    frame = pl.DataFrame({f"x{i}": [1.5, 2.5, None] for i in range(90)})
    contract = infer_contract(frame)
    rows = dirty_rows(contract, frame, most=180)
    assert len(rows) == 180
    clean = frame.to_dicts()
    strained = {name for place, row in enumerate(rows) for name in row if row[name] != clean[place % 3][name]}
    assert len(strained) == 90
