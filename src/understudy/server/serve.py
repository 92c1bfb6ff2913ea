"""Starting the server: one process on SQLite, several on PostgreSQL."""

from __future__ import annotations

import fcntl
import getpass
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from understudy.core.errors import ConflictError, InputError
from understudy.core.nouns import Role
from understudy.flows.access import all_tokens, create_token
from understudy.flows.moves import apply_all
from understudy.flows.workspace import Workspace, open_workspace
from understudy.server.app import App
from understudy.server.service import open_service

ENVIRONMENT = "UNDERSTUDY_SERVING"
WATCHED = 0.2
"""Seconds between two looks at whether the parent lives."""

LOCAL = ("localhost", "127.0.0.1", "::1")


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process needs to know."""

    root: str
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Where a server listens."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1

    @property
    def url(self) -> str:
        """Its address for a browser."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def serve(root: str | Path, place: Place, tell: Callable[[str], None] = print) -> None:
    """Serve a workspace until the process is stopped.

    Raises
    ------
    InputError
        Several workers are asked for on SQLite, or a task file has faults.
    ConflictError
        The workspace is on SQLite, and another process serves it.
    """
    work = open_workspace(root)
    check_workers(work, place.workers)
    with sole(work.root / ".understudy" / "serving") if work.store.single else nullcontext():
        for applied in apply_all(work, actor=getpass.getuser()):
            tell(f"{applied.task}: {applied.level.value}")
        if not all_tokens(work):
            key = create_token(work, "owner", Role.OWNER, link=True)
            tell(f"Sign in once, within 15 minutes: {place.url}/sign-in?key={key}")
        tell(f"Serving {work.root} at {place.url}")
        hosts = tuple(dict.fromkeys((*LOCAL, place.host, *work.settings.server.hosts)))
        os.environ[ENVIRONMENT] = msgspec.json.encode(Serving(root=str(work.root), hosts=hosts)).decode()
        work.store.close()
        listen(place)


def listen(place: Place) -> None:
    """Start the worker processes, and watch them until this process is stopped."""
    multiprocessing.set_start_method("spawn", force=True)  # polars' threads do not survive a fork
    Granian(
        "understudy.server.serve:application",
        address=place.host,
        port=place.port,
        interface=Interfaces.ASGI,
        workers=place.workers,
        factory=True,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=15,
        backlog=4096,
        log_level=LogLevels.warning,
    ).serve()


@contextmanager
def sole(file: Path) -> Iterator[None]:
    """Be the only process that holds a lock file; it is free again however this process ends.

    Raises
    ------
    ConflictError
        Another process holds it.
    """
    with file.open("ab") as found:
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                "This workspace is being served already: SQLite allows one server.", hint="Stop the other one first."
            ) from error
        yield


def end_with(parent: int) -> None:
    """End this process as soon as its parent has gone: a worker alone would go on answering on the same port."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCHED)
        os._exit(1)

    threading.Thread(target=watch, name="watch the parent", daemon=True).start()


def check_workers(work: Workspace, workers: int) -> None:
    """Refuse several workers on SQLite.

    Raises
    ------
    InputError
        There would be more than one.
    """
    if workers > 1 and work.store.single:
        raise InputError(
            f"{workers} workers need PostgreSQL: SQLite's writers would wait for each other, up to seconds.",
            hint="Serve with --workers 1, or name a PostgreSQL store under [store] url in understudy.toml.",
        )


def application() -> App:
    """The application of a worker process."""
    serving = msgspec.json.decode(os.environ[ENVIRONMENT], type=Serving)
    end_with(os.getppid())
    work = open_workspace(serving.root)
    if work.store.single:
        wait_alone(work.root / ".understudy" / "worker")
    return App(open_service(work), frozenset(serving.hosts))


def wait_alone(file: Path) -> None:
    """Wait until an earlier worker, whose parent was killed, has gone; and hold its place until this process ends."""
    fcntl.flock(os.open(file, os.O_CREAT | os.O_RDWR, 0o600), fcntl.LOCK_EX)
