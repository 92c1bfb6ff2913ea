"""The chapter on prediction bias: where it predicts too much or too little."""

from __future__ import annotations

from understudy.evaluation.prediction_bias import Bucket, PredictionBias
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Part, Table, Text
from understudy.reports.curve_charts import bias_chart, decile_chart

ANCHOR = "bias"


def bias_chapter(found: PredictionBias) -> Chapter:
    """Where predictions are off on average.

    Parameters
    ----------
    found : PredictionBias
    """
    parts: list[Part] = [Text(text=found.overall.sentence)]
    if found.found:
        parts.append(bias_table(found))
    parts += [around_figure(buckets, found) for buckets in found.around]
    if found.deciles:
        parts.append(decile_figure(found))
    parts.append(Text(text=how(found), soft=True))
    return Chapter(
        anchor=ANCHOR, title="Where it predicts too much or too little", lede=found.sentence, parts=tuple(parts)
    )


def bias_table(found: PredictionBias) -> Table:
    """The biased groups of cases."""
    form = "number" if found.scale == "number" else "percent"
    return Table(
        caption="Groups of cases that are predicted too high or too low, beyond chance and by enough to matter.",
        columns=(
            Column(title="Cases where"),
            Column(title="Share", form="percent"),
            Column(title="Predicted", form=form),
            Column(title="Happened", form=form),
            Column(title="Difference", form=form),
            Column(title="Cause"),
        ),
        rows=tuple(bias_row(one) for one in found.found),
    )


def bias_row(one: Bucket) -> tuple[Cell, ...]:
    """One group."""
    where = "all cases" if one.kind == "all" else one.words
    return where, one.share, one.predicted, one.observed, one.bias, "–" if one.cause is None else one.cause.words


def around_figure(buckets: tuple[Bucket, ...], found: PredictionBias) -> Figure:
    """A biased group among the others of its measure."""
    column = buckets[0].column
    return Figure(
        title=f"Predicted and happened by {column}",
        caption="Diamonds are predictions. Dots are what happened, full where the two differ beyond chance; bars hold "
        "the truth for all groups together with 95 %.",
        svg=bias_chart(buckets, found.scale),
        text=" ".join(one.sentence for one in buckets if one.significant),
        wide=True,
    )


def decile_figure(found: PredictionBias) -> Figure:
    """The bias along the prediction."""
    shown = [one.sentence for one in found.deciles if one.significant]
    said = " ".join(shown) or "No tenth of the predictions is shown to be off."
    return Figure(
        title="By what is predicted",
        caption="Each dot is a tenth of the cases; full where it is off beyond chance.",
        svg=decile_chart(found.deciles, found.scale),
        text=said,
    )


def how(found: PredictionBias) -> str:
    """How it was found."""
    method = found.overall.bias.method.rsplit(", ", 1)[0]
    said = (
        f"{found.tested} groups of {found.n:,} cases were tested together ({method}; Holm), so the "
        f"chance of any false one is at most {found.alpha:.0%}."
    )
    if found.explained:
        said += f" {found.explained} more are off only because they share cases with those above."
    if found.small:
        said += f" {found.small} more are off by too little to matter."
    return said
