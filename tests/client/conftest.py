"""A real server over a copy of the workspace that has been run, and a server that fails as it is told."""

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from server.conftest import Site, running
from understudy.flows.golive import RunResult


@pytest.fixture(scope="session")
def site(ran: tuple[Path, RunResult], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server at `shadow`, and a token of each role."""
    root = tmp_path_factory.mktemp("client") / "work"
    shutil.copytree(ran[0], root)
    with running(root) as site:
        yield site


class Flaky(ThreadingHTTPServer):
    """Plays a script: `hang up`, `dawdle`, a status with headers and a body, or (when it is played) a good answer.

    What it was asked is kept, so that a test can see what came twice.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Playing)
        self.script: list[Any] = []
        self.asked: list[tuple[str, str, bytes]] = []
        self.answer: dict[str, Any] = {}
        self.done = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def bodies(self) -> list[bytes]:
        return [body for _, _, body in self.asked]


class Playing(BaseHTTPRequestHandler):
    """One request of the script."""

    server: Flaky
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, body))
        scene = self.server.script.pop(0) if self.server.script else (200, {}, self.server.answer)
        if scene == "hang up":
            self.close_connection = True
            return
        if scene == "dawdle":
            self.close_connection = True
            self.server.done.wait(10)
            return
        status, headers, said = scene
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST  # noqa: N815  the base class asks for the name

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def flaky() -> Iterator[Flaky]:
    """A server that fails as it is told."""
    server = Flaky()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.done.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds for which clients paused; none of them pass."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr("understudy.client.shells.time.sleep", slept.append)
    monkeypatch.setattr("understudy.client.shells.asyncio.sleep", sleep)
    return slept
