"""Results side by side: by table, contender and seed, under one budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.automl.contenders import CONTENDERS
from bench.automl.judge import GREATER, mean_ranks, ranks
from bench.automl.sources import SOURCES

Result = dict[str, Any]
Value = Callable[[Result], float | None]


@dataclass(frozen=True)
class Board:
    """What was found under one budget.

    Attributes
    ----------
    seconds : float
    contenders, sources : tuple of str
        Those with a result, in the order of the bench; tables that none has run who takes a budget are left out.
    cells : dict
        Results by source, contender and seed.
    """

    seconds: float
    contenders: tuple[str, ...]
    sources: tuple[str, ...]
    cells: dict[tuple[str, str], dict[int, Result]]

    def values(self, source: str, contender: str, value: Value) -> list[float]:
        """A figure for every seed that has it."""
        cell = self.cells.get((source, contender), {})
        found = [value(result) for result in cell.values() if not result["failed"]]
        return [one for one in found if one is not None]

    def mean(self, source: str, contender: str, value: Value) -> float | None:
        """A figure's mean over the seeds that have it."""
        found = self.values(source, contender, value)
        return float(np.mean(found)) if found else None

    def ranks(self, value: Value, greater: Callable[[str], bool]) -> tuple[dict[str, float], int]:
        """Mean ranks over the tables and seeds that every contender has run, and how many those are.

        Whoever failed is last. A table on which nobody has the figure is left out.
        """
        races = []
        for source in self.sources:
            cells = {contender: self.cells.get((source, contender), {}) for contender in self.contenders}
            for seed in sorted(set.intersection(*(set(cell) for cell in cells.values()))):
                results = {contender: cell[seed] for contender, cell in cells.items()}
                found = {name: None if one["failed"] else value(one) for name, one in results.items()}
                if any(one is not None for one in found.values()):
                    races.append(ranks(found, greater=greater(source)))
        return mean_ranks(races), len(races)


def boards(results: Iterable[Result], *, told: bool = False) -> list[Board]:
    """A board for each budget, from the last result of each job; contenders without a budget stand on all of them."""
    last: dict[tuple[Any, ...], Result] = {}
    for result in results:
        if result["told"] == (told and bool(SOURCES[result["source"]].time)):
            last[result["source"], result["contender"], result["seconds"], result["seed"]] = result
    budgets = sorted({result["seconds"] for result in last.values()} - {0})
    return [board(last.values(), seconds) for seconds in budgets]


def board(results: Iterable[Result], seconds: float) -> Board:
    """What was found under a budget, and by those who take none."""
    cells: dict[tuple[str, str], dict[int, Result]] = {}
    for result in results:
        if result["seconds"] in {seconds, 0}:
            cells.setdefault((result["source"], result["contender"]), {})[result["seed"]] = result
    there = {contender for _, contender in cells}
    return Board(
        seconds,
        tuple(name for name in CONTENDERS if name in there),
        tuple(name for name in SOURCES if any(source == name and CONTENDERS[one].timed for source, one in cells)),
        cells,
    )


def primary(result: Result) -> float | None:
    """The metric by which contenders are ranked."""
    value: float | None = result[SOURCES[result["source"]].metric]
    return value


def by_metric(source: str) -> bool:
    """Whether more is better on this table."""
    return GREATER[SOURCES[source].metric]


def overpromised(result: Result) -> float | None:
    """By how much a contender's own figure is better than what came: of an error, as a share of what came.

    >>> overpromised({"source": "bike", "rmse": 60.0, "promise": {"score": 45.0}})
    0.25
    """
    promised, came = result["promise"]["score"], primary(result)
    if promised is None or came is None:
        return None
    if SOURCES[result["source"]].metric == "rmse":
        return float((came - promised) / came)
    return float(promised - came if by_metric(result["source"]) else came - promised)


def distance(result: Result) -> float | None:
    """How far promise and reality are apart, whichever way."""
    found = overpromised(result)
    return None if found is None else abs(found)


def within(result: Result) -> bool | None:
    """Whether the interval of a contender's own figure holds what came; None where it gives none."""
    promise, came = result["promise"], primary(result)
    if promise["lower"] is None or came is None:
        return None
    return bool(promise["lower"] <= came <= promise["upper"])


def runs(board: Board, contender: str) -> list[Result]:
    """All results of a contender that did not fail."""
    cells = (board.cells.get((source, contender), {}) for source in board.sources)
    return [result for cell in cells for result in cell.values() if not result["failed"]]


def mean_over(board: Board, sources: Iterable[str], contender: str, value: Value) -> float | None:
    """The mean over tables of a figure's mean over seeds."""
    found = [board.mean(source, contender, value) for source in sources]
    there = [one for one in found if one is not None]
    return float(np.mean(there)) if there else None


def median(results: Iterable[Result], key: str) -> float | None:
    """The median of a figure over runs."""
    found = [result[key] for result in results]
    return float(np.median(found)) if found else None
