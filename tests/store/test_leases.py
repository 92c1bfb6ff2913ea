"""One process at a time."""

import time
from pathlib import Path

import pytest

from understudy.store.database import Store, open_store
from understudy.store.leases import holds, take_lease


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return open_store(f"sqlite:///{tmp_path}/store.db")
    return open_store(request.getfixturevalue("postgres")())


def take(store: Store, holder: str, seconds: int = 60) -> int | None:
    with store.writing() as connection:
        return take_lease(connection, "steward", holder, seconds=seconds)


def test_one_holds_it_and_renews_it_under_the_same_fence(store: Store) -> None:
    assert [take(store, name) for name in ("ann", "bob", "ann")] == [1, None, 1]


def test_an_expired_lease_goes_to_the_next_whose_fence_keeps_the_sleeper_out(store: Store) -> None:
    fence = take(store, "ann", seconds=0)
    time.sleep(0.01)
    assert take(store, "bob") == 2
    with store.writing() as connection:
        assert not holds(connection, "steward", "ann", fence)
        assert holds(connection, "steward", "bob", 2)
