"""The application: lets in who may come in, calls the route, and sends what it gives. Everything else is refused."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import math
import re
import time
from collections import deque
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from understudy.core.errors import UnderstudyError
from understudy.core.nouns import Role
from understudy.flows.access import csrf_of
from understudy.server.courier import couriers, stop_couriers
from understudy.server.metrics import ANSWERED
from understudy.server.pages import as_page
from understudy.server.routes import ROUTES
from understudy.server.service import Service
from understudy.server.steward import Steward
from understudy.server.table import Call, Route
from understudy.server.web import (
    Receive,
    Reply,
    Request,
    Scope,
    Send,
    WebError,
    encode,
    error_reply,
    send_reply,
)
from understudy.store.access import Access

COOKIE = "understudy"
ANYBODY = Access(name="", role=Role.SERVICE, task=None, expires_at=None)
"""Who calls a public route; its role opens nothing else."""

SAFE = frozenset({"GET", "HEAD"})
MOST_FAILURES = 20
FAILURE_SECONDS = 60.0
MOST_RECENT = 1000
COLLECT = (50_000, 20, 50)
"""After how many new objects, and how many younger rounds, cycles are looked for."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")

log = logging.getLogger("understudy")


class Routing:
    """Finds the route of a method and path.

    >>> Routing(ROUTES).find("GET", "/v1/tasks/late/cases/a%2Fb")[1]
    {'task': 'late', 'id': 'a/b'}
    """

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._recent: dict[tuple[str, str], tuple[Route, dict[str, str]]] = {}
        self._by_length: dict[int, list[tuple[tuple[str, ...], Route]]] = {}
        for route in routes:
            parts = tuple(route.path.split("/"))
            self._by_length.setdefault(len(parts), []).append((parts, route))

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route, and the parts of the path that are its parameters.

        Raises
        ------
        WebError
            There is no such path (404), or it has no such method (405).
        """
        found = self._recent.get((method, path))
        if found is None:
            found = self._look(method, path)
            if len(self._recent) >= MOST_RECENT:
                self._recent.clear()
            self._recent[method, path] = found
        return found

    def _look(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        if CONTROL.search(unquote(path)):
            raise WebError(404, "There is no such path: it holds control characters.")
        parts = path.split("/")
        methods = set()
        for pattern, route in self._by_length.get(len(parts), ()):
            if all(want == got or (want[:1] == "{" and got) for want, got in zip(pattern, parts, strict=True)):
                if route.method == method:
                    return route, {
                        want[1:-1]: unquote(got) for want, got in zip(pattern, parts, strict=True) if want[:1] == "{"
                    }
                methods.add(route.method)
        if methods:
            allow = ", ".join(sorted(methods))
            raise WebError(405, f"This path takes {allow}.", headers=((b"allow", allow.encode()),))
        raise WebError(404, "There is no such path.", hint="GET /openapi.json lists them.")


class App:
    """The ASGI application.

    Parameters
    ----------
    service : Service
    hosts : frozenset of str
        The names under which it answers; others are refused, so that no foreign page can reach it by a name of its own.
    """

    def __init__(self, service: Service, hosts: frozenset[str]) -> None:
        self._service = service
        self._hosts = hosts
        self._routing = Routing(ROUTES)
        self._failures: deque[float] = deque(maxlen=MOST_FAILURES)
        self._steward = Steward(service)
        self._couriers = couriers(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        route: Route | None = None
        try:
            raw = scope.get("raw_path")
            path = raw.decode("latin-1").partition("?")[0] if raw else scope["path"]
            request = Request(scope["method"], path, scope["query_string"], dict(scope["headers"]), receive)
            self._check_host(request)
            route, params = self._routing.find(request.method, path)
            reply = await self._answer(route, params, request)
        except UnderstudyError as error:
            reply = refusal(scope, error)
        except Exception:
            log.exception("A request failed")
            reply = refusal(scope, WebError(500, "The server failed.", hint="Its log says why."))
        ANSWERED.add("none" if route is None else route.path, reply.status, time.perf_counter() - began)
        await send_reply(send, reply)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await asyncio.to_thread(self._service.warm)
                settle_memory()
                self._steward.start()
                for courier in self._couriers:
                    courier.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await asyncio.to_thread(stop_couriers, self._couriers)
                await asyncio.to_thread(self._steward.stop)
                await asyncio.to_thread(self._service.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _check_host(self, request: Request) -> None:
        host = request.headers.get(b"host", b"").decode("latin-1")
        if host_name(host) not in self._hosts:
            raise WebError(
                421, f"This server does not answer for the host {host[:80]!r}.", hint="Add it to [server] hosts."
            )

    async def _answer(self, route: Route, params: dict[str, str], request: Request) -> Reply:
        access, session = self._let_in(route, params, request)
        body = await read_body(route, request)
        query = None if route.query is None else read_query(route.query, request.query)
        if session and request.method not in SAFE:
            check_csrf(session, request, body)
        call = Call(self._service, request, access, params, body, query, session)
        found = await route.handler(call) if route.waits else await asyncio.to_thread(route.handler, call)
        return found if isinstance(found, Reply) else Reply(encode(found), status=route.status)

    def _let_in(self, route: Route, params: dict[str, str], request: Request) -> tuple[Access, str]:
        """Who calls, and the session's secret where a browser calls."""
        session = request.cookie(COOKIE)
        if request.method not in SAFE:
            check_origin(request, self._hosts)
        if not route.roles:
            return ANYBODY, ""
        given = request.headers.get(b"authorization", b"")
        if given[:7].lower() == b"bearer ":
            access, session = self._service.access("token", given[7:].decode("latin-1").strip()), ""
        elif route.basic and given[:6].lower() == b"basic ":
            name, secret = basic_of(given[6:])
            access, session = self._service.access("token", secret), ""
            access = access if access is not None and access.name == name else None
        else:
            access = self._service.access("session", session) if session else None
        if access is None:
            if given or session:
                self._throttle()
            raise WebError(401, "No valid token or session.", hint="Send Authorization: Bearer TOKEN, or sign in.")
        if access.role not in route.roles:
            raise WebError(403, f"The role {access.role.value} may not do this.")
        if access.task is not None and params.get("task", access.task) != access.task:
            raise WebError(403, f"This token is for the task {access.task} only.")
        return access, session

    def _throttle(self) -> None:
        """Tell whoever guesses to wait, after twenty failures in a minute."""
        now = time.monotonic()
        left = FAILURE_SECONDS - (now - self._failures[0]) if len(self._failures) == MOST_FAILURES else 0.0
        if left > 0:
            raise WebError(
                429,
                "Too many attempts without a valid token.",
                hint="Try again in a minute.",
                headers=((b"retry-after", str(math.ceil(left)).encode()),),
            )
        self._failures.append(now)


