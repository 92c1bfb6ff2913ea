"""Everything is looked at that can be, each on the right rows; what cannot be is said, and costs no report."""

import dataclasses
import io
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

import understudy
from conftest import claims
from understudy.core.task import Checks, Today
from understudy.evaluation.findings import Findings
from understudy.evaluation.proposals import FAIRNESS, actions_of, checks_of
from understudy.flows import examine
from understudy.flows.examine import Examiner, as_classes
from understudy.flows.golive import RunResult, judged_part
from understudy.flows.head import Library, load_head
from understudy.flows.judged import find_judged
from understudy.flows.models import beside, read_report
from understudy.flows.version import load_version
from understudy.flows.workspace import open_workspace
from understudy.reports.chapters.every import chapters_of

COVERAGE = ()


@pytest.fixture(scope="module")
def examiner(ran: tuple[Path, RunResult]) -> Examiner:
    """The claims' version, with the rows that it was made from."""
    work = open_workspace(ran[0])
    head = load_head(Library(work), "claims")
    version = load_version(work, "claims", "latest")
    judged = find_judged(head, version)
    files = {name: work.artifacts.get(digest) for name, digest in version.manifest.files.items()}
    oof = pl.read_parquet(io.BytesIO(beside(work, "claims", "latest", "oof.parquet")))
    part = judged_part(version, head.task, judged.data, judged.parts)
    return Examiner(version, head.task, judged.data, judged.parts, part, files=files, oof=oof, seed=0)


def look(one: Examiner, **asked: object) -> Findings:
    return one.examine(COVERAGE, clock=open_workspace().clock, **asked)


def with_task(one: Examiner, **sections: object) -> Examiner:
    """The same version under another task."""
    other = object.__new__(Examiner)
    other.__dict__ |= one.__dict__ | {"task": replace(one.task, **sections)}
    return other


def test_a_full_look_is_kept_with_the_version_and_read_again(ran: tuple[Path, RunResult]) -> None:
    report = read_report("claims", version="latest", workspace=ran[0])
    found = report.findings
    assert found is not None
    assert found.slices is not None
    assert found.bias is not None
    assert found.errors is not None
    assert found.conflicts is not None
    assert found.explanations is not None
    assert found.robustness is not None
    assert found.numbers is None
    assert found.stages is None
    assert found.human is None
    assert found.fairness is None
    assert found.left_out == {}
    assert found.diagnosis is not None
    assert found.diagnosis.sentence == "No time was given for it."
    assert msgspec.json.decode(msgspec.json.encode(found), type=Findings) == found
    anchors = [chapter.anchor for chapter in chapters_of(report)]
    assert {"checks", "measures", "bias", "slices", "labels", "explanations", "robustness"} <= set(anchors)
    assert len(anchors) == len(set(anchors))


def test_only_what_checks_rest_on_is_looked_at_where_that_is_enough(examiner: Examiner) -> None:
    asked: list[str] = []
    found = look(examiner, full=False, tell=asked.append)
    assert asked == ["bias", "fairness", "robustness"]
    assert found.slices is None
    assert found.explanations is None
    codes = {check.code for check in checks_of(found, examiner.part)}
    assert codes == {f"US{number:03d}" for number in range(5, 14)}
    assert codes == {check.code for check in checks_of(look(examiner), examiner.part)}


