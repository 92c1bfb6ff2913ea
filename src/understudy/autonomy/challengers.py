"""Challengers: who is compared, at what level of proof, and what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from understudy.autonomy.promise import first_audit_rate
from understudy.autonomy.standing import Standing, certified_reasons
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment, Level, Move
from understudy.core.task import Task
from understudy.evidence.discoveries import lond_level
from understudy.evidence.gate import Distance
from understudy.evidence.pairs import PairPlan


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """What the evidence of an epoch says of a challenger.

    Attributes
    ----------
    version : str
    lead : Evidence
        By how much it errs less than the champion, per case.
    certified : dict of float
        By answer the threshold from which it would keep the promise as champion.
    distances : dict of Distance
        By answer how far it is from its first certificate.
    """

    version: str
    lead: Evidence
    certified: dict[str, float]
    distances: dict[str, Distance]


MOST_CHALLENGERS = 2
FEWEST_PAIRS = 500
"""No challenger is retired for being worse on fewer cases on which the difference is known."""

FALSE_PROMOTIONS = 0.1
"""The share of promotions that may be false, over all challengers of a task."""


def challenge(deployed: Deployment, version: str, reasons: Sequence[str]) -> Move:
    """Let a version predict silently beside the champion; where there are too many, the oldest leaves."""
    found = (*deployed.challengers, version)
    gone, left = found[:-MOST_CHALLENGERS], found[-MOST_CHALLENGERS:]
    why = [
        f"Version {old[:12]}, the oldest challenger, leaves: {MOST_CHALLENGERS} are compared at a time." for old in gone
    ]
    entered = f"Version {version[:12]} is compared with the champion before anything changes."
    return Move(kind="challenger", to=replace(deployed, challengers=left), reasons=(entered, *why, *reasons))


class Turn(NamedTuple):
    """When a challenger came.

    Attributes
    ----------
    place : int
        How many challengers came before it in its epoch: what each was granted of δ is spent.
    number : int
        Its number among all comparisons of the task, from 1; each epoch compares anew.
    promoted : int
        How many challengers had become champion by then.
    """

    place: int
    number: int
    promoted: int


def turn_of(history: Sequence[Deployment], version: str, epoch: int) -> Turn:
    """When a challenger came in an epoch, by everything that was deployed, the oldest first."""
    seen: list[tuple[int, str]] = []
    promoted = 0
    for before, deployed in pairwise((Deployment(), *history)):
        promoted += was_promotion(before, deployed)
        for challenger in deployed.challengers:
            found = (deployed.epoch, challenger)
            if found not in seen:
                seen.append(found)
            if found == (epoch, version):
                return Turn(sum(place == epoch for place, _ in seen) - 1, len(seen), promoted)
    return Turn(sum(place == epoch for place, _ in seen), len(seen) + 1, promoted)


def was_promotion(before: Deployment, deployed: Deployment) -> bool:
    """Whether champion and challenger changed their places between two deployments."""
    changed = before.champion != deployed.champion
    return changed and deployed.champion in before.challengers and before.champion in deployed.challengers


def brings_evidence(history: Sequence[Deployment], deployed: Deployment) -> bool:
    """Whether the champion of the present epoch became it by promotion, and brings what it earned in the one before."""
    opened = next((after for after in history if after.epoch == deployed.epoch), None)
    before = next((found for found in reversed(history) if found.epoch < deployed.epoch), None)
    return opened is not None and before is not None and was_promotion(before, opened)


def given_word(history: Sequence[Deployment], deployed: Deployment) -> Deployment | None:
    """What the present epoch opened with, where that holds by somebody's word: an override, a task file, a new version.

    None where a promotion opened it, since what a promotion deploys rests on evidence.
    """
    if brings_evidence(history, deployed):
        return None
    return next((found for found in history if found.epoch == deployed.epoch), None)


def pair_plan(task: Task, turn: Turn) -> PairPlan:
    """How a challenger is compared with the champion.

    Over time and many challengers at most one promotion in ten is false, by e-LOND (Xu & Ramdas 2024, "Online multiple
    testing with e-values").
    """
    level = lond_level(turn.number, turn.promoted, FALSE_PROMOTIONS)
    return PairPlan(alpha=min(level, FALSE_PROMOTIONS), margin=task.autonomy.margin_promote)


def retire(task: Task, deployed: Deployment, _: Standing, rivals: Sequence[Rival]) -> Move | None:
    """End the comparison with challengers that are not better by the margin."""
    margin = task.autonomy.margin_promote
    lost = {rival.version: rival for rival in rivals if rival.lead.upper <= margin and rival.lead.n >= FEWEST_PAIRS}
    if not lost:
        return None
    left = tuple(version for version in deployed.challengers if version not in lost)
    reasons = tuple(f"{lead_text(rival)} It is not better by {margin:g}, and leaves." for rival in lost.values())
    return Move(kind="retire", to=replace(deployed, challengers=left), reasons=reasons)


def promote(task: Task, deployed: Deployment, _: Standing, rivals: Sequence[Rival]) -> Move | None:
    """Make the challenger champion that is proven better by the margin; the one with the highest lower bound.

    It brings what it earned as a challenger and no other: `partial` stays only with thresholds of its own, and as many
    of its answers are audited as after a step up.
    """
    better = [rival for rival in rivals if rival.lead.lower >= task.autonomy.margin_promote]
    if not better:
        return None
    best = max(better, key=lambda rival: rival.lead.lower)
    level = deployed.level
    if level.height >= Level.PARTIAL.height:
        level = Level.PARTIAL if best.certified else Level.ASSIST
    thresholds = dict(best.certified) if level is Level.PARTIAL else {}
    others = tuple(version for version in deployed.challengers if version != best.version)
    to = replace(
        deployed,
        level=level,
        champion=best.version,
        challengers=(*others, deployed.champion)[-MOST_CHALLENGERS:],
        thresholds=thresholds,
        raised_from={},
        audit_rate=first_audit_rate(task) if level is Level.PARTIAL else deployed.audit_rate,
        epoch=deployed.epoch + 1,
    )
    reasons = [lead_text(best), *certified_reasons(task, thresholds)]
    if level is not deployed.level:
        reasons.append(f"It starts at {level.value}: it has no more evidence of its own.")
    reasons.append(f"Version {deployed.champion[:12]} goes on as a challenger.")
    return Move(kind="promote", to=to, reasons=tuple(reasons))


def lead_text(rival: Rival) -> str:
    """By how much a challenger is better, as an interval: the estimate of a winner is too high."""
    lead = rival.lead
    low, high, word = (lead.lower, lead.upper, "fewer") if lead.upper >= 0 else (-lead.upper, -lead.lower, "more")
    fewer = f"between {100 * low:.1f} and {100 * high:.1f} {word} mistakes per 100 cases"
    sure = f"with {100 * lead.confidence:.3g} % confidence, by {lead.n:,} cases"
    return f"Version {rival.version[:12]} makes {fewer} than the champion, {sure}."
