"""Who answers a case: the model, the rules of today, or a person; and whether a person looks at it blindly."""

from __future__ import annotations

from typing import Literal

import msgspec

from understudy.autonomy.groups import cell
from understudy.core.nouns import Decider, Deployment, Level

ReviewKind = Literal["decide", "audit", "none"]
EVERY_ANSWER = "*"
"""The key of the one threshold of a task whose answers are numbers."""

TOLD_BY_PREDICTION = frozenset({"unsure", "answer_not_allowed"})
"""Reasons that would tell what the model thinks; nobody reads them before the case is decided."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a case when it is routed.

    Attributes
    ----------
    answer : str or float, optional
        What the champion would answer; None where there is no champion or it failed.
    confidence, strangeness : float
    outside : tuple of str
        Why the case lies outside the mandate, whatever the answer; empty where it lies inside.
    allowed : bool
        Whether the mandate allows the machine to give this answer.
    rule : str, optional
        What the rules of today answer; None where there are none or none holds.
    rules_fill : bool
        Whether the rules decide what the model does not at every level, because there are no reviewers.
    audit_draw, blind_draw : float
        Uniform numbers in [0, 1) that belong to the case.
    group : str
        The one that it belongs to, where the promise holds for each group by itself.
    """

    answer: str | float | None
    confidence: float
    strangeness: float
    outside: tuple[str, ...]
    allowed: bool
    rule: str | None
    rules_fill: bool
    audit_draw: float
    blind_draw: float
    group: str = ""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers, and who looks.

    Attributes
    ----------
    decided_by : Decider, optional
        None where the case waits for a person.
    decision : str or float, optional
        What is decided at once.
    reasons : tuple of str
        Codes that say why.
    review_kind : {"decide", "audit", "none"}
        Whether a person decides it, audits a decision blindly afterwards, or never sees it.
    review_propensity : float
        The probability with which a case like this one gets a blind look.
    blind : bool
        Whether the person sees nothing of the model.
    """

    decided_by: Decider | None
    decision: str | float | None
    reasons: tuple[str, ...]
    review_kind: ReviewKind
    review_propensity: float
    blind: bool


def route(deployed: Deployment, facts: Facts) -> Route:
    """Who answers a case, and who looks at it.

    The same deployment, facts and draws always give the same route. The model decides only at `partial` and `full`, and
    only where nothing speaks against it: not paused, inside the mandate, not strange, an answer that is allowed, and
    at `partial` past the threshold of its side.

    >>> facts = Facts(answer="pay", confidence=0.97, strangeness=0.2, outside=(), allowed=True, rule=None,
    ...               rules_fill=False, audit_draw=0.5, blind_draw=0.5)
    >>> sure = Deployment(level=Level.PARTIAL, champion="v", thresholds={"pay": 0.9}, strange_limit=0.99,
    ...                   audit_rate=0.1, blind_rate=0.2)
    >>> route(sure, facts).decided_by, route(sure, facts).review_kind
    (<Decider.MODEL: 'model'>, 'none')
    >>> route(msgspec.structs.replace(sure, level=Level.SHADOW), facts).decided_by is None
    True
    """
    against = objections(deployed, facts)
    if not against:
        return at_once(deployed, facts, Decider.MODEL, ("confident",))
    if facts.rule is not None and (facts.rules_fill or deployed.level in (Level.HUMAN, Level.SHADOW)):
        return at_once(deployed, facts, Decider.RULE, ("rule", *against))
    shown = deployed.level.height >= Level.ASSIST.height and facts.answer is not None and not deployed.paused
    propensity = deployed.blind_rate if shown else 1.0
    blind = facts.blind_draw < propensity
    return Route(
        decided_by=None, decision=None, reasons=against, review_kind="decide", review_propensity=propensity, blind=blind
    )


def at_once(deployed: Deployment, facts: Facts, by: Decider, reasons: tuple[str, ...]) -> Route:
    """The route of a case that is decided at once, with its draw for the audit."""
    audited = facts.audit_draw < deployed.audit_rate
    return Route(
        decided_by=by,
        decision=facts.answer if by is Decider.MODEL else facts.rule,
        reasons=reasons,
        review_kind="audit" if audited else "none",
        review_propensity=deployed.audit_rate,
        blind=True,
    )


def objections(deployed: Deployment, facts: Facts) -> tuple[str, ...]:
    """Why the model may not decide this case by itself; empty where it may.

    Below `partial` the level alone forbids it. What else speaks against it is recorded all the same: evidence is
    gathered on the cases that would be automated.
    """
    found = [] if deployed.level.height >= Level.PARTIAL.height else [f"level_{deployed.level.value}"]
    found += ["paused"] if deployed.paused else []
    found += facts.outside
    if facts.answer is None:
        return (*found, "no_prediction")
    if not facts.strangeness <= deployed.strange_limit:
        found.append("strange")
    if not facts.allowed:
        found.append("answer_not_allowed")
    elif must_be_sure(deployed, facts) and not facts.confidence >= threshold(deployed, facts.answer, facts.group):
        found.append("unsure")
    return tuple(found)


def must_be_sure(deployed: Deployment, facts: Facts) -> bool:
    """Whether thresholds bind: at `partial`; at `full` they say which groups it may decide, where it knows groups."""
    if deployed.level is Level.FULL:
        return bool(facts.group and deployed.thresholds)
    return deployed.level is Level.PARTIAL


def threshold(deployed: Deployment, answer: str | float, group: str = "") -> float:
    """The confidence from which this answer may be given; out of reach where nothing was certified for it.

    Where the promise holds for each group by itself, a certificate names the group; an owner's word may name the answer
    alone.
    """
    side = answer if isinstance(answer, str) else EVERY_ANSWER
    return deployed.thresholds.get(cell(side, group), deployed.thresholds.get(side, 2.0))


def told(reasons: tuple[str, ...]) -> tuple[str, ...]:
    """The reasons as callers and reviewers may read them before the case is decided.

    Below `partial` that is the level alone. Above, what depends on the model's answer is left out beside other reasons,
    and is one word where it stands alone.

    >>> told(("level_shadow", "strange")), told(("strange", "unsure")), told(("answer_not_allowed",))
    (('level_shadow',), ('strange',), ('not_automated',))
    """
    if any(code.startswith("level_") for code in reasons):
        return tuple(code for code in reasons if code == "rule" or code.startswith("level_"))
    return tuple(code for code in reasons if code not in TOLD_BY_PREDICTION) or ("not_automated",)
