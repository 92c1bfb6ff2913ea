"""One process at a time: leases on the database's own clock, with a fence that grows whenever the holder changes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from understudy.store.schema import leases

INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
NOW = {
    "sqlite": "SELECT CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)",
    "postgresql": "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)",
}


def take_lease(connection: sa.Connection, name: str, holder: str, *, seconds: int) -> int | None:
    """Take or renew a lease: its fence, or None where somebody else holds it.

    Parameters
    ----------
    connection : sa.Connection
        A writing transaction.
    name, holder : str
    seconds : int
        How long it lasts from now.
    """
    now = int(connection.execute(sa.text(NOW[connection.dialect.name])).scalar_one())
    first = INSERT[connection.dialect.name](leases).values(name=name, holder="", fence=0, expires_at=0)
    connection.execute(first.on_conflict_do_nothing())
    free = (leases.c.expires_at < now) | (leases.c.holder == holder)
    taken = (
        leases.update()
        .where(leases.c.name == name, free)
        .values(
            holder=holder,
            fence=leases.c.fence + sa.case((leases.c.holder == holder, 0), else_=1),
            expires_at=now + seconds * 1_000_000,
        )
        .returning(leases.c.fence)
    )
    fence: int | None = connection.execute(taken).scalar_one_or_none()
    return fence


def holds(connection: sa.Connection, name: str, holder: str, fence: int) -> bool:
    """Whether the lease is still this holder's, locked until the transaction ends."""
    query = sa.select(leases.c.fence).where(leases.c.name == name, leases.c.holder == holder).with_for_update()
    return connection.execute(query).scalar_one_or_none() == fence


def release_lease(connection: sa.Connection, name: str, holder: str, fence: int) -> None:
    """Let a lease go before it ends, where it is still this holder's."""
    mine = (leases.c.name == name, leases.c.holder == holder, leases.c.fence == fence)
    connection.execute(leases.update().where(*mine).values(expires_at=0))
