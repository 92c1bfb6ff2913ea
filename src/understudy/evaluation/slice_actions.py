"""What to do about a slice that is worse: hand its cases to people, or learn from more of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import polars as pl

from understudy.data.expressions import parse
from understudy.evaluation.actions import Action
from understudy.evaluation.slices import Slice, Slices

MANY = 0.2
"""With so large a share of all cases handed to people, little is left to automate: a rule of thumb."""

FEW = 300
"""Training rows of a slice below which a lack of rows is named as a likely cause: a rule of thumb."""


def slice_actions(
    slices: Slices,
    *,
    inputs: Collection[str] | None = None,
    learned: Mapping[str, int] | None = None,
    people: float | None = None,
) -> tuple[Action, ...]:
    """One action or two for each slice that is shown to be worse.

    Parameters
    ----------
    slices : Slices
        Searched by wrong decisions: losses are 0 and 1.
    inputs : collection of str, optional
        The columns that a live case has; by default all. A condition over others could not be told of a live case, and
        would hand every case to people: such a slice gets no mandate.
    learned : mapping of str to int, optional
        By a slice's condition, in how many training rows it holds; see `rows_in`.
    people : float, optional
        How often people are wrong, in [0, 1]; by default not known.

    Raises
    ------
    ValueError
        The losses are no wrong decisions.

    >>> import numpy as np
    >>> from understudy.evaluation.slices import find_slices
    >>> rng = np.random.default_rng(0)
    >>> table = pl.DataFrame({"month": rng.choice(["March", "May"], 2000)})
    >>> wrong = rng.random(2000) < np.where(table["month"] == "March", 0.3, 0.1)
    >>> [(one.kind, one.subject, one.mandate) for one in slice_actions(find_slices(table, wrong * 1.0))]
    [('split off', 'month is March', '"month" = \\'March\\'')]
    """
    if slices.cap is not None or not 0 <= slices.loss <= 1:
        raise ValueError(
            "the worklist counts wrong decisions: search the slices by losses of 0 and 1, not by a measure such as "
            f"log loss (mean {slices.loss:.4g})"
        )
    counts = learned or {}
    actions: list[Action] = []
    for one in slices.significant:
        actions.append(split_off(one, mandate=one.condition if can_tell(one, inputs) else "", people=people))
        if counts.get(one.condition, FEW) < FEW:
            actions.append(collect(one, counts[one.condition]))
    return tuple(actions)


def rows_in(slices: Slices, frame: pl.DataFrame) -> dict[str, int]:
    """By the condition of each slice that is worse, in how many rows of another frame it holds.

    Parameters
    ----------
    slices : Slices
    frame : pl.DataFrame
        Rows in the same canonical types, such as those that the model learned from.
    """
    found = slices.significant
    if not found:
        return {}
    sums = [
        parse(one.condition, where="a slice").fill_null(value=False).sum().alias(str(place))
        for place, one in enumerate(found)
    ]
    row = frame.select(sums).row(0)
    return {one.condition: int(count) for one, count in zip(found, row, strict=True)}


def can_tell(one: Slice, inputs: Collection[str] | None) -> bool:
    """Whether a live case tells whether it is in the slice."""
    return inputs is None or all(predicate.column in inputs for predicate in one.predicates)


def split_off(one: Slice, *, mandate: str, people: float | None) -> Action:
    """Leave the slice to people."""
    many = one.share > MANY
    beside = "" if people is None else f"; people are wrong in {people:.1%}"
    unknown = "" if mandate else " A live case does not tell it, so that no mandate can name it."
    return Action(
        kind="split off",
        subject=one.words,
        what=(
            f"Find out what tells the cases where {one.words} apart, or hand them to people"
            if many
            else f"Hand the cases where {one.words} to people"
        ),
        why=f"{figures(one)}{beside}.{unknown}",
        gain=one.recoverable,
        share=one.share,
        effort="minutes" if mandate and not many else "days",
        chapter="slices",
        gap=None if people is None else one.loss - people,
        mandate=mandate,
    )


def collect(one: Slice, learned: int) -> Action:
    """Learn from more cases of the slice; how much that wins cannot be told, only that it is no more than is lost."""
    most = f"At most {one.recoverable.upper:.2%} of all cases could be won; how much more rows would help is not known"
    return Action(
        kind="collect data",
        subject=one.words,
        what=f"Collect more cases where {one.words}",
        why=f"The model learned from only {learned:,} of them. {figures(one)}. {most}.",
        share=one.share,
        effort="weeks",
        chapter="slices",
    )


def figures(one: Slice) -> str:
    """How much worse a slice is."""
    return (
        f"{one.loss:.1%} of them are decided wrongly against {one.rest:.1%} of the others: "
        f"{100 * one.excess.estimate:.1f} points more ({100 * one.excess.lower:.1f} to {100 * one.excess.upper:.1f})"
    )
