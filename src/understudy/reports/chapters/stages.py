"""The chapter on stages: which of them the wrong decisions come from."""

from __future__ import annotations

from understudy.evaluation.stages import Stage, Stages
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Table, Text
from understudy.reports.stage_charts import stage_chart


def stages_chapter(stages: Stages) -> Chapter:
    """The error, taken apart by stages."""
    return Chapter(
        anchor="stages",
        title="Which stage the errors come from",
        lede=stages.sentence,
        parts=(
            Figure(
                title="What each stage owns of the error",
                caption=(
                    "From all wrong decisions down to those that are left with every stage perfect. The thin lines "
                    f"hold for all stages together with {stages.error.confidence:.0%} confidence; outlined bars are "
                    "not shown to differ from nothing."
                ),
                svg=stage_chart(stages),
                text=stages.sentence,
                wide=True,
            ),
            stage_table(stages),
            Text(text=rests_on(stages), soft=True),
        ),
    )


def stage_table(stages: Stages) -> Table:
    """Every stage, and what is left."""
    columns = (
        Column(title="Stage"),
        Column(title="Output is not the truth", form="percent"),
        Column(title="Owns, of all cases", form="percent"),
        Column(title="Of the wrong decisions", form="percent"),
        Column(title="Fewer wrong if it alone were perfect", form="percent"),
        Column(title="Wrong with it and those before it perfect", form="percent"),
    )
    left: tuple[Cell, ...] = (
        "the decision itself, and what nobody could know",
        None,
        stages.rest,
        stages.rest.estimate / stages.error.estimate if stages.error.estimate else 0.0,
        None,
        None,
    )
    return Table(
        caption="The stages in the order in which they work",
        columns=columns,
        rows=(*(stage_row(stages, one) for one in stages.found), left),
    )


def stage_row(stages: Stages, one: Stage) -> tuple[Cell, ...]:
    """One stage."""
    return (one.name, one.differs, one.owns, stages.share(one), one.alone, one.left)


def rests_on(stages: Stages) -> str:
    """How it was found."""
    shares = {
        "all orders": "What a stage owns is its mean over all orders in which the stages could be mended",
        "in order": "What a stage owns is what it wins once all before it are perfect, since there are too many for "
        "all orders",
    }[stages.way]
    unknown = (
        f" {stages.unknown:,} cases were left out, since the truth of some stage is not known for them."
        if stages.unknown
        else ""
    )
    return (
        f"On {stages.n:,} cases each stage's output was replaced by the truth. {shares}.{unknown} The model is as it "
        "is: trained once more on better input, it may win more."
    )
