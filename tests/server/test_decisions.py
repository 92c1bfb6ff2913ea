"""Cases from asking to the truth, over real HTTP: who decides, who sees what, and what cannot be done twice."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import httpx
import pytest

import understudy
from server.conftest import V1, Site, rows
from understudy.core.nouns import Level, Role
from understudy.flows.version import Prediction

ODD_IDS = ("a/b", "100%", "%2F", "a?b#c&d=e", " ", "Fälle/日本 🐭", "é" * 200, "x" * 200, "'; drop table cases; --")
OF_THE_MODEL = (
    "prediction",
    "confidence",
    "probabilities",
    "strangeness",
    "model",
    "suggestion",
    "version",
    "champion",
)
SURE = {"yes": 0.6, "no": 0.6}


def decided_by_model(answer: dict[str, Any]) -> bool:
    return answer["decided_by"] == "model"


def ask(site: Site, inputs: list[dict[str, str]], name: str) -> list[dict[str, Any]]:
    """Ask for several decisions; their ids are the name and a number."""
    cases = [{"id": f"{name}{place}", "inputs": row} for place, row in enumerate(inputs)]
    answer = site.service.post(f"{V1}/decisions", json={"cases": cases})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["cases"])


def case_of(client: httpx.Client, case_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{V1}/cases/{quote(case_id, safe='')}").json()
    return found


def next_of(client: httpx.Client) -> dict[str, Any] | None:
    found: dict[str, Any] | None = client.get(f"{V1}/reviews/next").json()["case"]
    return found


def answer_all(client: httpx.Client, decision: str = "yes") -> Iterator[dict[str, Any]]:
    """Every case that waits for a reviewer, answered once it has been looked at."""
    while (found := next_of(client)) is not None:
        yield found
        given = client.post(f"{V1}/reviews", json={"id": found["id"], "decision": decision})
        assert given.status_code == 200, given.text


def outcome(site: Site, case_id: str, value: Any, day: str | None = None) -> str:
    body = {"id": case_id, "outcome": value} | ({} if day is None else {"observed_at": f"2026-01-{day}T00:00:00Z"})
    answer = site.service.post(f"{V1}/outcomes", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["outcomes"][0]["result"])


def values_of_the_model(body: Any) -> list[Any]:
    """What stands under names that belong to the model, anywhere in an answer."""
    if isinstance(body, list):
        return [found for part in body for found in values_of_the_model(part)]
    if not isinstance(body, dict):
        return []
    own = [body[name] for name in OF_THE_MODEL if body.get(name) is not None]
    return own + [found for part in body.values() for found in values_of_the_model(part)]


def figures(guess: Prediction) -> set[str]:
    """The beginnings of the numbers that the model gives for a case."""
    numbers = (guess.confidence, guess.strangeness, *(guess.probabilities or {}).values())
    return {repr(number)[:8] for number in numbers if len(repr(number)) >= 8}


def test_asking_again_with_the_same_id_gives_the_same_answer_and_with_other_inputs_none(site: Site) -> None:
    first, other = rows(2)
    answers = [site.decide(first, "again") for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert site.decide(dict(reversed(first.items())), "again").text == answers[0].text
    conflict = site.decide(other, "again")
    assert conflict.status_code == 409
    assert conflict.json()["error"]["kind"] == "ConflictError"


def test_the_same_case_at_the_same_time_is_recorded_once(site: Site) -> None:
    before = site.owner.get(V1).json()["counts"]["cases"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: site.decide(rows(1)[0], "at once").text, range(40)))
    assert len(set(answers)) == 1
    assert site.owner.get(V1).json()["counts"]["cases"] == before + 1


def test_a_case_without_an_id_gets_one(site: Site) -> None:
    answers = [site.decide(rows(1)[0]).json() for _ in range(2)]
    assert answers[0]["id"] != answers[1]["id"]
    assert case_of(site.service, answers[0]["id"]) == answers[0]


def test_a_case_that_breaks_the_contract_is_refused_with_every_fault(site: Site) -> None:
    faulty = rows(1)[0] | {"amount": "much", "age": "old", "region": [1], "beside": {"a": 1}}
    answer = site.decide(faulty, "faulty")
    assert answer.status_code == 422
    assert answer.json()["error"]["kind"] == "ContractError"
    faults = answer.json()["error"]["faults"]
    assert {fault["where"] for fault in faults} == {"amount", "age", "region", "beside"}
    assert all(fault["found"] and fault["expected"] for fault in faults)
    assert site.service.get(f"{V1}/cases/faulty").status_code == 404
    missing = site.decide({}, "empty")
    assert missing.status_code == 422
    assert len(missing.json()["error"]["faults"]) > 1


def test_one_faulty_case_of_several_keeps_none_of_the_others_from_an_answer(site: Site) -> None:
    inputs = rows(5)
    inputs[2] = inputs[2] | {"amount": "much"}
    found = ask(site, inputs, "some-")
    assert [case["id"] for case in found] == [f"some-{place}" for place in range(5)]
    assert [case["status"] for case in found] == ["pending", "pending", "failed", "pending", "pending"]
    assert found[2]["error"]["faults"][0]["where"] == "amount"
    twice = {"cases": [{"id": "twin", "inputs": inputs[0]}, {"id": "twin", "inputs": inputs[1]}]}
    first, second = site.service.post(f"{V1}/decisions", json=twice).json()["cases"]
    assert (first["status"], second["error"]["kind"]) == ("pending", "ConflictError")


def test_a_request_is_for_one_case_or_for_several(site: Site) -> None:
    row = rows(1)[0]
    for body in ({}, {"id": "a"}, {"inputs": row, "cases": [{"inputs": row}]}, {"id": "a", "cases": [{"inputs": row}]}):
        assert site.service.post(f"{V1}/decisions", json=body).status_code == 422
    for cases in ([], [{"inputs": row}] * 1001, [{"id": "a"}], [row]):
        assert site.service.post(f"{V1}/decisions", json={"cases": cases}).status_code == 422


def test_a_task_or_case_that_nobody_knows_is_not_found(site: Site) -> None:
    inputs = {"inputs": rows(1)[0]}
    assert site.service.post("/v1/tasks/nothing/decisions", json=inputs).status_code == 404
    assert site.service.get(f"{V1}/cases/nothing").status_code == 404
    assert site.service.post(f"{V1}/cases/nothing/decision", json={"decision": "yes"}).status_code == 404
    assert site.reviewer.post(f"{V1}/reviews", json={"id": "nothing", "decision": "yes"}).status_code == 404
    assert site.reviewer.post(f"{V1}/reviews/skip", json={"id": "nothing"}).status_code == 404


@pytest.mark.parametrize("case_id", ODD_IDS)
def test_an_id_may_be_any_text_of_one_line(site: Site, case_id: str) -> None:
    answer = site.decide(rows(1)[0], case_id)
    assert answer.json()["id"] == case_id
    assert case_of(site.service, case_id) == answer.json()
    assert outcome(site, case_id, "yes") == "applied"


@pytest.mark.parametrize("case_id", ["", "x" * 201, "a\nb", "a\n", "\x00", "\x7f", "a\tb", 7, ["a"]])
def test_an_id_is_short_and_holds_no_control_characters(site: Site, case_id: Any) -> None:
    assert site.decide(rows(1)[0], case_id).status_code == 422
    assert site.service.post(f"{V1}/outcomes", json={"id": case_id, "outcome": "yes"}).status_code == 422
    if isinstance(case_id, str) and case_id:
        assert site.service.get(f"{V1}/cases/{quote(case_id, safe='')}").status_code == 404


def test_a_task_without_a_model_takes_cases_for_people(site: Site) -> None:
    answer = site.service.post("/v1/tasks/other/decisions", json={"inputs": {"anything": 1}, "id": "o"})
    assert answer.json()["status"] == "pending"
    assert site.reviewer.get("/v1/tasks/other/reviews/next").json()["case"]["id"] == "o"
    given = site.reviewer.post("/v1/tasks/other/reviews", json={"id": "o", "decision": "as you like"})
    assert given.json()["status"] == "decided"
    assert site.service.get("/v1/tasks/other/cases/o").json()["decision"] == "as you like"


def test_in_shadow_nothing_of_the_model_reaches_callers_or_reviewers(fresh: Callable[[], Site]) -> None:
    site = fresh()
    version = understudy.load("claims", workspace=site.root)
    heard: list[str] = []
    for client in (site.service, site.reviewer):
        client.event_hooks["response"].append(lambda answer: heard.append(answer.text))
    inputs = rows(60)
    ask(site, inputs, "s")
    site.decide(inputs[0], "s0")
    for place in range(60):
        case_of(site.service, f"s{place}")
    first = next_of(site.reviewer)
    assert first is not None
    site.reviewer.post(f"{V1}/reviews/skip", json={"id": first["id"]})
    site.reviewer.post(f"{V1}/reviews/undo", json={})
    seen = sum(1 for _ in answer_all(site.reviewer))
    assert seen == 60
    for place in range(60):
        assert case_of(site.service, f"s{place}")["decided_by"] == "person"
    site.reviewer.post(f"{V1}/reviews/undo", json={})
    site.service.post(f"{V1}/cases/s1/decision", json={"decision": "no"})
    outcome(site, "s1", "no")
    for page in ("/", "/tasks/claims/review"):
        site.reviewer.get(page)
    everything = "\n".join(heard)
    assert len(heard) > 180
    assert version.digest[:12] not in everything
    for row in inputs:
        assert not {figure for figure in figures(version.predict_row(row)) if figure in everything}
    for text in heard:
        if text.startswith("{"):
            assert values_of_the_model(json.loads(text)) == []


def test_a_reviewer_may_stop_automation_and_only_who_steers_lets_it_go_on(site: Site) -> None:
    paused = site.reviewer.post(f"{V1}/pause", json={"why": "I doubt it."})
    assert paused.json()["paused"] is True
    assert site.reviewer.post(f"{V1}/pause", json={"paused": False}).status_code == 403
    assert site.owner.post(f"{V1}/pause", json={"paused": False}).json()["paused"] is False


def test_in_assist_only_the_reviewer_of_a_case_that_is_not_blind_sees_the_suggestion(
    fresh: Callable[[], Site],
) -> None:
    site = fresh()
    version = understudy.load("claims", workspace=site.root)
    site.at(Level.ASSIST)
    inputs = rows(80)
    for answer in ask(site, inputs, "a"):
        assert answer["status"] == "pending"
        assert values_of_the_model(answer) == []
    blind = {True: 0, False: 0}
    for found in answer_all(site.reviewer):
        guess = version.predict_row(inputs[int(found["id"][1:])])
        blind[found["blind"]] += 1
        assert values_of_the_model(case_of(site.service, found["id"])) == []
        if found["blind"]:
            assert values_of_the_model(found) == []
        else:
            assert found["suggestion"]["decision"] == guess.prediction
            assert found["suggestion"]["confidence"] == pytest.approx(guess.confidence, abs=1e-6)
            assert found["suggestion"]["model"] == version.digest
    assert sum(blind.values()) == 80
    assert 5 <= blind[True] <= 30
    for place in range(80):
        assert values_of_the_model(case_of(site.service, f"a{place}")) == []


def test_in_partial_the_model_decides_what_it_is_sure_of_and_its_audits_are_blind(fresh: Callable[[], Site]) -> None:
    site = fresh()
    version = understudy.load("claims", workspace=site.root)
    sure = {"yes": 0.8, "no": 0.8}
    site.at(Level.PARTIAL, sure)
    inputs = rows(120)
    found = ask(site, inputs, "p")
    automatic = {}
    for row, answer in zip(inputs, found, strict=True):
        guess = version.predict_row(row)
        if decided_by_model(answer):
            automatic[answer["id"]] = answer
            assert guess.confidence >= 0.8
            assert answer["decision"] == guess.prediction
            assert answer["confidence"] == pytest.approx(guess.confidence, abs=1e-6)
            assert answer["probabilities"] == pytest.approx(guess.probabilities, abs=1e-6)
            assert answer["model"] == version.digest
        else:
            assert guess.confidence < 0.8 or guess.strangeness > 0.99
            assert answer["status"] == "pending"
            assert values_of_the_model(answer) == []
            assert "unsure" not in answer["reasons"]
    assert 20 < len(automatic) < 110
    audited = 0
    for case in answer_all(site.reviewer, "no"):
        if case["id"] in automatic:
            audited += 1
            assert case["blind"]
            assert values_of_the_model(case) == []
    assert 0 < audited < len(automatic)
    for name, answer in automatic.items():
        assert case_of(site.service, name) == answer


def test_a_stop_ends_automatic_answers_with_the_next_case(fresh: Callable[[], Site]) -> None:
    site = fresh()
    site.at(Level.PARTIAL, SURE)
    inputs = rows(40)
    sure = inputs[next(place for place, answer in enumerate(ask(site, inputs, "b")) if decided_by_model(answer))]
    for turn in range(10):
        assert decided_by_model(site.decide(sure, f"before {turn}").json())
        assert site.reviewer.post(f"{V1}/pause", json={"why": "Enough."}).status_code == 200
        stopped = site.decide(sure, f"after {turn}").json()
        assert stopped["status"] == "pending"
        assert "paused" in stopped["reasons"]
        assert values_of_the_model(stopped) == []
        assert decided_by_model(site.decide(sure, f"before {turn}").json())
        assert site.owner.post(f"{V1}/pause", json={"paused": False}).status_code == 200
    down = site.by(Role.OPERATOR).post(f"{V1}/level", json={"level": "shadow", "why": "Down."})
    assert down.json()["level"] == "shadow"
    assert site.decide(sure, "below").json()["status"] == "pending"


def test_a_step_up_takes_an_owner_with_a_reason(fresh: Callable[[], Site]) -> None:
    site = fresh()
    up = {"level": "partial", "override": True, "thresholds": SURE}
    assert site.by(Role.OPERATOR).post(f"{V1}/level", json=up | {"why": "Please."}).status_code == 403
    assert site.owner.post(f"{V1}/level", json=up).status_code == 422
    assert site.owner.post(f"{V1}/level", json={"level": "partial", "why": "Please."}).status_code == 409
    assert site.owner.post(f"{V1}/level", json=up | {"level": "full", "why": "Please."}).status_code == 422
    assert site.owner.post(f"{V1}/level", json=up | {"why": "A pilot."}).json()["level"] == "partial"
    assert site.owner.post(f"{V1}/rollback", json={}).status_code == 409


def test_an_outcome_is_applied_once_corrected_later_and_kept_where_it_cannot_be_used(site: Site) -> None:
    site.decide(rows(1)[0], "truth")
    assert outcome(site, "truth", "yes", "10") == "applied"
    assert outcome(site, "truth", "yes", "10") == "duplicate"
    assert outcome(site, "truth", "no", "09") == "superseded"
    assert outcome(site, "truth", "no", "11") == "corrected"
    assert outcome(site, "truth", "maybe") == "invalid"
    assert outcome(site, "truth", True) == "invalid"
    assert outcome(site, "truth", 1e308) == "invalid"
    assert outcome(site, "early", "yes") == "unknown"
    several = [{"id": "truth", "outcome": "no"}, {"id": "truth", "outcome": "yes"}, {"id": "never", "outcome": "no"}]
    settled = site.service.post(f"{V1}/outcomes", json={"outcomes": several}).json()["outcomes"]
    assert [one["result"] for one in settled] == ["duplicate", "corrected", "unknown"]
    for body in ({}, {"id": "truth"}, {"outcome": "yes"}, {"outcomes": []}):
        assert site.service.post(f"{V1}/outcomes", json=body).status_code == 422


def test_what_the_callers_own_people_decided_stands_and_cannot_be_decided_otherwise(site: Site) -> None:
    site.decide(rows(1)[0], "own")
    path = f"{V1}/cases/own/decision"
    assert site.service.post(path, json={"decision": "maybe"}).status_code == 422
    given = site.service.post(path, json={"decision": "no"}).json()
    assert (given["status"], given["decision"], given["decided_by"]) == ("decided", "no", "person")
    assert site.service.post(path, json={"decision": "no"}).json() == given
    assert site.service.post(path, json={"decision": "yes"}).status_code == 409
    assert site.reviewer.post(f"{V1}/reviews", json={"id": "own", "decision": "yes"}).status_code == 409
    site.decide(rows(1)[0], "ruled")
    ruled = site.service.post(f"{V1}/cases/ruled/decision", json={"decision": "yes", "by": "rule"}).json()
    assert ruled["decided_by"] == "rule"


def test_a_reviewer_skips_answers_and_takes_back(fresh: Callable[[], Site]) -> None:
    site = fresh()
    ask(site, rows(2), "r")
    reviewer, other = site.reviewer, site.another(Role.REVIEWER, "other")
    assert reviewer.post(f"{V1}/reviews/undo", json={}).status_code == 409
    first = next_of(reviewer)
    assert first is not None
    assert next_of(reviewer)["id"] == first["id"]  # type: ignore[index]
    reviewer.post(f"{V1}/reviews/skip", json={"id": first["id"]})
    second = next_of(reviewer)
    assert second is not None
    assert second["id"] != first["id"]
    taken = next_of(other)
    assert taken is not None
    assert taken["id"] == first["id"]
    answer = {"id": second["id"], "decision": "yes", "note": "Clear."}
    assert reviewer.post(f"{V1}/reviews", json=answer | {"decision": "maybe"}).status_code == 422
    assert reviewer.post(f"{V1}/reviews", json=answer).json()["status"] == "decided"
    assert reviewer.post(f"{V1}/reviews", json=answer).json()["status"] == "decided"
    assert reviewer.post(f"{V1}/reviews", json=answer | {"decision": "no"}).status_code == 409
    assert case_of(site.service, second["id"])["decision"] == "yes"
    assert reviewer.post(f"{V1}/reviews/undo", json={}).json() == {"id": second["id"], "status": "pending"}
    assert case_of(site.service, second["id"])["status"] == "pending"
    assert next_of(reviewer)["id"] == second["id"]  # type: ignore[index]
    assert reviewer.post(f"{V1}/reviews", json=answer | {"decision": "no"}).json()["status"] == "decided"
    assert case_of(site.service, second["id"])["decision"] == "no"
    assert next_of(reviewer) is None


def test_a_case_that_two_people_must_answer_waits_for_the_second_and_a_third_where_they_differ(
    fresh: Callable[..., Site],
) -> None:
    site = fresh(lambda text: text.replace("wanted = 1", "wanted = 2"))
    site.decide(rows(1)[0], "two")
    people = [site.another(Role.REVIEWER, name) for name in ("ada", "ben", "cleo")]
    opened = [next_of(person) for person in people]
    assert [found is not None for found in opened] == [True, True, False]
    for person, decision, status in zip(people, ("yes", "no", "no"), ("pending", "pending", "decided"), strict=True):
        assert next_of(person)["id"] == "two"  # type: ignore[index]
        given = person.post(f"{V1}/reviews", json={"id": "two", "decision": decision})
        assert given.json()["status"] == status
        assert case_of(site.service, "two")["status"] == status
    assert case_of(site.service, "two")["decision"] == "no"


def test_two_reviewers_are_never_given_the_same_case_at_the_same_time(fresh: Callable[[], Site]) -> None:
    site = fresh()
    ask(site, rows(60), "q")
    people = [site.another(Role.REVIEWER, f"person {number}") for number in range(6)]

    def work(person: httpx.Client) -> list[str]:
        return [found["id"] for found in answer_all(person)]

    with ThreadPoolExecutor(len(people)) as pool:
        seen = [case for cases in pool.map(work, people) for case in cases]
    assert sorted(seen) == sorted(f"q{place}" for place in range(60))
