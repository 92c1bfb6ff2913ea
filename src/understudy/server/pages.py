"""The pages: plain HTML, made here, with one style sheet and one script of our own."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from understudy.core.errors import DeniedError, UnderstudyError
from understudy.core.nouns import Level, Role
from understudy.flows.access import SESSION_LIFE, csrf_of, redeem_link
from understudy.flows.access import sign_out as end
from understudy.flows.lookback import LookbackReport, read_lookback
from understudy.flows.status import ON_SCREEN, TaskStatus, history, task_status
from understudy.server.table import Call, Route
from understudy.server.web import Reply, WebError, error_reply

HTML = b"text/html; charset=utf-8"
ASSETS = ("style.css", "pages.js")
NEWEST = 20
COOKIE = "understudy={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}"


@cache
def environment() -> Environment:
    """Templates that escape everything."""
    made = Environment(
        loader=PackageLoader("understudy.server"), autoescape=select_autoescape(default=True), undefined=StrictUndefined
    )
    made.filters["moment"] = lambda at: datetime.fromtimestamp(at / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return made


def page(call: Call, name: str, **values: Any) -> Reply:
    """A page from its template."""
    shown = {
        "csrf": csrf_of(call.session) if call.session else "",
        "user": call.access.name,
        "may_review": call.access.role in (Role.REVIEWER, Role.OWNER),
        "may_watch": call.access.role in (Role.OPERATOR, Role.OWNER, Role.AUDITOR),
        "may_confirm": call.access.role is Role.OWNER,
        "may_steer": call.access.role in (Role.OPERATOR, Role.OWNER),
    }
    text = environment().get_template(name).render(**shown, **values)
    return Reply(text.encode(), content_type=HTML)


def home(call: Call) -> Reply:
    """Every task."""
    names = call.service.tasks() if call.access.task is None else [call.access.task]
    return page(call, "home.html", tasks=[task_status(call.service.work, name) for name in names])


def task(call: Call) -> Reply:
    """How a task stands, with its stop button and its newest moves."""
    status = task_status(call.service.work, call.task)
    events = history(call.service.work, call.task, most=100_000)
    moves = [event for event in reversed(events) if event.kind.startswith("moved.")][:NEWEST]
    lower = [(level, ON_SCREEN[level]) for level in Level if level.height < status.level.height]
    return page(
        call, "task.html", task=status, moves=moves, lower=lower, look_back=since_change(call, status), words=ON_SCREEN
    )


def since_change(call: Call, status: TaskStatus) -> LookbackReport | None:
    """The look-back of the last step down, where it lists any case."""
    if status.level.height >= Level.PARTIAL.height:
        return None
    found = read_lookback(call.service.work, call.task, most=1)
    return found if found.cases else None


def review(call: Call) -> Reply:
    """The page on which cases are decided; its script asks for them."""
    status = task_status(call.service.work, call.task)
    return page(call, "review.html", task=status)


def sign_in_page(call: Call) -> Reply:
    """Where a link leads: one button, so that whatever merely looks at the link does not use it up."""
    return page(call, "sign_in.html", problem="")


def sign_in(call: Call) -> Reply:
    """Use a link's key, and go home."""
    try:
        session = redeem_link(call.service.work, call.body.get("key", "")[:200])
    except DeniedError as error:
        failed = page(call, "sign_in.html", problem=f"{error.message} {error.hint}")
        return Reply(failed.body, status=403, content_type=HTML)
    cookie = COOKIE.format(session, SESSION_LIFE // 1_000_000).encode()
    return Reply(b"", status=303, content_type=HTML, headers=((b"location", b"/"), (b"set-cookie", cookie)))


def sign_out(call: Call) -> Reply:
    """End the session."""
    end(call.service.work, call.session)
    call.service.forget(call.session)
    gone = COOKIE.format("", 0).encode()
    return Reply(b"", status=303, content_type=HTML, headers=((b"location", b"/sign-in"), (b"set-cookie", gone)))


def interface(call: Call, routes: Sequence[Route]) -> Reply:
    """Every route, with who may call it."""
    shown = [
        route for route in routes if route.path.startswith(("/v1", "/labelstudio", "/health", "/metrics", "/openapi"))
    ]
    return page(call, "interface.html", routes=shown)


def asset(call: Call) -> Reply:
    """The style sheet or the script.

    Raises
    ------
    WebError
        There is no such file.
    """
    name = call.params["name"]
    if name not in ASSETS:
        raise WebError(404, "There is no such file.")
    data = resources.files("understudy.server").joinpath("assets", name).read_bytes()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Reply(data, content_type=kind.encode())


def as_page(error: UnderstudyError) -> Reply:
    """An error as a browser shows it: whoever is not signed in learns where to."""
    reply = error_reply(error)
    text = (
        environment()
        .get_template("error.html")
        .render(csrf="", user="", may_review=False, may_watch=False, may_steer=False, status=reply.status, error=error)
    )
    return Reply(text.encode(), status=reply.status, content_type=HTML, headers=reply.headers)
