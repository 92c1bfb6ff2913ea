"""The error budget belongs to the task: what opens an account of it, what does not, and what the ledger makes of it."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from conftest import claims
from flows.desk import Hands, ask, desk, other, said, tell, to_level
from understudy.autonomy.promise import epoch_share
from understudy.core.nouns import Level, Move
from understudy.core.task import duration
from understudy.flows.accounts import OPENED, read_accounts, replay_budget
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn, replay
from understudy.flows.moves import apply_task, set_level
from understudy.store.events import read_events
from understudy.store.registry import current, move_to

EVERY = {"yes": 0.0, "no": 0.0}
CASES = claims(600, seed=9).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(CASES.height)]
NEW_YEAR = int(datetime(2028, 1, 1, tzinfo=UTC).timestamp() * 1e6)
DECEMBER = NEW_YEAR - duration("5d")
STRICT = ("tolerated_excess = 0.1", "tolerated_excess = 0.001")


class Shop:
    """A task whose machine decides everything, and whose clients say how that went."""

    def __init__(self, library: Library) -> None:
        self.library, self.came = library, 0

    def come(self, count: int) -> list[str]:
        names = NAMES[self.came : self.came + count]
        ask(load_head(self.library, "claims"), names, CASES[self.came : self.came + count])
        self.came += count
        return names

    def hear(self, names: list[str], wrong: int = 0) -> None:
        """The first few were wrong."""
        answers = said(self.library, names)
        tell(self.library, names, [*map(other, answers[:wrong]), *answers[wrong:]])

    def live(self, count: int, wrong: int = 0) -> None:
        self.hear(self.come(count), wrong)
        self.learned = learn(self.library, "claims")

    @property
    def accounts(self):
        with self.library.work.store.reading() as connection:
            return read_accounts(connection, 1)

    @property
    def level(self) -> Level:
        return load_head(self.library, "claims").deployed.level

    def cases(self) -> list[int]:
        """Automated cases by account; what is kept equals what the ledger gives anew."""
        with self.library.work.store.reading() as connection:
            kept, anew = replay_budget(connection, 1)
        assert kept == anew
        return [state.cases for state in kept]


@pytest.fixture
def shop(ran, tmp_path) -> Shop:
    return Shop(desk(ran[0], tmp_path, STRICT, clock=Hands(DECEMBER)))


def test_there_is_no_account_before_the_machine_decides(shop: Shop) -> None:
    shop.live(20)
    assert (shop.accounts, shop.learned.standing.budget) == ((), None)
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(20)
    (account,) = shop.accounts
    assert (account.year, account.number, account.first, account.why) == (2027, 1, 0, "first")
    assert shop.learned.standing.budget.errors.n == 20
    with shop.library.work.store.reading() as connection:
        told = [event for event in read_events(connection, 1) if event.kind == OPENED]
    assert [(one.body["number"], one.body["reason"]) for one in told] == [
        (1, "The machine begins to decide by itself.")
    ]


def test_a_promotion_a_threshold_and_a_step_up_change_nothing_of_it(shop: Shop) -> None:
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(40, wrong=3)
    used = shop.learned.standing.budget.share
    to_level(shop.library, Level.PARTIAL, {"yes": 0.0, "no": 0.001})  # another epoch, another threshold
    shop.live(20)
    with shop.library.work.store.writing() as connection:
        deployed = current(connection, 1)
        move = Move(kind="promote", to=replace(deployed, epoch=deployed.epoch + 1), reasons=("Another champion.",))
        move_to(connection, 1, move, actor="test", at=DECEMBER)
    shop.live(20)
    set_level(shop.library.work, "claims", Level.ASSIST, actor="ann")
    shop.live(20)
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(20)
    assert len(shop.accounts) == 1
    assert shop.cases() == [100]
    budget = shop.learned.standing.budget
    assert (budget.errors.lower, budget.errors.upper) == (3, 3)
    assert budget.share == used  # its worst stretch was the first one


def test_a_year_opens_another_and_cases_under_way_stay_with_the_one_before(shop: Shop) -> None:
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(40, wrong=3)
    under_way = shop.come(10)
    shop.library.work.clock.at = NEW_YEAR
    fresh = learn(shop.library, "claims").standing.budget
    assert (fresh.errors.n, fresh.errors.upper) == (0, 0)
    later = shop.come(10)
    shop.hear(later)
    shop.hear(under_way)
    learn(shop.library, "claims")
    assert shop.cases() == [50, 10]
    assert [(account.year, account.number, account.why) for account in shop.accounts] == [
        (2027, 1, "first"),
        (2028, 1, "year"),
    ]


def test_a_spent_account_steps_down_once_and_the_next_has_less_of_delta(shop: Shop) -> None:
    to_level(shop.library, Level.PARTIAL, EVERY)
    under_way = shop.come(5)
    wrong = shop.come(60)
    shop.hear(under_way[:4])
    shop.hear(wrong, wrong=60)
    assert learn(shop.library, "claims").made is None  # the fifth case holds up what came after it
    shop.hear(under_way[4:])
    made = learn(shop.library, "claims").made
    assert (made.kind, shop.level) == ("step_down", Level.ASSIST)
    assert made.reasons[0].startswith("The error budget is spent")
    first, second = shop.accounts
    assert (second.number, second.why, second.answered, second.first) == (2, "spent", (0,), 66)
    assert second.plan.delta / first.plan.delta == pytest.approx(epoch_share(2) / epoch_share(1))
    assert learn(shop.library, "claims").made is None
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(30)
    assert (shop.learned.made, shop.level) == (None, Level.PARTIAL)
    assert shop.cases() == [65, 30]


def test_december_s_errors_that_are_known_in_january_stop_it_too(shop: Shop) -> None:
    to_level(shop.library, Level.PARTIAL, EVERY)
    december = shop.come(60)
    learn(shop.library, "claims")
    shop.library.work.clock.at = NEW_YEAR
    learn(shop.library, "claims")
    shop.hear(december, wrong=60)
    made = learn(shop.library, "claims").made
    assert (made.kind, shop.level) == ("step_down", Level.ASSIST)
    assert [(account.year, account.number, account.why) for account in shop.accounts] == [
        (2027, 1, "first"),
        (2028, 1, "year"),
        (2028, 2, "spent"),
    ]
    assert shop.cases() == [60, 0, 0]


def test_corrections_fold_again_to_the_same_bits(shop: Shop) -> None:
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(40, wrong=3)
    shop.hear(NAMES[:3])  # it was right after all
    assert learn(shop.library, "claims").standing.budget.errors.upper == 0
    assert shop.cases() == [40]


def test_many_passes_and_one_come_to_the_same(ran, tmp_path) -> None:
    often, once = (Shop(desk(ran[0], tmp_path / name, STRICT, clock=Hands(DECEMBER))) for name in ("often", "once"))
    for shop in (often, once):
        to_level(shop.library, Level.PARTIAL, EVERY)
        learn(shop.library, "claims")
    for _ in range(6):
        often.live(15, wrong=1)
        once.hear(once.come(15), wrong=1)
    learn(once.library, "claims")
    assert replay(often.library, "claims")[0].budget == replay(once.library, "claims")[0].budget


def test_another_promise_is_another_account_from_its_first_case_on(shop: Shop) -> None:
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(20)
    file = shop.library.work.task_file("claims")
    file.write_text(file.read_text().replace("max_error = 0.05", "max_error = 0.1"))
    apply_task(shop.library.work, "claims", actor="ann")
    assert shop.level is Level.ASSIST
    to_level(shop.library, Level.PARTIAL, EVERY)
    shop.live(20)  # before the first pass that knows of it
    assert [account.why for account in shop.accounts] == ["first", "promise"]
    assert [account.plan.max_error for account in shop.accounts] == [0.05, 0.1]
    assert shop.cases() == [20, 20]
