"""Past decisions and outcomes beside the model, in an invented office whose people err as often as they are made to."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

from understudy.core.errors import DataError
from understudy.core.nouns import Level
from understudy.core.task import Rule, Task, Today
from understudy.core.task_file import parse_task
from understudy.data.judgements import one_row_per_case
from understudy.evaluation.rehearsal import Backtest
from understudy.evaluation.retrospect import NEVER, Compared, Retrospect
from understudy.flows.backtest import Rehearsal, backtest, make_people, private_workspace, settle, train
from understudy.flows.golive import RunResult
from understudy.flows.rehearsal_data import History, as_history
from understudy.flows.rehearsal_stage import DataClock
from understudy.flows.retrospect import look_back
from understudy.flows.retrospect_ways import open_court, ways_then
from understudy.flows.run import ignore
from understudy.flows.workspace import Workspace
from understudy.models.search import Budget
from understudy.sources.tables import CsvOptions, read_table

N, FLAW, ERR = 1200, 0.03, 0.25
PLAN = Rehearsal(start=0.5, budget=Budget(trials=1), delay="1d", reviewers=1, days=40.0)
FILE = """
[task]
name = "loans"
question = "Will it default?"
target = "default"
kind = "classification"
positive = "yes"
goal = "accuracy"
id = "loan"

