"""Overdue cases get what the task says."""

import pytest

from flows.desk import FRESH, ask, desk
from understudy.core.nouns import Decider
from understudy.flows.answers import answer_of
from understudy.flows.head import load_head
from understudy.flows.review import next_review, require_case
from understudy.flows.sweep import sweep
from understudy.store.queue import waiting

DAY = 86_400_000_000
IDS = [f"c{number}" for number in range(20)]
RULES = ("# rules = [", 'rules = [{ when = "amount < 100", then = "yes" }]\n# rules = [')


def late(ran, place, overdue: str, *edits):
    head = load_head(desk(ran[0], place, ('overdue = "hold"', f'overdue = "{overdue}"'), *edits), "claims")
    ask(head, IDS)
    head.library.work.clock.at += DAY
    assert sweep(head) == 0
    head.library.work.clock.at += 1
    return head


def test_hold_leaves_them(ran, tmp_path) -> None:
    head = late(ran, tmp_path, "hold")
    assert sweep(head) == 0


def test_the_rules_decide_those_for_which_one_holds_and_the_others_go_first(ran, tmp_path) -> None:
    head = late(ran, tmp_path, "rules", RULES, ('max_level = "partial"', 'max_level = "assist"'))
    cheap = [float(amount) < 100 for amount in FRESH["amount"][: len(IDS)]]
    already = sum(cheap)  # while it watches, rules decide at once
    assert sweep(head) == len(IDS) - already
    assert sweep(head) == 0
    with head.library.work.store.reading() as connection:
        first = require_case(connection, head, IDS[cheap.index(True)])
    assert answer_of(head, first, 0).decided_by is Decider.RULE


def test_escalated_cases_come_before_new_ones(ran, tmp_path) -> None:
    head = late(ran, tmp_path, "escalate")
    head.library.work.clock.at -= 2 * DAY
    ask(head, ["earlier due"])
    head.library.work.clock.at += 2 * DAY
    assert sweep(head) == 21
    assert sweep(head) == 0
    ask(head, ["new"])
    with head.library.work.store.reading() as connection:
        assert waiting(connection, head.number) == 22
    assert next_review(head, "ann").id == "earlier due"


@pytest.mark.parametrize("level", ["assist"])
def test_at_higher_levels_the_rules_decide_what_is_overdue(ran, tmp_path, level: str) -> None:
    from flows.desk import to_level
    from understudy.core.nouns import Level

    library = desk(ran[0], tmp_path, ('overdue = "hold"', 'overdue = "rules"'), RULES)
    head = to_level(library, Level(level))
    ask(head, IDS)
    cheap = {name for name, amount in zip(IDS, FRESH["amount"], strict=False) if float(amount) < 100}
    library.work.clock.at += 2 * DAY
    assert sweep(head) == len(IDS)
    with library.work.store.reading() as connection:
        for name in IDS:
            found = answer_of(head, require_case(connection, head, name), library.work.clock.now())
            assert (found.decided_by is Decider.RULE) == (name in cheap)
