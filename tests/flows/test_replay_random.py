"""Whatever happens, and in whatever order: the ledger, folded from nothing, gives the evidence that is kept."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

import understudy
from conftest import claims
from flows.desk import Hands, ask, desk, other
from understudy.autonomy.traffic import may_answer
from understudy.core.errors import ConflictError, UnderstudyError
from understudy.core.nouns import Level
from understudy.flows.champion import FOLDED
from understudy.flows.erase import erase
from understudy.flows.head import Head, Library, load_head
from understudy.flows.learn import approve, learn, replay, replay_rivals
from understudy.flows.moves import apply_task, roll_back, set_level, set_paused
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.review import decide_outside, give_review, next_review, skip_review, undo_review
from understudy.flows.today import TODAY
from understudy.flows.traffic import TALLY, replay_tally
from understudy.flows.workspace import Workspace, open_workspace
from understudy.models.search import Budget
from understudy.store.schema import losses, states, tasks

TABLE = claims(1500, seed=41)
ROWS = TABLE.drop("pay", "paid_amount")
TRUE = TABLE["pay"].to_list()
NAMES = [f"c{number}" for number in range(TABLE.height)]
START, HOUR = 1_700_000_000_000_000, 3_600_000_000
USERS = ("ann", "bob", "cid")
SETTLED_FAST = ('mature_after = "30d"', 'mature_after = "5d"')
WORLDS: dict[str, tuple[tuple[str, str], ...]] = {
    "outcomes": (SETTLED_FAST,),
    "hidden outcomes": (SETTLED_FAST, ("hides_outcome = []", 'hides_outcome = ["no"]'), ("wanted = 1", "wanted = 2")),
    "blind reviews": (
        SETTLED_FAST,
        ('source = "outcome"', 'source = "blind_review"'),
        ("wanted = 1", "wanted = 2"),
        ("# audit_rate = 0.05", "audit_rate = 0.4"),
    ),
    "prices and silence": (
        SETTLED_FAST,
        ("mistakes = {}", 'mistakes = { "yes -> no" = 40.0, "no -> yes" = 10.0 }'),
        ('# silence = "no"', 'silence = "no"'),
        ('dissent = "record"', 'dissent = "correct"'),
    ),
}


@pytest.fixture(scope="module")
def arena(ran, tmp_path_factory) -> Path:
    """A workspace with a champion, and a challenger that has learned from half of the rows."""
    place = tmp_path_factory.mktemp("arena")
    library = desk(ran[0], place)
    ask(load_head(library, "claims"), ["first"])
    give_outcomes(load_head(library, "claims"), "shop", [Outcome(id="first", outcome="yes")])
    learn(library, "claims")
    claims()[::2].write_csv(place / "half.csv")
    understudy.run(place / "half.csv", name="claims", workspace=place / "work", budget=Budget(trials=1))
    return place / "work"


def opened(arena: Path, place: Path, *edits: tuple[str, str]) -> Library:
    """The workspace once more, with the same draws each time, its task file edited, its clock in our hands."""
    shutil.copytree(arena, place)
    found = open_workspace(place)
    work = Workspace(found.root, found.settings, found.store, found.artifacts, found.engine, Hands(START))
    with work.store.writing() as connection:
        connection.execute(tasks.update().values(secret=b"k" * 32))
    library = Library(work)
    edit(library, *edits)
    return library


def edit(library: Library, *edits: tuple[str, str]) -> None:
    """Change the task file, and apply it."""
    file = library.work.task_file("claims")
    text = file.read_text()
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    file.write_text(text)
    apply_task(library.work, "claims", actor="ann")


class Life:
    """What may happen to a task, drawn at random; what the task forbids at the moment does not happen."""

    def __init__(self, library: Library, seed: int) -> None:
        self.library, self.random, self.came, self.done = library, random.Random(seed), 0, dict[str, int]()

    @property
    def head(self) -> Head:
        return load_head(self.library, "claims")

    def happen(self, name: str) -> None:
        """One thing happens, unless it cannot."""
        try:
            getattr(self, name)()
        except UnderstudyError:
            return
        self.done[name] = self.done.get(name, 0) + 1

    def cases(self) -> None:
        count = self.random.choice((3, 20, 45))
        if self.came + count > len(NAMES):
            return
        ask(self.head, NAMES[self.came : self.came + count], ROWS[self.came : self.came + count])
        self.came += count

    def outcomes(self) -> None:
        """Of any cases, new and old, known and not yet known: right, or wrong; said again, corrected, or set back."""
        last = min(self.came + 5, len(NAMES))
        first = self.random.choice((0, max(0, last - 60)))
        chosen = self.random.sample(range(first, last), k=self.random.randint(0, last - first))
        given = []
        for place in chosen:
            answer = TRUE[place] if self.random.random() < 0.8 else other(TRUE[place])
            moment = START + self.random.randint(0, 400) * HOUR
            observed = datetime.fromtimestamp(moment / 1e6, UTC) if self.random.random() < 0.5 else None
            answer = "perhaps" if self.random.random() < 0.02 else answer
            given.append(Outcome(id=NAMES[place], outcome=answer, observed_at=observed))
        give_outcomes(self.head, "shop", given)

    def reviews(self) -> None:
        for _ in range(self.random.randint(1, 25)):
            user = self.random.choice(USERS)
            task = next_review(self.head, user)
            if task is None:
                return
            if task.id not in NAMES or self.random.random() < 0.1:
                skip_review(self.head, user, task.id)
                continue
            right = TRUE[int(task.id[1:])]
            give_review(self.head, user, task.id, right if self.random.random() < 0.85 else other(right))

    def undo(self) -> None:
        for _ in range(self.random.randint(1, 3)):
            undo_review(self.head, self.random.choice(USERS))

    def told(self) -> None:
        """The caller's own people or rules decide."""
        place = self.random.randrange(max(self.came, 1))
        by = self.random.choice(("person", "rule"))
        decide_outside(self.head, "clerk", NAMES[place], self.random.choice(("yes", "no")), by)

    def time(self) -> None:
        self.library.work.clock.at += self.random.choice((1, 30, 200)) * HOUR

    def level(self) -> None:
        level = self.random.choice((Level.HUMAN, Level.SHADOW, Level.ASSIST, Level.PARTIAL, Level.PARTIAL))
        least = {"yes": self.random.choice((0.0, 0.8)), "no": 0.0} if level is Level.PARTIAL else None
        set_level(self.library.work, "claims", level, actor="ann", why="A trial.", thresholds=least, overriding=True)

    def pause(self) -> None:
        set_paused(self.library.work, "claims", self.random.random() < 0.3, actor="ann", why="A trial.")

    def approve(self) -> None:
        approve(self.library.work, "claims", actor="ann")

    def back(self) -> None:
        """An earlier champion comes back, in an epoch of its own."""
        roll_back(self.library.work, "claims", actor="ann", why="A trial.")

    def epoch(self) -> None:
        """The owner thinks better of what is promised, which opens an epoch."""
        text = self.library.work.task_file("claims").read_text()
        old = "max_error = 0.05" if "max_error = 0.05" in text else "max_error = 0.1"
        edit(self.library, (old, "max_error = 0.1" if old == "max_error = 0.05" else "max_error = 0.05"))

    def traffic(self) -> None:
        text = self.library.work.task_file("claims").read_text()
        old = next(mode for mode in MODES if f'mode = "{mode}"' in text)
        edit(self.library, (f'mode = "{old}"', f'mode = "{self.random.choice(MODES)}"'))

    def erase(self) -> None:
        if self.came:
            erase(self.library.work, "claims", ids=[NAMES[self.random.randrange(self.came)]])

    def restart(self) -> None:
        """Another process takes over: it knows what is in the store, and nothing else."""
        found, clock = open_workspace(self.library.work.root), self.library.work.clock
        work = Workspace(found.root, found.settings, found.store, found.artifacts, found.engine, clock)
        self.library = Library(work)

    def learn(self) -> None:
        learn(self.library, "claims")


