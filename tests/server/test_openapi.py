"""The interface document says what the server does, and nothing that is sent makes it fail."""

import json

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS

from server.conftest import V1, Site, Sites, rows
from understudy.core.nouns import Role
from understudy.server.openapi import document
from understudy.server.routes import ROUTES
from understudy.server.table import Route

ROLES = (Role.OWNER, Role.SERVICE, Role.REVIEWER)
DESCRIBED = schemathesis.openapi.from_dict(json.loads(document(ROUTES)))
NOT_HERE = CHECKS.get_by_names(["positive_data_acceptance", "ignored_auth"])
"""What a task takes is said by its contract, so fitting JSON may be refused; who guesses tokens is soon told 429."""


def few(most: int) -> settings:
    """The same examples each time, and few of them."""
    checks = list(HealthCheck)
    return settings(derandomize=True, deadline=None, database=None, suppress_health_check=checks, max_examples=most)


@pytest.fixture(scope="module")
def probed(sites: Sites) -> Site:
    site = sites()
    for place, row in enumerate(rows(20)):
        assert site.decide(row, f"C{place}").status_code == 200
    return site


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_the_document_names_every_route_and_the_roles_that_may_call_it(probed: Site) -> None:
    found = probed.service.get("/openapi.json").json()
    assert found["openapi"] == "3.1.0"
    listed = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    assert listed == {(route.method, route.path) for route in ROUTES}
    for route in ROUTES:
        operation = found["paths"][route.path][route.method.lower()]
        assert all(role.value in operation["description"] for role in route.roles)
        assert (operation.get("security") == []) == (not route.roles)
    assert len({operation["operationId"] for path in found["paths"].values() for operation in path.values()}) == len(
        ROUTES
    )


def test_every_reference_in_the_document_leads_somewhere() -> None:
    text = document(ROUTES).decode()
    found = json.loads(text)
    for name in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in found["components"]["schemas"]


RIGHT = [(route, GenerationMode.POSITIVE) for route in ROUTES]
WRONG = [(route, GenerationMode.NEGATIVE) for route in ROUTES if route.body or route.query]


@pytest.mark.parametrize(
    ("route", "mode"), RIGHT + WRONG, ids=lambda one: one.value if isinstance(one, GenerationMode) else named(one)
)
def test_the_server_does_what_the_document_says(probed: Site, route: Route, mode: GenerationMode) -> None:
    operation = DESCRIBED[route.path][route.method]
    known = {"task": "claims", "id": "C1", "name": "style.css"}
    here = {name: value for name, value in known.items() if f"{{{name}}}" in route.path}

    @few(8)
    @given(case=operation.as_strategy(mode, path_parameters=here or None), role=st.sampled_from(ROLES))
    def probe(case: Case, role: Role) -> None:
        headers = {"Authorization": f"Bearer {probed.token[role]}"}
        case.call_and_validate(base_url=probed.url, headers=headers, excluded_checks=NOT_HERE)

    probe()


HUGE = st.sampled_from(["9" * 400, "-1e308", "1e309", "NaN", "Infinity", "0." + "0" * 400 + "1", "1" * 19, "-0"])
WORDS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["\x00", "a\x00b", "\x7f", "\u2028", "\ufeff", "yes", "no", "C1", "<b>", "2026-01-01T00:00:00Z"]),
)
SURROGATES = st.sampled_from(['"\\ud800"', '"\\udc00a"', '"\\ud83d\\ude00"', '"\\u0000"'])
ATOMS = st.one_of(st.sampled_from(["null", "true", "false", "[]", "{}"]), HUGE, SURROGATES, WORDS.map(json.dumps))
NAMES = (
    "inputs cases id decision outcome outcomes observed_at note level why thresholds override paused version by "
    "amount region day age report"
)
FIELDS = st.sampled_from([*NAMES.split(), "\x00", ""])


def lists(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(parts, max_size=4).map(lambda found: f"[{','.join(found)}]")


def objects(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pairs = st.lists(st.tuples(FIELDS.map(json.dumps), parts), max_size=4)
    return pairs.map(lambda found: "{" + ",".join(f"{name}:{value}" for name, value in found) + "}")


JSON = st.recursive(ATOMS, lambda parts: st.one_of(lists(parts), objects(parts)), max_leaves=8)
DEEP = st.tuples(st.sampled_from(["[", '{"inputs":', '{"cases":[']), st.integers(1, 100_000)).map(
    lambda pair: pair[0] * pair[1]
)


def bodies(route: Route) -> st.SearchStrategy[str]:
    """Bodies whose names are those of the route and whose values are not what it expects, or no JSON at all."""
    fields: tuple[str, ...] = route.body.__struct_fields__ if route.body else ()
    own = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, JSON)).map(
        lambda found: "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in found.items()) + "}"
    )
    return st.one_of(own, own, JSON, DEEP)


def sent(site: Site, route: Route, body: str) -> httpx.Response:
    path = route.path.format_map({"task": "claims", "id": "C1"}) if "{" in route.path else route.path
    headers = {"content-type": "application/json"}
    role = next(role for role in ROLES if role in route.roles)
    return site.by(role).request(route.method, path, content=body.encode("utf-8", "surrogatepass"), headers=headers)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=named)
def test_no_body_makes_the_server_fail(probed: Site, route: Route) -> None:
    @few(60)
    @given(body=bodies(route))
    def fuzz(body: str) -> None:
        assert sent(probed, route, body).status_code < 500

    fuzz()


@pytest.mark.parametrize("column", ["day", "amount", "region", "age", "report", "beside"])
def test_no_value_of_an_input_makes_the_server_fail(probed: Site, column: str) -> None:
    row = {name: json.dumps(value) for name, value in rows(1)[0].items()}

    @few(60)
    @given(value=JSON)
    def fuzz(value: str) -> None:
        text = ",".join(f'"{name}":{found}' for name, found in (row | {column: value}).items())
        body = f'{{"inputs":{{{text}}}}}'
        headers = {"content-type": "application/json"}
        answer = probed.service.post(f"{V1}/decisions", content=body.encode("utf-8", "surrogatepass"), headers=headers)
        assert answer.status_code in (200, 400, 422), (answer.text, body)

    fuzz()


def test_odd_text_comes_to_reviewers_as_it_was_sent(sites: Sites) -> None:
    site, odd = sites(), "a\x00b \u2028 <b>&amp; \ufeff 🐭"
    assert site.decide(rows(1)[0] | {"report": odd}, "odd").status_code == 200
    assert site.reviewer.get(f"{V1}/reviews/next").json()["case"]["inputs"]["report"] == odd
