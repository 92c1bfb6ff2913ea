"""Reports of each kind, from invented test parts."""

from collections.abc import Callable

import numpy as np
import pytest

from understudy.evaluation.checks import Agreement, go_live_checks
from understudy.evaluation.report import Evaluation, Report, TestPart, evaluate

NASTY = '<script>alert("1")</script>'


def judged(k: int) -> Evaluation:
    """The evaluation of a calibrated classifier of k classes, or of numbers where k is 0."""
    rng = np.random.default_rng(0)
    given = {"baseline_name": f"always {NASTY}", "hard": False}
    if k:
        p = rng.dirichlet(np.full(k, 0.4), 900)
        y = np.minimum((p.cumsum(axis=1) > rng.random((900, 1))).argmax(axis=1), k - 1)
        part = TestPart(y=y, scores=p, confidence=p.max(axis=1), baseline=np.full((900, k), 1 / k), **given)
        return evaluate(part, kind="classification", goal="log_loss", seed=0)
    predicted = rng.gamma(2, 100, 900)
    y = predicted + rng.normal(0, 40, 900)
    part = TestPart(
        y=y,
        scores=predicted[:, None],
        confidence=np.full(900, 0.68),
        baseline=np.full((900, 1), 200.0),
        tolerance=40.0,
        inside=np.abs(y - predicted) < 66,
        **given,
    )
    return evaluate(part, kind="regression", goal="rmse", seed=0)


def report_of(k: int, **changes: object) -> Report:
    evaluation = changes.pop("evaluation", None) or judged(k)
    agreement = Agreement(compiled=None, paths=0.0, held_out=10, dirty=5, reason=NASTY)
    column = {"kind": "category", "missing": 0.1, "distinct": 3, "note": NASTY, "summary": NASTY}
    trial = {"recipe": "forest", "params": {NASTY: NASTY, "depth": 4}, "score": 0.4, "seconds": 1.0}
    given = {
        "task": NASTY,
        "question": NASTY,
        "target": f"{NASTY} > 15",
        "kind": "classification" if k else "regression",
        "labels": tuple(f"{NASTY}{i}" for i in range(k)),
        "goal": "log_loss" if k else "rmse",
        "max_error": 0.05,
        "confidence": 0.95,
        "version": "ab" * 32,
        "recipe": "Random forest",
        "params": {"note": NASTY, "depth": 4},
        "served": "native",
        "reason": NASTY,
        "rows": {"train": 3000, "validation": 900, "test": 900, "history": 900},
        "scheme": "time",
        "without_answer": 3,
        "quarantined": 2,
        "seed": 0,
        "snapshot": "cd" * 32,
        "source": f"{NASTY}.csv",
        "evaluation": evaluation,
        "checks": go_live_checks(evaluation, leaks=[NASTY], used=[], agreement=agreement, muted=[]),
        "leaderboard": ({**trial, "state": "complete"}, {**trial, "score": None, "state": "failed"}),
        "columns": ({**column, "name": NASTY, "used": True}, {**column, "name": f"{NASTY} out", "used": False}),
        "libraries": {"numpy": "2.4.0"},
        "seconds": 3.2,
    }
    return Report(**{**given, **changes})


@pytest.fixture(scope="session")
def make_report() -> Callable[..., Report]:
    return report_of


@pytest.fixture(scope="session", params=[0, 2, 4, 9], ids=["numbers", "two", "four", "nine"])
def report(request: pytest.FixtureRequest) -> Report:
    return report_of(request.param)
