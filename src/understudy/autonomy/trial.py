"""Which version errs less on the cases that each was given, and whether they were given as was meant.

This is the unpaired comparison of an A/B test: it needs nothing but the logged propensities. Where all versions predict
on all cases, pairs tell the same far sooner, and promotions rest on them alone. What only this can tell is whether
cases get lost on the way to one version, or their outcomes on the way back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

import msgspec
import numpy as np

from understudy.autonomy.promise import outcomes_tell
from understudy.autonomy.traffic import may_answer
from understudy.core.evidence import Evidence
from understudy.core.nouns import Deployment
from understudy.core.task import Task
from understudy.evidence.assignment import split_log_e
from understudy.evidence.comparison import UnpairedPlan, UnpairedState, fold_unpaired, open_unpaired, unpaired_lead

MISMATCH = 0.001
"""The chance that a split as it was meant is ever said to be none, for each epoch."""

MOST = 500.0
"""Logs of e-values that are told; more is not worth more."""

GIVEN, HEARD = "given", "heard"
WHAT = {GIVEN: "Cases were not given to the versions", HEARD: "Outcomes do not come for the versions"}


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """How many draws went where while the shares stayed the same.

    Attributes
    ----------
    shares : dict of float
        By version, what was meant; of 1 in all.
    given, heard : dict of int
        By version, the draws that it got, and those among them whose outcome has come.
    """

    shares: dict[str, float]
    given: dict[str, int]
    heard: dict[str, int]


class Duo(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison of a challenger with the champion; its plan is fixed when it opens."""

    plan: UnpairedPlan
    state: UnpairedState


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What an epoch's sharing has come to.

    Attributes
    ----------
    duos : dict of Duo
        By challenger.
    stretches : tuple of Stretch
        In their order; one for each set of shares in a row.
    """

    duos: dict[str, Duo] = {}
    stretches: tuple[Stretch, ...] = ()


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A case that was given to one of several versions, by a draw of its own.

    Attributes
    ----------
    version : str
    shares : dict of float
        By version the probability of getting it.
    loss : float, optional
        Of the answer of its version; None where nobody looked.
    look, least : float
        The probability that its loss became known, and the least of any case under the same deployment.
    heard : bool
        Whether its outcome has come.
    """

    version: str
    shares: dict[str, float]
    loss: float | None
    look: float
    least: float
    heard: bool


def meant(deployed: Deployment) -> dict[str, float]:
    """By version the probability of getting a case under a deployment; none where that is told by the case.

    >>> from understudy.core.nouns import Level, Traffic
    >>> traffic = Traffic(epoch=1, shares={"old": 0.8, "new": 0.1, "raw": 0.1}, thresholds={"new": {"yes": 0.9}})
    >>> deployed = Deployment(level=Level.PARTIAL, champion="old", challengers=("new", "raw"), traffic=traffic)
    >>> {version: round(share, 3) for version, share in meant(deployed).items()}
    {'old': 0.889, 'new': 0.111}
    """
    traffic = deployed.traffic
    if traffic is None or traffic.gamma > 0:
        return {}
    able = may_answer(deployed, traffic.thresholds)
    shares = {version: share for version, share in traffic.shares.items() if version in able and share > 0}
    whole = sum(shares.values())
    return {version: share / whole for version, share in shares.items()} if len(shares) > 1 else {}


def least_chance(task: Task, versions: int) -> float:
    """The smallest probability with which a case goes to a version and its loss becomes known, by the task file."""
    settings = task.traffic
    share = min(settings.share, 1 - settings.share * (versions - 1)) if settings.mode == "split" else settings.floor
    looked = 1.0 if outcomes_tell(task) else min(task.autonomy.blind_rate, task.autonomy.audit_floor)
    return max(share, settings.floor / versions) * looked


def fold_trial(trial: Trial, task: Task, champion: str, drawn: Sequence[Drawn]) -> Trial:
    """The trial with these draws added, in decision order; the same for any cutting of them into batches."""
    duos, stretches = dict(trial.duos), list(trial.stretches)
    for draw in drawn:
        if not stretches or stretches[-1].shares != draw.shares:
            none = dict.fromkeys(draw.shares, 0)
            stretches.append(Stretch(shares=draw.shares, given=none, heard=none))
        stretches[-1] = counted(stretches[-1], draw)
    for draw in drawn:
        for challenger in draw.shares.keys() - {champion} - duos.keys():
            duos[challenger] = open_duo(task, len(draw.shares))
    duos = {challenger: fold_duo(duo, champion, challenger, drawn) for challenger, duo in sorted(duos.items())}
    return Trial(duos=duos, stretches=tuple(stretches))


