"""Every route with every verb and every caller: what is not allowed is refused, in one shape, and tells nothing."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from server.conftest import V1, Site, Sites, rows
from understudy.core.nouns import Role
from understudy.flows.access import create_token, csrf_of, revoke
from understudy.server.routes import ROUTES
from understudy.server.table import Route
from understudy.server.web import MOST_BYTES

VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
PATHS = {path: {route.method: route for route in ROUTES if route.path == path} for path in {r.path for r in ROUTES}}
PRIVATE = [route for route in ROUTES if route.roles]
CHANGING = [route for route in PRIVATE if route.method != "GET"]
TAKING = [route for route in ROUTES if route.body is not None]
CASE = {"inputs": rows(1)[0], "id": "C1"}
GOOD: dict[str, Any] = {
    "decisions": CASE,
    "decision": {"decision": "yes"},
    "outcomes": {"id": "C1", "outcome": "yes"},
    "reviews": {"id": "C2", "decision": "yes"},
    "lookback/reviews": {},
    "skip": {"id": "C2"},
    "undo": {},
    "level": {"level": "full"},
    "pause": {"paused": True},
    "rollback": {},
    "overrides": {"version": "latest", "check": "US001", "reason": "A trial."},
    "setup": {"project": "1.1700000000"},
    "predict": {"tasks": [{"id": 1, "data": {"case": "C1"}}]},
    "webhook": {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]},
}


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def each(routes: list[Route]) -> Any:
    return pytest.mark.parametrize("route", routes, ids=named)


def address(route: Route | str) -> str:
    path = route if isinstance(route, str) else route.path
    return path.format_map({"task": "claims", "id": "C1", "name": "style.css"}) if "{" in path else path


def call(client: httpx.Client, route: Route, **more: Any) -> httpx.Response:
    if route.body is not None:
        ends = (route.path.rsplit("/", parts)[1:] for parts in (2, 1))
        more = {"json": next(GOOD[name] for name in map("/".join, ends) if name in GOOD)} | more
    return client.request(route.method, address(route), **more)


@pytest.fixture(scope="module")
def asked(site: Site) -> Iterator[Site]:
    """The shared site, with two cases."""
    for case in ("C1", "C2"):
        assert site.decide(CASE["inputs"], case).status_code == 200
    yield site
    site.pause(False)


@pytest.fixture(scope="module")
def guarded(sites: Sites) -> Site:
    """A server that is attacked by guesses; the others have no such failures."""
    return sites()


@pytest.mark.parametrize("path", sorted(PATHS))
def test_without_credentials_only_public_routes_answer_and_other_verbs_are_told_which_there_are(
    asked: Site, path: str
) -> None:
    for verb in VERBS:
        answer = asked.by(None).request(verb, address(path))
        route = PATHS[path].get(verb)
        if route is None:
            assert answer.status_code == 405
            assert answer.headers["allow"] == ", ".join(sorted(PATHS[path]))
        elif route.roles:
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        else:
            assert answer.status_code not in (401, 404, 405)


@each(PRIVATE)
def test_every_role_may_call_what_the_table_lists_for_it_and_nothing_else(asked: Site, route: Route) -> None:
    for role in Role:
        answer = call(asked.by(role), route)
        if role in route.roles:
            assert answer.status_code not in (401, 403, 405)
            assert answer.status_code != 404 or "path" not in answer.json()["error"]["message"]
        else:
            assert answer.status_code == 403
            assert role.value in answer.json()["error"]["message"]


@each(PRIVATE)
def test_a_token_for_another_task_opens_none_of_this_one(asked: Site, route: Route) -> None:
    for role in route.roles:
        client = asked.another(role, f"stranger-{role.value}", task="other")
        answer = call(client, route)
        if "{task}" in route.path:
            assert answer.status_code == 403
        else:
            assert "What is pay?" not in answer.text


@each(PRIVATE)
def test_a_token_that_ends_opens_nothing(asked: Site, route: Route) -> None:
    work = asked.workspace
    earlier = replace(work, clock=Past(work.clock.now() - 3 * 86_400_000_000))
    expired = create_token(earlier, "ended", next(iter(route.roles)), days=2)
    revoked = create_token(work, f"gone {named(route)}", next(iter(route.roles)))
    revoke(work, f"gone {named(route)}")
    link = create_token(work, "linked", next(iter(route.roles)), link=True)
    for token in (expired, revoked, link):
        assert call(asked.client(token), route).status_code in (401, 429)


def test_a_revoked_token_is_believed_for_five_seconds_at_most(asked: Site) -> None:
    client = asked.another(Role.AUDITOR, "leaver")
    assert client.get("/v1/tasks").status_code == 200
    revoke(asked.workspace, "leaver")
    time.sleep(5.1)
    assert client.get("/v1/tasks").status_code in (401, 429)


@each(PRIVATE)
def test_a_guessed_token_opens_nothing(guarded: Site, route: Route) -> None:
    for header in ("Bearer us_guess", "Bearer", "Basic b3duZXI6b3duZXI=", "us_guess", "Bearer \xff\xfe"):
        answer = call(guarded.client(), route, headers={"authorization": header.encode("latin-1")})
        assert answer.status_code in (401, 429)


def test_guessing_is_slowed_down_for_whoever_guesses_and_for_nobody_else(guarded: Site) -> None:
    answers = [guarded.client("us_guess").get("/v1/tasks") for _ in range(21)]
    assert answers[-1].status_code == 429
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert guarded.by(None).get("/v1/tasks").status_code == 401
    assert guarded.owner.get("/v1/tasks").status_code == 200


@each(CHANGING)
def test_a_change_in_a_session_needs_what_only_its_own_pages_know(asked: Site, route: Route) -> None:
    role = next(iter(route.roles))
    client = asked.signed_in(role)
    for headers in ({}, {"x-csrf-token": "guess"}, {"x-csrf-token": csrf_of("another session")}):
        answer = call(client, route, headers=headers)
        assert answer.status_code == 403
        assert "out of date" in answer.text
    right = {"x-csrf-token": csrf_of(client.cookies["understudy"])}
    assert call(client, route, headers=right).status_code not in (401, 403)


FOREIGN = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {"origin": "http://["},
    {"origin": "http://localhost.evil.example"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


@each([route for route in ROUTES if route.method != "GET"])
def test_a_foreign_page_can_change_nothing(asked: Site, route: Route) -> None:
    client = asked.by(next(iter(route.roles), None))
    for headers in FOREIGN:
        assert call(client, route, headers=headers).status_code == 403
    own = {"origin": asked.url, "sec-fetch-site": "same-origin"}
    assert "may not do that here" not in call(client, route, headers=own).text


@pytest.mark.parametrize("path", sorted(PATHS))
def test_no_path_answers_under_a_foreign_host(asked: Site, path: str) -> None:
    for host in ("evil.example", "localhost.evil.example", "", "127.0.0.1.nip.io:80", "["):
        for verb in VERBS:
            answer = asked.owner.request(verb, address(path), headers={"host": host})
            assert answer.status_code in (421, 400 if not host else 421)


def test_a_session_lasts_until_it_is_ended_and_no_page_can_frame_or_script_around_it(asked: Site) -> None:
    client = asked.signed_in(Role.OWNER)
    home = client.get("/")
    assert home.status_code == 200
    assert "script-src 'self'" in home.headers["content-security-policy"]
    assert "unsafe" not in home.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in home.headers["content-security-policy"]
    session = client.cookies["understudy"]
    ended = client.post("/sign-out", data={"csrf": csrf_of(session)})
    assert ended.status_code == 303
    assert asked.client(cookies={"understudy": session}).get("/").status_code in (401, 429)


def test_the_cookie_of_a_session_is_closed_to_scripts_and_other_sites(asked: Site) -> None:
    link = create_token(asked.workspace, "cleo", Role.REVIEWER, link=True)
    answer = asked.client().post("/sign-in", data={"key": link})
    assert answer.status_code == 303
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(answer.headers["set-cookie"].split("; "))
    assert asked.client().post("/sign-in", data={"key": link}).status_code == 403


def test_a_browser_is_shown_its_refusals_as_pages(asked: Site) -> None:
    opens = {"accept": "text/html,application/xhtml+xml"}
    answer = asked.by(None).get("/", headers=opens)
    assert answer.status_code == 401
    assert "Please sign in" in answer.text
    lost = asked.owner.get("/tasks/nothing", headers=opens)
    assert lost.status_code == 404
    assert "nothing" in lost.text


@each(TAKING)
def test_a_body_must_be_json_of_the_right_size_type_and_fields(asked: Site, route: Route) -> None:
    client = asked.by(next(iter(route.roles)))
    typed = {"content-type": "application/json"}

    def send(content: Any, headers: dict[str, str] = typed) -> int:
        return client.request(route.method, address(route), content=content, headers=headers).status_code

    assert send(b" " * (MOST_BYTES + 1)) == 413
    assert send(b"{}", {"content-type": "text/plain"}) == 415
    assert send(b"{}", {}) == 415
    for broken in (b"", b"{", b"{]", b"\xff\xfe", b'{"a": NaN}', b'{"a":' * 100_000, b'{"\\ud800": 1}'):
        assert send(broken) in (400, 422)
    for wrong in (b"[]", b"1", b"null", b'"text"'):
        assert send(wrong) == 422
    if route.body is not None and route.body.__struct_config__.forbid_unknown_fields:
        assert b"unknown" in client.request(route.method, address(route), json={"unknown": 1}).content
        assert send(b'{"unknown": 1}') == 422


def test_a_body_that_hides_its_length_is_cut_off_too(asked: Site) -> None:
    def endless() -> Any:
        for _ in range(MOST_BYTES // 65536 + 2):
            yield b" " * 65536

    headers = {"content-type": "application/json"}
    assert asked.service.post(f"{V1}/decisions", content=endless(), headers=headers).status_code == 413


def test_forms_and_queries_that_make_no_sense_are_refused(asked: Site) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for body, status in ((b"a=1&" * 100, 400), (b"key=%ff%00", 403), (b"", 403), (b"key=" + b"x" * 10_000, 403)):
        assert asked.by(None).post("/sign-in", content=body, headers=form).status_code == status
    for query in ("after=-1", "after=x", "limit=0", "limit=1001", "unknown=1", "after=1e999", "after=" + "9" * 5000):
        assert asked.owner.get(f"{V1}/events?{query}").status_code == 422


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/v1", "/v1/tasks/", "/v1/tasks/claims/", "/assets/../app.py", "/assets/..%2Fapp.py", "/V1/tasks"],
)
def test_a_path_that_is_not_listed_is_not_there(asked: Site, path: str) -> None:
    assert asked.owner.get(path).status_code == 404


def test_the_event_log_is_read_page_by_page(asked: Site) -> None:
    first = asked.owner.get(f"{V1}/events", params={"limit": 1}).json()
    assert len(first["events"]) == 1
    second = asked.owner.get(f"{V1}/events", params={"after": first["next"], "limit": 1000}).json()
    assert second["next"] is None
    assert second["events"][0]["previous"] == first["events"][0]["hash"]


def test_readiness_and_metrics_say_how_the_server_fares_and_nothing_of_cases(asked: Site) -> None:
    assert asked.by(None).get("/health/ready").json() == {"status": "ready", "trouble": {}}
    text = asked.by(Role.OPERATOR).get("/metrics").text
    assert 'understudy_requests_total{route="/v1/tasks/{task}/decisions",status="200"}' in text
    assert "C1" not in text


class Past:
    """A clock that shows another time."""

    def __init__(self, at: int) -> None:
        self._at = at

    def now(self) -> int:
        return self._at

    elapsed: Callable[[], float] = staticmethod(time.monotonic)
