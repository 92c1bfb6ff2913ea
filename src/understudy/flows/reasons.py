"""Why a version answers one case as it does: the facts that moved it, in the case's own columns and in words.

Contributions are Shapley values of the scorer that serves, calibration included, against rows of usual values, which
the version's own frozen bins give (`models.explain.shapley`, `monitoring.usual`). For classes they are told in log odds
of the answer: there independent reasons add up, while probabilities run out near 0 and 1, where no reason would seem to
count. For numbers they are in the target's own unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from understudy.data.contract import Column
from understudy.data.prepare import encode
from understudy.data.rows import WORD
from understudy.flows.version import MatrixScorer, Version
from understudy.models.explain.shapley import Design, design
from understudy.monitoring.usual import Usual, as_moment, usual_rows, usual_values

SHOWN = 3
LEAST = 0.01
"""A fact has to make up this share of all that the columns add, or it moved nothing."""

SUREST = 1e-4
"""Probabilities nearer to 0 or 1 count as if they were so far away: beyond, log odds only tell rounding."""

ROUNDING = 1e-12
"""What is smaller than this, beside the spread of all scores, is arithmetic and no reason."""

LONGEST = 60
MOST_WORDS = 60
SHOWN_WORDS = 2
TELLING = 0.1
"""The share of what a text adds that is lost without a word which is worth naming."""

Values = Sequence[object]
Compose = Callable[[Values], np.ndarray]


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What one column had to do with an answer.

    Attributes
    ----------
    column : str
    value, usual : str
        The case's value and what is usual there, as people read them.
    contribution : float
        What it adds to the log odds of the answer, or to the number.
    direction : {"for", "against", "up", "down"}
        Whether it speaks for the answer or against it; for numbers, whether it raises or lowers it.
    words : str
        All of it as a sentence without a full stop.
    """

    column: str
    value: str
    usual: str
    contribution: float
    direction: Literal["for", "against", "up", "down"]
    words: str


class Reasons(msgspec.Struct, frozen=True, kw_only=True):
    """Why a case is answered as it is.

    Attributes
    ----------
    version : str
    answer : str or float
        The answer that is explained.
    base, score : float
        What the version says of usual values on average, and what it says of this case: log odds of the answer, or
        numbers. The contributions of all facts are the difference of the two.
    exact : bool
        Whether every combination of columns was tried; otherwise a fixed sample.
    facts : tuple of Fact
        One for each column, those that moved it most first.
    """

    version: str
    answer: str | float
    base: float
    score: float
    exact: bool
    facts: tuple[Fact, ...]

    @property
    def moved(self) -> tuple[Fact, ...]:
        """The three facts that moved it most; fewer where others hardly did."""
        total = sum(abs(fact.contribution) for fact in self.facts)
        return tuple(fact for fact in self.facts[:SHOWN] if abs(fact.contribution) > LEAST * total)


@dataclass(frozen=True)
class Explainer:
    """A version with all that does not depend on the case laid down; made by `explainer`.

    Attributes
    ----------
    version : Version
    plan : Design
    usual : tuple of Usual
    score : callable
        From a case's canonical values to the scores of the plan's rows, of shape (m, k).
    """

    version: Version
    plan: Design
    usual: tuple[Usual, ...]
    score: Compose

    def explain(self, values: Values, answer: str | float | None = None) -> Reasons:
        """Why a case is answered as it is.

        Parameters
        ----------
        values : sequence
            The case's values in canonical form, as `Version.read` gives them.
        answer : str or float, optional
            The answer to explain; by default the version's own.
        """
        scores = np.asarray(self.score(values), dtype=np.float64)
        labels = self.version.manifest.labels
        place = 0
        if labels:
            place = labels.index(answer) if isinstance(answer, str) else int(scores[0].argmax())
        line = self._line(scores, place)
        said = labels[place] if labels else float(line[0])
        rounding = ROUNDING * float(np.ptp(line))
        added = [amount if abs(amount) > rounding else 0.0 for amount in self.plan.contributions(line).tolist()]
        least = LEAST * sum(map(abs, added))
        facts = []
        for at, (column, amount) in enumerate(zip(self.version.contract.used, added, strict=True)):
            read = column.kind == "text" and abs(amount) > least
            words = self._telling_words(values, at, place, amount) if read else ()
            facts.append(fact_of(column, values[at], self.usual[at], amount, said, labels, words))
        return Reasons(
            version=self.version.digest,
            answer=said,
            base=self.plan.base(line),
            score=float(line[0]),
            exact=self.plan.exact,
            facts=tuple(sorted(facts, key=lambda fact: -abs(fact.contribution))),
        )

    def _line(self, scores: np.ndarray, place: int) -> np.ndarray:
        """The scores along which contributions add up: log odds of one answer, or numbers."""
        line: np.ndarray = np.asarray(scores[:, place], dtype=np.float64)
        return log_odds(line) if self.version.manifest.labels else line

    def _telling_words(self, values: Values, at: int, place: int, amount: float) -> tuple[str, ...]:
        """The words of a text without which it would have said less of what it says, two at most.

        Each is left out in turn, wherever it stands (occlusion; Zeiler & Fergus 2014).
        """
        text = values[at]
        words = list(dict.fromkeys(WORD.findall(text.lower())))[:MOST_WORDS] if isinstance(text, str) else []
        without = [re.sub(rf"(?i)\b{re.escape(word)}\b", " ", str(text)) for word in words]
        rows = [[*values[:at], less, *values[at + 1 :]] for less in without]
        line = self._line(self.version.scorer.rows([list(values), *rows]), place)
        lost = (line[0] - line[1:]) * np.sign(amount)
        best = np.argsort(-lost, kind="stable")[:SHOWN_WORDS]
        return tuple(words[one] for one in best if lost[one] > TELLING * abs(amount))


