"""What every database under a store must do.

Needs pytest. A name of a test is the sentence that it proves.
"""
# ruff: noqa: D102, S101  (these are tests)

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from msgspec.structs import replace

from understudy.core.canonical import digest
from understudy.core.errors import BusyError, NotFoundError, StoreError
from understudy.core.nouns import Decider, Deployment, Level, Move
from understudy.store.casebook import (
    DECIDE_PRIORITY,
    CaseRecord,
    NewCase,
    NewPrediction,
    append_cases,
    append_review,
    find_case,
    find_cases,
    get_case,
    leave_queue,
)
from understudy.store.database import Store, lock_task, open_store, take_numbers
from understudy.store.events import append_event, first_broken_event, read_events
from understudy.store.leases import release_lease, take_lease
from understudy.store.registry import (
    VersionRecord,
    current,
    find_version,
    keep_snapshot,
    list_versions,
    move_to,
    read_deployments,
    register,
)
from understudy.store.schema import cases, events, inbox, inputs, metadata, predictions, queue, snapshots
from understudy.store.tasks import read_task, save_task, task_number
from understudy.store.webhooks import (
    SOURCES,
    Letter,
    Place,
    WebhookState,
    count_behind,
    drop_letter,
    keep_letter,
    keep_marks,
    note_error,
    note_sent,
    open_webhook,
    read_ends,
    read_letters,
    read_marks,
    read_states,
    revive,
    rows_after,
    wait_for_rows,
)

NOW = 1_750_000_000_123_456
SECRET = b"s" * 32
PATIENCE = 30.0
"""Seconds after which what should happen soon is said never to happen."""
BRIEFLY = 0.2
"""Seconds for which what should wait is watched."""


def saved(store: Store, body: bytes = b"[task]", *, name: str = "late") -> int:
    """The number of a task that has been saved with this text."""
    with store.writing() as connection:
        return save_task(connection, name, body, secret=SECRET, actor="ann", at=NOW)[0]


def record(name: str, at: int = NOW) -> VersionRecord:
    """A version."""
    return VersionRecord(
        version=digest(name.encode()),
        recipe="lightgbm",
        snapshot="s",
        served="onnx",
        seed=0,
        passed=True,
        environment={"python": "3.11"},
        beside={"report.json": "r"},
        at=at,
    )


def bare_case(name: str, *, revision: int = 0) -> NewCase:
    """A case of which nothing is known but what must be."""
    return NewCase(
        id=name,
        received_at=NOW,
        digest=b"d" * 32,
        salt=b"s" * 16,
        body=b"{}",
        subject=None,
        revision=revision,
        level=Level.HUMAN,
        version=None,
        arm_propensity=1.0,
        unit=None,
        reasons=(),
        review_kind="none",
        review_propensity=0.0,
        blind=False,
        decision=None,
        decided_by=None,
        confidence=None,
        strangeness=None,
        predictions=(),
        due_at=0,
        wanted=0,
    )


FULL_CASE = NewCase(
    id="Schaden/2025-06 №7 🙂",
    received_at=NOW,
    digest=bytes(range(32)),
    salt=bytes(range(240, 256)),
    body='{"text":"naïve \\u0000 – 你好"}'.encode(),
    subject=b"\x00\xff" * 16,
    revision=3,
    level=Level.PARTIAL,
    version="v1",
    arm_propensity=1 - 1 / 3,
    unit=b"\xff\x00" * 16,
    reasons=("UNSURE", "BLIND"),
    review_kind="decide",
    review_propensity=1 / 3,
    blind=True,
    decision="yes – 'quoted' \"twice\"",
    decided_by=Decider.MODEL,
    confidence=0.1 + 0.2,
    strangeness=5e-324,
    predictions=(
        NewPrediction(
            version="v1", role="champion", prediction="yes", confidence=2 / 3, strangeness=0.1, scores=b"\x00\xffab"
        ),
        NewPrediction(
            version="v2", role="challenger", prediction="no", confidence=1.0, strangeness=1 / 7, scores=b"\x00" * 8
        ),
    ),
    due_at=NOW + 86_400_000_000,
    wanted=2,
)

