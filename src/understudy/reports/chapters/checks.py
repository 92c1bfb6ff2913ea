"""The chapter on the go-live checks: what was checked, how it went, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from understudy.core.nouns import Check, Override
from understudy.reports.chapter import Cell, Chapter, Column, Part, Table, Text

VERDICTS = {"pass": "✓ passed", "warn": "! warns", "fail": "✕ failed"}
WEIGHTS = {"blocking": "keeps it out", "warning": "warns", "note": "note"}
URGENCY = {"fail": 0, "warn": 1, "pass": 2}
GRAVITY = {"blocking": 0, "warning": 1, "note": 2}


def checks_chapter(checks: Iterable[Check], overrides: Iterable[Override] = ()) -> Chapter:
    """The checks of a version, those that failed first.

    Parameters
    ----------
    checks : iterable of Check
    overrides : iterable of Override
        Those that stand for this version; a report that is written when it is registered knows none yet.
    """
    every, made = tuple(checks), {one.check.code: one for one in overrides}
    parts: list[Part] = []
    if every:
        parts.append(check_table(every, made))
    parts += [Text(text=one.words) for one in made.values()]
    parts.append(Text(text=RULE, soft=True))
    return Chapter(anchor="checks", title="Go-live checks", lede=lede(every, made), parts=tuple(parts))


RULE = (
    "A check that fails and keeps a version out can be muted in the task file, for every version and with a reason, or "
    "overridden for this one: understudy override VERSION --check CODE --reason TEXT. Either stands in the event log."
)


def lede(checks: Sequence[Check], overrides: dict[str, Override]) -> str:
    """What the checks came to."""
    blocking = [check for check in checks if check.blocks and check.code not in overrides]
    spared = [check for check in checks if check.blocks and check.code in overrides]
    warns = [check for check in checks if check.verdict == "warn"]
    if blocking:
        names = ", ".join(f"{check.code} ({check.name})" for check in blocking)
        said = [f"{len(blocking)} of {len(checks)} checks failed and kept it out of shadow: {names}."]
    elif spared:
        by = " and ".join(sorted({overrides[check.code].actor for check in spared}))
        names = ", ".join(f"{check.code} ({check.name})" for check in spared)
        said = [f"It watches because {by} overrode what failed: {names}."]
    else:
        said = [f"None of its {len(checks)} checks keeps it out."]
    if warns:
        codes = ", ".join(check.code for check in warns)
        said.append(f"{'One warns' if len(warns) == 1 else f'{len(warns)} warn'}: {codes}.")
    return " ".join(said)


def check_table(checks: Sequence[Check], overrides: dict[str, Override]) -> Table:
    """Every check, what failed first."""
    ordered = sorted(checks, key=lambda check: (URGENCY[check.verdict], GRAVITY[check.severity], check.code))
    return Table(
        caption=f"The {len(checks)} checks, what failed first",
        columns=(
            Column(title="Code", form="code"),
            Column(title="Check"),
            Column(title="Verdict"),
            Column(title="If it fails"),
            Column(title="What was found"),
            Column(title="What to do"),
        ),
        rows=tuple(table_row(check, overrides) for check in ordered),
    )


def table_row(check: Check, overrides: dict[str, Override]) -> tuple[Cell, ...]:
    """One check."""
    verdict = VERDICTS[check.verdict]
    if check.blocks and check.code in overrides:
        verdict = f"{verdict}, overridden by {overrides[check.code].actor}"
    return check.code, check.name, verdict, WEIGHTS[check.severity], check.detail, check.advice
