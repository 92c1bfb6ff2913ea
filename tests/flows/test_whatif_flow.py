"""What-if answers from the log, by its own numbers, and from held-out rows where the log cannot tell yet."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from scipy import stats

import understudy
from flows.desk import ask, desk, to_level
from understudy.autonomy.whatif import WhatIf
from understudy.core.errors import DataError, InputError, NotFoundError
from understudy.core.nouns import Level
from understudy.evidence.means import MeanPlan, fold_mean, mean_evidence, open_mean
from understudy.flows.golive import RunResult
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.outcomes import Outcome, give_outcomes
from understudy.flows.review import review_many
from understudy.flows.whatif import write_whatif
from understudy.store.registry import find_version
from understudy.store.schema import losses

LOOSE = ("max_error = 0.05", "max_error = 0.2")
PRICED = ("mistakes = {}", 'mistakes = { "no -> yes" = 40.0, "yes -> no" = 10.0 }')
BY_REVIEW = ('source = "outcome"', 'source = "blind_review"')


def watched(ran: tuple[Path, RunResult], place: Path, *edits: tuple[str, str], outcomes: int = 400) -> Library:
    """A task in shadow that has seen 400 cases, some of them with their outcome."""
    library = desk(ran[0], place, LOOSE, *edits)
    head = to_level(library, Level.SHADOW)
    ids = [f"case-{n}" for n in range(400)]
    ask(head, ids)
    truth = np.random.default_rng(0).random(400) < 0.8
    said = [Outcome(id=name, outcome="yes" if right else "no") for name, right in zip(ids, truth, strict=True)]
    give_outcomes(head, "svc", said[:outcomes])
    learn(library, "claims")
    return library


def asked(library: Library, **given: object) -> WhatIf:
    return understudy.whatif("claims", workspace=library.work.root, **given)  # type: ignore[arg-type]


def test_live_figures_are_those_of_the_ledger_by_another_route(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    library = watched(ran, tmp_path)
    result = asked(library, max_error=0.3)
    with library.work.store.reading() as connection:
        rows = connection.execute(sa.select(losses).where(losses.c.version == result.version)).mappings().all()
    assert (result.source, result.cases) == ("log", len(rows))
    assert result.looked == sum(row["eligible"] for row in rows)
    each = 0.9 * (1 - result.terms.confidence) / sum(len(side.curve) for side in result.sides)
    for side in result.sides:
        own = [row for row in rows if row["eligible"] and row["side"] == side.answer]
        assert side.share == len(own) / len(rows)
        for at in side.curve:
            lost = np.array([row["loss"] for row in own if row["confidence"] >= at.threshold])
            assert at.coverage.estimate == len(lost) / len(rows)
            plan = MeanPlan(alpha=each)
            alone = mean_evidence(fold_mean(open_mean(plan), plan, lost), plan)
            assert (at.risk.lower, at.risk.upper) == pytest.approx((alone.lower, alone.upper))
            assert np.isnan(at.risk.estimate) if not len(lost) else at.risk.estimate == pytest.approx(lost.mean())


def test_held_out_rows_answer_until_the_log_has_enough_looks(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    library = watched(ran, tmp_path, outcomes=60)
    result = asked(library)
    assert result.source == "history"
    assert result.notes[0].startswith("From history, not live (the log has ")
    with library.work.store.reading() as connection:
        record = find_version(connection, load_head(library, "claims").number, "champion")
    table = pl.read_parquet(io.BytesIO(library.work.artifacts.get(record.beside["history.parquet"])))
    assert result.cases == table.height
    able = table.filter(pl.col("strangeness") <= 0.99)
    each = 0.9 * (1 - result.terms.confidence) / result.settings
    for side in result.sides:
        own = able.filter(pl.col("prediction") == side.answer)
        for at in side.curve:
            sure = own.filter(pl.col("confidence") >= at.threshold)
            wrong = sure.filter(pl.col("prediction") != pl.col("label")).height
            assert at.coverage.estimate == sure.height / table.height
            assert at.risk.upper == pytest.approx(stats.beta.ppf(1 - each / 2, wrong + 1, sure.height - wrong))


def test_history_may_be_asked_for_although_the_log_could_tell(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    library = watched(ran, tmp_path)
    assert asked(library).source == "log"
    result = asked(library, history=True)
    assert result.source == "history"
    assert "as was asked" in result.notes[0]


def test_audited_cases_count_by_what_they_stand_for(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    lax = ("max_error = 0.05", "max_error = 0.45")
    library = desk(ran[0], tmp_path, lax, BY_REVIEW, ("# audit_rate = 0.05", "audit_rate = 0.5"))
    # Half of what it decides is audited, and a fifth of the rest is reviewed blind.
    head = to_level(library, Level.PARTIAL, {"yes": 0.7})
    ask(head, [f"case-{n}" for n in range(400)])
    answer_all(library)
    learn(library, "claims")
    result = asked(library)
    assert result.now is not None
    assert result.now.thresholds == {"yes": 0.7}
    with library.work.store.reading() as connection:
        epoch = load_head(library, "claims").deployed.epoch
        mine = (losses.c.version == result.version, losses.c.epoch == epoch, losses.c.eligible)
        rows = connection.execute(sa.select(losses).where(*mine)).mappings().all()
    looked = [row for row in rows if row["loss"] is not None]
    assert {row["propensity"] for row in looked} == {0.2, 0.5}
    assert (result.source, result.looked) == ("log", len(looked))
    last = next(side for side in result.sides if side.answer == "yes").curve[-1]
    own = [row for row in looked if row["side"] == "yes"]
    expected = np.average([row["loss"] for row in own], weights=[1 / row["propensity"] for row in own])
    assert last.risk.estimate == pytest.approx(expected)
    assert last.risk.estimate != pytest.approx(np.mean([row["loss"] for row in own]))


def answer_all(library: Library) -> None:
    """Answer everything that waits, audits included: every fifth case otherwise."""
    head = load_head(library, "claims")
    review_many(head, ["bob"], lambda user, case: "no" if int(case.split("-")[1]) % 5 == 0 else "yes", most=1000)


def test_prices_and_volume_are_taken_from_the_task_and_the_log(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    library = watched(ran, tmp_path, PRICED)
    result = asked(library, max_error=0.4, review_cost=3.0)
    assert result.priced
    assert result.terms.review_cost == 3.0
    assert result.people.cost.estimate == 3000
    assert asked(library, cases_per_day=50).people.reviews_per_day == 50


def test_asking_changes_nothing(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    library = watched(ran, tmp_path)

    def tables() -> list[list[tuple[object, ...]]]:
        with library.work.store.reading() as connection:
            names = sa.inspect(connection).get_table_names()
            return [list(map(tuple, connection.execute(sa.text(f'select * from "{name}"')))) for name in names]

    before = tables()
    assert asked(library, max_error=0.1) == asked(library, max_error=0.1)
    assert tables() == before


def test_a_version_that_is_no_champion_is_told_of_from_history(ran: tuple[Path, RunResult], tmp_path: Path) -> None:
    library = desk(ran[0], tmp_path)
    to_level(library, Level.HUMAN)
    result = asked(library)
    assert (result.source, result.level, result.now) == ("history", Level.HUMAN, None)


@pytest.mark.parametrize(("name", "shown"), [("page.html", "<!doctype html>"), ("picture.SVG", "<svg")])
def test_it_is_written_as_a_page_or_a_picture(
    ran: tuple[Path, RunResult], tmp_path: Path, name: str, shown: str
) -> None:
    result = asked(desk(ran[0], tmp_path))
    assert write_whatif(result, tmp_path / name).read_text(encoding="utf-8").startswith(shown)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda library: understudy.whatif("nobody", workspace=library.work.root), NotFoundError, "nobody"),
        (lambda library: asked(library, max_error=1.5), InputError, "max_error is above 0"),
        (lambda library: write_whatif(asked(library), "x.pdf"), InputError, "x.pdf"),
        (lambda library: write_whatif(asked(library), "/nowhere/x.svg"), DataError, "/nowhere"),
    ],
)
def test_what_cannot_be_done_is_said(
    ran: tuple[Path, RunResult],
    tmp_path: Path,
    wrong: Callable[[Library], object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        wrong(desk(ran[0], tmp_path))
