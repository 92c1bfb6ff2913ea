"""A team reviews in Label Studio: over real HTTP, with its own credentials, and blind where it must be."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from server.conftest import V1, Site, Sites, rows
from understudy.core.nouns import Level, Role
from understudy.flows.access import create_token
from understudy.flows.head import Library, load_head
from understudy.flows.labelstudio_export import export_tasks
from understudy.flows.labelstudio_reviews import import_annotations
from understudy.server.labelstudio import MOST_TASKS
from understudy.store.casebook import CaseRecord
from understudy.store.ledger import cases_after

BASE = "/labelstudio/claims"
NAME = "label-studio"


def basic(site: Site, name: str, secret: str) -> httpx.Client:
    """A client that sends what Label Studio sends: a name and a password."""
    return httpx.Client(base_url=site.url, auth=(name, secret), timeout=60, event_hooks={"response": [site.examine]})


@pytest.fixture(scope="module")
def studio(sites: Sites) -> Iterator[tuple[Site, httpx.Client]]:
    """A site at `assist`, and a Label Studio that has a reviewer's token."""
    site = sites(lambda text: text.replace("blind_rate = 0.2", "blind_rate = 0.5"))
    site.at(Level.ASSIST)
    for place, row in enumerate(rows(40)):
        assert site.decide(row, f"C{place}").status_code == 200
    client = basic(site, NAME, create_token(site.workspace, NAME, Role.REVIEWER))
    yield site, client
    client.close()


def cases_of(site: Site) -> dict[str, CaseRecord]:
    head = load_head(Library(site.workspace), "claims")
    with site.workspace.store.reading() as connection:
        return {case.id: case for case in cases_after(connection, head.number, 0, 1000)}


def exported(site: Site) -> list[dict[str, Any]]:
    place = site.root / "tasks.json"
    export_tasks(load_head(Library(site.workspace), "claims"), place, actor="ann", queued=True)
    return list(json.loads(place.read_bytes()))


def created(task: dict[str, Any], number: int, answer: str, action: str = "CREATED", later: int = 0) -> dict[str, Any]:
    """What Label Studio sends when somebody annotates."""
    now = datetime.now(UTC)
    result = {"value": {"choices": [answer]}, "id": "x1", "from_name": "answer", "to_name": "case", "type": "choices"}
    return {
        "action": f"ANNOTATION_{action}",
        "annotation": {
            "id": number,
            "result": [result],
            "completed_by": 3,
            "was_cancelled": False,
            "ground_truth": False,
            "created_at": now.isoformat(),
            "updated_at": (now + timedelta(seconds=later)).isoformat(),
            "lead_time": 4.2,
            "prediction": {},
            "result_count": 1,
            "task": 900,
        },
        "task": {"id": 900, "data": task["data"], "meta": task["meta"], "overlap": 1, "project": 1},
        "project": {"id": 1, "title": "Claims", "label_config": "<View/>"},
    }


def test_the_protocol_is_that_of_an_ml_backend(studio: tuple[Site, httpx.Client]) -> None:
    site, client = studio
    assert client.get(f"{BASE}/health").json() == {"status": "UP", "model_class": "Understudy"}
    champion = load_head(Library(site.workspace), "claims").deployed.champion
    setup = {"project": "1.1700000000", "schema": "<View/>", "hostname": "http://x", "access_token": "secret"}
    assert client.post(f"{BASE}/setup", json=setup).json() == {"model_version": champion}
    asked = {
        "tasks": [{"id": 5, "data": rows(50)[45]}],
        "model_version": champion,
        "project": "1.1700000000",
        "label_config": "<View/>",
        "params": {"login": None, "password": None, "context": None},
    }
    found = client.post(f"{BASE}/predict", json=asked).json()
    assert found["model_version"] == champion
    result = found["results"][0]
    assert set(result) == {"result", "score", "model_version"}
    assert 0 < result["score"] <= 1
    part = result["result"][0]
    assert (part["from_name"], part["to_name"], part["type"]) == ("answer", "case", "choices")
    assert part["value"]["choices"][0] in ("yes", "no")


def test_blind_cases_are_never_predicted_and_their_answers_alone_count_as_blind(
    studio: tuple[Site, httpx.Client],
) -> None:
    site, client = studio
    tasks = [task for task in exported(site) if task["meta"]["case"] in {f"C{place}" for place in range(20)}]
    hidden = {case.id for case in cases_of(site).values() if case.blind}
    told = client.post(f"{BASE}/predict", json={"tasks": tasks}).json()["results"]
    for number, (task, found) in enumerate(zip(tasks, told, strict=True)):
        name = task["meta"]["case"]
        assert bool(found["result"]) is bool(task["predictions"]) is (name not in hidden)
        answer = client.post(f"{BASE}/webhook", json=created(task, 100 + number, "yes"))
        assert answer.status_code == 201
        assert [(one["result"], one["blind"]) for one in answer.json()["results"]] == [("recorded", name in hidden)]
    assert 0 < len(hidden) < 40
    for task in tasks:
        case = cases_of(site)[task["meta"]["case"]]
        look = case.reviews[-1]
        assert (look.user, look.value, look.blind) == (f"{NAME}/3", "yes", case.id in hidden)
        assert site.service.get(f"{V1}/cases/{case.id}").json()["decision"] == "yes"


