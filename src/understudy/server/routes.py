"""The only table of routes: dispatch, roles, OpenAPI, and the tests that call every route derive from it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from understudy.core.errors import BusyError, UnderstudyError
from understudy.core.ids import new_id
from understudy.core.nouns import Deployment, Role
from understudy.flows.answers import Answer, answer_of
from understudy.flows.decide import Asked, Result
from understudy.flows.facts import awaits_blind_look, with_facts
from understudy.flows.learn import approve, waits_for
from understudy.flows.lookback import LookbackReport, read_lookback
from understudy.flows.moves import roll_back, set_level, set_paused
from understudy.flows.outcomes import give_outcomes
from understudy.flows.override import Overriding, override_check, withdraw_override
from understudy.flows.rereview import Rereview, review_again
from understudy.flows.review import (
    Reviewed,
    decide_outside,
    give_review,
    next_review,
    require_case,
    skip_review,
    undo_review,
)
from understudy.flows.status import TaskStatus, history, task_status
from understudy.server import labelstudio, pages
from understudy.server.messages import (
    MOST_EXPLAINED,
    CaseBody,
    CaseDecision,
    CaseQuery,
    DecisionRequest,
    Decisions,
    Events,
    EventsQuery,
    FailedCase,
    Health,
    LevelRequest,
    LookbackQuery,
    NextReview,
    OutcomeBody,
    OutcomesReply,
    OutcomesRequest,
    OverrideRequest,
    PauseRequest,
    RereviewRequest,
    ReviewRequest,
    RollbackRequest,
    SkipRequest,
    Tasks,
    UndoRequest,
)
from understudy.server.metrics import ANSWERED, exposition
from understudy.server.openapi import document
from understudy.server.table import Call, Route
from understudy.server.web import Reply, WebError, problem

SERVICE, REVIEWER, OPERATOR, OWNER, AUDITOR = Role
EVERYONE = frozenset(Role)
DECIDING = frozenset({SERVICE})
REVIEWING = frozenset({REVIEWER, OWNER})
READING = frozenset({OPERATOR, OWNER, AUDITOR})
STEERING = frozenset({OPERATOR, OWNER})
NOBODY: frozenset[Role] = frozenset()


async def decide(call: Call) -> Any:
    """Decide one case or several."""
    request: DecisionRequest = call.body
    single = request.cases is None
    if single == (request.inputs is None):
        raise WebError(422, "The body needs either `inputs` or `cases`.", hint='Send {"inputs": {"column": value}}.')
    bodies = request.cases or (CaseBody(inputs=request.inputs or {}, id=request.id),)
    if not single and request.id is not None:
        raise WebError(422, "With `cases`, each case has its own `id`.")
    if request.explain and len(bodies) > MOST_EXPLAINED:
        raise WebError(422, f"With `explain`, at most {MOST_EXPLAINED} cases may be asked at once.")
    now = call.service.work.clock.now()
    asked = [Asked(body.id or new_id(now), body.id is not None, body.inputs) for body in bodies]
    batcher = call.service.batchers.get(call.task) or call.service.batcher(call.task)
    results = await batcher.decide(asked)
    for result in results:
        if isinstance(result, Answer):
            ANSWERED.decided(call.task, result.decided_by or "nobody")
    if request.explain:  # apart from the deciding thread: others are not kept waiting for it
        results = await asyncio.to_thread(with_facts, batcher.head, results, [case.inputs for case in asked])
    if single:
        if isinstance(results[0], UnderstudyError):
            raise results[0]
        return results[0]
    if all(isinstance(result, BusyError) for result in results):
        raise results[0]  # type: ignore[misc]
    return {"cases": [one_of_several(case, result) for case, result in zip(asked, results, strict=True)]}


def one_of_several(case: Asked, result: Result) -> Answer | FailedCase:
    """The answer to one case of several."""
    if isinstance(result, UnderstudyError):
        return FailedCase(id=case.id, error=problem(result))
    return result


def get_case(call: Call) -> Answer:
    """A case as its caller sees it.

    Its facts go to the program that may act on the decision. A person gets none as long as anybody is to judge the
    case blindly: it might be the same person.
    """
    head, now = call.service.head(call.task), call.service.work.clock.now()
    with call.service.work.store.reading() as connection:
        case = require_case(connection, head, call.params["id"])
        hidden = call.access.role is not SERVICE and awaits_blind_look(connection, head, case, now)
    answer = answer_of(head, case, now)
    if call.query.explain == "false":
        return answer
    if hidden:
        return msgspec.structs.replace(answer, facts=())
    explained: list[Answer] = with_facts(head, [answer], [msgspec.json.decode(case.body or b"{}")])
    return explained[0]


def post_case_decision(call: Call) -> Answer:
    """What the caller's own people or rules decided."""
    body: CaseDecision = call.body
    return decide_outside(call.service.head(call.task), call.access.name, call.params["id"], body.decision, by=body.by)


