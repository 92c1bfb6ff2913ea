"""What a task file could say, read off the data: every proposal comes with its reason."""

from __future__ import annotations

import math
from typing import Any, TypedDict

import numpy as np
import polars as pl

from understudy.core.errors import DataError
from understudy.core.nouns import Kind
from understudy.core.task import Autonomy, Decision, Task
from understudy.data.answers import MOST_CLASSES, answer_texts, looks_numeric, target_answers
from understudy.flows.arrangement import propose_arrangement

POSITIVE_WORDS = ("yes", "true", "1", "y", "t", "positive", "pos", "bad", "fraud", "spam", "default", "fail", "late")


class Told(TypedDict, total=False):
    """What the user said instead of leaving it to the data; the keys are those of `[task]`."""

    question: str
    kind: Kind
    positive: str
    goal: str
    id: str
    time: str
    split_group: str
    subject: str
    after: tuple[str, ...]
    drop: tuple[str, ...]
    use: tuple[str, ...]
    tolerance: float


def propose_task(frame: pl.DataFrame, *, name: str, target: str, told: Told) -> tuple[Task, dict[str, str]]:
    """A task for this table and target, and why each proposed value was chosen.

    Parameters
    ----------
    frame : pl.DataFrame
        The table as it was read.
    name : str
        The task's name.
    target : str
        A column, or a SQL expression over columns.
    told : Told
        What the user said; it goes before any proposal.

    Returns
    -------
    task : Task
    why : dict of str
        Reasons by key, such as `max_error`.

    Raises
    ------
    DataError
        The target is missing, empty, constant, or neither a number nor a class.
    """
    answers = target_answers(frame, target).drop_nulls()
    kind = told.get("kind") or propose_kind(answers, target)
    why: dict[str, str] = {}
    if "kind" not in told:
        why["kind"] = f"{answers.n_unique():,} different answers in {len(answers):,} rows"
    settings: dict[str, Any] = {"question": f"What is {target}?", "kind": kind, **told}
    if kind == "regression":
        settings, autonomy = propose_regression(answers, target, settings, why)
    else:
        settings, autonomy = propose_classification(answers, settings, why)
    task = Task(decision=Decision(name=name, target=target, **settings), autonomy=autonomy)
    task, arranged = propose_arrangement(frame, task)
    return task, why | arranged


def propose_kind(answers: pl.Series, target: str) -> Kind:
    """Whether the target is a number to estimate or one of a few answers to choose."""
    distinct = answers.n_unique()
    if distinct < 2:
        found = f"always {answers[0]!r}" if len(answers) else "never there"
        raise DataError(
            f"The target {target!r} is {found} in {len(answers):,} rows: there is nothing to learn.",
            hint="Choose another target, or add rows with other answers.",
        )
    if looks_numeric(answers):
        numbers = answers.cast(pl.Float64, strict=False).drop_nulls()
        whole = bool((numbers == numbers.floor()).all())
        return "classification" if whole and distinct <= 20 else "regression"
    if distinct > min(MOST_CLASSES, max(2, len(answers) // 2)):
        raise DataError(
            f"The target {target!r} has {distinct:,} different answers, such as {answers[0]!r}.",
            hint=f"A decision has at most {MOST_CLASSES:,} answers, each met often. Choose another, or group them.",
        )
    return "classification"


def propose_regression(
    answers: pl.Series, target: str, settings: dict[str, Any], why: dict[str, str]
) -> tuple[dict[str, Any], Autonomy]:
    """A tolerance from the spread of the target, and how often it may be missed."""
    numbers = answers.cast(pl.Float64, strict=False).drop_nulls().to_numpy()
    low, high = np.quantile(numbers, [0.25, 0.75])
    spread = float(high - low) or float(np.std(numbers)) or 1.0
    proposal: dict[str, Any] = {"goal": "rmse", "tolerance": round_down(spread / 4)}
    if "tolerance" not in settings:
        why["tolerance"] = f"a quarter of the spread of the middle half of {target} ({spread:.3g})"
    why["max_error"] = "of 100 numbers that it gives by itself, 90 should be within the tolerance"
    why["confidence"] = "the usual choice"
    return {**proposal, **settings}, Autonomy(max_error=0.1, confidence=0.95)


def propose_classification(
    answers: pl.Series, settings: dict[str, Any], why: dict[str, str]
) -> tuple[dict[str, Any], Autonomy]:
    """Which answer is the positive one, and a promise that is worth making."""
    counts = answer_texts(answers).alias("label").value_counts().sort(["count", "label"], descending=[True, False])
    labels, sizes = counts["label"].to_list(), counts["count"].to_list()
    proposal: dict[str, Any] = {"goal": "roc_auc" if len(labels) == 2 else "log_loss"}
    if len(labels) == 2 and "positive" not in settings:
        named = [label for label in labels if label.lower() in POSITIVE_WORDS]
        proposal["positive"] = named[0] if len(named) == 1 else labels[-1]
        why["positive"] = "it says yes" if len(named) == 1 else "the rarer answer"
    constant = 1 - sizes[0] / sum(sizes)
    max_error = min(0.05, round_down(constant / 4))
    why["max_error"] = (
        f"always answering {labels[0]!r} errs in {constant:.1%} of cases; this is at most a quarter of it"
    )
    why["confidence"] = "the usual choice"
    return {**proposal, **settings}, Autonomy(max_error=max_error, confidence=0.95)


def round_down(value: float) -> float:
    """The value with one leading digit of 1, 2 or 5, so that people can remember it.

    >>> round_down(0.0576), round_down(31.4), round_down(0.19)
    (0.05, 20.0, 0.1)
    """
    power = 10.0 ** math.floor(math.log10(value))
    digit = max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-12))
    return float(f"{digit * power:.6g}")
