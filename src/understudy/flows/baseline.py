"""What decides today, as scores that a model can be compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from understudy.core.errors import DataError
from understudy.core.task import Rule, Task
from understudy.data.expressions import evaluate
from understudy.data.judgements import judgements, one_each
from understudy.data.values import as_numbers
from understudy.flows.dataset import Dataset
from understudy.models.calibrate import apply_head, fit_probability_head
from understudy.models.recipes import baseline_scores


@dataclass(frozen=True)
class TodayScores:
    """Today's decisions for some rows: scores of shape (n, k) or (n, 1), their name, and whether they only answer."""

    scores: np.ndarray
    name: str
    hard: bool


def today_scores(data: Dataset, task: Task, *, train: np.ndarray, rows: np.ndarray) -> TodayScores:
    """What today's rules, people or score say of some rows; where there is nothing, what a constant would say.

    Parameters
    ----------
    data : Dataset
    task : Task
    train : ndarray of int64
        Rows that a constant or the calibration of a score may be learned from.
    rows : ndarray of int64
        Rows to decide.
    """
    today = task.today
    if today.rules:
        answers = rule_answers(data.source[rows], today.rules)
        return hard_scores(data, answers, train, "today's rules")
    if today.column is not None or today.columns:
        given = judgements(data.source[rows], today, task.decision.kind)
        name = f"today's {given.columns[0]}" if given.width == 1 else "one of today's people"
        return hard_scores(data, one_each(given), train, name)
    if today.score is not None:
        return TodayScores(score_scores(data, today.score, train, rows), f"today's {today.score}", False)
    y, k = data.answers.y[train], len(data.answers.labels)
    scores = baseline_scores(y, kind=task.decision.kind, n_classes=k, n=len(rows))
    name = f"always answering {data.answers.labels[int(scores[0].argmax())]!r}" if k else "always answering the mean"
    return TodayScores(scores, name, False)


def rule_answers(source: pl.DataFrame, rules: tuple[Rule, ...]) -> pl.Series:
    """The answer of the first rule that holds for each row, null where none does."""
    answers = pl.Series([None] * source.height, dtype=pl.String)
    for rule in reversed(rules):
        holds = evaluate(source, rule.when, where="a rule of [today]").cast(pl.Boolean).fill_null(value=False)
        answers = answers.set(holds, rule.then)
    return answers


def hard_scores(data: Dataset, answers: pl.Series, train: np.ndarray, name: str) -> TodayScores:
    """Answers as certain scores; a missing or unknown answer counts as the most frequent one (or the mean)."""
    y, labels = data.answers.y[train], data.answers.labels
    if not labels:
        numbers = as_numbers(answers.cast(pl.String)).fill_null(float(np.mean(y)))
        return TodayScores(numbers.to_numpy().reshape(-1, 1), name, True)
    usual = int(np.bincount(y).argmax())
    codes = answers.replace_strict(list(labels), list(range(len(labels))), default=usual, return_dtype=pl.Int64)
    return TodayScores(np.eye(len(labels))[codes.fill_null(usual).to_numpy()], name, True)


def score_scores(data: Dataset, column: str, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """An existing score as calibrated probabilities of two classes, or as the number that it is."""
    series = data.source[column]
    numbers = as_numbers(series) if series.dtype == pl.String else series.cast(pl.Float64)
    values = numbers.fill_null(strategy="mean").to_numpy()
    if not data.answers.labels:
        return np.asarray(values[rows].reshape(-1, 1))
    if len(data.answers.labels) != 2:
        raise DataError(f"A score such as {column!r} can only be compared where there are two answers.")
    raw = score_shares(values)
    return apply_head(fit_probability_head(raw[train], data.answers.y[train]), raw[rows])


def score_shares(values: np.ndarray) -> np.ndarray:
    """A score as uncalibrated shares of two classes: as it is where it lies in [0, 1], else by a logistic curve."""
    if values.min() >= 0 and values.max() <= 1:
        positive = values
    else:
        positive = 1 / (1 + np.exp(-np.clip((values - values.mean()) / (values.std() or 1.0), -30, 30)))
    return np.column_stack([1 - positive, positive])
