"""The log's own cases make a new version, which is compared with the champion before anything changes."""

import io

import msgspec
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

import understudy
from conftest import claims
from flows.desk import Hands, ask, desk, to_level
from understudy.core.errors import ConflictError
from understudy.core.nouns import Level, Move
from understudy.data.contract import Column, Contract
from understudy.flows.entering import reads_alike
from understudy.flows.erase import erase
from understudy.flows.head import Library, load_head
from understudy.flows.labels import labelled_cases
from understudy.flows.learn import learn
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.retrain import CASE, original_rows, refreshed, retrain
from understudy.flows.review import give_review, next_review
from understudy.flows.version import load_version
from understudy.models.calibrate import fit_number_head, fit_probability_head, within
from understudy.models.recipes import RECIPES, Effort, Rows
from understudy.models.search import Budget
from understudy.models.search import loss as log_loss
from understudy.store.events import read_events
from understudy.store.registry import current, find_version, list_versions, move_to
from understudy.store.schema import losses
from understudy.store.tasks import read_task

TABLE = claims(300, seed=7)
CASES = TABLE.drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(TABLE.height)]
ONE = Budget(trials=1)


def lived(library: Library, first: int = 0, last: int = 120) -> None:
    """Some cases, with their outcomes, in the ledger."""
    head = load_head(library, "claims")
    ask(head, NAMES[first:last], CASES[first:last])
    given = zip(NAMES[first:last], TABLE["pay"][first:last], strict=True)
    give_outcomes(head, "shop", [Outcome(id=name, outcome=answer) for name, answer in given])
    learn(library, "claims")


def deployed(library: Library):
    with library.work.store.reading() as connection:
        return current(connection, 1)


def snapshot_of(library: Library, version: str) -> pl.DataFrame:
    with library.work.store.reading() as connection:
        digest = find_version(connection, 1, version).snapshot
    return pl.read_parquet(io.BytesIO(library.work.artifacts.get(digest)))


@pytest.fixture
def library(ran, tmp_path):
    return desk(ran[0], tmp_path)


def test_the_new_version_enters_as_a_challenger_and_the_champion_stays(library) -> None:
    lived(library)
    before = deployed(library)
    result = retrain(library, "claims", actor="ann", budget=ONE)
    after = deployed(library)
    assert (after.champion, after.level, after.epoch) == (before.champion, before.level, before.epoch)
    assert after.challengers == (result.model.version,)
    assert result.rows == len(original_rows(load_head(library, "claims")).answers) + 120
    with library.work.store.reading() as connection:
        last = read_events(connection, 1)[-1]
    assert (last.kind, last.actor) == ("moved.challenger", "ann")


def test_cases_to_come_are_predicted_by_the_challenger_too(library) -> None:
    lived(library)
    result = retrain(library, "claims", actor="ann", budget=ONE)
    lived(library, 120, 160)
    with library.work.store.reading() as connection:
        mine = sa.select(sa.func.count()).where(losses.c.version == result.model.version)
        assert connection.execute(mine).scalar_one() == 40
    head = load_head(library, "claims")
    assert head.challengers[0].inputs == head.champion.inputs


def test_the_champion_s_settings_are_tried_first_on_old_rows_and_new(library) -> None:
    lived(library)
    result = retrain(library, "claims", actor="ann", budget=ONE)
    champion = load_head(library, "claims").champion.manifest
    manifest = load_version(library.work, "claims", result.model.version).manifest
    old = {key: value for key, value in champion.params.items() if key != "rounds"}
    assert manifest.recipe == champion.recipe
    assert {key: value for key, value in manifest.params.items() if key != "rounds"} == old


def test_live_inputs_never_enter_a_snapshot_and_are_taken_once_by_the_next_retraining(library) -> None:
    lived(library)
    first = retrain(library, "claims", actor="ann", budget=ONE)
    kept = snapshot_of(library, first.model.version)
    assert kept[CASE].drop_nulls().to_list() == list(range(1, 121))
    live = kept.filter(pl.col(CASE).is_not_null())
    assert all(live[name].null_count() == live.height for name in CASES.columns)
    with library.work.store.writing() as connection:
        now = current(connection, 1)
        to = msgspec.structs.replace(now, champion=first.model.version, challengers=(), epoch=now.epoch + 1)
        move_to(connection, 1, Move(kind="promote", to=to, reasons=()), actor="ann", at=1)
    second = retrain(library, "claims", actor="ann", budget=ONE, seed=1)
    assert second.rows == first.rows


def test_erased_cases_are_not_learned_from(library) -> None:
    lived(library)
    erase(library.work, "claims", ids=NAMES[:30])
    with library.work.store.reading() as connection:
        assert [case.seq for case in labelled_cases(connection, 1)] == list(range(31, 121))


def test_without_the_purged_snapshot_the_live_cases_teach_alone(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, ('# subject = "customer_id"', 'subject = "claim_id"'))
    lived(library)
    erase(library.work, "claims", subject="C00599")
    result = retrain(library, "claims", actor="ann", budget=ONE)
    assert result.rows == 120


