"""From cases, outcomes and reviews to losses: in decision order, once the truth is known or its day has passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from understudy.autonomy.groups import ERASED, answer_of, cell, divided, group_of, group_part
from understudy.autonomy.router import EVERY_ANSWER
from understudy.autonomy.truth import Past, Today, Truth, by_today, known_truth, loss, loss_today
from understudy.autonomy.verdict import drawn, verdict
from understudy.core.nouns import Decider, Deployment, Level
from understudy.core.task import Task, duration
from understudy.flows.answers import first_verdict
from understudy.flows.head import Head
from understudy.flows.moves import read_revision
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
class Terms:
    """What a case is judged by for good: the deployment that it came under, and the task file that held then."""

    task: Task
    deployed: Deployment


class Progress(msgspec.Struct, frozen=True):
    """How far a task is settled: the number of the last case, and the cases before it whose truth was taken back."""

    seq: int = 0
    reopened: tuple[int, ...] = ()


@dataclass(frozen=True)
class Settled:
    """What a pass wrote: how many cases it settled, and the first place that a correction changed, if any."""

    cases: int
    corrected_from: int | None


def settle(connection: sa.Connection, head: Head, now: int) -> Settled:
    """Write the losses of cases whose truth is known, and correct those whose truth has changed.

    Cases are settled in decision order: one whose truth may still come holds up those after it until its day has
    passed. So no order can depend on what the truth is. A settled case whose truth was taken back holds up nothing: it
    keeps what it counted for until a truth comes again, or its day has passed.
    """
    deployments = {deployed.revision: deployed for deployed in read_deployments(connection, head.number)}
    touched = take_inbox(connection, head.number, most=MOST_INBOX)
    before = read_progress(connection, head.number)
    again = sorted({*before.reopened, *(seq for seq in touched if seq <= before.seq)})
    corrected, reopened = correct(connection, head, deployments, again, now)
    last, count = before.seq, 0
    while True:
        cases = cases_after(connection, head.number, last, CASES_AT_ONCE)
        entries, done = settle_some(connection, head, deployments, cases, now)
        if done:
            append_losses(connection, head.number, entries)
            last, count = cases[done - 1].seq, count + done
        if done < CASES_AT_ONCE:
            break
    keep_progress(connection, head.number, before, Progress(seq=last, reopened=reopened), now)
    return Settled(count, corrected)


def read_progress(connection: sa.Connection, task: int) -> Progress:
    """How far a task is settled."""
    state = read_state(connection, Key(task=task, name=SETTLED))
    return Progress() if state is None else msgspec.json.decode(state.body, type=Progress)


def keep_progress(connection: sa.Connection, task: int, before: Progress, progress: Progress, now: int) -> None:
    """Note how far a task is settled, where that has changed."""
    if progress != before:
        body = msgspec.json.encode(progress)
        keep_state(connection, Key(task=task, name=SETTLED), State(n=0, body=body), at=now)


def read_settled(connection: sa.Connection, task: int) -> int:
    """The number of the last case that is settled."""
    return read_progress(connection, task).seq


def read_terms(
    connection: sa.Connection, head: Head, deployments: dict[int, Deployment], cases: Sequence[CaseRecord]
) -> dict[int, Terms]:
    """By the revision of their deployment, what some cases are judged by.

    A change of what counts as truth opens an epoch, and says nothing of the cases before it. Only where their task file
    cannot be read any more does today's stand for it.
    """
    under = {revision: deployments[revision] for revision in {case.revision for case in cases}}
    tasks = {head.deployed.task_revision: head.task}
    for revision in {deployed.task_revision for deployed in under.values()} - tasks.keys():
        tasks[revision] = read_revision(connection, head.number, revision) or head.task
    return {revision: Terms(tasks[deployed.task_revision], deployed) for revision, deployed in under.items()}


def settle_some(
    connection: sa.Connection,
    head: Head,
    deployments: dict[int, Deployment],
    cases: Sequence[CaseRecord],
    now: int,
) -> tuple[list[Entry], int]:
    """The entries of the first cases, up to one whose truth may still come; and how many cases they are."""
    terms = read_terms(connection, head, deployments, cases)
    pasts = read_pasts(connection, head.number, terms, cases, now)
    thoughts = guesses(connection, [case.seq for case in cases])
    n = next_number(connection, head.number)
    entries: list[Entry] = []
    for done, case in enumerate(cases):
        drafts = draft_entries(terms[case.revision], case, thoughts.get(case.seq, ()), pasts[case.seq])
        if drafts is None:
            return entries, done
        first = n + len(entries)
        entries += [replace(draft, n=place, place=place, at=now) for place, draft in enumerate(drafts, first)]
    return entries, len(cases)


def correct(
    connection: sa.Connection, head: Head, deployments: dict[int, Deployment], seqs: Sequence[int], now: int
) -> tuple[int | None, tuple[int, ...]]:
    """Append what has changed of settled cases, at its old place.

    Returns
    -------
    tuple of (int or None, tuple of int)
        The first such place, if any, and the cases whose truth may come once more.
    """
    cases = cases_by_number(connection, head.number, seqs)
    terms = read_terms(connection, head, deployments, cases)
    pasts, thoughts = read_pasts(connection, head.number, terms, cases, now), guesses(connection, seqs)
    held = of_cases(connection, head.number, seqs)
    n = next_number(connection, head.number)
    entries: list[Entry] = []
    reopened: list[int] = []
    for case in cases:
        drafts = draft_entries(terms[case.revision], case, thoughts.get(case.seq, ()), pasts[case.seq])
        if drafts is None:
            reopened.append(case.seq)
        for draft in drafts or ():
            earlier = held.get((case.seq, draft.version))
            if earlier is None:
                continue
            changed = draft if case.body is not None else replace(draft, side=in_group_of(earlier, draft))
            if told(earlier) != told(changed):
                entries.append(replace(changed, n=n + len(entries), place=earlier.place, at=now))
    append_losses(connection, head.number, entries)
    return min((changed.place for changed in entries), default=None), tuple(reopened)


def in_group_of(earlier: Entry, draft: Entry) -> str:
    """The side of an answer in the group that its case was settled in, before its inputs were erased."""
    return cell(answer_of(draft.side), group_part(earlier.side))


def told(entry: Entry) -> tuple[str, str | None, float, str]:
    """What of an entry can change afterwards."""
    return entry.source, entry.label, entry.propensity, entry.side


def read_pasts(
    connection: sa.Connection, task: int, terms: dict[int, Terms], cases: Sequence[CaseRecord], now: int
) -> dict[int, Past]:
    """What has become of each case, as the ledger needs it."""
    outcomes = current_outcomes(connection, task, [case.id for case in cases])
    found: dict[int, Past] = {}
    for case in cases:
        rule = terms[case.revision].task
        wanted = rule.review.wanted
        first = first_verdict(case) or verdict(None, drawn(case.reviews), wanted=wanted, correct=False)
        outcome = outcomes.get(case.id)
        found[case.seq] = Past(
            review_kind=case.review_kind,
            review_propensity=case.review_propensity,
            blind=case.blind,
            decision=None if first is None else first.decision,
            reviews=case.reviews,
            outcome=None if outcome is None else outcome.value,
            overdue=now >= case.received_at + duration(rule.truth.mature_after),
            ruled=case.decision if case.decided_by is Decider.RULE else None,
            alone=case.level in (Level.HUMAN, Level.SHADOW),
        )
    return found


def draft_entries(terms: Terms, case: CaseRecord, thoughts: Sequence[Guess], past: Past) -> list[Entry] | None:
    """The rows of a case, one for each version and one for what decides today; None while the truth may still come.

    Their numbers and their time are given when they are written.
    """
    truth = known_truth(terms.task, past)
    if truth is None:
        return None
    entries = [entry(terms, case, guess, truth) for guess in thoughts]
    champion = next((found for found in entries if found.version == case.version), None)
    today = None if champion is None else by_today(terms.task, past, truth)
    return entries if champion is None or today is None else [*entries, today_entry(terms.task, champion, today)]


def today_entry(task: Task, champion: Entry, today: Today) -> Entry:
    """The row of what decides today, beside the champion's."""
    return replace(
        champion,
        version=TODAY,
        role=TODAY,
        source=today.truth.source,
        label=today.truth.label,
        loss=loss_today(task, today),
        propensity=today.truth.propensity,
        confidence=0.0,
        side=cell(today.decision, group_part(champion.side)),
        automated=False,
    )