MODES = ("champion", "split", "bandit")
OFTEN = ("cases", "cases", "outcomes", "outcomes", "outcomes", "reviews", "reviews", "time", "time", "told", "undo")
SELDOM = ("level", "level", "pause", "approve", "back", "epoch", "traffic", "erase", "restart")


def evidence(library: Library) -> tuple[object, object]:
    """Everything that is folded for a task, as it is kept, and from nothing."""
    head = load_head(library, "claims")
    try:
        found = {"champion": replay(library, "claims"), **replay_rivals(library, "claims")}
    except ConflictError:  # an epoch in which nothing is settled yet
        return {}, {}
    versions = may_answer(head.deployed, {})
    with library.work.store.reading() as connection:
        tally = replay_tally(connection, head, head.deployed, versions) if len(versions) > 1 else None
    found |= {} if tally is None else {"tally": tally}
    return {name: kept for name, (kept, _) in found.items()}, {name: anew for name, (_, anew) in found.items()}


def ledger(library: Library) -> list[tuple[object, ...]]:
    """What holds of each place."""
    query = sa.select(losses).order_by(losses.c.n)
    with library.work.store.reading() as connection:
        rows = [row._mapping for row in connection.execute(query)]
    places = {row["place"]: row for row in rows}
    written = ("n", "place", "at")  # corrections have numbers too; places keep the order
    return [tuple(value for name, value in places[place].items() if name not in written) for place in sorted(places)]


