"""Seals: now and then the event log takes in a Merkle root over the rows that are finished.

Rows are not chained one by one, which would make every batch of decisions wait for the one before it. A seal covers the
rows of a table from the last seal up to a row number; an edited, missing or added row within that range changes its
root. Inputs are not in the leaves, nor are the notes of reviews: both can be erased. `cases.digest` covers the inputs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.core.canonical import canonical
from understudy.core.errors import StoreError
from understudy.store.database import lock_outcomes, lock_reviews, lock_task, of_task
from understudy.store.events import append_event
from understudy.store.schema import cases, events, inputs, outcomes, reviews

SEALED = "sealed"
SEALER = "steward"
"""Who seals, in the log."""

TABLES: dict[str, sa.Table] = {"cases": cases, "reviews": reviews, "outcomes": outcomes}
ERASABLE = ("note",)
LOWEST = -(1 << 62)
CHUNK = 5_000
MOST_ROWS = 100_000
"""How many rows of a table one seal takes at most: decisions wait while it is made."""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a table in a seal: the numbers of the first and the last, how many, and their Merkle root."""

    first: int
    last: int
    count: int
    root: str


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the event of a seal says; `through` is the last row number that is sealed, of every table."""

    through: dict[str, int]
    cases: Range | None = None
    reviews: Range | None = None
    outcomes: Range | None = None


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """A seal as it stands in the log.

    Attributes
    ----------
    seq, at : int
        The number and the time of its event.
    ranges : dict of Range
        By table; tables that had nothing new are not there.
    after : dict of int
        By table, the last row number of the seal before it.
    """

    seq: int
    at: int
    ranges: dict[str, Range]
    after: dict[str, int]


class Tree:
    """A Merkle tree that grows leaf by leaf and remembers only the roots of its complete parts (RFC 6962).

    >>> tree = Tree()
    >>> for leaf in (b"a", b"b", b"c"):
    ...     tree.add(leaf)
    >>> tree.count, tree.root()[:8]
    (3, '36642e73')
    """

    def __init__(self) -> None:
        self.count = 0
        self._parts: list[bytes] = []

    def add(self, data: bytes) -> None:
        """Add a leaf."""
        part, left = hashlib.sha256(b"\x00" + data).digest(), self.count
        while left & 1:
            part = hashlib.sha256(b"\x01" + self._parts.pop() + part).digest()
            left >>= 1
        self._parts.append(part)
        self.count += 1

    def root(self) -> str:
        """The root over all leaves so far, as 64 hexadecimal digits; a part without a partner moves up as it is."""
        if not self._parts:
            return hashlib.sha256().hexdigest()
        root = self._parts[-1]
        for part in reversed(self._parts[:-1]):
            root = hashlib.sha256(b"\x01" + part + root).digest()
        return root.hex()


def leaf_columns(table: sa.Table) -> tuple[str, ...]:
    """The columns of a row that a seal covers, in the order of the schema."""
    return tuple(column.name for column in table.c if column.name not in ERASABLE)


def leaf(values: Iterable[object]) -> bytes:
    """A row as a leaf: the canonical JSON of its values in the order of the schema, bytes in hexadecimal.

    >>> leaf([7, "a", b"\\x00\\xff", None, True])
    b'[7,"a","00ff",null,true]'
    """
    return canonical([value.hex() if isinstance(value, bytes) else value for value in values])


def rows_between(
    connection: sa.Connection, table: sa.Table, task: int, after: int, last: int | None = None, most: int | None = None
) -> Iterator[Sequence[sa.Row[Any]]]:
    """The leaf columns of a task's rows with a number above `after` and up to `last`, in chunks by number."""
    columns = [table.c[name] for name in leaf_columns(table)]
    left = most
    while left is None or left > 0:
        query = sa.select(*columns).where(of_task(table.c.task, task), table.c.seq > after)
        if last is not None:
            query = query.where(table.c.seq <= last)
        size = CHUNK if left is None else min(CHUNK, left)
        rows = connection.execute(query.order_by(table.c.seq).limit(size)).all()
        if rows:
            yield rows
            after = rows[-1].seq
        if len(rows) < size:
            return
        left = None if left is None else left - size


