"""What each part of a model is worth: it is left out, the rest is fitted again, and the same rows judge both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.changes import HeldOut, percents, simultaneous
from understudy.evaluation.measures import METRICS

Piece = Literal["column", "columns", "step", "member"]
Worth = Literal["needed", "harmful", "spare", "unclear"]

SPARE_SHARE, SPARE_LEAST = 0.05, 0.002
"""A part is spare if leaving it out surely adds at most 5 % to the wrong decisions (or 2 in 1,000 cases), and as little
to what the metric is short of the best."""
MEMBERS = re.compile(r"[\s_.\-]*\d+$")


@dataclass(frozen=True)
class Without:
    """What a model says that lacks a part.

    Attributes
    ----------
    piece : Piece
    name : str
        The part, for people.
    columns : tuple of str
        The columns that are left out; empty for steps and members.
    scores : ndarray of shape (n, k)
        On the held-out rows.
    """

    piece: Piece
    name: str
    columns: tuple[str, ...]
    scores: np.ndarray


class Drop(msgspec.Struct, frozen=True, kw_only=True):
    """A part, and what leaving it out does.

    Attributes
    ----------
    piece : Piece
    name : str
    columns : tuple of str
    harm : Evidence
        How many more wrong decisions per case there are without it; below 0 it does harm.
    metric : Evidence
        By how much the task's metric is worse without it; below 0 it does harm.
    worth : {"needed", "harmful", "spare", "unclear"}
        Whether it is shown to be needed, to do harm, or not to be needed.
    """

    piece: Piece
    name: str
    columns: tuple[str, ...]
    harm: Evidence
    metric: Evidence
    worth: Worth

    @property
    def words(self) -> str:
        """What leaving it out does, in a sentence."""
        said = f"without {self.name} the error changes by {percents(self.harm)}"
        ends = {
            "needed": "it is needed",
            "harmful": "it does harm",
            "spare": "it can be spared",
            "unclear": "whether it helps cannot be told",
        }
        return f"{said[0].upper()}{said[1:]}: {ends[self.worth]}."


class Ablation(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that were left out one at a time.

    Attributes
    ----------
    metric : str
        The task's metric.
    error : float
        How often the whole model is wrong.
    drops : tuple of Drop
        The most needed first.
    rows, now : int
        How many rows each model was fitted on, and how many there are.
    confidence : float
        Of all bounds together; each by itself holds at more (Bonferroni).
    margin : float
        So many more wrong decisions per case count as none.
    left_out : tuple of str
        What was not tried.
    """

    metric: str
    error: float
    drops: tuple[Drop, ...]
    rows: int
    now: int
    confidence: float
    margin: float
    left_out: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """What was found, in a sentence or two."""
        if not self.drops:
            return "No part of the model was left out to see what it is worth."
        named = {
            worth: [one.name for one in self.drops if one.worth == worth] for worth in ("needed", "harmful", "spare")
        }
        parts = [
            f"{len(named['needed'])} of {len(self.drops)} parts are shown to be needed"
            + (f", most of all {named['needed'][0]}" if named["needed"] else "")
        ]
        if named["harmful"]:
            parts.append(f"without {', '.join(named['harmful'])} it does better")
        if named["spare"]:
            parts.append(f"{', '.join(named['spare'])} can be spared")
        return f"{'; '.join(parts)}. All bounds hold together at {self.confidence:.0%}."


def ablation(
    held: HeldOut,
    whole: np.ndarray,
    tried: Sequence[Without],
    *,
    rows: int,
    now: int,
    left_out: Sequence[str] = (),
    confidence: float = 0.95,
) -> Ablation:
    """Compare the whole model with those that lack a part.

    Parameters
    ----------
    held : HeldOut
    whole : ndarray of shape (n, k)
        What the whole model, fitted on the same rows as the others, says of the held-out rows.
    tried : sequence of Without
    rows, now : int
        How many rows each model was fitted on, and how many there are.
    left_out : sequence of str
        What was not tried, for want of time or importance.
    confidence : float
        Of all bounds together, for the wrong decisions and for the metric each.
    """
    each = simultaneous(len(tried), confidence)
    error = float(held.wrong(whole).mean())
    margin = max(SPARE_LEAST, SPARE_SHARE * error)
    drops = []
    metrics = held.metric_gains(whole, [one.scores for one in tried], confidence=each)
    for one, gain in zip(tried, metrics, strict=True):
        harm = held.gain(one.scores, whole, confidence=each)
        metric = msgspec.structs.replace(gain, estimate=-gain.estimate, lower=-gain.upper, upper=-gain.lower)
        drops.append(
            Drop(
                piece=one.piece,
                name=one.name,
                columns=one.columns,
                harm=harm,
                metric=metric,
                worth=worth(harm, metric, margin, SPARE_SHARE * short(held, whole)),
            )
        )
    return Ablation(
        metric=held.metric,
        error=error,
        drops=tuple(sorted(drops, key=lambda one: (-one.harm.estimate, one.name))),
        rows=rows,
        now=now,
        confidence=confidence,
        margin=margin,
        left_out=tuple(left_out),
    )


def short(held: HeldOut, scores: np.ndarray) -> float:
    """How far the metric is from the best."""
    value = held.measure(scores)
    return 1 - value if METRICS[held.metric].greater_is_better else value


def worth(harm: Evidence, metric: Evidence, margin: float, metric_margin: float) -> Worth:
    """Whether a part is shown to be needed, to do harm, or not to be needed.

    It is spare only if neither decisions nor the metric may lose more than a little without it, and the metric is not
    shown to lose anything.
    """
    if harm.lower > 0:
        return "needed"
    if harm.upper < 0:
        return "harmful"
    if harm.upper <= margin and metric.lower <= 0 and metric.upper <= metric_margin:
        return "spare"
    return "unclear"


def families(columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Columns that belong together: those that are numbered, such as `bill_1` and `bill_2`; others stand alone.

    >>> families(["bill_1", "age", "bill_2"])
    {'bill_1, bill_2': ('bill_1', 'bill_2'), 'age': ('age',)}
    """
    stems: dict[str, list[str]] = {}
    for column in columns:
        stem = MEMBERS.sub("", column)
        stems.setdefault(f"{stem} #" if stem and stem != column else column, []).append(column)
    return {", ".join(members): tuple(members) for members in stems.values()}


def worth_trying(importances: dict[str, float], most: int) -> list[str]:
    """The names worth leaving out: the least important half, which may be spared, and the most important half.

    They come in turn, the least important first, so that whoever runs out of time has tried some of both.

    >>> worth_trying({"a": 3.0, "b": 0.0, "c": 2.0, "d": 1.0}, 3)
    ['b', 'a', 'd']
    """
    ranked = sorted(importances, key=lambda name: (importances[name], name))
    chosen: list[str] = []
    while ranked and len(chosen) < most:
        chosen.append(ranked.pop(0 if len(chosen) % 2 == 0 else -1))
    return chosen
