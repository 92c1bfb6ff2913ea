"""Webhooks hear everything once more than nothing: in order, through failures, and in no one else's words."""

import itertools
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from flows.desk import FRESH, ask, desk, other, said, to_level
from receiver import SECRET, VARIABLE, Receiver, receiving
from understudy.core.errors import BusyError, ConflictError, InputError, NotFoundError
from understudy.core.nouns import Level
from understudy.core.webhook import Webhook, read_keys
from understudy.flows import webhook_delivery
from understudy.flows.erase import erase
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.moves import set_level, set_paused
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.review import decide_outside, give_review, next_review, undo_review
from understudy.flows.webhook_delivery import PATIENT, Delivery, keys_of
from understudy.flows.webhooks import read_webhooks, retry_webhook, try_webhook
from understudy.flows.workspace import Workspace, read_settings
from understudy.sources.post import Posted, Poster
from understudy.store.schema import metadata

MINUTE = 60_000_000
DAY = 1_440 * MINUTE
IDS = [f"c{number}" for number in range(400)]
CASES = ("case.pending", "case.decided", "case.corrected")


class Line:
    """A webhook of a workspace, its receiver, and what is between them."""

    def __init__(self, library: Library, receiver: Receiver, **settings: object) -> None:
        plain = {"name": "crm", "url": receiver.url, "secret": VARIABLE, "allow_private": True, **settings}
        self.webhook = msgspec.convert(plain, Webhook)
        work = library.work
        settings_too = msgspec.structs.replace(work.settings, webhooks=(self.webhook,))
        self.work = Workspace(work.root, settings_too, work.store, work.artifacts, work.engine, work.clock)
        self.receiver = receiver
        self.poster = Poster(allow_private=self.webhook.allow_private, seconds=0.5)
        self.delivery = self.fresh()

    def fresh(self, **settings: object) -> Delivery:
        """The delivery of a process that has just started."""
        keys = read_keys(SECRET)
        settings = {"chance": lambda: 0.5, **settings}
        self.delivery = Delivery(self.work, self.webhook, keys, self.poster, **settings)
        return self.delivery

    def round(self):
        return self.delivery.round()

    def wait(self, microseconds: int) -> None:
        self.work.clock.at += microseconds

    @property
    def standing(self):
        return read_webhooks(self.work)[0]


@pytest.fixture
def library(ran, tmp_path):
    return desk(ran[0], tmp_path)


@pytest.fixture
def receiver():
    with receiving() as found:
        yield found


@pytest.fixture
def line(library, receiver):
    """A webhook that has been opened: what happens from now on is told."""
    made = Line(library, receiver)
    assert made.standing.state == "new"
    assert made.round() == (0, 0, 0)
    assert made.standing.state == "ok"
    return made


def test_what_waits_is_decided_and_is_corrected_is_told_in_order(library, line, receiver) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:2])
    assert line.round() == (2, 0, 0)
    next_review(head, "ann")
    give_review(head, "ann", "c0", "no", "a note that is nobody's business")
    assert line.round().sent == 1
    undo_review(head, "ann")
    give_review(head, "bob", "c0", "yes")
    decide_outside(head, "shop", "c1", "no")
    assert line.round().sent == 3
    assert line.round() == (0, 0, 0)
    assert [(kind, body["data"]["id"]) for kind, (_, body) in zip(receiver.types, receiver.got, strict=True)] == [
        ("case.pending", "c0"),
        ("case.pending", "c1"),
        ("case.decided", "c0"),
        ("case.pending", "c0"),
        ("case.corrected", "c0"),
        ("case.decided", "c1"),
    ]
    assert receiver.said("status", "decision", "decided_by", "previous")[2:5] == [
        ("decided", "no", "person", None),
        ("pending", None, None, None),
        ("decided", "yes", "person", "no"),
    ]
    assert len(set(receiver.ids)) == 6
    assert receiver.got[0][1] == {
        "type": "case.pending",
        "timestamp": "2023-11-14T22:13:20.000000Z",
        "data": {
            "task": "claims",
            "id": "c0",
            "status": "pending",
            "decision": None,
            "decided_by": None,
            "level": "shadow",
            "reasons": ["level_shadow"],
            "received_at": "2023-11-14T22:13:20.000000Z",
        },
    }


def test_moves_and_alarms_are_told(library, line, receiver) -> None:
    head = to_level(library, Level.PARTIAL, {"yes": 0.6, "no": 0.6})
    set_paused(library.work, "claims", True, actor="ann")
    give_outcomes(head, "shop", [Outcome(id="c0", outcome="perhaps")])
    learn(library, "claims")
    line.round()
    assert receiver.types == ["task.moved", "task.moved", "task.alarmed"]
    assert receiver.said("move", "from", "to", "paused", "actor")[:2] == [
        ("override", "shadow", "partial", False, "ann"),
        ("pause", "partial", "partial", True, "ann"),
    ]
    told = receiver.got[2][1]["data"]
    assert (told["task"], told["alarm"], told["details"]["value"]) == ("claims", "new_label", "perhaps")