def basic_of(given: bytes) -> tuple[str, str]:
    """The name and the token in basic credentials, written in UTF-8 or Latin-1; empty where they cannot be read.

    >>> basic_of(b"c2hvcDp1c18x")
    ('shop', 'us_1')
    """
    try:
        raw = base64.b64decode(given.strip(), validate=True)
    except ValueError:
        return "", ""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    name, _, secret = text.rpartition(":")
    return name, secret


def refusal(scope: Scope, error: UnderstudyError) -> Reply:
    """An error: a page where a browser opens one, JSON elsewhere."""
    opens = scope["method"] == "GET" and b"text/html" in dict(scope["headers"]).get(b"accept", b"")
    return as_page(error) if opens else error_reply(error)


def settle_memory() -> None:
    """What is loaded now stays: the collector of cycles need not walk through it again and again under load."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)


@lru_cache(maxsize=MOST_RECENT)
def host_name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("[::1]:8000"), host_name("Example.org:80")
    ('::1', 'example.org')
    """
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def check_origin(request: Request, hosts: frozenset[str]) -> None:
    """A change may only come from our own pages, or from no page at all.

    Raises
    ------
    WebError
        A foreign page sends it.
    """
    origin = request.headers.get(b"origin")
    foreign = origin is not None and host_name(origin.decode("latin-1").partition("://")[2]) not in hosts
    if foreign or request.headers.get(b"sec-fetch-site", b"same-origin") not in (b"same-origin", b"none"):
        raise WebError(403, "This page may not do that here.")


def check_csrf(session: str, request: Request, body: Any) -> None:
    """A change in a session carries what only a page of that session knows.

    Raises
    ------
    WebError
        It does not.
    """
    sent = request.headers.get(b"x-csrf-token", b"").decode("latin-1")
    if not sent and isinstance(body, dict):
        sent = body.get("csrf", "")
    if sent != csrf_of(session):
        raise WebError(403, "The page is out of date.", hint="Load it again.")


async def read_body(route: Route, request: Request) -> Any:
    """The body in the route's type.

    Raises
    ------
    WebError
        It is no JSON (400, 415), or has a fault (422).
    """
    if route.body is None and not route.form:
        return None
    kind = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    raw = await request.body()
    if route.form:
        try:
            return dict(parse_qsl(raw.decode("utf-8", "replace"), max_num_fields=20))
        except ValueError as error:
            raise WebError(400, f"The form cannot be read: {error}.") from error
    if kind != b"application/json":
        raise WebError(415, "The body must be JSON.", hint="Send Content-Type: application/json.")
    try:
        return msgspec.json.decode(raw, type=route.body)
    except msgspec.ValidationError as error:
        raise WebError(422, f"The body has a fault: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WebError(400, f"The body is no JSON: {error}.") from error


def read_query(kind: type, raw: bytes) -> Any:
    """What stands behind the question mark, in the route's type.

    Raises
    ------
    WebError
        It has a fault.
    """
    pairs = dict(parse_qsl(raw.decode("latin-1"), keep_blank_values=True))
    try:
        return msgspec.convert(pairs, kind, strict=False)
    except msgspec.ValidationError as error:
        raise WebError(422, f"The query has a fault: {error}.") from error
