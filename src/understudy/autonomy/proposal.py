"""What the evidence asks for: a step up, a step down, other thresholds, or nothing."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task
from understudy.evidence.budget import Spent
from understudy.evidence.gate import Distance


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence of an epoch says of its champion.

    Attributes
    ----------
    certified : dict of float
        By answer the threshold from which it keeps the promise.
    distances : dict of Distance
        By answer how far it is from its first certificate.
    budget : Spent
        How the error budget stands.
    alarm : bool
        Whether the detector says that the risk has risen.
    settled, looked, errors : float
        Cases in the ledger of this epoch, looks among them, and the sum of their losses.
    """

    certified: dict[str, float]
    distances: dict[str, Distance]
    budget: Spent
    alarm: bool
    settled: int
    looked: int
    errors: float


DOWN = ("step_down",)
"""Kinds of moves that are made at once, whatever `step_up` says."""


def propose(task: Task, deployed: Deployment, standing: Standing) -> Move | None:
    """The move that the evidence asks for, with its reasons in words and numbers; None where it asks for none.

    A step down never waits for a proof of guilt: it comes when the budget is spent or the detector alarms.
    """
    if deployed.level.height >= Level.PARTIAL.height:
        found = step_down(deployed, standing)
        if found is not None:
            return found
    return step_up(task, deployed, standing)


def step_down(deployed: Deployment, standing: Standing) -> Move | None:
    """Back to `assist`, where the errors are, or may be, more than was promised."""
    reasons = []
    if standing.budget.over:
        excess = f"{standing.budget.stretch:,.0f} errors more than it may"
        reasons.append(f"The error budget is spent: over its worst stretch automation may have made {excess}.")
    if standing.alarm:
        reasons.append("The audits say that the risk has risen above what was promised.")
    if not reasons:
        return None
    to = replace(deployed, level=Level.ASSIST, thresholds={}, epoch=deployed.epoch + 1)
    return Move(kind="step_down", to=to, reasons=(*reasons, looks_text(standing)))


def step_up(task: Task, deployed: Deployment, standing: Standing) -> Move | None:
    """To `partial` with what is certified, or to lower thresholds there."""
    if not standing.certified or task.autonomy.max_level.height < Level.PARTIAL.height:
        return None
    if deployed.level.height > Level.PARTIAL.height or not deployed.champion:
        return None
    if deployed.level is Level.PARTIAL and deployed.thresholds == standing.certified:
        return None
    kind = "thresholds" if deployed.level is Level.PARTIAL else "step_up"
    to = replace(deployed, level=Level.PARTIAL, thresholds=dict(standing.certified))
    share = (
        f"at most {100 * task.autonomy.max_error:g} of 100 wrong with {100 * task.autonomy.confidence:g} % confidence"
    )
    reasons = [
        f"{answer!r} from a confidence of {threshold:.3f} on: certified, {share}."
        for answer, threshold in standing.certified.items()
    ]
    return Move(kind=kind, to=to, reasons=(*reasons, looks_text(standing)))


def looks_text(standing: Standing) -> str:
    """How much evidence there is, in a sentence."""
    looked = f"{standing.looked:,} of {standing.settled:,} cases were looked at"
    return f"{looked}; their losses add up to {standing.errors:,.1f}."
