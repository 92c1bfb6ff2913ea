"""The two clients: one waits, the other awaits. What they do is told in `asks` and `attempts`; they only do it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, TypeVar

import httpx
import msgspec

from understudy.client import asks
from understudy.client.asks import Ask, Plain
from understudy.client.attempts import Flow, Heard, attempts, until_decided
from understudy.client.replies import Decision, Failed
from understudy.core.errors import InputError

T = TypeVar("T")
TOKEN = "UNDERSTUDY_TOKEN"  # noqa: S105  the name of a variable
LOCAL = "http://127.0.0.1:8000"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where a client asks, as whom, and how patiently."""

    url: str
    headers: dict[str, str]
    timeout: float
    retries: int


def access(url: str, token: str | None, timeout: float, retries: int) -> Access:
    """The access of a client.

    Raises
    ------
    InputError
        There is no token, or the address, the token or a number cannot be used.
    """
    secret = (os.environ.get(TOKEN, "") if token is None else token).strip()
    if not secret:
        raise InputError(
            "The client has no token.",
            hint=f"Make one with `understudy token create NAME --role service`; give it as token= or in {TOKEN}.",
        )
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise InputError("The token holds characters that no token has.", hint="Give it as it was printed, all of it.")
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise InputError(f"The address {url!r} cannot be read: {error}.") from error
    if parsed.userinfo:
        raise InputError("The address holds a user or password.", hint="Give a token instead.")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(f"The address {url!r} is not one of http or https.", hint=f"It looks like {LOCAL}.")
    if retries < 0 or timeout <= 0:
        raise InputError(f"retries={retries} or timeout={timeout} is too small.", hint="Give 0 or more, and above 0.")
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    return Access(url=url, headers=headers, timeout=timeout, retries=retries)


