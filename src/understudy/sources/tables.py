"""Tables from files: CSV, Parquet, Arrow and JSON Lines, by path or glob."""

from __future__ import annotations

import csv
import difflib
import glob
import gzip
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

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
GZIP = b"\x1f\x8b"


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
    frame = pl.concat(frames, how="vertical_relaxed")
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
    """
    for path in find(str(source)):
        ending = ending_of(path)
        if ending in CSV_ENDINGS:
            yield from csv_batches(path, options, rows)
        elif ending in PARQUET_ENDINGS:
            yield from pl.scan_parquet(path).collect_batches(chunk_size=rows, maintain_order=True)
        elif ending in ARROW_ENDINGS:
            yield from pl.scan_ipc(path).collect_batches(chunk_size=rows, maintain_order=True)
        else:
            yield from pl.scan_ndjson(path).collect_batches(chunk_size=rows, maintain_order=True)


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
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty.")
    if ending in CSV_ENDINGS:
        return read_csv(path, options)
    try:
        if ending in PARQUET_ENDINGS:
            return pl.read_parquet(path), "Parquet"
        if ending in ARROW_ENDINGS:
            return pl.read_ipc(path), "Arrow"
        return pl.read_ndjson(path, infer_schema_length=None), "JSON Lines"
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise DataError(f"{path} cannot be read as {ending[1:]}: {error}") from error


def read_csv(path: Path, options: CsvOptions) -> tuple[pl.DataFrame, str]:
    """A CSV file as columns of text."""
    found = detect_csv(path, options)
    with open_bytes(path) as file:
        data = file.read()
    frame = parse_csv(data, found, path, first_line=1, header=True)
    return frame, str(found) + (", gzip" if is_gzip(path) else "")


def parse_csv(data: bytes, found: CsvFormat, path: Path, *, first_line: int, header: bool) -> pl.DataFrame:
    """Some lines of a CSV file as columns of text, with decimal commas turned into points."""
    try:
        text = data.decode(found.encoding)
    except UnicodeDecodeError as error:
        line = first_line + data[: error.start].count(b"\n")
        raise DataError(
            f"{path}, line {line}: byte 0x{data[error.start]:02x} is not {found.encoding}.",
            hint="Say the right encoding, for example --encoding cp1252.",
        ) from error
    try:
        frame = pl.read_csv(
            io.BytesIO(text.encode()),
            separator=found.separator,
            has_header=False,
            skip_rows=1 if header else 0,
            new_columns=list(found.header),
            schema=dict.fromkeys(found.header, pl.String),
            infer_schema=False,
        )
    except pl.exceptions.NoDataError:
        return pl.DataFrame(schema=dict.fromkeys(found.header, pl.String))
    except pl.exceptions.PolarsError as error:
        raise ragged(text, found, path, first_line) or DataError(f"{path} cannot be read as CSV: {error}") from error
    short = ragged(text, found, path, first_line) if has_short_lines(text, found) else None
    if short is not None:
        raise short
    return decimal_points(frame) if found.decimal_comma else frame


def has_short_lines(text: str, found: CsvFormat) -> bool:
    """Whether some line may have too few fields: too few separators in all."""
    lines = text.count("\n") + (not text.endswith("\n"))
    return text.count(found.separator) < lines * (len(found.header) - 1)


def ragged(text: str, found: CsvFormat, path: Path, first_line: int) -> DataError | None:
    """The error that names the first line with too many or too few fields, if there is one."""
    reader = csv.reader(io.StringIO(text), delimiter=found.separator)
    width = len(found.header)
    try:
        for fields in reader:
            if fields and len(fields) != width:
                line = first_line + reader.line_num - 1
                return DataError(
                    f"{path}, line {line}: {len(fields)} fields, but the header has {width}.",
                    hint="Mend the line (a separator inside a value needs quotes), or say another --separator.",
                )
    except csv.Error as error:
        return DataError(f"{path}, line {first_line + reader.line_num - 1}: {error}.")
    return None


def decimal_points(frame: pl.DataFrame) -> pl.DataFrame:
    """Numbers with a decimal comma as numbers with a decimal point; other text stays."""
    number = r"^\s*[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?\s*$"
    columns = pl.all()
    return frame.with_columns(
        pl.when(columns.str.contains(number)).then(columns.str.replace(",", ".", literal=True)).otherwise(columns)
    )


def csv_batches(path: Path, options: CsvOptions, rows: int) -> Iterator[pl.DataFrame]:
    """A CSV file in pieces of whole records."""
    found = detect_csv(path, options)
    with open_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding=found.encoding, newline="")
        line, header = 1, True
        for chunk, lines in records(text, rows):
            frame = parse_csv(chunk.encode(found.encoding), found, path, first_line=line, header=header)
            line, header = line + lines, False
            if frame.height:
                yield frame


def records(text: io.TextIOWrapper, rows: int) -> Iterator[tuple[str, int]]:
    """Pieces of about `rows` lines that do not end inside a quoted value."""
    chunk: list[str] = []
    inside = False
    for line in text:
        chunk.append(line)
        inside ^= line.count('"') % 2 == 1
        if len(chunk) >= rows and not inside:
            yield "".join(chunk), len(chunk)
            chunk = []
    if chunk:
        yield "".join(chunk), len(chunk)


def detect_csv(path: Path, options: CsvOptions) -> CsvFormat:
    """How a CSV file is written, from its beginning."""
    with open_bytes(path) as file:
        sample = file.read(SAMPLE_BYTES)
    if not sample.strip():
        raise DataError(f"{path} is empty.")
    encoding = options.encoding or detect_encoding(path, sample)
    try:
        text = sample.decode(encoding, errors="ignore")
    except LookupError as error:
        raise DataError(f"There is no encoding {encoding!r}.", hint="Try utf-8, cp1252 or utf-16.") from error
    lines = text.splitlines()
    separator = options.separator or detect_separator(lines)
    header = tuple(name.strip() for name in next(csv.reader(lines, delimiter=separator)))
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
    with open_bytes(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            while text.read(SAMPLE_BYTES):
                pass
        except UnicodeDecodeError:
            return "cp1252" if not set(sample) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "latin-1"
    return "utf-8"


def detect_separator(lines: list[str]) -> str:
    """The separator that parts most lines into the same number of fields, more than one."""

    def agreement(separator: str) -> tuple[float, int]:
        widths = Counter(len(fields) for fields in csv.reader(lines[:200], delimiter=separator) if fields)
        width, count = widths.most_common(1)[0]
        return (count / widths.total() if width > 1 else 0.0), width

    return max(SEPARATORS, key=agreement)


def decimal_commas(lines: list[str], separator: str) -> bool:
    """Whether numbers are written with a comma: some field is `1,5` and none `1.5`."""
    fields = [field.strip() for row in csv.reader(lines[1:200], delimiter=separator) for field in row]
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
        raise DataError(f"{path}: column {', '.join(blank)} has no name in the header.", hint="Name it, or remove it.")


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
