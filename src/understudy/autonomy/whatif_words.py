"""A what-if in words: what keeps the promise, at what price, and what that rests on."""

from __future__ import annotations

from collections.abc import Sequence

from understudy.autonomy.choices import PER, Side, Terms
from understudy.autonomy.promise import first_audit_rate
from understudy.autonomy.standing import percent
from understudy.autonomy.whatif import WhatIf
from understudy.core.task import Task
from understudy.evidence.bands import SelectiveRisk, closest


def conclusion(result: WhatIf) -> tuple[str, ...]:
    """What a person should know who asked, in sentences."""
    if not result.sides:
        return ("Nothing can be told: no held-out row shows which answers it would give.",)
    if not result.chosen.thresholds:
        return (nothing_kept(result), *cheapest_words(result), standing_words(result))
    return (
        *kept_words(result),
        *left_words(result),
        price_words(result),
        review_words(result),
        *cheapest_words(result),
        standing_words(result),
    )


def headline(result: WhatIf) -> str:
    """The answer in one sentence."""
    if not result.chosen.thresholds:
        return f"No threshold keeps {percent(result.terms.max_error)}." if result.sides else "Nothing can be told."
    share, promise = 100 * result.chosen.coverage.estimate, 100 * result.terms.max_error
    return f"It may decide {share:.0f} of 100 cases, at most {promise:.3g} of 100 wrong."


def named(answer: str) -> str:
    """An answer as one says it.

    >>> named("pay"), named("*")
    ("'pay'", 'any answer')
    """
    return "any answer" if answer == "*" else repr(answer)


def from_words(answer: str, threshold: float) -> str:
    """From which confidence an answer is given.

    >>> from_words("pay", 0.87654), from_words("refuse", 0.0)
    ("'pay' from 0.877 on", "'refuse' always")
    """
    return f"{named(answer)} from {threshold:.3f} on" if threshold > 0 else f"{named(answer)} always"


def count(value: float) -> str:
    """A number of cases or coins, without more digits than it is worth.

    >>> count(147.94), count(4.6321), count(12345.6)
    ('148', '4.6', '12,346')
    """
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"


def nearest(sides: Sequence[Side]) -> tuple[Side, SelectiveRisk] | None:
    """The answer and the threshold whose proven risk is the lowest."""
    found = [(side, at) for side in sides if (at := closest(side.curve)) is not None]
    return min(found, key=lambda pair: pair[1].risk.upper, default=None)


def nothing_kept(result: WhatIf) -> str:
    """That nothing keeps the promise, and what comes closest."""
    none = f"No threshold keeps {percent(result.terms.max_error)}"
    found = nearest(result.sides)
    if found is None or found[1].risk.upper >= 1:
        return f"{none}: too few cases have been looked at to prove anything."
    side, at = found
    what = f"{percent(at.risk.upper)} at {percent(side.covered(at))} of its cases"
    return f"{none}; the closest is {what}, for {named(side.answer)} from a confidence of {at.threshold:.3f} on."


def kept_words(result: WhatIf) -> tuple[str, str]:
    """What keeps the promise, and how sure that is."""
    chosen, terms = result.chosen, result.terms
    from_on = ", ".join(from_words(name, at) for name, at in chosen.thresholds.items())
    risk = chosen.risk
    about = "" if risk is None else f" (about {100 * risk.estimate:.2g})"
    wrong = "are wrong, the dearest mistake counting as one" if result.priced else "are wrong"
    sure = f"with {percent(terms.confidence)} confidence, whichever setting is picked"
    looks = "however often one looks" if chosen.coverage.anytime else "for one look at these rows"
    return (
        f"It may decide {percent(chosen.coverage.estimate)} of all cases by itself: {from_on}.",
        f"Of 100 that it decides, at most {100 * terms.max_error:.3g}{about} {wrong}, {sure}, {looks}.",
    )


def left_words(result: WhatIf) -> list[str]:
    """How far off the answers are that are left to people."""
    found = []
    for side in result.sides:
        at = closest(side.curve)
        if side.answer not in result.chosen.thresholds and at is not None:
            bound = f"the closest is {percent(at.risk.upper)} at {percent(side.covered(at))} of its cases"
            off = bound if at.risk.upper < 1 else "too few cases have been looked at"
            none = f"no threshold keeps {percent(result.terms.max_error)}"
            found.append(f"People keep {named(side.answer)}: {none}; {off}.")
    return found


def price_words(result: WhatIf) -> str:
    """What 1,000 cases cost."""
    cost = result.chosen.cost
    compared = f"{result.people.cost.estimate:,.0f} with people reviewing each"
    if not result.priced:
        return f"{PER:,} cases cost {cost.estimate:,.0f} in reviews, {compared}; mistakes have no price in [cost]."
    return f"{PER:,} cases cost {cost.estimate:,.0f} ({cost.lower:,.0f} to {cost.upper:,.0f}), {compared}."


def review_words(result: WhatIf) -> str:
    """What people would do, and what they would be spared."""
    chosen, terms = result.chosen, result.terms
    if chosen.reviews_per_day is None or chosen.hours_saved_per_day is None:
        return f"Of {PER:,} cases people review {count(chosen.reviews)}, {count(chosen.audits)} audits among them."
    audits = chosen.audits / PER * (terms.cases_per_day or 0.0)
    return (
        f"People review {count(chosen.reviews_per_day)} cases a day, {count(audits)} audits among them; that saves "
        f"{chosen.hours_saved_per_day:,.1f} hours a day, at {terms.minutes:g} minutes a review."
    )


def cheapest_words(result: WhatIf) -> list[str]:
    """Which promise is proven to cost least."""
    best = result.cheapest
    if best is None or best.thresholds == result.chosen.thresholds:
        return []
    if not best.thresholds:
        return ["Nothing is proven to cost less than people reviewing each case."]
    cost = f"at most {best.cost.upper:,.0f} (about {best.cost.estimate:,.0f}) for {PER:,} cases"
    where = f"by a promise of {percent(best.max_error)}, at {percent(best.coverage.estimate)} of all cases"
    return [f"The lowest cost that is proven: {cost}, {where}."]


def standing_words(result: WhatIf) -> str:
    """What this is worth."""
    if result.source == "history":
        return "This is from history, not live: it certifies nothing."
    held = ", ".join(from_words(name, low) for name, low in result.certified.items())
    return f"Certified at the promise of {percent(result.promised)}: {held or 'nothing yet'}."


def assumed(task: Task, terms: Terms) -> list[str]:
    """What the figures take for granted."""
    found = []
    if terms.min_coverage < task.autonomy.min_coverage:
        least = percent(task.autonomy.min_coverage)
        found.append(f"The thresholds begin at {least} of an answer's cases, as [autonomy] min_coverage says.")
    if task.cost.mistakes:
        found.append("A mistake counts by its price in [cost]: the dearest one as a whole, others as a part of it.")
    if task.review.wanted > 1:
        found.append(f"Each case is reviewed {task.review.wanted} times, as [review] wanted says.")
    if task.today.rules:
        found.append("What the machine leaves, people review: rules of today are not counted.")
    first = percent(first_audit_rate(task))
    found.append(f"Audits are those of calm times; after a step up people check {first} of its answers at first.")
    found.append("Mistakes that people make are not counted.")
    if terms.cases_per_day is None:
        found.append("How many cases come a day, nothing tells yet: say it with --cases-per-day.")
    return found
