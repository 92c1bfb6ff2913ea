"""One row at a time: from raw values to canonical ones to the encoded features.

This file needs the standard library only, because it travels, as it is, with every exported model. It computes the
same as the column path in `reading.py` and `prepare.py`, to the last bit; the tests hold the two together. Its
parameters are the plain dictionaries that a contract and an encoding are stored as.
"""

from __future__ import annotations

import difflib
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

BLANKS = " \t\r\n"
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
WHOLE = re.compile(r"[+-]?[0-9]+")
WORD = re.compile(r"[^\W_]{2,}")
ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ISO_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
TRUE_WORDS = frozenset(("true", "yes", "y", "t", "1"))
FALSE_WORDS = frozenset(("false", "no", "n", "f", "0"))
EPOCH = datetime(1970, 1, 1)
LARGEST_WHOLE = 2**63
LIMIT = 1e6

Value = float | int | bool | str | datetime | None
Reader = Callable[[object], Value]


class UnreadableError(ValueError):
    """A value is not what its column holds."""


def read_number(value: object) -> Value:
    """A finite float."""
    if isinstance(value, str):
        if NUMBER.fullmatch(value) is None:
            raise UnreadableError
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableError
    try:
        number = float(value)
    except OverflowError:
        raise UnreadableError from None
    if math.isinf(number):
        raise UnreadableError
    return number


def read_integer(value: object) -> Value:
    """A whole number below 2^63 in size."""
    if type(value) is int and -LARGEST_WHOLE < value < LARGEST_WHOLE:
        return value
    if isinstance(value, str) and WHOLE.fullmatch(value) is not None:
        value = int(value) if len(value) < 25 else LARGEST_WHOLE
    if not isinstance(value, int) or isinstance(value, bool):
        number = read_number(value)
        if not isinstance(number, float) or number != math.floor(number):
            raise UnreadableError
        value = int(number)
    if abs(value) >= LARGEST_WHOLE:
        raise UnreadableError
    return value


def read_boolean(value: object) -> Value:
    """A truth value, or a word for one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        value = value.lower()
        if value in TRUE_WORDS or value in FALSE_WORDS:
            return value in TRUE_WORDS
    elif isinstance(value, int | float) and value in (0, 1):
        return value == 1
    raise UnreadableError


def read_word(value: object) -> Value:
    """Text; whole numbers without a decimal point, truth values as words."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < LARGEST_WHOLE:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    raise UnreadableError


def read_date(value: object) -> Value:
    """An ISO 8601 date or time, as naive UTC."""
    if isinstance(value, str):
        return parse_iso(value)
    if isinstance(value, datetime):
        return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise UnreadableError


def parse_iso(text: str) -> datetime:
    """The forms of ISO 8601 that the column path reads, and no others."""
    try:
        if ISO_DATE.fullmatch(text):
            return datetime.fromisoformat(text)
        parts = ISO_TIME.fullmatch(text)
        if parts is None:
            raise UnreadableError
        day, minute, second, fraction, offset = parts.groups()
        local = datetime.fromisoformat(f"{day}T{minute}{second or ':00'}")
        local += timedelta(microseconds=int(((fraction or ".")[1:]).ljust(6, "0")))
        if offset is None or offset == "Z":
            return local
        shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
        return local + shift if offset[0] == "-" else local - shift
    except (ValueError, OverflowError):
        raise UnreadableError from None


def date_reader(format_: str | None) -> Reader:
    """Reads dates of a format of their own, besides those that are dates already."""
    if format_ is None:
        return read_date

    def read(value: object) -> Value:
        if not isinstance(value, str):
            return read_date(value)
        try:
            return datetime.strptime(value, format_)
        except ValueError:
            raise UnreadableError from None

    return read


READERS: dict[str, Reader] = {
    "number": read_number,
    "integer": read_integer,
    "boolean": read_boolean,
    "category": read_word,
    "text": read_word,
    "identifier": read_word,
}

EXPECTED = {
    "number": "a finite number",
    "integer": "a whole number",
    "boolean": "true or false",
    "datetime": "an ISO 8601 date or time",
}


