"""Go-live checks of what happens to its answers when inputs, seeds or folds are other ones."""

from __future__ import annotations

from understudy.core.nouns import Check
from understudy.evaluation.checks_fairness import in_percent
from understudy.evaluation.robustness_found import BRITTLE, HARM, SURE, Robustness, Shaken
from understudy.evaluation.stability import Stability

MOST_BRITTLE = 0.05
"""So many sure answers changing under tiny noise is a defect."""
MEASURED = 0.05
"""Noise as measurements have it, in units of spread; what more noise does is told and not judged."""
MOST_CHURN = 0.1
SPREAD_P = 0.01
MOST_NAMED = 3


def robustness_checks(found: Robustness) -> tuple[Check, ...]:
    """US009 to US012.

    Parameters
    ----------
    found : Robustness
    """
    return (steady_under_noise(found), bears_missing(found), bears_words(found), sure_answers_hold(found))


def steady_under_noise(found: Robustness) -> Check:
    """US009: noise as measurements have it does not make it much worse."""
    name = "Bears noise"
    shaken = [one for one in found.of("noise") if one.strength <= MEASURED and one.harm is not None]
    if not shaken:
        return Check(code="US009", name=name, verdict="pass", detail="It takes no numbers.", severity="note")
    worst = shaken[-1]
    return harm_check("US009", name, worst, harmful([worst]), "Smooth the model, or measure these numbers better")


def harm_check(code: str, name: str, worst: Shaken, harmed: list[Shaken], advice: str) -> Check:
    """The check over ways of shaking, told by the worst of them."""
    harm, changed = worst.harm, worst.changed
    assert harm is not None  # noqa: S101  only ways that left answers are told
    assert changed is not None  # noqa: S101
    named = "; ".join(one.words for one in harmed[:MOST_NAMED])
    more = f" and {len(harmed) - MOST_NAMED} more" if len(harmed) > MOST_NAMED else ""
    start = f"Wrong more often by over {HARM:.0%}, beyond chance: {named}{more}. " if harmed else ""
    detail = (
        f"{start}Most with {worst.words}: {changed.estimate:.1%} of the answers change, wrong more often by "
        f"{in_percent(harm)}."
    )
    return Check(
        code=code,
        name=name,
        verdict="warn" if harmed else "pass",
        detail=detail,
        figures={"changed": changed.estimate, "harm": harm.estimate, "lower": harm.lower, "upper": harm.upper},
        severity="warning",
        subjects=tuple(one.subject for one in harmed),
        advice=advice if harmed else "",
    )


def harmful(shaken: list[Shaken]) -> list[Shaken]:
    """Ways that are shown to make it wrong much more often."""
    return [one for one in shaken if one.harm is not None and one.harm.lower > HARM]


def most_harmful(shaken: list[Shaken]) -> Shaken:
    """The way that makes it wrong most surely."""
    return max(shaken, key=lambda one: (0.0 if one.harm is None else one.harm.estimate, one.words))


def bears_missing(found: Robustness) -> Check:
    """US010: without a column, or without some cells, it refuses or is still as good."""
    name = "Bears missing columns"
    lost = found.of("lost column", "lost cells")
    refusing = [one for one in lost if one.way == "lost column" and not one.n]
    answered = [one for one in lost if one.harm is not None]
    required = f"Without {len(refusing)} of its columns every case is refused, and said why. " if refusing else ""
    if not answered:
        return Check(
            code="US010",
            name=name,
            verdict="pass",
            detail=f"{required}None of them may be empty.",
            figures={"refused": float(len(refusing))},
            severity="warning",
        )
    worst = most_harmful(answered)
    told = harm_check("US010", name, worst, harmful(answered), "Let the contract refuse cases without these columns")
    return replaced(told, detail=f"{required}{told.detail}", figures={**told.figures, "refused": float(len(refusing))})


def replaced(check: Check, *, detail: str, figures: dict[str, float]) -> Check:
    """The check with other words and figures."""
    return Check(
        code=check.code,
        name=check.name,
        verdict=check.verdict,
        detail=detail,
        figures=figures,
        severity=check.severity,
        subjects=check.subjects,
        advice=check.advice,
    )