def post_outcomes(call: Call) -> OutcomesReply:
    """What turned out to be right."""
    body: OutcomesRequest = call.body
    if (body.outcomes is None) == (body.id is None or body.outcome is None):
        raise WebError(422, "The body needs either `id` and `outcome`, or `outcomes`.")
    bodies = body.outcomes or ()
    if body.id is not None and body.outcome is not None:
        bodies = (OutcomeBody(id=body.id, outcome=body.outcome, observed_at=body.observed_at),)
    given = [outcome.plain() for outcome in bodies]
    return OutcomesReply(outcomes=tuple(give_outcomes(call.service.head(call.task), call.access.name, given)))


def get_next_review(call: Call) -> NextReview:
    """The most urgent case for this reviewer, kept for ten minutes."""
    return NextReview(case=next_review(call.service.head(call.task), call.access.name))


def post_review(call: Call) -> Reviewed:
    """A reviewer's answer."""
    body: ReviewRequest = call.body
    return give_review(call.service.head(call.task), call.access.name, body.id, body.decision, body.note)


def post_skip(call: Call) -> Reviewed:
    """Leave a case to others."""
    return skip_review(call.service.head(call.task), call.access.name, call.body.id)


def post_undo(call: Call) -> Reviewed:
    """Take back the reviewer's last answer or skip."""
    return undo_review(call.service.head(call.task), call.access.name)


def get_tasks(call: Call) -> Tasks:
    """How every task stands."""
    names = call.service.tasks() if call.access.task is None else [call.access.task]
    return Tasks(tasks=tuple(task_status(call.service.work, name) for name in names))


def get_task(call: Call) -> TaskStatus:
    """How a task stands."""
    return task_status(call.service.work, call.task)


def post_level(call: Call) -> Deployment:
    """Change the level: down at once; up where an owner confirms what the evidence proposes, or overrides."""
    body: LevelRequest = call.body
    if body.override and call.access.role is not OWNER:
        raise WebError(403, "Only an owner may override.")
    if not body.override and call.access.role is OWNER and waits_for(call.service.work, call.task, body.level):
        return approve(call.service.work, call.task, actor=call.access.name, why=body.why)
    return set_level(
        call.service.work,
        call.task,
        body.level,
        actor=call.access.name,
        why=body.why,
        thresholds=body.thresholds,
        overriding=body.override,
    )


def post_pause(call: Call) -> Deployment:
    """Stop automation at once, or let it go on."""
    body: PauseRequest = call.body
    if not body.paused and call.access.role not in STEERING:
        raise WebError(403, "Whoever may stop it may not always let it go on: ask an operator or owner.")
    return set_paused(call.service.work, call.task, body.paused, actor=call.access.name, why=body.why)


def post_rollback(call: Call) -> Deployment:
    """Bring an earlier champion back."""
    body: RollbackRequest = call.body
    return roll_back(call.service.work, call.task, actor=call.access.name, version=body.version or "", why=body.why)


def post_override(call: Call) -> Overriding:
    """Override a failed check of a version, or take an override back."""
    body: OverrideRequest = call.body
    work, who = call.service.work, call.access.name
    if body.withdraw:
        return withdraw_override(work, call.task, body.version, body.check, actor=who, reason=body.reason)
    return override_check(work, call.task, body.version, body.check, actor=who, reason=body.reason)


def get_lookback(call: Call) -> LookbackReport:
    """What was decided since the change, and what it cost; its cases a page at a time."""
    query: LookbackQuery = call.query
    return read_lookback(call.service.work, call.task, after=query.after, most=query.limit)


def post_lookback_reviews(call: Call) -> Rereview:
    """Put the cases of the look-back before people once more."""
    return review_again(call.service.work, call.task, actor=call.access.name)


def get_events(call: Call) -> Events:
    """The event log, a page at a time."""
    query: EventsQuery = call.query
    found = history(call.service.work, call.task, after=query.after, most=query.limit)
    return Events(events=tuple(found), next=found[-1].seq if len(found) == query.limit else None)


def get_live(_: Call) -> Health:
    """Whether the process lives."""
    return Health(status="live")


def get_ready(call: Call) -> Health:
    """Whether it can answer: the store is there, and every champion is loaded."""
    trouble = {name: call.service.head(name).trouble for name in call.service.tasks()}
    trouble = {name: reason for name, reason in trouble.items() if reason}
    return Health(status="degraded" if trouble else "ready", trouble=trouble)


def get_metrics(call: Call) -> Reply:
    """Counters and timings for Prometheus."""
    return Reply(exposition(call.service), content_type=b"text/plain; version=0.0.4; charset=utf-8")


def get_openapi(_: Call) -> Reply:
    """The interface, as OpenAPI 3.1."""
    return Reply(document(ROUTES))


def get_docs(call: Call) -> Reply:
    """The interface, as a page."""
    return pages.interface(call, ROUTES)


