"""A program is weighed with all that it starts, and ends with all of it."""

import os
import sys
import time
from pathlib import Path

import pytest
from bench.automl.watch import Watched, environ, processes, watch

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").is_file(), reason="Linux only")

HOLD = "block = bytearray(150_000_000)\nfor i in range(0, len(block), 4096): block[i] = 1\nimport time; time.sleep({})"


def watched(tmp_path: Path, program: str, **limits: float) -> Watched:
    return watch(
        [sys.executable, "-c", program],
        place=tmp_path,
        log=tmp_path / "log.txt",
        settings={"LENT": "yes"},
        most_seconds=limits.get("seconds", 60),
        most_mb=limits.get("mb", 4000),
    )


def test_the_memory_of_a_child_counts(tmp_path: Path) -> None:
    child = HOLD.format(1.5)
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)"
    found = watched(tmp_path, program)
    assert found.code == 0
    assert found.why == ""
    assert 150 < found.peak_mb < 250
    assert 1.5 < found.seconds < 30


def test_shared_memory_counts_once(tmp_path: Path) -> None:
    fork = "import os\npid = os.fork()\n"
    found = watched(tmp_path, f"{HOLD.format(0)}\n{fork}time.sleep(1.5)\nif pid: os.wait()")
    assert found.code == 0
    assert 150 < found.peak_mb < 250


def test_who_takes_too_long_is_stopped_with_what_it_started(tmp_path: Path) -> None:
    lost = "import subprocess, sys, time; subprocess.Popen(['sleep', '97'], start_new_session=True); time.sleep(97)"
    found = watched(tmp_path, lost, seconds=1.5)
    assert found.code is None
    assert found.why == "stopped after 2 s"
    time.sleep(0.2)
    left = [pid for pid in processes() if b"LENT=yes" in environ(pid) and pid != os.getpid()]
    assert left == []


def test_who_takes_too_much_is_stopped(tmp_path: Path) -> None:
    found = watched(tmp_path, HOLD.format(50), mb=100)
    assert found.code is None
    assert "MB of memory" in found.why


def test_what_it_says_is_kept(tmp_path: Path) -> None:
    found = watched(tmp_path, "import sys; print('first'); sys.exit('there is no such column')")
    assert found.code == 1
    assert (tmp_path / "log.txt").read_text().splitlines() == ["first", "there is no such column"]
