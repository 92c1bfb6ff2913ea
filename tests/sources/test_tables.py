"""Files as tables: what is detected, and what is said of every file that cannot be read."""

import gzip
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from understudy.core.errors import DataError
from understudy.sources.tables import CsvOptions, Table, read_table, scan_batches


def written(folder: Path, content: bytes | str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(folder: Path, content: bytes | str, name: str = "table.csv", **options: object) -> Table:
    return read_table(written(folder, content, name), CsvOptions(**options))


def refused(folder: Path, content: bytes | str, name: str = "table.csv", **options: object) -> str:
    path = written(folder, content, name)
    with pytest.raises(DataError) as caught:
        read_table(path, CsvOptions(**options))
    assert name in str(caught.value)
    return str(caught.value)


def test_columns_of_a_csv_file_are_text(tmp_path: Path) -> None:
    table = read(tmp_path, "age,job\n31,cook\n,nurse\n", "people.csv")
    assert table.frame.schema == {"age": pl.String, "job": pl.String}
    assert table.frame.rows() == [("31", "cook"), (None, "nurse")]
    assert (table.name, table.note) == ("people", "CSV, ',', utf-8")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_detected(tmp_path: Path, separator: str) -> None:
    lines = [["a", "b", "c"], ["1", "x y", "3"], ["4", '"u, v; w| z"', "6"]]
    table = read(tmp_path, "\n".join(separator.join(line) for line in lines))
    assert table.frame.rows() == [("1", "x y", "3"), ("4", "u, v; w| z", "6")]


def test_one_column_of_prose_is_not_parted_at_its_commas(tmp_path: Path) -> None:
    table = read(tmp_path, "text\nhello, you\nno comma\na, b, c\n")
    assert table.frame["text"].to_list() == ["hello, you", "no comma", "a, b, c"]


def test_decimal_commas_become_points_and_words_stay(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b;c\n1,5;Rue 5, Paris;1.234,5\n-2,25;x,y;1.234\n")
    assert table.frame.rows() == [("1.5", "Rue 5, Paris", "1234.5"), ("-2.25", "x,y", "1234")]
    assert "decimal comma" in table.note


def test_decimal_points_in_a_semicolon_file_stay(tmp_path: Path) -> None:
    assert read(tmp_path, "a;b\n1.5;2\n2.5;3\n").frame["a"].to_list() == ["1.5", "2.5"]


def test_detection_can_be_overruled(tmp_path: Path) -> None:
    table = read(tmp_path, "a;b\n1,5;2\n", decimal_comma=False, separator=";", encoding="ascii")
    assert table.frame.rows() == [("1,5", "2")]
    assert "ascii" in table.note


@pytest.mark.parametrize(
    ("encoding", "noted"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("cp1252", "cp1252"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
    ],
)
def test_the_encoding_is_detected_and_noted(tmp_path: Path, encoding: str, noted: str) -> None:
    table = read(tmp_path, "name,city\nZoë,Malmö\nJosé,Köln\n".encode(encoding))
    assert table.frame.rows() == [("Zoë", "Malmö"), ("José", "Köln")]
    assert table.note.endswith(noted)


def test_bytes_that_windows_does_not_use_are_latin_1(tmp_path: Path) -> None:
    assert read(tmp_path, b"a,b\n\xe9,\x81\n").frame.rows() == [("é", "\x81")]


def test_gzip_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    table = read(tmp_path, gzip.compress(b"a,b\n1,2\n"), "packed.csv")
    assert table.frame.rows() == [("1", "2")]
    assert table.note.endswith("gzip")
    assert read(tmp_path, gzip.compress(b"a,b\n1,2\n"), "packed.csv.gz").name == "packed"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_is_read_and_blank_lines_are_no_rows(tmp_path: Path, end: str) -> None:
    table = read(tmp_path, end.join(["", "a,b", "1,2", "", "", "3,4", "", ""]))
    assert table.frame.rows() == [("1", "2"), ("3", "4")]


def test_quoted_values_keep_line_ends_separators_and_quotes(tmp_path: Path) -> None:
    table = read(tmp_path, 'a,b\n1,"x\n\ny, ""z"""\n2,w\n')
    assert table.frame["b"].to_list() == ['x\n\ny, "z"', "w"]


def test_a_quote_inside_an_unquoted_value_stands_for_itself(tmp_path: Path) -> None:
    table = read(tmp_path, 'size,n\n5" pipe,1\n6" pipe,2\nrod,3\n')
    assert table.frame["size"].to_list() == ['5" pipe', '6" pipe', "rod"]


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refused(tmp_path, b"")
    assert "is empty" in refused(tmp_path, b" \n\n")
    assert "is empty" in refused(tmp_path, gzip.compress(b""), "packed.csv.gz")
    assert "is empty" in refused(tmp_path, b"", "table.parquet")


def test_a_header_without_rows_is_refused(tmp_path: Path) -> None:
    assert "a header and no rows" in refused(tmp_path, "a,b\n")


def test_headers_that_repeat_are_named(tmp_path: Path) -> None:
    assert "names 'a' more than once" in refused(tmp_path, "a,b, a\n1,2,3\n")


def test_blank_headers_are_counted(tmp_path: Path) -> None:
    message = refused(tmp_path, ",b, \n1,2,3\n")
    assert "column 1, 3 has no name" in message
    assert "index=False" in message


@pytest.mark.parametrize(
    ("content", "line", "fields"),
    [
        ("a,b\n1,2\n3\n4,5\n", 3, 1),
        ("a,b\n1,2\n3,4,5\n", 3, 3),
        ('a,b\n1,"x\ny"\n\n"p,q"\n5,6\n', 5, 1),
        ('a,b,c\n1,2,"x,y"\n3,4\n', 3, 2),
    ],
)
def test_a_ragged_line_is_named_by_its_number(tmp_path: Path, content: str, line: int, fields: int) -> None:
    assert f"line {line}: {fields} fields, but the header has" in refused(tmp_path, content)


def test_a_quote_that_is_never_closed_is_named_by_its_line(tmp_path: Path) -> None:
    message = refused(tmp_path, 'a,b\n1,2\n3,"x\n4,5\n6,7\n')
    assert "line 3: a quote is opened and never closed" in message


def test_bytes_that_are_not_in_the_given_encoding_are_named(tmp_path: Path) -> None:
    message = refused(tmp_path, b"a,b\n1,2\n3,\xff\n", encoding="utf-8")
    assert "line 3: byte 0xff is not utf-8" in message
    assert "cp1252" in message


def test_unknown_encodings_and_separators_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,2\n")
    with pytest.raises(DataError, match="no encoding 'klingon'"):
        read_table(path, CsvOptions(encoding="klingon"))
    with pytest.raises(DataError, match="separator '::' is not one character"):
        read_table(path, CsvOptions(separator="::"))


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"PAR1 and so on", "table.csv", "is Parquet, not CSV"),
        (b"PK\x03\x04 and so on", "table.csv", "Excel"),
        (b"no parquet", "table.parquet", "cannot be read as parquet"),
        (b"no arrow", "table.arrow", "cannot be read as arrow"),
        (b'{"a": 1}\n{"a": oops}\n', "table.jsonl", "cannot be read as jsonl"),
        (gzip.compress(b"a,b\n" + bytes(range(97, 120)) * 90, mtime=0)[:60], "table.csv.gz", "cannot be read as gzip"),
    ],
)
def test_files_that_are_damaged_or_wrongly_named_are_refused(
    tmp_path: Path, content: bytes, name: str, said: str
) -> None:
    assert said in refused(tmp_path, content, name)