def test_annotations_that_change_or_go_are_followed_and_a_file_of_the_same_changes_nothing(
    studio: tuple[Site, httpx.Client],
) -> None:
    site, client = studio
    task = next(task for task in exported(site) if task["meta"]["case"] == "C30")
    first = created(task, 700, "yes")

    def send(event: dict[str, Any]) -> str:
        answer = client.post(f"{BASE}/webhook", json=event)
        assert answer.status_code == 201, answer.text
        return ",".join(one["result"] for one in answer.json()["results"])

    assert send(first) == "recorded"
    assert send(first) == "duplicate"
    changed = created(task, 700, "no", "UPDATED", later=5)
    assert send(changed) == "corrected"
    assert send(first) == "superseded"
    before = cases_of(site)["C30"]
    head = load_head(Library(site.workspace), "claims")
    file = [task | {"annotations": [changed["annotation"]], "predictions": []}]
    assert import_annotations(head, file, by=NAME, actor="ann").counts == {"duplicate": 1}
    assert cases_of(site)["C30"] == before
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 700}], "project": {"id": 1}}
    assert send(gone) == "withdrawn"
    assert send(gone) == "duplicate"
    assert site.service.get(f"{V1}/cases/C30").json()["status"] == "pending"
    assert send({"action": "ANNOTATION_DELETED", "id": 4711}) == "unknown"
    assert send({"action": "START_TRAINING", "project": {"id": 1}}) == ""
    assert send({"action": "TASKS_CREATED", "tasks": [{"id": 1}]}) == ""
    assert send(created(task, 701, "yes") | {"task": None}) == "unknown"
    assert send(created({"data": {"case": "nobody"}, "meta": {}}, 702, "yes")) == "unknown"


def test_a_fault_is_told_with_its_annotation_and_field(studio: tuple[Site, httpx.Client]) -> None:
    site, client = studio
    task = next(task for task in exported(site) if task["meta"]["case"] == "C31")
    event = created(task, 800, "perhaps")
    answer = client.post(f"{BASE}/webhook", json=event)
    assert answer.status_code == 422
    assert [fault["where"] for fault in answer.json()["error"]["faults"]] == ["annotation 800: result"]
    del event["annotation"]["completed_by"], event["annotation"]["created_at"]
    faults = client.post(f"{BASE}/webhook", json=event).json()["error"]["faults"]
    assert {fault["where"] for fault in faults} == {"annotation 800: completed_by", "annotation 800: created_at"}
    assert client.post(f"{BASE}/predict", json={"tasks": [{}] * (MOST_TASKS + 1)}).status_code == 422
    assert client.post(f"{BASE}/predict", json={"tasks": [1]}).status_code == 422


def test_a_token_opens_it_as_a_password_only_under_its_own_name_and_only_here(
    studio: tuple[Site, httpx.Client],
) -> None:
    site, _ = studio
    secret = create_token(site.workspace, "Straße: 7", Role.REVIEWER)
    with basic(site, "Straße: 7", secret) as right:
        assert right.get(f"{BASE}/health").status_code == 200
        assert right.get(f"{V1}/reviews/next").status_code == 401
    with basic(site, "ann", secret) as other:
        assert other.get(f"{BASE}/health").status_code == 401
    with basic(site, "shop", create_token(site.workspace, "shop", Role.SERVICE)) as service:
        for path in ("setup", "predict", "webhook"):
            body = {"tasks": [], "action": "X"}
            assert service.post(f"{BASE}/{path}", json=body).status_code == 403
    with basic(site, "far", create_token(site.workspace, "far", Role.REVIEWER, task="other")) as far:
        assert far.get(f"{BASE}/health").status_code == 403
    with basic(site, "linked", create_token(site.workspace, "linked", Role.REVIEWER, link=True)) as linked:
        assert linked.get(f"{BASE}/health").status_code == 401
    for given in ("Basic", "Basic %%%", "Basic " + base64.b64encode(b"\xff\xfe").decode(), "Basic c2hvcA=="):
        client = site.client()
        assert client.get(f"{BASE}/health", headers={"authorization": given}).status_code in (401, 429)


def test_a_body_cannot_speak_for_a_reviewer_of_ours(studio: tuple[Site, httpx.Client]) -> None:
    site, client = studio
    task = next(task for task in exported(site) if task["meta"]["case"] == "C32")
    event = created(task, 900, "yes")
    event["annotation"]["completed_by"] = {"id": None, "email": "reviewer"}
    assert client.post(f"{BASE}/webhook", json=event).status_code == 201
    assert cases_of(site)["C32"].reviews[-1].user == f"{NAME}/reviewer"
