"""The ledger of losses: the only input of all evidence, in a dense order of its own.

A loss keeps its place; a correction is a later row with the same place. What holds at a place is its last row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from understudy.store.casebook import CASES, MOST_NAMES, CaseRecord, as_record, read_reviews
from understudy.store.database import insert_many, of_task
from understudy.store.schema import cases, inbox, losses, outcomes, predictions, reviews, states


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the ledger.

    Attributes
    ----------
    n, place : int
        Its number, and the number of the first row for the same case and version.
    case_seq : int
    version, role : str
    source, label, loss, propensity
        See `Truth`; the loss is None where nobody looked.
    confidence, strangeness : float
    side : str
        What the version answered; `*` for numbers.
    eligible : bool
        Whether the case is not strange and lies inside the mandate.
    automated : bool
        Whether this answer was given without a person.
    revision, epoch : int
        The deployment's.
    at : int
    """

    n: int
    place: int
    case_seq: int
    version: str
    role: str
    source: str
    label: str | None
    loss: float | None
    propensity: float
    confidence: float
    strangeness: float
    side: str
    eligible: bool
    automated: bool
    revision: int
    epoch: int
    at: int


CHECKPOINT = 10_000
"""A correction folds again from the last state that is kept before it: one in so many places."""

COLUMNS = [losses.c[name] for name in Entry.__struct_fields__]


def next_number(connection: sa.Connection, task: int) -> int:
    """The number of the next row."""
    last = connection.execute(sa.select(sa.func.max(losses.c.n)).where(losses.c.task == task)).scalar_one()
    return 1 if last is None else int(last) + 1


def append_losses(connection: sa.Connection, task: int, entries: Sequence[Entry]) -> None:
    """Add rows."""
    if entries:
        insert_many(connection, losses, [{"task": task, **msgspec.structs.asdict(entry)} for entry in entries])


def holding(connection: sa.Connection, task: int, version: str, epoch: int, *, after: int, most: int) -> list[Entry]:
    """What holds for a version in an epoch at the places after one, in their order."""
    later = losses.alias("later")
    newer = sa.exists().where(later.c.task == losses.c.task, later.c.place == losses.c.place, later.c.n > losses.c.n)
    query = (
        sa.select(*COLUMNS)
        .where(losses.c.task == task, losses.c.version == version, losses.c.epoch == epoch)
        .where(losses.c.place > after, ~newer)
        .order_by(losses.c.place)
        .limit(most)
    )
    return [Entry(**row._mapping) for row in connection.execute(query)]


def of_cases(connection: sa.Connection, task: int, seqs: Sequence[int]) -> dict[tuple[int, str], Entry]:
    """What holds for some cases, by case and version."""
    found: dict[tuple[int, str], Entry] = {}
    for start in range(0, len(seqs), MOST_NAMES):
        query = sa.select(*COLUMNS).where(
            losses.c.task == task, losses.c.case_seq.in_(seqs[start : start + MOST_NAMES])
        )
        for row in connection.execute(query.order_by(losses.c.n)):
            found[row.case_seq, row.version] = Entry(**row._mapping)
    return found


class Guess(msgspec.Struct, frozen=True, kw_only=True):
    """What one version thought of a case."""

    version: str
    role: str
    prediction: str
    confidence: float
    strangeness: float


def guesses(connection: sa.Connection, seqs: Sequence[int]) -> dict[int, tuple[Guess, ...]]:
    """What versions thought of some cases; the champion first."""
    found: dict[int, list[Guess]] = {}
    columns = [predictions.c[name] for name in ("seq", *Guess.__struct_fields__)]
    for start in range(0, len(seqs), MOST_NAMES):
        query = sa.select(*columns).where(predictions.c.seq.in_(seqs[start : start + MOST_NAMES]))
        for row in connection.execute(
            query.order_by(predictions.c.seq, predictions.c.role.desc(), predictions.c.version)
        ):
            plain = {str(key): value for key, value in row._mapping.items() if key != "seq"}
            found.setdefault(row.seq, []).append(Guess(**plain))
    return {seq: tuple(given) for seq, given in found.items()}


