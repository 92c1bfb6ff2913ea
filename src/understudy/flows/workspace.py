"""A workspace: the directory, its settings, and the three things that touch the world."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from understudy.core.errors import DataError, InputError
from understudy.core.ports import Artifacts, Clock, Engine
from understudy.core.task import Task
from understudy.core.task_file import parse_task
from understudy.core.webhook import Webhook
from understudy.engines.local import LocalEngine
from understudy.flows.clock import SystemClock
from understudy.sources.address import check_webhooks
from understudy.store.artifacts import open_artifacts
from understudy.store.database import Store, open_store

SETTINGS_HINT = "It may have [store] url and artifacts, [engine] threads, [server] hosts, and [[webhooks]]."


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where things are remembered: a database URL and a directory or object store; by default in `.understudy/`."""

    url: str | None = None
    artifacts: str | None = None


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many processor threads training may use; by default all."""

    threads: int | None = None


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Further names under which the server answers, such as the one that a proxy uses."""

    hosts: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `understudy.toml` may say; the file and each of its keys are optional."""

    store: StoreSettings = StoreSettings()
    engine: EngineSettings = EngineSettings()
    server: ServerSettings = ServerSettings()
    webhooks: tuple[Webhook, ...] = ()


@dataclass(frozen=True)
class Workspace:
    """A directory with `tasks/` and `.understudy/`, and what its flows need of the world."""

    root: Path
    settings: Settings
    store: Store
    artifacts: Artifacts
    engine: Engine
    clock: Clock

    def task_file(self, name: str) -> Path:
        """Where the task of this name is described."""
        return self.root / "tasks" / f"{name}.toml"

    def task_names(self) -> list[str]:
        """The tasks that have a file here."""
        return sorted(path.stem for path in (self.root / "tasks").glob("*.toml"))

    def read_task(self, name: str) -> Task:
        """The task of this name, from its file.

        Raises
        ------
        InputError
            There is no such task.
        TaskFileError
            Its file has faults.
        """
        file = self.task_file(name)
        if not file.is_file():
            known = ", ".join(self.task_names()) or "none yet"
            raise InputError(
                f"There is no task {name!r} in {self.root} (tasks: {known}).",
                hint=f"Create it with: understudy init DATA --target COLUMN --name {name}",
            )
        return parse_task(file.read_text(encoding="utf-8"), file=str(file))


def read_settings(root: Path) -> Settings:
    """The settings in `understudy.toml`, or the defaults where there is none."""
    file = root / "understudy.toml"
    if not file.is_file():
        return Settings()
    try:
        settings = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Settings)
        check_webhooks(settings.webhooks)
        return settings
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: {error}", hint=SETTINGS_HINT) from error


def open_workspace(root: str | Path = ".") -> Workspace:
    """Open the workspace in a directory, and create what is not there yet.

    Raises
    ------
    InputError
        `root` is a file, or `understudy.toml` has a fault.
    StoreError
        The store cannot be opened.
    """
    root = Path(root).resolve()
    if root.exists() and not root.is_dir():
        raise DataError(f"The workspace {root} is a file.", hint="Name a directory with --workspace.")
    settings = read_settings(root)
    inner = root / ".understudy"
    return Workspace(
        root=root,
        settings=settings,
        store=open_store(settings.store.url or f"sqlite:///{inner / 'store.db'}"),
        artifacts=open_artifacts(settings.store.artifacts or str(inner)),
        engine=LocalEngine(settings.engine.threads or len(os.sched_getaffinity(0))),
        clock=SystemClock(),
    )
