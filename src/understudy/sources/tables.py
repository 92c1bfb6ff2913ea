"""Tables from files: CSV, Parquet, Arrow and JSON Lines, by path or glob."""

from __future__ import annotations

import csv
import difflib
import glob
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple, cast

import msgspec
import polars as pl
import pyarrow as pa

from understudy.core.errors import DataError

CSV_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
PARQUET_ENDINGS = (".parquet", ".pq")
ARROW_ENDINGS = (".arrow", ".feather", ".ipc")
JSON_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
ENDINGS = (*CSV_ENDINGS, *PARQUET_ENDINGS, *ARROW_ENDINGS, *JSON_ENDINGS)
SEPARATORS = (",", ";", "\t", "|")
SAMPLE_BYTES = 1 << 20
SAMPLE_ROWS = 200
GZIP = b"\x1f\x8b"
SIGNS = {b"PAR1": "Parquet", b"ARROW1": "Arrow", b"PK\x03\x04": "a zip archive or an Excel workbook", b"%PDF": "PDF"}
"""How files begin that are not text, whatever their names say."""

BROKEN_FILE = (pl.exceptions.PolarsError, pa.ArrowException, OSError, EOFError, zlib.error)
UNDEFINED_CP1252 = {0x81, 0x8D, 0x8F, 0x90, 0x9D}
DECIMAL_COMMA = r"^\s*[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?\s*$"
THOUSANDS = r"^\s*[+-]?[0-9]{1,3}(\.[0-9]{3})+"
CSV_FAULTS = {"unexpected end of data": "a quote is opened and never closed"}
BLANK_LINES = re.compile(r"\r?\n([ \t]*\r?\n)+")
LONGEST_RECORD = 100_000
"""A quoted value that runs over more lines than this was never closed."""


class CsvOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a CSV file is written; what is None is detected."""

    separator: str | None = None
    encoding: str | None = None
    decimal_comma: bool | None = None


@dataclass(frozen=True)
class Table:
    """A table that was read.

    Attributes
    ----------
    frame : pl.DataFrame
        Columns from CSV are text; from other formats they keep their types.
    name : str
        The file's name without its ending.
    note : str
        What was detected.
    """

    frame: pl.DataFrame
    name: str
    note: str


@dataclass(frozen=True)
class CsvFormat:
    """How a CSV file is written."""

    separator: str
    encoding: str
    decimal_comma: bool
    header: tuple[str, ...]

    def __str__(self) -> str:
        separator = {"\t": "tab"}.get(self.separator, f"'{self.separator}'")
        comma = ", decimal comma" if self.decimal_comma else ""
        return f"CSV, {separator}, {self.encoding}{comma}"


def read_table(source: str | Path, options: CsvOptions = CsvOptions()) -> Table:  # noqa: B008  frozen
    """Read a whole table.

    Parameters
    ----------
    source : str or Path
        A file or a glob; the files of a glob are read in the order of their names and must have the same columns.
    options : CsvOptions
        How CSV files are written, where that should not be detected.

    Raises
    ------
    DataError
        There is no such file, or it cannot be read as a table.
    """
    paths = find(str(source))
    frames: list[pl.DataFrame] = []
    notes: list[str] = []
    for path in paths:
        frame, note = read_file(path, options)
        if frames and frame.columns != frames[0].columns:
            raise different_columns(path, frame.columns, frames[0].columns)
        frames.append(frame)
        notes.append(note)
    try:
        frame = pl.concat(frames, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(f"The files of {source} hold different types in the same column: {error}.") from error
    if not frame.height:
        raise DataError(f"{source} has a header and no rows.")
    return Table(frame, plain_name(paths[0]), notes[0] + (f", {len(paths)} files" if len(paths) > 1 else ""))


def scan_batches(
    source: str | Path,
    options: CsvOptions = CsvOptions(),  # noqa: B008  frozen
    *,
    rows: int = 50_000,
) -> Iterator[pl.DataFrame]:
    """Read a table piece by piece, in bounded memory.

    Parameters
    ----------
    source : str or Path
        A file or a glob.
    options : CsvOptions
    rows : int
        About how many rows a piece has.

    Raises
    ------
    DataError
        As `read_table` does, at the piece that is at fault. A table without rows has no pieces.
    """
    first: list[str] | None = None
    for path in find(str(source)):
        for frame in file_batches(path, options, rows):
            if first is not None and frame.columns != first:
                raise different_columns(path, frame.columns, first)
            first = frame.columns
            yield frame


def file_batches(path: Path, options: CsvOptions, rows: int) -> Iterator[pl.DataFrame]:
    """One file in pieces."""
    ending = ending_of(path)
    try:
        if ending in CSV_ENDINGS:
            yield from csv_batches(path, options, rows)
            return
        refuse_empty(path)
        if ending in PARQUET_ENDINGS:
            lazy = pl.scan_parquet(path)
        elif ending in ARROW_ENDINGS:
            lazy = pl.scan_ipc(path)
        else:
            lazy = pl.scan_ndjson(path, infer_schema_length=None)
        yield from (frame for frame in lazy.collect_batches(chunk_size=rows, maintain_order=True) if frame.height)
    except BROKEN_FILE as error:
        raise unreadable(path, error) from error


def find(source: str) -> list[Path]:
    """The files that a path or glob names, in the order of their names."""
    path = Path(source)
    if path.is_file():
        return [path]
    if path.is_dir():
        raise DataError(f"{source} is a directory.", hint=f"Name a file, or a glob such as '{source}/*.parquet'.")
    if glob.has_magic(source):
        found = sorted(Path(name) for name in glob.glob(source, recursive=True) if Path(name).is_file())  # noqa: PTH207  also absolute
        if not found:
            raise DataError(f"No file matches {source!r}.")
        return found
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, siblings, n=1)
    raise DataError(f"There is no file {source}.", hint=f"Did you mean {path.parent / near[0]}?" if near else "")


def ending_of(path: Path) -> str:
    """The ending that says how a file is read."""
    for ending in sorted(ENDINGS, key=len, reverse=True):
        if path.name.lower().endswith(ending):
            return ending
    raise DataError(f"{path.name} has no ending that says what it is.", hint=f"Known endings: {', '.join(ENDINGS)}.")


def plain_name(path: Path) -> str:
    """The file's name without its ending."""
    return path.name[: -len(ending_of(path))]


