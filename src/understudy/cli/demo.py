"""`understudy demo`: a year of flights, learned, rehearsed, and served if one likes."""

from __future__ import annotations

import calendar
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.text import Text

from understudy.cli.backtest import Curtain, show_backtest
from understudy.cli.options import AsJson, Seed, Workspace
from understudy.cli.run import Watcher
from understudy.cli.show import console, show_json
from understudy.client.shells import Client
from understudy.core.errors import ConflictError, InputError, UnderstudyError
from understudy.core.nouns import Deployment, Role
from understudy.evaluation.rehearsal import Backtest
from understudy.flows.access import create_token, revoke
from understudy.flows.demo import NAME, find_flights, make_version, read_scenes, rehearse_year, winter_only
from understudy.flows.golive import RunResult
from understudy.flows.head import Library
from understudy.flows.learn import Learned, approve, learn
from understudy.flows.play import Asked, Made, Played, Scene, play
from understudy.flows.workspace import open_workspace
from understudy.models.search import Budget

HOST = "127.0.0.1"
CALLER, REVIEWER = "demo caller", "demo reviewer"
LOOK_AROUND = 5.0
"""Seconds before the year goes on, where nobody can press Enter."""

SAID = 2
"""Reasons that are shown of a move; what else it says is about the speed at which the year is played."""

START_WITHIN, STOP_WITHIN = 60.0, 20.0


def demo(
    workspace: Workspace = Path("demo"),
    trials: Annotated[int, typer.Option("--trials", help="How many trials each search has.", min=1)] = 4,
    seed: Seed = 0,
    serve: Annotated[
        bool,
        typer.Option("--serve", help="Then serve what knows two months, and play the rest of the year against it."),
    ] = False,
    port: Annotated[int, typer.Option("--port", help="With --serve, the port to listen on.", min=1, max=65535)] = 8000,
    rows: Annotated[
        int | None, typer.Option("--rows", help="With --serve, how many flights are played; by default all.", min=1)
    ] = None,
    json: AsJson = False,
) -> None:
    """Learn from a year of flights, and rehearse it.

    Will this flight arrive more than 15 minutes late? Trains a version that can be served, then rehearses the year: a
    first version knows January and February, and the other months come case by case. With `--serve` the version
    knows those two months too; a real server answers with it, and the other months come to it over HTTP.
    """
    source, budget = find_flights(), Budget(trials=trials)
    if serve:
        check_serving(workspace, port, json=json)
    with Watcher(budget, explain=False, quiet=json) as watcher:
        if serve:
            with winter_only(source) as winter:
                made = make_version(winter, workspace, budget, seed, watcher.step)
        else:
            made = make_version(source, workspace, budget, seed, watcher.step)
    with Watcher(budget, explain=False, quiet=json) as watcher, Curtain(quiet=json) as curtain:
        result = rehearse_year(source, workspace, budget, seed, watcher.step, curtain.show)
    if serve:
        show_backtest(result)
        serve_year(source, workspace, port, made, rows)
    else:
        show_demo(result, made, workspace, json=json)


def show_demo(result: Backtest, made: RunResult, workspace: Path, *, json: bool) -> None:
    """What was learned and rehearsed, and how to serve it."""
    if json:
        show_json(result)
        return
    show_backtest(result)
    console.print(f"\nA version that learned from the whole year stands at level [bold]{made.level}[/bold]. Serve it:")
    console.print(f"  understudy serve --workspace {shlex.quote(str(workspace))}", soft_wrap=True)


def check_serving(workspace: Path, port: int, *, json: bool) -> None:
    """Refuse before anything is trained what could not be served afterwards.

    Raises
    ------
    InputError
        JSON is asked for, the workspace knows flights already, or the port is taken.
    """
    if json:
        raise InputError("--json and --serve do not go together: a server has no end to report.")
    if (workspace / "tasks" / f"{NAME}.toml").exists():
        raise InputError(
            f"The workspace {workspace} has learned from flights already; the year would not be new to it.",
            hint="Name another directory with --workspace.",
        )
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as error:
            raise InputError(f"Port {port} cannot be used: {error.strerror}.", hint="Name another --port.") from error


