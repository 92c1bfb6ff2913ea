"""Work on this machine comes back in order, and its failures with it."""

import threading

import pytest

from understudy.core.ports import Engine
from understudy.engines.local import LocalEngine


def test_results_stand_in_the_order_of_the_items():
    engine: Engine = LocalEngine(threads=2)
    assert engine.map(lambda item: item * item, range(50)) == [item * item for item in range(50)]


def test_items_may_come_one_at_a_time():
    assert LocalEngine(threads=2).map(str, (item for item in (3, 1))) == ["3", "1"]


def test_nothing_to_do_gives_nothing():
    assert LocalEngine(threads=2).map(str, []) == []


def test_a_failure_reaches_the_caller():
    def work(item):
        if item == 3:
            raise ValueError("item 3 is bad")
        return item

    with pytest.raises(ValueError, match="item 3 is bad"):
        LocalEngine(threads=2).map(work, range(5))


def test_two_threads_work_at_the_same_time():
    meeting = threading.Barrier(2, timeout=20)
    assert sorted(LocalEngine(threads=2).map(lambda _: meeting.wait(), range(2))) == [0, 1]


def test_it_says_how_many_threads_there_are():
    assert LocalEngine(threads=3).threads == 3
