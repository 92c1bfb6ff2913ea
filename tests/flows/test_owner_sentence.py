"""Every number in the sentence that the owner reads, recomputed from the store's tables by plain SQL."""

import json
import re
import sqlite3
import tomllib
from math import expm1, floor, log, log1p

import pytest

from conftest import claims
from flows.desk import Hands, ask, desk, other, said, tell, to_level
from understudy.core.nouns import Decider, Level
from understudy.flows.head import Library, load_head
from understudy.flows.learn import approve, learn
from understudy.flows.moves import set_level, set_paused
from understudy.flows.review import give_review
from understudy.flows.status import task_status
from understudy.store.counts import DAY

CASES = claims(3000, seed=41).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(CASES.height)]
BLIND = ('source = "outcome"', 'source = "blind_review"')
OWNED = ('# owner = "head of claims"', 'owner = "A. Rossi"')
EXPIRES = ('# expires = "2027-12-31"', 'expires = "2023-12-31"')
AUDITED = ("# audit_rate = 0.05", "audit_rate = 0.5")
HALF = {"yes": 0.8, "no": 0.9}


class Shop:
    """A task whose cases come a day at a time."""

    def __init__(self, library: Library) -> None:
        self.library, self.came = library, 0

    def come(self, count: int) -> list[str]:
        names = NAMES[self.came : self.came + count]
        found = ask(load_head(self.library, "claims"), names, CASES[self.came : self.came + count])
        self.came += count
        self.library.work.clock.at += DAY
        return [answer.id for answer in found if answer.decided_by is Decider.MODEL]

    def hear(self, names: list[str], every: int = 10**9) -> None:
        """One in so many was wrong."""
        answers = said(self.library, names)
        tell(self.library, names, [other(one) if place % every == 0 else one for place, one in enumerate(answers, 1)])

    def review(self, every: int) -> None:
        """People look at all that waits for them; to one in so many they would answer otherwise."""
        waiting = [name for (name,) in self.sql("select id from queue join cases on seq = case_seq order by seq")]
        head = load_head(self.library, "claims")
        for place, (name, answer) in enumerate(zip(waiting, said(self.library, waiting), strict=True), 1):
            give_review(head, "bob", name, other(answer) if place % every == 0 else answer)

    def learn(self):
        return learn(self.library, "claims")

    def lines(self) -> tuple[str, ...]:
        return task_status(self.library.work, "claims").sentence

    def sql(self, query: str) -> list[tuple]:
        with sqlite3.connect(self.library.work.root / ".understudy" / "store.db") as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def make(ran, tmp_path):
    return lambda *edits: Shop(desk(ran[0], tmp_path, *edits, clock=Hands()))


