"""The demonstration that serves: a real server, and the rest of the year against it."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from understudy.cli.demo import check_serving
from understudy.core.errors import InputError


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def is_answered(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def test_the_rest_of_the_year_is_played_against_a_real_server(tmp_path: Path) -> None:
    port, work = free_port(), tmp_path / "work"
    words = ["demo", "--serve", "--port", port, "--rows", 600, "--trials", 1, "--workspace", work]
    command = [sys.executable, "-m", "understudy", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"is served at http://127.0.0.1:{port}\n" in done.stdout
    assert re.search(
        rf"^Sign in once.*http://127\.0\.0\.1:{port}/sign-in\?key=us_[\w-]{{43}}$", done.stdout, re.MULTILINE
    )
    assert re.search(r"^March +600 flights +shadow +0 decided by itself, +0 of them wrong$", done.stdout, re.MULTILINE)
    assert done.stdout.endswith("The year is over, and the server has stopped.\n")
    assert not is_answered(port)
    assert "sign-in" not in (work / ".understudy" / "demo-server.log").read_text()


def test_what_could_not_be_served_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="do not go together"):
        check_serving(tmp_path, free_port(), json=True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(InputError, match="cannot be used"):
            check_serving(tmp_path, taken.getsockname()[1], json=False)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "flights.toml").touch()
    with pytest.raises(InputError, match="learned from flights already"):
        check_serving(tmp_path, free_port(), json=False)
