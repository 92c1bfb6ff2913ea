"""Work in processes of its own: it may hang, die, or take all memory, and costs its own slot only."""

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engines import trouble
from understudy.core.ports import Crew, Lost
from understudy.engines.local import LocalEngine
from understudy.engines.processes import CAN_FORK, ProcessCrew
from understudy.engines.threads import ThreadCrew

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="the system cannot fork")
MOST = 200_000_000


@pytest.fixture(scope="module")
def crew():
    made = ProcessCrew(2, memory=MOST, loaded=())
    made.take(trouble.work)
    yield made
    made.close()


def done(crew: Crew, item, seconds=60.0):
    crew.start(item, seconds)
    return crew.wait()


def test_work_is_done_in_a_process_of_its_own(crew):
    ended = done(crew, "fine")
    assert ended.item == "fine"
    assert ended.value[0] == "fine"
    assert ended.value[1] != os.getpid()
    assert 0 <= ended.seconds < 60


def test_two_items_are_worked_on_at_the_same_time(crew):
    began = time.monotonic()
    crew.start("hang", 1.0)
    crew.start("hang", 1.0)
    both = [crew.wait(), crew.wait()]
    assert time.monotonic() - began < sum(ended.seconds for ended in both)


def test_what_hangs_is_killed_at_its_deadline_and_the_next_is_done(crew):
    ended = done(crew, "hang", 0.3)
    assert ended.value == Lost("it took longer than 0.3 s", late=True)
    assert ended.seconds == pytest.approx(0.3, abs=2.0)
    assert done(crew, "fine").value[0] == "fine"


def test_what_takes_too_much_memory_is_stopped_and_says_so(crew):
    ended = done(crew, "eat")
    assert isinstance(ended.value, Lost)
    assert "more memory than there is" in ended.value.reason
    assert not ended.value.late
    assert done(crew, "fine").value[0] == "fine"


@pytest.mark.parametrize(("item", "reason"), [("exit", "ended by itself, with code 3"), ("abort", "died (SIGABRT)")])
def test_a_process_that_dies_costs_its_own_item(crew, item, reason):
    crew.start(item, 60.0)
    crew.start("fine", 60.0)
    ended = {one.item: one.value for one in (crew.wait(), crew.wait())}
    assert reason in ended[item].reason
    assert ended["fine"][0] == "fine"


def test_what_the_work_raises_is_raised_where_it_is_waited_for(crew):
    crew.start("raise")
    with pytest.raises(KeyError, match="a bug"):
        crew.wait()


def test_what_libraries_print_does_not_disturb(crew):
    assert done(crew, "shout").value[0] == "shout"


def test_when_the_foreman_dies_what_was_under_way_is_lost_and_a_new_one_carries_on(crew):
    crew.start("hang", 60.0)
    crew._foreman.kill()
    ended = crew.wait()
    assert ended.item == "hang"
    assert isinstance(ended.value, Lost)
    assert done(crew, "fine").value[0] == "fine"


def test_a_foreman_that_dies_while_it_forks_leaves_nobody_behind(crew):
    for moment in range(40):  # spread over the few milliseconds in which a worker is being made
        assert done(crew, "fine").value[0] == "fine"
        crew.start("hang", 60.0)
        time.sleep(moment * 1e-4)
        crew._foreman.kill()
        assert isinstance(crew.wait().value, Lost)


def total(arrays, item):
    return float(arrays[item].sum()), type(arrays[item]).__name__


def test_arrays_are_mapped_and_not_copied():
    crew = ProcessCrew(1, loaded=())
    crew.take(partial(total, [np.ones(300_000), np.zeros(3)]))
    place = crew._place
    assert done(crew, 0).value == (300_000.0, "memmap")
    crew.close()
    assert not place.exists()


def test_when_the_caller_is_killed_its_workers_end_and_their_files_go(tmp_path):
    script = tmp_path / "caller.py"
    script.write_text(
        "from engines import trouble\n"
        "from understudy.engines.processes import ProcessCrew\n"
        "crew = ProcessCrew(1, loaded=())\n"
        "crew.take(trouble.work)\n"
        "crew.start('fine'); print(crew.wait().value[1], flush=True)\n"
        "crew.start('hang'); print(crew._foreman.pid, crew._place, flush=True)\n"
        "crew.wait()\n"
    )
    path = os.pathsep.join(filter(None, sys.path))
    caller = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": path})
    caller.stdout.readline()
    pid, place = caller.stdout.readline().decode().split()
    caller.kill()
    caller.wait()
    caller.stdout.close()
    until = time.monotonic() + 20
    while (alive(int(pid)) or Path(place).exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(int(pid))
    assert not Path(place).exists()


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_thread_that_hangs_is_left_behind():
    crew = ThreadCrew(1)
    crew.take(lambda seconds: time.sleep(seconds) or seconds)
    assert done(crew, 0.5, 0.05).value == Lost("it took longer than 0.1 s", late=True)
    assert done(crew, 0.01, 5.0).value == 0.01


def test_threads_raise_what_the_work_raises():
    crew = ThreadCrew(2)
    crew.take(trouble.work)
    crew.start("raise")
    with pytest.raises(KeyError, match="a bug"):
        crew.wait()


@pytest.mark.parametrize(("isolated", "kind"), [(False, ThreadCrew), (True, ProcessCrew)])
def test_an_engine_has_crews_of_both_kinds(isolated, kind):
    with LocalEngine(threads=2).crew(isolated=isolated) as crew:
        assert isinstance(crew, kind)
        assert crew.workers == 2
