"""The chapter on explanations: what the model rests on, and how its answer moves along each column."""

from __future__ import annotations

from understudy.evaluation.explanations import Explanations
from understudy.evaluation.importance import Importance
from understudy.reports.chapter import Chapter, Column, Figure, Part, Table, Text
from understudy.reports.explanation_charts import effects_chart, effects_said, importance_chart, importance_said

MOST_ROWS = 30


def explanations_chapter(found: Explanations) -> Chapter:
    """What the model rests on.

    Parameters
    ----------
    found : Explanations
    """
    what = found.importances
    parts: list[Part] = [
        Figure(
            title="What each column is worth to it",
            caption=(
                f"How much worse {what.title} gets when a column's values are dealt out at random among the cases. The "
                f"bounds hold for all columns together with 95 % confidence; open bars are not shown to matter."
            ),
            svg=importance_chart(what),
            text=importance_said(what),
            wide=True,
        ),
        *stand_in_parts(found),
        *dominance_parts(found),
    ]
    if found.effects:
        answers = sorted({effect.answer for effect in found.effects if effect.answer})
        told = f"the probability of {' or '.join(answers)}" if answers else "the number"
        parts.append(
            Figure(
                title="How its answer moves along them",
                caption=(
                    f"How far above its mean {told} lies, all else as it is: accumulated local effects of numbers, and "
                    "what would be answered if every case had a level. Each band holds its whole curve with 95 % "
                    "confidence. It is what this model does, not what causes what."
                ),
                svg=effects_chart(found.effects),
                text=effects_said(found.effects),
                wide=True,
            )
        )
    parts += [*ratio_parts(found), importance_table(found), Text(text=rests_on(found), soft=True)]
    return Chapter(anchor="explanations", title="What it rests on", lede=found.words, parts=tuple(parts))


def stand_in_parts(found: Explanations) -> list[Part]:
    """Which columns stand for each other, and what they are worth together."""
    groups = found.importances.together
    if not groups:
        return []
    rows = tuple(
        (", ".join(group.columns), group.association, group.metric, group.wrong) for group in groups[:MOST_ROWS]
    )
    return [
        Text(
            text=(
                "Some columns say nearly the same. Dealt out alone, each looks less important than it is: the model "
                "still has the other, and is asked about pairs of values that never occur. So they are dealt out "
                "together as well."
            )
        ),
        Table(
            caption="Columns that stand for each other, dealt out together",
            columns=(
                Column(title="columns", form="code"),
                Column(title="association", form="number"),
                Column(title=f"{found.importances.title} worse by", form="number"),
                Column(title="more decisions wrong", form="percent"),
            ),
            rows=rows,
        ),
    ]


def dominance_parts(found: Explanations) -> list[Part]:
    """The warning where one column carries nearly all."""
    dominant = found.dominant
    if dominant is None:
        return []
    return [
        Text(
            text=(
                f"Nearly all that it knows comes from {dominant.columns[0]}. Is that known when the decision is "
                "made? A column that is filled in afterwards, or follows from the answer, looks like this."
            )
        )
    ]


def ratio_parts(found: Explanations) -> list[Part]:
    """The coefficients of a linear member."""
    if not found.coefficients:
        return []
    what = f"multiplies the odds of {found.positive} by" if found.positive else "adds"
    return [
        Table(
            caption=(
                f"{found.member}, estimated without its penalty on rows that it was not fitted on; the surest first, "
                "95 % for each by itself"
            ),
            columns=(Column(title="With this"), Column(title=what, form="number")),
            rows=tuple((one.name, one.effect) for one in found.coefficients),
        )
    ]


def importance_table(found: Explanations) -> Table:
    """Each column's figures."""
    return Table(
        caption="What is lost without each column",
        columns=(
            Column(title="column", form="code"),
            Column(title=f"{found.importances.title} worse by", form="number"),
            Column(title="more decisions wrong", form="percent"),
            Column(title=""),
        ),
        rows=tuple(
            (one.columns[0], one.metric, one.wrong, verdict(one)) for one in found.importances.columns[:MOST_ROWS]
        ),
    )


def verdict(one: Importance) -> str:
    """Whether it is shown to matter."""
    return "shown" if one.shown else "not shown"


def rests_on(found: Explanations) -> str:
    """What the chapter rests on."""
    what = found.importances
    more = len(what.columns) - MOST_ROWS
    left = f" {more} further columns are worth less." if more > 0 else ""
    return (
        f"On {what.rows:,} rows that the model never saw, each column dealt out {what.repeats} times; {what.title} is "
        f"{what.value:.4g} on them, and {what.whole.estimate:.4g} worse where all columns are dealt out.{left} An "
        "importance is one for this model: another could do without the same column."
    )
