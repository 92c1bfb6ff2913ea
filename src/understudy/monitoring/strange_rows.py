"""How strange one row is.

This file needs the standard library only, because it travels, as it is, with every exported model. `strangeness.py`
computes the same for columns, to the last bit. Scores tie often, and a tie that breaks costs a case its p-value:
therefore nothing here calls a logarithm, whose last bit differs from one platform to the next.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

Surprise = Callable[[Any], float]

WORD = re.compile(r"[^\W_]{2,}")
FARTHEST = 1e300
"""In ranges of the reference; what is farther away counts as this far, so that no score is infinite."""

DOUBLING = 0.6931471805599453
EPOCH_DAY = 719163
DAY = 86_400_000_000
"""Microseconds."""


def new_words(text: str, vocabulary: AbstractSet[str]) -> float:
    """The share of a text's words that the reference does not know; 0 for a text without words.

    >>> new_words("An alien word", {"an", "word"})
    0.3333333333333333
    """
    words = WORD.findall(text.lower())
    if not words:
        return 0.0
    return sum(word not in vocabulary for word in words) / len(words)


def beyond_range(number: float, low: float, high: float, rarest: float) -> float:
    """The surprise at a number outside the range: that of any such number, and growing with the distance.

    Its growth is the logarithm of one plus the distance in ranges, drawn straight from each power of two to the next.
    """
    distance = (low - number if number < low else number - high) / ((high - low) or 1.0)
    mantissa, exponent = math.frexp(1.0 + min(distance, FARTHEST))
    return rarest + DOUBLING * (exponent + 2.0 * mantissa - 2.0)


def outranked(ordered: Sequence[float], score: float) -> float:
    """How many of the reference's sorted scores are lower; beyond the last it goes on growing with the excess.

    This orders scores as minus the logarithm of the share at least as high does.
    """
    place = bisect_left(ordered, score)
    return place + (score - ordered[-1]) if place == len(ordered) else float(place)


def number_surprise(bins: Mapping[str, Any], table: Sequence[float]) -> Surprise:
    """The surprise at a number of one measure."""
    edges, low, high = bins["edges"], bins["low"], bins["high"]
    rarest, missing = float(table[-2]), float(table[-1])

    def surprise(number: Any) -> float:
        if number is None:
            return missing
        number = float(number)
        if number < low or number > high:
            return beyond_range(number, low, high, rarest)
        return float(table[bisect_right(edges, number)])

    return surprise


def level_surprise(bins: Mapping[str, Any], table: Sequence[float]) -> Surprise:
    """The surprise at a level."""
    known = {level: float(table[index]) for index, level in enumerate(bins["levels"])}
    beyond, missing = float(table[-2]), float(table[-1])

    def surprise(value: Any) -> float:
        if value is None:
            return missing
        if value is True or value is False:
            value = "true" if value else "false"
        return known.get(value, beyond)

    return surprise


def microseconds(value: Any) -> int:
    """A naive time as microseconds since 1970."""
    days = value.toordinal() - EPOCH_DAY
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return int(days * DAY + seconds * 1_000_000 + value.microsecond)


PARTS: dict[str, Callable[[Any], Any]] = {
    "length": len,
    "elapsed": microseconds,
    "hour": lambda value: value.hour,
    "weekday": lambda value: value.isoweekday(),
}
"""What a measure looks at in a value that is no number itself."""


def part_surprise(part: Callable[[Any], Any], surprise: Surprise) -> Surprise:
    """The surprise at a part of a value."""
    return lambda value: surprise(None if value is None else part(value))


def surprise_of(bins: Mapping[str, Any], table: Sequence[float]) -> Surprise:
    """The surprise at a column's value, by one measure."""
    if bins["measure"] == "level":
        return level_surprise(bins, table)
    number = number_surprise(bins, table)
    if bins["measure"] == "new words":
        vocabulary = frozenset(bins["vocabulary"])
        return part_surprise(lambda text: new_words(text, vocabulary), number)
    return part_surprise(PARTS[bins["measure"]], number) if bins["measure"] in PARTS else number


class RowStrangeness:
    """How strange a row of canonical values is.

    Parameters
    ----------
    model : mapping
        A `Strangeness` as plain data.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._measures: list[tuple[int, Surprise]] = [
            (measure["place"], surprise_of(bins, measure["surprise"]))
            for bins, measure in zip(model["bins"], model["measures"], strict=True)
        ]
        self._sums, self._peaks, self._calibration = model["sums"], model["peaks"], model["calibration"]
        self._n = model["n"]

    def score(self, values: Sequence[Any]) -> float:
        """From 0, ordinary, to 1, alien: one minus the conformal p-value.

        The values stand in the order of the contract's used columns.
        """
        surprises = [surprise(values[place]) for place, surprise in self._measures]
        total = 0.0
        for u in surprises:  # sum() compensates for rounding since Python 3.12; the column path does not
            total += u
        alien = max(outranked(self._sums, total), outranked(self._peaks, max(surprises, default=0.0)))
        kept = self._calibration
        above = len(kept) - bisect_left(kept, alien)
        strangeness: float = 1.0 - (1.0 + above / len(kept) * self._n) / (self._n + 1.0)
        return strangeness