def test_the_model_is_named_only_where_it_decided_and_inputs_only_where_they_are_asked_for(library, receiver) -> None:
    plain, full = Line(library, receiver), Line(library, receiver, name="full", inputs=True)
    to_level(library, Level.PARTIAL, {"yes": 0.6, "no": 0.6})
    plain.round()
    full.round()
    ask(load_head(library, "claims"), IDS[:20])
    plain.round()
    first = receiver.got[:]
    receiver.got.clear()
    full.round()
    assert {body["data"]["decided_by"] for _, body in first} == {"model", None}
    for (_, body), (_, same) in zip(first, receiver.got, strict=True):
        data = body["data"]
        assert ("confidence" in data) == ("model" in data) == (data["decided_by"] == "model")
        assert "inputs" not in data
        inputs = same["data"].pop("inputs")
        assert same["data"] == data
        assert inputs["region"] == FRESH["region"][int(data["id"][1:])]


def test_only_the_events_and_tasks_that_are_asked_for_are_told(library, receiver) -> None:
    lines = [Line(library, receiver, events=["task.moved"]), Line(library, receiver, name="b", tasks=["else"])]
    for line in lines:
        line.round()
    ask(load_head(library, "claims"), IDS[:5])
    set_paused(library.work, "claims", True, actor="ann")
    assert [line.round().sent for line in lines] == [1, 0]
    assert receiver.types == ["task.moved"]


def test_a_new_webhook_hears_nothing_of_the_past(library, receiver) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:30])
    line = Line(library, receiver)
    assert line.round().sent == 0
    decide_outside(head, "shop", "c3", "no")
    assert line.round().sent == 1
    assert receiver.said("id", "decision") == [("c3", "no")]


def test_a_decision_that_can_be_recalled_is_told_when_it_no_longer_can(ran, tmp_path, receiver) -> None:
    library = desk(ran[0], tmp_path, ('release_after = "0m"', 'release_after = "10m"'))
    line, head = Line(library, receiver, events=CASES[1:]), load_head(library, "claims")
    ask(head, IDS[:2])
    line.round()
    for user, answer in (("ann", "no"), ("bob", "yes")):
        case = next_review(head, user).id
        give_review(head, user, case, answer)
    line.wait(5 * MINUTE)
    undo_review(head, "ann")
    give_review(head, "ann", "c0", "yes")
    line.wait(4 * MINUTE)
    assert line.round().sent == 0
    line.wait(2 * MINUTE)
    assert line.round().sent == 1
    assert line.round().sent == 0
    line.wait(10 * MINUTE)
    assert line.round().sent == 1
    assert [(kind, *each) for kind, each in zip(receiver.types, receiver.said("id", "decision"), strict=True)] == [
        ("case.decided", "c1", "yes"),
        ("case.decided", "c0", "yes"),
    ]


def test_what_fails_is_tried_again_with_the_same_id_and_holds_up_the_others(library, line, receiver) -> None:
    ask(load_head(library, "claims"), IDS[:3])
    receiver.answers = [500, "hang up", 503]
    assert line.round() == (0, 1, 0)
    assert line.round() == (0, 0, 0)
    assert (line.standing.state, line.standing.waiting, line.standing.error) == ("failing", 3, "it answered 500")
    line.wait(5_000_000)
    assert line.round() == (0, 1, 0)
    line.wait(5_000_000)
    assert line.round() == (0, 0, 0)
    line.wait(5_000_000)
    assert line.round() == (0, 1, 0)
    line.wait(20_000_000)
    assert line.round() == (3, 0, 0)
    assert receiver.said("id") == [("c0",), ("c1",), ("c2",)]
    assert len({name for _, name in receiver.asked[:4]}) == 1
    assert (line.standing.state, line.standing.waiting, line.standing.sent, line.standing.letters) == ("ok", 0, 3, ())


def test_a_time_out_is_a_failure_and_a_slow_receiver_hears_it_twice_with_one_id(library, line, receiver) -> None:
    ask(load_head(library, "claims"), IDS[:1])
    receiver.slow = 1.0
    assert line.round() == (0, 1, 0)
    receiver.slow = 0.0
    line.wait(5_000_000)
    assert line.round().sent == 1
    assert len(set(receiver.ids)) == 1