def test_an_unknown_ending_lists_those_that_are_known(tmp_path: Path) -> None:
    message = refused(tmp_path, "a,b\n1,2\n", "table.xlsx")
    assert ".parquet" in message
    assert ".csv.gz" in message


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    written(tmp_path, "a\n1\n", "flights.csv")
    with pytest.raises(DataError, match=r"no file .*flihgts\.csv\.\nDid you mean .*flights\.csv"):
        read_table(tmp_path / "flihgts.csv")
    with pytest.raises(DataError, match="is a directory"):
        read_table(tmp_path)


def test_a_glob_reads_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    written(tmp_path, "a,b\n3,4\n", "part2.csv")
    written(tmp_path, "a,b\n1,2\n", "part1.csv")
    table = read_table(str(tmp_path / "part*.csv"))
    assert table.frame.rows() == [("1", "2"), ("3", "4")]
    assert "2 files" in table.note
    assert [batch.rows() for batch in scan_batches(str(tmp_path / "part*.csv"))] == [[("1", "2")], [("3", "4")]]


def test_a_glob_without_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No file matches"):
        read_table(str(tmp_path / "*.csv"))


def test_files_of_a_glob_with_other_columns_are_named(tmp_path: Path) -> None:
    written(tmp_path, "a,b\n1,2\n", "part1.csv")
    written(tmp_path, "a,c\n1,2\n", "part2.csv")
    for attempt in (read_table, lambda source: list(scan_batches(source))):
        with pytest.raises(DataError, match=r"part2\.csv has other columns .* lacks b and adds c"):
            attempt(str(tmp_path / "*.csv"))


