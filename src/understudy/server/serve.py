"""Starting the server: one process on SQLite, several on PostgreSQL."""

from __future__ import annotations

import getpass
import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

from understudy.core.errors import InputError
from understudy.core.nouns import Role
from understudy.flows.access import all_tokens, create_token
from understudy.flows.moves import apply_all
from understudy.flows.workspace import Workspace, open_workspace
from understudy.server.app import App
from understudy.server.service import open_service

ENVIRONMENT = "UNDERSTUDY_SERVING"
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
    """
    work = open_workspace(root)
    check_workers(work, place.workers)
    for applied in apply_all(work, actor=getpass.getuser()):
        tell(f"{applied.task}: {applied.level.value}")
    if not all_tokens(work):
        key = create_token(work, "owner", Role.OWNER, link=True)
        tell(f"Sign in once, within 15 minutes: {place.url}/sign-in?key={key}")
    tell(f"Serving {work.root} at {place.url}")
    hosts = tuple(dict.fromkeys((*LOCAL, place.host, *work.settings.server.hosts)))
    os.environ[ENVIRONMENT] = msgspec.json.encode(Serving(root=str(work.root), hosts=hosts)).decode()
    work.store.engine.dispose()
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
    return App(open_service(open_workspace(serving.root)), frozenset(serving.hosts))
