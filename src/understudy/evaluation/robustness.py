"""Does it still answer, and rightly, when inputs are noisy, lost, mistyped or new?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from understudy.core.evidence import Evidence
from understudy.data.contract import Column, Contract
from understudy.data.reading import read_column
from understudy.evaluation.robustness_found import SURE, Band, Robustness, Shaken
from understudy.evaluation.shakes import NOISES, Shake, noise, shakes, spread
from understudy.evidence.fixed import clopper_pearson

MOST_ROWS, FEWEST_ROWS = 2_000, 300
MOST_PREDICTIONS = 150_000
"""So many rows are predicted in all; with very many columns, fewer of each."""
MOST_COLUMNS = 50
"""So many columns are shaken one at a time."""
DRAWS = 5
"""How often each case gets tiny noise."""
BANDS = (0.0, 0.6, 0.7, 0.8, SURE)
NUMERIC = ("number", "integer")

Predict = Callable[[pl.DataFrame], np.ndarray]


class Answers:
    """The answers to cases whose truth is known.

    Parameters
    ----------
    predict : callable
        From rows in canonical types to scores of shape (n, k) or (n, 1).
    y : ndarray of shape (n,)
        Class indices or numbers.
    tolerance : float, optional
        For numbers, how far an answer may be off.
    """

    def __init__(self, predict: Predict, y: np.ndarray, tolerance: float | None) -> None:
        self._predict, self._tolerance, self.y = predict, tolerance, y

    def give(self, frame: pl.DataFrame) -> np.ndarray:
        """The answers as class indices or numbers."""
        scores = self._predict(frame)
        return np.asarray(scores[:, 0] if self._tolerance is not None else scores.argmax(axis=1))

    def apart(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Where two answers, or an answer and the truth, are not the same."""
        return np.asarray(one != other if self._tolerance is None else ~(np.abs(one - other) <= self._tolerance))


