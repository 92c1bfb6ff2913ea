"""Webhooks as a person sees them: how each stands, a message to try one, and another turn for what was given up."""

from __future__ import annotations

from typing import Literal

import msgspec
import sqlalchemy as sa

from understudy.core.errors import NotFoundError
from understudy.core.ids import new_id
from understudy.core.webhook import Webhook
from understudy.flows.webhook_delivery import PATIENT, keys_of, send
from understudy.flows.webhook_messages import EVENT_TYPES, Message, iso, message_id, wanted_tasks
from understudy.flows.workspace import Workspace
from understudy.sources.address import shown
from understudy.sources.post import Posted, Poster
from understudy.store.tasks import TaskRecord, read_tasks
from understudy.store.webhooks import (
    SOURCES,
    Letter,
    WebhookState,
    count_behind,
    note_error,
    open_webhook,
    read_letters,
    read_marks,
    read_states,
    revive,
)


class LetterStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A message that was not taken: its id, how often it was tried, and when it is tried next, if it is."""

    id: str
    task: str
    attempts: int
    first_at: int
    next_at: int | None
    error: str


class WebhookStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a webhook stands.

    Attributes
    ----------
    name, host : str
        `host` is its address without path and query, which may hold secrets.
    state : {"new", "ok", "failing", "disabled"}
        `new`: no server has served it yet. `failing`: it did not take the last message. `disabled`: it answered 410.
    events, tasks : tuple of str
    waiting : int
        How many rows of the logs are not told yet, and messages that are tried again.
    sent : int
        How many messages it has taken.
    sent_at, error_at : int, optional
        In microseconds since 1970 UTC.
    error : str
        Why it did not take the last one.
    letters, dead : tuple of LetterStanding
        Messages that are tried again, and those that were given up.
    """

    name: str
    host: str
    state: Literal["new", "ok", "failing", "disabled"]
    events: tuple[str, ...]
    tasks: tuple[str, ...]
    waiting: int
    sent: int
    sent_at: int | None
    error: str
    error_at: int | None
    letters: tuple[LetterStanding, ...]
    dead: tuple[LetterStanding, ...]

    @property
    def stuck(self) -> str:
        """What needs somebody's eyes, in words; empty where nothing does."""
        if self.state == "disabled":
            return f"it answered 410 and gets nothing any more; {self.waiting:,} wait"
        if self.dead:
            return f"{len(self.dead):,} messages were given up; the last error: {self.dead[-1].error}"
        if self.state == "failing" and not self.letters:
            return self.error
        late = [letter for letter in self.letters if letter.attempts >= PATIENT]
        if late:
            return f"{len(late):,} messages were not taken in {late[0].attempts} attempts; {late[0].error}"
        return ""


def read_webhooks(work: Workspace) -> list[WebhookStanding]:
    """How every webhook of the settings stands."""
    with work.store.reading() as connection:
        states, records = read_states(connection), read_tasks(connection)
        return [standing(connection, webhook, states.get(webhook.name), records) for webhook in work.settings.webhooks]


def standing(
    connection: sa.Connection, webhook: Webhook, state: WebhookState | None, records: list[TaskRecord]
) -> WebhookStanding:
    """How one webhook stands."""
    letters = read_letters(connection, webhook.name)
    names = {record.number: record for record in records}
    listed = [shown_letter(webhook, names[letter.place.task], letter) for letter in letters]
    alive = tuple(one for one in listed if one.next_at is not None)
    waiting = len(alive)
    if state is not None:
        marks = read_marks(connection, webhook.name)
        waiting += sum(
            count_behind(connection, record.number, marks, source, kinds=kinds(webhook))
            for record in wanted_tasks(records, webhook)
            for source in SOURCES
            if source == "events" or any(kind.startswith("case.") for kind in webhook.events)
        )
    return WebhookStanding(
        name=webhook.name,
        host=shown(webhook.url),
        state=state_of(state),
        events=webhook.events,
        tasks=webhook.tasks,
        waiting=waiting,
        sent=0 if state is None else state.sent,
        sent_at=None if state is None else state.sent_at,
        error="" if state is None else state.error,
        error_at=None if state is None else state.error_at,
        letters=alive,
        dead=tuple(one for one in listed if one.next_at is None),
    )


def kinds(webhook: Webhook) -> tuple[str, ...]:
    """How the kinds of the events begin of which a webhook hears."""
    return tuple(begin for begin, kind in EVENT_TYPES.items() if kind in webhook.events)


def state_of(state: WebhookState | None) -> Literal["new", "ok", "failing", "disabled"]:
    """How a webhook stands, in a word."""
    if state is None:
        return "new"
    if state.disabled_at is not None:
        return "disabled"
    return "failing" if state.error else "ok"


def shown_letter(webhook: Webhook, record: TaskRecord, letter: Letter) -> LetterStanding:
    """A letter as it is listed."""
    return LetterStanding(
        id=message_id(record, webhook.name, letter.place),
        task=record.name,
        attempts=letter.attempts,
        first_at=letter.first_at,
        next_at=None if letter.dead_at is not None else letter.next_at,
        error=letter.error,
    )


def find_webhook(work: Workspace, name: str) -> Webhook:
    """A webhook of the settings by its name.

    Raises
    ------
    NotFoundError
        There is none.
    """
    for webhook in work.settings.webhooks:
        if webhook.name == name:
            return webhook
    known = ", ".join(webhook.name for webhook in work.settings.webhooks) or "none yet"
    raise NotFoundError(
        f"There is no webhook {name!r} (webhooks: {known}).", hint="Name it under [[webhooks]] in understudy.toml."
    )


def try_webhook(work: Workspace, name: str) -> Posted:
    """Send one message of the type `webhook.test`, which changes nothing, and say what became of it.

    Raises
    ------
    NotFoundError
        There is no such webhook.
    InputError
        Its signing secret is not in the environment.
    """
    webhook, now = find_webhook(work, name), work.clock.now()
    body = {"type": "webhook.test", "timestamp": iso(now), "data": {"webhook": name}}
    message = Message(id=f"msg_{new_id(now)}", type="webhook.test", body=msgspec.json.encode(body))
    poster = Poster(allow_private=webhook.allow_private)
    try:
        return send(webhook, keys_of(webhook), message, poster, now)
    finally:
        poster.close()


def retry_webhook(work: Workspace, name: str) -> int:
    """Let the server try a webhook at once, also one that is disabled, with all messages that were given up.

    Returns
    -------
    int
        How many messages are tried again.
    """
    webhook = find_webhook(work, name)
    with work.store.writing() as connection:
        return revive(connection, webhook.name, at=work.clock.now())


def note_fault(work: Workspace, name: str, error: str) -> None:
    """Note why nothing can be sent to a webhook, such as a secret that is missing."""
    with work.store.writing() as connection:
        state = open_webhook(connection, name, at=work.clock.now())
        if state.error != error:
            note_error(connection, name, error, at=work.clock.now())
