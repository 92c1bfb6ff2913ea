"""Only what nothing names, and is old, is removed."""

import os
from pathlib import Path

import pytest

from flows.desk import Hands, desk
from understudy.core.errors import StoreError
from understudy.core.task import duration
from understudy.flows.gc import gc
from understudy.flows.golive import RunResult
from understudy.flows.verify import verify
from understudy.flows.workspace import Workspace
from understudy.store.registry import list_versions


@pytest.fixture
def work(ran: tuple[Path, RunResult], tmp_path: Path) -> Workspace:
    """A workspace whose files are a week old."""
    clock = Hands()
    work = desk(ran[0], tmp_path, clock=clock).work
    age(work, duration("7d"))
    return work


def age(work: Workspace, by: int) -> None:
    then = (work.clock.now() - by) / 1e6
    for place in (work.root / ".understudy" / "objects").glob("*/*"):
        os.utime(place, (then, then))


def test_old_artifacts_that_nothing_names_go_and_all_others_stay(work: Workspace) -> None:
    before = {file.name for file in work.artifacts.stored()}
    old = work.artifacts.put(b"x" * 1000)
    half = work.root / ".understudy" / "objects" / "ab" / f"{'c' * 62}.{'0' * 32}.partial"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"y" * 10)
    age(work, duration("2d"))
    seen = gc(work, dry_run=True)
    assert (seen.artifacts, seen.bytes, seen.removed) == (2, 1010, False)
    assert old in {file.name for file in work.artifacts.stored()}
    assert gc(work).artifacts == 2
    assert {file.name for file in work.artifacts.stored()} == before
    assert verify(work)[0].faults == ()
    assert gc(work).artifacts == 0


def test_what_is_younger_than_a_day_stays_even_where_it_was_put_again(work: Workspace) -> None:
    work.artifacts.put(b"x")
    age(work, duration("23h"))
    assert gc(work).artifacts == 0
    age(work, duration("25h"))
    assert gc(work, dry_run=True).artifacts == 1
    work.artifacts.put(b"x")
    assert gc(work).artifacts == 0


def test_nothing_is_removed_where_it_is_not_known_what_a_version_names(work: Workspace) -> None:
    with work.store.reading() as connection:
        version = list_versions(connection, 1)[0].version
    place = work.root / ".understudy" / "objects" / version[:2] / version[2:]
    place.unlink()
    before = {file.name for file in work.artifacts.stored()}
    with pytest.raises(StoreError, match="is missing"):
        gc(work)
    assert {file.name for file in work.artifacts.stored()} == before
