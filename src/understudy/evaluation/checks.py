"""The go-live checks: what a version must pass before it meets a case."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import numpy as np

from understudy.core.nouns import Check
from understudy.core.task import Mute
from understudy.evaluation.actions import Action
from understudy.evaluation.checks_release import release_checks
from understudy.evaluation.measures import METRICS
from understudy.evaluation.release import Release
from understudy.evaluation.report import Evaluation
from understudy.evaluation.words import with_bounds

LEAKS = ("US003", "US021")
QUICK = ("US003",)
"""What is mended by a line in the task file."""

MOST_MISCALIBRATED = 0.05
MOST_DIFFERENT = 1e-5
INTERVAL_CONFIDENCE = 0.9


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """How far training and serving lie apart.

    Attributes
    ----------
    compiled : float, optional
        The largest difference between the trained and the compiled model, or None where it is served natively.
    paths : float
        The largest difference between answering row by row and answering by columns.
    held_out, dirty : int
        How many rows were compared.
    reason : str
        Why it is served natively.
    """

    compiled: float | None
    paths: float
    held_out: int
    dirty: int
    reason: str = ""


def go_live_checks(
    evaluation: Evaluation,
    *,
    leaks: Iterable[str],
    used: Iterable[str],
    agreement: Agreement,
    muted: Iterable[Mute],
    release: Release | None = None,
    extra: Iterable[Check] = (),
) -> tuple[Check, ...]:
    """Check a version: every check, by its code.

    Parameters
    ----------
    evaluation : Evaluation
        Its figures on the test part.
    leaks : iterable of str
        Columns that are suspected to give the answer away.
    used : iterable of str
        The columns that it uses.
    agreement : Agreement
    muted : iterable of Mute
        Checks that may fail without blocking.
    release : Release, optional
        What the checks of the release rest on; None leaves them out.
    extra : iterable of Check
        Checks that were made elsewhere.
    """
    checks = (
        beats_baseline(evaluation),
        calibrated(evaluation),
        without_leaks(tuple(leaks), frozenset(used)),
        serves_as_trained(agreement),
        *(() if release is None else release_checks(release)),
        *extra,
    )
    silent = {mute.code: mute for mute in muted}
    heard = (silenced(check, silent[check.code]) if check.code in silent else check for check in checks)
    return tuple(sorted(heard, key=lambda check: check.code))


def passed(checks: Iterable[Check], overridden: Collection[str] = ()) -> bool:
    """Whether no check blocks, those aside whose codes are overridden."""
    return not any(check.blocks and check.code not in overridden for check in checks)


def silenced(check: Check, mute: Mute) -> Check:
    """A failed check as a warning, because the task file says so."""
    if check.verdict != "fail":
        return check
    until = f", until {mute.until}" if mute.until else ""
    said = f"Muted in the task file ({mute.why.rstrip('.')}{until}). {check.detail}"
    return msgspec.structs.replace(check, verdict="warn", severity="warning", detail=said)


def check_actions(checks: Iterable[Check]) -> tuple[Action, ...]:
    """What failed checks ask for, each as a row of the worklist that stands before all others.

    A leak is one row for each column, so that the worklist names it.
    """
    made = []
    for check in checks:
        if not check.blocks:
            continue
        each = check.subjects if check.code == "US003" and check.subjects else ("",)
        for subject in each:
            what = f"Learn without {subject}: take it out of [task] use" if subject else check.advice
            made.append(
                Action(
                    kind="fix leak" if check.code in LEAKS else "fix check",
                    subject=subject or f"{check.code} {check.name}",
                    what=what or f"See to what {check.code} ({check.name}) names",
                    why=f"{check.code} {check.name} failed: {check.detail}",
                    effort="minutes" if check.code in QUICK else "hours",
                    chapter="checks",
                    blocking=True,
                )
            )
    return tuple(made)


def beats_baseline(evaluation: Evaluation) -> Check:
    """US001: it is better than what decides today, beyond chance."""
    baseline = evaluation.baseline
    gain, metric = baseline.gain, METRICS[baseline.metric]
    if gain.lower > 0:
        detail = f"Better than {baseline.name} by {with_bounds(gain)} in {metric.title}."
    elif gain.upper < 0:
        detail = f"Worse than {baseline.name}: the gain in {metric.title} is {with_bounds(gain)}."
    else:
        detail = f"Not shown to be better than {baseline.name}: the gain in {metric.title} is {with_bounds(gain)}."
    return Check(
        code="US001",
        name="Beats today's baseline",
        verdict="pass" if gain.lower > 0 else "fail",
        detail=detail,
        figures={"gain": gain.estimate, "lower": gain.lower, "upper": gain.upper},
        advice="" if gain.lower > 0 else "Give it more rows or columns that tell more, or leave the decision as it is",
    )


def calibrated(evaluation: Evaluation) -> Check:
    """US002: its confidence means what it says."""
    error = evaluation.calibration_error
    figures = {"error": error.estimate, "lower": error.lower, "upper": error.upper, "limit": MOST_MISCALIBRATED}
    name, advice = "Calibrated", "Calibrate it on newer rows, or find the slice in which its confidence is wrong"
    held = evaluation.interval_coverage
    if error.lower > MOST_MISCALIBRATED:
        detail = f"The calibration error is {with_bounds(error)}, above {MOST_MISCALIBRATED}."
        if held is not None and held.upper >= INTERVAL_CONFIDENCE - MOST_MISCALIBRATED:
            detail += f" Its 90 % intervals do hold the truth in {with_bounds(held)} of cases."
            return Check(code="US002", name=name, verdict="warn", detail=detail, figures=figures)
        return Check(code="US002", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    if held is not None and held.upper < INTERVAL_CONFIDENCE - MOST_MISCALIBRATED:
        detail = f"Its 90 % intervals hold the truth in only {with_bounds(held)} of cases."
        return Check(code="US002", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    if error.upper > MOST_MISCALIBRATED:
        detail = f"The calibration error is {with_bounds(error)}: too few rows to know it below {MOST_MISCALIBRATED}."
        return Check(code="US002", name=name, verdict="warn", detail=detail, figures=figures)
    detail = f"The calibration error is {with_bounds(error)}, below {MOST_MISCALIBRATED}."
    return Check(code="US002", name=name, verdict="pass", detail=detail, figures=figures)


def without_leaks(leaks: tuple[str, ...], used: frozenset[str]) -> Check:
    """US003: no column that it uses gives the answer away."""
    taken = [column for column in leaks if column in used]
    left = [column for column in leaks if column not in used]
    if taken:
        detail = f"It uses {', '.join(taken)}, which alone predicts the target almost perfectly."
    elif left:
        detail = f"Left out, because each alone predicts the target almost perfectly: {', '.join(left)}."
    else:
        detail = "No column alone predicts the target almost perfectly."
    return Check(
        code="US003",
        name="No suspected leak",
        verdict="fail" if taken else "pass",
        detail=detail,
        figures={"suspected": float(len(leaks)), "used": float(len(taken))},
        subjects=tuple(taken or left),
        advice=f"Take {', '.join(taken)} out of [task] use, and learn again" if taken else "",
    )


def serves_as_trained(agreement: Agreement) -> Check:
    """US004: what is served equals what was trained, on ordinary and on dirty rows."""
    largest = float(np.max([agreement.compiled or 0.0, agreement.paths]))  # NaN if either is
    where = f"on {agreement.held_out:,} held-out and {agreement.dirty:,} dirty rows"
    figures = {"largest": largest, "held_out": float(agreement.held_out), "dirty": float(agreement.dirty)}
    name, advice = "Serves what was trained", "Report what it cannot serve, or leave the recipe out with --recipes"
    if not np.isfinite(largest):
        reason = agreement.reason.rstrip(".") or "it gives answers that are no numbers"
        detail = f"Serving fails {where}: {reason}."
        return Check(code="US004", name=name, verdict="fail", detail=detail, advice=advice)
    if largest > MOST_DIFFERENT:
        detail = f"Serving differs from training by up to {largest:.2g} {where}."
        return Check(code="US004", name=name, verdict="fail", detail=detail, figures=figures, advice=advice)
    same = f"equal within {largest:.1g} {where}"
    if agreement.compiled is None:
        detail = f"Served natively ({agreement.reason}); row by row and by columns {same}."
        return Check(code="US004", name=name, verdict="warn", detail=detail, figures=figures)
    return Check(code="US004", name=name, verdict="pass", detail=f"Trained and served are {same}.", figures=figures)