class RowReader:
    """Checks a row against a contract and puts its values into their canonical form.

    Parameters
    ----------
    contract : mapping
        A contract as plain data.

    >>> contract = {"missing": ["", "NA"], "columns": [{"name": "age", "kind": "integer", "nullable": False}]}
    >>> RowReader(contract).read({"age": " 41.0 "})
    ([41], [])
    >>> RowReader(contract).read({"age": "old"})[1]
    [{'where': 'age', 'found': "'old'", 'expected': 'a whole number'}]
    """

    def __init__(self, contract: Mapping[str, Any]) -> None:
        self._missing = frozenset(contract["missing"])
        self._known = {column["name"] for column in contract["columns"]}
        self._columns = [
            (
                column["name"],
                date_reader(column.get("format")) if column["kind"] == "datetime" else READERS[column["kind"]],
                bool(column.get("nullable", False)),
                f"a date like {column['format']}"
                if column.get("format")
                else EXPECTED.get(column["kind"], "a single value"),
            )
            for column in contract["columns"]
            if column.get("used", True)
        ]

    def read(self, row: Mapping[str, object]) -> tuple[list[Value], list[dict[str, str]]]:
        """The canonical values of the used columns in the contract's order, and every fault.

        A field that is absent counts as null. Fields that the contract leaves out are ignored, unknown ones are faults.
        """
        values: list[Value] = []
        faults: list[dict[str, str]] = []
        missing = self._missing
        for name, read, nullable, expected in self._columns:
            value = row.get(name)
            if isinstance(value, str):
                value = value.strip(BLANKS)
                if value in missing:
                    value = None
            if value is None or value != value:
                values.append(None)
                if not nullable:
                    faults.append({"where": name, "found": "nothing", "expected": "a value"})
                continue
            try:
                values.append(read(value))
            except UnreadableError:
                values.append(None)
                faults.append({"where": name, "found": repr(value)[:80], "expected": expected})
        if not row.keys() <= self._known:
            faults.extend(self._unknown(name) for name in row if name not in self._known)
        return values, faults

    def _unknown(self, name: str) -> dict[str, str]:
        near = difflib.get_close_matches(str(name), self._known, n=1)
        fault = {"where": str(name)[:80], "found": "an unknown field", "expected": "a field of the contract"}
        return fault | {"hint": f"did you mean {near[0]!r}?"} if near else fault


def cycle(steps: int) -> list[tuple[float, float]]:
    """Sine and cosine of each step of a cycle, so that its end meets its beginning."""
    return [(math.sin(2 * math.pi * step / steps), math.cos(2 * math.pi * step / steps)) for step in range(steps + 1)]


CYCLES = {"minute": cycle(1440), "yearday": cycle(366)}


def clipped(value: float) -> float:
    """A value between -1e6 and 1e6."""
    return LIMIT if value > LIMIT else max(value, -LIMIT)


def scaled(value: float, scale: Mapping[str, float]) -> float:
    """A number in units of its spread in training, around its mean there."""
    return clipped((value - scale["center"]) / scale["scale"])


def text_features(text: str, part: Mapping[str, Any], vocabulary: Mapping[str, int]) -> list[float]:
    """Word weights by TF-IDF (L2-normalised), counts of other words by hash, and how long the text is."""
    words = WORD.findall(text.lower())
    counts: dict[int, int] = {}
    hashed = [0] * part["buckets"]
    for word in words:
        index = vocabulary.get(word)
        if index is None:
            hashed[zlib.crc32(word.encode()) % part["buckets"]] += 1
        else:
            counts[index] = counts.get(index, 0) + 1
    idf = part["idf"]
    weights = [0.0] * len(idf)
    total = 0.0
    for index in sorted(counts):
        weight = counts[index] * idf[index]
        weights[index] = weight
        total += weight * weight
    if total > 0:
        norm = math.sqrt(total)
        for index in counts:
            weights[index] /= norm
    lengths = [scaled(math.log1p(len(text)), part["chars"]), scaled(math.log1p(len(words)), part["words"])]
    return [*weights, *(math.log1p(count) for count in hashed), *lengths]


