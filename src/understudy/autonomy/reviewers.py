"""How well do the people who review agree, how often does each of them err, and do they follow what they are shown?

This informs whoever reads it, and certifies nothing: what counts as the truth of a case is what more than half of its
blind reviewers say, or its outcome (`truth`).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import msgspec
import numpy as np

from understudy.autonomy.truth import looks
from understudy.autonomy.verdict import standing
from understudy.core.evidence import Evidence
from understudy.core.nouns import Review
from understudy.core.task import Task
from understudy.evidence.consensus import Consensus, Judgements, dawid_skene, reviewer_errors, votes
from understudy.evidence.people import anchoring, krippendorff_alpha, reviewer_error

FEWEST = 20
"""How many cases two people must have seen before anything is said of them."""

MOST_NUMBERS = 500
"""Of how many cases the agreement on numbers is told: what it takes grows with the square of the distinct answers."""

MOST_NAMED = 5
"""How many reviewers are named, those who err most."""

CONFIDENCE = 0.95


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What people did with a case.

    Attributes
    ----------
    reviews : tuple of Review
        The oldest first, without those that somebody asked for afterwards.
    guess : str, optional
        What the model thought, where it was drawn whether its reviewers see that; otherwise None.
    """

    reviews: tuple[Review, ...]
    guess: str | None


class Reviewer(msgspec.Struct, frozen=True, kw_only=True):
    """How often one of them errs."""

    user: str
    error: Evidence


