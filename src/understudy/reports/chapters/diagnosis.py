"""The chapter on what holds a model back."""

from __future__ import annotations

from understudy.core.evidence import Evidence
from understudy.evaluation.ablation import Ablation
from understudy.evaluation.diagnosis import Diagnosis, Figures
from understudy.evaluation.generalization import Generalization
from understudy.evaluation.learning_curve import LearningCurve
from understudy.evaluation.measures import METRICS
from understudy.evaluation.validation_curve import ValidationCurve, enough
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Part, Table, Text
from understudy.reports.diagnosis_charts import ablation_chart, learning_chart, rounds_chart, validation_chart

ANCHOR = "diagnosis"
MOST_NAMED = 8


def diagnosis_chapter(found: Diagnosis) -> Chapter:
    """The verdict, the figures that it rests on, and the pictures.

    Parameters
    ----------
    found : Diagnosis
    """
    parts: list[Part] = []
    if found.figures is not None:
        parts.append(figures_table(found.figures, found))
    parts += [learning_figure(one) for one in found.learning if one.points]
    parts += [rounds_figure(one) for one in found.generalization]
    parts += [validation_figure(one) for one in found.validation]
    if found.ablation is not None and found.ablation.drops:
        parts.append(ablation_figure(found.ablation))
        parts.append(ablation_table(found.ablation))
        if found.ablation.left_out:
            parts.append(Text(text=not_tried(found.ablation), soft=True))
    if found.left_out:
        parts.append(Text(text=f"Not done: {'; '.join(found.left_out)}.", soft=True))
    parts.append(Text(text=rests_on(found), soft=True))
    return Chapter(
        anchor=ANCHOR, title="What holds it back", lede=f"{found.title}. {found.sentence}", parts=tuple(parts)
    )


def rests_on(found: Diagnosis) -> str:
    """How it was found."""
    if found.figures is None:
        return f"{found.seconds:.0f} s were spent."
    return (
        f"The recipes of this version were fitted again with its settings, on at most {found.trained:,} training rows, "
        f"and judged on {found.judged:,} held-out rows, within {found.seconds:.0f} s. Their scores are not calibrated."
    )


def figures_table(figures: Figures, found: Diagnosis) -> Table:
    """The errors side by side, and what might do better."""
    rows: list[tuple[Cell, ...]] = [
        ("On the rows that it learned from", figures.train, ""),
        ("On held-out rows", figures.held, ""),
        ("The gap between the two", figures.gap, ""),
    ]
    known: list[tuple[str, Evidence | None]] = [
        (f"What decides without it: {figures.baseline_name}", figures.baseline),
        ("People", figures.human),
        ("What no model can avoid: alike cases, decided differently", figures.irreducible),
    ]
    rows += [(name, value, "") for name, value in known if value is not None]
    rows += [
        (f"{rival.title} instead, fitted on {rival.rows:,} rows", negative(rival.gain), "change of the error")
        for rival in found.rivals
    ]
    doubled = [one for one in found.learning if one.metric == "error" and one.doubling is not None]
    rows += [("Twice the rows", negative(one.doubling), "change of the error") for one in doubled if one.doubling]
    return Table(
        caption="Wrong decisions of all cases, and what would change them",
        columns=(Column(title=""), Column(title="Error", form="percent"), Column(title="")),
        rows=tuple(rows),
    )


def negative(gain: Evidence) -> Evidence:
    """A gain as a change of the error."""
    return Evidence(
        estimate=-gain.estimate + 0.0,
        lower=-gain.upper + 0.0,
        upper=-gain.lower + 0.0,
        confidence=gain.confidence,
        n=gain.n,
        method=gain.method,
        anytime=gain.anytime,
    )


def learning_figure(curve: LearningCurve) -> Figure:
    """Error against training rows."""
    law = (
        f"The line is the law {curve.floor:.3g} + {curve.scale:.3g}·n^−{curve.power:.2g}, dashed where it is "
        "continued; the band holds the laws that fit about as well."
        if curve.band
        else curve.words
    )
    what = "Error" if curve.metric == "error" else METRICS[curve.metric].title
    return Figure(
        title=f"{what} by training rows",
        caption=f"Each point is the mean of fits on rows that they do not share. {law}",
        svg=learning_chart(curve),
        text=curve.words,
    )


def rounds_figure(found: Generalization) -> Figure:
    """Losses by round."""
    return Figure(
        title=f"Rounds of {found.recipe}",
        caption=found.words,
        svg=rounds_chart(found),
        text=found.words,
    )


def validation_figure(curve: ValidationCurve) -> Figure:
    """Errors by the values of a setting."""
    few = "" if enough(curve.rows, curve.now) else ", too few to tell what is best on all of them"
    return Figure(
        title=f"Simpler or larger: {curve.title}",
        caption=f"{curve.words} Fitted on {curve.rows:,} of {curve.now:,} rows{few}.",
        svg=validation_chart(curve),
        text=curve.words,
    )


def ablation_figure(found: Ablation) -> Figure:
    """The model without its parts."""
    return Figure(
        title="What each part is worth",
        caption=(
            f"The model without one part at a time, fitted again on {found.rows:,} of "
            f"{found.now:,} rows. All bounds hold together at "
            f"{found.confidence:.0%}; a change of at most {found.margin:.2%} counts as none."
        ),
        svg=ablation_chart(found),
        text=found.words,
        wide=True,
    )


def ablation_table(found: Ablation) -> Table:
    """The same in figures, with the task's metric."""
    rows: list[tuple[Cell, ...]] = [(one.name, one.piece, one.harm, one.metric, one.worth) for one in found.drops]
    return Table(
        caption="The model without each part",
        columns=(
            Column(title="Without"),
            Column(title="What it is"),
            Column(title="Change of the error", form="percent"),
            Column(title=f"{METRICS[found.metric].title} lost", form="number"),
            Column(title="The part is"),
        ),
        rows=tuple(rows),
    )


def not_tried(found: Ablation) -> str:
    """What was not left out, since it looked neither useless nor central."""
    names = found.left_out
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return (
        "Not tried, since they look neither useless nor central, or for want of time: "
        f"{', '.join(names[:MOST_NAMED])}{more}."
    )
