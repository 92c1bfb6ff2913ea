"""The chapter on shaken inputs: what noise, lost columns, typos, other seeds and other folds do to its answers."""

from __future__ import annotations

from understudy.evaluation.robustness_found import BRITTLE, SURE, Robustness, Shaken
from understudy.evaluation.stability import Stability
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Part, Table, Text
from understudy.reports.robustness_charts import boundary_chart, boundary_text, shaken_chart, shaken_text


def robustness_chapter(found: Robustness, stability: Stability | None = None) -> Chapter:
    """What becomes of its answers when the inputs are not as clean as those it learned from.

    Parameters
    ----------
    found : Robustness
    stability : Stability, optional
    """
    parts: list[Part] = [*figures(found)]
    answered = [one for one in found.shaken if one.n]
    if answered:
        parts.append(shaken_table(answered))
    parts += [Text(text=text) for text in (refused(found), seeds(stability)) if text]
    if stability is not None and stability.spread is not None:
        parts.append(fold_table(stability))
    parts.append(Text(text=rests_on(found), soft=True))
    return Chapter(anchor="robustness", title="What if inputs are shaken", lede=lede(found), parts=tuple(parts))


def lede(found: Robustness) -> str:
    """The finding."""
    able = [one for one in found.shaken if one.harm is not None]
    if not able:
        return "Nothing could be shaken without the contract refusing every case."
    worst = max(able, key=lambda one: one.harm.lower if one.harm else 0.0)
    harm = worst.harm
    if harm is None or harm.lower <= 0:
        said = "No way of shaking the inputs is shown to make it wrong more often."
    else:
        said = (
            f"It suffers most when {worst.words}: wrong in {worst.error.estimate if worst.error else 0.0:.1%} instead "
            f"of {found.error.estimate:.1%}."
        )
    sure = found.sure
    if sure is None:
        return said
    held = "do not hang on next to nothing" if sure.changed.lower <= BRITTLE else "hang on next to nothing"
    return f"{said} Its sure answers {held}: tiny noise changes {sure.changed.estimate:.1%} of them."


def figures(found: Robustness) -> list[Figure]:
    """The pictures."""
    made = []
    shaken = shaken_chart(found)
    if shaken:
        made.append(
            Figure(
                title="Wrong answers when inputs are shaken",
                caption=(
                    "How much more often the same cases are wrong, with bounds that hold for all ways together; ◆ "
                    "shown to be more."
                ),
                svg=shaken,
                text=shaken_text(found),
                wide=True,
            )
        )
    boundary = boundary_chart(found)
    if boundary:
        made.append(
            Figure(
                title="Answers that hang on next to nothing",
                caption=(
                    f"Answers that change in any of five draws of noise of {found.tiny:.0%} of each number's spread, "
                    "by how sure they were, with 95 % bounds. The unsure may change; the sure should not."
                ),
                svg=boundary,
                text=boundary_text(found),
            )
        )
    return made


def shaken_table(shaken: list[Shaken]) -> Table:
    """Every way that left answers."""
    strange = any(one.strange is not None for one in shaken)
    columns = [
        Column(title="What was done"),
        Column(title="Refused", form="percent"),
        Column(title="Answers that change", form="percent"),
        Column(title="Wrong", form="percent"),
        Column(title="More than unshaken", form="percent"),
    ]
    if strange:
        columns.append(Column(title="Too strange to decide", form="percent"))
    return Table(
        caption="Each way of shaking; the last bounds hold for all of them together",
        columns=tuple(columns),
        rows=tuple(table_row(one, strange=strange) for one in shaken),
    )


def table_row(one: Shaken, *, strange: bool) -> tuple[Cell, ...]:
    """One way."""
    last = (one.strange,) if strange else ()
    return (one.words, one.refused, one.changed, one.error, one.harm, *last)


def refused(found: Robustness) -> str:
    """What the contract does not let in."""
    names = [one.subject for one in found.of("lost column") if not one.n]
    if not names:
        return ""
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return f"Without any of these columns a case is refused, and told why, rather than answered wrongly: {listed}."


def seeds(stability: Stability | None) -> str:
    """What another seed does."""
    if stability is None or stability.churn is None:
        return ""
    churn = stability.churn
    return (
        f"Fitted again with another seed, it answers {churn.changed.estimate:.1%} of the cases otherwise "
        f"({churn.changed.lower:.1%} to {churn.changed.upper:.1%}), and is wrong in {churn.errors[1]:.1%} instead of "
        f"{churn.errors[0]:.1%}."
    )


def fold_table(stability: Stability) -> Table:
    """The folds of the search."""
    spread = stability.spread
    assert spread is not None  # noqa: S101  asked for by the caller
    verdict = "more than chance explains" if spread.p < 0.01 else "no more than chance explains"
    return Table(
        caption=f"Mean loss by fold; they differ {verdict} (Cochran's Q {spread.q:.2f}, p {spread.p:.2g})",
        columns=(
            Column(title="Fold", form="count"),
            Column(title="Rows", form="count"),
            Column(title="Loss", form="number"),
        ),
        rows=tuple((place, fold.n, fold.loss) for place, fold in enumerate(spread.folds, start=1)),
    )


def rests_on(found: Robustness) -> str:
    """How it was shaken."""
    left = f" {found.columns_left_out} columns were not shaken one at a time." if found.columns_left_out else ""
    return (
        f"{found.rows:,} held-out cases, each shaken in {len(found.shaken)} ways and read as live cases are. Noise is "
        "in units of each number's spread and stays within the range that it learned from; a value that half of the "
        f"rows share stays what it is. Sure means a confidence of {SURE:.0%} or more.{left}"
    )
