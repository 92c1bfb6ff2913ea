"""What to do first does not depend on the order in which actions come, and more to win is never further down."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.worklist import MOST, Worklist, key, rank, ranked_again, wins_words

KINDS = ("fix leak", "fix check", "clean labels", "collect data", "add feature", "fix stage")
share = st.floats(0, 1)
small = st.floats(-0.1, 0.2)


def evidence(estimate: float, below: float = 0.01, above: float = 0.01, confidence: float = 0.95) -> Evidence:
    return Evidence(
        estimate=estimate,
        lower=estimate - below,
        upper=estimate + above,
        confidence=confidence,
        n=900,
        method="paired bootstrap",
    )


def action(kind: str = "collect data", subject: str = "a", **changes: object) -> Action:
    return Action(**{"kind": kind, "subject": subject, "what": "Do it", "why": "It helps.", **changes})


gains = st.one_of(st.none(), st.builds(evidence, small, st.floats(0, 0.1), st.floats(0, 0.1)))
actions = st.builds(
    action,
    kind=st.sampled_from(KINDS),
    subject=st.sampled_from("abcdefgh"),
    why=st.sampled_from(("It helps.", "It pays.", "It must.")),
    gain=gains,
    share=st.one_of(st.none(), share),
    gap=st.one_of(st.none(), small),
    effort=st.sampled_from(("minutes", "hours", "days", "weeks")),
    blocking=st.booleans(),
)
lists = st.lists(actions, max_size=40)


@given(lists, st.randoms(use_true_random=False))
def test_the_order_in_which_actions_come_changes_nothing(found: list[Action], chance: random.Random) -> None:
    mixed = list(found)
    chance.shuffle(mixed)
    assert rank(mixed, wrong=0.1) == rank(found, wrong=0.1)


@given(lists)
def test_what_blocks_comes_first_and_leaks_before_all(found: list[Action]) -> None:
    items = rank(found, wrong=0.1).items
    order = [(not item.action.blocking, item.action.blocking and item.action.kind != "fix leak") for item in items]
    assert order == sorted(order)
    assert [item.rank for item in items] == list(range(1, len(items) + 1))


@given(st.lists(actions, max_size=15, unique_by=key), st.integers(0, 100), st.floats(0, 0.1))
def test_more_to_win_all_else_equal_never_ranks_lower(found: list[Action], which: int, more: float) -> None:
    able = [one for one in found if one.gain is not None]
    if not able:
        return
    chosen = able[which % len(able)]
    gain = chosen.gain
    raised = msgspec.structs.replace(
        chosen,
        gain=msgspec.structs.replace(
            gain, estimate=gain.estimate + more, lower=gain.lower + more, upper=gain.upper + more
        ),
    )
    before = rank(found, wrong=0.15)
    after = rank([raised if one is chosen else one for one in found], wrong=0.15)
    assert place_of(after, chosen) <= place_of(before, chosen)


def place_of(worklist: Worklist, wanted: Action) -> int:
    return next(item.rank for item in worklist.items if item.key == key(wanted))


@given(lists)
def test_one_row_for_each_kind_and_subject_and_twenty_in_all(found: list[Action]) -> None:
    worklist = rank(found, wrong=0.1)
    names = [item.key for item in worklist.items] + [key(one) for one in worklist.others]
    assert sorted(names) == sorted({key(one) for one in found})
    assert len(worklist.items) == min(MOST, len(names))


@given(lists)
def test_ranking_what_was_ranked_changes_nothing_and_it_survives_json(found: list[Action]) -> None:
    worklist = rank(found, wrong=0.1, human=evidence(0.05))
    read = msgspec.json.decode(msgspec.json.encode(worklist), type=Worklist)
    assert read == worklist
    assert ranked_again(read, efforts={}, tags={}, states={}) == worklist


def test_rows_of_one_thing_become_one_with_the_reasons_of_all() -> None:
    one = action(why="It helps.", gain=evidence(0.01))
    two = action(why="It pays.", gain=evidence(0.03), blocking=True)
    merged = rank([one, two, one], wrong=0.1).items
    assert len(merged) == 1
    assert merged[0].wins.estimate == pytest.approx(30)
    assert merged[0].action.why == "It pays. It helps."
    assert merged[0].action.blocking


def score(**changes: object) -> float:
    given = {"wrong": 0.1, **{name: changes.pop(name) for name in ("wrong", "efforts") if name in changes}}
    return rank([action(**changes)], **given).items[0].score


def test_the_score_is_what_its_definition_says() -> None:
    chance = norm.cdf(1.959963984540054 * 0.02 / 0.03)
    assert score(gain=evidence(0.02, below=0.03)) == pytest.approx(1000 * 0.02 * chance * 8 / 12)
    assert score(gain=evidence(0.02, below=0.03), effort="weeks") == pytest.approx(1000 * 0.02 * chance * 8 / 88)
    assert score(gain=evidence(0.02, below=0.03), efforts={"a": 2.0}) == pytest.approx(1000 * 0.02 * chance * 0.8)


def test_what_people_show_to_be_possible_bounds_the_gain() -> None:
    assert score(gap=0.2, share=0.1) == pytest.approx(1000 * 0.02 * 0.5 * 8 / 12)
    near = score(gain=evidence(0.05, below=0.0), gap=0.2, share=0.1)
    assert near == pytest.approx(1000 * 0.02 * 8 / 12)
    assert score(gain=evidence(0.05), gap=-0.2, share=0.1) == 0
    assert score(gain=evidence(0.05, below=0.0), wrong=0.03) == pytest.approx(1000 * 0.03 * 8 / 12)


def test_a_gain_that_cannot_be_reckoned_with_is_one_that_is_not_known() -> None:
    worklist = rank([action(gain=evidence(math.nan)), action(subject="b", gain=evidence(0.01))], wrong=0.1)
    assert [item.action.subject for item in worklist.items] == ["b", "a"]
    assert worklist.items[1].wins is None
    assert worklist.items[1].action.gain is None
    assert wins_words(worklist.items[1]) == ("", "")


def test_a_suspected_leak_comes_right_behind_what_blocks() -> None:
    found = [action(gain=evidence(0.05)), action("fix leak", "suspect"), action("fix check", blocking=True)]
    assert [item.action.kind for item in rank(found, wrong=0.1).items] == ["fix check", "fix leak", "collect data"]


def test_where_nothing_is_expected_what_is_not_known_comes_before_what_wins_nothing() -> None:
    found = [
        action(subject="loses", gain=evidence(-0.01)),
        action(subject="nothing", gain=evidence(0.0, below=0.0)),
        action(subject="anywhere"),
        action(subject="some", share=0.1),
        action(subject="many", share=0.4),
        action(subject="wins", gain=evidence(0.001)),
    ]
    order = [item.action.subject for item in rank(found, wrong=0.1).items]
    assert order == ["wins", "many", "some", "anywhere", "nothing", "loses"]


def test_an_effort_of_the_users_may_be_named_in_full_or_by_subject() -> None:
    both = [action(subject="x", gain=evidence(0.01)), action("fix stage", "x", gain=evidence(0.01))]
    by_subject = rank(both, wrong=0.1, efforts={"x": 3.0}, tags={"x": ("noise",)}).items
    assert [(item.effort, item.own, item.tags) for item in by_subject] == [("3 h", True, ("noise",))] * 2
    in_full = rank(both, wrong=0.1, efforts={"fix stage: x": 0.0}).items
    assert [(item.key, item.effort) for item in in_full] == [("fix stage: x", "0 h"), ("collect data: x", "hours")]


def test_what_is_done_goes_to_the_end_and_takes_nobodys_place() -> None:
    many = [action(subject=f"s{number:02}", gain=evidence(0.01 + number / 1000)) for number in range(25)]
    worklist = rank(many, wrong=0.1, states={"collect data: s24": "done", "s23": "again"})
    assert [item.action.subject for item in worklist.items[:2]] == ["s23", "s22"]
    assert worklist.items[-1].state == "done"
    assert worklist.items[0].state == "again"
    assert (len(worklist.items), len(worklist.others)) == (21, 4)


def test_other_efforts_bring_up_what_did_not_fit() -> None:
    many = [action(subject=f"s{number:02}", gain=evidence(0.01), effort="weeks") for number in range(25)]
    worklist = rank(many, wrong=0.1)
    left = key(worklist.others[0])
    assert ranked_again(worklist, efforts={left: 0.0}, tags={}, states={}).items[0].key == left


def test_nothing_to_do_is_a_list_too() -> None:
    worklist = rank((), wrong=evidence(0.1), human=evidence(0.12))
    assert worklist.items == ()
    assert "no worse than people" in worklist.headline
    assert rank((), wrong=0.102, human=evidence(0.06)).headline == (
        "It is wrong in 102 of 1,000 cases, people in 60.0 (50.0 to 70.0): 42 are known to be avoidable, "
        "since people avoid them."
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wrong": 1.5}, "wrong must be a share"),
        ({"wrong": math.nan}, "wrong must be a share"),
        ({"wrong": 0.1, "efforts": {"a": -1.0}}, "effort of 'collect data: a' must be hours"),
        ({"wrong": 0.1, "efforts": {"a": math.inf}}, "effort of 'collect data: a' must be hours"),
    ],
)
def test_a_figure_that_cannot_be_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rank([action()], **changes)
    with pytest.raises(ValueError, match=r"share of 'collect data: a' must be a share"):
        rank([action(share=1.2)], wrong=0.1)
