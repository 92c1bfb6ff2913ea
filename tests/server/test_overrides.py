"""An owner overrides a failed check over HTTP, and takes that back."""

from collections.abc import Iterator

import pytest

from flows.leak import run_with_leak
from server.conftest import V1, Site, running
from understudy.core.nouns import Role

BODY = {"version": "latest", "check": "US003", "reason": "The handler sees it before."}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(run_with_leak(tmp_path_factory.mktemp("asked"))) as started:
        yield started


def test_only_an_owner_overrides_and_the_answer_says_what_has_become_of_it(site: Site) -> None:
    for role in (Role.OPERATOR, Role.REVIEWER, Role.AUDITOR, Role.SERVICE):
        assert site.by(role).post(f"{V1}/overrides", json=BODY).status_code == 403
    answer = site.owner.post(f"{V1}/overrides", json=BODY)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["blocking"] == []
    assert [(made["actor"], made["check"]["code"], made["reason"]) for made in found["overrides"]] == [
        ("owner", "US003", BODY["reason"])
    ]
    assert found["deployed"]["level"] == "shadow"
    assert BODY["reason"] in site.owner.get(V1).json()["overridden"][0]
    assert site.owner.post(f"{V1}/overrides", json=BODY).status_code == 409
    taken = site.owner.post(f"{V1}/overrides", json=BODY | {"version": found["version"], "withdraw": True})
    assert taken.json()["deployed"] == taken.json()["deployed"] | {"level": "human", "champion": ""}
    kinds = [event["kind"] for event in site.owner.get(f"{V1}/events").json()["events"]]
    assert kinds[-4:] == ["check.overridden", "moved.shadow", "check.withdrawn", "moved.step_down"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"reason": " "}, 422),
        ({"check": "leak"}, 422),
        ({"check": "US001"}, 409),
        ({"check": "US999"}, 404),
        ({"version": "ffff"}, 404),
        ({"version": "../x"}, 422),
        ({"withdraw": True}, 404),
        ({"actor": "ada"}, 422),
    ],
)
def test_what_cannot_be_overridden_is_refused(site: Site, change: dict[str, object], status: int) -> None:
    answer = site.owner.post(f"{V1}/overrides", json=BODY | change)
    assert answer.status_code == status, answer.text