@pytest.mark.parametrize(("world", "seed"), [(world, seed) for seed, world in enumerate(WORLDS, 1)])
def test_what_is_kept_is_what_the_ledger_gives_from_nothing(arena, tmp_path, world: str, seed: int) -> None:
    life = Life(opened(arena, tmp_path / "work", *WORLDS[world], ("adverse = false", "adverse = true")), seed)
    life.learn()
    for _ in range(14):
        life.happen("cases")
        for _ in range(life.random.randint(1, 6)):
            life.happen(life.random.choice(OFTEN))
        if life.random.random() < 0.5:
            life.happen(life.random.choice(SELDOM))
        life.learn()
        kept, anew = evidence(life.library)
        assert kept == anew
    assert life.came > 100
    assert {"cases", "outcomes", "reviews", "time"} <= life.done.keys()
    assert evidence(forgetful(life.library)) == (kept, kept)


def forgetful(library: Library) -> Library:
    """The task after all that was folded has been lost, and folded once more."""
    with library.work.store.writing() as connection:
        lost = connection.execute(states.delete().where(states.c.name.in_((FOLDED, TODAY, TALLY))))
        assert lost.rowcount
    learn(library, "claims")
    return library


def one_life(library: Library, seed: int, passes: Callable[[random.Random], bool]) -> Life:
    """A life at one level: things happen in the same order, whenever the steward looks."""
    life, looks = Life(library, seed), random.Random(seed + 1)
    life.learn()
    for step in range(24):
        thing = "cases" if step % 4 == 0 else life.random.choice(OFTEN)
        life.happen(thing)
        if passes(looks):
            life.learn()
        if thing == "reviews":
            life.happen("undo")  # at once, while it may be; by then it may have been settled
    life.library.work.clock.at += 10_000 * HOUR  # whatever is still to come is overdue
    life.learn()
    return life


@pytest.mark.parametrize(("world", "seed"), [("outcomes", 5), ("blind reviews", 8)])
def test_however_often_the_steward_looks_the_evidence_ends_at_the_same_bits(
    arena, tmp_path, world: str, seed: int
) -> None:
    lives = []
    for place, passes in enumerate((lambda _: True, lambda _: False, lambda looks: looks.random() < 0.3)):
        library = opened(arena, tmp_path / f"{place}", *WORLDS[world])
        lives.append(one_life(library, seed, passes))
    first, *others = (evidence(life.library) for life in lives)
    assert first[0] == first[1]
    assert all(found == first for found in others)
    assert all(ledger(life.library) == ledger(lives[0].library) for life in lives[1:])
    assert first[0]["champion"].champion.settled > 60


def test_a_bit_that_was_changed_in_what_is_kept_is_seen(arena, tmp_path) -> None:
    life = one_life(opened(arena, tmp_path / "work", SETTLED_FAST), 7, lambda _: False)
    with life.library.work.store.writing() as connection:
        query = sa.select(states.c.n, states.c.version, states.c.body).where(states.c.name == FOLDED)
        for row in connection.execute(query).all():
            body = row.body.replace(b'"errors":', b'"errors":1')
            mine = (states.c.n == row.n, states.c.version == row.version, states.c.name == FOLDED)
            connection.execute(states.update().where(*mine).values(body=body))
    kept, anew = evidence(life.library)
    assert kept != anew
