"""Whether a simpler or a larger model of the same kind would do better: its main settings, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from understudy.core.evidence import Evidence
from understudy.evaluation.changes import HeldOut, percents, simultaneous

ENOUGH, MANY = 0.5, 5000


def enough(rows: int, now: int) -> bool:
    """Whether a comparison of models fitted on some rows says something of the model on all of them.

    On few rows a setting may do well, or a column harm, that does not on many: half of them are asked for, or 5,000.

    >>> enough(300, 800), enough(400, 800), enough(5000, 80_000)
    (False, True, True)
    """
    return rows >= min(ENOUGH * now, MANY)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the setting.

    Attributes
    ----------
    value : float
    train, held : float
        The error on the rows that it was fitted on, and on held-out rows.
    metric : float, optional
        The task's metric on held-out rows; None where it is not defined.
    gain : Evidence
        How many wrong decisions per case it avoids, compared with the chosen value on the same rows. The bounds of all
        values hold together (Bonferroni).
    complexity : {-1, 0, 1}
        Whether it makes the model simpler than the chosen value, is that one, or makes it larger.
    """

    value: float
    train: float
    held: float
    metric: float | None
    gain: Evidence
    complexity: int


class ValidationCurve(msgspec.Struct, frozen=True, kw_only=True):
    """Errors against one setting of a recipe.

    Attributes
    ----------
    recipe, parameter : str
        As they are called in the code.
    title : str
        The setting, for people.
    chosen : float
    settings : tuple of Setting
        From the simplest model to the largest.
    rows, now : int
        How many rows each was fitted on, and how many the model learns from.
    logarithmic : bool
        Whether its values are apart by factors.
    """

    recipe: str
    parameter: str
    title: str
    chosen: float
    settings: tuple[Setting, ...]
    rows: int
    now: int
    logarithmic: bool = True

    @property
    def told(self) -> tuple[Setting, ...]:
        """The values beside the chosen one that say something of the model on all its rows.

        Few rows say nothing. The fewer they are, the simpler the model that is best: on less than half of them a
        simpler one says nothing, however many they are.
        """
        if not enough(self.rows, self.now):
            return ()
        half = self.rows >= ENOUGH * self.now
        return tuple(one for one in self.settings if one.complexity > 0 or (one.complexity < 0 and half))

    @property
    def better(self) -> Setting | None:
        """The value that is shown to do better than the chosen one, the best of them; None where none is."""
        shown = [one for one in self.told if one.gain.lower > 0]
        return max(shown, key=lambda one: one.gain.estimate, default=None)

    @property
    def words(self) -> str:
        """What was found, in a sentence."""
        better = self.better
        if better is None:
            low, high = self.settings[0].value, self.settings[-1].value
            span = f"{min(low, high):.3g} to {max(low, high):.3g}"
            return f"No other value of {self.title} ({span} tried) is shown to do better than {self.chosen:.3g}."
        larger = "larger" if better.complexity > 0 else "simpler"
        return (
            f"With {self.title} {better.value:.3g} instead of {self.chosen:.3g}, a {larger} model, "
            f"{percents(better.gain)} of all cases fewer are wrong."
        )


def validation_curve(
    held: HeldOut,
    *,
    recipe: str,
    parameter: str,
    title: str,
    values: Sequence[float],
    scores: Sequence[np.ndarray],
    train: Sequence[float],
    chosen: float,
    rises: bool,
    rows: int,
    now: int,
    logarithmic: bool = True,
) -> ValidationCurve:
    """Compare values of a setting with the chosen one.

    Parameters
    ----------
    held : HeldOut
    recipe, parameter, title : str
    values : sequence of float
        The values tried, the chosen one among them.
    scores : sequence of ndarray of shape (n, k)
        What the model with each of them says of the held-out rows.
    train : sequence of float
        The error of each on its own training rows.
    chosen : float
    rises : bool
        Whether a greater value makes a larger model.
    rows, now : int
        How many rows each was fitted on, and how many the model learns from.
    logarithmic : bool

    Raises
    ------
    ValueError
        The chosen value is not among them.
    """
    if chosen not in values:
        raise ValueError(f"the chosen {parameter}, {chosen}, is not among the values tried, {list(values)}")
    before = scores[list(values).index(chosen)]
    confidence = simultaneous(len(values) - 1)
    sign = 1 if rises else -1
    made = []
    for value, after, error in zip(values, scores, train, strict=True):
        metric = held.measure(after)
        made.append(
            Setting(
                value=float(value),
                train=float(error),
                held=float(held.wrong(after).mean()),
                metric=metric if np.isfinite(metric) else None,
                gain=held.gain(before, after, confidence=confidence),
                complexity=sign * int(np.sign(value - chosen)),
            )
        )
    return ValidationCurve(
        recipe=recipe,
        parameter=parameter,
        title=title,
        chosen=float(chosen),
        settings=tuple(sorted(made, key=lambda one: sign * one.value)),
        rows=rows,
        now=now,
        logarithmic=logarithmic,
    )