def serve_year(source: Path, workspace: Path, port: int, made: RunResult, rows: int | None) -> None:
    """Serve the version that knows two months, and play the rest of the year against it.

    Raises
    ------
    ConflictError
        The version did not pass its checks.
    """
    if made.level == "human":
        raise ConflictError("The version that knows two months did not pass its checks: there is nothing to serve.")
    library = Library(open_workspace(workspace))
    scenes = read_scenes(library, source)[:rows]
    key = create_token(library.work, "owner", Role.OWNER, link=True)  # before the server makes one for its log
    try:
        with serving(workspace, port) as url:
            console.print(f"\nA version that knows January and February is served at [bold]{url}[/bold]")
            console.print(Text(f"Sign in once, within 15 minutes: {url}/sign-in?key={key}"), soft_wrap=True)
            wait_for_person()
            play_year(library, scenes, url)
            if sys.stdin.isatty():
                console.print("\nThe year is over. The server goes on until you press Ctrl-C.")
                with suppress(KeyboardInterrupt):
                    signal.pause()
    except KeyboardInterrupt:
        console.print("\nStopped, and the server with it. What it knows stays in the workspace.")
        raise typer.Exit(130) from None
    console.print("\nThe year is over, and the server has stopped.")


@contextmanager
def serving(workspace: Path, port: int) -> Iterator[str]:
    """A server in a process group of its own, which ends with the block; its address."""
    command = [sys.executable, "-m", "understudy", "serve", "--workspace", str(workspace), "--port", str(port)]
    log, url = workspace / ".understudy" / "demo-server.log", f"http://{HOST}:{port}"
    with log.open("ab") as said, stopped_by_term():
        process = subprocess.Popen(  # noqa: S603  this program
            command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        try:
            wait_for_server(process, url, log)
            yield url
        finally:
            stop(process)


@contextmanager
def stopped_by_term() -> Iterator[None]:
    """A polite signal to end ends the block in order."""

    def end(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def wait_for_server(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until a server answers.

    Raises
    ------
    UnderstudyError
        It ended, or did not answer in time.
    """
    until = time.monotonic() + START_WITHIN
    while process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"{url}/health/live", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise UnderstudyError("The server did not start.", hint=f"See {log}.")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server and its workers: politely, and after a while without a word."""
    process.terminate()
    try:
        process.wait(STOP_WITHIN)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_person() -> None:
    """Let a person look around before the year goes on."""
    if sys.stdin.isatty():
        console.input("Press Enter, and the rest of the year comes. ")
    else:
        time.sleep(LOOK_AROUND)


@dataclass(frozen=True)
class Owner:
    """Learns on the workspace beside its server, and confirms what is proposed."""

    library: Library

    def learn(self) -> Learned:
        """One pass over what has come."""
        return learn(self.library, NAME)

    def approve(self) -> Deployment:
        """Make the move that waits for a person."""
        return approve(self.library.work, NAME, actor="demo", why="Confirmed at once, as the demonstration does.")


def play_year(library: Library, scenes: list[Scene], url: str) -> None:
    """Play cases against a server, with tokens that end with the play."""
    work = library.work
    service = create_token(work, CALLER, Role.SERVICE, task=NAME, days=1)
    reviewer = create_token(work, REVIEWER, Role.REVIEWER, task=NAME, days=1)
    console.print(f"\n{len(scenes):,} flights come.\n")
    try:
        with Client(url, service, timeout=60) as caller, Client(url, reviewer, timeout=60) as looker:
            play(NAME, scenes, caller, looker, Owner(library), show_played)
    finally:
        revoke(work, CALLER)
        revoke(work, REVIEWER)


def show_played(found: Played | Asked | Made) -> None:
    """A month, or a move with its reasons."""
    if isinstance(found, Played):
        month = calendar.month_name[int(found.month)]
        said = f"{found.automated:>6,} decided by itself, {found.wrong:>4,} of them wrong"
        console.print(Text(f"{month:<10}{found.cases:>6,} flights  {found.level.value:<8}{said}"), soft_wrap=True)
        return
    how = "Proposed, and confirmed at once" if isinstance(found, Asked) else "Made"
    console.print(Text(f"  {how}: {found.move.kind}, to {found.move.to.level.value}."), soft_wrap=True)
    for reason in found.move.reasons[:SAID]:
        console.print(Text(f"    {reason}", style="dim"), soft_wrap=True)
