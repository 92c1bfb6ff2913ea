"""Chapters and a worklist as the parts of an evaluation write them, with texts that must be shown and never run."""

import altair as alt

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.worklist import Worklist, rank
from understudy.reports.chapter import Chapter, Column, Figure, Table, Text
from understudy.reports.charts import MODEL, drawn, values

NASTY = '<script>alert("1")</script> | *a* `b` [c](d) @e'


def found(estimate: float, half: float = 0.004) -> Evidence:
    return Evidence(
        estimate=estimate,
        lower=estimate - half,
        upper=estimate + half,
        confidence=0.95,
        n=900,
        method="paired bootstrap",
    )


def bars() -> str:
    rows = [{"band": name, "wrong": share} for name, share in (("short", 0.081234), ("long", 0.23))]
    base = alt.Chart(values(rows)).mark_bar(color=MODEL)
    chart = base.encode(x=alt.X("wrong:Q", title="wrong"), y=alt.Y("band:N", title=None))
    return drawn(chart.properties(width=420, height=120), f"Long flights are wrong more often. {NASTY}")


def sample_chapters() -> tuple[Chapter, ...]:
    picture = bars()
    columns = (
        Column(title="Slice", form="text"),
        Column(title="Cases", form="count"),
        Column(title="Wrong", form="percent"),
        Column(title="Loss", form="number"),
        Column(title="Condition", form="code"),
    )
    few = tuple((f"where {number} {NASTY}", 1200 + number, found(0.2), 0.51234, "a > 1") for number in range(3))
    many = tuple((f"row {number}", number, number / 100, None, None) for number in range(40))
    slices = Chapter(
        anchor="slices",
        title="Where it is more often wrong",
        lede="In 3 slices it is wrong more often than elsewhere, and shown to be.",
        parts=(
            Text(text=f"It was searched on one half and tested on the other. {NASTY}", soft=True),
            Table(caption="Slices that are shown to be worse", columns=columns, rows=few),
            Figure(title="By length", caption="How often it is wrong.", svg=picture, text="Long flights are worse."),
            Figure(title="By day", caption="How often it is wrong.", svg=picture, text="Days are alike."),
            Figure(title="By month", caption="All months.", svg=picture, text="Months are alike.", wide=True),
            Table(caption="All that was compared", columns=columns, rows=many),
        ),
    )
    extra = Chapter(anchor="own-words", title="In our own words", lede="Nothing else was found.")
    labels = Chapter(anchor="labels", title="Labels", lede="12 labels contradict everything else.")
    measures = Chapter(anchor="measures", title="Measures", lede="It is better than what decides today.")
    return extra, labels, slices, measures


def sample_actions() -> tuple[Action, ...]:
    return (
        Action(
            kind="collect data",
            subject="long flights",
            what="Collect 2,000 more cases of long flights",
            why=f"It is wrong in 23 % of them. {NASTY}",
            gain=found(0.012),
            share=0.081,
            gap=0.14,
            effort="days",
            chapter="slices",
            mandate="distance > 2000 AND carrier = 'AA'",
        ),
        Action(
            kind="clean labels",
            subject="late",
            what="Look at 12 labels",
            why="They contradict everything else.",
            gain=found(0.003, 0.005),
            share=0.013,
            effort="hours",
            chapter="labels",
        ),
        Action(
            kind="fix leak",
            subject="arr_time",
            what="Leave out arr_time",
            why="It is known afterwards.",
            blocking=True,
            effort="minutes",
            chapter="checks",
        ),
        Action(kind="watch group", subject="age", what="Watch people over 70", why="Too few to tell.", chapter="gone"),
    )


def sample_worklist() -> Worklist:
    return rank(
        sample_actions(),
        wrong=found(0.102, 0.01),
        human=found(0.06, 0.01),
        efforts={"late": 3.0},
        tags={"late": ("noise", NASTY)},
        states={"age": "done", "long flights": "again"},
    )
