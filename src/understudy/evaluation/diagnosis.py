"""What holds a model back: too simple (high bias), too few rows for it (high variance), noise, or nothing that shows.

The error on held-out rows splits as Ng does it ("Machine Learning Yearning", 2018, chapters 20 to 25): from the best
level that is known to be within reach up to the error on training rows is avoidable bias, from there up to the error on
held-out rows is variance. Levels within reach are human performance, other models, other settings of the same model,
and what twice the rows would give. A model that fits its training rows better, and new rows too, speaks for bias; one
that fits them worse, or more rows, for variance. A gap between training and held-out rows is by itself no fault:
forests and boosted trees remember their rows and are none the worse for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot
from typing import Literal

import msgspec

from understudy.core.evidence import Evidence
from understudy.evaluation.ablation import Ablation
from understudy.evaluation.changes import percents
from understudy.evaluation.generalization import Generalization
from understudy.evaluation.learning_curve import LearningCurve
from understudy.evaluation.measures import METRICS
from understudy.evaluation.validation_curve import ValidationCurve, enough
from understudy.evaluation.words import bounds

Verdict = Literal["high bias", "high variance", "noise floor", "none", "too little data to tell"]
Cause = Literal["bias", "variance", "either"]

MATERIAL = 0.05
"""A gain of less than this share of the error changes no verdict."""
FLOOR = 0.25
"""It is noise where everything tried is shown to win back at most this share of the error."""
HIDDEN = 0.5
"""Too little is known where more than this share of the error could still be won back by something that was tried."""

TITLES: dict[Verdict, str] = {
    "high bias": "High bias: it is too simple for these cases",
    "high variance": "High variance: it would do better with more rows or a tighter rein",
    "noise floor": "Noise floor: nothing that was tried would do better",
    "none": "No single cause shows",
    "too little data to tell": "Too little data to tell",
}


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """Another recipe, fitted on the same rows.

    Attributes
    ----------
    recipe, title : str
    rows, now : int
        How many rows both were fitted on, and how many there are.
    larger : bool
        Whether it fits the rows that it learned from better than the version does.
    gain : Evidence
        How many wrong decisions per case it avoids, paired by rows.
    metric : str
        The task's metric.
    metric_gain : Evidence
        By how much it is better in it, paired by rows.
    metric_level : float
        How far the version is from the best in it.
    """

    recipe: str
    title: str
    rows: int
    now: int
    larger: bool
    gain: Evidence
    metric: str
    metric_gain: Evidence
    metric_level: float


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """A level that is within reach, or shown not to be.

    Attributes
    ----------
    name : str
        What would reach it, for people.
    gain : Evidence
        By how much the error, or another loss, would fall.
    cause : {"bias", "variance", "either"}
        What a gain would speak for; `either` where that depends on the error on training rows.
    level : float
        The loss that would fall.
    metric : str
        Which one; "error" is wrong decisions per case.
    """

    name: str
    gain: Evidence
    cause: Cause
    level: float
    metric: str = "error"

    @property
    def share(self) -> float:
        """The gain as a share of the loss."""
        return self.gain.estimate / self.level if self.level > 0 else 0.0

    @property
    def shown(self) -> bool:
        """Whether a gain is shown, and matters."""
        return self.gain.lower > 0 and self.share >= MATERIAL

    @property
    def hidden(self) -> float:
        """The share of the loss that it might win at most."""
        return max(0.0, self.gain.upper) / self.level if self.level > 0 else 0.0

    @property
    def words(self) -> str:
        """The gain in words."""
        if self.metric == "error":
            return f"{percents(self.gain)} of all cases fewer would be wrong"
        return f"{METRICS[self.metric].title} would be better by {bounds(self.gain)}"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict rests on: errors are wrong decisions per case.

    Attributes
    ----------
    train, held : Evidence
        On the rows that the model was fitted on, and on held-out rows.
    gap : Evidence
        The second less the first.
    baseline_name : str
    baseline : Evidence, optional
        The error of what decides today, or of a constant, on the same held-out rows.
    human : Evidence, optional
        The error of people.
    irreducible : Evidence, optional
        The error that no model can avoid, since equal inputs have different answers.
    reaches : tuple of Reach
        Everything that was tried.
    """

    train: Evidence
    held: Evidence
    gap: Evidence
    baseline_name: str = ""
    baseline: Evidence | None = None
    human: Evidence | None = None
    irreducible: Evidence | None = None
    reaches: tuple[Reach, ...] = ()


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What holds a model back, and everything that shows it.

    Attributes
    ----------
    verdict : Verdict
    sentence : str
        Why, with the figures.
    figures : Figures, optional
        None where the model could not be fitted again.
    trained, judged : int
        On how many rows the model was fitted that the figures are of, and judged.
    learning : tuple of LearningCurve
        Of the error, and of the task's metric.
    validation : tuple of ValidationCurve
    generalization : tuple of Generalization
    rivals : tuple of Rival
    ablation : Ablation, optional
    left_out : tuple of str
        What was not done, and why.
    seconds : float
    """

    verdict: Verdict
    sentence: str
    figures: Figures | None = None
    trained: int = 0
    judged: int = 0
    learning: tuple[LearningCurve, ...] = ()
    validation: tuple[ValidationCurve, ...] = ()
    generalization: tuple[Generalization, ...] = ()
    rivals: tuple[Rival, ...] = ()
    ablation: Ablation | None = None
    left_out: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def title(self) -> str:
        """The verdict, for people."""
        return TITLES[self.verdict]


def within_reach(
    held: Evidence,
    *,
    learning: Sequence[LearningCurve] = (),
    validation: Sequence[ValidationCurve] = (),
    rivals: Sequence[Rival] = (),
    human: Evidence | None = None,
) -> tuple[Reach, ...]:
    """Every level that was tried, as a gain over the error on held-out rows."""
    made = []
    level = held.estimate
    for law in learning:
        if law.doubling is not None:
            own = level if law.metric == "error" else law.level
            made.append(Reach(name="twice the rows", gain=law.doubling, cause="variance", level=own, metric=law.metric))
    for curve in validation:
        for one in curve.told:
            cause: Cause = "bias" if one.complexity > 0 else "variance"
            made.append(Reach(name=f"{curve.title} {one.value:.3g}", gain=one.gain, cause=cause, level=level))
    for rival in (one for one in rivals if enough(one.rows, one.now)):
        speaks: Cause = "bias" if rival.larger else "variance"
        made.append(Reach(name=rival.title, gain=rival.gain, cause=speaks, level=level))
        metric = Reach(
            name=rival.title, gain=rival.metric_gain, cause=speaks, level=rival.metric_level, metric=rival.metric
        )
        made.append(metric)
    if human is not None:
        made.append(Reach(name="people", gain=less(held, human), cause="either", level=level))
    return tuple(made)


def less(one: Evidence, other: Evidence) -> Evidence:
    """The difference of two figures that vary independently (Newcombe 1998, method 10)."""
    estimate = one.estimate - other.estimate
    return Evidence(
        estimate=estimate,
        lower=estimate - hypot(one.estimate - one.lower, other.upper - other.estimate),
        upper=estimate + hypot(one.upper - one.estimate, other.estimate - other.lower),
        confidence=min(one.confidence, other.confidence),
        n=min(one.n, other.n),
        method="difference of two shares, squared distances added (Newcombe 1998)",
    )


def judge_figures(figures: Figures) -> tuple[Verdict, str]:
    """The verdict and why.

    A gain counts if it is shown (its lower bound is above 0) and is at least 5 % of the loss. What wins most decides
    between bias and variance. If nothing counts, the verdict is noise where all upper bounds are at most 25 % of the
    loss, or where the error is shown to be nearly what no model can avoid; and it is open where one is above 50 %.
    """
    said = told(figures)
    if not figures.held.estimate:
        return "none", f"It was right in all of {figures.held.n:,} held-out cases."
    shown = [part for reach in figures.reaches if reach.shown for part in split_cause(reach, figures)]
    if shown:
        cause, _, _ = max(shown, key=lambda part: part[1])
        # decisions are what a reader cares for, where they tell the same
        _, _, reach = max(
            (part for part in shown if part[0] == cause), key=lambda part: (part[2].metric == "error", part[1])
        )
        better = f"with {reach.name} {reach.words}"
        return ("high bias" if cause == "bias" else "high variance"), f"{better[0].upper()}{better[1:]}. {said}"
    if at_the_floor(figures):
        rest = "Cases that are alike and were decided differently make nearly all of its errors"
        return "noise floor", f"{rest}. {said}"
    if not figures.reaches:
        return "too little data to tell", f"Nothing could be tried that might do better. {said}"
    most = max(figures.reaches, key=lambda reach: reach.hidden)
    if most.hidden <= FLOOR:
        tried = f"{len(figures.reaches)} comparisons leave room for at most {most.hidden:.0%} less loss"
        return "noise floor", f"{tried}: what is left is noise, or lies in what the columns do not say. {said}"
    could = f"{most.name} might still take away up to {min(1.0, most.hidden):.0%} of the loss"
    if most.hidden > HIDDEN:
        return "too little data to tell", f"Nothing is shown to do better, but {could}. {said}"
    return "none", f"Nothing is shown to do better, though {could}. {said}"


def at_the_floor(figures: Figures) -> bool:
    """Whether the error is shown to be nearly what no model can avoid."""
    if figures.irreducible is None:
        return False
    return less(figures.held, figures.irreducible).upper <= FLOOR * figures.held.estimate


def split_cause(reach: Reach, figures: Figures) -> list[tuple[Cause, float, Reach]]:
    """What of a gain, as a share of the loss, is bias and what is variance, by the errors on training rows."""
    if reach.cause != "either":
        return [(reach.cause, reach.share, reach)]
    held, train = figures.held.estimate, figures.train.estimate
    within = (1 - reach.share) * held
    bias = min(reach.share, max(0.0, train - within) / held)
    return [("bias", bias, reach), ("variance", reach.share - bias, reach)]


def told(figures: Figures) -> str:
    """The errors in a sentence."""
    said = (
        f"It is wrong in {figures.train.estimate:.1%} of the rows it learned from and in {figures.held.estimate:.1%} "
    )
    said += f"of held-out rows, a gap of {percents(figures.gap)}"
    if figures.baseline is not None:
        said += f"; {figures.baseline_name} is wrong in {figures.baseline.estimate:.1%}"
    if figures.human is not None:
        said += f"; people are wrong in {figures.human.estimate:.1%}"
    return f"{said}."
