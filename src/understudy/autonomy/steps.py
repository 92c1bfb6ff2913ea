"""Steps that the evidence asks for: down at once, back where a certificate is void, up where something is certified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from understudy.autonomy.audits import borne_out
from understudy.autonomy.challengers import Rival
from understudy.autonomy.promise import first_audit_rate
from understudy.autonomy.standing import Standing, certified_reasons, looks_text, today_text
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task


def step_down(task: Task, deployed: Deployment, standing: Standing, _: Sequence[Rival]) -> Move | None:
    """Back to `assist`, where the errors are, or may be, more than was promised. What was certified ends with it."""
    if deployed.level.height < Level.PARTIAL.height:
        return None
    reasons = []
    if standing.budget is not None and standing.budget.over:
        excess = f"{standing.budget.stretch:,.0f} errors more than it may"
        reasons.append(f"The error budget is spent: over its worst stretch automation may have made {excess}.")
    if standing.alarm:
        reasons.append("The audits say that the risk has risen above what was promised.")
    reasons += borne_out(task, deployed, standing)
    if not reasons:
        return None
    to = replace(deployed, level=Level.ASSIST, thresholds={}, raised_from={}, epoch=deployed.epoch + 1)
    return Move(kind="step_down", to=to, reasons=(*reasons, looks_text(standing)))


def take_back(_: Task, deployed: Deployment, standing: Standing, __: Sequence[Rival]) -> Move | None:
    """Take back what is deployed and no longer certified: a correction has voided the certificate.

    What an owner granted by an override stays. Nothing was refuted, so the evidence goes on within the epoch.
    """
    if deployed.level is Level.FULL:
        by_word = standing.word is not None and standing.word.level is Level.FULL
        return None if standing.whole or by_word else back_to(deployed, standing, standing.held, full_reasons())
    if deployed.level is not Level.PARTIAL:
        return None
    held = standing.held
    void = {answer: low for answer, low in deployed.thresholds.items() if low < held.get(answer, 2.0)}
    left = {answer: max(low, held[answer]) for answer, low in deployed.thresholds.items() if answer in held}
    return back_to(deployed, standing, left, void_reasons(void)) if void else None


def full_reasons() -> tuple[str, ...]:
    """Why `full` is taken back."""
    return ("A correction has changed what it rested on: not every answer is certified at every confidence any more.",)


def void_reasons(void: Mapping[str, float]) -> tuple[str, ...]:
    """Why thresholds are taken back, in a sentence for each."""
    since = "is no longer certified: a correction has changed what it rested on."
    return tuple(f"{answer!r} from a confidence of {low:.3f} on {since}" for answer, low in void.items())


def back_to(deployed: Deployment, standing: Standing, left: dict[str, float], reasons: Sequence[str]) -> Move:
    """The move to the thresholds that are left, or to `assist` where none is."""
    if not left:
        to = replace(deployed, level=Level.ASSIST, thresholds={}, raised_from={})
        return Move(kind="step_down", to=to, reasons=(*reasons, "Nothing else is certified.", looks_text(standing)))
    words = ", ".join(f"{answer!r} from {low:.3f} on" for answer, low in left.items())
    to = replace(deployed, level=Level.PARTIAL, thresholds=left)
    return Move(kind="take_back", to=to, reasons=(*reasons, f"What holds: {words}.", looks_text(standing)))


def step_up(task: Task, deployed: Deployment, standing: Standing, _: Sequence[Rival]) -> Move | None:
    """The highest step that is certified and allowed, or lower thresholds. From `human` only a person steps up.

    Thresholds that a suspicion has raised come back first.
    """
    most = task.autonomy.max_level.height
    if not deployed.champion or deployed.level in (Level.HUMAN, Level.FULL) or deployed.raised_from:
        return None
    if deployed.level is Level.PARTIAL:
        return lower_thresholds(task, deployed, standing) or to_full(task, deployed, standing)
    if standing.certified and most >= Level.PARTIAL.height:
        to = replace(
            deployed,
            level=Level.PARTIAL,
            thresholds=dict(standing.certified),
            raised_from={},
            audit_rate=first_audit_rate(task),
        )
        reasons = (*certified_reasons(task, standing.certified), looks_text(standing))
        return Move(kind="step_up", to=to, reasons=reasons)
    if deployed.level is Level.SHADOW and most >= Level.ASSIST.height:
        return to_assist(task, deployed, standing)
    return None


def lower_thresholds(task: Task, deployed: Deployment, standing: Standing) -> Move | None:
    """The thresholds of `partial`, where lower ones are certified or another answer is."""
    held = standing.held
    if deployed.thresholds == held:
        return None
    fresh = {answer: low for answer, low in standing.certified.items() if low != deployed.thresholds.get(answer)}
    reasons = (*certified_reasons(task, fresh), looks_text(standing))
    return Move(kind="thresholds", to=replace(deployed, thresholds=held), reasons=reasons)


def to_full(task: Task, deployed: Deployment, standing: Standing) -> Move | None:
    """To `full`, where every answer that it may give is certified at every confidence."""
    if task.autonomy.max_level is not Level.FULL or not standing.whole or standing.silent:
        return None
    to = replace(deployed, level=Level.FULL, audit_rate=first_audit_rate(task))
    whole = "That covers every case that is not strange and lies inside the mandate. This step needs a person."
    reasons = (*certified_reasons(task, standing.certified), whole, looks_text(standing))
    return Move(kind="step_up", to=to, reasons=reasons)


def to_assist(task: Task, deployed: Deployment, standing: Standing) -> Move | None:
    """To `assist`, where its risk is certified over all cases, or it is not worse than what decides today."""
    to = replace(deployed, level=Level.ASSIST)
    if standing.whole:
        whole = "That covers every case that is not strange and lies inside the mandate; the task allows no more."
        reasons = (*certified_reasons(task, standing.certified), whole, looks_text(standing))
        return Move(kind="step_up", to=to, reasons=reasons)
    margin = task.autonomy.margin_assist
    if standing.today is None or standing.today.lower < -margin:
        return None
    bound = f"at most {100 * margin:g} more per 100" if margin else "no more"
    reasons = (today_text(standing.today), f"The task asks that it makes {bound} than what decides today.")
    return Move(kind="step_up", to=to, reasons=reasons)