class Client:
    """Asks a server, and asks again while that is safe.

    Parameters
    ----------
    url : str
    token : str, optional
        By default what the environment variable UNDERSTUDY_TOKEN holds.
    timeout : float
        Seconds for which one attempt may be silent.
    retries : int
        How many more attempts there may be, with growing pauses between them.
    transport : BaseTransport, optional
        What carries the requests, as httpx takes it.

    Raises
    ------
    InputError
        There is no token, or the address cannot be used.
    """

    def __init__(
        self,
        url: str = LOCAL,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._access = access(url, token, timeout, retries)
        self._http = httpx.Client(
            base_url=self._access.url, headers=self._access.headers, timeout=timeout, transport=transport
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def decide(self, task: str, inputs: Mapping[str, Any], *, id: str | None = None, explain: bool = False) -> Decision:
        """Decide a case.

        Asked again with the same `id` and inputs, it is decided once and answered the same. Without an `id` the
        client makes one, which covers its own attempts but not yours. With `explain`, its `facts` are the three that
        moved the model most, where it decided.

        Raises
        ------
        ContractError
            The inputs break the task's contract; `faults` lists how.
        ConflictError
            The id was recorded with other inputs.
        BusyError
            There was no answer; the hint tells the id to ask again with.
        """
        return self._do(asks.decide(task, inputs, id, explain))

    def decide_many(
        self, task: str, cases: Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]], *, explain: bool = False
    ) -> list[Decision | Failed]:
        """Decide up to 1,000 cases, given as inputs by id, or as inputs alone; in their order.

        A case that fails does not keep the others from being decided: its place holds a `Failed` with the error. With
        `explain`, 20 at most.
        """
        return self._do(asks.decide_many(task, cases, explain))

    def case(self, task: str, id: str, *, explain: bool = False) -> Decision:
        """A case as it stands now; with `explain`, with its `facts`."""
        return self._do(asks.case(task, id, explain))

    def decided(
        self, task: str, id: str, decision: str | float, *, by: Literal["person", "rule"] = "person"
    ) -> Decision:
        """Tell what your own people or rules decided for a case that is pending."""
        return self._do(asks.decided(task, id, decision, by))

    def wait(self, task: str, id: str, *, timeout: float) -> Decision:
        """A case once it is decided, looking ever more rarely, at last every five seconds.

        Raises
        ------
        BusyError
            It was not within `timeout` seconds.
        """
        return self._follow(until_decided(asks.case(task, id), self._access.retries, timeout))

    def outcome(self, task: str, id: str, outcome: str | float | bool, *, observed_at: datetime | None = None) -> Plain:
        """Tell what turned out to be right for a case; `result` says what became of it."""
        return self._do(asks.outcome(task, id, outcome, observed_at))

    def outcomes(self, task: str, outcomes: Iterable[Mapping[str, Any]]) -> list[Plain]:
        """Tell up to 1,000 outcomes, each with `id`, `outcome` and, where it is known, `observed_at`."""
        return self._do(asks.outcomes(task, outcomes))

    def next_review(self, task: str) -> Plain | None:
        """The most urgent case for this reviewer, kept for ten minutes; None where none waits."""
        return self._do(asks.next_review(task))

    def review(self, task: str, id: str, decision: str | float, note: str | None = None) -> Plain:
        """Answer a case as a reviewer."""
        return self._do(asks.review(task, id, decision, note))

    def skip(self, task: str, id: str) -> Plain:
        """Leave a case to other reviewers."""
        return self._do(asks.skip(task, id))

    def undo(self, task: str) -> Plain:
        """Take back this reviewer's last answer or skip."""
        return self._do(asks.undo(task))

    def task(self, task: str) -> Plain:
        """How a task stands."""
        return self._do(asks.task(task))

    def tasks(self) -> list[Plain]:
        """How every task stands that the token opens."""
        return self._do(asks.tasks())

    def set_level(
        self,
        task: str,
        level: str,
        *,
        why: str = "",
        override: bool = False,
        thresholds: Mapping[str, float] | None = None,
    ) -> Plain:
        """Change the level: down at once, up with proof or by the owner's override."""
        return self._do(asks.set_level(task, level, why, override, thresholds))

    def pause(self, task: str, *, why: str = "") -> Plain:
        """Stop automation at once."""
        return self._do(asks.pause(task, True, why))

    def resume(self, task: str, *, why: str = "") -> Plain:
        """Let automation go on."""
        return self._do(asks.pause(task, False, why))

    def rollback(self, task: str, *, version: str | None = None, why: str = "") -> Plain:
        """Bring an earlier champion back: the one before this, or the one that is named."""
        return self._do(asks.rollback(task, version, why))

    def events(self, task: str, *, after: int = 0) -> Iterator[Plain]:
        """The events of a task after a number, the oldest first; pages are fetched as they are needed."""
        place: int | None = after
        while place is not None:
            page = self._do(asks.events(task, place))
            yield from page.events
            place = page.next

    def _do(self, ask: Ask[T]) -> T:
        return self._follow(attempts(ask, self._access.retries))

    def _follow(self, flow: Flow[T]) -> T:
        try:
            pause, ask = next(flow)
            while True:
                time.sleep(pause)
                pause, ask = flow.send(self._send(ask))
        except StopIteration as end:
            answer: T = end.value
            return answer

    def _send(self, ask: Ask[Any]) -> Heard:
        try:
            return self._http.request(ask.method, ask.path, content=ask.body)
        except httpx.RequestError as error:
            return error


