"""A real server tells real receivers, also after it was killed, and one at a time where there are several workers."""

import http.client
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.kills import TASK, Server, make_workspace

from receiver import SECRET, VARIABLE, receiving
from understudy.core.nouns import Role
from understudy.flows.webhooks import read_webhooks
from understudy.flows.workspace import open_workspace

BASE = f"/v1/tasks/{TASK}"
SOON = 30.0


def add_webhooks(root: Path, *hooks: tuple[str, str]) -> None:
    """Name webhooks in the settings."""
    with (root / "understudy.toml").open("a") as file:
        for name, url in hooks:
            file.write(f'[[webhooks]]\nname = "{name}"\nurl = "{url}"\nsecret = "{VARIABLE}"\nallow_private = true\n')


def until(holds: Callable[[], bool]) -> None:
    """Wait for something."""
    end = time.monotonic() + SOON
    while not holds():
        assert time.monotonic() < end, "It never happened."
        time.sleep(0.05)


def decide(server: Server, tokens: dict[Role, str], ids: list[str]) -> None:
    for name in ids:
        body = {"id": name, "inputs": {"income": 50, "debt": 25}}
        assert server.call("POST", f"{BASE}/decisions", body, tokens[Role.SERVICE])[0] == 200


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, SECRET)


def test_a_server_that_is_killed_goes_on_where_it_stopped_and_no_receiver_waits_for_another(tmp_path: Path) -> None:
    root = tmp_path / "work"
    tokens = make_workspace(root)
    with receiving() as good, receiving() as bad:
        bad.slow = 20.0
        add_webhooks(root, ("good", good.url), ("bad", bad.url))
        server = Server(root)
        try:
            until(lambda: opened(root))
            decide(server, tokens, [f"a{number}" for number in range(30)])
            until(lambda: len(good.got) >= 5)
            good.answers = [500] * 2
            decide(server, tokens, [f"b{number}" for number in range(10)])
        finally:
            server.kill()
        before = len(good.ids)
        server = Server(root)
        try:
            decide(server, tokens, ["c0"])
            until(lambda: len(set(good.ids)) == 41)
            counted = 'understudy_webhook_messages_total{result="sent",webhook="good"}'
            until(lambda: counted in read_metrics(server, tokens))
            os.killpg(server.process.pid, signal.SIGTERM)
            server.process.wait(timeout=30)
        finally:
            if server.process.poll() is None:
                server.kill()
        assert before <= 40
        order = list(dict.fromkeys(body["data"]["id"] for _, body in good.got))
        assert order == [f"a{number}" for number in range(30)] + [f"b{number}" for number in range(10)] + ["c0"]
    states = {one.name: one for one in read_webhooks(open_workspace(root))}
    assert (states["good"].state, states["good"].waiting) == ("ok", 0)
    assert (states["bad"].sent, states["bad"].waiting) == (0, 41)


def opened(root: Path) -> bool:
    """Whether every webhook has been opened: what comes later is told."""
    work = open_workspace(root)
    found = all(one.state != "new" for one in read_webhooks(work))
    work.store.close()
    return found


def read_metrics(server: Server, tokens: dict[Role, str]) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/metrics", None, {"Authorization": f"Bearer {tokens[Role.OWNER]}"})
    try:
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_several_workers_tell_each_thing_once_and_one_after_the_other(tmp_path: Path, postgres) -> None:
    root = tmp_path / "work"
    tokens = make_workspace(root, postgres())
    with receiving() as receiver:
        add_webhooks(root, ("crm", receiver.url))
        server = Server(root, workers=2)
        try:
            until(lambda: opened(root))
            decide(server, tokens, [f"a{number}" for number in range(40)])
            until(lambda: len(receiver.got) >= 40)
            os.killpg(server.process.pid, signal.SIGTERM)
            server.process.wait(timeout=30)
        finally:
            if server.process.poll() is None:
                server.kill()
        server = Server(root, workers=2)
        try:
            decide(server, tokens, ["b0"])
            until(lambda: len(receiver.got) >= 41)
        finally:
            server.kill()
    assert receiver.said("id") == [*((f"a{number}",) for number in range(40)), ("b0",)]
    assert len(set(receiver.ids)) == 41


def test_a_missing_secret_is_told_and_nothing_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "work"
    tokens = make_workspace(root)
    monkeypatch.delenv(VARIABLE)
    with receiving() as receiver:
        add_webhooks(root, ("crm", receiver.url))
        server = Server(root)
        try:
            until(lambda: opened(root))
            decide(server, tokens, ["a"])
            until(lambda: read_webhooks(open_workspace(root))[0].state == "failing")
        finally:
            server.kill()
        (one,) = read_webhooks(open_workspace(root))
        assert one.stuck == f"The environment variable {VARIABLE} is not set."
        assert receiver.asked == []
        monkeypatch.setenv(VARIABLE, SECRET)
        server = Server(root)
        try:
            until(lambda: len(receiver.got) == 1)
        finally:
            server.kill()