def range_of(chunks: Iterable[Sequence[Sequence[Any]]]) -> Range | None:
    """The range that some rows make, or None where there are none; a row begins with its number."""
    tree, first, last = Tree(), 0, 0
    for rows in chunks:
        for row in rows:
            last = row[0]
            first = first if tree.count else last
            tree.add(leaf(row))
    return Range(first=first, last=last, count=tree.count, root=tree.root()) if tree.count else None


def seal(connection: sa.Connection, task: int, at: int) -> int | None:
    """Seal the finished rows of a task that no seal covers yet; the number of the event, or None where there are none.

    Waits until the transactions under way are finished, so that no row with a smaller number can come later. One seal
    takes at most `MOST_ROWS` rows of a table; call it again until it returns None to seal everything.

    Parameters
    ----------
    connection : sa.Connection
        A writing transaction, best of its own: decisions wait until it ends.
    task : int
    at : int
        Microseconds since 1970 UTC.
    """
    wait_for_writers(connection, task)
    through = sealed_through(connection, task)
    ranges: dict[str, Range] = {}
    for name, table in TABLES.items():
        found = range_of(rows_between(connection, table, task, through[name], most=MOST_ROWS))
        if found is None:
            continue
        ranges[name] = found
        if found.count == MOST_ROWS:  # a case is never sealed later than what was said of it
            break
    if not ranges:
        return None
    through = {name: last for name, last in through.items() if last != LOWEST}
    through |= {name: found.last for name, found in ranges.items()}
    body = msgspec.to_builtins(Body(through=through, **ranges))
    return append_event(connection, task, at=at, actor=SEALER, kind=SEALED, body=body)


def wait_for_writers(connection: sa.Connection, task: int) -> None:
    """Wait until everybody who is about to add rows has done so, and let others wait.

    Decisions, outcomes and reviews each hold a lock of their own before they take a number.
    """
    lock_task(connection, task)
    lock_outcomes(connection, task)
    lock_reviews(connection, task)


def sealed_through(connection: sa.Connection, task: int) -> dict[str, int]:
    """By table, the last row number that is sealed."""
    query = sa.select(events.c.body).where(events.c.task == task, events.c.kind == SEALED)
    body = connection.execute(query.order_by(events.c.seq.desc()).limit(1)).scalar_one_or_none()
    nothing = dict.fromkeys(TABLES, LOWEST)
    return nothing if body is None else nothing | msgspec.json.decode(body, type=Body).through


def read_seals(connection: sa.Connection, task: int) -> Iterator[Seal]:
    """The seals of a task, the oldest first.

    Raises
    ------
    StoreError
        What stands in the log is no seal.
    """
    query = sa.select(events.c.seq, events.c.at, events.c.body).where(events.c.task == task, events.c.kind == SEALED)
    after = dict.fromkeys(TABLES, LOWEST)
    for row in connection.execute(query.order_by(events.c.seq), execution_options={"yield_per": 1000}):
        try:
            body = msgspec.json.decode(row.body, type=Body)
        except msgspec.MsgspecError as error:
            raise StoreError(f"Event {row.seq} is no seal that can be read: {error}.") from error
        told = {name: getattr(body, name) for name in TABLES}
        ranges = {name: found for name, found in told.items() if found is not None}
        yield Seal(seq=row.seq, at=row.at, ranges=ranges, after=dict(after))
        after |= body.through


def count_between(connection: sa.Connection, table: sa.Table, task: int, after: int, last: int | None = None) -> int:
    """How many rows of a task have a number above `after` and up to `last`."""
    query = sa.select(sa.func.count()).select_from(table).where(of_task(table.c.task, task), table.c.seq > after)
    if last is not None:
        query = query.where(table.c.seq <= last)
    return int(connection.execute(query).scalar_one())


def read_inputs(connection: sa.Connection, task: int, most: int = 500) -> Iterator[Sequence[Any]]:
    """The digest of each case beside its inputs, in chunks: seq, id, digest, salt, body, and the number in `inputs`."""
    after = LOWEST
    columns = (cases.c.seq, cases.c.id, cases.c.digest, inputs.c.salt, inputs.c.body, inputs.c.seq.label("held"))
    joined = sa.select(*columns).outerjoin(inputs, inputs.c.seq == cases.c.seq).where(of_task(cases.c.task, task))
    while rows := connection.execute(joined.where(cases.c.seq > after).order_by(cases.c.seq).limit(most)).all():
        yield rows
        after = rows[-1].seq
