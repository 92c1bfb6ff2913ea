"""What a bias comes from, where that can be named; then the model is to be mended, and not its output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
import polars as pl

from understudy.evaluation.buckets import RARE, Cut
from understudy.evaluation.words import figure

CauseKind = Literal["missing", "unseen", "rare", "moved", "period"]
SURE = 3.0
"""So many standard errors apart are two means that have moved."""
HALF = 0.5
"""So much of the bias must a move explain."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A named cause.

    Attributes
    ----------
    kind : {"missing", "unseen", "rare", "moved", "period"}
    words : str
        A sentence.
    advice : str
        What to do about it, as an imperative without a full stop.
    """

    kind: CauseKind
    words: str
    advice: str


@dataclass(frozen=True)
class Known:
    """The rows that the model learned from, and what happened there; None where that is not known."""

    frame: pl.DataFrame | None
    outcome: np.ndarray | None


def cause_of(cut: Cut, at: int, outcome: np.ndarray, bias: float, known: Known, *, shares: bool) -> Cause | None:
    """What the bias of a bucket comes from.

    Parameters
    ----------
    cut : Cut
    at : int
        The bucket's place in it.
    outcome : ndarray of shape (n,)
        What happened to the rows of the cut.
    bias : float
        Observed less predicted.
    known : Known
    shares : bool
        Whether outcomes are 0 or 1.
    """
    named = cut.buckets[at]
    column = named.column
    if named.kind == "unseen":
        return Cause(
            kind="unseen",
            words=f"The training rows hold none of these values of {column}.",
            advice=f"collect cases with the new values of {column} and train again",
        )
    if named.kind == "rare":
        return Cause(
            kind="rare",
            words=f"The training rows hold fewer than {RARE} cases of each of these values of {column}.",
            advice=f"collect more cases with the rare values of {column}, or merge them",
        )
    moved = moved_cause(cut, at, outcome, bias, known, shares=shares)
    if moved is not None:
        return moved
    if named.kind == "missing":
        return Cause(
            kind="missing",
            words=f"The model has nothing to go by where {column} is missing.",
            advice=f"find out why {column} is missing, or record it",
        )
    if named.kind == "period":
        return Cause(
            kind="period",
            words="The bias is one of this period.",
            advice="find out what was different then, and give the model a column that tells",
        )
    return None


def moved_cause(cut: Cut, at: int, outcome: np.ndarray, bias: float, known: Known, *, shares: bool) -> Cause | None:
    """The mean outcome of the same cases was another one in training, and that explains half of the bias or more."""
    if cut.read is None or known.frame is None or known.outcome is None:
        return None
    column = cut.buckets[at].column
    if column and column not in known.frame.columns:
        return None
    before, now = known.outcome[cut.read(known.frame) == at], outcome[cut.codes == at]
    before = before[np.isfinite(before)]
    if min(len(before), len(now)) < RARE:
        return None
    apart = float(now.mean() - before.mean())
    error = math.sqrt(before.var() / len(before) + now.var() / len(now))
    if abs(apart) <= SURE * error or apart * bias <= 0 or abs(apart) < HALF * abs(bias):
        return None
    figures = [f"{one:.1%}" if shares else figure(one) for one in (float(before.mean()), float(now.mean()))]
    return Cause(
        kind="moved",
        words=f"Among the training rows it was {figures[0]}, now it is {figures[1]}.",
        advice="train again with newer cases, since what happens has changed",
    )
