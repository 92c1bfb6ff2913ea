"""When is a question asked again? Told as generators, which a shell that waits and one that awaits both drive.

A generator yields the seconds to pause and what to ask then, and is sent what came of it: the answer, or the error that
took its place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from email.utils import parsedate_to_datetime
from secrets import SystemRandom
from typing import Any, TypeVar

import httpx
import msgspec

from understudy.client.asks import Ask
from understudy.client.replies import Decision, refusal, riddle, silence
from understudy.core.errors import BusyError, UnderstudyError

T = TypeVar("T")
Heard = httpx.Response | httpx.RequestError
Flow = Generator[tuple[float, Ask[Any]], Heard, T]

BUSY = frozenset({429, 502, 503, 504})
PASSING = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""Errors that come before anything was sent."""

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 8.0
LONGEST_WISH = 30.0
"""Whoever asks for more patience than this many seconds is told to the caller at once."""

FIRST_LOOK = 0.25
LONGEST_LOOK = 5.0

draw = SystemRandom().random


def attempts(ask: Ask[T], retries: int, first: float = 0.0) -> Flow[T]:
    """Ask, and after a pause ask again while there is hope and it can do no harm.

    Raises
    ------
    UnderstudyError
        What the server said, or that it said nothing.
    """
    attempt, pause, arrived = 0, first, False
    while True:
        heard = yield pause, ask
        if isinstance(heard, httpx.Response) and heard.is_success:
            return read(ask, heard)
        arrived = arrived or not isinstance(heard, UNSENT)
        more = pause_after(heard, attempt, again=ask.again, jitter=draw(), now=time.time())
        if more is None or attempt >= retries:
            cause = heard if isinstance(heard, httpx.RequestError) else None
            raise failure(heard, ask.lost if arrived else "") from cause
        attempt, pause = attempt + 1, more


def pause_after(heard: Heard, attempt: int, *, again: bool, jitter: float, now: float) -> float | None:
    """The seconds to pause before asking once more, or None where that is hopeless or could do harm.

    Parameters
    ----------
    heard : Response or RequestError
    attempt : int
        How many came before this one; the pause doubles with each.
    again : bool
        Whether it may be asked again although it may have been done.
    jitter : float
        Between 0 and 1, so that callers who failed together do not come back together.
    now : float
        Seconds since 1970 UTC.
    """
    wish = 0.0
    if isinstance(heard, httpx.Response):
        if heard.status_code not in BUSY or not again:
            return None
        wish = seconds(heard.headers.get("retry-after", ""), now)
    elif not isinstance(heard, PASSING if again else UNSENT):
        return None
    if wish > LONGEST_WISH:
        return None
    return wish + min(FIRST_PAUSE * 2.0**attempt, LONGEST_PAUSE) * (1 + jitter) / 2


def seconds(text: str, now: float) -> float:
    """The pause that a Retry-After header asks for, in seconds or until a date; 0 where it cannot be read.

    >>> seconds("2", 0), seconds("Thu, 01 Jan 1970 00:01:00 GMT", 50), seconds("soon", 0)
    (2.0, 10.0, 0.0)
    """
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0


def read(ask: Ask[T], response: httpx.Response) -> T:
    """The answer in its type.

    Raises
    ------
    UnderstudyError
        It is something else.
    """
    try:
        return ask.read(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError) as error:
        raise riddle(response, error) from error


def failure(heard: Heard, lost: str) -> UnderstudyError:
    """The error after the last attempt, with what to do where nobody knows whether it was done."""
    error = refusal(heard) if isinstance(heard, httpx.Response) else silence(heard)
    if lost and isinstance(error, BusyError):
        return BusyError(error.message, hint=f"{error.hint} {lost}".strip())
    return error


def until_decided(
    ask: Ask[Decision], retries: int, timeout: float, clock: Callable[[], float] = time.monotonic
) -> Flow[Decision]:
    """Look at a case, ever more rarely, until it is decided; a server that is away meanwhile is waited for.

    Raises
    ------
    BusyError
        It was not within the timeout.
    """
    end, pause = clock() + timeout, 0.0
    while True:
        try:
            found = yield from attempts(ask, retries, pause)
        except BusyError as error:
            trouble = error
        else:
            if found.status == "decided":
                return found
            trouble = BusyError(f"The case {found.id!r} still waits after {timeout:g} seconds.")
        left = end - clock()
        if left <= 0:
            raise trouble
        pause = min(max(pause * 1.5, FIRST_LOOK), LONGEST_LOOK, left)
