"""Telling webhooks what happened: each message at least once, in order, again and again for a day where need be."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, Protocol

import sqlalchemy as sa

from understudy.core.errors import ConflictError, InputError
from understudy.core.webhook import KEY_HINT, Webhook, read_keys, signature
from understudy.flows.webhook_messages import (
    Desk,
    Message,
    case_messages,
    desk_of,
    event_messages,
    message_at,
    wanted_tasks,
)
from understudy.flows.workspace import Workspace
from understudy.sources.post import Posted
from understudy.store.events import read_events
from understudy.store.tasks import read_tasks
from understudy.store.webhooks import (
    SOURCES,
    Ends,
    Letter,
    Marks,
    Place,
    Source,
    drop_letter,
    keep_letter,
    keep_marks,
    note_error,
    note_ready,
    note_sent,
    open_webhook,
    read_ends,
    read_letters,
    read_marks,
    read_states,
    row_at,
    rows_after,
    wait_for_rows,
)

PAGE = 100
SAVED = 1.0
"""Seconds after which what was sent is noted, at the end of a page at the latest; a kill in between sends it again."""

SECOND = 1_000_000
FIRST_PAUSE, LONGEST_PAUSE, DAY = 5 * SECOND, 3_600 * SECOND, 86_400 * SECOND
PATIENT = 8
"""So many attempts, over some ten minutes, a message holds up those behind it; then they go past it."""

REFUSING = frozenset({400, 413, 415, 422})
MOST_REFUSALS = 5
"""So often a message is sent that the receiver says it cannot read."""

GONE = 410
SLACK = 5 * SECOND
"""A record may be written so long after the time that it carries; held decisions are told that much later."""

LEAPS = 1_000
"""So many rows of others a mark may stand behind before it is moved for their sake alone."""

Turn = Literal["on", "stop"]


class Posts(Protocol):
    """What sends a message."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """Send it once."""


class Tally(NamedTuple):
    """What a round came to: how many messages were taken, were not, and were given up."""

    sent: int
    failed: int
    dead: int


def keys_of(webhook: Webhook, environment: Mapping[str, str] = os.environ) -> tuple[bytes, ...]:
    """The keys that a webhook's messages are signed with.

    Raises
    ------
    InputError
        The environment variable is not set, or holds no secret.
    """
    text = environment.get(webhook.secret)
    if text is None:
        raise InputError(f"The environment variable {webhook.secret} is not set.", hint=KEY_HINT)
    return read_keys(text)


def send(webhook: Webhook, keys: tuple[bytes, ...], message: Message, posts: Posts, at: int) -> Posted:
    """Sign a message and send it once; `at` is now, in microseconds since 1970 UTC."""
    seconds = at // SECOND
    headers = {
        "content-type": "application/json",
        "user-agent": "understudy",
        "webhook-id": message.id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": signature(keys, message.id, seconds, message.body),
    }
    return posts.post(webhook.url, headers, message.body)


class Delivery:
    """Tells one webhook what it has not been told yet, for as long as this process is the one to do so.

    Parameters
    ----------
    work : Workspace
    webhook : Webhook
    keys : tuple of bytes
    posts : Posts
    may : callable
        Asked within each transaction whether this process may still write.
    stopped : callable
        Asked before each message whether to end.
    chance : callable
        A random number between 0 and 1, so that not all receivers are tried again at the same moment.
    """

    def __init__(
        self,
        work: Workspace,
        webhook: Webhook,
        keys: tuple[bytes, ...],
        posts: Posts,
        *,
        may: Callable[[sa.Connection], bool] = lambda _: True,
        stopped: Callable[[], bool] = lambda: False,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._work = work
        self._webhook = webhook
        self._keys = keys
        self._posts = posts
        self._may = may
        self._stopped = stopped
        self._chance = chance
        self._opened = False
        self._marks: Marks = {}
        self._saved: Marks = {}
        self._seen: Ends | None = None
        self._unsaved = 0
        self._saved_at = 0.0
        self._sent = self._failed = self._dead = 0

    def round(self) -> Tally:
        """Send what is due and what is new, and say what came of it.

        Raises
        ------
        ConflictError
            Another process sends now.
        """
        self._sent = self._failed = self._dead = 0
        self._open()
        try:
            self._go()
        finally:
            self._save()
        return Tally(self._sent, self._failed, self._dead)

    def _open(self) -> None:
        """Read how far the webhook has been told, once."""
        if self._opened:
            return
        with self._work.store.writing() as connection:
            self._check(connection)
            open_webhook(connection, self._webhook.name, at=self._work.clock.now())
            note_ready(connection, self._webhook.name)
            self._marks = read_marks(connection, self._webhook.name)
        self._saved, self._opened = dict(self._marks), True

    def _go(self) -> None:
        name = self._webhook.name
        with self._work.store.reading() as connection:
            state = read_states(connection)[name]
            letters = read_letters(connection, name, dead=False)
            ends = read_ends(connection)
        if state.disabled_at is not None or self._send_letters(letters) == "stop" or ends == self._seen:
            return
        with self._work.store.reading() as connection:
            desks = [desk_of(record) for record in wanted_tasks(read_tasks(connection), self._webhook)]
        for desk in desks:
            if any(ends.of(desk.number, source) > self._mark(desk.number, source) for source in ("cases", "reviews")):
                wait_for_rows(self._work.store, desk.number)
        held = False
        for desk in desks:
            for source in SOURCES:
                turn = self._walk(desk, source, ends)
                if turn == "stop":
                    return
                held = held or turn == "held"
        self._seen = None if held else ends

    def _send_letters(self, letters: list[Letter]) -> Turn:
        """Send those again that are due; stop where one of them still holds up the others."""
        now = self._work.clock.now()
        holding = False
        for letter in letters:
            if self._stopped():
                return "stop"
            if letter.next_at <= now:
                if not self._send_letter(letter):
                    return "stop"
            elif letter.attempts < PATIENT:
                holding = True
        return "stop" if holding else "on"

    def _send_letter(self, letter: Letter) -> bool:
        """Send a message once more, and say whether to go on."""
        with self._work.store.reading() as connection:
            message = self._again(connection, letter.place)
        if message is None:
            self._save(drop=letter.place)
            return True
        return self._post(letter.place, message, letter)

    def _again(self, connection: sa.Connection, place: Place) -> Message | None:
        record = next((each for each in read_tasks(connection) if each.number == place.task), None)
        if record is None:
            return None
        return message_at(connection, desk_of(record), self._webhook, place, row_at(connection, place))

    def _walk(self, desk: Desk, source: Source, ends: Ends) -> Literal["on", "stop", "held"]:
        """Send what is new in one log of a task, up to its end."""
        upto = ends.of(desk.number, source)
        while (after := self._mark(desk.number, source)) < upto:
            places, messages, held = self._page(desk, source, after, upto)
            for place in places:
                if self._stopped():
                    return "stop"
                message = messages.get(place)
                if message is None or message.type not in self._webhook.events:
                    self._told(place)
                elif not self._post(place, message, None):
                    return "stop"
            if held:
                return "held"
            if len(places) < PAGE:
                self._told(Place(task=desk.number, source=source, seq=upto))
            self._save()
        return "on"

    def _mark(self, task: int, source: Source) -> int:
        """How far one log is told."""
        return self._marks.get((task, source), 0)

    def _told(self, place: Place) -> None:
        """The row needs to be told no more."""
        self._marks |= self._beyond(place)

    def _beyond(self, place: Place) -> Marks:
        """The mark of a log whose row was told, where nothing later was."""
        return {(place.task, place.source): max(self._mark(place.task, place.source), place.seq)}

    def _page(
        self, desk: Desk, source: Source, after: int, upto: int
    ) -> tuple[list[Place], dict[Place, Message], bool]:
        """The next rows of a log and their messages, and whether the next one is still held back."""
        with self._work.store.reading() as connection:
            if source == "events":
                found = read_events(connection, desk.number, after=after, most=PAGE)
                places = [Place(task=desk.number, source=source, seq=event.seq) for event in found]
                return places, event_messages(connection, desk, self._webhook, found), False
            rows = rows_after(connection, desk.number, source, after, upto, most=PAGE)
            ready = rows
            if source == "reviews" and desk.release:
                until = self._work.clock.now() - desk.release - SLACK
                held = next((place for place, row in enumerate(rows) if row.at > until), len(rows))
                ready = rows[:held]
            messages = case_messages(connection, desk, self._webhook, ready)
        return [row.place for row in ready], messages, len(ready) < len(rows)

    def _post(self, place: Place, message: Message, letter: Letter | None) -> bool:
        """Send a message, and say whether to go on."""
        posted = send(self._webhook, self._keys, message, self._posts, self._work.clock.now())
        if posted.taken:
            self._sent += 1
            self._unsaved += 1
            self._told(place)
            if letter is not None or time.monotonic() - self._saved_at > SAVED:
                self._save(drop=None if letter is None else place)
            return True
        self._failed += 1
        later = self._later(place, posted, letter)
        self._dead += later.dead_at is not None
        self._save(later, gone=posted.status == GONE)
        if posted.status in (None, GONE):
            return False
        return later.dead_at is not None or later.attempts >= PATIENT

    def _later(self, place: Place, posted: Posted, letter: Letter | None) -> Letter:
        """A message that was not taken: when it is tried again, or that it is given up."""
        now = self._work.clock.now()
        first_at = now if letter is None else letter.first_at
        attempts = 1 if letter is None else letter.attempts + 1
        dead = now >= first_at + DAY or (posted.status in REFUSING and attempts >= MOST_REFUSALS)
        return Letter(
            place=place,
            attempts=attempts,
            first_at=first_at,
            next_at=min(now + pause(attempts, self._chance()), first_at + DAY),
            dead_at=now if dead else None,
            error=posted.error,
        )

    def _save(self, letter: Letter | None = None, *, drop: Place | None = None, gone: bool = False) -> None:
        """Note what was sent and how far the logs are told, in one transaction; nothing where there is nothing.

        The row of a message that was not taken counts as told only together with its letter, or it would be lost.
        """
        if not (letter or drop or self._unsaved or self._leapt()):
            return
        name, now = self._webhook.name, self._work.clock.now()
        marks = self._marks | ({} if letter is None else self._beyond(letter.place))
        changed = {key: seq for key, seq in marks.items() if self._saved.get(key) != seq}
        with self._work.store.writing() as connection:
            self._check(connection)
            keep_marks(connection, name, changed)
            if drop is not None:
                drop_letter(connection, name, drop)
            if self._unsaved:
                note_sent(connection, name, self._unsaved, at=now)
            if letter is not None:
                keep_letter(connection, name, letter)
                note_error(connection, name, letter.error, at=now, gone=gone)
        self._marks, self._saved = marks, dict(marks)
        self._unsaved, self._saved_at = 0, time.monotonic()

    def _leapt(self) -> bool:
        """Whether a mark has moved far although nothing was told."""
        return any(seq - self._saved.get(key, 0) > LEAPS for key, seq in self._marks.items())

    def _check(self, connection: sa.Connection) -> None:
        if not self._may(connection):
            raise ConflictError("Another process sends to this webhook now.")


def pause(attempts: int, chance: float) -> int:
    """Microseconds until the next attempt: twice as long each time, up to an hour, and a quarter more or less.

    >>> [pause(attempts, 0.5) // 1_000_000 for attempts in (1, 2, 3, 8, 20)]
    [5, 10, 20, 640, 3600]
    """
    longest = min(FIRST_PAUSE << min(attempts - 1, 20), LONGEST_PAUSE)
    return round(longest * (0.75 + 0.5 * chance))
