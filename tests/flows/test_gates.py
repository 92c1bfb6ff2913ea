"""What a gate begins with: held-out rows of which the truth is known, and no others."""

import numpy as np
import polars as pl
import pytest

from understudy.autonomy.promise import History, gate_plan
from understudy.core.task import Autonomy, Decision, Task, Truth
from understudy.evidence.gate import certified, how_far
from understudy.flows.gates import begin_gate, past_losses

DECISION = Decision(name="loans", question="Grant?", target="repaid", kind="classification", goal="roc_auc")
OPEN = Task(decision=DECISION, autonomy=Autonomy(max_error=0.1, confidence=0.95))
HIDING = Task(
    decision=DECISION, truth=Truth(hides_outcome=("refuse",)), autonomy=Autonomy(max_error=0.1, confidence=0.95)
)
ROWS = pl.DataFrame(
    {
        "prediction": ["grant", "refuse"] * 400,
        "label": ["grant", "refuse"] * 400,  # never wrong, by what was seen of granted loans
        "decided": ["grant"] * 800,
    }
)


def history(task: Task, rows: pl.DataFrame = ROWS) -> History:
    rng = np.random.default_rng(1)
    sides = np.array(rows["prediction"].to_list(), dtype=object)
    return History(side=sides, confidence=rng.random(rows.height), loss=np.array(past_losses(task, rows)))


def progress(task: Task, rows: pl.DataFrame = ROWS) -> dict[str, float]:
    """How far each side's history has brought it, of the way to a certificate."""
    past = history(task, rows)
    plan = gate_plan(task, past, 0.05)
    gate = begin_gate(plan, past)
    assert certified(gate, plan) == {}
    return {side: far.best for side, far in how_far(gate, plan).items()}


def test_history_warms_no_answer_whose_outcome_would_be_hidden() -> None:
    assert progress(OPEN) == pytest.approx({"grant": 0.5, "refuse": 0.5}, abs=0.02)  # κ, the square root of the goal
    assert progress(HIDING) == pytest.approx({"grant": 0.5, "refuse": 0.0}, abs=0.02)


def test_rows_that_people_refused_tell_nothing_whatever_stands_there() -> None:
    refused = ROWS.with_columns(decided=pl.lit("refuse"))
    assert np.isnan(past_losses(HIDING, refused)).all()
    assert progress(HIDING, refused) == pytest.approx({"grant": 0.0, "refuse": 0.0}, abs=0.02)
    assert not np.isnan(past_losses(OPEN, refused)).any()


def test_what_was_decided_need_not_be_known() -> None:
    unknown = ROWS.with_columns(decided=pl.lit(None, dtype=pl.String))
    assert np.isnan(past_losses(HIDING, unknown)).tolist() == [False, True] * 400


def test_the_grid_still_has_both_answers() -> None:
    plan = gate_plan(HIDING, history(HIDING), 0.05)
    assert plan.sides == ("grant", "refuse")
    assert all(len(grid) > 5 for grid in plan.grid)
