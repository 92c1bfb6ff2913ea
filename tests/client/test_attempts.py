"""Whether a question is asked again, and after how long."""

from typing import Any

import httpx
import pytest

from understudy.client import asks
from understudy.client.asks import Ask
from understudy.client.attempts import attempts, pause_after, seconds, until_decided
from understudy.core.errors import BusyError

REQUEST = httpx.Request("GET", "http://127.0.0.1:8000/v1/tasks")


def said(status: int, body: Any = None, **headers: str) -> httpx.Response:
    plain = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=body, headers=plain, request=REQUEST)


@pytest.mark.parametrize(
    ("heard", "again", "once"),
    [
        (httpx.ConnectError("refused"), True, True),  # nothing was sent
        (httpx.ConnectTimeout("slow"), True, True),
        (httpx.PoolTimeout("full"), True, True),
        (httpx.ReadTimeout("slow"), True, False),  # it may have been done
        (httpx.ReadError("reset"), True, False),
        (httpx.RemoteProtocolError("hung up"), True, False),
        (httpx.LocalProtocolError("bad header"), False, False),  # it would fail again
        (httpx.UnsupportedProtocol("ftp"), False, False),
        (said(429), True, False),
        (said(502), True, False),
        (said(503), True, False),
        (said(504), True, False),
        (said(500), False, False),
        (said(404), False, False),
        (said(301), False, False),
    ],
    ids=lambda value: f"{getattr(value, 'status_code', type(value).__name__)}",
)
def test_a_question_is_asked_again_only_where_that_helps_and_does_no_harm(heard: Any, again: bool, once: bool) -> None:
    assert (pause_after(heard, 0, again=True, jitter=0.5, now=0) is not None) == again
    assert (pause_after(heard, 0, again=False, jitter=0.5, now=0) is not None) == once


def test_the_pause_doubles_up_to_its_longest_with_half_of_it_left_to_chance() -> None:
    def pause(attempt: int, jitter: float) -> float | None:
        return pause_after(said(503), attempt, again=True, jitter=jitter, now=0)

    assert [pause(attempt, 1.0) for attempt in range(7)] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert [pause(attempt, 0.0) for attempt in range(3)] == [0.125, 0.25, 0.5]


def test_nobody_comes_back_before_the_server_wishes() -> None:
    assert pause_after(said(503, retry_after="3"), 0, again=True, jitter=1, now=0) == 3.25
    date = "Thu, 01 Jan 1970 00:00:07 GMT"
    assert pause_after(said(429, retry_after=date), 0, again=True, jitter=1, now=5) == 2.25


def test_a_server_that_wishes_for_minutes_is_not_waited_for() -> None:
    assert pause_after(said(503, retry_after="31"), 0, again=True, jitter=1, now=0) is None


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "²", "Thu, 99 Jan 1970 00:00:00 GMT"])
def test_a_wish_that_cannot_be_read_is_none(text: str) -> None:
    assert seconds(text, 0) == 0


def run(flow: Any, *heard: Any) -> Any:
    """What a flow comes to when it hears these, an answer or an error, and the pauses that it makes."""
    script, pauses = list(heard), []
    try:
        pause, _ = next(flow)
        while True:
            pauses.append(pause)
            pause, _ = flow.send(script.pop(0))
    except StopIteration as end:
        found = end.value
    except BusyError as error:
        found = error
    assert not script
    return found, pauses


def ask(**more: Any) -> Ask[Any]:
    return Ask("GET", "/v1/tasks", asks.tasks().read, **more)


def test_after_the_last_retry_the_error_is_raised() -> None:
    error, pauses = run(attempts(ask(), 2), *[httpx.ConnectError("refused", request=REQUEST)] * 3)
    assert str(error).startswith("http://127.0.0.1:8000 does not answer (ConnectError: refused).")
    assert len(pauses) == 3


def test_whoever_may_have_been_heard_is_told_so_and_whoever_was_not_is_not() -> None:
    refused, lost = httpx.ConnectError("refused", request=REQUEST), httpx.ReadTimeout("slow", request=REQUEST)
    assert "perhaps done" in run(attempts(ask(lost="perhaps done"), 1), lost, refused)[0].hint
    assert "perhaps done" not in run(attempts(ask(lost="perhaps done"), 1), refused, refused)[0].hint


def case(status: str) -> httpx.Response:
    return said(200, {"id": "a", "status": status, "level": "shadow"})


def test_a_case_is_looked_at_ever_more_rarely_until_it_is_decided() -> None:
    flow = until_decided(asks.case("late", "a"), 0, 1000, clock=lambda: 0.0)
    found, pauses = run(flow, *[case("pending")] * 9, case("decided"))
    assert found.status == "decided"
    assert pauses[:4] == [0, 0.25, 0.375, 0.5625]
    assert pauses[-1] == 5


def test_waiting_outlasts_a_server_that_is_away() -> None:
    flow = until_decided(asks.case("late", "a"), 0, 1000, clock=lambda: 0.0)
    assert run(flow, said(503), case("decided"))[0].status == "decided"


def test_waiting_ends_at_its_timeout_after_one_last_look() -> None:
    now = iter([0.0, 0.0, 0.9, 1.0])
    flow = until_decided(asks.case("late", "a"), 0, 1.0, clock=lambda: next(now))
    error, pauses = run(flow, *[case("pending")] * 3)
    assert error.message == "The case 'a' still waits after 1 seconds."
    assert pauses == pytest.approx([0, 0.25, 0.1])
