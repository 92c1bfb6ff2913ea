"""Tokens and sessions: only hashes of their secrets are kept."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from understudy.core.nouns import Role
from understudy.store.schema import sessions, tokens


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Who may come in, as what, to which task (None: to all), and until when."""

    name: str
    role: Role
    task: str | None
    expires_at: int | None


class TokenRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A token without its secret; `kind` is `api`, or `link` for one that signs a person in once."""

    hash: str
    kind: str
    name: str
    role: Role
    task: str | None
    created_at: int
    expires_at: int | None
    revoked_at: int | None


def add_token(connection: sa.Connection, record: TokenRecord) -> None:
    """Keep a new token."""
    connection.execute(tokens.insert().values(**{name: getattr(record, name) for name in record.__struct_fields__}))


def list_tokens(connection: sa.Connection) -> list[TokenRecord]:
    """All tokens, the oldest first."""
    rows = connection.execute(sa.select(tokens).order_by(tokens.c.created_at, tokens.c.hash))
    return [msgspec.convert({str(name): value for name, value in row._mapping.items()}, TokenRecord) for row in rows]


def find_token(connection: sa.Connection, hashed: str, *, kind: str, now: int) -> Access | None:
    """The access that a token gives, or None where it is unknown, revoked or expired."""
    return find(connection, sa.select(tokens).where(tokens.c.hash == hashed, tokens.c.kind == kind), now)


def find_session(connection: sa.Connection, hashed: str, *, now: int) -> Access | None:
    """The access that a session gives, or None where it is unknown, ended or expired."""
    return find(connection, sa.select(sessions).where(sessions.c.hash == hashed), now)


def find(connection: sa.Connection, query: sa.Select[tuple[object, ...]], now: int) -> Access | None:
    """The access in a row that is neither revoked nor expired."""
    row = connection.execute(query).one_or_none()
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return Access(name=row.name, role=Role(row.role), task=row.task, expires_at=row.expires_at)


def revoke_token(connection: sa.Connection, hashed: str, *, at: int) -> bool:
    """End a token, and say whether it was in force."""
    live = (tokens.c.hash == hashed) & tokens.c.revoked_at.is_(None)
    return connection.execute(tokens.update().where(live).values(revoked_at=at)).rowcount == 1


def revoke_name(connection: sa.Connection, name: str, *, at: int) -> int:
    """End every token and session of a name, and say how many there were."""
    ended = 0
    for table in (tokens, sessions):
        live = (table.c.name == name) & table.c.revoked_at.is_(None)
        ended += connection.execute(table.update().where(live).values(revoked_at=at)).rowcount
    return ended


def add_session(connection: sa.Connection, hashed: str, access: Access, *, at: int, expires_at: int) -> None:
    """Keep a new session."""
    row = {"name": access.name, "role": access.role.value, "task": access.task}
    connection.execute(sessions.insert().values(hash=hashed, created_at=at, expires_at=expires_at, **row))


def end_session(connection: sa.Connection, hashed: str, *, at: int) -> None:
    """End a session."""
    connection.execute(sessions.update().where(sessions.c.hash == hashed).values(revoked_at=at))
