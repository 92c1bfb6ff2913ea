"""What decided past cases, people, rules, a score, and what each of them lost by the outcomes that came later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from understudy.autonomy.truth import Truth, loss
from understudy.core.errors import DataError
from understudy.core.task import Task
from understudy.data.expressions import columns_of
from understudy.data.judgements import judgement_columns, judgements, together
from understudy.data.values import as_numbers
from understudy.evaluation.cut import best_cut
from understudy.evaluation.retrospect import Losses
from understudy.flows.answers import as_text
from understudy.flows.baseline import rule_answers
from understudy.flows.rehearsal_data import History, hiding_answers, words_or

HIDDEN = -1
"""The code of an outcome that never showed."""

UNTOLD = (
    "Whether it is as good as people cannot be told: the truth is what they decided themselves. A later outcome would"
    " tell, or what a second person decided without knowing of the first."
)


@dataclass(frozen=True)
class Court:
    """What a decision is held against.

    Attributes
    ----------
    task : Task
    labels : tuple of str
        Every answer that occurs; empty for numbers.
    costs : ndarray of shape (k, k + 1)
        What each answer loses by outcome; the last column is for answers that are none of the task's.
    truths : ndarray of shape (n,)
        The outcomes: places in `labels`, HIDDEN where it never showed; or numbers.
    """

    task: Task
    labels: tuple[str, ...]
    costs: np.ndarray
    truths: np.ndarray

    def losses(self, said: pl.Series) -> np.ndarray:
        """What decisions lose under each outcome that a case may have had, of shape (n, k); NaN where there is none."""
        if not self.labels:
            apart = np.abs(said.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy() - self.truths)
            wrong = np.where(np.isnan(apart), np.nan, apart > (self.task.decision.tolerance or 0.0))
            return np.asarray(wrong[:, None], dtype=np.float64)
        codes = codes_of(said, self.labels)
        known = self.costs[self.truths, codes][:, None]
        hidden = self.truths == HIDDEN
        found = np.where(hidden[:, None], self.costs[:, codes].T, known) if hidden.any() else known
        return np.where(said.is_null().to_numpy()[:, None], np.nan, found)

    def at(self, places: np.ndarray) -> Court:
        """The same for some cases."""
        return Court(self.task, self.labels, self.costs, self.truths[places])


def codes_of(said: pl.Series, labels: Sequence[str]) -> np.ndarray:
    """The places of answers among the labels; one beyond the last for others, and where there is none.

    >>> codes_of(pl.Series(["b", "z", None]), ["a", "b"]).tolist()
    [1, 2, 2]
    """
    places = list(range(len(labels)))
    codes = said.replace_strict(list(labels), places, default=len(labels), return_dtype=pl.Int64)
    return codes.fill_null(len(labels)).to_numpy()


def open_court(task: Task, labels: tuple[str, ...], history: History) -> Court:
    """The outcomes of all rows of the history, and what mistakes cost; `labels` are the version's answers."""
    if task.decision.kind == "regression":
        return Court(task, (), np.empty((0, 1)), np.array(history.truths, dtype=np.float64))
    told = {as_text(truth) for truth in history.truths if truth is not None} | set(hiding_answers(task))
    labels = (*labels, *sorted(told - set(labels)))
    costs = [
        [loss(task, answer, Truth(source="outcome", label=truth, propensity=1.0)) or 0.0 for answer in labels] + [1.0]
        for truth in labels
    ]
    places = {label: place for place, label in enumerate(labels)}
    truths = [HIDDEN if truth is None else places[as_text(truth)] for truth in history.truths]
    return Court(task, labels, np.array(costs), np.array(truths))


def ways_then(frame: pl.DataFrame, history: History, court: Court, now: Court) -> tuple[list[Losses], list[str]]:
    """What rules, people and the score of then would have lost on some cases, and a constant beside them; with notes.

    Parameters
    ----------
    frame : pl.DataFrame
        The cases.
    history : History
        Its first rows, known at the start, say where a score is cut.
    court, now : Court
        Of the whole history, and of these cases.
    """
    ways, notes = people_then(frame, now)
    today = court.task.today
    if today.rules:
        ruled = now.losses(rule_answers(frame, today.rules))
        person = next((found.loss for found in ways if found.way == "person"), np.full_like(ruled, np.nan))
        name = "today's rules, with people where none holds" if ways else "today's rules"
        ways.insert(0, Losses("rules", name, np.where(np.isnan(ruled), person, ruled)))
    first = Start(history.frame[: history.first], court.at(np.arange(history.first)))
    if today.score is not None:
        scored = score_then(frame, today.score, first)
        if scored is None:
            why = "that takes two possible answers, and values of it on rows that are known at the start"
            notes.append(f"{today.score} is not compared: {why}.")
        else:
            ways.append(Losses("score", scored[0], now.losses(scored[1])))
    if not hiding_answers(court.task):
        name, constant = constant_then(len(frame), first)
        ways.append(Losses("constant", name, now.losses(constant)))
    return ways, notes