V1 = "/v1/tasks/{task}"
LABEL_STUDIO = "/labelstudio/{task}"
ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        f"{V1}/decisions",
        DECIDING,
        decide,
        Answer,
        "Decide a case, or several",
        DecisionRequest,
        several=Decisions,
        waits=True,
    ),
    Route(
        "GET",
        f"{V1}/cases/{{id}}",
        frozenset({SERVICE, OPERATOR, OWNER, AUDITOR}),
        get_case,
        Answer,
        "A case",
        query=CaseQuery,
    ),
    Route("POST", f"{V1}/cases/{{id}}/decision", DECIDING, post_case_decision, Answer, "Decide outside", CaseDecision),
    Route("POST", f"{V1}/outcomes", DECIDING, post_outcomes, OutcomesReply, "Report outcomes", OutcomesRequest),
    Route("GET", f"{V1}/reviews/next", REVIEWING, get_next_review, NextReview, "The next case to review"),
    Route("POST", f"{V1}/reviews", REVIEWING, post_review, Reviewed, "Answer a case", ReviewRequest),
    Route("POST", f"{V1}/reviews/skip", REVIEWING, post_skip, Reviewed, "Leave a case to others", SkipRequest),
    Route("POST", f"{V1}/reviews/undo", REVIEWING, post_undo, Reviewed, "Take the last answer back", UndoRequest),
    Route("GET", "/v1/tasks", READING, get_tasks, Tasks, "How every task stands"),
    Route("GET", V1, READING, get_task, TaskStatus, "How a task stands"),
    Route("POST", f"{V1}/level", STEERING, post_level, Deployment, "Change the level", LevelRequest),
    Route("POST", f"{V1}/pause", STEERING | REVIEWING, post_pause, Deployment, "Stop or resume", PauseRequest),
    Route("POST", f"{V1}/rollback", STEERING, post_rollback, Deployment, "Back to a champion", RollbackRequest),
    Route(
        "POST",
        f"{V1}/overrides",
        frozenset({OWNER}),
        post_override,
        Overriding,
        "Override a failed check, or take that back",
        OverrideRequest,
    ),
    Route("GET", f"{V1}/lookback", READING, get_lookback, LookbackReport, "Since the change", query=LookbackQuery),
    Route(
        "POST",
        f"{V1}/lookback/reviews",
        STEERING,
        post_lookback_reviews,
        Rereview,
        "Look once more at what was decided since the change",
        RereviewRequest,
    ),
    Route("GET", f"{V1}/events", READING, get_events, Events, "The event log", query=EventsQuery),
    Route(
        "GET",
        f"{LABEL_STUDIO}/health",
        REVIEWING,
        labelstudio.get_health,
        labelstudio.LabelStudioHealth,
        "Does Label Studio's backend answer?",
        basic=True,
    ),
    Route(
        "POST",
        f"{LABEL_STUDIO}/setup",
        REVIEWING,
        labelstudio.post_setup,
        labelstudio.LabelStudioVersion,
        "Label Studio connects a project",
        labelstudio.LabelStudioProject,
        basic=True,
    ),
    Route(
        "POST",
        f"{LABEL_STUDIO}/predict",
        REVIEWING,
        labelstudio.post_predict,
        labelstudio.LabelStudioPredictions,
        "Predictions for Label Studio, but for blind cases",
        labelstudio.LabelStudioTasks,
        basic=True,
    ),
    Route(
        "POST",
        f"{LABEL_STUDIO}/webhook",
        REVIEWING,
        labelstudio.post_webhook,
        labelstudio.LabelStudioReviews,
        "Label Studio tells of annotations",
        labelstudio.LabelStudioEvent,
        basic=True,
        status=201,
    ),
    Route("GET", "/health/live", NOBODY, get_live, Health, "Does the process live?"),
    Route("GET", "/health/ready", NOBODY, get_ready, Health, "Can it answer?"),
    Route("GET", "/metrics", READING, get_metrics, None, "Counters and timings for Prometheus"),
    Route("GET", "/openapi.json", EVERYONE, get_openapi, None, "This interface, as OpenAPI"),
    Route("GET", "/docs", EVERYONE, get_docs, None, "This interface, as a page"),
    Route("GET", "/", READING | REVIEWING, pages.home, None, "Every task, as a page"),
    Route("GET", "/tasks/{task}", READING, pages.task, None, "A task, as a page"),
    Route("GET", "/tasks/{task}/review", REVIEWING, pages.review, None, "Cases to review, as a page"),
    Route("GET", "/sign-in", NOBODY, pages.sign_in_page, None, "Where a sign-in link leads"),
    Route("POST", "/sign-in", NOBODY, pages.sign_in, None, "Sign in with a link's key", form=True),
    Route("POST", "/sign-out", EVERYONE, pages.sign_out, None, "End the session", form=True),
    Route("GET", "/assets/{name}", NOBODY, pages.asset, None, "Style and scripts of the pages"),
)