def robustness(
    frame: pl.DataFrame,
    y: np.ndarray,
    predict: Predict,
    contract: Contract,
    *,
    confidence: np.ndarray,
    tolerance: float | None = None,
    strange: Callable[[pl.DataFrame], np.ndarray] | None = None,
    important: Sequence[str] = (),
    alpha: float = 0.05,
    seed: int = 0,
) -> Robustness:
    """Shake a sample of the cases in every way, and see what becomes of the answers.

    Shaken rows are read as live ones are: what breaks the contract is refused. Each harm is a difference of paired
    shares.

    Parameters
    ----------
    frame : pl.DataFrame
        The rows of the test part in canonical types.
    y : ndarray of shape (n,)
        Class indices or numbers.
    predict : callable
        From rows in canonical types to scores of shape (n, k) or (n, 1).
    contract : Contract
    confidence : ndarray of shape (n,)
        How sure it is of each answer.
    tolerance : float, optional
        For numbers, how far an answer may be off.
    strange : callable, optional
        Which rows in canonical types are too strange for the model to decide by itself.
    important : sequence of str
        Of very many columns, these are shaken one at a time before others.
    alpha : float
        The chance that the bounds of any harm are wrong.
    seed : int

    Raises
    ------
    ValueError
        There are no rows, or lengths differ.

    >>> from understudy.data.contract import infer_contract
    >>> table = pl.DataFrame({"age": list(range(20, 80)) * 20, "job": ["cook", "nurse"] * 600})
    >>> def old(rows):
    ...     return np.column_stack([rows["age"] < 50, rows["age"] >= 50]).astype(float)
    >>> truth, sure = (table["age"] >= 50).to_numpy().astype(int), np.ones(1200)
    >>> found = robustness(table, truth, old, infer_contract(table), confidence=sure)
    >>> [(one.words, one.refused) for one in found.of("lost column")][0], found.of("blanks")[0].changed.estimate
    (('age no longer comes', 1.0), 0.0)
    """
    if not frame.height or not frame.height == len(y) == len(confidence):
        raise ValueError(
            f"rows, answers and confidences are as many, at least one; got {frame.height}, {len(y)}, {len(confidence)}"
        )
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(frame.height, min(MOST_ROWS, frame.height), replace=False))
    single = chosen(contract, important)
    ways = list(shakes(contract, frame[rows], single))
    most = max(FEWEST_ROWS, MOST_PREDICTIONS // max(1, len(ways)))
    if len(rows) > most:  # at random again: the first ones are the oldest where rows stand in time
        rows = np.sort(generator.choice(rows, most, replace=False))
    sample, sure = frame[rows], confidence[rows]
    answers = Answers(predict, y[rows], tolerance)
    before = answers.give(sample)
    wrong = answers.apart(before, answers.y)
    told = [shake_once(way, sample, answers, before, strange, alpha / len(ways), generator) for way in ways]
    return Robustness(
        rows=len(rows),
        error=clopper_pearson(int(wrong.sum()), len(rows)),
        shaken=tuple(told),
        bands=tiny_noise(sample, contract, answers, before, sure, generator),
        tiny=NOISES[0],
        columns_left_out=len(contract.used) - len(single),
    )


def chosen(contract: Contract, important: Sequence[str]) -> list[Column]:
    """The columns that are shaken one at a time."""
    places = {name: place for place, name in enumerate(important)}
    ordered = sorted(contract.used, key=lambda column: places.get(column.name, len(places)))
    return ordered[:MOST_COLUMNS]


def shake_once(
    way: Shake,
    sample: pl.DataFrame,
    answers: Answers,
    before: np.ndarray,
    strange: Callable[[pl.DataFrame], np.ndarray] | None,
    alpha: float,
    generator: np.random.Generator,
) -> Shaken:
    """One way of shaking, on all cases of the sample."""
    clean, kept = read_shaken(way, sample, generator)
    n = int(kept.sum())
    common: dict[str, Any] = {"way": way.way, "subject": way.subject, "strength": way.strength, "n": n}
    common["refused"] = 1 - n / sample.height
    if not n:
        return Shaken(**common)
    after, truth, first = answers.give(clean), answers.y[kept], before[kept]
    wrong, was_wrong = answers.apart(after, truth), answers.apart(first, truth)
    return Shaken(
        **common,
        strange=None if strange is None else float(np.mean(strange(clean))),
        changed=clopper_pearson(int(answers.apart(after, first).sum()), n),
        error=clopper_pearson(int(wrong.sum()), n),
        harm=paired_difference(int((wrong & ~was_wrong).sum()), int((was_wrong & ~wrong).sum()), n, alpha),
    )


def read_shaken(way: Shake, sample: pl.DataFrame, generator: np.random.Generator) -> tuple[pl.DataFrame, np.ndarray]:
    """The shaken rows that keep the contract, in canonical types, and which ones those are.

    Only what was shaken is read again.
    """
    shaken = way.apply(sample, generator)
    kept, values = np.ones(sample.height, dtype=bool), []
    for column in way.columns:
        read, faults = read_column(column, shaken[column.name])
        values.append(read)
        kept[faults["row"].to_numpy()] = False
    return shaken.with_columns(values).filter(kept), kept


def paired_difference(worse: int, better: int, n: int, alpha: float) -> Evidence:
    """How much more often the same cases are wrong: (worse − better)/n, where so many became wrong and right.

    The exact bounds of both shares are put together by squaring and adding, with their correlation (Newcombe 1998,
    "Improved confidence intervals for the difference between binomial proportions based on paired data", method 10,
    Stat. Med. 17, with exact bounds in place of Wilson's: it stays right where hardly any case changes).

    >>> found = paired_difference(30, 10, 500, 0.05)
    >>> round(found.estimate, 3), round(found.lower, 4), round(found.upper, 4)
    (0.04, 0.0143, 0.067)
    """
    up, down = clopper_pearson(worse, n, alpha=alpha), clopper_pearson(better, n, alpha=alpha)
    p, q = up.estimate, down.estimate
    together = math.sqrt(p * q / ((1 - p) * (1 - q))) if p < 1 and q < 1 else 0.0  # the correlation, less its sign

    def reach(one: float, other: float) -> float:
        return math.sqrt(one**2 + 2 * together * one * other + other**2)

    return Evidence(
        estimate=p - q,
        lower=max(-1.0, p - q - reach(p - up.lower, down.upper - q)),
        upper=min(1.0, p - q + reach(up.upper - p, q - down.lower)),
        confidence=1 - alpha,
        n=n,
        method="exact bounds, squared and added, paired",
    )


def tiny_noise(
    sample: pl.DataFrame,
    contract: Contract,
    answers: Answers,
    before: np.ndarray,
    sure: np.ndarray,
    generator: np.random.Generator,
) -> tuple[Band, ...]:
    """How many answers change under tiny noise, by how sure the model was."""
    numbers = [column for column in contract.used if column.kind in NUMERIC]
    spreads = {column.name: spread(sample[column.name]) for column in numbers}
    noisy = [column for column in numbers if spreads[column.name].scale > 0]
    if not noisy:
        return ()
    shake = noise(noisy, spreads, NOISES[0])
    changed = np.zeros(sample.height, dtype=bool)
    for _ in range(DRAWS):
        changed |= answers.apart(answers.give(shake(sample, generator)), before)
    places = np.searchsorted(BANDS, sure, side="right") - 1
    bands = []
    for place, low in enumerate(BANDS):
        inside = places == place
        if inside.any():
            high = BANDS[place + 1] if place + 1 < len(BANDS) else 1.0
            found = clopper_pearson(int(changed[inside].sum()), int(inside.sum()))
            bands.append(Band(low=low, high=high, n=found.n, changed=found))
    return tuple(bands)