def read_file(path: Path, options: CsvOptions) -> tuple[pl.DataFrame, str]:
    """One file and a note on how it was read."""
    ending = ending_of(path)
    refuse_empty(path)
    try:
        if ending in CSV_ENDINGS:
            return read_csv(path, options)
        if ending in PARQUET_ENDINGS:
            return pl.read_parquet(path), "Parquet"
        if ending in ARROW_ENDINGS:
            return pl.read_ipc(path), "Arrow"
        return pl.read_ndjson(path, infer_schema_length=None), "JSON Lines"
    except BROKEN_FILE as error:
        raise unreadable(path, error) from error


def refuse_empty(path: Path) -> None:
    """A file without a byte is an error of its own."""
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.", hint="Was its export interrupted? Name a file with a header and rows.")


def unreadable(path: Path, error: Exception) -> DataError:
    """The error for a file that is not what its name says, or is damaged."""
    kind = "gzip" if is_gzip(path) else ending_of(path).removeprefix(".")
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DataError(f"{path} cannot be read as {kind}: {reason}", hint="Is the file damaged, or wrongly named?")


def read_csv(path: Path, options: CsvOptions) -> tuple[pl.DataFrame, str]:
    """A CSV file as columns of text."""
    found = detect_csv(path, options)
    with open_bytes(path) as file:
        data = file.read()
    try:
        text = data.decode(found.encoding)
    except UnicodeDecodeError as error:
        line = 1 + data[: error.start].count(b"\n")
        raise undecodable(path, f"{line:,}", error, found.encoding) from error
    frame = parse_text(text, found, path, first_line=1, header=True)
    return frame, str(found) + (", gzip" if is_gzip(path) else "")


def undecodable(path: Path, line: str, error: UnicodeDecodeError, encoding: str) -> DataError:
    """The error for bytes that are no text in the encoding."""
    return DataError(
        f"{path}, line {line}: byte 0x{error.object[error.start]:02x} is not {encoding}.",
        hint="Say the right encoding, for example --encoding cp1252.",
    )


def parse_text(text: str, found: CsvFormat, path: Path, *, first_line: int, header: bool) -> pl.DataFrame:
    """Some lines of a CSV file as columns of text, with decimal commas turned into points."""
    try:
        frame = pl.read_csv(
            io.BytesIO(without_blank_lines(text).encode()),
            separator=found.separator,
            has_header=False,
            skip_rows=1 if header else 0,
            new_columns=list(found.header),
            schema=dict.fromkeys(found.header, pl.String),
            infer_schema=False,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(found.header, pl.String))
    except pl.exceptions.PolarsError:
        rows = checked_rows(text, found, path, first_line)[1 if header else 0 :]
        frame = pl.DataFrame(rows, schema=dict.fromkeys(found.header, pl.String), orient="row")
    if frame.height and frame.to_series(-1).null_count() and may_have_short_lines(text, found):
        checked_rows(text, found, path, first_line)
    return decimal_points(frame) if found.decimal_comma else frame