def bears_words(found: Robustness) -> Check:
    """US011: typos, values never seen, capitals and blanks do not make it much worse; blanks change nothing."""
    name = "Bears typos and new values"
    blanks = [one for one in found.of("blanks") if one.changed is not None and one.changed.estimate > 0]
    shaken = [one for one in found.of("typo", "unseen", "case", "blanks") if one.harm is not None]
    if not shaken:
        detail = "It takes no words."
        return Check(code="US011", name=name, verdict="pass", detail=detail, severity="note")
    if blanks:
        changed = blanks[0].changed
        assert changed is not None  # noqa: S101  it was asked for above
        return Check(
            code="US011",
            name=name,
            verdict="fail",
            detail=f"Blanks around words, which mean nothing, change {changed.estimate:.1%} of the answers.",
            figures={"changed": changed.estimate, "lower": changed.lower, "upper": changed.upper},
            subjects=("blanks",),
            advice="Read the words without the blanks around them",
        )
    worst = most_harmful(shaken)
    return harm_check("US011", name, worst, harmful(shaken), "Bring words into one form, or send new values to people")


def sure_answers_hold(found: Robustness) -> Check:
    """US012: an answer that it is sure of does not hang on next to nothing."""
    name = "Sure answers hold under tiny noise"
    sure = found.sure
    if sure is None:
        detail = "It takes no numbers." if not found.bands else f"It is never surer than {SURE:.0%}."
        return Check(code="US012", name=name, verdict="pass", detail=detail, severity="note")
    changed = sure.changed
    figures = {"changed": changed.estimate, "lower": changed.lower, "upper": changed.upper, "n": float(sure.n)}
    start = f"Noise of {found.tiny:.0%} of the spread changes {in_percent(changed)} of the {sure.n:,} answers"
    detail = f"{start} with a confidence of {SURE:.0%} or more."
    if changed.lower > BRITTLE:
        verdict = "fail" if changed.lower > MOST_BRITTLE else "warn"
        return Check(
            code="US012",
            name=name,
            verdict=verdict,  # type: ignore[arg-type]
            detail=detail,
            figures=figures,
            advice="Smooth the model: fewer leaves, more rows in each, or a blend",
        )
    return Check(code="US012", name=name, verdict="pass", detail=detail, figures=figures)


def stability_checks(found: Stability) -> tuple[Check, ...]:
    """US013: folds do not differ beyond chance, and another seed gives the same answers."""
    name = "Stable across folds and seeds"
    spread, churn = found.spread, found.churn
    if spread is None and churn is None:
        detail = "Nothing was measured: there are no folds, and it was not fitted again."
        return (Check(code="US013", name=name, verdict="pass", detail=detail, severity="note"),)
    said: list[str] = []
    figures: dict[str, float] = {}
    advice = ""
    if spread is not None:
        differ = spread.p < SPREAD_P
        figures |= {"folds": float(len(spread.folds)), "p": spread.p, "between": spread.between}
        low, high = (pick(fold.loss.estimate for fold in spread.folds) for pick in (min, max))
        chance = "more than chance explains" if differ else "no more than chance explains"
        said.append(
            f"The mean loss of {len(spread.folds)} folds lies between {low:.3g} and {high:.3g}, {chance} "
            f"(p = {spread.p:.2g})."
        )
        if differ:
            advice = "See which fold stands out: in time, the world may have changed"
    if churn is not None:
        figures |= {"churn": churn.changed.estimate, "churn_lower": churn.changed.lower}
        said.append(f"Another seed changes {in_percent(churn.changed)} of the answers.")
        if churn.changed.lower > MOST_CHURN:
            advice = "Average several fits, or take a larger blend: then answers change less from version to version"
    return (
        Check(
            code="US013",
            name=name,
            verdict="warn" if advice else "pass",
            detail=" ".join(said),
            figures=figures,
            severity="warning",
            advice=advice,
        ),
    )
