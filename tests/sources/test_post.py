"""Posting to real receivers, and to addresses that may not be called."""

import socket
import threading
import time
from contextlib import suppress

import pytest

from receiver import SECRET, receiving
from understudy.core.webhook import read_keys, signature
from understudy.sources import post
from understudy.sources.post import Poster


def headers(body: bytes, name: str = "msg_1") -> dict[str, str]:
    at = int(time.time())
    signed = signature(read_keys(SECRET), name, at, body)
    return {"webhook-id": name, "webhook-timestamp": str(at), "webhook-signature": signed}


BODY = b'{"type":"webhook.test"}'


def test_messages_go_over_one_connection() -> None:
    with receiving() as receiver:
        poster = Poster(allow_private=True)
        for number in range(3):
            posted = poster.post(receiver.url, headers(BODY, f"msg_{number}"), BODY)
            assert (posted.taken, posted.status, posted.error) == (True, 204, "")
        poster.close()
    assert receiver.ids == ["msg_0", "msg_1", "msg_2"]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "127.1", "0x7f000001", "[::ffff:127.0.0.1]", "0.0.0.0"]
)
def test_a_private_address_is_refused_however_it_is_written_and_nobody_is_called(host: str) -> None:
    with receiving(host="127.0.0.1") as receiver:
        posted = Poster().post(f"http://{host}:{receiver.port}/hook", headers(BODY), BODY)
        assert (posted.taken, posted.status) == (False, None)
        assert "is a private address; allow_private = true would allow it" in posted.error
    assert receiver.asked == []


def test_a_name_that_leads_to_one_private_address_among_others_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **_: object) -> list[tuple]:
        return [(2, 1, 6, "", (address, port)) for address in ("93.184.216.34", "169.254.169.254")]

    monkeypatch.setattr(post.socket, "getaddrinfo", look_up)
    posted = Poster().post("https://example.org/hook", headers(BODY), BODY)
    assert posted.error.startswith("169.254.169.254 is a private address")


def test_a_name_that_leads_elsewhere_a_moment_later_is_called_where_it_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The address is looked up once: rebinding it between the check and the call changes nothing."""
    asked: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple]:
        asked.append(host)
        return [(2, 1, 6, "", ("127.0.0.1" if len(asked) > 1 else "93.184.216.34", port))]

    called: list[str] = []

    def connect(self: object, host: str, *_: object, **__: object) -> None:
        called.append(host)
        raise post.httpcore.ConnectError("no route")

    monkeypatch.setattr(post.socket, "getaddrinfo", look_up)
    monkeypatch.setattr(post.httpcore.SyncBackend, "connect_tcp", connect)
    posted = Poster().post("https://example.org/hook", headers(BODY), BODY)
    assert (asked, called, posted.error) == (["example.org"], ["93.184.216.34"], "no route")


def test_who_answers_is_judged_once_more_when_the_connection_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the look-up itself is deceived, the peer of the connection is what counts."""
    with receiving() as receiver:
        monkeypatch.setattr(post.Guard, "_addresses", lambda *_: ["127.0.0.1"])
        posted = Poster().post(f"http://example.org:{receiver.port}/hook", headers(BODY), BODY)
        assert posted.error.startswith("127.0.0.1 is a private address")
    assert receiver.asked == []


def test_a_redirect_is_not_followed() -> None:
    with receiving() as receiver:
        receiver.answers = [302]
        posted = Poster(allow_private=True).post(receiver.url, headers(BODY), BODY)
    assert (posted.taken, posted.status) == (False, 302)
    assert "not followed" in posted.error
    assert len(receiver.asked) == 1


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
def test_other_answers_say_their_status(status: int) -> None:
    with receiving() as receiver:
        receiver.answers = [status]
        posted = Poster(allow_private=True).post(receiver.url, headers(BODY), BODY)
    assert (posted.taken, posted.status, posted.error) == (False, status, f"it answered {status}")


@pytest.mark.parametrize("answer", ["slow", "drip"])
def test_an_attempt_ends_in_time_also_where_bytes_come_one_by_one(answer: str) -> None:
    with receiving() as receiver:
        if answer == "slow":
            receiver.slow = 3.0
        else:
            receiver.answers = ["drip"]
        began = time.monotonic()
        posted = Poster(allow_private=True, seconds=0.6).post(receiver.url, headers(BODY), BODY)
        assert time.monotonic() - began < 2
    assert (posted.status, posted.error) == (None, "no answer within 0.6 s")


def test_who_hangs_up_or_is_not_there_has_not_taken_it() -> None:
    with receiving() as receiver:
        receiver.answers = ["hang up"]
        poster = Poster(allow_private=True)
        assert poster.post(receiver.url, headers(BODY), BODY).status is None
        assert poster.post(receiver.url, headers(BODY), BODY).taken
    assert "refused" in Poster(allow_private=True).post(receiver.url, headers(BODY), BODY).error
    assert (
        Poster().post("https://nowhere.invalid/", headers(BODY), BODY).error.startswith("the name cannot be looked up")
    )


def test_a_receiver_that_speaks_no_http_is_an_error_and_a_long_answer_is_cut_off() -> None:
    for answer, taken in ((b"SSH-2.0-x\r\n", False), (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000_000, True)):
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=speak, args=(server, answer), daemon=True).start()
            url = f"http://127.0.0.1:{server.getsockname()[1]}/"
            assert Poster(allow_private=True, seconds=5).post(url, headers(BODY), BODY).taken is taken


def speak(server: socket.socket, answer: bytes) -> None:
    """Say something to whoever calls."""
    caller, _ = server.accept()
    with caller:
        caller.recv(65536)
        with suppress(OSError):
            caller.sendall(answer)
