"""Columns that a refit has told of are not asked about again, and a part to spare promises nothing but simplicity."""

import pytest

from understudy.core.evidence import Evidence
from understudy.evaluation.ablation import Ablation, Drop, Worth
from understudy.evaluation.diagnosis import Diagnosis
from understudy.evaluation.explanations import Explanations
from understudy.evaluation.findings import Findings
from understudy.evaluation.importance import Importance, Importances
from understudy.evaluation.proposals import actions_of


def evidence(estimate: float, half: float) -> Evidence:
    return Evidence(
        estimate=estimate, lower=estimate - half, upper=estimate + half, confidence=0.95, n=900, method="invented"
    )


def importance(name: str, estimate: float) -> Importance:
    return Importance(columns=(name,), metric=evidence(estimate, 0.01), wrong=evidence(estimate, 0.01))


def drop(name: str, worth: Worth, harm: float) -> Drop:
    bounds = evidence(harm, 0.004)
    return Drop(piece="column", name=name, columns=(name,), harm=bounds, metric=bounds, worth=worth)


def findings(rows: int, *drops: Drop) -> Findings:
    """A model that rests on `amount`, while `shoe`, `hat` and `coat` are not shown to matter."""
    columns = tuple(importance(*one) for one in (("amount", 0.2), ("coat", 0.005), ("hat", 0.002), ("shoe", 0.0)))
    found = Importances(
        metric="accuracy", title="Accuracy", value=0.9, whole=evidence(0.3, 0.02), columns=columns, together=(),
        rows=900, repeats=3,
    )  # fmt: skip
    tried = Ablation(metric="accuracy", error=0.1, drops=drops, rows=rows, now=1000, confidence=0.95, margin=0.005)
    return Findings(
        explanations=Explanations(importances=found, effects=()),
        diagnosis=Diagnosis(verdict="noise floor", sentence="It is.", ablation=tried),
    )


def told(found: Findings) -> dict[str, tuple[str, float | None]]:
    made = actions_of(found, checks=(), measures=None, labels=("no", "yes"), inputs=("amount", "coat", "hat", "shoe"))
    return {one.subject: (one.what, None if one.gain is None else one.gain.estimate) for one in made}


@pytest.mark.parametrize(
    ("rows", "drops", "rest"),
    [
        (1000, (), "shoe, hat and coat"),
        (1000, (drop("shoe", "spare", -0.002), drop("hat", "needed", 0.01)), "coat"),
        (300, (drop("shoe", "spare", -0.002),), "shoe, hat and coat"),  # fitted on too few rows to go by
    ],
)
def test_what_a_refit_tells_takes_precedence(rows: int, drops: tuple[Drop, ...], rest: str) -> None:
    assert told(findings(rows, *drops))["columns not shown to matter"] == (f"Try it without {rest}", None)


def test_a_harmful_part_wins_what_it_harms_and_one_to_spare_promises_nothing() -> None:
    made = told(findings(1000, drop("coat", "harmful", -0.02), drop("shoe", "spare", -0.002)))
    assert made["coat"] == ("Leave out coat", 0.02)
    assert made["shoe"] == ("Leave out shoe", None)
