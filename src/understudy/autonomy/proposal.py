"""What the evidence asks for: the rules of the ladder, in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from understudy.autonomy.audits import set_audits
from understudy.autonomy.challengers import Rival, promote, retire
from understudy.autonomy.standing import Standing
from understudy.autonomy.steps import step_down, step_up, take_back
from understudy.autonomy.thresholds import relax, tighten
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task

Rule = Callable[[Task, Deployment, Standing, Sequence[Rival]], Move | None]

RULES: tuple[tuple[str, Rule], ...] = (
    ("The error budget is spent, the detector alarms, or looks bear out a suspicion: down to assist.", step_down),
    ("A correction has voided a certificate: its threshold is taken back.", take_back),
    ("Something is suspected, or all is calm: more of its answers are audited, or fewer.", set_audits),
    ("More audits have not cleared the suspicion: stricter thresholds, which are certified as well.", tighten),
    ("The suspicion has passed: the thresholds from before it come back.", relax),
    ("A challenger is not better by the margin: it leaves.", retire),
    ("A challenger is proven better by the margin: it becomes champion.", promote),
    ("More is certified than is deployed: up, as far as max_level allows.", step_up),
)
"""The first rule that asks for a move decides. A step down never waits for a proof of guilt, so it stands first."""

AT_ONCE = ("step_down", "take_back", "tighten", "relax", "audit", "retire")
"""Kinds of moves that are made at once, whatever `step_up` says: none lets the machine decide more than it did in this
epoch by a person's leave, or the task file's."""


def propose(task: Task, deployed: Deployment, standing: Standing, rivals: Sequence[Rival] = ()) -> Move | None:
    """The move that the evidence asks for, with its reasons in words and numbers; None where it asks for none."""
    moves = (rule(task, deployed, standing, rivals) for _, rule in RULES)
    return next((move for move in moves if move is not None), None)


def waits(task: Task, deployed: Deployment, move: Move) -> bool:
    """Whether a move waits for a person: one up, unless the task says `auto`; one into `full`, always."""
    if move.kind in AT_ONCE:
        return False
    into_full = move.to.level is Level.FULL and deployed.level is not Level.FULL
    return into_full or task.autonomy.step_up != "auto"