def date_features(moment: datetime, part: Mapping[str, Any]) -> list[float]:
    """The parts of a time that the encoding keeps."""
    elapsed = moment - EPOCH
    seconds = elapsed.days * 86400 + elapsed.seconds
    numbers: dict[str, float] = {
        "year": moment.year,
        "month": moment.month,
        "day": moment.day,
        "weekday": moment.isoweekday(),
        "hour": moment.hour,
        "yearday": moment.timetuple().tm_yday,
        "minute": moment.hour * 60 + moment.minute,
        "elapsed": seconds / 86400,
    }
    features = [scaled(float(numbers[name]), scale) for name, scale in part["numbers"].items()]
    for name in part["cycles"]:
        features += CYCLES[name][int(numbers[name])]
    return features


def number_encoder(part: Mapping[str, Any]) -> Callable[[Any], list[float]]:
    """Encodes a number: in units of its spread; the median where it is missing."""
    center, scale, fill, flag = part["center"], part["scale"], part["fill"], part["flag"]

    def encode(value: Any) -> list[float]:
        missing = value is None
        z = ((fill if missing else float(value)) - center) / scale
        if not -LIMIT <= z <= LIMIT:
            z = clipped(z)
        return [z, float(missing)] if flag else [z]

    return encode


def boolean_encoder(part: Mapping[str, Any]) -> Callable[[Any], list[float]]:
    """Encodes a truth value as 0 or 1; the more frequent one where it is missing."""
    fill, flag = part["fill"], part["flag"]

    def encode(value: Any) -> list[float]:
        number = fill if value is None else float(value)
        return [number, float(value is None)] if flag else [number]

    return encode


def category_encoder(part: Mapping[str, Any]) -> Callable[[Any], list[float]]:
    """Encodes a level: its code, how frequent it is, and a one in its place. All rows are made beforehand."""
    table: dict[str | None, list[float]] = {
        level: category_row(part, index + 2) for index, level in enumerate(part["levels"])
    }
    other = category_row(part, 0)
    table[None] = category_row(part, 1)

    def encode(value: Any) -> list[float]:
        return table.get(value, other)

    return encode


def category_row(part: Mapping[str, Any], code: int) -> list[float]:
    """The features of one code: 0 for a rare or unseen level, 1 for none, then the levels."""
    row = [float(code)]
    if part["counted"]:
        row.append(part["counts"][code])
    hot = part["hot"]
    return row + [float(code == index) for index in hot]


def date_encoder(part: Mapping[str, Any]) -> Callable[[Any], list[float]]:
    """Encodes a time by its parts; the median time where it is missing."""
    fill, flag = EPOCH + timedelta(microseconds=part["fill"]), part["flag"]

    def encode(value: Any) -> list[float]:
        features = date_features(fill if value is None else value, part)
        return [*features, float(value is None)] if flag else features

    return encode


def text_encoder(part: Mapping[str, Any]) -> Callable[[Any], list[float]]:
    """Encodes a text; nothing at all where it is missing."""
    vocabulary = {word: index for index, word in enumerate(part["vocabulary"])}

    def encode(value: Any) -> list[float]:
        return text_features(value or "", part, vocabulary)

    return encode


ENCODERS = {
    "number": number_encoder,
    "boolean": boolean_encoder,
    "category": category_encoder,
    "datetime": date_encoder,
    "text": text_encoder,
}


class RowEncoder:
    """Encodes a row of canonical values.

    Parameters
    ----------
    encoding : mapping
        An encoding as plain data.
    """

    def __init__(self, encoding: Mapping[str, Any]) -> None:
        self._encoders = [ENCODERS[part["type"]](part) for part in encoding["parts"]]

    def encode(self, values: Sequence[Any]) -> list[float]:
        """The features, in the order of the encoded matrix."""
        features: list[float] = []
        for encode, value in zip(self._encoders, values, strict=True):
            features += encode(value)
        return features