class AsyncClient:
    """As `Client`, for programs on asyncio.

    Parameters
    ----------
    url : str
    token : str, optional
        By default what the environment variable UNDERSTUDY_TOKEN holds.
    timeout : float
        Seconds for which one attempt may be silent.
    retries : int
        How many more attempts there may be, with growing pauses between them.
    transport : AsyncBaseTransport, optional
        What carries the requests, as httpx takes it.

    Raises
    ------
    InputError
        There is no token, or the address cannot be used.
    """

    def __init__(
        self,
        url: str = LOCAL,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        retries: int = 4,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._access = access(url, token, timeout, retries)
        self._http = httpx.AsyncClient(
            base_url=self._access.url, headers=self._access.headers, timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def decide(
        self, task: str, inputs: Mapping[str, Any], *, id: str | None = None, explain: bool = False
    ) -> Decision:
        """As `Client.decide`."""
        return await self._do(asks.decide(task, inputs, id, explain))

    async def decide_many(
        self, task: str, cases: Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]], *, explain: bool = False
    ) -> list[Decision | Failed]:
        """As `Client.decide_many`."""
        return await self._do(asks.decide_many(task, cases, explain))

    async def case(self, task: str, id: str, *, explain: bool = False) -> Decision:
        """As `Client.case`."""
        return await self._do(asks.case(task, id, explain))

    async def decided(
        self, task: str, id: str, decision: str | float, *, by: Literal["person", "rule"] = "person"
    ) -> Decision:
        """As `Client.decided`."""
        return await self._do(asks.decided(task, id, decision, by))

    async def wait(self, task: str, id: str, *, timeout: float) -> Decision:
        """As `Client.wait`."""
        return await self._follow(until_decided(asks.case(task, id), self._access.retries, timeout))

    async def outcome(
        self, task: str, id: str, outcome: str | float | bool, *, observed_at: datetime | None = None
    ) -> Plain:
        """As `Client.outcome`."""
        return await self._do(asks.outcome(task, id, outcome, observed_at))

    async def outcomes(self, task: str, outcomes: Iterable[Mapping[str, Any]]) -> list[Plain]:
        """As `Client.outcomes`."""
        return await self._do(asks.outcomes(task, outcomes))

    async def next_review(self, task: str) -> Plain | None:
        """As `Client.next_review`."""
        return await self._do(asks.next_review(task))

    async def review(self, task: str, id: str, decision: str | float, note: str | None = None) -> Plain:
        """As `Client.review`."""
        return await self._do(asks.review(task, id, decision, note))

    async def skip(self, task: str, id: str) -> Plain:
        """As `Client.skip`."""
        return await self._do(asks.skip(task, id))

    async def undo(self, task: str) -> Plain:
        """As `Client.undo`."""
        return await self._do(asks.undo(task))

    async def task(self, task: str) -> Plain:
        """As `Client.task`."""
        return await self._do(asks.task(task))

    async def tasks(self) -> list[Plain]:
        """As `Client.tasks`."""
        return await self._do(asks.tasks())

    async def set_level(
        self,
        task: str,
        level: str,
        *,
        why: str = "",
        override: bool = False,
        thresholds: Mapping[str, float] | None = None,
    ) -> Plain:
        """As `Client.set_level`."""
        return await self._do(asks.set_level(task, level, why, override, thresholds))

    async def pause(self, task: str, *, why: str = "") -> Plain:
        """As `Client.pause`."""
        return await self._do(asks.pause(task, True, why))

    async def resume(self, task: str, *, why: str = "") -> Plain:
        """As `Client.resume`."""
        return await self._do(asks.pause(task, False, why))

    async def rollback(self, task: str, *, version: str | None = None, why: str = "") -> Plain:
        """As `Client.rollback`."""
        return await self._do(asks.rollback(task, version, why))

    async def events(self, task: str, *, after: int = 0) -> AsyncIterator[Plain]:
        """As `Client.events`."""
        place: int | None = after
        while place is not None:
            page = await self._do(asks.events(task, place))
            for event in page.events:
                yield event
            place = page.next

    async def _do(self, ask: Ask[T]) -> T:
        return await self._follow(attempts(ask, self._access.retries))

    async def _follow(self, flow: Flow[T]) -> T:
        try:
            pause, ask = next(flow)
            while True:
                await asyncio.sleep(pause)
                pause, ask = flow.send(await self._send(ask))
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def _send(self, ask: Ask[Any]) -> Heard:
        try:
            return await self._http.request(ask.method, ask.path, content=ask.body)
        except httpx.RequestError as error:
            return error