def people_then(frame: pl.DataFrame, now: Court) -> tuple[list[Losses], list[str]]:
    """What people lost: one of them on average, and all of a case together."""
    decision, today = now.task.decision, now.task.today
    columns = judgement_columns(today, frame.columns)
    if not columns:
        return [], []
    if set(columns) & set(columns_of(decision.target, frame.columns)):
        return [], [UNTOLD]
    given = judgements(frame, today, decision.kind)
    each = np.array([now.losses(column) for column in given])
    told = (~np.isnan(each[:, :, 0])).sum(axis=0)
    alone = np.where(told[:, None] > 0, np.nansum(each, axis=0) / np.maximum(told, 1)[:, None], np.nan)
    notes = strange_words(given, now)
    if (told == 0).any():
        notes.append(f"Of {int((told == 0).sum()):,} cases nobody's decision is known: people are not compared there.")
    if given.width == 1:
        return [Losses("person", f"today's {columns[0]}", alone)], notes
    few, many = told.min(initial=given.width), told.max(initial=0)
    notes.append(
        f"{few:,} to {many:,} people decided each case; one person is their mean, so the interval speaks of other cases"
        " and not of other people."
    )
    words = "the majority of them" if decision.kind == "classification" else "the median of them"
    both = now.losses(together(given, decision.positive))
    return [Losses("person", "one person", alone), Losses("together", words, both)], notes


def strange_words(given: pl.DataFrame, now: Court) -> list[str]:
    """A note on decisions that are none of the task's answers.

    Raises
    ------
    DataError
        None of them is.
    """
    if not now.labels:
        return []
    found = Counter(word for column in given for word in column.drop_nulls().to_list())
    odd = {word: count for word, count in found.items() if word not in now.labels}
    if odd and len(odd) == len(found):
        raise DataError(
            f"People decided {words_or(sorted(odd)[:5])}, but the task's answers are {words_or(now.labels[:5])}.",
            hint="[today] names a column whose values are those of the target; mend it, or write them alike.",
        )
    if not odd:
        return []
    return [
        f"{sum(odd.values()):,} decisions, such as {min(odd)!r}, are none of the task's answers: they count as wrong."
    ]


@dataclass(frozen=True)
class Start:
    """What is known at the start: rows, and their outcomes."""

    frame: pl.DataFrame
    court: Court

    @property
    def known(self) -> np.ndarray:
        """Places of the rows whose outcome is known."""
        if not self.court.labels:
            return np.arange(self.frame.height)
        return np.flatnonzero(self.court.truths != HIDDEN)


def score_then(frame: pl.DataFrame, column: str, first: Start) -> tuple[str, pl.Series] | None:
    """The name and the decisions of a score, cut where it would have lost least on what is known at the start.

    None where it cannot be cut: more than two answers are possible, or it has no value there.
    """
    values, labels = score_numbers(frame[column]), first.court.labels
    if not labels:
        return f"today's {column}", values
    if len(labels) != 2:
        return None
    before = score_numbers(first.frame[column]).to_numpy()
    known = first.known[np.isfinite(before[first.known])]
    if not len(known):
        return None
    costs = first.court.costs[first.court.truths[known]][:, :2]
    cut, rising = best_cut(before[known], costs)
    low, high = (labels[0], labels[1]) if rising else (labels[1], labels[0])
    said = pl.select(pl.when(values.is_null()).then(None).when(values >= cut).then(pl.lit(high)).otherwise(pl.lit(low)))
    name = f"today's {column}: {high!r} from {cut:g} on" if np.isfinite(cut) else f"today's {column}: always {low!r}"
    return name, said.to_series()


def score_numbers(column: pl.Series) -> pl.Series:
    """A score as finite numbers, null where there is none."""
    numbers = as_numbers(column) if column.dtype == pl.String else column.cast(pl.Float64, strict=False)
    return numbers.set((~numbers.is_finite()).fill_null(value=True), None)


def constant_then(n: int, first: Start) -> tuple[str, pl.Series]:
    """The one decision that would have lost least on what is known at the start."""
    court, known = first.court, first.known
    if not court.labels:
        middle = float(np.median(court.truths[known]))
        return f"always answering {middle:g}", pl.Series([middle] * n, dtype=pl.Float64)
    best = court.labels[int(court.costs[court.truths[known]][:, : len(court.labels)].sum(axis=0).argmin())]
    return f"always answering {best!r}", pl.Series([best] * n, dtype=pl.String)
