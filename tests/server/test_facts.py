"""Why a case was answered as it was: told where it is asked for, and never to whoever is still to judge it blindly."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from server.conftest import V1, Site, rows
from understudy.client.shells import Client
from understudy.core.nouns import Level, Role

SURE = {"yes": 0.6, "no": 0.6}


def always(audit: float) -> Callable[[str], str]:
    """A task file in which so many decisions are audited, and every other case is shown with the suggestion."""

    def edit(text: str) -> str:
        kept = [line for line in text.splitlines() if not line.lstrip("# ").startswith(("audit_", "blind_rate"))]
        at = kept.index("[autonomy]") + 1
        return "\n".join([*kept[:at], f"audit_rate = {audit}", "blind_rate = 0.001", "audit_floor = 0.001", *kept[at:]])

    return edit


@pytest.fixture(scope="module")
def full(sites: Callable[..., Site]) -> Site:
    """The model decides nearly all, and hardly any is audited."""
    site = sites(always(0.001))
    site.at(Level.PARTIAL, SURE)
    return site


@pytest.fixture(scope="module")
def audited(sites: Callable[..., Site]) -> Site:
    """The model decides nearly all, and nearly all is audited."""
    site = sites(always(0.999))
    site.at(Level.PARTIAL, SURE)
    return site


def ask(site: Site, name: str, n: int = 20, **more: Any) -> list[dict[str, Any]]:
    cases = [{"id": f"{name}{place}", "inputs": row} for place, row in enumerate(rows(n, seed=5))]
    answer = site.service.post(f"{V1}/decisions", json={"cases": cases} | more)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["cases"])


def look(client: httpx.Client, case_id: str, query: str = "?explain=true") -> dict[str, Any]:
    answer = client.get(f"{V1}/cases/{case_id}{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def first_audit(site: Site) -> dict[str, Any]:
    """The first case in the queue that the model decided; those before it are answered."""
    while True:
        found: dict[str, Any] = site.reviewer.get(f"{V1}/reviews/next").json()["case"]
        if found["blind"]:
            return found
        site.reviewer.post(f"{V1}/reviews", json={"id": found["id"], "decision": "yes"})


def test_a_decision_comes_with_its_facts_where_they_are_asked_for(full: Site) -> None:
    plain, told = ask(full, "p"), ask(full, "t", explain=True)
    assert all("facts" not in answer for answer in plain)
    decided = [answer for answer in told if answer["decided_by"] == "model"]
    assert len(decided) > 5
    for answer in decided:
        facts = answer["facts"]
        assert 1 <= len(facts) <= 3
        sizes = [abs(fact["contribution"]) for fact in facts]
        assert sizes == sorted(sizes, reverse=True)
        for fact in facts:
            begun = f"{fact['column']} {fact['value']} (usual: {fact['usual']})"
            assert (fact["direction"] == "for") == (fact["contribution"] >= 0)
            other = {"yes": "no", "no": "yes"}[answer["decision"]]
            towards = answer["decision"] if fact["direction"] == "for" else other
            assert fact["words"].startswith(f"{begun} moved it towards {towards}")
    assert [{**answer, "facts": None} for answer in decided] == [
        {**look(full.service, answer["id"], ""), "facts": None} for answer in decided
    ]


def test_the_same_case_has_the_same_facts_each_time_and_for_each_who_may_see_them(full: Site) -> None:
    first = next(answer for answer in ask(full, "s", explain=True) if answer["decided_by"] == "model")
    again = ask(full, "s", explain=True)
    assert first in again
    for role in (Role.SERVICE, Role.OPERATOR, Role.OWNER, Role.AUDITOR):
        assert look(full.by(role), first["id"])["facts"] == first["facts"]
    assert "facts" not in look(full.service, first["id"], "?explain=false")


def test_one_case_can_be_asked_for_with_its_facts_and_by_the_client(full: Site) -> None:
    row = rows(1, seed=9)[0]
    one = full.service.post(f"{V1}/decisions", json={"inputs": row, "id": "one", "explain": True}).json()
    with Client(full.url, full.token[Role.SERVICE]) as client:
        same = client.decide("claims", row, id="one", explain=True)
        read = client.case("claims", "one", explain=True)
        several = client.decide_many("claims", {"one": row}, explain=True)
        assert client.case("claims", "one").facts == ()
    assert same == read == several[0]
    assert [fact.words for fact in same.facts] == [fact["words"] for fact in one["facts"]]


def test_many_cases_at_once_are_not_explained(full: Site) -> None:
    cases = [{"inputs": row} for row in rows(21)]
    answer = full.service.post(f"{V1}/decisions", json={"cases": cases, "explain": True})
    assert answer.status_code == 422
    assert "at most 20" in answer.json()["error"]["message"]


def test_what_the_model_did_not_decide_has_no_facts_until_a_reviewer_may_see_its_suggestion(
    sites: Callable[..., Site],
) -> None:
    site = sites(always(0.001))
    site.at(Level.ASSIST)
    assert all(answer["facts"] == [] for answer in ask(site, "a", explain=True))
    assert all(look(site.by(role), "a1")["facts"] == [] for role in (Role.SERVICE, Role.OWNER, Role.AUDITOR))
    shown = site.reviewer.get(f"{V1}/reviews/next").json()["case"]
    assert not shown["blind"]
    assert shown["suggestion"]["facts"]
    assert all(fact["words"] for fact in shown["suggestion"]["facts"])


def test_blind_reviewers_are_shown_no_facts(sites: Callable[..., Site]) -> None:
    site = sites()
    site.at(Level.SHADOW)
    ask(site, "b", explain=True)
    answer = site.reviewer.get(f"{V1}/reviews/next")
    assert answer.json()["case"]["blind"]
    assert "facts" not in answer.text
    assert "moved it" not in answer.text


def test_nobody_who_may_judge_an_audited_case_can_peek_at_its_facts(audited: Site) -> None:
    decided = [answer for answer in ask(audited, "x", explain=True) if answer["decided_by"] == "model"]
    assert len(decided) > 5
    assert all(answer["facts"] for answer in decided), "whether a case is audited may not show"
    shown = first_audit(audited)
    assert shown["suggestion"] is None
    for answer in decided:
        for role in (Role.OPERATOR, Role.OWNER, Role.AUDITOR):
            assert look(audited.by(role), answer["id"])["facts"] == []
    audited_id = shown["id"]
    assert audited.reviewer.get(f"{V1}/cases/{audited_id}?explain=true").status_code == 403
    given = audited.reviewer.post(f"{V1}/reviews", json={"id": audited_id, "decision": "yes"})
    assert given.status_code == 200
    assert look(audited.owner, audited_id)["facts"] == [], "the answer can still be taken back"


def test_a_strange_word_for_explain_is_refused(full: Site) -> None:
    assert full.service.get(f"{V1}/cases/p1?explain=maybe").status_code == 422
