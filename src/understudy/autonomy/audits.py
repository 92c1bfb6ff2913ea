"""How many of its own answers people check: many after a step up, fewer in calm times, more on suspicion."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from understudy.autonomy.challengers import Rival
from understudy.autonomy.noticing import STEP
from understudy.autonomy.promise import CALM
from understudy.autonomy.standing import Standing, percent
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task

SUSPICION_RATE = 0.1
"""The least share that people check while something is suspected."""

FEW, DOUBT, PATIENCE = 5.0, 10.0, 20.0
"""Looks are counted in errors that they would find at the promised risk. After so many their mean may raise a
suspicion; after so many at the raised rate that do not clear it, thresholds are raised; and after so many in all they
may bear out what others suspect."""

HALF = 0.5
"""The part of the budget's room whose use is suspicious."""

MUCH_MORE = 2.0
"""A rate rises by itself where so many times as much is needed."""

LEAST_CHANGE = 0.1
"""A rate is not changed by less, relative to what it is."""


def suspicions(task: Task, standing: Standing) -> tuple[str, ...]:
    """Everything that speaks for a world that has changed: monitors, the error budget, the looks themselves."""
    watch, most = standing.watch, task.autonomy.max_error
    found = beside_looks(standing)
    if watch.looks >= FEW / most and watch.mean > most:
        return (*found, f"Of the last {watch.looks:,} looks {percent(watch.mean)} were wrong, above {percent(most)}.")
    return found


def beside_looks(standing: Standing) -> tuple[str, ...]:
    """What is suspected by others than the looks since the audit rate was last changed."""
    if standing.room <= HALF:
        return standing.suspicions
    used = f"Errors have used up {percent(standing.room)} of the room that the error budget leaves."
    return (*standing.suspicions, used)


def borne_out(task: Task, deployed: Deployment, standing: Standing) -> tuple[str, ...]:
    """Why a suspicion ends automation; nothing where none does.

    It does where it stays although the looks at the raised rate could have cleared it: `PATIENCE / max_error` of them,
    those before the thresholds were raised included, and their mean is above what was promised. The looks alone only
    keep the rate up: what they prove, the detector and the budget say.
    """
    suspected, watch, most = beside_looks(standing), standing.watch, task.autonomy.max_error
    rising = watch.of(deployed) and deployed.audit_rate >= SUSPICION_RATE
    patience = PATIENCE - DOUBT if deployed.raised_from else PATIENCE
    if not suspected or not rising or watch.looks < patience / most or watch.mean <= most:
        return ()
    looks = f"{watch.looks:,} looks at an audit rate of {percent(watch.rate)} have not cleared the suspicion"
    return (*suspected, f"{looks}: {percent(watch.mean)} were wrong.")


def set_audits(task: Task, deployed: Deployment, standing: Standing, _: Sequence[Rival]) -> Move | None:
    """Another audit rate where one is asked for.

    On suspicion it is at least `SUSPICION_RATE`, and does not fall. After each `CALM / max_error` looks without one it
    halves, until it is what calm times need; raised thresholds come back before that. It rises again where twice as
    much is needed, since fewer cases come; by a quarter where the task says how soon a doubling must be noticed.
    """
    if deployed.level.height < Level.PARTIAL.height:
        return None
    suspected, rate = suspicions(task, standing), deployed.audit_rate
    if suspected:
        return None if rate >= SUSPICION_RATE else audit(deployed, SUSPICION_RATE, suspected)
    if standing.wanted >= rate * (MUCH_MORE if task.autonomy.notice is None else STEP):
        return audit(deployed, standing.wanted, ("As many cases as come now need more of them checked.",))
    watch, lower = standing.watch, max(rate / 2, standing.wanted)
    if (
        deployed.raised_from
        or not watch.of(deployed)
        or watch.looks < CALM / task.autonomy.max_error
        or lower > rate * (1 - LEAST_CHANGE)
    ):
        return None
    calm = f"{watch.looks:,} looks at this rate, {percent(watch.mean)} of them wrong, and nothing is suspected."
    return audit(deployed, lower, (calm, f"In calm times {percent(standing.wanted)} are enough."))


def audit(deployed: Deployment, rate: float, reasons: Sequence[str]) -> Move:
    """The move to another audit rate."""
    verb = "rises" if rate > deployed.audit_rate else "falls"
    change = f"The audit rate {verb} from {percent(deployed.audit_rate)} to {percent(rate)}."
    return Move(kind="audit", to=replace(deployed, audit_rate=rate), reasons=(change, *reasons))
