"""The chapter on groups: for whom it is wrong more often, and of whom that cannot be told."""

from __future__ import annotations

from understudy.evaluation.fairness_found import Fairness, Group
from understudy.reports.chapter import Cell, Chapter, Column, Figure, Part, Table, Text
from understudy.reports.fairness_charts import error_chart, error_text, selection_chart, selection_text

STANDINGS = {
    "worse": "wrong more often",
    "better": "wrong less often",
    "alike": "within the limit",
    "open": "not shown to differ",
    "few": "too few to tell",
    "alone": "too few others",
}
MEASURES = {
    "selected": ("Given the favourable answer", "percent"),
    "base": ("It would be right", "percent"),
    "false_positive": ("Wrongly given", "percent"),
    "false_negative": ("Wrongly withheld", "percent"),
    "calibration": ("Mean probability less share", "percent"),
    "bias": ("Mean prediction less truth", "number"),
    "size": ("Mean absolute error", "number"),
    "automated": ("Decided by itself", "percent"),
}
SHORT = {
    "selected": "rate",
    "false_positive": "given",
    "false_negative": "withheld",
    "calibration": "calibration",
    "bias": "bias",
    "size": "error",
    "automated": "by itself",
}
MOST_CROSSED = 12


def fairness_chapter(found: Fairness | None) -> Chapter:
    """The groups that were compared, with what is known of each.

    Parameters
    ----------
    found : Fairness, optional
        None where the task names no groups.
    """
    if found is None:
        return Chapter(anchor="fairness", title="For whom", lede=NO_GROUPS)
    parts: list[Part] = [*figures(found), error_table(found), rates_table(found)]
    if found.selection:
        parts.append(selection_table(found))
    if found.crossed:
        parts.append(crossed_table(found))
    parts.append(Text(text=rests_on(found), soft=True))
    return Chapter(anchor="fairness", title="For whom", lede=lede(found), parts=tuple(parts))


NO_GROUPS = (
    "The task names no groups, so that nobody knows whether it is worse for some than for others. Name columns in "
    "[task] groups; the model need not see them."
)


def lede(found: Fairness) -> str:
    """The finding; no group is called fair."""
    said = []
    if found.worse:
        first = found.worse[0]
        more = len(found.worse) - 1
        others = f" {more} more group{'s are' if more > 1 else ' is'} worse off than the others, too." if more else ""
        said.append(
            f"It is wrong more often where {first.words}: in {first.error.rate.estimate:.1%} against "
            f"{first.error.rest or 0.0:.1%} elsewhere.{others}"
        )
    else:
        said.append(f"For none of {len(found.groups)} groups it is shown to be wrong more often than elsewhere.")
    unknown = sum(group.standing in ("open", "few", "alone") for group in found.groups)
    if unknown:
        said.append(
            f"Of {unknown} it cannot be told whether they differ by more than {found.plan.limit:.0%}: that is not the "
            "same as no difference."
        )
    return " ".join(said)


def figures(found: Fairness) -> list[Figure]:
    """The pictures."""
    made = [
        Figure(
            title="How often it is wrong",
            caption=(
                "95 % bounds for each group by itself. ◆ shown to be wrong more often than for all others, ○ too few "
                "to tell, ❘ what its own confidence expects; dashed: all cases."
            ),
            svg=error_chart(found),
            text=error_text(found),
        )
    ]
    drawn = selection_chart(found)
    if drawn:
        made.append(
            Figure(
                title="How often the favourable answer is given",
                caption="95 % bounds for each group by itself; ❘ how often it would be right, ○ too few to tell.",
                svg=drawn,
                text=selection_text(found),
            )
        )
    return made


def error_table(found: Fairness) -> Table:
    """How often it is wrong for each group, against all others."""
    numbers = "size" in found.groups[0].figures
    return Table(
        caption=(
            f"Errors by group{' (beyond the tolerance)' if numbers else ''}; differences and ratios to all other "
            "cases, with bounds that hold for all comparisons together"
        ),
        columns=(
            Column(title="Group"),
            Column(title="Cases", form="count"),
            Column(title="Wrong", form="percent"),
            Column(title="More than its confidence expects", form="percent"),
            Column(title="Against others", form="percent"),
            Column(title="Times others", form="number"),
            Column(title="Standing"),
        ),
        rows=tuple(error_row(group) for group in found.groups),
    )


def error_row(group: Group) -> tuple[Cell, ...]:
    """One group's errors."""
    error, surprise = group.error, group.figures.get("surprise")
    excluded = f"; above {error.rate.upper:.0%} is excluded" if group.error.difference is None else ""
    return (
        group.words,
        group.n,
        error.rate,
        None if surprise is None else surprise.rate,
        error.difference,
        error.ratio,
        f"{STANDINGS[group.standing]}{excluded}",
    )


def rates_table(found: Fairness) -> Table:
    """Every other rate of each group, and which of them are shown to differ from all others."""
    names = [name for name in MEASURES if any(name in group.figures for group in found.groups)]
    return Table(
        caption="Rates by group, each with 95 % bounds of its own",
        columns=(
            Column(title="Group"),
            *(Column(title=MEASURES[name][0], form=MEASURES[name][1]) for name in names),
            Column(title="Shown to differ"),
        ),
        rows=tuple(
            (
                group.words,
                *(one.rate if (one := group.figures.get(name)) else None for name in names),
                ", ".join(SHORT[name] for name in names if significant(group, name)) or None,
            )
            for group in found.groups
        ),
    )


def significant(group: Group, name: str) -> bool:
    """Whether a rate is shown to differ from that of all others."""
    found = group.figures.get(name)
    return found is not None and found.significant


def selection_table(found: Fairness) -> Table:
    """The four-fifths rule by column."""
    return Table(
        caption="Lowest over highest rate of the favourable answer; below 0.8 it falls short of the four-fifths rule",
        columns=(
            Column(title="By"),
            Column(title="Lowest over highest", form="number"),
            Column(title="Lowest where"),
            Column(title="Highest where"),
        ),
        rows=tuple((one.column, one.ratio, one.lowest, one.highest) for one in found.selection),
    )


def crossed_table(found: Fairness) -> Table:
    """The intersections that are wrong most surely more often."""
    shown = found.crossed[:MOST_CROSSED]
    return Table(
        caption=f"{len(shown)} of {found.crossed_compared} intersections, those first that are worst off most surely",
        columns=(
            Column(title="Intersection"),
            Column(title="Cases", form="count"),
            Column(title="Wrong", form="percent"),
            Column(title="Against others", form="percent"),
            Column(title="Standing"),
        ),
        rows=tuple(
            (group.words, group.n, group.error.rate, group.error.difference, STANDINGS[group.standing])
            for group in shown
        ),
    )


def rests_on(found: Fairness) -> str:
    """How it was compared."""
    plan = found.plan
    few = (
        f" {found.crossed_few} intersections with {found.crossed_few_rows:,} rows in all have fewer than {plan.least} "
        "and were not compared."
        if found.crossed_few
        else ""
    )
    return (
        f"{found.tests} different comparisons; the chance that any of them is called a difference and is none is at "
        f"most {plan.alpha:.0%} (Holm). Groups of fewer than {plan.least} rows are not compared. A difference in rates "
        "is not by itself unfair, and none shown is no proof of fairness: what is fair here is for people to say."
        f"{few}"
    )