[autonomy]
max_error = 0.2
confidence = 0.95
"""


def flipped(rng: np.random.Generator, truth: np.ndarray, share: float) -> np.ndarray:
    """Answers of which a share is wrong."""
    wrong = rng.random(len(truth)) < share
    return np.where(wrong, np.where(truth == "yes", "no", "yes"), truth)


def office() -> pl.DataFrame:
    """Loans whose default follows their debt; three clerks who err, and a score that errs less."""
    rng = np.random.default_rng(0)
    debt = rng.uniform(-1, 1, N)
    truth = np.where((debt > 0) ^ (rng.random(N) < FLAW), "yes", "no")
    clerks = {f"clerk_{name}": flipped(rng, truth, ERR) for name in ("ann", "bob", "cid")}
    score = np.where(flipped(rng, truth, 0.1) == "yes", rng.uniform(5, 9, N), rng.uniform(0, 5, N)).round(2)
    return pl.DataFrame(
        {"loan": np.arange(N), "debt": debt, "income": rng.normal(0, 1, N), **clerks, "score": score, "default": truth}
    )


@dataclass(frozen=True)
class Office:
    """A version that has learned from the first half, and what it takes to look back."""

    work: Workspace
    task: Task
    history: History
    trained: RunResult

    def look(self, history: History | None = None, **changes: object) -> Retrospect:
        found = look_back(self.work, replace(self.task, **changes), history or self.history, self.trained)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    place, clock = tmp_path_factory.mktemp("office"), DataClock()
    (place / "tasks").mkdir()
    (place / "tasks" / "loans.toml").write_text(FILE + '[today]\ncolumns = ["clerk_*"]\nscore = "score"\n')
    office().write_csv(place / "loans.csv")
    with private_workspace(place, "loans", clock) as work:
        task, history = settle(work, read_table(place / "loans.csv", CsvOptions()), "loans", None, PLAN, {})
        clock.at = int(history.at[history.first])
        yield Office(work, task, history, train(work, task, history, PLAN, tell=ignore, tell_trial=ignore))


def of(found: Retrospect, way: str) -> Compared:
    return next(one for one in found.ways if one.way == way)


def test_people_the_majority_and_the_score_stand_beside_the_model(opened: Office) -> None:
    found = opened.look()
    assert [one.way for one in found.ways] == ["model", "person", "together", "score", "constant"]
    rest = opened.history.frame[opened.history.first :].with_columns(pl.col("default").alias("truth"))
    clerks = [rest[name] for name in rest.columns if name.startswith("clerk_")]
    each = np.array([(clerk != rest["truth"]).to_numpy() for clerk in clerks])
    assert of(found, "person").error.estimate == pytest.approx(each.mean() * found.cases / found.cases, abs=0.01)
    assert of(found, "together").error.estimate < of(found, "person").error.estimate
    assert of(found, "score").error.estimate == pytest.approx(0.1, abs=0.05)
    assert "'yes' from 5" in of(found, "score").name
    for one in found.ways:
        assert one.error.lower <= one.error.estimate <= one.error.upper


def test_a_model_that_errs_less_than_people_may_assist_and_never_more(opened: Office) -> None:
    found = opened.look()
    assert (found.level, found.never, found.today) == (Level.ASSIST, NEVER, "one person")
    assert of(found, "person").lead.lower > 0.1
    assert found.cases + sum(found.aside.values()) == found.held_out == N // 2


def test_the_model_predicts_as_it_does_live(opened: Office) -> None:
    assert of(opened.look(), "model").error.estimate == pytest.approx(FLAW, abs=0.03)


def test_without_anything_that_decided_then_nothing_is_said(opened: Office) -> None:
    task = replace(opened.task, today=Today())
    assert look_back(opened.work, task, opened.history, opened.trained) is None


def test_one_column_is_one_person(opened: Office) -> None:
    found = opened.look(today=Today(column="clerk_bob"))
    assert [one.way for one in found.ways] == ["model", "person", "constant"]
    assert found.today == "today's clerk_bob"


def test_rules_come_first_and_people_where_none_holds(opened: Office) -> None:
    rules = (Rule(when="debt > 0.5", then="yes"),)
    alone = opened.look(today=Today(rules=rules))
    assert alone.today == "today's rules"
    assert of(alone, "rules").error.n < alone.cases
    both = opened.look(today=Today(rules=rules, column="clerk_ann"))
    assert both.today == "today's rules, with people where none holds"
    assert of(both, "rules").error.n == both.cases
    assert of(both, "rules").error.estimate < of(both, "person").error.estimate


def test_where_the_truth_is_what_people_decided_they_are_not_compared(opened: Office) -> None:
    found = opened.look(today=Today(column="default"))
    assert [one.way for one in found.ways] == ["model", "constant"]
    assert found.today == ""
    assert any("the truth is what they decided themselves" in reason for reason in found.reasons)


def test_decisions_in_other_words_are_refused_with_the_way_out(opened: Office) -> None:
    history = with_column(opened.history, "clerk_ann", pl.lit("reject"))
    with pytest.raises(DataError, match="People decided 'reject', but the task's answers are 'no' or 'yes'"):
        opened.look(history, today=Today(column="clerk_ann"))


def test_some_odd_words_count_as_wrong_and_some_gaps_are_left_out(opened: Office) -> None:
    last = pl.col("loan").cast(pl.Int64) % 10
    said = pl.when(last == 0).then(pl.lit("later")).when(last == 1).then(None)
    history = with_column(opened.history, "clerk_ann", said.otherwise(pl.col("default")))
    found = opened.look(history, today=Today(column="clerk_ann"))
    person = of(found, "person").error
    assert person.n < found.cases
    assert person.estimate == pytest.approx(1 / 9, abs=0.03)
    assert any("'later', are none of the task's answers" in note for note in found.notes)
    assert any("nobody's decision is known" in note for note in found.notes)


def test_groups_make_the_intervals_honest_and_wider(opened: Office) -> None:
    history = with_column(opened.history, "branch", pl.col("loan").cast(pl.Int64) % 12)
    decision = replace(opened.task.decision, split_group="branch")
    grouped = opened.look(history, decision=decision)
    assert of(grouped, "person").error.n == 12
    assert of(grouped, "person").error.upper > of(opened.look(), "person").error.upper


def test_prices_weigh_mistakes(opened: Office) -> None:
    cost = replace(opened.task.cost, mistakes={"yes -> no": 10.0, "no -> yes": 1.0})
    found = opened.look(cost=cost)
    assert found.priced
    assert any("fewer mistakes at the highest price" in reason for reason in found.reasons)
    assert of(found, "person").error.estimate < of(opened.look(), "person").error.estimate


def test_no_case_at_all_and_a_score_without_values_break_nothing(opened: Office) -> None:
    task = replace(opened.task, today=replace(opened.task.today, score="nothing"))
    history = with_column(opened.history, "nothing", pl.lit(None, dtype=pl.String))
    court = open_court(task, (), history)
    ways, notes = ways_then(history.frame.head(0), history, court, court.at(np.arange(0)))
    assert [way.way for way in ways] == ["person", "together", "constant"]
    assert any("nothing is not compared" in note for note in notes)


def with_column(history: History, name: str, value: pl.Expr) -> History:
    return History(
        history.frame.with_columns(value.alias(name)),
        history.truths,
        history.at,
        history.calendar,
        history.first,
        history.notes,
    )


# Several rows of one case.


def long_rows() -> pl.DataFrame:
    """One row for each decision, with the age of who decided."""
    wide = office()
    names = [name for name in wide.columns if name.startswith("clerk_")]
    rows = wide.unpivot(names, index=[name for name in wide.columns if name not in names], value_name="said")
    return rows.with_columns(age=pl.int_range(pl.len())).drop("variable").sort("age", descending=True)


def long_task(**decision: object) -> Task:
    task = parse_task(FILE + '[today]\ncolumn = "said"\n')
    return replace(task, decision=replace(task.decision, **decision))


def test_rows_that_share_an_id_become_one_case() -> None:
    table, task, notes = one_row_per_case(long_rows(), long_task())
    assert table.height == N
    assert task.today.columns == ("said 1", "said 2", "said 3")
    assert "age" not in table.columns
    assert [note for note in notes if "3,600 decisions on 1,200 cases" in note]
    wide = office().sort("loan")
    spread = table.sort("loan")
    for names, given in zip(wide.rows(), spread.rows(), strict=True):
        assert sorted(names[3:6]) == sorted(given[-3:])


def test_a_table_with_one_row_for_each_case_stays_as_it_is() -> None:
    task = parse_task(FILE + '[today]\ncolumn = "clerk_ann"\n')
    table = office()
    assert one_row_per_case(table, task) == (table, task, ())


def test_what_the_task_names_stays_and_must_not_differ_where_it_decides() -> None:
    named = one_row_per_case(long_rows(), long_task(after=("age",)))[0]
    assert "age" in named.columns
    rows = long_rows().with_columns(default=pl.when(pl.col("age") == 0).then(pl.lit("no")).otherwise(pl.lit("yes")))
    with pytest.raises(DataError, match="differ in 'default'"):
        one_row_per_case(rows, long_task())
    with pytest.raises(DataError, match="have no loan"):
        one_row_per_case(rows.with_columns(loan=pl.when(pl.col("age") > 0).then("loan")), long_task())


def test_no_row_of_a_case_is_learned_from_and_judged_on(tmp_path: Path) -> None:
    table, task, _ = one_row_per_case(long_rows(), long_task())
    history = as_history(table, task, start=0.5, days=100, seed=0)
    known = set(history.frame["loan"][: history.first].to_list())
    assert known.isdisjoint(history.frame["loan"][history.first :].to_list())


def test_no_group_is_learned_from_and_judged_on_where_rows_have_no_time() -> None:
    branch = (pl.col("loan") // 7).alias("branch")
    task = parse_task(FILE.replace('id = "loan"', 'split_group = "branch"'))
    history = as_history(office().with_columns(branch), task, start=0.5, days=100, seed=0)
    assert 600 <= history.first < 607
    assert set(history.frame["branch"][: history.first]).isdisjoint(history.frame["branch"][history.first :])


def test_each_reviewer_of_a_rehearsal_says_what_another_person_said() -> None:
    task = parse_task(FILE + '[today]\ncolumns = ["clerk_*"]\n')
    history = as_history(office(), task, start=0.5, days=100, seed=0)
    people = make_people(task, history, PLAN)
    first, second = people.answers["row-601"], people.answers["row-602"]
    clerks = history.frame.select(pl.selectors.starts_with("clerk_")).rows()
    assert tuple(first) == clerks[600]
    assert tuple(second) == (*clerks[601][1:], clerks[601][0])


# Outcomes that decisions hide.

HIDING = FILE + '[today]\ncolumn = "clerk_ann"\n[truth]\nhides_outcome = ["yes"]\n'


def refused(*, filled: str | None = None) -> pl.DataFrame:
    """The loans, with no outcome where a clerk refused; or with one that somebody filled in."""
    refuse = pl.when(pl.col("clerk_ann") == "yes")
    blank = refuse.then(pl.lit(filled)).otherwise(pl.col("default"))
    return office().drop("clerk_bob", "clerk_cid", "score").with_columns(default=blank)


def rehearsed(place: Path, table: pl.DataFrame, text: str) -> Backtest:
    (place / "tasks").mkdir()
    (place / "tasks" / "loans.toml").write_text(text)
    table.write_csv(place / "loans.csv")
    return backtest(place / "loans.csv", workspace=place, plan=PLAN)


MUTED = """[checks]
mute = [{ code = "US001", why = "only the rehearsal matters" }, { code = "US002", why = "only the rehearsal matters" }]
"""
LAX = HIDING.replace("max_error = 0.2", "max_error = 0.45") + MUTED


@pytest.fixture(scope="module")
def blanked(tmp_path_factory: pytest.TempPathFactory) -> Backtest:
    return rehearsed(tmp_path_factory.mktemp("blanked"), refused(), LAX)


def test_nothing_is_proved_of_refusals(blanked: Backtest) -> None:
    """Neither in the retrospect nor in the rehearsal, although so lax a promise is easily kept."""
    found = blanked.retrospect
    assert found is not None
    refusals = next(side for side in found.sides if side.answer == "yes")
    assert refusals.cases > 100
    assert refusals.error is None
    assert "yes" not in blanked.certified
    assert "yes" not in blanked.uncertified
    assert "yes" not in blanked.errors.sides
    assert not any("'yes'" in reason for move in blanked.moves for reason in move.reasons)


def test_without_that_rule_refusals_would_be_certified_by_the_cases_that_people_granted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.flows.backtest.as_rehearsed", lambda task, table: task)
    broken = rehearsed(tmp_path, refused(), LAX)
    assert "yes" in broken.certified
    assert broken.retrospect is not None
    assert all(side.error is not None for side in broken.retrospect.sides)


def test_no_estimate_pretends_to_know_hidden_outcomes(blanked: Backtest) -> None:
    found = blanked.retrospect
    assert found is not None
    assert found.hidden > 50
    for one in found.ways:
        assert isnan(one.error.estimate)
        assert one.error.upper - one.error.lower > found.hidden / found.cases
    assert of(found, "person").lead.lower < 0 < of(found, "person").lead.upper


def test_it_says_why(blanked: Backtest) -> None:
    found = blanked.retrospect
    assert found is not None
    assert any("Of 'yes' nothing is proved, and nothing estimated" in note for note in found.notes)
    assert any("history proves nothing about 'yes'" in note for note in blanked.notes)
    page = Path(blanked.report).read_text()
    assert "nothing is said: it may not give this answer, or its outcome never shows" in page
    assert page.count("<svg") == 4
    assert NEVER in page
    assert "<script" not in page


def test_outcomes_that_somebody_filled_in_are_not_believed(blanked: Backtest, tmp_path: Path) -> None:
    task = parse_task(HIDING)
    blank, filled = (as_history(refused(filled=word), task, start=0.5, days=100, seed=0) for word in (None, "no"))
    assert blank.truths == filled.truths
    assert blank.frame.equals(filled.frame)
    assert None in blank.truths


def test_without_the_decisions_what_has_no_outcome_was_hidden() -> None:
    task = parse_task(HIDING.replace('column = "clerk_ann"', 'score = "debt"'))
    history = as_history(refused().drop("clerk_ann"), task, start=0.5, days=100, seed=0)
    assert history.frame.height == N
    answers = make_people(task, history, PLAN).answers
    hidden = [place for place, truth in enumerate(history.truths) if truth is None and place >= history.first]
    assert {tuple(answers[f"row-{place + 1}"]) for place in hidden} == {("yes",)}


def test_a_task_that_hides_nothing_loses_rows_without_an_outcome_and_says_so() -> None:
    task = parse_task(FILE + '[today]\ncolumn = "clerk_ann"\n')
    history = as_history(refused(), task, start=0.5, days=100, seed=0)
    assert history.frame.height < N
    assert any("rows have no outcome, and are left out" in note for note in history.notes)


# Numbers.


def test_numbers_are_compared_within_the_tolerance(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    size = rng.uniform(0, 10, 400)
    hours = size + rng.normal(0, 0.8, 400)
    table = pl.DataFrame({"size": size, "ann": hours + rng.normal(0, 3, 400), "bob": hours + 9, "hours": hours})
    text = FILE.replace('"classification"\npositive = "yes"', '"regression"\ntolerance = 2.0').replace(
        '"accuracy"', '"mae"'
    )
    text = text.replace('target = "default"', 'target = "hours"').replace('id = "loan"\n', "")
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "loans.toml").write_text(text + '[today]\ncolumns = ["ann", "bob"]\n')
    table.write_csv(tmp_path / "loans.csv")
    with private_workspace(tmp_path, "loans", DataClock()) as work:
        task, history = settle(work, read_table(tmp_path / "loans.csv", CsvOptions()), "loans", None, PLAN, {})
        trained = train(work, task, history, PLAN, tell=ignore, tell_trial=ignore)
        found = look_back(work, task, history, trained)
    assert found is not None
    assert [one.way for one in found.ways] == ["model", "person", "together", "constant"]
    assert of(found, "person").error.estimate == pytest.approx((0.5 + 1) / 2, abs=0.1)
    assert (found.level, found.sides) == (Level.ASSIST, ())