def numbers(text: str) -> list[float]:
    return [float(found.replace(",", "")) for found in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


HELD = """
    select n, place, case_seq, loss, propensity from losses as one
    where automated and not exists (select 1 from losses as two where two.place = one.place and two.n > one.n)
    order by place
"""


def account(shop: Shop) -> tuple[float, float]:
    """What the first account allows and what its errors may be, from the event that opened it and the ledger alone."""
    ((body,),) = shop.sql("select body from events where kind = 'budget.opened'")
    plan = json.loads(body)["plan"]
    theta = 0.2 * plan["pi_min"]
    rows = shop.sql(HELD)
    charged = sum(-log1p(expm1(-theta) / chance) * loss for *_, loss, chance in rows if loss is not None)
    seen = sum(loss for *_, loss, _ in rows if loss is not None)
    unseen = sum(loss is None for *_, loss, _ in rows)
    bound = min((charged - log(plan["delta"])) / theta, seen + unseen)
    return plan["max_error"] * len(rows) + plan["limit"], bound


def above(number: float) -> int:
    """The whole number that is not below."""
    return floor(number) if abs(number - floor(number)) < 1e-9 else floor(number) + 1


@pytest.mark.parametrize("blind", [False, True])
def test_every_number_is_what_plain_sql_says(make, blind: bool) -> None:
    shop = make(OWNED, AUDITED, *([BLIND] if blind else []))
    shop.come(200)  # before the step, people decide
    to_level(shop.library, Level.PARTIAL, HALF)
    names = [name for _ in range(6) for name in shop.come(100)]
    if blind:
        shop.review(every=20)
    else:
        shop.hear(NAMES[:800], every=20)
    assert len(names) > 150
    late = shop.come(40)
    shop.learn()
    coverage, proof, promise, bound, responsible = shop.lines()

    since = shop.library.work.clock.at - 30 * DAY
    step = shop.sql("select max(revision) from deployments where level = 'partial'")[0][0]
    own = f"from cases where revision >= {step} and received_at > {since}"
    total, alone = shop.sql(f"select count(*), sum(decided_by = 'model') {own}")[0]
    assert numbers(coverage)[:3] == [round(100 * alone / total), alone, total]
    first = shop.sql(f"select date(min(received_at) / 1000000, 'unixepoch') {own}")[0][0]
    assert coverage.endswith(f"since {first}.")
    assert proof == (
        "Nothing proves that it is good enough: it decides by the word of ann on 2023-11-15 "
        "(“A trial on the tests' own claims.”)."
    )
    allowed, upper = account(shop)
    assert numbers(promise) == [above(allowed)]
    settled = shop.sql("select body from states where name = 'settled'")[0][0]
    last = json.loads(settled)["seq"]
    unsettled = shop.sql(f"select count(*) from cases where seq > {last} and decided_by = 'model'")[0][0]
    assert numbers(bound) == [above(upper), unsettled]
    assert 0 < unsettled <= len(late)  # the first ones may need no look
    assert responsible == "Responsible: A. Rossi. Stop it with: understudy pause --task claims"


def test_what_is_proven_is_promised_and_certified_by_the_ledger_alone(make) -> None:
    """The e-process of each threshold that is deployed, computed once more from the rows of the ledger."""
    shop = make(OWNED, ("max_error = 0.05", "max_error = 0.2"))
    for _ in range(20):
        shop.come(100)
        shop.hear(NAMES[shop.came - 100 : shop.came])
        learned = shop.learn()
        if learned.proposed is not None and learned.proposed.to.level is Level.PARTIAL:
            break
    waiting = shop.lines()
    assert waiting[0] == "It watches and decides nothing: people decide every case."
    assert waiting[1].startswith("It is proven good enough to decide ")
    assert waiting[1].endswith("; that waits for a confirmation.")
    deployed = approve(shop.library.work, "claims", actor="ann")
    assert shop.lines()[0].startswith("It may decide by itself; no case has come since 20")
    shop.come(50)
    learn(shop.library, "claims")
    lines = shop.lines()
    assert lines[1].startswith(
        "Of 100 that it decides, at most 20 are wrong, against the outcome, with 95 % confidence, look as often as you "
        "like, as long as cases stay as they were; and whatever the world does, the errors that it has made this year "
        "stay under "
    )
    held = tomllib.loads(shop.sql("select body from task_revisions order by revision desc")[0][0].decode())["autonomy"]
    promised = [100, 100 * held["max_error"], 100 * held["confidence"]]
    assert numbers(lines[1]) == [*promised, above(account(shop)[0])]
    plans = json.loads(shop.sql(f"select body from states where name = 'plans' and epoch = {deployed.epoch}")[0][0])[
        "gate"
    ]
    assert plans["max_error"] == 0.2
    for answer, low in deployed.thresholds.items():
        rows = shop.sql(
            "select loss from losses as one where eligible and loss is not null and n = "
            "(select max(n) from losses as two where two.place = one.place) "
            f"and version = '{deployed.champion}' and epoch = {deployed.epoch} and side = '{answer}' "
            f"and confidence >= {low} order by place"
        )
        losses = [loss for (loss,) in rows]
        assert sum(losses) / len(losses) < 0.2
        bets, risk = plans["bets"], plans["max_error"]
        goal = log(len(plans["sides"]) / plans["delta"])
        best = max(sum(log1p(bet * (risk - loss) / (1 - risk)) for loss in losses) for bet in bets)
        assert best > goal - 6  # history may bring up to ln κ = goal/2, the mixture of bets takes a little


def test_an_override_says_whose_word_it_is_and_promises_nothing_but_the_budget(make) -> None:
    shop = make()
    to_level(shop.library, Level.PARTIAL, HALF)
    shop.come(50)
    lines = shop.lines()  # before the first pass
    assert lines[0].startswith("It may decide ")
    assert lines[1].startswith("Nothing proves that it is good enough: it decides by the word of ann on 2023-11-14")
    assert len(lines) == 3
    shop.learn()
    assert shop.lines()[2].startswith("Whatever the world does, the errors that it has made this year stay under ")


def test_full_says_what_is_left_out(make) -> None:
    shop = make(('max_level = "partial"', 'max_level = "full"'))
    to_level(shop.library, Level.FULL)
    shop.come(60)
    assert "by itself, all but what is strange or outside its mandate: " in shop.lines()[0]


def test_without_a_model_and_at_human_shadow_and_assist(make) -> None:
    shop = make(OWNED)
    assert shop.lines()[:2] == (
        "It watches and decides nothing: people decide every case.",
        "Nothing is proven yet that it could decide by itself.",
    )
    assert shop.lines()[-1] == "Responsible: A. Rossi."
    to_level(shop.library, Level.ASSIST)
    assert shop.lines()[0] == "It suggests and decides nothing: people decide every case."
    set_level(shop.library.work, "claims", Level.HUMAN, actor="ann")
    assert shop.lines() == ("It does nothing: people decide every case.", "Responsible: A. Rossi.")


def test_after_a_step_down_it_says_when_and_why(make) -> None:
    shop = make()
    to_level(shop.library, Level.PARTIAL, HALF)
    shop.come(20)
    set_level(shop.library.work, "claims", Level.ASSIST, actor="ann", why="Too many complaints.")
    assert shop.lines()[1] == "It decided by itself until 2023-11-15: Too many complaints."


def test_stopped_by_hand_or_by_date_it_says_so(make) -> None:
    shop = make(EXPIRES)
    to_level(shop.library, Level.PARTIAL, HALF)
    set_paused(shop.library.work, "claims", True, actor="ann")
    assert shop.lines() == (
        "Automation is stopped: people decide every case.",
        "Nobody is named as responsible, until 2023-12-31. Let it go on with: understudy resume --task claims",
    )
    set_paused(shop.library.work, "claims", False, actor="ann")
    shop.library.work.clock.at += 60 * DAY
    assert shop.lines()[0] == "The mandate ended on 2023-12-31: people decide every case until it is renewed."
    assert {answer.decided_by for answer in ask(load_head(shop.library, "claims"), ["late"], CASES)} == {None}


def test_a_spent_account_counts_with_what_it_may_have_cost(make) -> None:
    shop = make(("tolerated_excess = 0.1", "tolerated_excess = 0.001"))
    to_level(shop.library, Level.PARTIAL, {"yes": 0.0, "no": 0.0})
    names = shop.come(100)
    shop.hear(names, every=1)
    assert shop.learn().made.kind == "step_down"
    to_level(shop.library, Level.PARTIAL, {"yes": 0.0, "no": 0.0})
    shop.hear(shop.come(40))
    shop.learn()
    plans = [json.loads(body)["plan"] for (body,) in shop.sql("select body from events where kind = 'budget.opened'")]
    settled = [len(names), shop.sql(f"select count(*) from losses where automated and case_seq > {100}")[0][0]]
    first, second = (plan["max_error"] * count + plan["limit"] for plan, count in zip(plans, settled, strict=True))
    assert numbers(shop.lines()[2]) == [above(max(first, len(names)) + second)]
    assert numbers(shop.lines()[3])[0] == len(names)