def typed() -> pl.DataFrame:
    return pl.DataFrame({"n": [1, 2, None], "x": [0.5, None, 2.0], "word": ["a", None, "c"]})


def test_typed_formats_keep_their_types(tmp_path: Path) -> None:
    typed().write_parquet(tmp_path / "t.parquet")
    typed().write_ipc(tmp_path / "t.feather")
    typed().write_ndjson(tmp_path / "t.jsonl")
    for name, note in (("t.parquet", "Parquet"), ("t.feather", "Arrow"), ("t.jsonl", "JSON Lines")):
        table = read_table(tmp_path / name)
        assert_frame_equal(table.frame, typed())
        assert (table.name, table.note) == ("t", note)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.arrow", "t.ndjson"])
def test_pieces_of_a_file_make_up_the_whole(tmp_path: Path, name: str) -> None:
    frame = pl.DataFrame({"n": range(1000), "word": [f'w "{i % 7}",\n' for i in range(1000)]})
    writers = {"csv": frame.write_csv, "parquet": frame.write_parquet, "arrow": frame.write_ipc}
    writers.get(name.partition(".")[2], frame.write_ndjson)(tmp_path / name)
    pieces = list(scan_batches(tmp_path / name, rows=150))
    assert_frame_equal(pl.concat(pieces), read_table(tmp_path / name).frame)
    if name == "t.csv":
        assert len(pieces) > 5
        assert max(piece.height for piece in pieces) <= 150


def test_pieces_name_the_line_of_the_whole_file(tmp_path: Path) -> None:
    lines = ["a,b", *(f"{i},x" for i in range(100)), "oops", *(f"{i},x" for i in range(100))]
    path = written(tmp_path, "\n".join(lines))
    with pytest.raises(DataError, match="line 102: 1 fields"):
        list(scan_batches(path, rows=10))


def test_pieces_name_bytes_that_cannot_be_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b\n" + b"1,2\n" * 50 + b"3,\xff\n")
    with pytest.raises(DataError, match="byte 0xff is not utf-8"):
        list(scan_batches(path, CsvOptions(encoding="utf-8"), rows=10))


def test_an_open_quote_does_not_take_the_rest_of_the_file_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.sources.tables.LONGEST_RECORD", 20)
    path = written(tmp_path, "a,b\n" + "1,2\n" * 30 + '3,"open\n' + "4,5\n" * 1000)
    with pytest.raises(DataError, match="line 32: a quote is opened and never closed"):
        list(scan_batches(path, rows=10))


def test_a_file_without_rows_has_no_pieces(tmp_path: Path) -> None:
    assert list(scan_batches(written(tmp_path, "a,b\n"))) == []
    with pytest.raises(DataError, match="is empty"):
        list(scan_batches(written(tmp_path, "", "empty.parquet")))


def test_long_digits_and_leading_zeros_survive(tmp_path: Path) -> None:
    assert read(tmp_path, "a,b\n007,99999999999999999999\n").frame.rows() == [("007", "99999999999999999999")]


def test_a_packed_file_is_read_in_pieces_too(tmp_path: Path) -> None:
    lines = "".join(f'{i},"text {i}\nwith, a break"\n' for i in range(1000))
    path = written(tmp_path, gzip.compress(("a,b\n" + lines).encode()), "packed.csv.gz")
    assert_frame_equal(pl.concat(scan_batches(path, rows=100)), read_table(path).frame)
