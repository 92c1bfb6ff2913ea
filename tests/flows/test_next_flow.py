"""What the owner says of the worklist holds, can be taken back, and gives way where a later version shows otherwise."""

from pathlib import Path

import pytest

from listed import actions, copied, later_version, without_worklist
from understudy.core.errors import NotFoundError
from understudy.flows.golive import RunResult
from understudy.flows.next import NextSteps, Said, next_steps, note
from understudy.flows.workspace import Workspace
from understudy.store.events import first_broken_event, read_events


@pytest.fixture
def work(ran: tuple[Path, RunResult], tmp_path: Path) -> Workspace:
    return copied(ran[0], tmp_path / "w")


def say(work: Workspace, version: str = "latest", **said: object) -> NextSteps:
    return note("claims", Said(**said), actor="ada", version=version, workspace=work.root)


def keys(found: NextSteps) -> list[str]:
    return [item.key for item in found.worklist.items]


def states(found: NextSteps) -> dict[str, str]:
    return {item.key: item.state for item in found.worklist.items}


def test_the_list_is_that_of_the_newest_version(work: Workspace) -> None:
    found = next_steps("claims", workspace=work.root)
    assert keys(found) == ["collect data: region = north", "clean labels: pay", "split off: region = north"]
    later = later_version(work, actions()[2:])
    assert keys(next_steps("claims", workspace=work.root)) == ["clean labels: pay"]
    assert next_steps("claims", workspace=work.root).version == later
    assert keys(next_steps("claims", version=found.version[:12], workspace=work.root)) == keys(found)


def test_an_effort_moves_a_row_and_can_be_taken_back(work: Workspace) -> None:
    before = next_steps("claims", workspace=work.root)
    after = say(work, efforts={"pay": 0.0, "1": 300.0})
    assert keys(after)[0] == "clean labels: pay"
    assert {item.key: item.effort for item in after.worklist.items}["collect data: region = north"] == "300 h"
    assert next_steps("claims", workspace=work.root) == after
    assert say(work, efforts={"pay": None, "collect data: region = north": None}) == before


def test_tags_are_kept_and_can_be_taken_away(work: Workspace) -> None:
    tagged = say(work, tags={"region = north": ("weather", "north")})
    assert [item.tags for item in tagged.worklist.items] == [("weather", "north"), (), ("weather", "north")]
    assert [item.tags for item in say(work, tags={"1": ()}).worklist.items] == [(), (), ("weather", "north")]


def test_what_is_done_is_set_back_and_can_be_undone(work: Workspace) -> None:
    done = say(work, done=("1",))
    assert keys(done)[-1] == "collect data: region = north"
    assert states(done)["collect data: region = north"] == "done"
    undone = say(work, undo=("collect data",))
    assert keys(undone)[0] == "collect data: region = north"
    assert set(states(undone).values()) == {"open"}


def test_a_later_version_that_shows_it_says_so_and_one_that_does_not_has_settled_it(work: Workspace) -> None:
    first = say(work, done=("pay", "collect data"))
    assert first.settled == ()
    later_version(work, actions()[2:])
    found = next_steps("claims", workspace=work.root)
    assert states(found) == {"clean labels: pay": "again"}
    assert found.settled == ("collect data: region = north",)
    earlier = next_steps("claims", version=first.version, workspace=work.root)
    assert states(earlier) == states(first), "what is said of the earlier version holds there"
    assert states(say(work, done=("pay",))) == {"clean labels: pay": "done"}


def test_what_was_said_is_in_the_event_log_with_who_said_it(work: Workspace) -> None:
    found = say(work, efforts={"pay": 2.0}, tags={"pay": ("noise",)})
    with work.store.reading() as connection:
        said = [event for event in read_events(connection, 1) if event.kind == "worklist.noted"]
        assert first_broken_event(connection, 1) is None
    assert [event.actor for event in said] == ["ada", "ada"]
    assert said[0].body == {"row": "clean labels: pay", "version": found.version, "hours": 2.0}


@pytest.mark.parametrize("name", ["nothing", "north", "0", "9", ""])
def test_a_row_that_is_not_there_or_not_the_only_one_is_named_and_nothing_is_noted(work: Workspace, name: str) -> None:
    with pytest.raises(NotFoundError, match=r"No one row[\s\S]*'collect data: region = north', 'clean labels: pay'"):
        say(work, done=("pay", name))
    assert set(states(next_steps("claims", workspace=work.root)).values()) == {"open"}


def test_an_effort_that_cannot_be_is_refused_and_nothing_is_noted(work: Workspace) -> None:
    with pytest.raises(ValueError, match="must be hours of at least 0"):
        say(work, tags={"1": ("a",)}, efforts={"pay": -1.0})
    assert not any(item.tags for item in next_steps("claims", workspace=work.root).worklist.items)


def test_a_version_without_a_worklist_says_so(work: Workspace) -> None:
    without_worklist(work)
    with pytest.raises(NotFoundError, match=r"has no worklist[\s\S]*understudy run"):
        next_steps("claims", workspace=work.root)
