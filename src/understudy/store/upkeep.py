"""What rows name, what the schema is at, when the newest row was written; and a store as one file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import sqlalchemy as sa
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from understudy.core.errors import ConflictError, InputError, StoreError
from understudy.store.database import URL_HINT, Store, migrations, postgres_engine
from understudy.store.schema import cases, events, heads, models, outcomes, reviews, snapshots


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """The artifacts that rows name: versions' manifests, the files beside them, and snapshots that are not purged."""

    versions: frozenset[str]
    beside: frozenset[str]
    snapshots: frozenset[str]


def named_artifacts(connection: sa.Connection, task: int | None = None) -> Named:
    """The artifacts that the rows of a task name, or those of all tasks."""
    of_model = sa.true() if task is None else models.c.task == task
    of_snapshot = sa.true() if task is None else snapshots.c.task == task
    rows = connection.execute(sa.select(models.c.version, models.c.beside).where(of_model)).all()
    live = sa.select(snapshots.c.digest).where(of_snapshot, snapshots.c.purged_at.is_(None))
    return Named(
        versions=frozenset(row.version for row in rows),
        beside=frozenset(
            name for row in rows for name in msgspec.json.decode(row.beside, type=dict[str, str]).values()
        ),
        snapshots=frozenset(connection.execute(live).scalars()),
    )


def newest_row(connection: sa.Connection) -> int:
    """When the newest row was written, in microseconds since 1970 UTC; 0 where there is none."""
    times = (events.c.at, cases.c.received_at, reviews.c.at, outcomes.c.received_at)
    return max(connection.execute(sa.select(sa.func.max(time))).scalar_one() or 0 for time in times)


def sqlite_state(connection: sa.Connection) -> tuple[str, int]:
    """SQLite's journal mode and how far it synchronises (2 is FULL)."""
    mode = connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
    return str(mode), int(connection.exec_driver_sql("PRAGMA synchronous").scalar_one())


def copy_to_file(store: Store, place: Path) -> None:
    """Write a SQLite store to one file, as it stands at this moment, while others write on.

    Nothing that was deleted or erased is in it.

    Raises
    ------
    ConflictError
        The store is PostgreSQL.
    """
    if not store.single:
        raise ConflictError(
            "A PostgreSQL store is not backed up by this command.",
            hint="Use pg_dump, and copy the artifacts, tasks/, understudy.toml and .understudy/archive beside it.",
        )
    raw = store.engine.raw_connection()
    try:
        raw.cursor().execute("VACUUM INTO ?", (str(place),))
    finally:
        raw.close()


class LogHead(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a task's event log: the number of its last line, and that line's hash."""

    seq: int
    hash: str


def read_log_head(connection: sa.Connection, task: int) -> LogHead:
    """The end of a task's event log."""
    row = connection.execute(sa.select(heads.c.event_seq, heads.c.event_hash).where(heads.c.task == task)).one()
    return LogHead(seq=row.event_seq, hash=row.event_hash)


def has_event(connection: sa.Connection, task: int, line: str) -> bool:
    """Whether a line of a task's event log has this hash."""
    query = sa.select(events.c.seq).where(events.c.task == task, events.c.hash == line)
    return connection.execute(query.limit(1)).first() is not None


def freeze(connection: sa.Connection) -> None:
    """Let every query of this transaction see the store at one moment; SQLite's do so anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The schema of a database, None where it has none; and whether this code knows it, and needs no other."""

    version: str | None
    known: bool
    needed: bool


def schema_of(url: str) -> Schema:
    """The schema of the database at a URL; nothing is made or upgraded.

    Raises
    ------
    InputError
        The URL cannot be read.
    StoreError
        The database cannot be opened.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InputError(f"The store's URL {url!r} cannot be read.", hint=URL_HINT) from error
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        return Schema(version=None, known=False, needed=False)
    engine = sa.create_engine(parsed) if parsed.get_backend_name() == "sqlite" else postgres_engine(parsed)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": "understudy_version"})
            scripts = ScriptDirectory.from_config(migrations(connection))
            version = context.get_current_revision()
            known = {script.revision for script in scripts.walk_revisions()}
            return Schema(version=version, known=version in known, needed=version == scripts.get_current_head())
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise StoreError(
            f"The store {parsed.render_as_string(hide_password=True)} cannot be opened: {reason}.",
            hint="Check that it is a database of Understudy, that it runs, and that you may open it.",
        ) from error
    finally:
        engine.dispose()
