"""Requests and answers: the little of HTTP that the routes need, on bare ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

import msgspec

from understudy.core.errors import (
    BusyError,
    ConflictError,
    DeniedError,
    ErasedError,
    Fault,
    FaultyInputError,
    InputError,
    NotFoundError,
    UnderstudyError,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BYTES = 4 * 1024 * 1024
"""The largest body that is read."""

RETRY_AFTER = b"1"

POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Under `no-referrer`, browsers name the origin of a page's own forms `null`.
ALWAYS = [
    (b"content-security-policy", POLICY),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]

encode = msgspec.json.Encoder().encode


class WebError(UnderstudyError):
    """Something that only HTTP knows of, with its status."""

    def __init__(self, status: int, message: str, *, hint: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()):
        super().__init__(message, hint=hint)
        self.status = status
        self.headers = headers


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong: its kind, what happened, the way out, and every fault."""

    kind: str
    message: str
    hint: str = ""
    faults: tuple[Fault, ...] = ()


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True):
    """The one shape of every error."""

    error: Problem


class Reply(msgspec.Struct, frozen=True):
    """An answer as it goes out."""

    body: bytes
    status: int = 200
    content_type: bytes = b"application/json"
    headers: tuple[tuple[bytes, bytes], ...] = ()


STATUS: tuple[tuple[type[UnderstudyError], int], ...] = (
    (NotFoundError, 404),
    (InputError, 422),
    (ConflictError, 409),
    (ErasedError, 410),
    (DeniedError, 403),
    (BusyError, 503),
)


def problem(error: UnderstudyError) -> Problem:
    """An error as it is told."""
    kind = "WebError" if isinstance(error, WebError) else type(error).__name__
    faults = error.faults if isinstance(error, FaultyInputError) else ()
    return Problem(kind=kind, message=error.message, hint=error.hint, faults=faults)


def status_of(error: UnderstudyError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, WebError):
        return error.status
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def error_reply(error: UnderstudyError) -> Reply:
    """An error as an answer."""
    status = status_of(error)
    headers = error.headers if isinstance(error, WebError) else ()
    if status == 503:
        headers = (*headers, (b"retry-after", RETRY_AFTER))
    if status == 401:
        headers = (*headers, (b"www-authenticate", b"Bearer"))
    return Reply(encode(ErrorBody(error=problem(error))), status=status, headers=headers)


class Request(msgspec.Struct):
    """A request as it came."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    receive: Receive

    def cookie(self, name: str) -> str:
        """The value of a cookie, or nothing."""
        raw = self.headers.get(b"cookie")
        if not raw:
            return ""
        try:
            found = SimpleCookie(raw.decode("latin-1")).get(name)
        except CookieError:
            return ""
        return "" if found is None else found.value

    async def body(self) -> bytes:
        """The whole body.

        Raises
        ------
        WebError
            It is too large, or the caller hung up in the middle.
        """
        declared = self.headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > MOST_BYTES:
            raise too_large()
        chunks, size = [], 0
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise WebError(400, "The request ended before its body did.")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MOST_BYTES:
                raise too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks) if len(chunks) > 1 else chunk


def too_large() -> WebError:
    """The error for a body that is not read."""
    return WebError(413, f"The body is larger than {MOST_BYTES:,} bytes.", hint="Send fewer cases at once.")


async def send_reply(send: Send, reply: Reply) -> None:
    """Send an answer with the headers that every answer has."""
    length = b"%d" % len(reply.body)
    headers = [(b"content-type", reply.content_type), (b"content-length", length), *ALWAYS, *reply.headers]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