def test_a_message_that_fails_for_long_lets_the_others_past_and_is_given_up_after_a_day(
    library, line, receiver, monkeypatch
) -> None:
    ask(load_head(library, "claims"), IDS[:3])
    poison, began, tries = {}, line.work.clock.at, []

    def post(self, url, headers, body, real=Poster.post):
        if poison.setdefault("id", headers["webhook-id"]) == headers["webhook-id"]:
            tries.append(line.work.clock.at)
            return Posted(status=500, error="it answered 500")
        return real(self, url, headers, body)

    monkeypatch.setattr(Poster, "post", post)
    dead = 0
    for _ in range(3000):
        tally = line.round()
        dead += tally.dead
        if tally.sent:
            assert len(tries) == PATIENT
            assert 9 * MINUTE < line.work.clock.at - began < 14 * MINUTE
        if dead:
            break
        line.wait(MINUTE // 2)
    assert receiver.said("id") == [("c1",), ("c2",)]
    assert DAY <= tries[-1] - began <= DAY + MINUTE
    assert len(tries) < 40
    (letter,) = line.standing.dead
    assert (letter.id, letter.attempts, letter.next_at) == (poison["id"], len(tries), None)
    assert "1 messages were given up" in line.standing.stuck
    assert line.round() == (0, 0, 0)
    monkeypatch.undo()
    assert retry_webhook(line.work, "crm") == 1
    assert line.round().sent == 1
    assert (line.standing.dead, line.standing.stuck) == ((), "")


def test_what_the_receiver_cannot_read_is_given_up_soon(library, line, receiver) -> None:
    ask(load_head(library, "claims"), IDS[:2])
    receiver.answers = [422] * 5
    tallies = []
    for _ in range(200):
        tallies.append(line.round())
        line.wait(1_000_000)
    assert sum(tally.failed for tally in tallies) == 5
    assert sum(tally.dead for tally in tallies) == 1
    assert receiver.said("id") == [("c1",)]


def test_a_receiver_that_is_gone_gets_nothing_until_somebody_says_so(library, line, receiver) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:2])
    receiver.answers = [410]
    line.round()
    assert line.standing.state == "disabled"
    line.wait(DAY)
    ask(head, IDS[2:4])
    assert line.round() == (0, 0, 0)
    assert len(receiver.asked) == 1
    assert line.standing.stuck.startswith("it answered 410 and gets nothing any more; 4 wait")
    retry_webhook(line.work, "crm")
    assert line.round().sent == 4
    assert receiver.said("id") == [("c0",), ("c1",), ("c2",), ("c3",)]
    assert line.standing.state == "ok"


@pytest.mark.parametrize("answer", ["refused", "redirect"])
def test_a_private_address_and_a_redirect_are_failures(library, receiver, answer: str) -> None:
    line = Line(library, receiver, allow_private=answer == "redirect")
    line.round()
    ask(load_head(library, "claims"), IDS[:1])
    receiver.answers = [302]
    assert line.round() == (0, 1, 0)
    assert ("private address" if answer == "refused" else "redirects (302)") in line.standing.error
    assert len(receiver.asked) == (answer == "redirect")
    assert "hidden" not in msgspec.json.encode(line.standing).decode()


def test_a_process_that_dies_in_between_loses_nothing_and_repeats_only_with_the_same_ids(
    library, line, receiver
) -> None:
    """Killed after each number of messages, before or after it could note them: everything arrives."""
    head = load_head(library, "claims")
    ask(head, IDS[:30])
    for turn, name in enumerate(IDS[:10]):
        decide_outside(head, "shop", name, "no" if turn % 2 else "yes")

    class Killed(BaseException):
        pass

    for lives in itertools.chain(range(1, 7), [99]):
        left = itertools.count(lives, -1)

        def stopped(left=left) -> bool:
            if next(left) == 0:
                raise Killed
            return False

        delivery = line.fresh(stopped=stopped)
        delivery._save = lambda *_, real=delivery._save, **__: real(*_, **__) if lives % 2 else None  # noqa: B023
        try:
            delivery.round()
        except Killed:
            continue
    distinct = list(dict.fromkeys(receiver.ids))
    assert len(distinct) == 40 < len(receiver.ids)
    seen = dict(receiver.got)
    assert all(seen[name] == body for name, body in receiver.got)
    assert [seen[name]["data"]["id"] for name in distinct] == [*IDS[:30], *IDS[:10]]


def test_a_failure_that_cannot_be_noted_is_not_taken_for_told(library, line, receiver, monkeypatch) -> None:
    ask(load_head(library, "claims"), IDS[:2])
    receiver.answers = [500]

    def busy(*_: object) -> None:
        raise BusyError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(webhook_delivery, "keep_letter", busy)
        with pytest.raises(BusyError):
            line.round()
    assert line.fresh().round().sent == 2
    assert receiver.said("id") == [("c0",), ("c1",)]


