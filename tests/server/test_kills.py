"""A server that is killed under load has lost nothing that it acknowledged, and holds nothing twice."""

from pathlib import Path

import pytest
from bench.kills import Told, kill_stewards, kill_under_load, make_workspace

from understudy.core.nouns import Role

KILLS = 2


@pytest.mark.parametrize(("kind", "workers"), [("sqlite", 1), ("postgresql", 2)])
def test_what_was_acknowledged_is_there_once(
    kind: str, workers: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = request.getfixturevalue("postgres")() if kind == "postgresql" else None
    tokens, told = make_workspace(tmp_path / "work", store), Told()
    assert set(tokens) == set(Role)
    for turn in range(KILLS):
        assert kill_under_load(tmp_path / "work", tokens, turn=turn, told=told, workers=workers) == []
    assert len(told.answers) > 20
    assert told.outcomes
    assert told.reviews


def test_a_steward_that_is_killed_again_and_again_comes_to_the_same_evidence() -> None:
    assert kill_stewards(6) is False
