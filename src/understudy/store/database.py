"""Opening the database, and writing to it in transactions."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from understudy.core.errors import BusyError, InputError, StoreError
from understudy.core.extras import require
from understudy.store.schema import numbers

BUSY_MILLISECONDS = 30_000
WRITER_PAUSE = 0.002
"""Seconds after which a writer looks again whether another process has finished."""

CHECKPOINT_PAGES = 8000
"""The log is copied into the database once it has so many pages (32 MB): seldom, since decisions wait for it."""

LOCK_SPACE = 0x5553
"""Sets our advisory locks apart from those of other programs in the same database."""

DIALECTS: dict[str, Any] = {
    "sqlite": sqlite.dialect(paramstyle="qmark"),
    "postgresql": psycopg.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
}
URL_HINT = "Write sqlite:///PATH or postgresql://USER@HOST/DATABASE."


class Line:
    """A lock that is taken in the order in which it was asked for, and the one connection that its holders write with.

    SQLite lets whoever comes at the right moment write next: a move would wait for a gap between batches of decisions,
    for seconds under load. And taking a connection from the pool costs more than writing a case.

    Parameters
    ----------
    engine : sa.Engine
        Of a SQLite database.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False
        self._writer: sa.Connection | None = None

    def enter(self, *, patient: bool = True) -> bool:
        """Wait for the turn and say so; whoever is not patient only comes in where nobody is before him."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return True
            if not patient:
                return False
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()
        return True

    def leave(self) -> None:
        """Let the next one in."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False

    def begin(self, *, patient: bool) -> tuple[sa.Connection, sa.RootTransaction]:
        """A transaction that holds the database's write lock; for whoever holds this one.

        Raises
        ------
        sqlalchemy.exc.OperationalError
            Another process writes, for longer than one waits; or the database cannot be written.
        """
        if self._writer is None:
            self._writer = self._engine.connect().execution_options(understudy_writes=True)
            with driver(self._writer) as cursor:
                cursor.execute("PRAGMA busy_timeout=0")  # who waits, waits below
        until = time.monotonic() + BUSY_MILLISECONDS / 1000 if patient else 0.0
        while True:
            try:
                return self._writer, self._writer.begin()
            except sa.exc.OperationalError as error:
                if "locked" not in str(error.orig) or time.monotonic() >= until:
                    raise
                time.sleep(WRITER_PAUSE)

    def close(self) -> None:
        """Close the connection; the next holder opens another."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.invalidate()
            writer.close()


@dataclass(frozen=True)
class Store:
    """A database with the current schema.

    Attributes
    ----------
    engine : sa.Engine
    line : Line, optional
        In which the writers of this process stand, where the database does not queue them itself.
    """

    engine: sa.Engine
    line: Line | None = None

    @property
    def single(self) -> bool:
        """Whether one process at a time may serve it: SQLite's writers wait for each other too long."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that only reads."""
        with translated(self.engine), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, *, patient: bool = True) -> Iterator[sa.Connection]:
        """A transaction; all of it is kept, or nothing. SQLite's holds the write lock from its start.

        Parameters
        ----------
        patient : bool
            Whether to wait where somebody else writes.

        Raises
        ------
        BusyError
            The store cannot be reached, is full, or stays locked; nothing was written, or it is not known whether.
        """
        if self.line is None:
            with translated(self.engine), self.engine.begin() as connection:
                yield connection
            return
        if not self.line.enter(patient=patient):
            raise BusyError("Somebody else is writing.")
        try:
            with translated(self.engine):
                connection, transaction = self.line.begin(patient=patient)
                try:
                    yield connection
                    transaction.commit()
                except BaseException as error:
                    abandon(transaction)
                    if isinstance(error, sa.exc.DBAPIError):
                        self.line.close()
                    raise
        finally:
            self.line.leave()

    def close(self) -> None:
        """Close every connection. The store may be used again, with new ones."""
        if self.line is not None:
            self.line.enter()
            self.line.close()
            self.line.leave()
        self.engine.dispose()


def abandon(transaction: sa.RootTransaction) -> None:
    """Roll back what is not to be kept; an error of that must not hide the one before it."""
    with suppress(sa.exc.DBAPIError):
        transaction.rollback()


