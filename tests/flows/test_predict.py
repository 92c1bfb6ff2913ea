"""Scoring files of any size."""

from pathlib import Path

import polars as pl
import pytest

import understudy
from conftest import claims
from understudy.core.errors import ContractError, DataError
from understudy.flows.golive import RunResult
from understudy.flows.predict import Scoring


def test_a_file_is_scored_in_batches_as_in_one_piece(
    ran: tuple[Path, RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims(500, seed=3).write_csv(tmp_path / "new.csv")
    work, seen = ran[0], []
    whole = understudy.score_file(tmp_path / "new.csv", "claims", tmp_path / "whole.csv", workspace=work)
    monkeypatch.setattr("understudy.flows.predict.BATCH_ROWS", 64)
    understudy.score_file(tmp_path / "new.csv", "claims", tmp_path / "parts.csv", workspace=work, tell=seen.append)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert seen[-1] == 500
    assert len(seen) >= 8
    assert (whole.rows, whole.rejected, whole.rejected_file) == (500, 0, None)
    table = pl.read_csv(tmp_path / "whole.csv")
    assert table.columns == ["row", "prediction", "confidence", "probability_no", "probability_yes", "strangeness"]
    assert table["row"].to_list() == list(range(1, 501))


def test_parquet_in_and_out_with_the_inputs_beside(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    claims(100, seed=4).write_parquet(tmp_path / "new.parquet")
    out = tmp_path / "out.parquet"
    understudy.score_file(tmp_path / "new.parquet", "claims", out, workspace=ran[0], scoring=Scoring(inputs=True))
    table = pl.read_parquet(out)
    assert {"claim_id", "amount", "prediction", "strangeness"} <= set(table.columns)
    assert table["claim_id"].to_list() == claims(100, seed=4)["claim_id"].to_list()


def test_faulty_rows_stop_the_scoring_with_every_fault_and_leave_no_file(
    ran: tuple[Path, RunResult], tmp_path: Path
) -> None:
    frame = claims(100).with_columns(
        amount=pl.when(pl.int_range(pl.len()) % 40 == 7).then(pl.lit("x")).otherwise("amount")
    )
    frame.write_csv(tmp_path / "new.csv")
    with pytest.raises(ContractError) as caught:
        understudy.score_file(tmp_path / "new.csv", "claims", tmp_path / "out.csv", workspace=ran[0])
    assert [fault.where for fault in caught.value.faults] == ["row 8, amount", "row 48, amount", "row 88, amount"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv"]
    done = understudy.score_file(
        tmp_path / "new.csv", "claims", tmp_path / "out.csv", workspace=ran[0], scoring=Scoring(skip_faulty=True)
    )
    assert (done.rows, done.rejected) == (97, 3)
    assert 8 not in pl.read_csv(tmp_path / "out.csv")["row"].to_list()
    assert pl.read_csv(done.rejected_file)["row"].to_list() == [8, 48, 88]


def test_an_unknown_ending_or_directory_is_refused(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    claims(50).write_csv(tmp_path / "new.csv")
    with pytest.raises(DataError, match=r"cannot be written as '\.xlsx'"):
        understudy.score_file(tmp_path / "new.csv", "claims", tmp_path / "out.xlsx", workspace=ran[0])
    with pytest.raises(DataError, match="There is no directory"):
        understudy.score_file(tmp_path / "new.csv", "claims", tmp_path / "no" / "out.csv", workspace=ran[0])
