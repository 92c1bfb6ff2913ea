"""Opening the database, and writing to it in transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from understudy.core.errors import InputError, StoreError

BUSY_MILLISECONDS = 30_000


@dataclass(frozen=True)
class Store:
    """A database with the current schema."""

    engine: sa.Engine

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection that only reads."""
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that holds the write lock from its start; all of it is kept, or nothing."""
        with self.engine.connect().execution_options(understudy_writes=True) as connection, connection.begin():
            yield connection


def open_store(url: str) -> Store:
    """Open a database, and bring its schema up to date.

    Parameters
    ----------
    url : str
        A SQLAlchemy URL, such as `sqlite:///path/store.db`.

    Raises
    ------
    InputError
        The URL names no database that is supported.
    StoreError
        The database cannot be opened, is none, or was written by a newer Understudy.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError(f"The store's URL {url!r} cannot be read.", hint="Write sqlite:///PATH.") from error
    if parsed.get_backend_name() != "sqlite":
        raise InputError(
            f"The store {parsed.render_as_string(hide_password=True)} is not supported.", hint="Write sqlite:///PATH."
        )
    engine = sqlite_engine(parsed)
    try:
        with engine.connect() as connection:
            upgrade(connection, parsed.database or "the store")
    except (DBAPIError, OSError) as error:
        reason = getattr(error, "orig", error)
        raise StoreError(
            f"The store {parsed.database} cannot be opened: {reason}.",
            hint="Check that it is a database of Understudy and that you may write there.",
        ) from error
    return Store(engine)


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
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MILLISECONDS}"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("understudy_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def migrations(connection: sa.Connection) -> Config:
    """Alembic's settings for the scripts that are part of this package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


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
    command.upgrade(config, "head")