@contextmanager
def translated(engine: sa.Engine) -> Iterator[None]:
    """What goes wrong with the database itself, as an error that says what to do."""
    try:
        yield
    except sa.exc.DataError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise InputError(
            f"The store takes no such value: {reason}.", hint="Leave out NUL characters, and be brief."
        ) from error
    except (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise BusyError(
            f"The store {engine.url.render_as_string(hide_password=True)} cannot do this now: {reason}.",
            hint="Check that it runs, is reachable and has space, and try again.",
        ) from error


def lock_task(connection: sa.Connection, task: int, *, shared: bool = False) -> None:
    """Let decisions (`shared`) wait for moves and moves for decisions, until the transaction ends.

    PostgreSQL's advisory locks queue fairly; SQLite's write transactions exclude each other anyway.
    """
    if connection.dialect.name == "postgresql":
        kind = "_shared" if shared else ""
        statement = sa.text(f"SELECT pg_advisory_xact_lock{kind}(:space, :task)")
        connection.execute(statement, {"space": LOCK_SPACE, "task": task})


def lock_outcomes(connection: sa.Connection, task: int) -> None:
    """Let outcomes of a task wait for each other, so that each sees what the one before it left."""
    if connection.dialect.name == "postgresql":
        statement = sa.text("SELECT pg_advisory_xact_lock(:space, :task)")
        connection.execute(statement, {"space": LOCK_SPACE + 1, "task": task})


def lock_reviews(connection: sa.Connection, task: int, *, shared: bool = False) -> None:
    """Let a seal wait for the reviews under way (`shared`), and later ones for the seal."""
    if connection.dialect.name == "postgresql":
        kind = "_shared" if shared else ""
        statement = sa.text(f"SELECT pg_advisory_xact_lock{kind}(:space, :task)")
        connection.execute(statement, {"space": LOCK_SPACE + 2, "task": task})


@contextmanager
def driver(connection: sa.Connection) -> Iterator[Any]:
    """The driver's own cursor in a connection's transaction, for the statements of every batch of decisions.

    SQLAlchemy's work on each statement and value costs more than the database's there. Errors are SQLAlchemy's.
    """
    dbapi = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        yield cursor
    except dbapi.Error as error:
        raise sa.exc.DBAPIError.instance(None, None, error, dbapi.Error, dialect=connection.dialect) from error
    finally:
        cursor.close()


def insert_many(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same plain values: text, bytes, numbers."""
    names = table.columns.keys()
    insert_rows(connection, table, [tuple([row[name] for name in names]) for row in rows])


def insert_rows(connection: sa.Connection, table: sa.Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows of plain values in the order of the table's columns."""
    with driver(connection) as cursor:
        cursor.executemany(compiled(table, connection.dialect.name)[0], rows)


def select_one(connection: sa.Connection, statement: sa.ClauseElement, values: Mapping[str, Any]) -> Any:
    """The one value of a statement that is used again and again: a constant of its module."""
    sql, names = compiled(statement, connection.dialect.name)
    with driver(connection) as cursor:
        cursor.execute(sql, [values[name] for name in names])
        return cursor.fetchone()[0]


def of_task(column: sa.ColumnElement[int], task: int) -> sa.ColumnElement[bool]:
    """Whether a row belongs to a task, where a range of row numbers is asked for besides.

    The sum keeps SQLite from an index on the task, by which it would walk through all rows of the task and sort them.
    """
    return column + 0 == task


def compiled(statement: Any, dialect: str) -> tuple[str, tuple[str, ...]]:
    """The text of a statement, or of the insert into a table, and the order of its values."""
    key = (statement, dialect)
    if key not in _compiled:
        whole = statement.insert() if isinstance(statement, sa.Table) else statement
        made = whole.compile(dialect=DIALECTS[dialect])
        _compiled[key] = str(made), tuple(made.positiontup or ())
    return _compiled[key]


_compiled: dict[tuple[Any, str], tuple[str, tuple[str, ...]]] = {}

TAKE = (
    numbers.update()
    .where(numbers.c.name == sa.bindparam("table"))
    .values(last=numbers.c.last + sa.bindparam("count"))
    .returning(numbers.c.last)
)


def take_numbers(connection: sa.Connection, name: str, count: int) -> list[int]:
    """The next `count` row numbers of a table, ascending; numbers of a transaction that fails may be lost.

    Parameters
    ----------
    name : {"cases", "outcomes", "reviews"}
    """
    if connection.dialect.name == "postgresql":
        statement = sa.text("SELECT nextval(CAST(:name AS regclass)) FROM generate_series(1, :count)")
        return sorted(connection.execute(statement, {"name": f"{name}_seq", "count": count}).scalars())
    last = int(select_one(connection, TAKE, {"table": name, "count": count}))
    return list(range(last - count + 1, last + 1))


def open_store(url: str) -> Store:
    """Open a database, and bring its schema up to date.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL, such as `sqlite:///path/store.db` or `postgresql://user@host/database`.

    Raises
    ------
    InputError
        The URL names no database that is supported.
    MissingExtraError
        It is PostgreSQL, and its driver is not installed.
    StoreError
        The database cannot be opened, is none, or was written by a newer Understudy.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError(f"The store's URL {url!r} cannot be read.", hint=URL_HINT) from error
    if parsed.get_backend_name() not in ENGINES:
        raise InputError(f"The store {parsed.render_as_string(hide_password=True)} is not supported.", hint=URL_HINT)
    name = parsed.render_as_string(hide_password=True) if parsed.host else parsed.database or "the store"
    engine = ENGINES[parsed.get_backend_name()](parsed)
    try:
        with engine.connect() as connection, upgrade_lock(connection):
            upgrade(connection, name)
    except (DBAPIError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise StoreError(
            f"The store {name} cannot be opened: {reason}.",
            hint="Check that it is a database of Understudy and that you may write there.",
        ) from error
    return Store(engine, Line(engine) if engine.dialect.name == "sqlite" else None)


def postgres_engine(url: sa.URL) -> sa.Engine:
    """PostgreSQL through psycopg 3; a connection that has died in the pool is noticed before it is used."""
    require("psycopg", extra="postgres")
    return sa.create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=8, max_overflow=8)


def sqlite_engine(url: sa.URL) -> sa.Engine:
    """SQLite that loses nothing it has acknowledged: write-ahead log, full synchronisation, checked references."""
    if url.database and url.database != ":memory:":
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"The store's directory cannot be made: {error}.") from error
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sa.engine.interfaces.DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # SQLAlchemy's events below begin transactions, not the driver
        cursor = connection.cursor()
        for pragma in (
            f"busy_timeout={BUSY_MILLISECONDS}",
            "synchronous=FULL",
            "foreign_keys=ON",
            f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        write_ahead(cursor)
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        with driver(connection) as cursor:
            cursor.execute("BEGIN IMMEDIATE" if "understudy_writes" in connection.get_execution_options() else "BEGIN")

    return engine


def write_ahead(cursor: Any) -> None:
    """Switch to the write-ahead log; while another process does so, SQLite refuses at once instead of waiting."""
    until = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


ENGINES = {"sqlite": sqlite_engine, "postgresql": postgres_engine}


def migrations(connection: sa.Connection) -> Config:
    """Alembic's settings for the scripts that are part of this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def upgrade_lock(connection: sa.Connection) -> Iterator[None]:
    """Two processes that start together must not both upgrade; SQLite's own lock sees to that."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.execute(sa.text("SELECT pg_advisory_lock(:space, 0)"), {"space": LOCK_SPACE})
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(sa.text("SELECT pg_advisory_unlock(:space, 0)"), {"space": LOCK_SPACE})
        connection.commit()


def upgrade(connection: sa.Connection, name: str) -> None:
    """Bring the schema up to date, unless it is newer than this code."""
    config = migrations(connection)
    scripts = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(
        connection, opts={"version_table": "understudy_version"}
    ).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None:
        try:
            scripts.get_revision(current)
        except CommandError as error:
            raise StoreError(
                f"{name} was written by a newer Understudy (schema {current}).",
                hint="Upgrade: pip install --upgrade understudy",
            ) from error
    connection.rollback()
    with connection.execution_options(understudy_writes=True).begin():  # with SQLite's lock, Alembic reads it again
        command.upgrade(config, "head")