def may_have_short_lines(text: str, found: CsvFormat) -> bool:
    """Whether some line may have too few fields: too few separators, or quotes that may hide separators."""
    lines = text.count("\n") + (not text.endswith("\n"))
    return '"' in text or text.count(found.separator) < lines * (len(found.header) - 1)


def without_blank_lines(text: str) -> str:
    """The lines that hold something, ended by a newline, as no reader of tables counts an empty line as a row."""
    if "\r" in text and "\n" not in text:
        text = text.replace("\r", "\n")
    text = text.strip("\r\n")
    return text if '"' in text else BLANK_LINES.sub("\n", text)


def checked_rows(text: str, found: CsvFormat, path: Path, first_line: int) -> list[list[str]]:
    """The fields of each line, read slowly and exactly; a line with too many or too few of them is an error."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=found.separator, strict=True)
    width = len(found.header)
    rows, start = [], first_line
    try:
        for fields in reader:
            if fields and len(fields) != width:
                raise DataError(
                    f"{path}, line {start}: {len(fields)} fields, but the header has {width}.",
                    hint="Mend the line (a separator inside a value needs quotes), or say another --separator.",
                )
            if fields:
                rows.append(fields)
            start = first_line + reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{path}, line {start}: {CSV_FAULTS.get(str(error), error)}.",
            hint='Quote a value as "a ""word"" in it", with each quote inside it doubled.',
        ) from error
    return rows


def decimal_points(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers with a decimal comma as numbers with a decimal point; other text stays.

    Where a column holds 1.234,5 its points part thousands, and go.
    """
    columns = pl.all()
    grouped = columns.str.contains(THOUSANDS + ",[0-9]+$").any() & columns.str.contains(THOUSANDS + "(,[0-9]+)?$")
    plain = pl.when(grouped).then(columns.str.replace_all(".", "", literal=True)).otherwise(columns)
    comma = columns.str.contains(DECIMAL_COMMA) | grouped
    return frame.with_columns(pl.when(comma).then(plain.str.replace(",", ".", literal=True)).otherwise(columns))


def csv_batches(path: Path, options: CsvOptions, rows: int) -> Iterator[pl.DataFrame]:
    """A CSV file in pieces of whole records."""
    found = detect_csv(path, options)
    with open_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding=found.encoding, newline="")
        line, header = 1, True
        try:
            for chunk, lines in records(text, rows):
                frame = parse_text(chunk, found, path, first_line=line, header=header)
                line, header = line + lines, False
                if frame.height:
                    yield frame
        except UnicodeDecodeError as error:
            raise undecodable(path, f"{line:,} or after it", error, found.encoding) from error


def records(text: io.TextIOWrapper, rows: int) -> Iterator[tuple[str, int]]:
    """Pieces of about `rows` lines that do not end inside a quoted value."""
    chunk: list[str] = []
    inside = False
    for line in text:
        chunk.append(line)
        inside ^= line.count('"') % 2 == 1
        if len(chunk) >= rows and (not inside or len(chunk) >= rows + LONGEST_RECORD):
            yield "".join(chunk), len(chunk)
            chunk, inside = [], False
    if chunk:
        yield "".join(chunk), len(chunk)


def detect_csv(path: Path, options: CsvOptions) -> CsvFormat:
    """How a CSV file is written, from its beginning."""
    with open_bytes(path) as file:
        sample = file.read(SAMPLE_BYTES)
    if not sample.strip():
        raise DataError(f"{path} is empty.", hint="Was its export interrupted? Name a file with a header and rows.")
    for sign, kind in SIGNS.items():
        if sample.startswith(sign):
            raise DataError(f"{path} is {kind}, not CSV.", hint=f"Give it its own ending; known: {', '.join(ENDINGS)}.")
    encoding = options.encoding or detect_encoding(path, sample)
    try:
        text = sample.decode(encoding, errors="ignore")
    except LookupError as error:
        raise DataError(f"There is no encoding {encoding!r}.", hint="Try utf-8, cp1252 or utf-16.") from error
    lines = re.split(r"\r\n|\n|\r", text.lstrip("\r\n"))
    separator = options.separator or detect_separator(lines)
    if len(separator.encode()) != 1 or separator in '"\r\n':
        raise DataError(f"The separator {separator!r} is not one character.", hint="Try ',', ';', '|' or a tab.")
    header = tuple(name.strip() for name in fields_of(lines, separator, 1)[0])
    check_header(path, header)
    comma = options.decimal_comma
    if comma is None:
        comma = separator != "," and decimal_commas(lines, separator)
    return CsvFormat(separator, encoding, comma, header)