def test_an_audited_case_stands_for_those_that_were_not_drawn(ran, tmp_path) -> None:
    library = desk(
        ran[0],
        tmp_path,
        ('source = "outcome"', 'source = "blind_review"'),
        ("# audit_rate = 0.05", "audit_rate = 0.25"),
    )
    head = to_level(library, Level.PARTIAL, {"yes": 0.7, "no": 0.7})
    answers = ask(head, NAMES, CASES)
    right = dict(zip(NAMES, TABLE["pay"], strict=True))
    while (waiting := next_review(head, "ann")) is not None:
        give_review(head, "ann", waiting.id, right[waiting.id])
    library.work.clock.at += 31 * 86_400_000_000
    learn(library, "claims")
    by_model = {name for name, answer in zip(NAMES, answers, strict=True) if answer.decided_by == "model"}
    with library.work.store.reading() as connection:
        found = {NAMES[case.seq - 1]: case.weight for case in labelled_cases(connection, 1)}
    audited = by_model & found.keys()
    assert 0 < len(audited) < len(by_model)
    assert {found[name] for name in audited} == {4.0}
    assert {weight for name, weight in found.items() if name not in by_model} == {1.0}
    assert sum(found[name] for name in audited) == pytest.approx(len(by_model), rel=0.35)


def test_a_retraining_without_a_label_or_a_champion_says_what_to_do(library, tmp_path) -> None:
    with pytest.raises(ConflictError, match="No live case"):
        retrain(library, "claims", actor="ann", budget=ONE)


def test_the_same_log_and_trials_give_the_same_version(library) -> None:
    lived(library)
    first = retrain(library, "claims", actor="ann", budget=ONE)
    again = retrain(library, "claims", actor="ann", budget=ONE)
    assert again.model.version == first.model.version
    assert deployed(library).challengers == (first.model.version,)


def test_a_run_on_a_live_task_gives_a_challenger_and_the_oldest_of_three_leaves(library, claims_csv) -> None:
    lived(library)
    for seed in (1, 2, 3):
        understudy.run(claims_csv, name="claims", workspace=library.work.root, budget=ONE, seed=seed)
    now = deployed(library)
    with library.work.store.reading() as connection:
        newest = [record.version for record in list_versions(connection, 1)[:3]]
        last = read_events(connection, 1)[-1]
    assert now.challengers == (newest[1], newest[0])
    assert f"Version {newest[2][:12]}, the oldest challenger, leaves" in " ".join(last.body["reasons"])


def test_a_run_on_a_task_without_live_cases_replaces_the_champion_as_ever(library, claims_csv) -> None:
    result = understudy.run(claims_csv, name="claims", workspace=library.work.root, budget=ONE, seed=1)
    assert deployed(library).champion == result.model.version
    assert deployed(library).challengers == ()


def test_a_run_above_shadow_gives_a_challenger_also_before_the_first_case(library, claims_csv) -> None:
    before = to_level(library, Level.PARTIAL, {"yes": 0.9}).deployed
    result = understudy.run(claims_csv, name="claims", workspace=library.work.root, budget=ONE, seed=1)
    after = deployed(library)
    assert (after.level, after.champion, after.thresholds) == (before.level, before.champion, before.thresholds)
    assert after.challengers == (result.model.version,)


def test_a_target_that_is_an_expression_over_numbers_meets_labels_in_words(tmp_path) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"minute": np.arange(500), "load": rng.normal(size=500), "size": rng.random(500)})
    table = table.with_columns(delay=20 * pl.col("load") + 8 * rng.normal(size=500))
    table.head(400).sample(fraction=1.0, shuffle=True, seed=1).write_csv(tmp_path / "old.csv")
    told = {"name": "late", "target": "delay > 15", "time": "minute * 1.0"}
    understudy.run(tmp_path / "old.csv", **told, workspace=tmp_path, budget=ONE)
    work = understudy.open_workspace(tmp_path)
    library = Library(work)
    head = load_head(library, "late")
    rows = table.tail(100).drop("delay", "minute")
    ask(head, NAMES[:100], rows)
    late = (table["delay"][400:] > 15).to_list()
    give_outcomes(head, "shop", [Outcome(id=name, outcome=one) for name, one in zip(NAMES[:100], late, strict=True)])
    learn(library, "late")
    result = retrain(library, "late", actor="ann", budget=ONE)
    version = load_version(work, "late", result.model.version)
    assert (result.rows, version.manifest.labels) == (500, ("false", "true"))
    assert "delay" not in version.inputs
    assert original_rows(load_head(library, "late")).source["minute"].cast(int).to_list() == list(range(400))


