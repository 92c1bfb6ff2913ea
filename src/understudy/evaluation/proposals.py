"""What findings lead to: checks that a version passes or fails, and things that could be done about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from understudy.core.nouns import Check
from understudy.evaluation.actions import Action
from understudy.evaluation.checks import check_actions
from understudy.evaluation.checks_fairness import bias_check, fairness_checks
from understudy.evaluation.checks_robustness import robustness_checks, stability_checks
from understudy.evaluation.diagnosis_actions import diagnosis_actions
from understudy.evaluation.explanations import explanation_actions
from understudy.evaluation.fairness import fairness_actions
from understudy.evaluation.findings import Findings
from understudy.evaluation.label_actions import label_actions
from understudy.evaluation.measure_actions import measure_actions
from understudy.evaluation.measured import Measures
from understudy.evaluation.part import TestPart
from understudy.evaluation.robustness_found import robustness_actions
from understudy.evaluation.slice_actions import slice_actions
from understudy.evaluation.stages import stage_actions
from understudy.evaluation.validation_curve import enough

FAIRNESS = {
    "US006": "No group is shown to bear more errors",
    "US007": "Calibrated in each group",
    "US008": "No intersection is shown to bear more errors",
}
ROBUSTNESS = {
    "US009": "Bears noise",
    "US010": "Bears missing columns",
    "US011": "Bears typos and new values",
    "US012": "Sure answers hold under tiny noise",
}


def checks_of(findings: Findings, part: TestPart) -> tuple[Check, ...]:
    """The go-live checks that rest on findings, US005 to US013.

    Parameters
    ----------
    findings : Findings
    part : TestPart
        What happened on the test part.
    """
    left = findings.left_out
    return (
        bias_check(part, findings.bias),
        *(not_made(FAIRNESS, left["fairness"]) if "fairness" in left else fairness_checks(findings.fairness)),
        *(not_made(ROBUSTNESS, left["robustness"]) if "robustness" in left else ()),
        *(() if findings.robustness is None else robustness_checks(findings.robustness)),
        *(() if findings.stability is None else stability_checks(findings.stability)),
    )


def not_made(names: Mapping[str, str], why: str) -> tuple[Check, ...]:
    """Checks that could not be made: nobody may take them for passed."""
    return tuple(
        Check(code=code, name=name, verdict="warn", severity="warning", detail=f"It could not be made: {why}")
        for code, name in names.items()
    )


def actions_of(
    findings: Findings,
    *,
    checks: Iterable[Check],
    measures: Measures | None,
    labels: tuple[str, ...],
    inputs: tuple[str, ...],
) -> tuple[Action, ...]:
    """Everything that could be done about a version, in no order; see `understudy.evaluation.worklist`.

    Parameters
    ----------
    findings : Findings
    checks : iterable of Check
        The version's go-live checks.
    measures : Measures, optional
    labels : tuple of str
        The classes; empty for numbers.
    inputs : tuple of str
        The columns that a live case has.
    """
    people = findings.people
    found = [
        *check_actions(checks),
        *measure_actions(measures, labels, findings.bias),
        *label_actions(findings.errors, findings.numbers, findings.conflicts, findings.human),
        *fairness_actions(findings.fairness),
    ]
    if findings.slices is not None:
        known = None if people is None else people.estimate
        found += slice_actions(findings.slices, inputs=inputs, learned=findings.learned, people=known)
    if findings.diagnosis is not None:
        found += diagnosis_actions(findings.diagnosis)
    if findings.stages is not None:
        found += stage_actions(findings.stages)
    if findings.explanations is not None:
        found += explanation_actions(findings.explanations, refitted=refitted_without(findings))
    if findings.robustness is not None:
        found += robustness_actions(findings.robustness)
    return tuple(found)


def refitted_without(findings: Findings) -> frozenset[str]:
    """The columns without which the version was fitted again, on rows enough to go by."""
    tried = None if findings.diagnosis is None else findings.diagnosis.ablation
    if tried is None or not enough(tried.rows, tried.now):
        return frozenset()
    return frozenset(column for one in tried.drops for column in one.columns)
