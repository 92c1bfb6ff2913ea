"""Label Studio in and out: the same rules as on the review page, and nothing of the model where a case is blind."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.desk import FRESH, ask, desk, other, said, to_level
from understudy.autonomy.truth import looks
from understudy.core.errors import DataError, InputError
from understudy.core.nouns import Level
from understudy.flows.answers import answer_of
from understudy.flows.erase import erase
from understudy.flows.facts import UNDO_WITHIN, is_blind
from understudy.flows.head import Head, Library, load_head
from understudy.flows.labelstudio_annotations import Annotation, Faulty, read_annotation, read_annotations, read_file
from understudy.flows.labelstudio_config import labelling_config
from understudy.flows.labelstudio_export import export_tasks
from understudy.flows.labelstudio_predict import predict_tasks
from understudy.flows.labelstudio_reviews import enter_all, import_annotations, withdraw_all
from understudy.flows.labelstudio_tasks import inputs_of, task_of
from understudy.flows.migrate import migrate_store
from understudy.flows.moves import set_level
from understudy.flows.rereview import review_again
from understudy.flows.review import give_review, next_review, require_case
from understudy.store.casebook import CaseRecord
from understudy.store.database import open_store
from understudy.store.ledger import cases_after
from understudy.store.queue import waiting

BY = "label-studio"
IDS = [f"c{number}" for number in range(40)]
HALF = ("blind_rate = 0.2", "blind_rate = 0.5")
FULL = ('max_level = "partial"', 'max_level = "full"')


@pytest.fixture
def library(ran, tmp_path: Path) -> Library:
    return desk(ran[0], tmp_path, HALF)


def at_assist(library: Library, n: int = 40) -> Head:
    """At `assist`, with cases of which about half are blind."""
    head = to_level(library, Level.ASSIST)
    ask(head, IDS[:n])
    return head


def all_cases(head: Head) -> list[CaseRecord]:
    with head.library.work.store.reading() as connection:
        return cases_after(connection, head.number, 0, 1000)


def case_named(head: Head, name: str) -> CaseRecord:
    with head.library.work.store.reading() as connection:
        return require_case(connection, head, name)


def left(head: Head) -> int:
    with head.library.work.store.reading() as connection:
        return waiting(connection, head.number)


def exported(head: Head, **more: Any) -> list[dict[str, Any]]:
    """The tasks that are written, as Label Studio reads them."""
    place = head.library.work.root / "tasks.json"
    export_tasks(head, place, actor="ann", **more)
    return list(json.loads(place.read_bytes()))


def moment(head: Head, later: float = 0.0) -> str:
    """The time on the clock, or some seconds later, as Label Studio writes it."""
    at = datetime.fromtimestamp(head.library.work.clock.now() / 1e6 + later, UTC)
    return at.isoformat().replace("+00:00", "Z")


def annotation(head: Head, number: int, answer: str | None, *, user: Any = 7, later: float = 1.0) -> dict[str, Any]:
    """An annotation as an export has it; without an answer it is a skip."""
    result = [
        {
            "value": {"choices": [answer]},
            "id": f"r{number}",
            "from_name": "answer",
            "to_name": "case",
            "type": "choices",
            "origin": "manual",
        }
    ]
    return {
        "id": number,
        "completed_by": user,
        "result": [] if answer is None else result,
        "was_cancelled": answer is None,
        "ground_truth": False,
        "created_at": moment(head, 1.0),
        "updated_at": moment(head, later),
        "draft_created_at": None,
        "lead_time": 12.5,
        "prediction": {},
        "result_count": 0,
        "unique_id": f"u{number}",
        "parent_prediction": None,
        "parent_annotation": None,
    }


def as_if_made_there(tasks: list[dict[str, Any]], head: Head, answer: str = "yes") -> list[dict[str, Any]]:
    """What Label Studio exports once each task has been annotated: with ids and fields of its own."""
    return [
        {
            "id": 1000 + place,
            "annotations": [annotation(head, 500 + place, answer)],
            "file_upload": "tasks.json",
            "drafts": [],
            "predictions": [],
            "data": task["data"],
            "meta": task["meta"],
            "inner_id": place,
            "project": 3,
        }
        for place, task in enumerate(tasks)
    ]


def enter(head: Head, name: str, *found: dict[str, Any]) -> list[tuple[str, bool | None]]:
    """The results of annotations of a case, and whether they count as blind."""
    task = {"data": {"case": name}, "meta": {"case": name, "task": "claims"}}
    done = enter_all(head, [read_annotation(raw, task) for raw in found], by=BY)
    return [(one.result, one.blind) for one in done]


def blind_and_shown(head: Head) -> tuple[list[str], list[str]]:
    cases = all_cases(head)
    return [case.id for case in cases if is_blind(case)], [case.id for case in cases if not is_blind(case)]


def test_the_config_has_the_answers_under_the_digits_of_the_review_page_and_the_facts_in_order(library) -> None:
    head = to_level(library, Level.ASSIST)
    ask(head, IDS[:1])
    view = ET.fromstring(labelling_config(head))
    choices = view.find("Choices")
    assert [(one.get("value"), one.get("hotkey")) for one in choices] == [("no", "1"), ("yes", "2")]
    assert view.find("Header").get("value") == head.task.decision.question
    names = {tag.get("name") for tag in view if tag.get("name")}
    assert choices.get("toName") in names
    data = exported(head)[0]["data"]
    wanted = {value[1:] for tag in view.iter() for value in tag.attrib.values() if value.startswith("$")}
    assert wanted <= data.keys()
    assert list(data["facts"]) == list(next_review(head, "ann").inputs)


def test_words_that_need_escaping_come_out_of_the_config_as_they_went_in(library) -> None:
    head = load_head(library, "claims")
    decision = msgspec.structs.replace(head.task.decision, question='Pay <b>"now"</b> & later?')
    odd = msgspec.structs.replace(head.task, decision=decision)
    shown = ET.fromstring(labelling_config(replace(head, task=odd))).find("Header").get("value")
    assert shown == decision.question
    broken = msgspec.structs.replace(head.task, decision=msgspec.structs.replace(decision, question="a\x00b"))
    with pytest.raises(InputError, match="XML"):
        labelling_config(replace(head, task=broken))


def test_long_text_stands_below_the_table_and_goes_back_to_the_model_as_it_came(library) -> None:
    head = to_level(library, Level.ASSIST)
    ask(head, IDS[:1])
    columns = [
        msgspec.structs.replace(column, kind="text") if column.name == "report" else column
        for column in head.reader.contract.columns
    ]
    contract = msgspec.structs.replace(head.reader.contract, columns=tuple(columns))
    told = replace(head, reader=replace(head.reader, contract=contract))
    view = ET.fromstring(labelling_config(told))
    assert [tag.get("value") for tag in view.findall("Text")] == ["$case", "$text_1"]
    case, data = case_named(head, "c0"), exported(told)[0]["data"]
    inputs = msgspec.json.decode(case.body)
    assert "report" not in data["facts"]
    assert data["text_1"] == inputs["report"]
    assert inputs_of(told, data) == {name: inputs[name] for name in head.columns & inputs.keys()}


@pytest.fixture
def varied(ran, tmp_path: Path) -> Head:
    """Cases of every level and kind: unseen, blind, shown, decided by the machine, audited, looked at again."""
    library = desk(ran[0], tmp_path, HALF, FULL)
    for number, level in enumerate((Level.HUMAN, Level.SHADOW, Level.ASSIST)):
        ask(to_level(library, level), [f"{level.value}{place}" for place in range(25)], FRESH[25 * number :])
    head = to_level(library, Level.PARTIAL, {"yes": 0.7, "no": 0.7})
    ask(head, [f"partial{place}" for place in range(150)], FRESH[75:])
    ask(to_level(library, Level.FULL, {"yes": 0.7, "no": 0.7}), [f"full{place}" for place in range(40)], FRESH[225:])
    set_level(library.work, "claims", Level.SHADOW, actor="ann", why="Complaints.")
    review_again(library.work, "claims", actor="ann")
    return load_head(library, "claims")


def test_no_case_that_is_judged_blindly_ever_carries_anything_of_the_model(varied: Head) -> None:
    head, library = varied, varied.library
    cases = {case.id: case for case in all_cases(head)}
    kinds = {(case.level, case.review_kind, is_blind(case)) for case in cases.values()}
    assert {hidden for level, _, hidden in kinds if level is Level.ASSIST} == {True, False}
    assert {kind for level, kind, _ in kinds if level is Level.PARTIAL} == {"none", "audit", "decide"}
    for tasks in (exported(head), exported(head, queued=True), exported(head, decided=True)):
        said_of = {task["meta"]["case"]: task["predictions"] for task in tasks}
        assert {name for name, found in said_of.items() if found} == {
            name for name in said_of if not is_blind(cases[name])
        }
        shapes = {(*task, *task["meta"], *task["data"]) for task in tasks}
        assert len(shapes) == 1  # nothing but the prediction tells one kind from another
        for task in tasks:
            if is_blind(cases[task["meta"]["case"]]):
                text = json.dumps(task)
                assert cases[task["meta"]["case"]].review_kind not in json.dumps(task["meta"])
                assert repr(cases[task["meta"]["case"]].confidence)[:8] not in text
                assert all(version not in text for version in library.versions)
    asked = [{"id": place, "data": {"case": name}} for place, name in enumerate(cases)]
    told = predict_tasks(head, asked, actor=BY)
    for case, found in zip(cases.values(), told, strict=True):
        assert bool(found["result"]) is not is_blind(case)
        assert is_blind(case) is (found == {"result": [], "score": 0.0, "model_version": head.deployed.champion})


def test_a_suggestion_is_what_the_review_page_would_show(library) -> None:
    head = at_assist(library)
    _, shown = blind_and_shown(head)
    by_name = {task["meta"]["case"]: task for task in exported(head)}
    for name, want in zip(shown, said(library, shown), strict=True):
        case, found = case_named(head, name), by_name[name]["predictions"][0]
        assert found["result"][0]["value"] == {"choices": [want]}
        assert (found["score"], found["model_version"]) == (case.confidence, case.version)


def test_ids_of_tasks_and_results_are_unique_and_the_queue_comes_in_the_order_of_its_days(varied: Head) -> None:
    head, library = varied, varied.library
    give_review(head, "ann", "human0", "yes")
    library.work.clock.at += 2 * UNDO_WITHIN
    tasks = exported(head, decided=True)
    results = [
        part["id"] for task in tasks for held in (*task["predictions"], *task["annotations"]) for part in held["result"]
    ]
    assert len({task["id"] for task in tasks}) == len(tasks)
    assert len(set(results)) == len(results)
    assert next(task for task in tasks if task["meta"]["case"] == "human0")["annotations"][0]["result"][0]["value"] == {
        "choices": ["yes"]
    }
    assert sum(len(task["annotations"]) for task in tasks) == 1
    assert len(exported(head, queued=True)) == left(head)


def test_answers_of_others_stay_hidden_while_a_case_waits_or_can_be_taken_back(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, ("wanted = 1", "wanted = 2"))
    head = load_head(library, "claims")
    ask(head, IDS[:1])
    give_review(head, "ann", "c0", "yes")
    assert exported(head, decided=True)[0]["annotations"] == []
    give_review(head, "bob", "c0", "yes")
    assert exported(head, decided=True)[0]["annotations"] == []
    library.work.clock.at += 2 * UNDO_WITHIN
    assert len(exported(head, decided=True)[0]["annotations"]) == 2


def test_a_round_trip_gives_the_marks_of_the_review_page_and_again_it_changes_nothing(library) -> None:
    head = at_assist(library)
    blind, shown = blind_and_shown(head)
    assert len(blind) > 3
    assert len(shown) > 3
    file = as_if_made_there(exported(head, queued=True), head)
    first = import_annotations(head, file, by=BY, actor="ann")
    assert first.counts == {"recorded": 40}
    assert left(head) == 0
    for name in IDS:
        case = case_named(head, name)
        look = case.reviews[-1]
        assert (look.user, look.value, look.kind, look.at - look.opened_at) == (f"{BY}/7", "yes", "decide", 12_500_000)
        assert (look.blind, look.shown_version) == (True, None) if name in blind else (False, case.version)
        assert answer_of(head, case, library.work.clock.now() + 10**12).decision == "yes"
    before = all_cases(head)
    again = import_annotations(head, file, by=BY, actor="ann")
    assert again.counts == {"duplicate": 40}
    assert all_cases(head) == before


def test_a_dry_run_says_what_would_happen_and_keeps_nothing(library) -> None:
    head = at_assist(library, 10)
    file = as_if_made_there(exported(head), head)
    file[0]["annotations"].append(annotation(head, 900, "no", user=8, later=2.0))
    file.append({"data": {"case": "nobody"}, "annotations": [annotation(head, 901, "no")]})
    before = all_cases(head)
    tried = import_annotations(head, file, by=BY, actor="ann", dry_run=True)
    assert all_cases(head) == before
    done = import_annotations(head, file, by=BY, actor="ann")
    assert tried.counts == done.counts == {"recorded": 10, "settled": 1, "unknown": 1}
    assert [one.result for one in tried.annotations] == [one.result for one in done.annotations]


def test_what_the_log_does_not_know_to_be_blind_counts_as_seen(library) -> None:
    head = at_assist(library)
    blind, _ = blind_and_shown(head)
    assert enter(head, blind[0], annotation(head, 1, "yes")) == [("recorded", False)]  # it never went out
    early = annotation(head, 2, "yes")
    library.work.clock.at += 3_600_000_000
    tasks = exported(head)
    assert enter(head, blind[1], early) == [("recorded", False)]  # it was answered before it went out
    beside = annotation(head, 3, "yes") | {"prediction": {"id": 4, "result": [{"value": {"choices": ["yes"]}}]}}
    assert enter(head, blind[2], beside) == [("recorded", False)]  # something was suggested there
    assert enter(head, blind[3], annotation(head, 4, "yes")) == [("recorded", True)]
    for name in blind[:3]:
        case = case_named(head, name)
        assert looks(head.task, case.reviews) == ()  # what counts as evidence
        assert case.reviews[-1].shown_version is None
    task = next(task for task in tasks if task["meta"]["case"] == blind[4])
    task["predictions"] = [{"model_version": "mine", "result": [{"value": {"choices": ["yes"]}}]}]
    task["annotations"] = [annotation(head, 5, "yes")]
    assert [one.blind for one in enter_all(head, read_annotations(task, 1), by=BY)] == [False]


def test_who_has_answered_with_a_suggestion_beside_it_is_never_blind_afterwards(library) -> None:
    head = at_assist(library)
    blind, _ = blind_and_shown(head)
    assert enter(head, blind[0], annotation(head, 1, "yes")) == [("recorded", False)]
    exported(head)
    changed = annotation(head, 1, "no", later=9.0) | {"created_at": moment(head, 5.0)}
    assert enter(head, blind[0], changed) == [("corrected", False)]


def test_a_task_for_which_a_prediction_was_withheld_counts_as_gone_out_blind(library) -> None:
    head = at_assist(library)
    blind, shown = blind_and_shown(head)
    predict_tasks(head, [{"meta": {"case": blind[0]}, "data": {}}, {"data": {"case": shown[0]}}], actor=BY)
    assert enter(head, blind[0], annotation(head, 1, "yes")) == [("recorded", True)]
    assert enter(head, shown[0], annotation(head, 2, "yes")) == [("recorded", False)]
    assert case_named(head, shown[0]).reviews[-1].shown_version == head.deployed.champion
    empty = annotation(head, 3, "yes") | {"prediction": {"id": 9, "result": [], "score": 0.0}}
    predict_tasks(head, [{"data": {"case": blind[1]}}], actor=BY)
    assert enter(head, blind[1], empty) == [("recorded", True)]


def test_a_later_version_corrects_as_long_as_an_answer_can_be_taken_back(library) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:2])
    exported(head)
    for name in IDS[:2]:
        assert enter(head, name, annotation(head, 1, "yes", later=5.0)) == [("recorded", True)]
    assert enter(head, "c0", annotation(head, 1, "no", later=2.0)) == [("superseded", None)]
    assert enter(head, "c0", annotation(head, 1, "no", later=9.0)) == [("corrected", True)]
    assert enter(head, "c0", annotation(head, 1, "yes", later=5.0)) == [("superseded", None)]
    case = case_named(head, "c0")
    assert [look.action for look in case.reviews] == ["decide", "undo", "decide"]
    assert answer_of(head, case, library.work.clock.now() + 10**12).decision == "no"
    library.work.clock.at += UNDO_WITHIN + 1
    assert enter(head, "c1", annotation(head, 1, "no", later=9.0)) == [("settled", None)]
    assert answer_of(head, case_named(head, "c1"), library.work.clock.now() + 10**12).decision == "yes"


def test_a_later_version_replaces_the_answer_while_the_case_waits_for_others(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, ("wanted = 1", "wanted = 2"))
    head = load_head(library, "claims")
    ask(head, IDS[:1])
    exported(head)
    assert enter(head, "c0", annotation(head, 1, "yes", user=7)) == [("recorded", True)]
    assert enter(head, "c0", annotation(head, 2, "no", user=7, later=3.0)) == [
        ("corrected", True)
    ]  # one voice a person
    assert left(head) == 1
    assert enter(head, "c0", annotation(head, 3, "no", user=8, later=4.0)) == [("recorded", True)]
    assert left(head) == 0
    assert enter(head, "c0", annotation(head, 4, "no", user=9)) == [("settled", None)]


def test_a_skip_leaves_the_case_to_others_and_a_skip_afterwards_takes_the_answer_back(library) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:1])
    exported(head)
    assert enter(head, "c0", annotation(head, 1, None)) == [("skipped", None)]
    assert enter(head, "c0", annotation(head, 1, None)) == [("duplicate", None)]
    assert left(head) == 1
    assert enter(head, "c0", annotation(head, 1, "yes", later=3.0)) == [("recorded", True)]
    assert left(head) == 0
    assert enter(head, "c0", annotation(head, 1, None, later=4.0)) == [("skipped", None)]
    assert left(head) == 1
    assert answer_of(head, case_named(head, "c0"), library.work.clock.now() + 10**12).status == "pending"


def test_a_deleted_annotation_is_taken_back_once_and_an_old_file_does_not_bring_it_back(library) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:2])
    exported(head)
    enter(head, "c0", annotation(head, 17, "yes"))
    enter(head, "c1", annotation(head, 18, "yes"))

    def gone(*ids: Any) -> list[str]:
        return [one.result for one in withdraw_all(head, list(ids), by=BY)]

    library.work.clock.at += 60_000_000
    assert gone("17") == ["withdrawn"]
    assert left(head) == 1
    assert gone("17") == ["duplicate"]
    assert gone("1", "170", "1%") == ["unknown"] * 3
    old = annotation(head, 17, "yes", later=-59.0)
    assert enter(head, "c0", old) == [("superseded", None)]
    assert enter(head, "c0", annotation(head, 19, "no", later=-30.0)) == [("recorded", True)]  # a clock behind ours
    library.work.clock.at += UNDO_WITHIN + 1
    assert gone("18") == ["settled"]


def test_two_label_studios_do_not_meet_in_their_numbers(library) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:2])
    exported(head)
    task = {"data": {"case": "c0"}}
    assert enter(head, "c0", annotation(head, 1, "yes")) == [("recorded", True)]
    found = enter_all(head, [read_annotation(annotation(head, 1, "no", later=9.0), task)], by="second")
    assert [one.result for one in found] == ["settled"]
    assert [one.result for one in withdraw_all(head, ["1"], by="label")] == ["unknown"]


def test_what_cannot_be_recorded_is_told_and_lost_nowhere(library) -> None:
    head = load_head(library, "claims")
    ask(head, IDS[:3])
    erase(library.work, "claims", ids=["c1"], actor="ann")
    give_review(head, "ann", "c2", "no")
    good = annotation(head, 1, "yes")
    elsewhere = {"data": {"case": "c0"}, "meta": {"case": "c0", "task": "other"}}
    tasks: list[dict[str, Any]] = [
        elsewhere | {"annotations": [good]},
        {"data": {"amount": 3}, "annotations": [good]},
        {"data": {"case": "c1"}, "annotations": [good]},
        {"data": {"case": "c2"}, "annotations": [good]},
        {"data": {"case": "c0"}, "annotations": [annotation(head, 2, "maybe")]},
        {"data": {"case": "c0"}, "meta": {"case": "c1"}, "annotations": [good]},
        {"data": {"case": "c0"}},
        {"data": {"case": "c0"}, "annotations": []},
    ]
    done = import_annotations(head, tasks, by=BY, actor="ann")
    assert [one.result for one in done.annotations] == [
        "unknown",
        "unknown",
        "erased",
        "settled",
        "invalid",
        "invalid",
        "invalid",
    ]
    assert [fault.where for one in done.annotations for fault in one.faults] == [
        "annotation 2: result",
        "task 6, annotation 1: task",
        "task 7: annotations",
    ]
    assert all(one.hint or one.faults or one.result == "erased" for one in done.annotations)
    assert left(head) == 1


def test_a_task_that_is_no_recorded_case_is_predicted_from_assist_on(library) -> None:
    head = at_assist(library, 30)
    blind, _ = blind_and_shown(head)
    fresh = FRESH.row(100, named=True)
    flat, shaped = {"data": fresh}, {"data": {"facts": fresh, "text_1": fresh["report"]}}
    found = predict_tasks(head, [flat, shaped, {"data": fresh | {"case": "new"}}, {"data": 3}, {}], actor=BY)
    assert found[0]["result"][0]["value"]["choices"][0] in ("yes", "no")
    assert [one["score"] for one in found[:3]] == [found[0]["score"]] * 3
    assert [one["result"] for one in found[3:]] == [[], []]
    of_blind = msgspec.json.decode(case_named(head, blind[0]).body)
    copies = [of_blind, of_blind | {"case": "copy", "beside": 1}, {k: str(v) for k, v in of_blind.items()}]
    assert [one["result"] for one in predict_tasks(head, [{"data": row} for row in copies], actor=BY)] == [[], [], []]
    below = to_level(library, Level.SHADOW)
    assert [one["result"] for one in predict_tasks(below, [flat], actor=BY)] == [[]]


def test_a_file_that_is_no_export_says_so() -> None:
    for text in (b"", b"{", b"{}", b"[1]", b'"x"', b"\xff", b"[" * 100_000):
        with pytest.raises(DataError):
            read_file(text)


BASE: dict[str, Any] = {
    "id": 17,
    "completed_by": 7,
    "result": [{"from_name": "answer", "type": "choices", "value": {"choices": ["yes"]}}],
    "was_cancelled": False,
    "ground_truth": False,
    "created_at": "2026-03-01T09:30:00Z",
    "updated_at": "2026-03-01T09:31:00.5+02:00",
    "lead_time": 3.5,
}
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["", "\x00", "x" * 500, "2026-13-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]),
)
ANY = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "email", "value", "choices", "number", "type", "case"]), inner),
    ),
    max_leaves=6,
)


@given(field=st.sampled_from(sorted(BASE)), value=ANY, gone=st.booleans())
def test_a_fault_names_the_annotation_and_the_field(field: str, value: Any, gone: bool) -> None:
    raw = deepcopy(BASE) | {field: value}
    if gone:
        del raw[field]
    found = read_annotation(raw, {"data": {"case": "c0"}})
    if isinstance(found, Annotation):
        assert found.case == "c0"
        assert found.updated_at > -(10**17)
        return
    assert [fault.where.rsplit(": ", 1)[1] for fault in found.faults] in ([field], ["created_at", "updated_at"])
    assert field == "id" or all("annotation 17: " in fault.where for fault in found.faults)
    assert all(fault.found and fault.expected and len(fault.where) < 200 for fault in found.faults)


@given(raw=ANY, task=ANY)
def test_nothing_that_is_sent_as_an_annotation_makes_reading_fail(raw: Any, task: Any) -> None:
    found = read_annotation(raw, task)
    assert isinstance(found, Faulty)
    assert found.faults


@given(task=st.dictionaries(st.sampled_from(["meta", "data", "predictions", "annotations"]), ANY))
def test_every_annotation_of_a_task_has_its_result(task: dict[str, Any]) -> None:
    held = task.get("annotations")
    found = read_annotations(task | {"annotations": [BASE, *(held if isinstance(held, list) else [])]}, 1)
    assert len(found) == 1 + (len(held) if isinstance(held, list) else 0)


def test_all_faults_of_an_annotation_are_told_at_once() -> None:
    found = read_annotation({"id": 3, "result": [], "lead_time": -1}, {"data": {"case": "c0"}})
    assert isinstance(found, Faulty)
    assert {fault.where for fault in found.faults} == {
        f"annotation 3: {field}" for field in ("created_at", "completed_by", "result", "lead_time")
    }


READ: list[tuple[str, Any, Callable[[Annotation], Any], Any]] = [
    ("completed_by", {"id": 4, "email": "a@b.org"}, lambda one: one.user, "4"),
    ("completed_by", {"email": "a@b.org"}, lambda one: one.user, "a@b.org"),
    ("completed_by", "a@b.org", lambda one: one.user, "a@b.org"),
    ("id", "x-1", lambda one: one.id, "x-1"),
    ("was_cancelled", True, lambda one: one.value, None),
    ("lead_time", None, lambda one: one.lead, None),
    ("lead_time", 10**9, lambda one: one.lead, 30 * 86_400 * 10**6),
    ("ground_truth", True, lambda one: one.value, "yes"),
    ("result", [{"from_name": "answer", "type": "number", "value": {"number": 3}}], lambda one: one.value, 3.0),
    ("result", [{"from_name": "why", "value": 1}, BASE["result"][0]], lambda one: one.value, "yes"),
    ("updated_at", None, lambda one: one.updated_at, 1772357400000000),
]


@pytest.mark.parametrize(("field", "value", "take", "want"), READ)
def test_the_shapes_that_label_studio_writes_are_read(
    field: str, value: Any, take: Callable[[Annotation], Any], want: Any
) -> None:
    found = read_annotation(BASE | {field: value}, {"data": {"case": "c0"}})
    assert isinstance(found, Annotation), found
    assert take(found) == want


def test_numbers_go_out_and_come_back_as_numbers(library) -> None:
    head = at_assist(library)
    _, shown = blind_and_shown(head)
    task = msgspec.structs.replace(head.task, decision=msgspec.structs.replace(head.task.decision, kind="regression"))
    manifest = msgspec.structs.replace(head.reader.manifest, labels=(), kind="regression")
    numbers = replace(head, task=task, reader=replace(head.reader, manifest=manifest))
    control = ET.fromstring(labelling_config(numbers)).find("Number")
    assert (control.get("name"), control.get("toName")) == ("answer", "case")
    found = task_of(numbers, msgspec.structs.replace(case_named(head, shown[0]), prediction="12.5"))
    result = found["predictions"][0]["result"]
    assert (result[0]["type"], result[0]["value"]) == ("number", {"number": 12.5})
    raw = annotation(head, 1, "yes") | {"result": result}
    read = read_annotation(raw, found)
    assert [one.result for one in enter_all(numbers, [read], by=BY)] == ["recorded"]
    assert case_named(head, shown[0]).reviews[-1].value == "12.5"
    words = [read_annotation(annotation(head, 2, "yes"), {"data": {"case": shown[1]}})]
    assert [one.result for one in enter_all(numbers, words, by=BY)] == ["invalid"]


def test_an_answer_that_disagrees_with_an_audit_is_an_audit_of_the_review_page(library) -> None:
    head = to_level(library, Level.PARTIAL, {"yes": 0.0, "no": 0.0})
    ask(head, [f"p{place}" for place in range(60)], FRESH)
    audited = next(case for case in all_cases(head) if case.review_kind == "audit")
    exported(head, queued=True)
    assert enter(head, audited.id, annotation(head, 1, other(audited.decision))) == [("recorded", True)]
    look = case_named(head, audited.id).reviews[-1]
    assert (look.kind, look.blind, look.shown_version) == ("audit", True, None)


def test_postgresql_keeps_the_same(library, postgres: Callable[[], str]) -> None:
    url = postgres()
    head = load_head(library, "claims")
    ask(head, IDS[:3])
    exported(head)
    migrate_store(library.work, url)
    moved = load_head(Library(replace(library.work, store=open_store(url))), "claims")
    assert enter(moved, "c0", annotation(moved, 1, "yes")) == [("recorded", True)]
    assert enter(moved, "c0", annotation(moved, 1, "no", later=9.0)) == [("corrected", True)]
    assert [one.result for one in withdraw_all(moved, ["1", "%"], by=BY)] == ["withdrawn", "unknown"]
    file = as_if_made_there(exported(moved), moved)
    assert import_annotations(moved, file, by=BY, actor="ann", dry_run=True).counts == {"recorded": 3}
    assert import_annotations(moved, file, by=BY, actor="ann").counts == {"recorded": 3}
    assert left(moved) == 0