def test_what_fails_is_left_out_with_its_reason_and_costs_nothing_else(
    examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("there are no rows to search")

    monkeypatch.setattr(examine, "find_slices", broken)
    found = look(examiner)
    assert found.slices is None
    assert found.left_out == {"slices": "there are no rows to search"}
    assert found.explanations is not None


def test_a_model_far_away_is_not_asked_tens_of_thousands_of_times(examiner: Examiner) -> None:
    far = with_task(examiner)
    manifest = replace(examiner.version.manifest, recipe=examine.FAR)
    far.version = dataclasses.replace(examiner.version, manifest=manifest)
    found = look(far)
    assert set(found.left_out) == set(examine.ASKING)
    assert "over the network" in found.left_out["robustness"]
    made = {check.code: check for check in checks_of(found, far.part)}
    assert set(made) == {f"US{number:03d}" for number in range(5, 14)}
    assert made["US011"].verdict == "warn"
    assert "could not be made: The model is asked over the network" in made["US011"].detail


def test_groups_that_cannot_be_compared_are_never_taken_for_fair(
    examiner: Examiner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("there is no such column")

    monkeypatch.setattr(examine, "fairness", broken)
    made = {check.code: check for check in checks_of(look(examiner, full=False), examiner.part)}
    assert [made[code].verdict for code in ("US006", "US007", "US008")] == ["warn"] * 3
    names = {check.code: check.name for check in checks_of(Findings(), examiner.part)}
    assert {code: made[code].name for code in FAIRNESS} == {code: names[code] for code in FAIRNESS}


def test_groups_are_compared_by_the_limit_that_the_task_states(examiner: Examiner) -> None:
    decision = replace(examiner.task.decision, groups=("region",))
    free = look(with_task(examiner, decision=decision), full=False).fairness
    bound = look(with_task(examiner, decision=decision, checks=Checks(most_gap=0.2)), full=False).fairness
    assert free is not None
    assert bound is not None
    assert (free.plan.stated, bound.plan.stated, bound.plan.limit) == (False, True, 0.2)
    assert len(free.groups) == 4


def test_people_are_held_against_the_outcome_on_the_rows_that_judge_the_model(examiner: Examiner) -> None:
    rng = np.random.default_rng(0)
    truth = examiner.data.source["pay"]
    wrong = pl.Series(rng.random(len(truth)) < 0.3)
    other = pl.when(truth == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    said = examiner.data.source.select(pl.when(wrong).then(other).otherwise(truth).alias("clerk"))["clerk"]
    some = with_task(examiner, today=Today(column="clerk"))
    some.data = dataclasses.replace(examiner.data, source=examiner.data.source.with_columns(said))
    human = look(some).human
    assert human is not None
    test = examiner.parts.test
    assert human.person.estimate == pytest.approx(float((said != truth)[test].mean()))
    assert human.agreement is None  # one person alone
    assert msgspec.json.decode(msgspec.json.encode(human), type=type(human)) == human
    assert human.model is not None
    assert human.model.estimate == pytest.approx(float(1 - examiner.part.right.mean()))


def test_words_that_are_no_answer_are_missing_judgements() -> None:
    told = pl.DataFrame({"ann": ["yes", "no", None], "ben": ["yes", "perhaps", "no"]})
    assert as_classes(told, ("no", "yes")) == pytest.approx(
        np.array([[1.0, 1.0], [0.0, np.nan], [np.nan, 0.0]]), nan_ok=True
    )


def test_every_action_points_to_a_chapter_that_is_there(ran: tuple[Path, RunResult]) -> None:
    report = read_report("claims", version="latest", workspace=ran[0])
    assert report.findings is not None
    inputs = tuple(column["name"] for column in report.columns if column["used"])
    actions = actions_of(
        report.findings,
        checks=report.checks,
        measures=report.evaluation.measures,
        labels=report.labels,
        inputs=inputs,
    )
    assert {action.chapter for action in actions} <= {chapter.anchor for chapter in chapters_of(report)}


def test_a_run_is_diagnosed_where_it_is_given_time(tmp_path: Path) -> None:
    claims(400, seed=3).write_csv(tmp_path / "claims.csv")
    result = understudy.run(
        tmp_path / "claims.csv",
        target="pay",
        workspace=tmp_path,
        budget=understudy.Budget(trials=1),
        recipes=("logistic",),
        drop=("paid_amount",),
        diagnose=3.0,
    )
    found = read_report("claims", version=result.model.version, workspace=tmp_path).findings
    assert found is not None
    assert found.diagnosis is not None
    assert found.diagnosis.learning
    assert found.diagnosis.seconds < 12
