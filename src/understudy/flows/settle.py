"""From cases, outcomes and reviews to losses: in decision order, once the truth is known or its day has passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.router import EVERY_ANSWER
from understudy.autonomy.truth import Past, Today, Truth, by_today, known_truth, loss, loss_today
from understudy.autonomy.verdict import drawn
from understudy.core.nouns import Decider, Deployment, Level
from understudy.core.task import Task, duration
from understudy.flows.answers import first_verdict, verdict_of
from understudy.flows.head import Head
from understudy.store.casebook import CaseRecord
from understudy.store.ledger import (
    Entry,
    Guess,
    Key,
    State,
    append_losses,
    cases_after,
    cases_by_number,
    guesses,
    keep_state,
    next_number,
    of_cases,
    read_state,
    take_inbox,
)
from understudy.store.outcomes import current_outcomes
from understudy.store.registry import read_deployments

CASES_AT_ONCE = 2000
MOST_INBOX = 10_000
SETTLED = "settled"
TODAY = "today"
"""The version, in the ledger, of what decides today: rules or people, where nothing of the model is shown to them."""

BARRED = frozenset({"mandate_limit", "mandate_never", "mandate_expired"})
"""Reasons for which a case would not be automated, whatever a version says of it."""


@dataclass(frozen=True)
class Settled:
    """What a pass wrote: how many cases it settled, and the first place that a correction changed, if any."""

    cases: int
    corrected_from: int | None


def settle(connection: sa.Connection, head: Head, now: int) -> Settled:
    """Write the losses of cases whose truth is known, and correct those whose truth has changed.

    Cases are settled in decision order: one whose truth may still come holds up those after it until its day has
    passed. So no order can depend on what the truth is.
    """
    deployments = {deployed.revision: deployed for deployed in read_deployments(connection, head.number)}
    touched = take_inbox(connection, head.number, most=MOST_INBOX)
    last = read_settled(connection, head.number)
    corrected = correct(connection, head, deployments, [seq for seq in touched if seq <= last], now)
    count = 0
    while True:
        cases = cases_after(connection, head.number, last, CASES_AT_ONCE)
        entries, done = settle_some(connection, head, deployments, cases, now)
        if done:
            append_losses(connection, head.number, entries)
            last, count = cases[done - 1].seq, count + done
            body = msgspec.json.encode({"seq": last})
            keep_state(connection, Key(task=head.number, name=SETTLED), State(n=0, body=body), at=now)
        if done < CASES_AT_ONCE:
            return Settled(count, corrected)


def read_settled(connection: sa.Connection, task: int) -> int:
    """The number of the last case that is settled."""
    state = read_state(connection, Key(task=task, name=SETTLED))
    return 0 if state is None else int(msgspec.json.decode(state.body)["seq"])


def settle_some(
    connection: sa.Connection,
    head: Head,
    deployments: dict[int, Deployment],
    cases: Sequence[CaseRecord],
    now: int,
) -> tuple[list[Entry], int]:
    """The entries of the first cases, up to one whose truth may still come; and how many cases they are."""
    pasts = read_pasts(connection, head, cases, now)
    thoughts = guesses(connection, [case.seq for case in cases])
    n = next_number(connection, head.number)
    entries: list[Entry] = []
    for done, case in enumerate(cases):
        drafts = draft_entries(head, deployments[case.revision], case, thoughts.get(case.seq, ()), pasts[case.seq])
        if drafts is None:
            return entries, done
        first = n + len(entries)
        entries += [replace(draft, n=place, place=place, at=now) for place, draft in enumerate(drafts, first)]
    return entries, len(cases)


def correct(
    connection: sa.Connection, head: Head, deployments: dict[int, Deployment], seqs: Sequence[int], now: int
) -> int | None:
    """Append what has changed of settled cases, at its old place; the first such place, or None."""
    cases = cases_by_number(connection, head.number, seqs)
    pasts, thoughts = read_pasts(connection, head, cases, now), guesses(connection, seqs)
    held = of_cases(connection, head.number, seqs)
    n = next_number(connection, head.number)
    entries: list[Entry] = []
    for case in cases:
        drafts = draft_entries(head, deployments[case.revision], case, thoughts.get(case.seq, ()), pasts[case.seq])
        for draft in drafts or ():
            earlier = held.get((case.seq, draft.version))
            if earlier is not None and told(earlier) != told(draft):
                entries.append(replace(draft, n=n + len(entries), place=earlier.place, at=now))
    append_losses(connection, head.number, entries)
    return min((changed.place for changed in entries), default=None)


def told(entry: Entry) -> tuple[str, str | None, str]:
    """What of an entry can change afterwards."""
    return entry.source, entry.label, entry.side


def read_pasts(connection: sa.Connection, head: Head, cases: Sequence[CaseRecord], now: int) -> dict[int, Past]:
    """What has become of each case, as the ledger needs it."""
    outcomes = current_outcomes(connection, head.number, [case.id for case in cases])
    found: dict[int, Past] = {}
    for case in cases:
        first = first_verdict(case) or verdict_of(head, replace(case, reviews=drawn(case.reviews)))
        outcome = outcomes.get(case.id)
        found[case.seq] = Past(
            review_kind=case.review_kind,
            review_propensity=case.review_propensity,
            blind=case.blind,
            decision=None if first is None else first.decision,
            reviews=case.reviews,
            outcome=None if outcome is None else outcome.value,
            overdue=now >= case.received_at + duration(head.task.truth.mature_after),
            ruled=case.decision if case.decided_by is Decider.RULE else None,
            alone=case.level in (Level.HUMAN, Level.SHADOW),
        )
    return found


def draft_entries(
    head: Head, deployed: Deployment, case: CaseRecord, thoughts: Sequence[Guess], past: Past
) -> list[Entry] | None:
    """The rows of a case, one for each version and one for what decides today; None while the truth may still come.

    Their numbers and their time are given when they are written.
    """
    truth = known_truth(head.task, past)
    if truth is None:
        return None
    entries = [entry(head, deployed, case, guess, truth) for guess in thoughts]
    champion = next((found for found in entries if found.version == case.version), None)
    today = None if champion is None else by_today(head.task, past, truth)
    return entries if champion is None or today is None else [*entries, today_entry(head, champion, today)]


def today_entry(head: Head, champion: Entry, today: Today) -> Entry:
    """The row of what decides today, beside the champion's."""
    return replace(
        champion,
        version=TODAY,
        role=TODAY,
        source=today.truth.source,
        label=today.truth.label,
        loss=loss_today(head.task, today),
        propensity=today.truth.propensity,
        confidence=0.0,
        side=today.decision,
        automated=False,
    )


def entry(head: Head, deployed: Deployment, case: CaseRecord, guess: Guess, truth: Truth) -> Entry:
    """The row of a version's answer to a case."""
    champion = guess.version == case.version
    return Entry(
        n=0,
        place=0,
        case_seq=case.seq,
        version=guess.version,
        role=guess.role,
        source=truth.source,
        label=truth.label,
        loss=loss(head.task, guess.prediction, truth),
        propensity=truth.propensity,
        confidence=guess.confidence,
        strangeness=guess.strangeness,
        side=EVERY_ANSWER if head.task.decision.kind == "regression" else guess.prediction,
        eligible=may_be_given(head.task, deployed, guess) and BARRED.isdisjoint(case.reasons),
        automated=champion and case.decided_by is Decider.MODEL,
        revision=case.revision,
        epoch=deployed.epoch,
        at=0,
    )


def may_be_given(task: Task, deployed: Deployment, guess: Guess) -> bool:
    """Whether a version might give its answer by itself: the case is not strange to it, and the mandate allows it."""
    allow = task.mandate.allow
    return guess.strangeness <= deployed.strange_limit and (not allow or guess.prediction in allow)
