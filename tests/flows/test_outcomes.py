"""The truth arrives: each outcome has a stated result, and none is lost."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from flows.desk import ask, desk
from understudy.flows.head import load_head
from understudy.flows.outcomes import Outcome, give_outcomes, microseconds
from understudy.store.schema import inbox, outcomes


@pytest.fixture
def head(ran, tmp_path):
    found = load_head(desk(ran[0], tmp_path), "claims")
    ask(found, ["a", "b"])
    return found


def results(head, *given: tuple[object, ...]) -> list[str]:
    names = ("id", "outcome", "observed_at")
    told = [Outcome(**dict(zip(names, one, strict=False))) for one in given]
    return [found.result for found in give_outcomes(head, "shop", told)]


def rows(head) -> list[tuple]:
    columns = (outcomes.c.id, outcomes.c.value, outcomes.c.result, outcomes.c.supersedes)
    with head.library.work.store.reading() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(outcomes.c.seq))]


def test_first_again_and_corrected_in_one_batch_and_between_batches(head) -> None:
    assert results(head, ("a", "yes"), ("a", "yes"), ("a", "no")) == ["applied", "duplicate", "corrected"]
    assert results(head, ("a", "no"), ("a", "yes")) == ["duplicate", "corrected"]
    assert rows(head) == [("a", "yes", "applied", None), ("a", "no", "corrected", 1), ("a", "yes", "corrected", 2)]


def test_an_older_observation_that_comes_later_changes_nothing(head) -> None:
    new, old = datetime(2026, 5, 2, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)
    assert results(head, ("a", "yes", new), ("a", "no", old), ("a", "yes", old)) == [
        "applied",
        "superseded",
        "duplicate",
    ]
    assert [row[2] for row in rows(head)] == ["applied", "superseded"]


def test_an_outcome_for_an_unknown_case_is_kept(head) -> None:
    assert results(head, ("z", "yes"), ("z", "yes"), ("z", "no")) == ["unknown", "duplicate", "corrected"]
    assert len(rows(head)) == 2


@pytest.mark.parametrize("value", ["maybe", "", 3.5, "y" * 5000])
def test_an_outcome_that_is_no_answer_is_kept_as_text_and_replaces_nothing(head, value: object) -> None:
    assert results(head, ("a", "yes"), ("a", value), ("a", "yes")) == ["applied", "invalid", "duplicate"]
    assert rows(head)[1][1] == str(value)[:200]


def test_the_hint_names_the_answers(head) -> None:
    (found,) = give_outcomes(head, "shop", [Outcome(id="a", outcome="maybe")])
    assert found.hint == "The answer 'maybe' is unknown. The answers are: no, yes."


def test_each_outcome_that_is_kept_wakes_the_steward_once(head) -> None:
    results(head, ("a", "yes"), ("a", "yes"), ("b", "nonsense"))
    with head.library.work.store.reading() as connection:
        woken = connection.execute(sa.select(inbox.c.seq).where(inbox.c.kind == "outcome")).scalars().all()
    assert woken == [1, 2]


def test_times_without_an_offset_are_utc() -> None:
    zone = timezone(timedelta(hours=2))
    assert microseconds(datetime(1970, 1, 1, 0, 0, 1)) == 1_000_000
    assert microseconds(datetime(1970, 1, 1, 2, 0, 1, tzinfo=zone)) == 1_000_000
