"""A comparison of two versions as chapters, and as one HTML file that needs no network and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from understudy.evaluation.compare import Compared, Switch
from understudy.evaluation.comparison import NAMED, Comparison, Side, conclusion, headline
from understudy.evaluation.measures import METRICS
from understudy.evaluation.slices import Slice
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Part, Table, Text
from understudy.reports.compare_charts import said, switch_chart
from understudy.reports.html import environment

SHOWN = {"better": "▲ better", "worse": "▼ worse", "not shown": "not shown"}
TONES = {"better": "good", "worse": "bad", "not shown": "fair"}


def render_comparison(found: Comparison) -> str:
    """A comparison as HTML; no row of the data is in it."""
    verdict = "not shown" if found.compared is None else found.compared.metrics[0].verdict
    return (
        environment()
        .get_template("compare.html.j2")
        .render(
            found=found,
            named=NAMED,
            headline=headline(found),
            conclusion=conclusion(found),
            tone=TONES[verdict],
            chapters=comparison_chapters(found),
        )
    )


def comparison_chapters(found: Comparison) -> tuple[Chapter, ...]:
    """What is known of both, chapter by chapter."""
    compared = found.compared
    told = () if compared is None else (answers_chapter(compared), metrics_chapter(found, compared))
    sliced = () if compared is None else (slices_chapter(compared),)
    return (*told, *sliced, checks_chapter(found), versions_chapter(found))


def answers_chapter(compared: Compared) -> Chapter:
    """Which answers changed, of all cases, by truth and by group."""
    groups = [(f"{column} is {one.of}", one) for column, found in compared.groups.items() for one in found]
    lines = [("all cases", compared.all), *((f"truth is {one.of}", one) for one in compared.labels), *groups]
    exact = (
        "p is that of McNemar's exact test, for each line by itself; whether a change is shown allows for all lines."
    )
    return Chapter(
        anchor="answers",
        title="Which answers changed",
        lede=said(lines),
        parts=(
            Figure(
                title="For whom it got better",
                caption=(
                    "Right answers of 100 more than before. Triangles are shown to differ from nothing, circles are "
                    "not. The lines hold with 95 % for all truths together, and for all groups together."
                ),
                svg=switch_chart(compared),
                text=said(lines),
                wide=True,
            ),
            Table(
                caption=f"{compared.differing:,} of {compared.n:,} answers are not the same",
                columns=(
                    Column(title="Cases"),
                    Column(title="How many", form="count"),
                    Column(title="Wrong before", form="percent"),
                    Column(title="Wrong now", form="percent"),
                    Column(title="Now right", form="count"),
                    Column(title="Now wrong", form="count"),
                    Column(title="More right", form="percent"),
                    Column(title="Shown"),
                    Column(title="p"),
                ),
                rows=tuple(switch_row(name, one) for name, one in lines),
            ),
            *((Text(text=exact, soft=True),) if compared.all.p is not None else ()),
        ),
    )


def switch_row(name: str, one: Switch) -> tuple[Cell, ...]:
    """The changed answers of some cases."""
    p = None if one.p is None else "< 0.001" if one.p < 0.001 else f"{one.p:.2g}"
    return (name, one.n, one.first, one.second, one.mended, one.broken, one.gain, SHOWN[one.verdict], p)


def metrics_chapter(found: Comparison, compared: Compared) -> Chapter:
    """Every metric of both."""
    counts = {kind: sum(one.verdict == kind for one in compared.metrics) for kind in SHOWN}
    return Chapter(
        anchor="metrics",
        title="How good they are",
        lede=(
            f"Of {len(compared.metrics)} metrics {counts['better']} are shown to be better and {counts['worse']} to be "
            "worse; each by itself, so that of twenty metrics without any change one would seem to change."
        ),
        parts=(
            Table(
                caption="Both on the same rows; the task's goal first",
                columns=(
                    Column(title="Metric"),
                    Column(title=found.first.version[:NAMED], form="number"),
                    Column(title=found.second.version[:NAMED], form="number"),
                    Column(title="Better by", form="number"),
                    Column(title="Shown"),
                ),
                rows=tuple(
                    (metric_title(one.metric), one.first, one.second, one.gain, SHOWN[one.verdict])
                    for one in compared.metrics
                ),
            ),
            Text(text=f"Bounds: {compared.metrics[0].gain.method}, 95 %.", soft=True),
        ),
    )


def metric_title(name: str) -> str:
    """A metric, and which way is better.

    >>> metric_title("rmse")
    'RMSE, lower is better'
    """
    metric = METRICS[name]
    return f"{metric.title}, {'higher' if metric.greater_is_better else 'lower'} is better"


def slices_chapter(compared: Compared) -> Chapter:
    """The slices in which it gained and lost more than elsewhere."""
    gained, lost = compared.gained, compared.lost
    rest = f"{compared.worse.compared:,} slices were compared on {compared.worse.searched:,} rows and tested on"
    parts: list[Part] = [
        slice_table(f"Where it {what} more than elsewhere", f"More {way} there", slices)
        for what, way, slices in (("gained", "right", gained), ("lost", "wrong", lost))
        if slices
    ]
    parts.append(
        Text(
            text=(
                f"{rest} {compared.worse.tested:,} others, in both directions; the chance that any of them is named "
                "and does not differ from the rest is at most 5 %."
            ),
            soft=True,
        )
    )
    return Chapter(
        anchor="whom", title="Where it gained and lost most", lede=slices_lede(gained, lost), parts=tuple(parts)
    )


def slices_lede(gained: Sequence[Slice], lost: Sequence[Slice]) -> str:
    """The finding."""
    if not gained and not lost:
        return "No slice of the cases is shown to have gained or lost more than the others."
    parts = [f"It gained most where {gained[0].words}"] if gained else ["No slice gained more than the others"]
    parts.append(f"lost most where {lost[0].words}" if lost else "no slice is shown to have lost more than the others")
    return f"{parts[0]}, and {parts[1]}."


def slice_table(caption: str, title: str, slices: Sequence[Slice]) -> Table:
    """Slices of one direction."""
    return Table(
        caption=caption,
        columns=(
            Column(title="Slice"),
            Column(title="Of the cases", form="percent"),
            Column(title=title, form="percent"),
            Column(title="Elsewhere", form="percent"),
            Column(title="Difference", form="percent"),
        ),
        rows=tuple((one.words, one.share, one.loss, one.rest, one.excess) for one in slices),
    )


def checks_chapter(found: Comparison) -> Chapter:
    """The go-live checks of both."""
    differing = sum(pair.differs for pair in found.checks)
    return Chapter(
        anchor="checks",
        title="Go-live checks",
        lede=(
            f"{differing} of {len(found.checks)} checks came out otherwise."
            if differing
            else f"All {len(found.checks)} checks came out alike."
        ),
        parts=(
            Table(
                caption="Each as it was made when the version was registered",
                columns=(
                    Column(title="Check"),
                    Column(title=found.first.version[:NAMED]),
                    Column(title=found.second.version[:NAMED]),
                    Column(title="What the second shows"),
                ),
                rows=tuple(
                    (
                        f"{pair.code} {pair.name}",
                        pair.first.verdict if pair.first else "not made",
                        f"{pair.second.verdict if pair.second else 'not made'}{' (changed)' if pair.differs else ''}",
                        pair.second.detail if pair.second else "",
                    )
                    for pair in found.checks
                ),
            ),
        ),
    )


def versions_chapter(found: Comparison) -> Chapter:
    """What they are."""
    sides = (found.first, found.second)
    rows: list[tuple[Cell, ...]] = [
        ("Recipe", *(one.recipe for one in sides)),
        ("Role", *(one.role or "none" for one in sides)),
        ("Registered", *(registered(one) for one in sides)),
        ("Data", *(f"{one.source}, {one.snapshot[:NAMED]}" for one in sides)),
        ("Rows learned from", *(f"{one.learned:,}" for one in sides)),
        ("Served", *("compiled" if one.served == "onnx" else one.served for one in sides)),
        ("One answer takes", *(milliseconds(one) for one in sides)),
        ("Size", *(size(one.bytes) for one in sides)),
        ("Columns", *(str(len(one.inputs)) for one in sides)),
        ("Columns of its own", ", ".join(found.dropped) or "none", ", ".join(found.added) or "none"),
    ]
    columns = [Column(title=""), *(Column(title=one.version[:NAMED]) for one in sides)]
    notes = tuple(Text(text=note, soft=True) for note in found.notes)
    return Chapter(
        anchor="versions",
        title="What they are",
        lede=columns_words(found),
        parts=(Table(caption="Side by side", columns=tuple(columns), rows=tuple(rows)), *notes),
    )


def columns_words(found: Comparison) -> str:
    """Which columns differ."""
    if not found.added and not found.dropped:
        return "Both take the same columns."
    parts = [f"The second takes {', '.join(found.added)} besides"] if found.added else []
    parts += [f"{'it' if parts else 'The second'} does without {', '.join(found.dropped)}"] if found.dropped else []
    return f"{', and '.join(parts)}."


def registered(one: Side) -> str:
    """When a version was registered."""
    return f"{datetime.fromtimestamp(one.at / 1_000_000, tz=UTC):%Y-%m-%d %H:%M} UTC"


def milliseconds(one: Side) -> str:
    """How long an answer takes."""
    return "not known" if one.milliseconds is None else f"{one.milliseconds:.3g} ms"


def size(count: int) -> str:
    """A number of bytes.

    >>> size(1_532_000), size(900)
    ('1.5 MB', '0.9 kB')
    """
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
