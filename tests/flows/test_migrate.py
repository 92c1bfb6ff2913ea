"""Everything moves from SQLite to PostgreSQL and goes on there, or nothing does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.desk import Hands, ask, desk
from understudy.core.errors import ConflictError, InputError, StoreError
from understudy.flows.answers import Answer
from understudy.flows.golive import RunResult
from understudy.flows.head import Library, load_head
from understudy.flows.migrate import migrate_store
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.review import give_review
from understudy.flows.verify import verify
from understudy.flows.workspace import open_workspace
from understudy.store import copies
from understudy.store.copies import count_rows
from understudy.store.database import open_store
from understudy.store.schema import cases, metadata, reviews
from understudy.store.seals import seal
from understudy.testing.store_suite import saved


@pytest.fixture
def library(ran: tuple[Path, RunResult], tmp_path: Path) -> Library:
    library = desk(ran[0], tmp_path, clock=Hands())
    head = load_head(library, "claims")
    ask(head, [f"c{n}" for n in range(30)])
    give_review(head, "ann", "c0", "yes", note="naïve – ✓")
    give_outcomes(head, "bob", [Outcome(id="c0", outcome="no")])
    with library.work.store.writing() as connection:
        seal(connection, head.number, library.work.clock.now())
    return library


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    store = open_store(url)
    with store.reading() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name != "numbers"
        }
    store.close()
    return found


def test_every_row_arrives_and_the_workspace_goes_on_there(
    library: Library, postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "BATCH", 7)
    work, url = library.work, postgres()
    done = migrate_store(work, url)
    assert done.rows["cases"] == 30
    assert contents(url) == contents(f"sqlite:///{work.root}/.understudy/store.db")
    assert done.settings.startswith('[store]\nurl = "postgresql://')
    before = verify(work)
    (work.root / "understudy.toml").write_text(f'[store]\nurl = "{url}"\n')
    moved = open_workspace(work.root)
    assert verify(moved) == before
    head = load_head(Library(moved), "claims")
    (known, new) = ask(head, ["c0", "new"])
    assert isinstance(known, Answer)
    assert isinstance(new, Answer)
    give_review(head, "ann", "new", "yes")
    give_outcomes(head, "bob", [Outcome(id="new", outcome="no")])
    with moved.store.writing() as connection:
        assert connection.execute(sa.select(cases.c.seq).where(cases.c.id == "new")).scalar_one() == 31
        assert seal(connection, head.number, 1) is not None
    assert saved(moved.store, name="another") == 2
    assert verify(moved, task="claims")[0].faults == ()


def test_a_target_that_is_not_empty_is_left_as_it_is(library: Library, postgres: Callable[[], str]) -> None:
    url = postgres()
    saved(open_store(url))
    before = contents(url)
    with pytest.raises(ConflictError, match="not empty: it has rows in tasks"):
        migrate_store(library.work, url)
    assert contents(url) == before


def test_a_value_that_postgresql_cannot_keep_is_named_and_nothing_arrives(
    library: Library, postgres: Callable[[], str]
) -> None:
    url = postgres()
    with library.work.store.writing() as connection:
        connection.execute(reviews.update().values(note="a\x00b"))
    with pytest.raises(StoreError, match="A value in reviews cannot be kept by PostgreSQL"):
        migrate_store(library.work, url)
    with open_store(url).reading() as connection:
        assert set(count_rows(connection).values()) == {0}


def test_rows_that_do_not_arrive_undo_everything(
    library: Library, postgres: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres()
    whole = copies.batches
    monkeypatch.setattr(copies, "batches", lambda source, query: (rows[:-1] or rows for rows in whole(source, query)))
    with pytest.raises(StoreError, match=r"Not all rows have arrived in: .*cases"):
        migrate_store(library.work, url)
    with open_store(url).reading() as connection:
        assert set(count_rows(connection).values()) == {0}


def test_only_from_sqlite_to_postgresql(library: Library, postgres: Callable[[], str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="The target must be PostgreSQL"):
        migrate_store(library.work, f"sqlite:///{tmp_path}/x.db")
    (library.work.root / "understudy.toml").write_text(f'[store]\nurl = "{postgres()}"\n')
    with pytest.raises(ConflictError, match="is PostgreSQL already"):
        migrate_store(open_workspace(library.work.root), postgres())
