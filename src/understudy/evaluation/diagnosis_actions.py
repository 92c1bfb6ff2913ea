"""What a diagnosis advises, as rows of the worklist."""

from __future__ import annotations

from msgspec.structs import replace

from understudy.core.evidence import Evidence
from understudy.evaluation.ablation import Ablation, Drop
from understudy.evaluation.actions import Action
from understudy.evaluation.changes import percents
from understudy.evaluation.diagnosis import Diagnosis, Rival
from understudy.evaluation.learning_curve import LearningCurve
from understudy.evaluation.validation_curve import Setting, ValidationCurve, enough

CHAPTER = "diagnosis"


def diagnosis_actions(found: Diagnosis) -> tuple[Action, ...]:
    """Collect data, rein the model in or let it grow, and leave out what it does not need.

    An action stands here only if its gain is shown, or, for parts that can be left out, if it is shown to cost nothing.
    At the noise floor more rows are not worth their while.

    Parameters
    ----------
    found : Diagnosis
    """
    errors = [curve for curve in found.learning if curve.metric == "error"]
    worth_it = found.verdict != "noise floor"
    made = [collect(one) for one in errors if worth_it and one.doubling is not None and one.doubling.lower > 0]
    made += [resize(curve, curve.better) for curve in found.validation if curve.better is not None]
    exchanged = [one for one in found.rivals if one.gain.lower > 0 and enough(one.rows, one.now)]
    made += [exchange(one) for one in exchanged]
    if found.ablation is not None and enough(found.ablation.rows, found.ablation.now):
        made += [leave_out(one) for one in to_leave_out(found.ablation)]
    return tuple(made)


def to_leave_out(found: Ablation) -> list[Drop]:
    """The parts that do harm, and of those that can be spared members, steps, and the largest set of columns.

    Columns that can be spared one at a time may stand in for each other: only one such set is advised at once.
    """
    spare = [one for one in found.drops if one.worth == "spare"]
    columns = sorted((one for one in spare if one.columns), key=lambda one: (-len(one.columns), one.harm.upper))
    return [
        *(one for one in found.drops if one.worth == "harmful"),
        *(one for one in spare if not one.columns),
        *columns[:1],
    ]


def collect(curve: LearningCurve) -> Action:
    """More of the same data."""
    return Action(
        kind="collect data",
        subject="rows",
        what=f"Collect more rows like these: twice the {curve.rows:,} that it learns from now",
        why=curve.words,
        gain=curve.doubling,
        share=1.0,
        effort="weeks",
        chapter=CHAPTER,
    )


def resize(curve: ValidationCurve, better: Setting) -> Action:
    """A simpler or a larger model."""
    return Action(
        kind="use a larger model" if better.complexity > 0 else "regularise",
        subject=f"{curve.recipe} {curve.parameter}",
        what=f"Set {curve.parameter} of {curve.recipe} to {better.value:.3g} instead of {curve.chosen:.3g}",
        why=curve.words,
        gain=better.gain,
        share=1.0,
        effort="minutes",
        chapter=CHAPTER,
    )


def exchange(rival: Rival) -> Action:
    """Another recipe, which did better on the same rows."""
    return Action(
        kind="use a larger model" if rival.larger else "regularise",
        subject=rival.recipe,
        what=f"Let {rival.title} take part in the search: this version has nothing like it",
        why=(
            f"Fitted on the same {rival.rows:,} rows, {rival.title} is wrong less often, by {percents(rival.gain)} of "
            "all cases."
        ),
        gain=rival.gain,
        share=1.0,
        effort="minutes",
        chapter=CHAPTER,
    )


def leave_out(one: Drop) -> Action:
    """A part that does harm, or that can be spared.

    Of a part to spare the gain is simplicity: it was chosen because it seems to do some harm, so that the harm seen is
    no forecast.
    """
    harmful = one.worth == "harmful"
    return Action(
        kind="drop feature" if one.columns else "drop step",
        subject=one.name,
        what=f"Leave out {one.name}",
        why=one.words if harmful else f"{one.words} The model is simpler at no loss.",
        gain=turned(one.harm) if harmful else None,
        share=1.0 if harmful else None,
        effort="minutes",
        chapter=CHAPTER,
    )


def turned(harm: Evidence) -> Evidence:
    """What undoing a harm wins."""
    return replace(harm, estimate=-harm.estimate, lower=-harm.upper, upper=-harm.lower)