SKIPPED = {
    "case_seq": 1,
    "user": "ann",
    "kind": "decide",
    "action": "skip",
    "value": None,
    "blind": True,
    "shown_version": None,
    "note": None,
    "opened_at": None,
    "at": NOW,
    "supersedes": None,
}


def step(level: Level, champion: str = "") -> Move:
    """A move to a level."""
    return Move(kind="step_up", to=Deployment(level=level, champion=champion), reasons=("200 cases, 0 errors",))


def move(store: Store, task: int) -> Deployment:
    """Make a move in a transaction of its own."""
    with store.writing() as connection:
        return move_to(connection, task, step(Level.SHADOW), actor="steward", at=NOW)


def count_rows(store: Store) -> dict[str, int]:
    """How many rows each table has; those that only hand out numbers aside."""
    tables = [table for table in metadata.sorted_tables if table.name != "numbers"]
    with store.reading() as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in tables
        }


def together(jobs: Sequence[Callable[[], object]]) -> None:
    """Do things at the same time, each in a thread."""
    ready = threading.Barrier(len(jobs))

    def start(job: Callable[[], object]) -> None:
        ready.wait(PATIENCE)
        job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        list(pool.map(start, jobs))


class StoreSuite:
    """What a store promises, whatever database is under it.

    Subclass it in a test file of yours, and give two fixtures; `store` opens the URL, unless you give that too.

    url : str
        A new, empty database for each test.
    unreachable : context manager
        Within it `store` cannot write; after it, it can again.

    >>> class TestMyStore(StoreSuite):
    ...     @pytest.fixture
    ...     def url(self, tmp_path):
    ...         return f"sqlite:///{tmp_path}/store.db"
    """

    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        opened = open_store(url)
        yield opened
        opened.close()

    # Opening

    def test_the_migrations_make_exactly_the_schema(self, store: Store) -> None:
        with store.reading() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": "understudy_version"})
            assert compare_metadata(context, metadata) == []

    def test_a_store_of_a_newer_understudy_is_refused(self, url: str, store: Store) -> None:
        with store.writing() as connection:
            connection.exec_driver_sql("UPDATE understudy_version SET version_num = '9999'")
        with pytest.raises(StoreError, match=r"written by a newer Understudy \(schema 9999\)\.\nUpgrade"):
            open_store(url)

    def test_those_who_open_a_new_store_at_once_all_find_its_schema(self, url: str) -> None:
        opened: list[Store] = []
        together([lambda: opened.append(open_store(url))] * 4)
        assert [count_rows(store)["tasks"] for store in opened] == [0] * 4
        for store in opened:
            store.close()

    # Transactions

    def test_a_transaction_that_fails_leaves_nothing(self, store: Store) -> None:
        number = saved(store)
        before = count_rows(store)

        def fail() -> None:
            with store.writing() as connection:
                save_task(connection, "other", b"[task]", secret=SECRET, actor="ann", at=NOW)
                save_task(connection, "late", b"[task] # other", secret=SECRET, actor="ann", at=NOW)
                register(connection, number, record("first"), actor="ann")
                append_cases(connection, number, [FULL_CASE])
                move_to(connection, number, step(Level.FULL), actor="ann", at=NOW)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        assert count_rows(store) == before
        with store.reading() as connection:
            assert current(connection, number) == Deployment()
            assert read_task(connection, "late").revision == 1
            assert first_broken_event(connection, number) is None

    def test_a_store_that_cannot_be_written_says_so_and_works_again_afterwards(
        self, store: Store, unreachable: AbstractContextManager[None]
    ) -> None:
        number = saved(store)
        with unreachable, pytest.raises(BusyError, match="cannot do this now"):
            move(store, number)
        assert move(store, number).revision == 1

    def test_no_row_number_is_given_twice_and_later_ones_are_higher(self, store: Store) -> None:
        batches: list[list[list[int]]] = [[], [], [], []]

        def take(mine: list[list[int]]) -> None:
            for count in (1, 2, 3) * 4:
                with store.writing() as connection:
                    mine.append(take_numbers(connection, "cases", count))

        together([partial(take, mine) for mine in batches])
        taken = [[number for batch in mine for number in batch] for mine in batches]
        assert all(mine == sorted(mine) for mine in taken)
        assert len({number for mine in taken for number in mine}) == 4 * 24

    # Tasks

    def test_a_task_is_revised_only_when_its_text_differs(self, store: Store) -> None:
        assert saved(store) == saved(store) == saved(store, b"[task] # other")
        with store.reading() as connection:
            task = read_task(connection, "late")
            assert (task.revision, task.body, task.secret) == (2, b"[task] # other", SECRET)
            assert [event.kind for event in read_events(connection, task.number)] == ["task.saved", "task.saved"]

    def test_an_unknown_task_is_named_beside_the_known_ones(self, store: Store) -> None:
        saved(store)
        with store.reading() as connection, pytest.raises(NotFoundError, match=r"no task 'early' \(tasks: late\)"):
            task_number(connection, "early")

    def test_those_who_save_a_task_at_once_save_it_once(self, store: Store) -> None:
        for name in ("first", "second", "third"):
            together([partial(saved, store, name=name)] * 4)
            together([partial(saved, store, b"[task] # other", name=name)] * 4)
            with store.reading() as connection:
                task = read_task(connection, name)
                assert task.revision == len(read_events(connection, task.number)) == 2

    # Versions

    def test_a_version_is_found_by_its_beginning_by_latest_and_by_champion(self, store: Store) -> None:
        number = saved(store)
        first, second = record("first", NOW), record("second", NOW + 1)
        with store.writing() as connection:
            assert register(connection, number, first, actor="ann")
            assert register(connection, number, second, actor="ann")
            assert not register(connection, number, first, actor="ann")
            move_to(connection, number, step(Level.SHADOW, first.version), actor="ann", at=NOW)
        with store.reading() as connection:
            assert list_versions(connection, number) == [second, first]
            assert find_version(connection, number, "latest") == second
            assert find_version(connection, number, "champion") == first
            assert find_version(connection, number, first.version[:8]) == first
            with pytest.raises(NotFoundError, match="2 versions begin with ''"):
                find_version(connection, number, "")
            with pytest.raises(NotFoundError, match='There is no version "\' OR 1=1 --"'):
                find_version(connection, number, "' OR 1=1 --")

    def test_a_task_without_versions_says_what_to_do(self, store: Store) -> None:
        number = saved(store)
        with store.reading() as connection, pytest.raises(NotFoundError, match="no version yet"):
            find_version(connection, number, "latest")

    def test_a_version_and_a_snapshot_that_come_from_several_sides_at_once_are_kept_once(self, store: Store) -> None:
        number = saved(store)
        news: list[bool] = []

        def keep() -> None:
            with store.writing() as connection:
                keep_snapshot(connection, number, digest="s", source="x.csv", rows=3, at=NOW)
                news.append(register(connection, number, record("first"), actor="ann"))

        together([keep] * 4)
        assert sorted(news) == [False, False, False, True]
        with store.reading() as connection:
            assert list_versions(connection, number) == [record("first")]
            assert len(connection.execute(sa.select(snapshots)).all()) == 1
            assert first_broken_event(connection, number) is None

    # Moves

    def test_each_move_is_deployed_and_logged(self, store: Store) -> None:
        number = saved(store)
        with store.reading() as connection:
            assert current(connection, number) == Deployment()
        with store.writing() as connection:
            first = move_to(connection, number, step(Level.SHADOW, "a"), actor="ann", at=NOW)
            second = move_to(connection, number, step(Level.ASSIST, "b"), actor="bob", at=NOW + 1)
        assert first == Deployment(revision=1, level=Level.SHADOW, champion="a")
        with store.reading() as connection:
            assert current(connection, number) == second
            assert read_deployments(connection, number) == [first, second]
            log = read_events(connection, number)[1:]
            assert [(event.seq, event.at, event.actor, event.kind) for event in log] == [
                (2, NOW, "ann", "moved.step_up"),
                (3, NOW + 1, "bob", "moved.step_up"),
            ]
            assert log[1].body["reasons"] == ["200 cases, 0 errors"]
            assert log[1].previous == log[0].hash
            assert first_broken_event(connection, number) is None

    def test_a_move_waits_for_the_decisions_under_way(self, store: Store) -> None:
        number = saved(store)
        with ThreadPoolExecutor(1) as pool:
            with store.writing() as connection:
                lock_task(connection, number, shared=True)
                moving = pool.submit(move, store, number)
                with pytest.raises(TimeoutError):
                    moving.result(BRIEFLY)
                append_cases(connection, number, [bare_case("a")])
            assert moving.result(PATIENCE).revision == 1

    def test_a_decision_that_waits_for_a_move_is_decided_under_the_new_deployment(self, store: Store) -> None:
        number = saved(store)

        def decide() -> int:
            with store.writing() as connection:
                lock_task(connection, number, shared=True)
                return current(connection, number).revision

        with ThreadPoolExecutor(1) as pool:
            with store.writing() as connection:
                move_to(connection, number, step(Level.SHADOW), actor="steward", at=NOW)
                deciding = pool.submit(decide)
                with pytest.raises(TimeoutError):
                    deciding.result(BRIEFLY)
            assert deciding.result(PATIENCE) == 1

    @pytest.mark.parametrize("save", [True, False], ids=["saves", "registers"])
    def test_a_move_waits_for_one_who_saves_or_registers_and_then_moves(self, store: Store, save: bool) -> None:
        number = saved(store)
        with ThreadPoolExecutor(1) as pool:
            with store.writing() as connection:
                if save:
                    save_task(connection, "late", b"[task] # other", secret=SECRET, actor="ann", at=NOW)
                else:
                    register(connection, number, record("first"), actor="ann")
                moving = pool.submit(move, store, number)
                with pytest.raises(TimeoutError):
                    moving.result(BRIEFLY)
                assert move_to(connection, number, step(Level.ASSIST), actor="ann", at=NOW).revision == 1
            assert moving.result(PATIENCE).revision == 2

    def test_no_case_is_recorded_under_a_deployment_that_has_been_replaced(self, store: Store) -> None:
        number = saved(store)
        used: list[tuple[int, int, float]] = []
        moved: list[tuple[int, float]] = []
        done = threading.Event()

        def decide(worker: int) -> None:
            for count in range(10_000):
                with store.writing() as connection:
                    lock_task(connection, number, shared=True)
                    revision = current(connection, number).revision
                    append_cases(connection, number, [bare_case(f"{worker}-{count}", revision=revision)])
                    time.sleep(0.002)
                    used.append((revision, current(connection, number).revision, time.monotonic()))
                if done.wait(0.001):
                    return

        def make_moves() -> None:
            try:
                for _ in range(8):
                    time.sleep(0.01)
                    revision = move(store, number).revision
                    moved.append((revision, time.monotonic()))
            finally:
                done.set()

        together([make_moves, *(partial(decide, worker) for worker in range(3))])
        assert [revision for revision, _ in moved] == list(range(1, 9))
        assert all(at_first == at_last for at_first, at_last, _ in used)
        late = [(old, new) for old, _, open_at in used for new, over_at in moved if old < new and open_at > over_at]
        assert late == []
        with store.reading() as connection:
            recorded = connection.execute(sa.select(cases.c.revision)).scalars()
            assert sorted(recorded) == sorted(revision for revision, _, _ in used)

    # Cases

    @pytest.mark.parametrize("case", [FULL_CASE, bare_case("bare")], ids=["full", "bare"])
    def test_a_case_reads_back_as_it_was_recorded(self, store: Store, case: NewCase) -> None:
        number = saved(store)
        with store.writing() as connection:
            append_cases(connection, number, [bare_case("another"), case])
        with store.reading() as connection:
            found = find_case(connection, number, case.id)
            assert found is not None
            told = set(CaseRecord.__struct_fields__) - {"seq", "prediction"}
            assert {name: getattr(found, name) for name in told} == {name: getattr(case, name) for name in told}
            answering = [guess.prediction for guess in case.predictions if guess.version == case.version]
            assert found.prediction == next(iter(answering), None)
            assert get_case(connection, number, found.seq) == found
            of_case = predictions.c.seq == found.seq
            guesses = connection.execute(sa.select(predictions).where(of_case).order_by(predictions.c.version))
            columns = [msgspec.structs.asdict(guess) for guess in case.predictions]
            assert [dict(row._mapping) for row in guesses] == [{"seq": found.seq, **guess} for guess in columns]
            hashes = sa.select(cases.c.subject, cases.c.unit).where(cases.c.seq == found.seq)
            assert tuple(connection.execute(hashes).one()) == (case.subject, case.unit)

    def test_cases_of_a_call_are_numbered_in_its_order(self, store: Store) -> None:
        number = saved(store)
        names = [f"c{i}" for i in range(50, 0, -1)]
        with store.writing() as connection:
            append_cases(connection, number, [bare_case(name) for name in names])
        with store.reading() as connection:
            ordered = connection.execute(sa.select(cases.c.id).order_by(cases.c.seq)).scalars()
            assert list(ordered) == names

    def test_cases_are_found_among_more_ids_than_a_query_may_name(self, store: Store) -> None:
        number, other = saved(store), saved(store, name="other")
        with store.writing() as connection:
            append_cases(connection, number, [bare_case("c3"), bare_case("c1400")])
            append_cases(connection, other, [bare_case("c5")])
        with store.reading() as connection:
            assert set(find_cases(connection, number, (f"c{i % 1500}" for i in range(2000)))) == {"c3", "c1400"}
            assert find_cases(connection, number, []) == {}
            assert find_case(connection, number, "c5") is None

    def test_an_id_that_is_taken_is_refused_and_nothing_of_the_call_stays(self, store: Store) -> None:
        number, other = saved(store), saved(store, name="other")
        with store.writing() as connection:
            append_cases(connection, number, [FULL_CASE])
            append_cases(connection, other, [FULL_CASE])
        before = count_rows(store)
        with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
            append_cases(connection, number, [bare_case("new"), FULL_CASE])
        with pytest.raises(sa.exc.IntegrityError), store.writing() as connection:
            append_cases(connection, number, [bare_case("twice"), bare_case("twice")])
        assert count_rows(store) == before

    def test_only_cases_that_a_person_must_see_wait_and_they_leave_when_they_are_done(self, store: Store) -> None:
        number = saved(store)
        with store.writing() as connection:
            append_cases(connection, number, [bare_case("a"), FULL_CASE])
        with store.writing() as connection:
            waiting = connection.execute(sa.select(queue)).one()
            assert dict(waiting._mapping) == {
                "case_seq": waiting.case_seq,
                "task": number,
                "kind": "decide",
                "priority": DECIDE_PRIORITY,
                "due_at": FULL_CASE.due_at,
                "wanted": 2,
                "given": 0,
            }
            assert get_case(connection, number, waiting.case_seq).id == FULL_CASE.id
            leave_queue(connection, waiting.case_seq)
        assert count_rows(store)["queue"] == 0

    def test_reviews_are_read_with_their_case_in_their_order_and_wake_the_steward(self, store: Store) -> None:
        number = saved(store)
        with store.writing() as connection:
            append_cases(connection, number, [FULL_CASE, bare_case("a")])
            seq = connection.execute(sa.select(cases.c.seq).where(cases.c.id == FULL_CASE.id)).scalar_one()
            plain = {"case_seq": seq, "user": "ann", "kind": "decide", "blind": True, "at": NOW}
            told = {"value": "yes – ✓", "shown_version": "v1", "note": "line\nline", "opened_at": NOW - 1}
            first = append_review(connection, number, {**plain, **told, "action": "decide"})
            second = append_review(connection, number, {**plain, "action": "undo", "supersedes": first})
        with store.reading() as connection:
            case = get_case(connection, number, seq)
            assert find_cases(connection, number, [FULL_CASE.id, "a"])[FULL_CASE.id] == case
            given, undone = (msgspec.structs.asdict(review) for review in case.reviews)
            nothing = dict.fromkeys(told)
            assert given == {**plain, **told, "seq": first, "action": "decide", "supersedes": None}
            assert undone == {**plain, **nothing, "seq": second, "action": "undo", "supersedes": first}
            woken = connection.execute(sa.select(inbox.c.kind, inbox.c.seq, inbox.c.task).order_by(inbox.c.seq))
            assert [tuple(row) for row in woken] == [("review", first, number), ("review", second, number)]

    def test_inputs_that_were_erased_leave_the_case(self, store: Store) -> None:
        number = saved(store)
        with store.writing() as connection:
            append_cases(connection, number, [FULL_CASE])
            connection.execute(inputs.update().values(salt=None, body=None, erased_at=NOW))
        with store.reading() as connection:
            case = find_case(connection, number, FULL_CASE.id)
            assert case is not None
            assert (case.salt, case.body, case.digest) == (None, None, FULL_CASE.digest)

    # The event log

    @pytest.mark.parametrize(
        ("damage", "broken"),
        [
            (events.update().where(events.c.seq == 2).values(actor="eve"), 2),
            (events.update().where(events.c.seq == 3).values(body=b"{}"), 3),
            (events.delete().where(events.c.seq == 2), 2),
            (events.delete().where(events.c.seq == 4), 4),
        ],
        ids=["another actor", "another body", "a line less", "the last line less"],
    )
    def test_an_edited_or_missing_line_shows(self, store: Store, damage: sa.Executable, broken: int) -> None:
        number = saved(store)
        with store.writing() as connection:
            for at in range(3):
                append_event(connection, number, at=at, actor="ann", kind="noted", body={"n": at})
            assert first_broken_event(connection, number) is None
            connection.execute(damage)
        with store.reading() as connection:
            assert first_broken_event(connection, number) == broken

    def test_those_who_write_to_a_log_at_once_make_one_chain(self, url: str, store: Store) -> None:
        number = saved(store)
        other = open_store(url)

        def note(writer: Store) -> None:
            for n in range(5):
                with writer.writing() as connection:
                    append_event(connection, number, at=NOW, actor="ann", kind="noted", body={"n": n})

        together([partial(note, writer) for writer in (store, other) * 2])
        with other.reading() as connection:
            assert [event.seq for event in read_events(connection, number)] == list(range(1, 22))
            assert first_broken_event(connection, number) is None
        other.close()

    # Webhooks

    def test_a_new_webhook_begins_where_the_logs_end_and_keeps_its_marks(self, url: str, store: Store) -> None:
        number = saved(store)
        with store.writing() as connection:
            open_webhook(connection, "early", at=NOW)
            append_cases(connection, number, [bare_case("a"), bare_case("b")])
            append_review(connection, number, SKIPPED)
            state = open_webhook(connection, "late", at=NOW + 1)
            ends = read_ends(connection)
            assert (ends.cases, ends.reviews, ends.events) == (2, 1, {number: 1})
            begun = {(number, "events"): 1, (number, "cases"): 0, (number, "reviews"): 0}
            assert read_marks(connection, "early") == begun
            assert read_marks(connection, "late") == {(number, each): ends.of(number, each) for each in SOURCES}
            keep_marks(connection, "early", {(number, "cases"): 1})
        assert state == WebhookState(name="late", since=NOW + 1)
        other = open_store(url)
        with other.writing() as connection:
            assert open_webhook(connection, "late", at=NOW + 9) == state
            marks = read_marks(connection, "early")
            assert marks[number, "cases"] == 1
            assert count_behind(connection, number, marks, "cases", kinds=()) == 1
            assert count_behind(connection, number, {}, "events", kinds=("task.",)) == 1
            assert count_behind(connection, number, {}, "events", kinds=("moved.",)) == 0
            found = [row.place.seq for row in rows_after(connection, number, "cases", 0, 2, most=9)]
            assert found == [1, 2]
            assert [row.case_seq for row in rows_after(connection, number, "reviews", 0, 1, most=9)] == [1]
        other.close()

    def test_messages_that_were_not_taken_are_kept_given_up_and_revived(self, store: Store) -> None:
        number = saved(store)
        places = [Place(task=number, source="cases", seq=seq) for seq in (1, 2)]
        letter = Letter(place=places[0], attempts=1, first_at=NOW, next_at=NOW + 5, dead_at=None, error="500")
        dead = Letter(place=places[1], attempts=9, first_at=NOW + 1, next_at=NOW, dead_at=NOW + 7, error="400")
        with store.writing() as connection:
            open_webhook(connection, "crm", at=NOW)
            keep_letter(connection, "crm", replace(letter, attempts=0))
            keep_letter(connection, "crm", letter)
            keep_letter(connection, "crm", dead)
            note_error(connection, "crm", "it answered 410", at=NOW, gone=True)
        with store.writing() as connection:
            assert read_letters(connection, "crm") == [letter, dead]
            assert read_letters(connection, "crm", dead=True) == [dead]
            assert read_states(connection)["crm"].disabled_at == NOW
            assert revive(connection, "crm", at=NOW + 8) == 2
            alive = read_letters(connection, "crm", dead=False)
            assert [(each.attempts, each.next_at) for each in alive] == [(1, NOW + 8), (0, NOW + 8)]
            assert read_states(connection)["crm"].disabled_at is None
            for place in places:
                drop_letter(connection, "crm", place)
            note_sent(connection, "crm", 2, at=NOW + 9)
            assert read_letters(connection, "crm") == []
            state = read_states(connection)["crm"]
        assert (state.sent, state.sent_at, state.error) == (2, NOW + 9, "")

    def test_rows_under_way_are_waited_for_before_later_ones_are_told(self, url: str, store: Store) -> None:
        """Where numbers are given out before commits, a later one may be seen first: it must not be the end."""
        number, seen = saved(store), threading.Event()
        other = open_store(url)

        def slowly() -> None:
            with other.writing() as connection:
                lock_task(connection, number, shared=True)
                append_cases(connection, number, [bare_case("slow")])
                seen.set()
                time.sleep(BRIEFLY)

        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(slowly)
            assert seen.wait(PATIENCE)
            with store.writing() as connection:
                lock_task(connection, number, shared=True)
                append_cases(connection, number, [bare_case("fast")])
            with store.reading() as connection:
                ends = read_ends(connection)
            wait_for_rows(store, number)
            with store.reading() as connection:
                found = rows_after(connection, number, "cases", 0, ends.cases, most=9)
            assert [row.place.seq for row in found] == [1, 2]
            slow.result(PATIENCE)
        other.close()

    def test_a_lease_that_is_let_go_is_free_at_once(self, store: Store) -> None:
        with store.writing() as connection:
            first = take_lease(connection, "webhook crm", "a", seconds=60)
            assert first is not None
            assert take_lease(connection, "webhook crm", "b", seconds=60) is None
            release_lease(connection, "webhook crm", "b", first)
            assert take_lease(connection, "webhook crm", "b", seconds=60) is None
            release_lease(connection, "webhook crm", "a", first)
            assert take_lease(connection, "webhook crm", "b", seconds=60) == first + 1