def explainer(version: Version) -> Explainer:
    """Lay down what every explanation of a version needs: some ten milliseconds, once."""
    contract, reference = version.contract, version.reference
    plan = design(len(contract.used))
    usual = usual_rows(reference, contract, plan.background)
    scorer = version.scorer
    if isinstance(scorer, MatrixScorer):
        return Explainer(version, plan, usual_values(reference, contract), in_matrix(scorer, usual, plan))
    return Explainer(version, plan, usual_values(reference, contract), in_frames(scorer.frame, usual, plan))


def in_matrix(scorer: MatrixScorer, usual: pl.DataFrame, plan: Design) -> Compose:
    """Scores of the plan's rows, mixed after they are encoded: every feature comes from one column."""
    features = [feature.column for feature in scorer.encoding.features]
    places = np.array([usual.columns.index(name) for name in features])
    others = encode(scorer.encoding, usual)
    groups = np.eye(usual.width, dtype=np.float32)[places]

    def score(values: Values) -> np.ndarray:
        own = np.array(scorer.row_encoder.encode(values), dtype=np.float32)
        differs = (others != own).astype(np.float32) @ groups > 0
        rows, alike = plan.distinct(differs)
        mixed = np.where(plan.known[rows][:, places], own, others[plan.against[rows]])
        scores: np.ndarray = scorer.run(mixed)[alike]
        return scores

    return score


def in_frames(run: Callable[[pl.DataFrame], np.ndarray], usual: pl.DataFrame, plan: Design) -> Compose:
    """Scores of the plan's rows, mixed as columns of canonical values, for models that take those."""

    def score(values: Values) -> np.ndarray:
        both = pl.concat([usual, pl.DataFrame([list(values)], schema=usual.schema, orient="row")])
        differs = np.column_stack([column.head(-1).ne_missing(column[-1]).to_numpy() for column in both])
        rows, alike = plan.distinct(differs)
        places = np.where(plan.known[rows], usual.height, plan.against[rows][:, None])
        mixed = pl.DataFrame([column.gather(place) for column, place in zip(both, places.T, strict=True)])
        scores: np.ndarray = run(mixed)[alike]
        return scores

    return score


def log_odds(shares: np.ndarray) -> np.ndarray:
    """Log odds of probabilities, no surer than 9,999 to 1."""
    clipped = np.clip(shares, SUREST, 1 - SUREST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def fact_of(
    column: Column,
    value: object,
    usual: Usual,
    amount: float,
    answer: str | float,
    labels: tuple[str, ...],
    telling: tuple[str, ...] = (),
) -> Fact:
    """One column's fact."""
    shown, ordinary = value_words(value, column.kind), usual_words(usual)
    direction: Literal["for", "against", "up", "down"]
    if labels:
        direction = "for" if amount >= 0 else "against"
        other = labels[1 - labels.index(str(answer))] if len(labels) == 2 else ""
        away = f"moved it towards {other}" if other else f"moved it away from {answer}"
        moved = f"moved it towards {answer}" if amount > 0 else away
    else:
        direction = "up" if amount >= 0 else "down"
        moved = f"{'raised' if amount > 0 else 'lowered'} it by {number_words(abs(amount))}"
    if not amount:
        moved = "did not move it"
    return Fact(
        column=column.name,
        value=shown,
        usual=ordinary,
        contribution=amount,
        direction=direction,
        words=f"{column.name} {shown} (usual: {ordinary}) {moved}{by_words(telling)}",
    )


def by_words(telling: tuple[str, ...]) -> str:
    """By which words of a text.

    >>> by_words(("free", "prize"))
    ', above all by “free” and “prize”'
    """
    return f", above all by {' and '.join(f'“{word}”' for word in telling)}" if telling else ""


def value_words(value: object, kind: str) -> str:
    """A value as people read it.

    >>> value_words(42000.0, "number"), value_words(None, "number"), value_words(True, "boolean")
    ('42,000', 'missing', 'yes')
    """
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number_words(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes").removesuffix(" 00:00")
    text = " ".join(str(value).split())
    text = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f"“{text}”" if kind == "text" else text


def number_words(value: float) -> str:
    """A number with as many digits as count; thousands are parted from 10,000 on, so that years stay years.

    >>> number_words(2013), number_words(46123.7), number_words(0.123456), number_words(-1250.25)
    ('2013', '46,124', '0.1235', '-1250')
    """
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"
    if 1000 <= abs(value) < 1e15:
        return number_words(round(value))
    return f"{value:.4g}"


def usual_words(usual: Usual) -> str:
    """What is usual in a column, as people read it.

    >>> usual_words(Usual(column="amount", kind="number", measure="number", low=300, high=900))
    '300 to 900'
    >>> usual_words(Usual(column="job", kind="category", measure="level", levels=(("cook", 0.6), ("nurse", 0.3))))
    'most often cook'
    """
    if usual.missing > 0.5:
        return "missing"
    if usual.measure == "level":
        names = [value_words({"true": True, "false": False}.get(name, name), usual.kind) for name, _ in usual.levels]
        if not names:
            return "many different ones"
        return f"most often {names[0] if usual.levels[0][1] > 0.5 else ' or '.join(names)}"
    if usual.low is None or usual.high is None:
        return "nothing in particular"
    if usual.measure == "elapsed":
        ends = [as_moment(end).date().isoformat() for end in (usual.low, usual.high)]
    else:
        ends = [number_words(end) for end in (usual.low, usual.high)]
    span = ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"
    return f"{span} characters" if usual.measure == "length" else span