def cases_after(connection: sa.Connection, task: int, after: int, most: int) -> list[CaseRecord]:
    """The cases after a number, in their order, with their reviews."""
    query = CASES.where(of_task(cases.c.task, task), cases.c.seq > after).order_by(cases.c.seq).limit(most)
    return with_reviews(connection, connection.execute(query).all())


def cases_by_number(connection: sa.Connection, task: int, seqs: Sequence[int]) -> list[CaseRecord]:
    """Some cases, in their order, with their reviews."""
    found: list[CaseRecord] = []
    for start in range(0, len(seqs), MOST_NAMES):
        query = CASES.where(cases.c.task == task, cases.c.seq.in_(seqs[start : start + MOST_NAMES]))
        found += with_reviews(connection, connection.execute(query.order_by(cases.c.seq)).all())
    return found


def with_reviews(connection: sa.Connection, rows: Sequence[Any]) -> list[CaseRecord]:
    """Rows of cases as records."""
    told = read_reviews(connection, [row.seq for row in rows])
    return [as_record(row, told.get(row.seq, ())) for row in rows]


def take_inbox(connection: sa.Connection, task: int, *, most: int) -> list[int]:
    """The cases of outcomes and reviews that have come since; their inbox rows are gone afterwards.

    Outcomes that came before their case are attached to it here.
    """
    rows = connection.execute(sa.select(inbox.c.kind, inbox.c.seq).where(inbox.c.task == task).limit(most)).all()
    touched: set[int] = set()
    for kind, table, column in (("outcome", outcomes, cases.c.seq), ("review", reviews, reviews.c.case_seq)):
        seqs = [row.seq for row in rows if row.kind == kind]
        for start in range(0, len(seqs), MOST_NAMES):
            some = seqs[start : start + MOST_NAMES]
            query = sa.select(column).where(table.c.seq.in_(some))
            if kind == "outcome":
                same = (cases.c.task == outcomes.c.task) & (cases.c.id == outcomes.c.id)
                query = sa.select(column).join(outcomes, same).where(outcomes.c.seq.in_(some))
            touched.update(connection.execute(query).scalars())
            connection.execute(inbox.delete().where(inbox.c.kind == kind, inbox.c.seq.in_(some)))
    return sorted(touched)


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A folded state, and the place up to which it is folded."""

    n: int
    body: bytes


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """Whose state it is."""

    task: int
    name: str
    version: str = ""
    epoch: int = 0

    def mine(self) -> sa.ColumnElement[bool]:
        """The condition on rows of `states`."""
        same = (states.c[name] == getattr(self, name) for name in self.__struct_fields__)
        return sa.and_(*same)


def read_state(connection: sa.Connection, key: Key) -> State | None:
    """The state that is folded furthest."""
    query = sa.select(states.c.n, states.c.body).where(key.mine()).order_by(states.c.n.desc()).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else State(n=row.n, body=row.body)


def keep_state(connection: sa.Connection, key: Key, state: State, *, at: int) -> None:
    """Keep a state, instead of those since the last checkpoint before it."""
    drop_states(connection, key, state.n // CHECKPOINT * CHECKPOINT)
    row = {"n": state.n, "body": state.body, "at": at}
    connection.execute(states.insert().values(**msgspec.structs.asdict(key), **row))


def drop_states(connection: sa.Connection, key: Key, from_place: int) -> None:
    """Forget states that are folded as far as a place or further."""
    connection.execute(states.delete().where(key.mine(), states.c.n >= from_place))


def each_page(
    connection: sa.Connection, task: int, version: str, epoch: int, *, after: int, size: int
) -> Iterator[list[Entry]]:
    """What holds after a place, page by page."""
    while page := holding(connection, task, version, epoch, after=after, most=size):
        yield page
        after = page[-1].place
