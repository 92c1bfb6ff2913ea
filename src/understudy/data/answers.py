"""The target column as classes or numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from understudy.core.errors import DataError
from understudy.core.nouns import Kind
from understudy.data.contract import MISSING
from understudy.data.expressions import evaluate

MOST_CLASSES = 1000


@dataclass(frozen=True)
class Answers:
    """What was decided, row by row.

    Attributes
    ----------
    y : ndarray of shape (n,)
        The index of the class (int64), or the number (float64).
    labels : tuple of str
        The classes in the order of their index; for two classes the positive one comes last. Empty for numbers.
    """

    y: np.ndarray
    labels: tuple[str, ...]


def target_answers(frame: pl.DataFrame, target: str) -> pl.Series:
    """The target of every row, null where there is none.

    Raises
    ------
    DataError
        A column that the target names is not there.
    """
    answers = evaluate(frame, target, where="the target")
    if answers.dtype != pl.String:
        return answers.fill_nan(None) if answers.dtype.is_float() else answers
    stripped = answers.str.strip_chars()
    return stripped.set(stripped.is_in(MISSING), None)


def looks_numeric(answers: pl.Series) -> bool:
    """Whether every answer is a number, be it written as text.

    >>> looks_numeric(pl.Series(["1", "2.5"])), looks_numeric(pl.Series(["1", "no"]))
    (True, False)
    """
    if answers.dtype == pl.Boolean:
        return False
    return answers.dtype.is_numeric() or answers.cast(pl.Float64, strict=False).null_count() == answers.null_count()


def answer_texts(answers: pl.Series) -> pl.Series:
    """The answers as words; whole numbers without a decimal point, blanks around them removed.

    >>> answer_texts(pl.Series([1.0, 2.0])).to_list(), answer_texts(pl.Series([True])).to_list()
    (['1', '2'], ['true'])
    """
    if answers.dtype.is_float() and bool((answers == answers.floor()).all()):
        answers = answers.cast(pl.Int64)
    return answers.cast(pl.String).str.strip_chars()


def read_answers(answers: pl.Series, *, kind: Kind, positive: str | None, target: str) -> Answers:
    """Classes or numbers from a target column without missing values.

    Raises
    ------
    DataError
        The answers are constant, a number is not finite, or `positive` does not occur.
    """
    if kind == "regression":
        return Answers(read_numbers(answers, target), ())
    texts = answer_texts(answers)
    labels = sorted(texts.unique().to_list(), key=label_order)
    if len(labels) < 2:
        raise DataError(
            f"The target {target!r} is always {labels[0]!r}: there is nothing to learn.",
            hint="Choose another target, or add rows with other answers.",
        )
    if positive is not None:
        if positive not in labels:
            raise DataError(
                f"The positive answer {positive!r} does not occur in {target!r}; there are {', '.join(labels[:10])}.",
                hint="Mend `positive` in the task file.",
            )
        labels.sort(key=lambda label: label == positive)
    codes = texts.replace_strict(labels, list(range(len(labels))), return_dtype=pl.Int64)
    return Answers(codes.to_numpy(), tuple(labels))


def read_numbers(answers: pl.Series, target: str) -> np.ndarray:
    """Finite float64 numbers from a target column."""
    numbers = answers.cast(pl.Float64, strict=False)
    bad = (numbers.is_null() | ~numbers.is_finite()).fill_null(value=True)
    if bad.any():
        row = int(bad.arg_max() or 0)
        raise DataError(
            f"The target {target!r} is {answers[row]!r} in {int(bad.sum()):,} rows, where a finite number is expected.",
            hint="Mend these rows, or say --kind classification.",
        )
    if numbers.n_unique() < 2:
        raise DataError(f"The target {target!r} is always {numbers[0]}: there is nothing to learn.")
    return numbers.to_numpy()


def label_order(label: str) -> tuple[bool, float, str]:
    """Numbers by value, then words by alphabet."""
    try:
        return False, float(label), label
    except ValueError:
        return True, 0.0, label
