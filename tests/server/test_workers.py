"""Several processes on PostgreSQL decide as one."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from bench.kills import TASK, Server, make_workspace

from understudy.core.nouns import Level, Role
from understudy.flows.moves import set_level
from understudy.flows.workspace import open_workspace

BASE = f"/v1/tasks/{TASK}"
SURE = {"income": 99, "debt": 0}


@pytest.fixture
def place(tmp_path: Path, postgres) -> tuple[Path, dict[Role, str]]:
    return tmp_path / "work", make_workspace(tmp_path / "work", postgres())


def test_after_a_step_down_no_worker_decides_and_after_a_step_up_all_do(place) -> None:
    root, tokens = place
    server = Server(root, workers=2)
    work = open_workspace(root)
    low, stop, wrong, decided = threading.Event(), threading.Event(), [], []

    def ask(caller: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            lowered = low.is_set()  # before the request was sent
            body = {"id": f"{caller}-{turn}", "inputs": SURE}
            status, answer = server.call("POST", f"{BASE}/decisions", body, tokens[Role.SERVICE])
            assert status == 200, answer
            if answer["decided_by"] == "model":
                decided.append(answer["id"])
                if lowered and low.is_set():
                    wrong.append(answer["id"])

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in range(4)]
    try:
        for thread in threads:
            thread.start()
        for _ in range(8):
            stop.wait(0.15)
            down = {"level": "shadow", "why": "It errs."}
            assert server.call("POST", f"{BASE}/level", down, tokens[Role.OPERATOR])[0] == 200
            low.set()
            stop.wait(0.15)
            low.clear()
            set_level(work, TASK, Level.PARTIAL, actor="ann", why="A test.", thresholds={"yes": 0.5}, overriding=True)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        server.kill()
        work.store.close()
    assert len(decided) > 20
    assert wrong == []


def test_the_same_id_sent_to_both_workers_at_once_is_one_case(place) -> None:
    root, tokens = place
    server = Server(root, workers=2)
    answers: list[tuple[int, object]] = []

    def ask(number: int) -> None:
        body = {"id": f"same-{number % 20}", "inputs": SURE}
        answers.append(server.call("POST", f"{BASE}/decisions", body, tokens[Role.SERVICE]))

    try:
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(80)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status = server.call("GET", BASE, None, tokens[Role.AUDITOR])[1]
    finally:
        server.kill()
    assert {code for code, _ in answers} == {200}
    by_id: dict[str, list[object]] = {}
    for _, answer in answers:
        by_id.setdefault(answer["id"], []).append(answer)
    assert all(answer == found[0] for found in by_id.values() for answer in found)
    assert status["counts"]["cases"] == 20


def test_stepping_down_needs_no_model_no_steward_and_no_free_queue(place) -> None:
    root, tokens = place
    shutil.rmtree(root / ".understudy" / "objects")
    server = Server(root)
    try:
        ready = server.call("GET", "/health/ready", None, "")[1]
        assert ready["status"] == "degraded"
        assert "missing" in ready["trouble"][TASK]
        cases = [{"id": str(number), "inputs": SURE} for number in range(1000)]
        crowd = [
            threading.Thread(
                target=server.call, args=("POST", f"{BASE}/decisions", {"cases": cases}, tokens[Role.SERVICE])
            )
            for _ in range(12)
        ]
        for thread in crowd:
            thread.start()
        status, deployed = server.call("POST", f"{BASE}/level", {"level": "human"}, tokens[Role.OPERATOR])
        assert (status, deployed["level"]) == (200, "human")
        for thread in crowd:
            thread.join()
    finally:
        server.kill()


def test_several_workers_on_sqlite_are_refused_with_the_reason(tmp_path: Path) -> None:
    from understudy.core.errors import InputError
    from understudy.server.serve import Place, serve

    with pytest.raises(InputError, match="2 workers need PostgreSQL"):
        serve(tmp_path, Place(workers=2))


def test_a_second_server_on_the_same_sqlite_workspace_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "work"
    make_workspace(root)
    server = Server(root)
    command = [sys.executable, "-m", "understudy", "serve", "--workspace", str(root), "--port", str(server.port + 1)]
    try:
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    finally:
        server.kill()
    assert second.returncode == 1
    assert "is being served already" in second.stderr


def test_a_worker_whose_parent_is_killed_ends_and_the_next_server_answers_alone(tmp_path: Path) -> None:
    root = tmp_path / "work"
    tokens = make_workspace(root)
    server = Server(root)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    time.sleep(1)
    with pytest.raises(OSError, match="refused"):
        server.call("GET", "/health/live", None, "")
    again = Server(root)
    try:
        answer = again.call("POST", f"{BASE}/decisions", {"id": "a", "inputs": SURE}, tokens[Role.SERVICE])
        assert answer[0] == 200
    finally:
        again.kill()
