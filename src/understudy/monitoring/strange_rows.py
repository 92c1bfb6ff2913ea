"""How strange one row is.

This file needs the standard library only, because it travels, as it is, with every exported model. `strangeness.py`
computes the same for columns, to the last bit.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

WORD = re.compile(r"[^\W_]{2,}")


def new_words(text: str, vocabulary: AbstractSet[str]) -> float:
    """The share of a text's words that the reference does not know; 0 for a text without words."""
    words = WORD.findall(text.lower())
    if not words:
        return 0.0
    return sum(word not in vocabulary for word in words) / len(words)


def beyond_range(number: float, low: float, high: float, rarest: float) -> float:
    """The surprise at a number outside the range: more than that of anything seen, and growing with the distance."""
    distance = (low - number if number < low else number - high) / ((high - low) or 1.0)
    return rarest + math.log1p(distance)


def rank_surprises(n: int) -> list[float]:
    """For each of n sorted scores minus the logarithm of the share at least as high; then that of a higher one."""
    return [-math.log((n - place + 1) / (n + 1)) for place in range(n)] + [math.log(n + 1)]


def beyond_last(surprise: float, excess: float) -> float:
    """The surprise at a score that is higher than all of the reference's, by so much."""
    return surprise + math.log1p(max(0.0, excess))


def outranks(ordered: Sequence[float], surprises: Sequence[float], score: float) -> float:
    """Minus the logarithm of the share of reference scores at least this high; it goes on growing beyond the last."""
    place = bisect_left(ordered, score)
    if place == len(ordered):
        return beyond_last(surprises[place], score - ordered[-1])
    return surprises[place]


def number_surprise(measure: Mapping[str, Any]) -> Callable[[Any], float]:
    """The surprise at a number of one measure."""
    edges, low, high, table = measure["edges"], measure["low"], measure["high"], measure["surprise"]
    rarest, missing = table[-2], table[-1]

    def surprise(number: Any) -> float:
        if number is None:
            return float(missing)
        number = float(number)
        if number < low or number > high:
            return beyond_range(number, low, high, rarest)
        return float(table[bisect_right(edges, number)])

    return surprise


def level_surprise(measure: Mapping[str, Any]) -> Callable[[Any], float]:
    """The surprise at a level."""
    table = {level: measure["surprise"][index] for index, level in enumerate(measure["levels"])}
    beyond, missing = measure["surprise"][-2], measure["surprise"][-1]

    def surprise(value: Any) -> float:
        if value is None:
            return float(missing)
        if value is True or value is False:
            value = "true" if value else "false"
        return float(table.get(value, beyond))

    return surprise


def microseconds(value: Any) -> Any:
    """A time as microseconds since 1970; a number as it is."""
    if value is None or isinstance(value, int | float):
        return value
    days = value.toordinal() - 719163
    return (days * 86400 + value.hour * 3600 + value.minute * 60 + value.second) * 1_000_000 + value.microsecond


def part_of(measure: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What a measure looks at in a value."""
    name = measure["measure"]
    if name == "length":
        return lambda value: None if value is None else len(value)
    if name == "hour":
        return lambda value: None if value is None else value.hour
    if name == "weekday":
        return lambda value: None if value is None else value.isoweekday()
    vocabulary = frozenset(measure["vocabulary"])
    if name == "new words":
        return lambda value: None if value is None else new_words(value, vocabulary)
    return microseconds


def composed(outer: Callable[[Any], float], inner: Callable[[Any], Any]) -> Callable[[Any], float]:
    """One function after the other."""
    return lambda value: outer(inner(value))


class RowStrangeness:
    """How strange a row of canonical values is.

    Parameters
    ----------
    model : mapping
        A `Strangeness` as plain data.
    """

    def __init__(self, model: Mapping[str, Any]) -> None:
        self._measures: list[tuple[int, Callable[[Any], float]]] = []
        for measure in model["measures"]:
            if measure["measure"] == "level":
                surprise = level_surprise(measure)
            elif measure["measure"] == "number" and not measure["timed"]:
                surprise = number_surprise(measure)
            else:
                surprise = composed(number_surprise(measure), part_of(measure))
            self._measures.append((measure["place"], surprise))
        self._sums, self._peaks, self._calibration = model["sums"], model["peaks"], model["calibration"]
        self._sum_ranks, self._peak_ranks = rank_surprises(len(self._sums)), rank_surprises(len(self._peaks))
        self._n = model["n"]

    def score(self, values: Sequence[Any]) -> float:
        """From 0, ordinary, to 1, alien: one minus the conformal p-value."""
        total = peak = 0.0
        for place, surprise in self._measures:
            u = surprise(values[place])
            total += u
            peak = max(peak, u)
        alien = max(
            outranks(self._sums, self._sum_ranks, total),
            outranks(self._peaks, self._peak_ranks, peak),
        )
        kept = self._calibration
        above = len(kept) - bisect_left(kept, alien)
        strangeness: float = 1.0 - (1.0 + above / len(kept) * self._n) / (self._n + 1.0)
        return strangeness