def test_who_lost_the_lease_writes_nothing(library, line, receiver) -> None:
    ask(load_head(library, "claims"), IDS[:2])
    with pytest.raises(ConflictError, match="Another process"):
        line.fresh(may=lambda _: False).round()
    assert receiver.got == []
    allowed = iter([True, False, False])
    with pytest.raises(ConflictError, match="Another process"):
        line.fresh(may=lambda _: next(allowed)).round()
    assert line.standing.sent == 0
    assert line.fresh().round().sent == 2


def test_a_long_backlog_is_told_page_by_page(library, line, receiver) -> None:
    ask(load_head(library, "claims"), IDS[:350])
    assert line.round().sent == 350
    assert receiver.said("id") == [(name,) for name in IDS[:350]]
    assert line.standing.waiting == 0


def test_nothing_is_told_of_what_was_erased_and_no_message_is_kept(library, line, receiver) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:3])
    receiver.answers = [500]
    line.round()
    erase(library.work, "claims", ids=("c0", "c1"), actor="ann")
    line.wait(MINUTE)
    assert line.round().sent == 1
    assert receiver.said("id") == [("c2",)]
    kept = [table for name, table in metadata.tables.items() if name.startswith("webhook")]
    assert [
        column.name for table in kept for column in table.c if column.name in ("body", "data", "url", "secret")
    ] == []


def test_a_case_whose_audit_dissents_is_corrected_where_the_task_says_so(ran, tmp_path, receiver) -> None:
    library = desk(ran[0], tmp_path, ('dissent = "record"', 'dissent = "correct"'))
    line, head = Line(library, receiver, events=CASES), to_level(library, Level.PARTIAL, {"yes": 0.5, "no": 0.5})
    line.round()
    ask(head, IDS[:200])
    while (task := next_review(head, "ann")) is not None:
        give_review(head, "ann", task.id, other(said(library, [task.id])[0]))
    line.round()
    corrected = [body["data"] for _, body in receiver.got if body["type"] == "case.corrected"]
    assert corrected
    assert all(data["decision"] == other(data["previous"]) for data in corrected)
    assert all("model" not in data for data in corrected)


def test_a_test_message_is_sent_at_once_and_leaves_no_trace(library, line, receiver, monkeypatch) -> None:
    with pytest.raises(InputError, match=f"{VARIABLE} is not set"):
        try_webhook(line.work, "crm")
    monkeypatch.setenv(VARIABLE, SECRET)
    assert try_webhook(line.work, "crm").taken
    receiver.answers = [404]
    assert try_webhook(line.work, "crm").error == "it answered 404"
    assert receiver.types == ["webhook.test"]
    assert (line.standing.sent, line.standing.error) == (0, "")
    with pytest.raises(NotFoundError, match="no webhook 'none'"):
        try_webhook(line.work, "none")


def test_keys_come_from_the_environment_only(line) -> None:
    assert keys_of(line.webhook, {VARIABLE: SECRET}) == read_keys(SECRET)
    with pytest.raises(InputError, match="24 to 64 bytes"):
        keys_of(line.webhook, {VARIABLE: "secret"})


def test_the_settings_name_webhooks_and_refuse_what_cannot_be_called(tmp_path: Path) -> None:
    file = tmp_path / "understudy.toml"
    file.write_text('[[webhooks]]\nname = "crm"\nurl = "https://crm.example.org/in"\nsecret = "CRM"\n')
    (found,) = read_settings(tmp_path).webhooks
    assert (found.name, found.inputs, found.allow_private, len(found.events)) == ("crm", False, False, 5)
    file.write_text('[[webhooks]]\nname = "crm"\nurl = "http://crm.example.org/in"\nsecret = "CRM"\n')
    with pytest.raises(InputError, match="not encrypted"):
        read_settings(tmp_path)


def test_the_hot_path_writes_nothing_for_webhooks(library, line) -> None:
    written: list[str] = []
    sa.event.listen(
        library.work.store.engine,
        "before_cursor_execute",
        lambda connection, cursor, statement, *_: written.append(statement),
    )
    ask(load_head(library, "claims"), IDS[:5])
    assert [statement for statement in written if "webhook" in statement] == []


def test_moves_made_while_nobody_served_are_told_when_somebody_does(library, line, receiver) -> None:
    set_level(library.work, "claims", Level.HUMAN, actor="ann", why="Back.")
    line.wait(30 * DAY)
    line.fresh()
    assert line.round().sent == 1
    assert receiver.said("move", "to", "reasons") == [("step_down", "human", ["Back."])]
