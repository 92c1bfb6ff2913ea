"""What shaking the inputs has come to, and what could be done about it."""

from __future__ import annotations

import msgspec

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.shakes import Way

SURE = 0.9
"""The confidence from which an answer is sure."""
BRITTLE = 0.01
"""So many sure answers may change under tiny noise."""
HARM = 0.05
"""So much more often wrong, or answering otherwise, is worth an action."""


class Shaken(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of shaking does.

    Attributes
    ----------
    way : Way
    subject : str
        The column, or what is shaken of all of them.
    strength : float
        The noise in units of each column's spread, or the share of cells.
    n : int
        Shaken cases that were answered.
    refused : float
        The share of the cases that the contract refuses, each with the fault named; nobody gets a wrong answer there.
    strange : float, optional
        Of the answered cases, the share that is too strange for the model to decide by itself.
    changed : Evidence, optional
        Of the answered cases, the share whose answer is another one (a number: moved by more than the tolerance).
    error : Evidence, optional
        How often the shaken cases are answered wrongly.
    harm : Evidence, optional
        How much more often than unshaken, on the same cases, with bounds that hold for all ways together.
    """

    way: Way
    subject: str
    strength: float
    n: int
    refused: float
    strange: float | None = None
    changed: Evidence | None = None
    error: Evidence | None = None
    harm: Evidence | None = None

    @property
    def words(self) -> str:
        """What was done, in plain words."""
        return {
            "noise": f"noise of {self.strength:.0%} of the spread on {self.subject}",
            "lost column": f"{self.subject} no longer comes",
            "lost cells": f"{self.strength:.0%} of the cells that may be empty are lost",
            "typo": f"a typo in {self.subject}",
            "unseen": f"{self.subject} holds a value never seen",
            "case": f"{self.subject} in capitals",
            "blanks": f"blanks around {self.subject}",
        }[self.way]


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """Cases of about the same confidence: how many of them change their answer under tiny noise, in any of 5 draws."""

    low: float
    high: float
    n: int
    changed: Evidence


class Robustness(msgspec.Struct, frozen=True, kw_only=True):
    """What shaking the inputs has come to.

    Attributes
    ----------
    rows : int
        How many cases were shaken.
    error : Evidence
        How often they are wrong unshaken.
    shaken : tuple of Shaken
    bands : tuple of Band
        Empty where there are no numbers.
    tiny : float
        What tiny noise is, in units of each column's spread.
    columns_left_out : int
        Of very many columns, how many were not shaken one at a time.
    """

    rows: int
    error: Evidence
    shaken: tuple[Shaken, ...]
    bands: tuple[Band, ...]
    tiny: float
    columns_left_out: int = 0

    def of(self, *ways: Way) -> tuple[Shaken, ...]:
        """What some ways of shaking do."""
        return tuple(one for one in self.shaken if one.way in ways)

    @property
    def sure(self) -> Band | None:
        """The cases that it is surest of; None without numbers or without sure answers."""
        return self.bands[-1] if self.bands and self.bands[-1].low >= SURE else None


def robustness_actions(found: Robustness) -> tuple[Action, ...]:
    """What could be done: words that should be read alike, and sure answers that hang on next to nothing.

    None of them has a gain: nobody knows how often the world will shake the inputs.
    """
    actions = [
        Action(
            kind="fix check",
            subject=one.words,
            what=f"Write {one.subject} in one way before learning from them and before deciding",
            why=(
                f"With {one.words}, {one.changed.estimate:.1%} of the answers change: what is written otherwise is "
                "another value to the model."
            ),
            effort="hours",
            chapter="robustness",
        )
        for one in found.of("case", "blanks")
        if one.changed is not None and one.changed.lower > HARM
    ]
    sure = found.sure
    if sure is not None and sure.changed.lower > BRITTLE:
        actions.append(
            Action(
                kind="regularise",
                subject="sure answers that change under tiny noise",
                what="Smooth the model: fewer leaves, more rows in each, or a blend",
                why=(
                    f"Noise of {found.tiny:.0%} of each number's spread changes {sure.changed.estimate:.1%} of the "
                    f"answers that it gives with a confidence of {sure.low:.0%} or more."
                ),
                effort="hours",
                chapter="robustness",
            )
        )
    return tuple(actions)
