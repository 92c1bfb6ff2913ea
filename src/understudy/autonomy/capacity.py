"""Can people keep up: what a setting leaves to them in a day, and what becomes of the queue.

Cases to decide come before audits, the oldest first, and arrive evenly: a forecast by means, without chance. With as
much to do as can be done, real queues are longer.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from understudy.autonomy.promise import outcomes_tell
from understudy.autonomy.router import Facts, route
from understudy.core.nouns import Decider, Deployment
from understudy.core.task import Task, duration

DAYS = (1, 7, 30)
"""Days after which the queue is forecast; overdue cases are counted over the last of them."""


class Shares(msgspec.Struct, frozen=True, kw_only=True):
    """Who decides, of one in all.

    Attributes
    ----------
    people, model, rules : float
    """

    people: float
    model: float
    rules: float


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What comes to people in a day, what they can do, and the queue.

    Attributes
    ----------
    decide, audit : float
        Cases a day that people decide, and that they audit.
    can : float
        Cases that can be reviewed in a day, each by as many people as the task wants.
    grows : float
        Cases a day by which the queue grows, audits included; 0 where people keep up.
    waiting : tuple of float
        Cases that wait for a decision after 1, 7 and 30 days.
    overdue : float
        The share of the cases to decide that come within 30 days and are answered later than the task says.
    undone : float
        The share of audits for which there is no time.
    """

    decide: float
    audit: float
    can: float
    grows: float
    waiting: tuple[float, ...]
    overdue: float
    undone: float


def shares_under(deployed: Deployment, facts: Sequence[Facts]) -> Shares:
    """Who would decide cases like these under a deployment; at least one is needed.

    >>> fact = Facts(answer="pay", confidence=0.97, strangeness=0.2, outside=(), allowed=True, rule=None,
    ...              rules_fill=False, audit_draw=1.0, blind_draw=1.0)
    >>> unsure = msgspec.structs.replace(fact, confidence=0.6)
    >>> from understudy.core.nouns import Level
    >>> deployed = Deployment(level=Level.PARTIAL, champion="v", thresholds={"pay": 0.9})
    >>> shares_under(deployed, [fact, fact, fact, unsure])
    Shares(people=0.25, model=0.75, rules=0.0)
    """
    deciders = [route(deployed, fact).decided_by for fact in facts]
    model, rules = (deciders.count(who) / len(deciders) for who in (Decider.MODEL, Decider.RULE))
    return Shares(people=deciders.count(None) / len(deciders), model=model, rules=rules)


def forecast(task: Task, shares: Shares, *, audit_rate: float, cases_a_day: float, waiting: int) -> Forecast:
    """What becomes of the queue.

    Parameters
    ----------
    task : Task
    shares : Shares
    audit_rate : float
        The share of decisions by model and rules that people check.
    cases_a_day : float
    waiting : int
        Cases that wait for a decision now.

    >>> from understudy.core.task import Autonomy, Decision, Review
    >>> decision = Decision(name="late", question="Late?", target="late", kind="classification", goal="roc_auc")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95), review=Review(per_day=100))
    >>> some = Shares(people=0.31, model=0.69, rules=0.0)
    >>> found = forecast(task, some, audit_rate=0.0, cases_a_day=1000, waiting=0)
    >>> found.decide, found.can, found.grows, found.waiting, round(found.overdue, 3)
    (310.0, 100.0, 210.0, (210.0, 1470.0, 6300.0), 0.984)
    """
    decide, audit = cases_a_day * shares.people, cases_a_day * (shares.model + shares.rules) * audit_rate
    can, patience = task.review.per_day / task.review.wanted, duration(task.review.answer_within) / duration("1d")
    by_rules = task.review.overdue == "rules" and bool(task.today.rules)
    growth = decide - can
    left = [max(0.0, waiting + growth * days) for days in DAYS]
    if by_rules:  # what waits longer leaves the queue
        left = [min(many, decide * patience) for many in left]
    late = overdue_part(growth, can, waiting, patience)
    return Forecast(
        decide=decide,
        audit=audit,
        can=can,
        grows=max(0.0, decide + audit - can),
        waiting=tuple(left),
        overdue=late * growth / decide if by_rules and growth > 0 else late if decide else 0.0,
        undone=1 - min(1.0, max(0.0, can - decide) / audit) if audit else 0.0,
    )


def overdue_part(growth: float, can: float, waiting: float, patience: float) -> float:
    """The part of the next 30 days in which whoever comes waits longer than the patience, in days.

    >>> overdue_part(10, 100, 0, 1.5), overdue_part(-10, 100, 200, 1.0), overdue_part(-10, 100, 50, 1.0)
    (0.5, 0.3333333333333333, 0.0)
    """
    bearable, until = can * patience, float(DAYS[-1])
    if waiting > bearable:
        return 1.0 if growth >= 0 else min(1.0, (waiting - bearable) / -growth / until)
    return max(0.0, 1 - (bearable - waiting) / growth / until) if growth > 0 else 0.0


def forecast_text(task: Task, found: Forecast) -> tuple[str, ...]:
    """A forecast in words."""
    lines = [work_text(task, found)]
    if found.overdue > 0:
        lines.append(overdue_text(task, found))
    if found.undone > 0:
        lines.append(undone_text(task, found))
    return tuple(lines)


def work_text(task: Task, found: Forecast) -> str:
    """What people would do in a day, and whether they can."""
    audits = f" and audit about {count(found.audit)}" if round(found.audit) else ""
    each = f", each by {task.review.wanted} people" if task.review.wanted > 1 else ""
    wish = f"People would decide about {count(found.decide)} cases a day{audits}{each}"
    if not task.review.per_day:
        return f"{wish}; nobody can review any ([review] per_day = 0)."
    keeps = "they keep up" if not round(found.grows) else f"the queue grows by {count(found.grows)} a day"
    return f"{wish}; {found.can:,.4g} a day can be reviewed: {keeps}."


def overdue_text(task: Task, found: Forecast) -> str:
    """How many would be answered too late, and what becomes of them."""
    after = f"{count(found.waiting[1])} would wait after a week and {count(found.waiting[2])} after 30 days"
    late = (
        f"{100 * found.overdue:.0f} % of those that come until then are answered later than {task.review.answer_within}"
    )
    rules = (
        "the rules of today decide them, where one holds" if task.today.rules else "there are no rules to decide them"
    )
    what = {"hold": "they are held", "rules": rules, "escalate": "they then come before all others"}
    return f"{after}; {late}: {what[task.review.overdue]}."


def undone_text(task: Task, found: Forecast) -> str:
    """How many audits would not be done, and what that means."""
    told = f"There is no time for {count(found.undone * found.audit)} of the {count(found.audit)} audits a day"
    if outcomes_tell(task):
        return f"{told}."
    return f"{told}: each counts as a mistake once {task.truth.mature_after} have passed."


def count(cases: float) -> str:
    """A number of cases, of which only the first digits are known.

    >>> count(312.4), count(8.2), count(14_321)
    ('310', '8', '14,000')
    """
    return f"{float(f'{cases:.2g}'):,.0f}"