class People(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of those who review.

    Attributes
    ----------
    cases, twice, differ : int
        Cases with a blind answer, those with two, and those whose first two answers differ.
    agreement : Evidence
        Of the first two answers beyond chance (Krippendorff's alpha).
    error : Evidence
        The mean error of reviewers, from the first two answers.
    reviewers : tuple of Reviewer
        Those of whom something can be said, who errs most first; none where answers are numbers.
    together, contested : int
        Cases with a majority, and those where the reviewers, each weighed by his errors, would say otherwise.
    anchoring : Evidence
        By how much oftener they agree with the model where they see its answer.
    """

    cases: int
    twice: int
    differ: int
    agreement: Evidence
    error: Evidence
    reviewers: tuple[Reviewer, ...]
    together: int
    contested: int
    anchoring: Evidence


def people_of(task: Task, cases: Sequence[Looked]) -> People:
    """What is known of those who reviewed these cases.

    Of each case the first two blind answers tell how well people agree: a third is asked where these differ, so that
    with it they would seem to differ more often.
    """
    blind = [found for found in (looks(task, case.reviews) for case in cases) if found]
    first = [found[:2] for found in blind if len(found) > 1]
    apart = [differ(task, *(look.value or "" for look in pair)) for pair in first]
    words = task.decision.kind == "classification"
    reviewers, together, contested = weighed([found for found in blind if words and len(found) > 1])
    return People(
        cases=len(blind),
        twice=len(first),
        differ=sum(apart),
        agreement=agreement(task, first),
        error=reviewer_error(sum(apart), len(first), alpha=1 - CONFIDENCE),
        reviewers=reviewers,
        together=together,
        contested=contested,
        anchoring=anchored(task, cases),
    )


def differ(task: Task, first: str, second: str) -> bool:
    """Whether two answers are not the same; numbers may differ by the tolerance."""
    if task.decision.kind == "regression":
        return not abs(float(first) - float(second)) <= (task.decision.tolerance or 0.0)
    return first != second


def agreement(task: Task, pairs: Sequence[Sequence[Review]]) -> Evidence:
    """The agreement of two answers beyond chance."""
    said = [[look.value or "" for look in pair] for pair in pairs]
    if task.decision.kind == "regression":
        numbers = np.array(said[-MOST_NUMBERS:], dtype=np.float64).reshape(-1, 2)
        return krippendorff_alpha(numbers, scale="interval", alpha=1 - CONFIDENCE)
    _, codes = np.unique(np.array(said, dtype=object).reshape(-1, 2).astype(str), return_inverse=True)
    return krippendorff_alpha(codes.reshape(-1, 2).astype(np.float64), alpha=1 - CONFIDENCE)


def weighed(blind: Sequence[Sequence[Review]]) -> tuple[tuple[Reviewer, ...], int, int]:
    """How often each reviewer errs; cases with a majority, and those where the consensus says otherwise.

    One answer more, where the others disagree, does no harm here, unlike for how often two of them differ.
    """
    users = sorted({look.user for found in blind for look in found})
    answers = sorted({look.value or "" for found in blind for look in found})
    if len(users) < 2 or len(answers) < 2:
        return (), 0, 0
    rows = [(case, users.index(one.user), answers.index(one.value or "")) for case, one in numbered(blind)]
    case, reviewer, answer = np.array(rows).T
    said = Judgements(case=case, reviewer=reviewer, answer=answer, answers=len(answers))
    found = dawid_skene(said)
    errors = reviewer_errors(said, alpha=1 - CONFIDENCE, found=found)
    known = [Reviewer(user=user, error=error) for user, error in zip(users, errors, strict=True)]
    told = sorted((one for one in known if not isnan(one.error.estimate)), key=lambda one: -one.error.estimate)
    together, contested = against_majority(said, found)
    return tuple(told), together, contested


def numbered(blind: Sequence[Sequence[Review]]) -> list[tuple[int, Review]]:
    """The last answer of each reviewer to each case, with the number of the case."""
    return [(case, look) for case, found in enumerate(blind) for look in {one.user: one for one in found}.values()]


def against_majority(said: Judgements, found: Consensus) -> tuple[int, int]:
    """Cases with two answers or more and a majority, and those among them where the consensus says otherwise."""
    counts, shares = np.bincount(said.case, minlength=said.cases), votes(said)
    settled = (counts > 1) & (shares.max(axis=1) > 0.5)
    otherwise = settled & (shares.argmax(axis=1) != found.chance.argmax(axis=1))
    return int(settled.sum()), int(otherwise.sum())


def anchored(task: Task, cases: Sequence[Looked]) -> Evidence:
    """By how much oftener people agree with the model where they see its answer, by the first answer to each case."""
    agreed, shown = [0, 0], [0, 0]
    for case in cases:
        first = next((look for look in standing(case.reviews) if look.kind == "decide"), None)
        if first is None or case.guess is None:
            continue
        shown[not first.blind] += 1
        agreed[not first.blind] += not differ(task, first.value or "", case.guess)
    return anchoring(agreed[0], shown[0], agreed[1], shown[1], alpha=1 - CONFIDENCE)


def told_people(people: People) -> tuple[str, ...]:
    """What is known of those who review, a sentence each; nothing while it is little.

    >>> from understudy.evidence.people import cohen_kappa
    >>> few = np.array([])
    >>> people = People(cases=400, twice=200, differ=18, agreement=cohen_kappa(few, few), error=reviewer_error(18, 200),
    ...                 reviewers=(), together=0, contested=0, anchoring=anchoring(80, 100, 380, 400))
    >>> for sentence in told_people(people):
    ...     print(sentence)
    Two reviewers differ in 18 of 200 cases: on average each errs in 2 to 10 of 100, if errors are not shared.
    Shown the model's answer they agree with it more often than blind, by 1 to 35 of 100 cases: it moves them.
    """
    found: list[str] = []
    if people.twice >= FEWEST:
        error, alike = people.error, people.agreement
        beyond = f" (Krippendorff's alpha {alike.estimate:.2f})" if not isnan(alike.estimate) else ""
        found.append(
            f"Two reviewers differ in {people.differ:,} of {people.twice:,} cases{beyond}: on average each errs in "
            f"{between(error)} of 100, if errors are not shared."
        )
    if people.reviewers:
        named = ", ".join(f"{one.user} in {between(one.error)}" for one in people.reviewers[:MOST_NAMED])
        found.append(f"Of 100 cases each errs, as far as the others' answers tell: {named}.")
    if people.reviewers and people.contested:
        found.append(
            f"Weighed by their errors they would say otherwise than the majority in {people.contested:,} of "
            f"{people.together:,} cases; the majority counts."
        )
    gap = people.anchoring
    if gap.n and gap.lower > 0:
        often = f"more often than blind, by {between(gap)} of 100 cases"
        found.append(f"Shown the model's answer they agree with it {often}: it moves them.")
    return tuple(found)


def between(share: Evidence) -> str:
    """The bounds of a share, of 100.

    >>> between(reviewer_error(18, 100))
    '4 to 20'
    """
    return f"{100 * share.lower:.0f} to {100 * share.upper:.0f}"
