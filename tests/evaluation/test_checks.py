"""Each check's verdict follows from its figures."""

import msgspec
import numpy as np
import pytest

from understudy.core.evidence import Evidence
from understudy.core.nouns import Check
from understudy.core.task import Mute
from understudy.evaluation.checks import (
    Agreement,
    beats_baseline,
    calibrated,
    go_live_checks,
    passed,
    serves_as_trained,
    without_leaks,
)
from understudy.evaluation.report import Evaluation, TestPart, evaluate

SAME = Agreement(compiled=2e-7, paths=0.0, held_out=500, dirty=40)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    rng = np.random.default_rng(0)
    positive = rng.beta(1, 1, 3000)
    p = np.column_stack([1 - positive, positive])
    y = (rng.random(3000) < positive).astype(np.int64)
    part = TestPart(
        y=y, scores=p, confidence=p.max(axis=1), baseline=np.full_like(p, 0.5), baseline_name="a coin", hard=False
    )
    return evaluate(part, kind="classification", goal="roc_auc", seed=0)


def evidence(estimate: float, lower: float, upper: float) -> Evidence:
    return Evidence(estimate=estimate, lower=lower, upper=upper, confidence=0.95, n=100, method="given")


def test_a_good_version_passes_all_checks(evaluation: Evaluation) -> None:
    checks = go_live_checks(evaluation, leaks=["answer"], used=["age"], agreement=SAME, muted=[])
    assert [(check.code, check.verdict) for check in checks] == [(f"US00{i}", "pass") for i in range(1, 5)]
    assert passed(checks)


@pytest.mark.parametrize(
    ("lower", "upper", "verdict", "words"),
    [
        (0.01, 0.05, "pass", "Better than a coin"),
        (-0.01, 0.05, "fail", "Not shown to be better than a coin"),
        (0.0, 0.0, "fail", "Not shown"),
        (-0.05, -0.01, "fail", "Worse than a coin"),
    ],
)
def test_it_must_beat_the_baseline_beyond_chance(
    evaluation: Evaluation, lower: float, upper: float, verdict: str, words: str
) -> None:
    gain = evidence((lower + upper) / 2, lower, upper)
    baseline = msgspec.structs.replace(evaluation.baseline, gain=gain)
    check = beats_baseline(msgspec.structs.replace(evaluation, baseline=baseline))
    assert check.verdict == verdict
    assert words in check.detail
    assert check.figures == {"gain": gain.estimate, "lower": lower, "upper": upper}


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"), [(0.0, 0.03, "pass"), (0.01, 0.09, "warn"), (0.06, 0.09, "fail")]
)
def test_confidence_must_mean_what_it_says(evaluation: Evaluation, lower: float, upper: float, verdict: str) -> None:
    error = evidence((lower + upper) / 2, lower, upper)
    assert calibrated(msgspec.structs.replace(evaluation, calibration_error=error)).verdict == verdict


@pytest.mark.parametrize(
    ("error", "held", "verdict"),
    [
        ((0.01, 0.0, 0.03), (0.90, 0.88, 0.92), "pass"),
        ((0.01, 0.0, 0.03), (0.70, 0.66, 0.74), "fail"),  # intervals that are far too narrow
        ((0.09, 0.07, 0.11), (0.90, 0.88, 0.92), "warn"),  # intervals hold, the tolerance's confidence does not
        ((0.09, 0.07, 0.11), (0.70, 0.66, 0.74), "fail"),
    ],
)
def test_intervals_of_numbers_must_hold_the_truth(
    evaluation: Evaluation, error: tuple[float, ...], held: tuple[float, ...], verdict: str
) -> None:
    changed = msgspec.structs.replace(evaluation, calibration_error=evidence(*error), interval_coverage=evidence(*held))
    assert calibrated(changed).verdict == verdict


def test_a_leak_that_is_used_fails_and_is_named() -> None:
    check = without_leaks(("refund", "status"), frozenset({"age", "status"}))
    assert check.verdict == "fail"
    assert "status" in check.detail
    assert check.figures == {"suspected": 2.0, "used": 1.0}


def test_leaks_that_are_left_out_are_listed() -> None:
    check = without_leaks(("refund", "status"), frozenset({"age"}))
    assert check.verdict == "pass"
    assert "refund, status" in check.detail


@pytest.mark.parametrize(
    ("compiled", "paths", "verdict", "words"),
    [
        (9e-6, 0.0, "pass", "500 held-out and 40 dirty rows"),
        (2e-5, 0.0, "fail", "differs from training by up to 2e-05"),
        (0.0, 2e-5, "fail", "differs"),
        (None, 0.0, "warn", "Served natively (no converter)"),
        (None, 1e-4, "fail", "differs"),
        (float("nan"), 0.0, "fail", "Serving fails"),
        (0.0, float("nan"), "fail", "Serving fails"),
        (None, float("inf"), "fail", "Serving fails"),
    ],
)
def test_what_is_served_must_be_what_was_trained(
    compiled: float | None, paths: float, verdict: str, words: str
) -> None:
    check = serves_as_trained(Agreement(compiled=compiled, paths=paths, held_out=500, dirty=40, reason="no converter"))
    assert check.verdict == verdict
    assert words in check.detail
    assert all(np.isfinite(list(check.figures.values())))


def test_a_muted_check_warns_and_says_that_it_is_muted(evaluation: Evaluation) -> None:
    checks = go_live_checks(
        evaluation,
        leaks=["age"],
        used=["age"],
        agreement=SAME,
        muted=[Mute(code="US003", why="known"), Mute(code="US001", why="known")],
    )
    by_code = {check.code: check for check in checks}
    assert by_code["US003"].verdict == "warn"
    assert by_code["US003"].detail.startswith("Muted")
    assert by_code["US001"].verdict == "pass"
    assert passed(checks)


def test_a_warning_does_not_block_and_a_failure_does() -> None:
    check = Check(code="US001", name="", verdict="warn", detail="")
    assert passed([check])
    assert not passed([check, msgspec.structs.replace(check, verdict="fail")])