def entry(terms: Terms, case: CaseRecord, guess: Guess, truth: Truth) -> Entry:
    """The row of a version's answer to a case."""
    task, deployed = terms.task, terms.deployed
    champion, group = guess.version == case.version, settled_group(task, case)
    return Entry(
        n=0,
        place=0,
        case_seq=case.seq,
        version=guess.version,
        role=guess.role,
        source=truth.source,
        label=truth.label,
        loss=loss(task, guess.prediction, truth),
        propensity=truth.propensity,
        confidence=guess.confidence,
        strangeness=guess.strangeness,
        side=cell(EVERY_ANSWER if task.decision.kind == "regression" else guess.prediction, group),
        eligible=may_be_given(task, deployed, guess) and BARRED.isdisjoint(case.reasons),
        automated=champion and case.decided_by is Decider.MODEL,
        revision=case.revision,
        epoch=deployed.epoch,
        at=0,
    )


def settled_group(task: Task, case: CaseRecord) -> str:
    """The group of a case by its recorded inputs."""
    if not divided(task):
        return ""
    return ERASED if case.body is None else group_of(task, msgspec.json.decode(case.body))


def may_be_given(task: Task, deployed: Deployment, guess: Guess) -> bool:
    """Whether a version might give its answer by itself: the case is not strange to it, and the mandate allows it."""
    allow = task.mandate.allow
    return guess.strangeness <= deployed.strange_limit and (not allow or guess.prediction in allow)
