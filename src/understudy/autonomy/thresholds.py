"""How sure it must be while something is suspected: surer than before, and as before once the suspicion has passed.

All thresholds of a grid are tested together, so the epoch's evidence speaks for every one that is certified: going from
one to a stricter one needs no new proof. A looser one is taken only where it was deployed before, and still holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from understudy.autonomy.audits import DOUBT, SUSPICION_RATE, suspicions
from understudy.autonomy.challengers import Rival
from understudy.autonomy.groups import by_cell
from understudy.autonomy.promise import CALM
from understudy.autonomy.standing import Rung, Standing, percent
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task
from understudy.evidence.gate import GatePlan, GateState

STRICTER = 0.5
"""The part of an answer's cases that it goes on deciding at most, where a threshold is certified for as few."""


def certified_rungs(plan: GatePlan, state: GateState) -> dict[str, tuple[Rung, ...]]:
    """By side every certified threshold, the strictest first; sides without any are left out."""
    found = {}
    for name, grid, side in zip(plan.sides, plan.grid, state.sides, strict=True):
        covered = [sum(group.covered[place] for group in side.groups) for place in range(len(grid))]
        rungs = tuple(
            Rung(threshold=threshold, cases=cases)
            for threshold, cases, peak in zip(grid, covered, side.peak, strict=True)
            if peak >= plan.goal
        )
        if rungs:
            found[name] = rungs
    return by_cell(plan, found)


def tighten(task: Task, deployed: Deployment, standing: Standing, _: Sequence[Rival]) -> Move | None:
    """Stricter thresholds where the looks at the raised audit rate have not cleared a suspicion.

    They are raised once: what persists after that ends automation (`borne_out`). The evidence goes on within the epoch.
    """
    suspected, watch, most = suspicions(task, standing), standing.watch, task.autonomy.max_error
    rising = watch.of(deployed) and deployed.audit_rate >= SUSPICION_RATE and not deployed.raised_from
    if not suspected or not rising or watch.looks < DOUBT / most or watch.mean <= most:
        return None
    before = automated(deployed, standing)
    after = {answer: stricter(low, standing.rungs.get(answer, ())) for answer, low in before.items()}
    raised = [raised_text(answer, low, before[answer]) for answer, low in after.items() if low > before[answer]]
    if not raised:
        return None
    looks = f"{watch.looks:,} looks at an audit rate of {percent(watch.rate)} have not cleared the suspicion"
    reasons = (
        *raised,
        *suspected,
        f"{looks}: {percent(watch.mean)} were wrong.",
        "Nothing new has to be proven for that. The thresholds from before come back once the suspicion has passed.",
    )
    to = replace(deployed, level=Level.PARTIAL, thresholds=after, raised_from=dict(before))
    return Move(kind="tighten", to=to, reasons=reasons)


def raised_text(answer: str, low: float, before: float) -> str:
    """From where on an answer is given now, and was before."""
    was = f"from {before:.3f} on" if before > 0 else "always"
    return f"{answer!r} only from a confidence of {low:.3f} on, no longer {was}."


def automated(deployed: Deployment, standing: Standing) -> Mapping[str, float]:
    """By answer the threshold from which it is given by itself; at `full`, where that rests on certificates."""
    if deployed.level is Level.FULL:
        return dict.fromkeys(standing.certified, 0.0) if standing.whole else {}
    return deployed.thresholds if deployed.level is Level.PARTIAL else {}


def stricter(low: float, rungs: Sequence[Rung]) -> float:
    """The certified threshold that leaves about half of the cases; the strictest where none leaves so few.

    >>> rungs = (Rung(threshold=0.9, cases=10), Rung(threshold=0.8, cases=40), Rung(threshold=0.6, cases=100))
    >>> stricter(0.6, rungs), stricter(0.8, rungs), stricter(0.9, rungs)
    (0.8, 0.9, 0.9)
    """
    above = [rung for rung in rungs if rung.threshold > low]
    if not above:
        return low
    now = max(rung.cases for rung in rungs if rung.threshold >= low)
    few = [rung for rung in above if rung.cases <= STRICTER * now]
    return few[-1].threshold if few else above[0].threshold


def relax(task: Task, deployed: Deployment, standing: Standing, _: Sequence[Rival]) -> Move | None:
    """The thresholds from before a suspicion, once it has passed, as far as something still speaks for them.

    That takes `CALM / max_error` looks since they were raised, and nothing suspected. From `full`, too, only `partial`
    comes back: into `full` a person leads.
    """
    watch = standing.watch
    if not deployed.raised_from or not watch.of(deployed) or watch.looks < CALM / task.autonomy.max_error:
        return None
    if suspicions(task, standing):
        return None
    back = {answer: looser(answer, low, deployed, standing) for answer, low in deployed.thresholds.items()}
    words = ", ".join(f"{answer!r} from a confidence of {low:.3f} on" for answer, low in back.items())
    calm = f"{watch.looks:,} looks since the thresholds were raised, {percent(watch.mean)} of them wrong"
    reasons = (f"The suspicion has passed: {calm}.", f"As before: {words}.")
    return Move(kind="relax", to=replace(deployed, thresholds=back, raised_from={}), reasons=reasons)


def looser(answer: str, low: float, deployed: Deployment, standing: Standing) -> float:
    """The threshold from before, or the lowest above it that a certificate or somebody's word still speaks for."""
    before = deployed.raised_from.get(answer, low)
    return min(low, max(before, standing.held.get(answer, low)))
