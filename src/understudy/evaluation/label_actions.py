"""What to do about labels: look at those that are probably wrong, settle contradictions, learn from people."""

from __future__ import annotations

from msgspec.structs import replace

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action, Effort
from understudy.evaluation.conflicts import Conflicts
from understudy.evaluation.human_level import HumanLevel, span
from understudy.evaluation.label_numbers import NumberErrors
from understudy.evaluation.label_quality import LabelErrors, SuspectedClass

SECONDS = 20
"""What a look at one label takes."""

TRIED = 100
"""So many labels tell whether suspects are wrong."""

CHAPTER = "labels"
MOST_CLASSES = 3


def label_actions(
    errors: LabelErrors | None = None,
    numbers: NumberErrors | None = None,
    conflicts: Conflicts | None = None,
    human: HumanLevel | None = None,
) -> tuple[Action, ...]:
    """The rows of the worklist; those whose gain is shown first.

    Suspected labels without an excess over honest doubt are an action only where contradictions do not
    fade, and then to try some. Contradictions are worth at most what they make
    wrong, and nothing where a missing column tells the cases apart: their gain is put midway.

    Parameters
    ----------
    errors : LabelErrors, optional
    numbers : NumberErrors, optional
    conflicts : Conflicts, optional
    human : HumanLevel, optional
    """
    found: list[Action] = []
    if errors is not None and errors.significant:
        found += [look_at(one, errors) for one in errors.classes[:MOST_CLASSES] if one.wrong.estimate >= 1]
    elif errors is not None and errors.lingering and errors.suspects:
        found.append(try_some(errors))
    if numbers is not None and numbers.significant:
        found.append(look_at_numbers(numbers))
    if conflicts is not None and conflicts.groups:
        found.append(settle(conflicts))
    if human is not None and human.gap is not None and human.gap.lower > 0:
        found.append(learn_from_people(human, human.gap))
    return tuple(found)


def look_at(one: SuspectedClass, errors: LabelErrors) -> Action:
    """Look at the suspects of one label."""
    share = one.suspects / errors.rows
    return Action(
        kind="clean labels",
        subject=f"labels {one.label}",
        what=f"Look at the {one.suspects:,} labels of {one.label} that are probably wrong, the most doubtful first",
        why=(
            f"About {one.wrong.estimate:,.0f} of them ({one.wrong.lower:,.0f} to {one.wrong.upper:,.0f}) are wrong "
            "beyond what honest doubt explains; each counts as a wrong decision though the model may be right."
        ),
        gain=shares(one.wrong, errors.rows),
        share=share,
        effort=effort(one.suspects),
        chapter=CHAPTER,
    )


def try_some(errors: LabelErrors) -> Action:
    """Contradictions do not fade: a look at some of them tells whether they are wrong."""
    some, surest = min(errors.suspects, TRIED), errors.surest
    if errors.suspects > TRIED:
        which = f"{some:,} of the {errors.suspects:,} suspected labels, those that the model contradicts most"
    else:
        which = "the only suspected label" if some == 1 else f"the {some:,} suspected labels"
    return Action(
        kind="clean labels",
        subject="suspected labels",
        what=f"Look at {which}",
        why=(
            f"Where the model is surest, {surest.estimate:.1%} of labels ({surest.lower:.1%} to {surest.upper:.1%}) "
            "still say something else: they are wrong, or chance that no column foretells."
        ),
        gain=half_of(surest),
        share=errors.suspects / errors.rows,
        effort=effort(some),
        chapter=CHAPTER,
    )


def look_at_numbers(numbers: NumberErrors) -> Action:
    """Look at numbers that are far off."""
    return Action(
        kind="clean labels",
        subject="outlying numbers",
        what=f"Look at the {numbers.suspects:,} numbers that are furthest from their prediction",
        why=f"{numbers.expected:,.0f} so far off would be usual; the others are recorded wrongly, or rare cases.",
        gain=replace(numbers.wrong, lower=max(numbers.wrong.lower, 0.0)),
        share=numbers.suspects / numbers.rows,
        effort=effort(numbers.suspects),
        chapter=CHAPTER,
    )


def settle(conflicts: Conflicts) -> Action:
    """Settle contradictions."""
    return Action(
        kind="clean labels",
        subject="conflicting duplicates",
        what=f"Settle the {conflicts.groups:,} contradictions among equal inputs, or add what tells them apart",
        why=(
            f"Whatever it answers, {conflicts.outvoted:,} of these {conflicts.conflicting:,} rows are wrong; that is "
            "the most to be won, and nothing if the cases differ in something that no column holds."
        ),
        gain=half_of(conflicts.error),
        share=conflicts.conflicting / conflicts.rows,
        effort=effort(conflicts.conflicting),
        chapter=CHAPTER,
    )


def learn_from_people(human: HumanLevel, gap: Evidence) -> Action:
    """People do better: find out what they see."""
    return Action(
        kind="add feature",
        subject="gap to people",
        what="Ask those who decide today what they look at that no column holds, and add it",
        why=f"One person is wrong in {span(human.person)} of the cases, the model in "
        f"{gap.estimate * 100:.1f} points more ({gap.lower * 100:.1f} to {gap.upper * 100:.1f}).",
        gain=gap,
        share=1.0,
        effort="days",
        chapter=CHAPTER,
        gap=gap.estimate,
    )


def half_of(most: Evidence) -> Evidence:
    """What is won at most, put midway between nothing and all of it."""
    return replace(most, estimate=most.estimate / 2, lower=0.0, method=f"between nothing and all; {most.method}")


def shares(count: Evidence, n: int) -> Evidence:
    """A count as a share of n."""
    return replace(count, estimate=count.estimate / n, lower=count.lower / n, upper=count.upper / n)


def effort(count: int) -> Effort:
    """How long it takes to look at so many labels.

    >>> effort(30), effort(600), effort(5000), effort(50_000)
    ('minutes', 'hours', 'days', 'weeks')
    """
    hours = count * SECONDS / 3600
    if hours <= 1:
        return "minutes"
    if hours <= 8:
        return "hours"
    return "days" if hours <= 40 else "weeks"
