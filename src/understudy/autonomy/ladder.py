"""Changes of the deployment, as values: what would hold afterwards, and why. Nothing here happens by itself."""

from __future__ import annotations

from msgspec.structs import replace

from understudy.autonomy.groups import divided
from understudy.autonomy.promise import first_audit_rate
from understudy.core.errors import ConflictError, InputError
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task


def frozen(task: Task) -> tuple[object, ...]:
    """What an epoch freezes of a task file: the loss, the truth, the mandate's bounds, and the promise."""
    decision, mandate, settings = task.decision, task.mandate, task.autonomy
    return (
        (decision.kind, decision.target, decision.positive, decision.tolerance, task.cost.mistakes),
        (task.truth, task.review.wanted),
        (mandate.allow, mandate.limit, mandate.never),
        (settings.max_error, settings.confidence, settings.min_coverage, settings.strange_limit),
        (settings.margin_assist, settings.margin_promote),
        (settings.groups, decision.groups if divided(task) else ()),
    )


def keeps_promise(before: Task, task: Task) -> bool:
    """Whether the epoch goes on under a changed task file.

    Sharing the cases between versions spreads δ over more certificates, so that its beginning opens an epoch; its end
    does not.
    """
    shares = before.traffic.mode == "champion" != task.traffic.mode
    return frozen(before) == frozen(task) and not shares


def under(task: Task, deployed: Deployment, revision: int, before: Task | None = None) -> Deployment:
    """The deployment under a revision of the task file: never above its highest level, with its rates and limits.

    Where what an epoch freezes is not as in the revision before, a new one opens, and at most `assist` is left: what
    was certified was certified for another promise.

    Parameters
    ----------
    task : Task
    deployed : Deployment
    revision : int
    before : Task, optional
        The task by the revision that held until now; None where none did.
    """
    settings = task.autonomy
    same = revision == deployed.task_revision or (before is not None and keeps_promise(before, task))
    highest = settings.max_level if same else min(settings.max_level, Level.ASSIST, key=lambda level: level.height)
    level = min(deployed.level, highest, key=lambda level: level.height)
    steady = same and (before is None or before.autonomy.audit_rate == settings.audit_rate)
    return replace(
        deployed,
        level=level,
        thresholds=deployed.thresholds if level.height >= Level.PARTIAL.height else {},
        raised_from=deployed.raised_from if level.height >= Level.PARTIAL.height else {},
        strange_limit=settings.strange_limit,
        audit_rate=max(deployed.audit_rate if steady else first_audit_rate(task), settings.audit_floor),
        blind_rate=settings.blind_rate,
        task_revision=revision,
        epoch=deployed.epoch + (not same),
    )


def step_down(deployed: Deployment, level: Level, why: str) -> Move:
    """Give decisions back. Always possible; certificates of the version end with it.

    Raises
    ------
    ConflictError
        The level is not below the present one.
    """
    if level.height >= deployed.level.height:
        raise ConflictError(
            f"{level.value} is not below {deployed.level.value}.", hint="A step up needs evidence or an override."
        )
    thresholds = deployed.thresholds if level.height >= Level.PARTIAL.height else {}
    return Move(
        kind="step_down",
        to=replace(deployed, level=level, thresholds=thresholds, raised_from={}, epoch=deployed.epoch + 1),
        reasons=(why,),
    )


def override(deployed: Deployment, task: Task, level: Level, thresholds: dict[str, float], why: str) -> Move:
    """A step up without proof, by the word of the owner: recorded as such, and bounded by the task file.

    Raises
    ------
    InputError
        There is no reason, no champion or no threshold, or the task file does not allow the level.
    """
    if not why.strip():
        raise InputError("An override needs a reason.", hint="Say why, in a sentence that an auditor will read.")
    if level.height > task.autonomy.max_level.height:
        raise InputError(
            f"The task file allows no level above {task.autonomy.max_level.value}.",
            hint="Change [autonomy] max_level, and apply it.",
        )
    if level is not Level.HUMAN and not deployed.champion:
        raise InputError("There is no champion that could decide.", hint="Train one with: understudy run")
    if level is Level.PARTIAL and not thresholds:
        raise InputError("partial needs thresholds.", hint='Give the confidence by answer, such as {"pay": 0.95}.')
    to = replace(
        deployed,
        level=level,
        thresholds=dict(thresholds),
        raised_from={},
        audit_rate=first_audit_rate(task),
        epoch=deployed.epoch + 1,
    )
    return Move(kind="override", to=to, reasons=("Without proof, by the owner's word.", why.strip()))


def pause(deployed: Deployment, why: str) -> Move:
    """Stop automation at once; everything else goes on."""
    return Move(kind="pause", to=replace(deployed, paused=True), reasons=(why or "Stopped by hand.",))


def resume(deployed: Deployment, why: str) -> Move:
    """Let automation go on where it was stopped."""
    return Move(kind="resume", to=replace(deployed, paused=False), reasons=(why or "Resumed by hand.",))


def rollback(deployed: Deployment, version: str, why: str) -> Move:
    """Bring an earlier champion back, at `assist` at most: it must earn what it had again."""
    level = min(deployed.level, Level.ASSIST, key=lambda level: level.height)
    others = tuple(challenger for challenger in deployed.challengers if challenger != version)
    to = replace(
        deployed,
        champion=version,
        challengers=others,
        level=level,
        thresholds={},
        raised_from={},
        epoch=deployed.epoch + 1,
    )
    return Move(kind="rollback", to=to, reasons=(why or f"Back to version {version[:12]} by hand.",))


def previous_champion(history: list[Deployment]) -> str:
    """The version that was champion before the present one first was: going back twice goes back twice.

    Raises
    ------
    ConflictError
        There was none.
    """
    present = history[-1].champion if history else ""
    champions = [deployed.champion for deployed in history]
    for champion in reversed(champions[: champions.index(present)] if champions else []):
        if champion:
            return champion
    raise ConflictError("There is no earlier champion to go back to.")