def detect_encoding(path: Path, sample: bytes) -> str:
    """UTF-8 where the whole file is, UTF-16 by its mark, else Windows-1252, in which every byte but five has a sign."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if sample.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    zeros = sample[:1000].count(0), sample[1:1000:2].count(0)
    if zeros[0] > len(sample[:1000]) / 4:
        return "utf-16-le" if zeros[1] > zeros[0] / 2 else "utf-16-be"
    with open_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            while text.read(SAMPLE_BYTES):
                pass
        except UnicodeDecodeError:
            return "latin-1" if holds_bytes(path, UNDEFINED_CP1252) else "cp1252"
    return "utf-8"


def holds_bytes(path: Path, wanted: set[int]) -> bool:
    """Whether any of some bytes is anywhere in a file."""
    with open_bytes(path) as file:
        while piece := file.read(SAMPLE_BYTES):
            if not wanted.isdisjoint(piece):
                return True
    return False


def fields_of(lines: list[str], separator: str, rows: int) -> list[list[str]]:
    """The fields of the first rows of a CSV file."""
    try:
        return list(islice((fields for fields in csv.reader(lines, delimiter=separator) if fields), rows))
    except csv.Error:
        return [line.split(separator) for line in lines[:rows] if line]


class Agreement(NamedTuple):
    """How well a separator fits a file; of two, the greater one fits better."""

    share: float
    width: int
    absent: bool


def detect_separator(lines: list[str]) -> str:
    """The separator that parts most lines into as many fields as the header has, more than one.

    Where none does the file has one column, and the separator is one that does not occur.
    """

    def agreement(separator: str) -> Agreement:
        widths = [len(fields) for fields in fields_of(lines, separator, SAMPLE_ROWS)]
        share = widths.count(widths[0]) / len(widths) if widths[0] > 1 else 0.0
        return Agreement(share, widths[0], not any(separator in line for line in lines))

    return max(SEPARATORS, key=agreement)


def decimal_commas(lines: list[str], separator: str) -> bool:
    """Whether numbers are written with a comma: some field is `1,5` and none `1.5`."""
    fields = [field.strip() for row in fields_of(lines, separator, SAMPLE_ROWS)[1:] for field in row]
    comma = sum(looks_decimal(field, ",") for field in fields)
    return comma > sum(looks_decimal(field, ".") for field in fields)


def looks_decimal(field: str, mark: str) -> bool:
    """Whether a field is digits, one mark, digits."""
    left, found, right = field.lstrip("+-").partition(mark)
    return bool(found) and right.isdigit() and (left.isdigit() or not left)


def check_header(path: Path, header: tuple[str, ...]) -> None:
    """Every column has a name of its own."""
    repeated = [name for name, count in Counter(header).items() if count > 1 and name]
    if repeated:
        raise DataError(
            f"{path}: the header names {', '.join(map(repr, repeated))} more than once.",
            hint="Rename the columns: each needs a name of its own.",
        )
    blank = [str(place) for place, name in enumerate(header, start=1) if not name]
    if blank:
        raise DataError(
            f"{path}: column {', '.join(blank)} has no name in the header.",
            hint="Name it, or remove it (pandas writes such a column of row numbers unless told index=False).",
        )


def different_columns(path: Path, columns: list[str], expected: list[str]) -> DataError:
    """The error for a file of a glob that does not fit the others."""
    less = [name for name in expected if name not in columns]
    more = [name for name in columns if name not in expected]
    parts = [f"lacks {', '.join(less)}"] * bool(less) + [f"adds {', '.join(more)}"] * bool(more)
    return DataError(
        f"{path} has other columns than the first file: it {' and '.join(parts) or 'orders them otherwise'}."
    )


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip, by its first bytes."""
    with path.open("rb") as file:
        return file.read(2) == GZIP


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, decompressed."""
    return cast("IO[bytes]", gzip.open(path)) if is_gzip(path) else path.open("rb")
