"""Sending to webhooks: a thread for each, so that none waits for another; in one process at a time."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Sequence

import sqlalchemy as sa

from understudy.core.errors import ConflictError, InputError, UnderstudyError
from understudy.core.webhook import Webhook
from understudy.flows.webhook_delivery import Delivery, Tally, keys_of
from understudy.flows.webhooks import note_fault
from understudy.server.metrics import MESSAGES
from understudy.server.service import Service
from understudy.sources.post import SECONDS, Poster
from understudy.store.leases import holds, release_lease, take_lease

EVERY = 1.0
RENEWED = 10.0
LASTING = 30
"""Seconds after which the lease of a webhook is renewed, and for which it lasts: longer than one attempt."""

ALONE = "the only server"
"""Who holds leases on SQLite: after a kill, the next server need not wait for the one before it."""

log = logging.getLogger("understudy")


class Courier:
    """A thread that tells one webhook what is new, each second, while it holds the webhook's lease.

    Parameters
    ----------
    service : Service
    webhook : Webhook
    every : float
        Seconds between two rounds.
    """

    def __init__(self, service: Service, webhook: Webhook, every: float = EVERY) -> None:
        self._work = service.work
        self._webhook = webhook
        self._every = every
        self._name = (
            ALONE if self._work.store.single else f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        )
        self._lease = f"webhook {webhook.name}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._lease, daemon=True)
        self._poster = Poster(allow_private=webhook.allow_private)
        self._delivery: Delivery | None = None
        self._fence = 0
        self._taken_at = float("-inf")
        self._told = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the message under way."""
        self._stop.set()

    def join(self) -> None:
        """Wait until it has ended, for not much longer than a message takes."""
        if self._thread.is_alive():
            self._thread.join(timeout=SECONDS + 1)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._round()
            except ConflictError:  # another process sends now
                self._forget()
            except UnderstudyError as error:
                self._forget()
                self._tell(error.message)
            except Exception:
                self._forget()
                log.exception("The webhook %s failed", self._webhook.name)
        self._poster.close()
        self._release()

    def _release(self) -> None:
        """Let another process go on at once."""
        try:
            with self._work.store.writing() as connection:
                release_lease(connection, self._lease, self._name, self._fence)
        except UnderstudyError as error:
            log.warning("%s", error.message)

    def _round(self) -> None:
        if not self._holds_lease():
            return
        if self._delivery is None:
            self._delivery = self._begin()
        if self._delivery is None:
            return
        tally = self._delivery.round()
        self._count(tally)
        if tally.dead:
            log.warning("The webhook %s: %d messages were given up", self._webhook.name, tally.dead)
        if tally.sent and not tally.failed:
            self._told = ""

    def _begin(self) -> Delivery | None:
        """The delivery; None where the signing secret is missing, which is told once."""
        try:
            keys = keys_of(self._webhook)
        except InputError as error:
            note_fault(self._work, self._webhook.name, error.message)
            self._tell(error.message)
            return None
        return Delivery(self._work, self._webhook, keys, self._poster, may=self._may, stopped=self._ends)

    def _ends(self) -> bool:
        """Whether to end before the next message; the lease is renewed on the way."""
        return self._stop.is_set() or not self._holds_lease()

    def _holds_lease(self) -> bool:
        if time.monotonic() - self._taken_at < RENEWED:
            return True
        with self._work.store.writing() as connection:
            fence = take_lease(connection, self._lease, self._name, seconds=LASTING)
        if fence is None or fence != self._fence:
            self._delivery = None
        if fence is None:
            return False
        self._fence, self._taken_at = fence, time.monotonic()
        return True

    def _may(self, connection: sa.Connection) -> bool:
        return holds(connection, self._lease, self._name, self._fence)

    def _forget(self) -> None:
        """Begin anew: what was sent and not noted is sent again, with the same ids."""
        self._delivery, self._taken_at = None, float("-inf")

    def _tell(self, what: str) -> None:
        """Log what went wrong, once until something works again."""
        if what != self._told:
            log.warning("The webhook %s: %s", self._webhook.name, what)
            self._told = what

    def _count(self, tally: Tally) -> None:
        for result, count in tally._asdict().items():
            if count:
                MESSAGES.labels(self._webhook.name, result).inc(count)


def stop_couriers(all_of_them: Sequence[Courier]) -> None:
    """End them all, at the same time."""
    for courier in all_of_them:
        courier.stop()
    for courier in all_of_them:
        courier.join()


def couriers(service: Service) -> list[Courier]:
    """A courier for each webhook of the settings."""
    return [Courier(service, webhook) for webhook in service.work.settings.webhooks]
