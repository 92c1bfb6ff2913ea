"""A real server over a copy of the workspace that has been run, and callers of every role."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from conftest import claims
from understudy.core.nouns import Level, Role
from understudy.flows.access import create_token, redeem_link
from understudy.flows.golive import RunResult
from understudy.flows.moves import set_level, set_paused
from understudy.flows.workspace import Workspace, open_workspace

STARTING = 60.0
PROTECTING = ("content-security-policy", "x-content-type-options", "referrer-policy", "cache-control")
PROBLEM = {"kind", "message", "hint", "faults"}
V1 = "/v1/tasks/claims"
ALIKE = ["day", "amount", "region", "age", "report"]

Edit = Callable[[str], str]


def rows(n: int, seed: int = 1) -> list[dict[str, str]]:
    """Inputs of claims that the model has not seen."""
    return claims(n, seed).select(ALIKE).to_dicts()


@dataclass(frozen=True)
class Site:
    """A server that runs, its workspace, a token of each role, and a client that sends it."""

    url: str
    root: Path
    workspace: Workspace
    token: dict[Role, str]
    clients: dict[Role | None, httpx.Client] = field(default_factory=dict)

    def client(self, token: str = "", **settings: Any) -> httpx.Client:
        """A client whose every answer is examined."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        hooks = {"response": [self.examine]}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60, event_hooks=hooks, **settings)

    def by(self, role: Role | None) -> httpx.Client:
        """The client of a role; of nobody for None."""
        if role not in self.clients:
            self.clients[role] = self.client("" if role is None else self.token[role])
        return self.clients[role]

    @property
    def service(self) -> httpx.Client:
        return self.by(Role.SERVICE)

    @property
    def reviewer(self) -> httpx.Client:
        return self.by(Role.REVIEWER)

    @property
    def owner(self) -> httpx.Client:
        return self.by(Role.OWNER)

    def another(self, role: Role, name: str, **limits: Any) -> httpx.Client:
        """A client of a further person or program."""
        return self.client(create_token(self.workspace, name, role, **limits))

    def signed_in(self, role: Role, name: str = "ada") -> httpx.Client:
        """A client with a browser's session."""
        session = redeem_link(self.workspace, create_token(self.workspace, name, role, link=True))
        return self.client(cookies={"understudy": session})

    def decide(self, inputs: dict[str, Any], case_id: str | None = None) -> httpx.Response:
        """Ask for one decision."""
        return self.service.post(f"{V1}/decisions", json={"inputs": inputs, "id": case_id})

    def at(self, level: Level, thresholds: dict[str, float] | None = None) -> None:
        """Go to a level by the owner's word."""
        set_level(
            self.workspace, "claims", level, actor="ada", why="For a test.", thresholds=thresholds, overriding=True
        )

    def pause(self, paused: bool = True) -> None:
        """Stop automation or let it go on."""
        set_paused(self.workspace, "claims", paused, actor="ada")

    def examine(self, answer: httpx.Response) -> None:
        """What holds for every answer: headers that protect, one shape of errors, and no insides in them."""
        answer.read()
        assert all(name in answer.headers for name in PROTECTING), answer.headers
        assert answer.status_code != 500, answer.text
        if answer.status_code < 400 or answer.request.method == "HEAD":
            return
        for inside in ("Traceback", 'File "', "site-packages", "src/understudy", str(self.root), ".understudy/"):
            assert inside not in answer.text, answer.text
        if answer.headers["content-type"].startswith("text/html"):
            return
        body = answer.json()
        assert set(body) == {"error"}
        assert set(body["error"]) == PROBLEM
        assert body["error"]["message"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(root: Path) -> Iterator[Site]:
    """A server over a workspace, for as long as the block lasts."""
    port, log = free_port(), root / "server.log"
    command = [sys.executable, "-m", "understudy", "serve", "--workspace", str(root), "--port", str(port)]
    workspace = open_workspace(root)
    token = {role: create_token(workspace, role.value, role) for role in Role}
    site = Site(url=f"http://127.0.0.1:{port}", root=root, workspace=workspace, token=token)
    with log.open("wb") as sink, ExitStack() as last:
        server = subprocess.Popen(command, stdout=sink, stderr=sink, start_new_session=True)
        last.callback(stop, server)
        wait_for(site, server, log)
        yield site
        for client in site.clients.values():
            client.close()
    workspace.store.close()


def wait_for(site: Site, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + STARTING
    while time.monotonic() < until and server.poll() is None:
        try:
            if httpx.get(f"{site.url}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    pytest.fail(f"The server did not start.\n{log.read_text()}")


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server and its workers."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, sign)
            server.wait(timeout=20)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


Sites = Callable[..., Site]


@pytest.fixture(scope="session")
def sites(ran: tuple[Path, RunResult], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """Starts a server over a copy of the workspace, its task file edited; beside it stands a task without a model."""
    with ExitStack() as opened:

        def start(edit: Edit = str, *, within: ExitStack = opened) -> Site:
            root = tmp_path_factory.mktemp("site") / "work"
            shutil.copytree(ran[0], root)
            file = root / "tasks" / "claims.toml"
            text = file.read_text()
            file.write_text(edit(text))
            other = text.replace('name = "claims"', 'name = "other"').replace("What is pay?", "What else?")
            file.with_name("other.toml").write_text(other)
            return within.enter_context(running(root))

        yield start


@pytest.fixture(scope="session")
def site(sites: Sites) -> Site:
    """The server that tests share, at `shadow`."""
    return sites()


@pytest.fixture
def fresh(sites: Sites) -> Iterator[Callable[..., Site]]:
    """Starts servers of the test's own."""
    with ExitStack() as opened:
        yield lambda edit=str: sites(edit, within=opened)