def counted(stretch: Stretch, draw: Drawn) -> Stretch:
    """A stretch with one more draw."""
    given = {**stretch.given, draw.version: stretch.given[draw.version] + 1}
    heard = {**stretch.heard, draw.version: stretch.heard[draw.version] + draw.heard}
    return Stretch(shares=stretch.shares, given=given, heard=heard)


def open_duo(task: Task, versions: int) -> Duo:
    """A comparison before its first case."""
    plan = UnpairedPlan(alpha=1 - task.autonomy.confidence, least=least_chance(task, versions))
    return Duo(plan=plan, state=open_unpaired(plan))


def fold_duo(duo: Duo, champion: str, challenger: str, drawn: Sequence[Drawn]) -> Duo:
    """A comparison with those draws added that could have gone to both with at least the plan's probability.

    Whether they could is known before the draw.
    """
    both = [draw for draw in drawn if champion in draw.shares and challenger in draw.shares]
    least = duo.plan.least * (1 - 1e-9)
    own = [
        draw
        for draw in both
        if draw.version in (champion, challenger)
        and min(draw.shares[champion], draw.shares[challenger]) * draw.least >= least
    ]
    state = fold_unpaired(
        duo.state,
        duo.plan,
        np.array([draw.version == challenger for draw in own], dtype=bool),
        np.array([np.nan if draw.loss is None else draw.loss for draw in own], dtype=np.float64),
        np.array([draw.shares[draw.version] * draw.look for draw in own], dtype=np.float64),
    )
    return Duo(plan=duo.plan, state=state)


def split_evidence(trial: Trial, what: str) -> float:
    """The log e-value against "the cases went to the versions as was meant"; stretches add up."""
    return sum(
        split_log_e(list(getattr(stretch, what).values()), list(stretch.shares.values())) for stretch in trial.stretches
    )


def mismatches(trial: Trial, task: Task) -> tuple[str, ...]:
    """Of what it is proven now that it did not go as was meant, at a level that holds for both at all times.

    Outcomes are counted where every one comes by itself: elsewhere the answer may decide whether it does.
    """
    kinds = (GIVEN, HEARD) if outcomes_tell(task) else (GIVEN,)
    return tuple(what for what in kinds if split_evidence(trial, what) >= log(len(WHAT) / MISMATCH))


def leads(trial: Trial) -> dict[str, Evidence]:
    """By challenger by how much it errs less than the champion, per case, by what each was given."""
    return {version: unpaired_lead(duo.state, duo.plan) for version, duo in trial.duos.items()}


def total(trial: Trial, what: str) -> dict[str, int]:
    """By version how many draws in all."""
    found: dict[str, int] = {}
    for stretch in trial.stretches:
        for version, count in getattr(stretch, what).items():
            found[version] = found.get(version, 0) + count
    return found


def expected(trial: Trial, what: str) -> dict[str, float]:
    """By version how many draws were to be expected by the shares."""
    found: dict[str, float] = {}
    for stretch in trial.stretches:
        whole = sum(getattr(stretch, what).values())
        for version, share in stretch.shares.items():
            found[version] = found.get(version, 0.0) + share * whole
    return found


def trial_text(task: Task, trial: Trial) -> tuple[str, ...]:
    """How the comparison stands, a sentence for each challenger."""
    unit = "cases" if task.traffic.unit is None else f"values of {task.traffic.unit}, the first case of each"
    lines = []
    for version, lead in leads(trial).items():
        if lead.n:
            between = f"between {100 * lead.lower:.1f} and {100 * lead.upper:.1f} fewer mistakes per 100"
            sure = f"with {100 * lead.confidence:.3g} % confidence, by {lead.n:,} {unit}"
            lines.append(f"By what each was given, version {version[:12]} makes {between} than the champion, {sure}.")
    return tuple(lines)


def mismatch_text(trial: Trial, what: str) -> str:
    """What went elsewhere than was meant, with its figures."""
    counts = counts_text(total(trial, what), expected(trial, what))
    odds = f"e-value {exp(min(split_evidence(trial, what), MOST)):.3g}"
    why = "something decides who is seen where, and the comparison is not valid until it is found"
    return f"{WHAT[what]} in the shares meant: {counts} ({odds}); {why}."


def counts_text(counts: Mapping[str, int], wanted: Mapping[str, float]) -> str:
    """Counts beside those expected.

    >>> counts_text({"old": 5300, "new": 4700}, {"old": 5000.0, "new": 5000.0})
    'old 5,300 where 5,000 were expected, new 4,700 where 5,000 were expected'
    """
    return ", ".join(
        f"{version[:12]} {count:,} where {wanted[version]:,.0f} were expected" for version, count in counts.items()
    )
