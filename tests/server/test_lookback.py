"""The look-back, the second look and the owner's sentence over HTTP and on the pages."""

import pytest

from server.conftest import V1, Site, Sites, rows
from understudy.core.nouns import Level, Role
from understudy.flows.head import Library
from understudy.flows.learn import learn
from understudy.flows.moves import set_level


@pytest.fixture(scope="module")
def fallen(sites: Sites) -> Site:
    """It decided some cases by itself, and was taken back."""
    site = sites()
    site.at(Level.PARTIAL, {"yes": 0.0, "no": 0.0})
    cases = [{"id": f"C{place}", "inputs": row} for place, row in enumerate(rows(40))]
    assert site.service.post(f"{V1}/decisions", json={"cases": cases}).status_code == 200
    assert site.owner.get(V1).json()["sentence"][0].startswith("It may decide ")
    set_level(site.workspace, "claims", Level.ASSIST, actor="ada", why="Too many complaints.")
    learn(Library(site.workspace), "claims")
    return site


def test_the_report_comes_page_by_page(fallen: Site) -> None:
    report = fallen.by(Role.AUDITOR).get(f"{V1}/lookback", params={"limit": 25}).json()
    rest = fallen.owner.get(f"{V1}/lookback", params={"limit": 25, "after": report["next"]}).json()
    names = [case["id"] for case in report["cases"] + rest["cases"]]
    assert (len(report["cases"]), rest["next"], len(set(names))) == (25, None, report["figures"]["cases"])
    assert report["figures"]["settled"] == 0
    assert report["text"][1] == (
        f"Since then it decided {len(names)} cases by itself; 0 of them are settled, and 0 of these were looked at."
    )
    assert fallen.owner.get(f"{V1}/lookback", params={"limit": 0}).status_code == 422


def test_a_second_look_is_asked_for_by_those_who_steer(fallen: Site) -> None:
    for role in (Role.SERVICE, Role.REVIEWER, Role.AUDITOR):
        assert fallen.by(role).post(f"{V1}/lookback/reviews", json={}).status_code == 403
    drawn = fallen.owner.get(V1).json()["counts"]["audits"]
    total = fallen.owner.get(f"{V1}/lookback").json()["figures"]["cases"]
    found = fallen.by(Role.OPERATOR).post(f"{V1}/lookback/reviews", json={}).json()
    assert found == {"queued": total - drawn, "waiting": total - drawn}
    again = fallen.owner.post(f"{V1}/lookback/reviews", json={}).json()
    assert again == {"queued": 0, "waiting": total - drawn}
    kinds = [event["kind"] for event in fallen.owner.get(f"{V1}/events?limit=1000").json()["events"]]
    assert (kinds.count("lookback.opened"), kinds.count("lookback.queued")) == (1, 1)


def test_where_nothing_was_ever_decided_there_is_nothing_to_look_at(fallen: Site) -> None:
    report = fallen.owner.get("/v1/tasks/other/lookback").json()
    assert (report["text"], report["figures"]) == (["It has never decided anything by itself."], None)
    refused = fallen.owner.post("/v1/tasks/other/lookback/reviews", json={})
    assert (refused.status_code, refused.json()["error"]["kind"]) == (409, "ConflictError")


def test_the_page_shows_sentence_and_look_back(fallen: Site) -> None:
    text = fallen.owner.get("/tasks/claims").text
    assert "It suggests and decides nothing: people decide every case." in text
    assert "Too many complaints." in text
    assert "Since the change" in text
    assert 'data-post="lookback/reviews"' in text
    assert "lookback/reviews" not in fallen.by(Role.AUDITOR).get("/tasks/claims").text
    assert "Since the change" not in fallen.owner.get("/tasks/other").text
    assert "It suggests and decides nothing" in fallen.owner.get("/").text
