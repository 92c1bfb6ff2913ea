"""The go-live checks: what a version must pass before it meets a case."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from understudy.core.nouns import Check
from understudy.evaluation.measures import METRICS
from understudy.evaluation.report import Evaluation
from understudy.evaluation.words import with_bounds

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
    evaluation: Evaluation, *, leaks: Iterable[str], used: Iterable[str], agreement: Agreement, muted: Iterable[str]
) -> tuple[Check, ...]:
    """Check a version.

    Parameters
    ----------
    evaluation : Evaluation
        Its figures on the test part.
    leaks : iterable of str
        Columns that are suspected to give the answer away.
    used : iterable of str
        The columns that it uses.
    agreement : Agreement
    muted : iterable of str
        Codes of checks that may fail without blocking.
    """
    checks = (
        beats_baseline(evaluation),
        calibrated(evaluation),
        without_leaks(tuple(leaks), frozenset(used)),
        serves_as_trained(agreement),
    )
    silent = frozenset(muted)
    return tuple(mute(check) if check.code in silent else check for check in checks)


def passed(checks: Iterable[Check]) -> bool:
    """Whether no check failed."""
    return all(check.verdict != "fail" for check in checks)


def mute(check: Check) -> Check:
    """A failed check as a warning, because the task file says so."""
    if check.verdict != "fail":
        return check
    return msgspec.structs.replace(check, verdict="warn", detail=f"Muted in the task file. {check.detail}")


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
    )


def calibrated(evaluation: Evaluation) -> Check:
    """US002: its confidence means what it says."""
    error = evaluation.calibration_error
    figures = {"error": error.estimate, "lower": error.lower, "upper": error.upper, "limit": MOST_MISCALIBRATED}
    name = "Calibrated"
    held = evaluation.interval_coverage
    if error.lower > MOST_MISCALIBRATED:
        detail = f"The calibration error is {with_bounds(error)}, above {MOST_MISCALIBRATED}."
        if held is not None and held.upper >= INTERVAL_CONFIDENCE - MOST_MISCALIBRATED:
            detail += f" Its 90 % intervals do hold the truth in {with_bounds(held)} of cases."
            return Check(code="US002", name=name, verdict="warn", detail=detail, figures=figures)
        return Check(code="US002", name=name, verdict="fail", detail=detail, figures=figures)
    if held is not None and held.upper < INTERVAL_CONFIDENCE - MOST_MISCALIBRATED:
        detail = f"Its 90 % intervals hold the truth in only {with_bounds(held)} of cases."
        return Check(code="US002", name=name, verdict="fail", detail=detail, figures=figures)
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
    )


def serves_as_trained(agreement: Agreement) -> Check:
    """US004: what is served equals what was trained, on ordinary and on dirty rows."""
    largest = float(np.max([agreement.compiled or 0.0, agreement.paths]))  # NaN if either is
    where = f"on {agreement.held_out:,} held-out and {agreement.dirty:,} dirty rows"
    figures = {"largest": largest, "held_out": float(agreement.held_out), "dirty": float(agreement.dirty)}
    name = "Serves what was trained"
    if not np.isfinite(largest):
        reason = agreement.reason.rstrip(".") or "it gives answers that are no numbers"
        return Check(code="US004", name=name, verdict="fail", detail=f"Serving fails {where}: {reason}.")
    if largest > MOST_DIFFERENT:
        detail = f"Serving differs from training by up to {largest:.2g} {where}."
        return Check(code="US004", name=name, verdict="fail", detail=detail, figures=figures)
    same = f"equal within {largest:.1g} {where}"
    if agreement.compiled is None:
        detail = f"Served natively ({agreement.reason}); row by row and by columns {same}."
        return Check(code="US004", name=name, verdict="warn", detail=detail, figures=figures)
    return Check(code="US004", name=name, verdict="pass", detail=f"Trained and served are {same}.", figures=figures)
