"""The clients against a real server, and against one that fails."""

import asyncio
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from client.conftest import Flaky
from server.conftest import Site, rows
from understudy import AsyncClient, Client
from understudy.client.replies import Failed
from understudy.core.errors import (
    BusyError,
    ConflictError,
    ContractError,
    DeniedError,
    InputError,
    NotFoundError,
    UnderstudyError,
)
from understudy.core.nouns import Role
from understudy.flows.access import create_token

ROWS = rows(40, seed=5)
GOOD = {"id": "a", "status": "pending", "level": "shadow"}


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[Client]:
    with Client(site.url, site.token[Role.SERVICE]) as client:
        yield client


@pytest.fixture(scope="module")
def reviewer(site: Site) -> Iterator[Client]:
    with Client(site.url, site.token[Role.REVIEWER]) as client:
        yield client


@pytest.fixture(scope="module")
def owner(site: Site) -> Iterator[Client]:
    with Client(site.url, site.token[Role.OWNER]) as client:
        yield client


@pytest.fixture
def patient(flaky: Flaky, pauses: list[float]) -> Iterator[Client]:
    """A client of the server that fails; its pauses take no time."""
    flaky.answer = GOOD
    with Client(flaky.url, "us_t") as client:
        yield client


LIGHT = """
import sys
from understudy import AsyncClient, Client
ours = {name for name in sys.modules if name.startswith("understudy.")}
print(sorted(name for name in ours if not name.startswith(("understudy.core", "understudy.client"))))
print(sorted({"numpy", "polars", "sqlalchemy", "granian", "sklearn", "onnxruntime"} & set(sys.modules)))
"""


def test_importing_a_client_loads_nothing_else_of_ours_and_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]


def test_both_clients_can_do_the_same_with_the_same_words() -> None:
    def words(client: type) -> dict[str, dict[str, Any]]:
        methods = inspect.getmembers(client, inspect.isfunction)
        return {name: dict(inspect.signature(method).parameters) for name, method in methods if name[0] != "_"}

    one, other = words(Client), words(AsyncClient)
    other["close"] = other.pop("aclose")
    assert one == other


