"""The chapter on labels: which are probably wrong, which contradict each other, and how good people are."""

from __future__ import annotations

from understudy.core.evidence import Evidence
from understudy.evaluation.conflicts import Conflicts
from understudy.evaluation.human_level import HumanLevel
from understudy.evaluation.label_numbers import NumberErrors
from understudy.evaluation.label_quality import LabelErrors
from understudy.reports.chapter import Chapter, Column, Figure, Part, Table, Text
from understudy.reports.label_charts import doubt_chart, doubt_said, human_chart, pair_chart, pair_said


def labels_chapter(
    errors: LabelErrors | None = None,
    numbers: NumberErrors | None = None,
    conflicts: Conflicts | None = None,
    human: HumanLevel | None = None,
) -> Chapter | None:
    """What is known of the labels; None where nothing was looked at.

    Parameters
    ----------
    errors : LabelErrors, optional
    numbers : NumberErrors, optional
    conflicts : Conflicts, optional
    human : HumanLevel, optional
    """
    parts: list[Part] = []
    if errors is not None:
        parts += error_parts(errors)
    if numbers is not None:
        parts += number_parts(numbers)
    if conflicts is not None:
        parts += conflict_parts(conflicts)
    if human is not None:
        parts += human_parts(human)
    if not parts:
        return None
    sentences = [found.sentence for found in (errors, numbers, conflicts, human) if found is not None]
    return Chapter(anchor="labels", title="Are the labels right?", lede=" ".join(sentences[:2]), parts=tuple(parts))


def error_parts(errors: LabelErrors) -> list[Part]:
    """Labels that contradict the model."""
    parts: list[Part] = []
    if errors.bins:
        parts.append(
            Figure(
                title="Do contradictions fade where the model is sure?",
                caption=(
                    "Honest doubt fades as the model grows surer (dashed); wrong labels do not ask how sure it is. "
                    "Points above the line at the right are wrong labels, or cases that no column tells apart. Bounds "
                    "of 95 %."
                ),
                svg=doubt_chart(errors),
                text=doubt_said(errors),
            )
        )
    if errors.pairs:
        parts += [
            Figure(
                title="Suspected labels",
                caption=(
                    "Labels that say one thing where the model is confident of another (outlined)"
                    + (", and how many of them are wrong beyond honest doubt (filled)." if errors.significant else ".")
                ),
                svg=pair_chart(errors),
                text=pair_said(errors),
            ),
            pair_table(errors),
        ]
    parts.append(Text(text=explained(errors), soft=True))
    return parts


def pair_table(errors: LabelErrors) -> Table:
    """The suspected pairs with their figures."""
    return Table(
        caption="Suspected labels, by what they say and what is likelier",
        columns=(
            Column(title="The label says"),
            Column(title="Probably"),
            Column(title="Suspects", form="count"),
            Column(title="Wrong beyond honest doubt", form="count"),
        ),
        rows=tuple(
            (one.said, one.probably, one.suspects, one.wrong if errors.significant else None) for one in errors.pairs
        ),
    )


def explained(errors: LabelErrors) -> str:
    """How to read it, and what it does not tell."""
    unknown = f" {errors.unknown:,} rows that no such model predicted are left out." if errors.unknown else ""
    known = errors.confident
    return (
        f"Judged by models that had not seen the row, on {errors.rows:,} labels.{unknown} Confident learning alone "
        f"would call {known.estimate:.1%} ({known.lower:.1%} to {known.upper:.1%}) of them wrong, honest doubt "
        f"among them. Where the model is surest, labels contradict it in {errors.surest.estimate:.2%} "
        f"({errors.surest.lower:.2%} to {errors.surest.upper:.2%}) of the cases. A model learns wrong labels too, so "
        "that the share beyond doubt is rather too low; and where nothing could be foretold better, wrong labels "
        "cannot be told from chance. To look at a hundred suspects tells more."
    )


def number_parts(numbers: NumberErrors) -> list[Part]:
    """Numbers far from their prediction."""
    return [
        Text(text=numbers.sentence),
        Text(
            text=(
                f"The tail is foretold from the middle nine tenths of {numbers.rows:,} residuals, each beside others "
                f"of about the same prediction, by a t law of {numbers.freedom:.1f} degrees of freedom. This is weaker "
                "than what can be said of classes: a rare case looks like a wrong number."
            ),
            soft=True,
        ),
    ]


def conflict_parts(conflicts: Conflicts) -> list[Part]:
    """Contradictions among equal inputs."""
    parts: list[Part] = [Text(text=conflicts.sentence)]
    if not conflicts.groups:
        return parts
    if conflicts.pairs:
        parts.append(
            Table(
                caption="Rows that contradict most of those with the same inputs",
                columns=(Column(title="The row says"), Column(title="Most say"), Column(title="Rows", form="count")),
                rows=tuple((one.said, one.mostly, one.rows) for one in conflicts.pairs),
            )
        )
    known = conflicts.repeated_error
    parts.append(
        Text(
            text=(
                f"Of the {conflicts.repeated:,} rows whose inputs come more than once {known.estimate:.1%} "
                f"({known.lower:.1%} to {known.upper:.1%}) cannot be answered rightly; rather more, since small sets "
                "agree by luck too. Either an answer is wrong, or a column is missing that tells the cases apart."
            ),
            soft=True,
        )
    )
    return parts


def human_parts(human: HumanLevel) -> list[Part]:
    """People beside the model."""
    named = [
        ("One person", human.person),
        ("People together", human.together),
        ("The model", human.model),
        ("The model minus one person", human.gap),
        ("The model minus people together", human.gap_together),
    ]
    against = "the outcome" if human.by_outcome else "what the other people of the case say together"
    return [
        Figure(
            title="People and the model on the same cases",
            caption=f"How often each is wrong, held against {against}, with bounds of 95 %.",
            svg=human_chart(human),
            text=human.sentence,
        ),
        Table(
            caption=f"{human.judgements:,} judgements of {human.cases:,} cases by {human.people:,} people",
            columns=(Column(title="Who"), Column(title="Wrong", form="percent")),
            rows=tuple((name, error) for name, error in named if error is not None),
        ),
        *alpha_text(human.agreement),
    ]


def alpha_text(agreement: Evidence | None) -> tuple[Text, ...]:
    """How far people agree, where two judged the same case."""
    if agreement is None:
        return ()
    said = (
        f"Krippendorff's alpha, the agreement beyond chance, is {agreement.estimate:.2f} "
        f"({agreement.lower:.2f} to {agreement.upper:.2f}); 1 is full agreement."
    )
    return (Text(text=said, soft=True),)
