"""What Label Studio asks of an ML backend, and what it tells when somebody annotates."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from understudy.core.errors import Fault, FaultyInputError
from understudy.flows.labelstudio_annotations import read_annotation, read_deleted
from understudy.flows.labelstudio_predict import predict_tasks
from understudy.flows.labelstudio_reviews import Entered, enter_all, withdraw_all
from understudy.server.table import Call

MOST_TASKS = 1000
GIVEN = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED")
DELETED = ("ANNOTATION_DELETED", "ANNOTATIONS_DELETED")


class LabelStudioMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Something that Label Studio sends; its versions differ, so that unknown fields are passed over."""


class LabelStudioTasks(LabelStudioMessage, frozen=True, kw_only=True):
    """Tasks to predict."""

    tasks: Annotated[tuple[dict[str, Any], ...], Meta(max_length=MOST_TASKS)]


class LabelStudioProject(LabelStudioMessage, frozen=True, kw_only=True):
    """A project that is connected; nothing of it needs to be kept."""

    project: Any = None


class LabelStudioEvent(LabelStudioMessage, frozen=True, kw_only=True):
    """What has happened in a project: an `annotation` with its `task`, or the `annotations` that were deleted."""

    action: Annotated[str, Meta(max_length=100)]
    annotation: Any = None
    annotations: Any = None
    task: Any = None
    id: Any = None


class LabelStudioHealth(msgspec.Struct, frozen=True, kw_only=True):
    """That the backend answers."""

    status: Literal["UP"] = "UP"
    model_class: str = "Understudy"


class LabelStudioVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version that answers; empty where there is none."""

    model_version: str


class LabelStudioPredictions(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction for each task, in order; without a result where it is withheld."""

    results: tuple[dict[str, Any], ...]
    model_version: str


class LabelStudioReviews(msgspec.Struct, frozen=True, kw_only=True):
    """What became of each annotation; nothing where the event is none of annotations."""

    results: tuple[Entered, ...]


def get_health(call: Call) -> LabelStudioHealth:
    """Whether the backend of a task answers."""
    call.service.head(call.task)
    return LabelStudioHealth()


def post_setup(call: Call) -> LabelStudioVersion:
    """A project is connected."""
    return LabelStudioVersion(model_version=call.service.head(call.task).deployed.champion)


def post_predict(call: Call) -> LabelStudioPredictions:
    """Predictions, but for cases that somebody judges blindly."""
    body: LabelStudioTasks = call.body
    head = call.service.head(call.task)
    said = predict_tasks(head, body.tasks, actor=call.access.name)
    return LabelStudioPredictions(results=tuple(said), model_version=head.deployed.champion)


def post_webhook(call: Call) -> LabelStudioReviews:
    """Annotations become reviews, under the name of the token and the number of the user.

    Raises
    ------
    FaultyInputError
        An annotation cannot be read, or is none of the task's answers.
    """
    body: LabelStudioEvent = call.body
    head, by = call.service.head(call.task), call.access.name
    found: list[Entered] = []
    if body.action in GIVEN:
        raws = body.annotation if isinstance(body.annotation, list) else [body.annotation]
        found = enter_all(head, [read_annotation(raw, task_in(raw, body.task)) for raw in raws], by=by)
    elif body.action in DELETED:
        gone = body.annotations if body.annotations is not None else body.annotation
        found = withdraw_all(head, read_deleted(body.id if gone is None else gone), by=by)
    faults: tuple[Fault, ...] = tuple(fault for one in found for fault in one.faults)
    if faults:
        raise FaultyInputError("The annotation has faults.", faults)
    return LabelStudioReviews(results=tuple(found))


def task_in(raw: object, task: object) -> object:
    """The task of an annotation: beside it, or within it."""
    return raw.get("task") if task is None and isinstance(raw, dict) else task
