"""Seals cover finished rows once, on both databases, and their root is the one that RFC 6962 gives."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from understudy.store import seals
from understudy.store.casebook import append_cases, append_review
from understudy.store.database import Store, lock_task, open_store
from understudy.store.events import first_broken_event, read_events
from understudy.store.outcomes import NewOutcome, append_outcomes
from understudy.store.schema import cases, reviews
from understudy.store.seals import Tree, leaf, range_of, read_seals, rows_between, seal
from understudy.testing.store_suite import BRIEFLY, FULL_CASE, NOW, PATIENCE, bare_case, saved


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    make: Callable[[], str] = request.getfixturevalue("postgres") if request.param == "postgresql" else lambda: ""
    opened = open_store(make() or f"sqlite:///{tmp_path}/store.db")
    yield opened
    opened.close()


def review(seq: int, note: str | None = None) -> dict[str, object]:
    return {
        "case_seq": seq,
        "user": "ann",
        "kind": "decide",
        "action": "decide",
        "blind": True,
        "at": NOW,
        "note": note,
    }


def outcome(name: str) -> NewOutcome:
    return NewOutcome(
        id=name, case_seq=None, value="yes", observed_at=None, received_at=NOW, by="ann", result="unknown"
    )


def fill(store: Store, task: int) -> None:
    with store.writing() as connection:
        append_cases(connection, task, [bare_case("a"), FULL_CASE])
        append_review(connection, task, review(1, note="he called twice"))
        append_outcomes(connection, task, [outcome("a")])


def rfc6962(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + rfc6962(leaves[:half]) + rfc6962(leaves[half:])).digest()


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=40))
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    tree = Tree()
    for one in leaves:
        tree.add(one)
    assert tree.root() == rfc6962(leaves).hex()


def test_a_seal_covers_what_is_new_and_then_nothing_is(store: Store) -> None:
    task, other = saved(store), saved(store, name="other")
    fill(store, task)
    with store.writing() as connection:
        append_cases(connection, other, [bare_case("x")])
        event = seal(connection, task, NOW)
        assert seal(connection, task, NOW) is None
        append_cases(connection, task, [bare_case("b")])
        seal(connection, task, NOW + 1)
    with store.reading() as connection:
        first, second = read_seals(connection, task)
        assert (first.seq, set(first.ranges)) == (event, {"cases", "reviews", "outcomes"})
        assert (first.ranges["cases"].first, first.ranges["cases"].last, first.ranges["cases"].count) == (1, 2, 2)
        assert set(second.ranges) == {"cases"}
        assert (second.ranges["cases"].first, second.ranges["cases"].count) == (4, 1)
        assert list(read_seals(connection, other)) == []
        bodies = [event.body for event in read_events(connection, task) if event.kind == "sealed"]
        assert set(bodies[1]) == {"cases", "through"}
        assert first_broken_event(connection, task) is None


def test_the_same_rows_have_the_same_root_on_every_database(store: Store) -> None:
    task = saved(store)
    fill(store, task)
    with store.reading() as connection:
        found = range_of(rows_between(connection, cases, task, 0))
    assert found is not None
    assert found.root.startswith("489d69272e241a22f09c6929ceb8460e")


@pytest.mark.parametrize(
    "change",
    [
        cases.update().where(cases.c.id == "a").values(decision="no"),
        cases.update().where(cases.c.id == "a").values(strangeness=0.5),
        cases.update().where(cases.c.id == "a").values(subject=b"x"),
        reviews.delete(),
        reviews.update().values(value="no"),
    ],
    ids=["decision", "strangeness", "subject", "a review less", "review"],
)
def test_an_edit_of_any_column_but_a_note_changes_the_root(store: Store, change: sa.Executable) -> None:
    task = saved(store)
    fill(store, task)

    def roots() -> list[object]:
        with store.reading() as connection:
            return [range_of(rows_between(connection, table, task, 0)) for table in (cases, reviews)]

    before = roots()
    with store.writing() as connection:
        connection.execute(reviews.update().values(note=None))
    assert roots() == before
    with store.writing() as connection:
        assert connection.execute(change).rowcount == 1
    assert roots() != before


def test_a_leaf_is_told_apart_from_another_with_the_same_text() -> None:
    assert leaf(["a", None]) != leaf(["a", "null"])
    assert leaf(["a,b"]) != leaf(["a", "b"])
    assert leaf([1]) != leaf([True])


def test_a_seal_takes_so_many_rows_and_the_next_one_the_rest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "MOST_ROWS", 3)
    monkeypatch.setattr(seals, "CHUNK", 2)
    task = saved(store)
    with store.writing() as connection:
        append_cases(connection, task, [bare_case(f"c{n}") for n in range(7)])
        append_review(connection, task, review(7))
        while seal(connection, task, NOW):
            pass
        found = list(read_seals(connection, task))
    assert [one.ranges["cases"].count for one in found] == [3, 3, 1]
    assert [set(one.ranges) for one in found] == [{"cases"}, {"cases"}, {"cases", "reviews"}]


def test_a_seal_waits_for_the_decisions_under_way(store: Store) -> None:
    task = saved(store)

    def seal_now() -> int | None:
        with store.writing() as connection:
            return seal(connection, task, NOW)

    with ThreadPoolExecutor(1) as pool:
        with store.writing() as connection:
            lock_task(connection, task, shared=True)
            append_cases(connection, task, [bare_case("a")])
            sealing = pool.submit(seal_now)
            with pytest.raises(TimeoutError):
                sealing.result(BRIEFLY)
        assert sealing.result(PATIENCE) is not None


def test_a_seal_waits_for_the_reviews_and_outcomes_under_way(store: Store) -> None:
    task = saved(store)
    fill(store, task)

    def seal_now() -> None:
        with store.writing() as connection:
            seal(connection, task, NOW)

    with ThreadPoolExecutor(1) as pool:
        with store.writing() as connection:
            append_review(connection, task, review(2))
            sealing = pool.submit(seal_now)
            with pytest.raises(TimeoutError):
                sealing.result(BRIEFLY)
        sealing.result(PATIENCE)
    with store.reading() as connection:
        assert next(read_seals(connection, task)).ranges["reviews"].count == 2
