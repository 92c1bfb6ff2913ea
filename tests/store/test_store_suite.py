"""The same promises on both databases, and what is peculiar to PostgreSQL."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from understudy.core.errors import BusyError, StoreError
from understudy.core.nouns import Level
from understudy.store import database
from understudy.store.casebook import append_cases
from understudy.store.database import Store, lock_task, open_store
from understudy.store.registry import current
from understudy.testing.store_suite import BRIEFLY, PATIENCE, StoreSuite, bare_case, count_rows, move, saved


class TestSqliteStore(StoreSuite):
    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path}/deep/store.db"

    @pytest.fixture
    def unreachable(
        self, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> AbstractContextManager[None]:
        monkeypatch.setattr(database, "BUSY_MILLISECONDS", 50)
        store.close()  # new connections wait as long as is set now
        return locked(tmp_path / "deep" / "store.db")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program writes, and does not end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


WAITING = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


class TestPostgresStore(StoreSuite):
    @pytest.fixture
    def url(self, postgres: Callable[[], str]) -> str:
        return postgres()

    @pytest.fixture
    def unreachable(self, url: str) -> AbstractContextManager[None]:
        return closed(url)

    def test_a_closed_database_can_neither_be_read_nor_opened(self, url: str, store: Store) -> None:
        with closed(url):
            with pytest.raises(BusyError, match="not currently accepting connections"):
                count_rows(store)
            with pytest.raises(StoreError, match=r"cannot be opened: .* not currently accepting connections"):
                open_store(url)
        assert count_rows(store)["tasks"] == 0

    def test_a_connection_that_is_lost_within_a_transaction_leaves_nothing(self, url: str, store: Store) -> None:
        number = saved(store)

        def lose() -> None:
            with store.writing() as connection:
                append_cases(connection, number, [bare_case("a")])
                with closed(url):
                    append_cases(connection, number, [bare_case("b")])

        with pytest.raises(BusyError, match="terminating connection"):
            lose()
        assert count_rows(store)["cases"] == 0

    def test_decisions_do_not_wait_for_each_other(self, store: Store) -> None:
        number = saved(store)

        def decide() -> int:
            with store.writing() as connection:
                lock_task(connection, number, shared=True)
                append_cases(connection, number, [bare_case("a")])
                return current(connection, number).revision

        with ThreadPoolExecutor(1) as pool, store.writing() as connection:
            lock_task(connection, number, shared=True)
            append_cases(connection, number, [bare_case("b")])
            assert pool.submit(decide).result(PATIENCE) == 0

    def test_decisions_that_come_while_a_move_waits_let_it_go_first(self, store: Store) -> None:
        number = saved(store)

        def decide() -> Level:
            with store.writing() as connection:
                lock_task(connection, number, shared=True)
                return current(connection, number).level

        with ThreadPoolExecutor(2) as pool:
            with store.writing() as connection:
                lock_task(connection, number, shared=True)
                pool.submit(move, store, number)
                while connection.execute(WAITING).scalar_one() == 0:
                    time.sleep(0.01)
                deciding = pool.submit(decide)
                with pytest.raises(TimeoutError):
                    deciding.result(BRIEFLY)
            assert deciding.result(PATIENCE) is Level.SHADOW


@contextmanager
def closed(url: str) -> Iterator[None]:
    """Nobody may connect to the database any more, and those who are connected no longer are."""
    name = sa.make_url(url).database
    server = sa.make_url(url).set(drivername="postgresql+psycopg", database="postgres")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        ended = sa.text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(ended, {"name": name})
        try:
            yield
        finally:
            connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    engine.dispose()