def test_numbers_are_learned_from_the_log(tmp_path) -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame({"load": rng.normal(size=500), "size": rng.random(500)})
    table = table.with_columns(hours=20 + 5 * pl.col("load") + rng.normal(size=500))
    table.head(400).write_csv(tmp_path / "old.csv")
    understudy.run(tmp_path / "old.csv", name="hours", target="hours", workspace=tmp_path, budget=ONE)
    library = Library(understudy.open_workspace(tmp_path))
    head = load_head(library, "hours")
    ask(head, NAMES[:100], table.tail(100).drop("hours"))
    given = [Outcome(id=name, outcome=hours) for name, hours in zip(NAMES[:100], table["hours"][400:], strict=True)]
    give_outcomes(head, "shop", given)
    learn(library, "hours")
    result = retrain(library, "hours", actor="ann", budget=ONE)
    assert (result.rows, result.kind) == (500, "regression")


def test_the_contract_keeps_its_meaning_and_takes_the_new_range_and_levels() -> None:
    contract = Contract(
        columns=(
            Column(name="age", kind="integer", low=1, high=9),
            Column(name="job", kind="category", levels=("cook",)),
            Column(name="id", kind="identifier", used=False),
        )
    )
    found = refreshed(contract, pl.DataFrame({"age": [0, 20], "job": ["nurse", "nurse"]}))
    assert (found.columns[0].low, found.columns[0].high) == (0, 20)
    assert found.columns[1].levels == ("nurse",)
    assert found.columns[2] == contract.columns[2]


def test_only_versions_that_read_the_same_values_are_compared() -> None:
    one = Contract(columns=(Column(name="age", kind="integer"), Column(name="job", kind="category")))
    as_number = Contract(columns=(Column(name="age", kind="number"), Column(name="job", kind="category")))
    fewer = Contract(columns=(Column(name="age", kind="integer"), Column(name="job", kind="category", used=False)))
    assert reads_alike(one, as_number)
    assert not reads_alike(one, fewer)
    assert not reads_alike(one, Contract(columns=tuple(reversed(one.columns))))


def test_what_the_task_file_says_but_was_not_applied_stays_unapplied(library) -> None:
    lived(library)
    file = library.work.task_file("claims")
    with library.work.store.reading() as connection:
        stored = read_task(connection, "claims").body
    file.write_text(file.read_text() + "\n# edited\n")
    retrain(library, "claims", actor="ann", budget=ONE)
    with library.work.store.reading() as connection:
        assert read_task(connection, "claims").body == stored


def test_a_clock_in_hand_is_enough(ran, tmp_path) -> None:
    library = desk(ran[0], tmp_path, clock=Hands(at=1_800_000_000_000_000))
    lived(library)
    retrain(library, "claims", actor="ann", budget=ONE)
    with library.work.store.reading() as connection:
        assert list_versions(connection, 1)[0].at == 1_800_000_000_000_000


def test_a_case_of_weight_two_counts_as_two_cases_in_head_and_score() -> None:
    rng = np.random.default_rng(0)
    share = rng.random(400)
    raw, y = np.column_stack([1 - share, share]), (rng.random(400) < share**2).astype(np.int64)
    weights = rng.integers(1, 4, 400).astype(np.float64)
    twice = np.repeat(np.arange(400), weights.astype(int))
    assert log_loss("classification", y, raw, weights) == pytest.approx(
        log_loss("classification", y[twice], raw[twice])
    )
    weighted, repeated = fit_probability_head(raw, y, weights), fit_probability_head(raw[twice], y[twice])
    assert weighted.slope == pytest.approx(repeated.slope, rel=1e-4)
    assert weighted.bias == pytest.approx(repeated.bias, abs=1e-3)
    assert fit_probability_head(raw, y, np.ones(400)) == fit_probability_head(raw, y)


def test_heavy_residuals_widen_the_intervals() -> None:
    rng = np.random.default_rng(0)
    raw, y = rng.random((600, 1)), rng.normal(size=600)
    far = np.where(np.abs(y - raw[:, 0]) > 1, 5.0, 1.0)
    plain, weighted = fit_number_head(raw, y), fit_number_head(raw, y, far)
    tolerance = np.array([0.5])
    assert within(weighted, tolerance, 1.0) < within(plain, tolerance, 1.0)
    assert fit_number_head(raw, y, np.ones(600)).edges == plain.edges


def test_boosting_follows_the_weights_also_where_it_stops() -> None:
    rng = np.random.default_rng(0)
    X = np.zeros((400, 1), dtype=np.float32)
    y = (np.arange(400) % 4 == 0).astype(np.int64)
    rows = Rows(
        kind="classification",
        n_classes=2,
        X=X,
        y=y,
        views=("number",),
        X_stop=X,
        y_stop=y,
        weights=np.where(y == 1, 9.0, 1.0),
        weights_stop=np.where(y == 1, 9.0, 1.0),
    )
    params = RECIPES["lightgbm"].portfolio[0]
    said = RECIPES["lightgbm"].fit(params, rows, Effort(0, 1)).raw(X + rng.random())[0, 1]
    assert said == pytest.approx(0.75, abs=0.02)