@pytest.mark.parametrize(
    ("url", "token", "says"),
    [
        ("http://127.0.0.1:8000", "", "understudy token create NAME --role service"),
        ("http://127.0.0.1:8000", "us_a b", "characters that no token has"),
        ("http://127.0.0.1:8000", "us_ä", "characters that no token has"),
        ("127.0.0.1:8000", "us_t", "not one of http or https"),
        ("http://ann:s3cret@127.0.0.1", "us_t", "holds a user or password"),
        ("http://127.0.0.1:port", "us_t", "cannot be read"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_asked(url: str, token: str, says: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(InputError, match=says) as refused:
            kind(url, token)
        assert "s3cret" not in str(refused.value)


def test_the_token_is_taken_from_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_TOKEN", site.token[Role.OWNER] + "\n")
    with Client(site.url) as client:
        assert [task["task"] for task in client.tasks()] == ["claims"]
    monkeypatch.delenv("UNDERSTUDY_TOKEN")
    with pytest.raises(InputError, match="UNDERSTUDY_TOKEN"):
        Client(site.url)


def test_a_case_is_decided_outside_where_it_is_left_to_people(service: Client) -> None:
    asked = service.decide("claims", ROWS[0])
    assert (asked.status, asked.decision, asked.level) == ("pending", None, "shadow")
    with pytest.raises(BusyError, match="still waits"):
        service.wait("claims", asked.id, timeout=0.3)
    done = service.decided("claims", asked.id, "yes")
    assert (done.status, done.decision, done.decided_by) == ("decided", "yes", "person")
    assert service.decided("claims", asked.id, "yes") == done
    assert service.case("claims", asked.id) == service.wait("claims", asked.id, timeout=5) == done
    with pytest.raises(ConflictError, match="was decided already"):
        service.decided("claims", asked.id, "no")
    assert service.decided("claims", service.decide("claims", ROWS[0]).id, "no", by="rule").decided_by == "rule"


@pytest.mark.parametrize("name", ["a/b?c#d%2F ü&", "..", ".", "a\\b", "x" * 200])
def test_any_id_finds_its_case_again(service: Client, name: str) -> None:
    assert service.decide("claims", ROWS[1], id=name).id == name
    assert service.case("claims", name).id == name


def test_an_id_is_decided_once_and_refused_with_other_inputs(service: Client) -> None:
    first = service.decide("claims", ROWS[2], id="once")
    assert service.decide("claims", ROWS[2], id="once") == first
    with pytest.raises(ConflictError, match="other inputs"):
        service.decide("claims", ROWS[3], id="once")


def test_inputs_may_be_numpys(service: Client) -> None:
    plain = {**ROWS[4], "amount": 12.5, "age": 40}
    assert service.decide("claims", plain, id="numpy").id == "numpy"
    service.decide("claims", {**plain, "amount": np.float64(12.5), "age": np.int64(40)}, id="numpy")


@pytest.mark.parametrize("inputs", [{"amount": object()}, {"amount": np.arange(3)}, ["amount"], None])
def test_inputs_that_cannot_be_sent_are_refused(service: Client, inputs: Any) -> None:
    with pytest.raises(InputError, match=r"cannot be sent|inputs of a case"):
        service.decide("claims", inputs)
    with pytest.raises(InputError):
        service.decide_many("claims", [inputs])


def test_a_broken_contract_comes_with_its_faults(service: Client) -> None:
    with pytest.raises(ContractError) as broken:
        service.decide("claims", {**ROWS[0], "amount": "much"})
    assert [fault.where for fault in broken.value.faults] == ["amount"]
    assert str(broken.value).count(str(broken.value.faults[0])) == 1


def test_errors_are_of_the_class_that_the_server_raised(service: Client, reviewer: Client) -> None:
    with pytest.raises(NotFoundError, match="no case 'nobody'"):
        service.case("claims", "nobody")
    with pytest.raises(NotFoundError):
        service.decide("nothing", ROWS[0])
    with pytest.raises(InputError, match="unknown"):
        service.decided("claims", service.decide("claims", ROWS[0]).id, "perhaps")
    with pytest.raises(DeniedError, match="role reviewer"):
        reviewer.decide("claims", ROWS[0])


def test_a_wrong_token_is_denied(site: Site) -> None:
    with Client(site.url, "us_wrong") as client, pytest.raises(DeniedError, match="No valid token"):
        client.tasks()


def test_of_several_cases_the_good_ones_are_decided(service: Client) -> None:
    found = service.decide_many("claims", {"m1": ROWS[5], "m2": {**ROWS[6], "amount": "much"}, "m3": ROWS[7]})
    assert [(one.id, one.status) for one in found] == [("m1", "pending"), ("m2", "failed"), ("m3", "pending")]
    failed = found[1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ContractError)
    assert failed.error.faults[0].where == "amount"
    made = service.decide_many("claims", iter(ROWS[8:11]))
    assert len({one.id for one in made}) == 3


def test_outcomes_are_told_one_by_one_or_together(service: Client) -> None:
    service.decide("claims", ROWS[11], id="late")
    service.decide("claims", ROWS[12], id="later")
    observed = datetime(2024, 5, 1, tzinfo=UTC)
    assert service.outcome("claims", "late", "yes", observed_at=observed) == {
        "id": "late", "result": "applied", "hint": ""
    }  # fmt: skip
    assert service.outcome("claims", "late", "yes")["result"] == "duplicate"
    told = service.outcomes("claims", [{"id": "late", "outcome": "no"}, {"id": "later", "outcome": "perhaps"}])
    assert [one["result"] for one in told] == ["corrected", "invalid"]
    assert "perhaps" in told[1]["hint"]


def test_a_reviewer_answers_skips_and_undoes(site: Site, service: Client) -> None:
    service.decide_many("claims", ROWS[13:16])
    with Client(site.url, create_token(site.workspace, "fresh", Role.REVIEWER)) as client:
        first = client.next_review("claims")
        assert first is not None
        again = client.next_review("claims")
        assert again is not None
        assert again["id"] == first["id"]
        assert client.skip("claims", first["id"])["status"] == "pending"
        second = client.next_review("claims")
        assert second is not None
        assert second["id"] != first["id"]
        done = client.review("claims", second["id"], "yes", note="plain")
        assert done == {"id": second["id"], "status": "decided"}
        assert client.review("claims", second["id"], "yes") == done
        assert client.undo("claims") == {"id": second["id"], "status": "pending"}


def test_an_owner_steers(owner: Client, service: Client) -> None:
    before = owner.task("claims")
    assert (before["level"], before["paused"]) == ("shadow", False)
    assert owner.pause("claims", why="Odd.")["paused"] is True
    assert owner.pause("claims")["revision"] == owner.task("claims")["revision"]
    assert owner.resume("claims")["paused"] is False
    with pytest.raises(ConflictError, match="not proven"):
        owner.set_level("claims", "partial")
    bold = owner.set_level("claims", "partial", why="A test.", override=True, thresholds={"yes": 0.5, "no": 0.5})
    assert (bold["level"], bold["thresholds"]) == ("partial", {"yes": 0.5, "no": 0.5})
    answers = service.decide_many("claims", ROWS)
    by_model = [one for one in answers if one.status == "decided"]
    assert by_model
    for one in by_model:
        assert not isinstance(one, Failed)
        assert (one.decided_by, one.model) == ("model", before["champion"])
        assert one.probabilities is not None
        assert one.confidence == pytest.approx(max(one.probabilities.values()))
    assert owner.set_level("claims", "shadow")["level"] == "shadow"
    with pytest.raises(ConflictError, match="no earlier champion"):
        owner.rollback("claims")


def test_events_come_page_by_page_each_once(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    owner.pause("claims")
    owner.resume("claims")
    everything = list(owner.events("claims"))
    numbers = [event["seq"] for event in everything]
    assert numbers == sorted(set(numbers))
    assert {"moved.pause", "moved.resume"} <= {event["kind"] for event in everything}
    monkeypatch.setattr("understudy.client.asks.PAGE", 2)
    assert list(owner.events("claims")) == everything
    assert list(owner.events("claims", after=numbers[1])) == everything[2:]


def test_the_async_client_does_the_same(site: Site) -> None:
    async def work() -> None:
        async with AsyncClient(site.url, site.token[Role.SERVICE]) as client:
            asked = await asyncio.gather(*(client.decide("claims", inputs) for inputs in ROWS[20:30]))
            assert len({one.id for one in asked}) == 10
            waiting = asyncio.create_task(client.wait("claims", asked[0].id, timeout=20))
            await client.decided("claims", asked[0].id, "no")
            assert (await waiting).decision == "no"
            assert (await client.case("claims", asked[1].id)).status == "pending"
            assert (await client.outcome("claims", asked[0].id, "yes"))["result"] == "applied"
            told = await client.outcomes("claims", [{"id": asked[1].id, "outcome": "no"}])
            assert [one["result"] for one in told] == ["applied"]
            failed = (await client.decide_many("claims", [{"amount": "much"}]))[0]
            assert isinstance(failed, Failed)
            with pytest.raises(DeniedError):
                await client.tasks()
        async with AsyncClient(site.url, create_token(site.workspace, "eve", Role.REVIEWER)) as client:
            case = await client.next_review("claims")
            assert case is not None
            await client.skip("claims", case["id"])
            assert (await client.undo("claims"))["id"] == case["id"]
            assert (await client.review("claims", case["id"], "no"))["id"] == case["id"]
        async with AsyncClient(site.url, site.token[Role.OWNER]) as client:
            assert (await client.pause("claims"))["paused"]
            assert not (await client.resume("claims"))["paused"]
            assert [one["task"] for one in await client.tasks()] == ["claims"]
            assert (await client.task("claims"))["level"] == "shadow"
            with pytest.raises(ConflictError):
                await client.set_level("claims", "full")
            with pytest.raises(ConflictError):
                await client.rollback("claims")
            assert [event async for event in client.events("claims")][-1]["kind"] == "moved.resume"

    asyncio.run(work())


BUSY = (503, {"Retry-After": "1"}, {"error": {"kind": "BusyError", "message": "Full.", "hint": "", "faults": []}})
FAILURES = [
    ["hang up"],
    ["hang up", "hang up", BUSY],
    [(502, {}, b"<html>"), (504, {}, b""), (429, {"Retry-After": "2"}, b"")],
]


@pytest.mark.parametrize("script", FAILURES, ids=["hangs up", "hangs up and is busy", "behind a proxy"])
def test_a_case_that_is_asked_again_carries_the_same_id_and_body(
    patient: Client, flaky: Flaky, pauses: list[float], script: list[Any]
) -> None:
    flaky.script = list(script)
    assert patient.decide("late", {"distance": 5}).id == "a"
    assert len(flaky.bodies) == len(script) + 1
    assert len(set(flaky.bodies)) == 1
    assert json.loads(flaky.bodies[0])["id"]
    assert len([pause for pause in pauses if pause]) == len(script)


def test_the_async_client_asks_again_too(flaky: Flaky, pauses: list[float]) -> None:
    async def work() -> None:
        async with AsyncClient(flaky.url, "us_t") as client:
            flaky.answer, flaky.script = GOOD, ["hang up", BUSY]
            assert (await client.decide("late", {"distance": 5})).id == "a"
            flaky.script = ["hang up"]
            with pytest.raises(BusyError, match="not known"):
                await client.undo("late")

    asyncio.run(work())
    assert len(flaky.bodies) == 4
    assert len(set(flaky.bodies[:3])) == 1
    assert max(pauses) > 1


def test_a_silent_server_is_asked_again_after_the_timeout(flaky: Flaky, pauses: list[float]) -> None:
    flaky.answer, flaky.script = GOOD, ["dawdle"]
    with Client(flaky.url, "us_t", timeout=0.3) as client:
        assert client.decide("late", {}, id="mine").id == "a"
    assert [json.loads(body)["id"] for body in flaky.bodies] == ["mine", "mine"]


def test_a_case_nobody_answered_names_the_id_to_ask_again_with(patient: Client, flaky: Flaky) -> None:
    flaky.script = ["hang up"] * 5
    with pytest.raises(BusyError, match="does not answer") as lost:
        patient.decide("late", {})
    assert json.loads(flaky.bodies[0])["id"] in lost.value.hint
    assert len(flaky.bodies) == 5


def test_a_busy_server_is_an_error_after_the_last_retry(patient: Client, flaky: Flaky, pauses: list[float]) -> None:
    flaky.script = [BUSY] * 5
    with pytest.raises(BusyError, match="Full"):
        patient.tasks()
    assert len(flaky.asked) == 5
    assert all(1 <= pause <= 4 for pause in pauses[1:])


@pytest.mark.parametrize(
    "move",
    [
        lambda client: client.undo("late"),
        lambda client: client.rollback("late"),
        lambda client: client.skip("late", "a"),
        lambda client: client.set_level("late", "human"),
    ],
    ids=["undo", "rollback", "skip", "set_level"],
)
def test_what_would_be_done_twice_is_not_asked_twice(patient: Client, flaky: Flaky, move: Any) -> None:
    for scene in ("hang up", BUSY):
        flaky.script, flaky.asked = [scene], []
        with pytest.raises(BusyError, match="not known"):
            move(patient)
        assert len(flaky.asked) == 1


@pytest.mark.parametrize(
    ("move", "answer"),
    [
        (lambda client: client.decided("late", "a", "yes"), GOOD),
        (lambda client: client.outcome("late", "a", "yes"), {"outcomes": [{}]}),
        (lambda client: client.review("late", "a", "yes"), GOOD),
        (lambda client: client.pause("late"), {}),
        (lambda client: client.decide_many("late", [{}, {}]), {"cases": []}),
    ],
    ids=["decided", "outcome", "review", "pause", "decide_many"],
)
def test_what_is_the_same_twice_is_asked_again(patient: Client, flaky: Flaky, move: Any, answer: Any) -> None:
    flaky.script, flaky.answer = ["hang up"], answer
    move(patient)
    assert len(flaky.bodies) == 2
    assert len(set(flaky.bodies)) == 1


def test_whatever_was_not_sent_may_be_asked_again(flaky: Flaky, pauses: list[float]) -> None:
    flaky.server_close()
    with (
        Client(flaky.url, "us_t", retries=3) as client,
        pytest.raises(BusyError, match="Is the server running") as away,
    ):
        client.undo("late")
    assert len([pause for pause in pauses if pause]) == 3
    assert "not known" not in str(away.value)


@pytest.mark.parametrize(
    ("scene", "kind"),
    [
        ((200, {}, b"<html>Welcome</html>"), UnderstudyError),
        ((200, {}, {"id": "a"}), UnderstudyError),
        ((302, {"Location": "/sign-in"}, b""), UnderstudyError),
        ((404, {}, b"<html>nothing here</html>"), NotFoundError),
        ((500, {}, b"oops"), UnderstudyError),
        ((403, {}, {"error": {"kind": "WebError", "message": "No."}}), DeniedError),
        ((418, {}, {"error": {"kind": "TeapotError", "message": "No."}}), UnderstudyError),
    ],
    ids=lambda scene: str(scene[0]) if isinstance(scene, tuple) else "",
)
def test_an_answer_of_something_else_is_one_of_our_errors(
    patient: Client, flaky: Flaky, scene: Any, kind: type[UnderstudyError]
) -> None:
    flaky.script = [scene]
    with pytest.raises(kind) as strange:
        patient.decide("late", {})
    assert type(strange.value) is kind
    assert len(flaky.asked) == 1
    assert "us_t" not in str(strange.value)


def test_a_server_may_stand_below_a_path(flaky: Flaky) -> None:
    flaky.answer = {"events": [], "next": None}
    with Client(f"{flaky.url}/understudy/", "us_t") as client:
        assert list(client.events("late")) == []
    assert flaky.asked[0][1] == "/understudy/v1/tasks/late/events?after=0&limit=1000"
