"""Why a version answers a case as it does: facts that add up, in words, for every way of serving."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from conftest import claims
from understudy.core.errors import ConflictError, ContractError, NotFoundError
from understudy.core.nouns import Level
from understudy.data.contract import Column, Contract
from understudy.flows.decide import Asked, decide_batch
from understudy.flows.explain_case import explain_case
from understudy.flows.golive import RunResult
from understudy.flows.head import Library, load_head
from understudy.flows.moves import set_level
from understudy.flows.reasons import Explainer, explainer, in_frames
from understudy.flows.version import Version, load_version
from understudy.flows.workspace import open_workspace
from understudy.monitoring.strangeness import fit_strangeness
from understudy.monitoring.usual import usual_rows


@pytest.fixture(scope="module")
def version(ran: tuple[Path, RunResult]) -> Version:
    return load_version(open_workspace(ran[0]), "claims")


@pytest.fixture(scope="module")
def explained(version: Version) -> Explainer:
    return explainer(version)


@pytest.fixture
def copied(ran: tuple[Path, RunResult], tmp_path: Path) -> Path:
    """A copy of the workspace that may be written to."""
    shutil.copytree(ran[0], tmp_path / "work")
    return tmp_path / "work"


def cases(version: Version, n: int = 25) -> list[list[Any]]:
    return [version.read({name: row[name] for name in version.inputs})[0] for row in claims(n, 7).to_dicts()]


def test_the_facts_of_a_case_add_up_to_its_log_odds_less_those_of_usual_values(
    version: Version, explained: Explainer
) -> None:
    for values in cases(version):
        found = explained.explain(values)
        guess = version.predict_values([values])[0]
        assert found.answer == guess.prediction
        assert found.score == pytest.approx(np.log(guess.confidence / (1 - guess.confidence)), abs=1e-4)
        assert sum(fact.contribution for fact in found.facts) == pytest.approx(found.score - found.base, abs=1e-9)
        assert {fact.column for fact in found.facts} == set(version.inputs)
        assert len(found.moved) <= 3


def test_the_other_answer_has_the_same_reasons_turned_round(version: Version, explained: Explainer) -> None:
    values = cases(version)[0]
    yes, no = (explained.explain(values, answer) for answer in ("yes", "no"))
    turned = {fact.column: -fact.contribution for fact in no.facts}
    assert {fact.column: fact.contribution for fact in yes.facts} == pytest.approx(turned, abs=1e-4)


def test_what_the_world_is_made_of_is_among_the_facts(version: Version, explained: Explainer) -> None:
    values = dict(zip(version.inputs, cases(version)[0], strict=True))
    odd = values | {"amount": 2500.0, "report": "the bag was stolen at the station number 5", "age": 48}
    found = explained.explain([odd[name] for name in version.inputs], "no")
    assert found.moved[0].column == "amount"
    told = {fact.column: fact for fact in found.facts}
    usual = told["amount"].usual
    assert " to " in usual
    assert told["amount"].words == f"amount 2500 (usual: {usual}) moved it towards no"
    assert told["report"].words.endswith("(usual: many different ones) moved it towards no"), "no text of anybody else"


def test_a_case_has_the_same_reasons_in_each_process(version: Version) -> None:
    values = cases(version)[3]
    assert explainer(version).explain(values) == explainer(version).explain(values)


def test_mixing_encoded_rows_is_mixing_values(version: Version, explained: Explainer) -> None:
    plan, values = explained.plan, cases(version)[5]
    usual = understudy_rows(explained)
    rows = [
        [own if told else other for own, told, other in zip(values, known, usual[against], strict=True)]
        for known, against in zip(plan.known[::7], plan.against[::7], strict=True)
    ]
    assert explained.score(values)[::7] == pytest.approx(version.scorer.rows(rows), abs=1e-6)


def understudy_rows(explained: Explainer) -> list[tuple[Any, ...]]:
    version = explained.version
    return usual_rows(version.reference, version.contract, explained.plan.background).rows()


def fake(score: Callable[[pl.DataFrame], np.ndarray], frame: pl.DataFrame, contract: Contract, labels: Any = ()) -> Any:
    """A version that answers by a formula, as one that was made elsewhere."""
    scorer = SimpleNamespace(
        frame=score, rows=lambda rows: score(pl.DataFrame(rows, schema=frame.schema, orient="row"))
    )
    manifest = SimpleNamespace(labels=labels)
    reference = fit_strangeness(frame, frame, contract)
    return SimpleNamespace(digest="f" * 64, contract=contract, reference=reference, scorer=scorer, manifest=manifest)


NUMBERS = Contract(columns=tuple(Column(name=name, kind="number", nullable=True) for name in "abc"))


def numbers() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(rng.normal(size=(1000, 3)), schema=list("abc"), orient="row")


def test_numbers_are_raised_and_lowered_in_their_own_unit() -> None:
    frame = numbers()
    made = explainer(fake(lambda rows: (3 * rows["a"] - rows["b"]).to_numpy()[:, None], frame, NUMBERS))
    found = made.explain([2.0, 1.0, 5.0])
    told = {fact.column: fact for fact in found.facts}
    assert told["a"].contribution == pytest.approx(3 * (2 - frame["a"].mean()), abs=0.02)  # type: ignore[operator]
    assert told["a"].direction == "up"
    assert told["a"].words.endswith(f"raised it by {told['a'].contribution:.4g}")
    assert told["b"].direction == "down"
    assert told["c"].contribution == 0
    assert told["c"].words.endswith("did not move it")
    assert [fact.column for fact in found.moved] == ["a", "b"]
    assert found.answer == 5.0


def test_of_a_text_the_words_are_named_that_moved_it() -> None:
    rng = np.random.default_rng(1)
    words = np.array(["free", "prize", "hello", "how", "are", "you", "today", "meet", "there", "please"])
    texts = [" ".join(rng.choice(words, 8)) for _ in range(400)]
    frame = pl.DataFrame({"text": texts, "hour": rng.integers(0, 24, 400)})
    contract = Contract(columns=(Column(name="text", kind="text"), Column(name="hour", kind="integer")))

    def spam(rows: pl.DataFrame) -> np.ndarray:
        free, prize = (rows["text"].str.contains(word).to_numpy() for word in ("free", "prize"))
        share = 1 / (1 + np.exp(2 - 3.0 * free - 2.0 * prize))
        return np.column_stack([1 - share, share])

    made = explainer(fake(spam, frame, contract, ("ham", "spam")))
    found = made.explain(["Hello, a free prize for you", 3])
    (fact,) = found.moved
    assert fact.words.startswith("text “Hello, a free prize for you” (usual: ")
    assert fact.words.endswith(" characters) moved it towards spam, above all by “free” and “prize”")


def test_of_several_answers_reasons_are_for_the_one_given_or_against_it() -> None:
    def shares(rows: pl.DataFrame) -> np.ndarray:
        odds = np.exp(np.column_stack([rows["a"], rows["b"], np.zeros(rows.height)]))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    made = explainer(fake(shares, numbers(), NUMBERS, ("x", "y", "z")))
    found = made.explain([2.0, 1.0, 0.0])
    told = {fact.column: fact for fact in found.facts}
    assert found.answer == "x"
    assert told["a"].words.endswith("moved it towards x")
    assert told["b"].words.endswith("moved it away from x")
    assert made.explain([2.0, 1.0, 0.0], "y").answer == "y"


def test_a_missing_value_is_a_fact_and_a_sure_model_is_no_trouble() -> None:
    def sure(rows: pl.DataFrame) -> np.ndarray:
        absent = rows["a"].is_null().to_numpy().astype(float)
        return np.column_stack([1 - absent, absent])

    found = explainer(fake(sure, numbers(), NUMBERS, ("no", "yes"))).explain([None, 0.0, 0.0])
    (fact,) = found.moved
    assert fact.words.startswith("a missing (usual: ")
    assert fact.words.endswith("moved it towards yes")
    assert np.isfinite(fact.contribution)


def test_mixing_columns_as_for_an_adopted_model_says_the_same(version: Version, explained: Explainer) -> None:
    usual = usual_rows(version.reference, version.contract, explained.plan.background)
    values = cases(version)[2]
    assert in_frames(version.scorer.frame, usual, explained.plan)(values) == pytest.approx(
        explained.score(values), abs=1e-6
    )


def test_a_case_is_explained_in_a_moment(version: Version, explained: Explainer) -> None:
    some = cases(version)
    explained.explain(some[0])
    began = time.process_time()
    for values in some:
        explained.explain(values)
    assert (time.process_time() - began) / len(some) < 0.06, "a few times what it takes on an idle core"


def test_a_case_can_be_explained_from_outside_by_its_inputs_or_its_id(copied: Path) -> None:
    row = {name: value for name, value in claims(1, 3).to_dicts()[0].items() if name not in ("pay", "paid_amount")}
    found = explain_case("claims", row, workspace=copied)
    assert found.reasons.moved
    assert found.confidence == pytest.approx(1 / (1 + np.exp(-found.reasons.score)), abs=1e-4)
    with pytest.raises(NotFoundError, match="no case"):
        explain_case("claims", "C1", workspace=copied)
    with pytest.raises(ContractError):
        explain_case("claims", row | {"amount": "much"}, workspace=copied)


def test_a_case_that_waits_for_a_blind_look_is_not_explained_to_anybody(copied: Path) -> None:
    row = {name: value for name, value in claims(1, 3).to_dicts()[0].items() if name not in ("pay", "paid_amount")}
    work = open_workspace(copied)
    head = load_head(Library(work), "claims")
    assert head.deployed.level is Level.SHADOW
    decide_batch(head, [Asked("blind", True, row)])
    with pytest.raises(ConflictError, match="nothing of the model"):
        explain_case("claims", "blind", workspace=copied)
    set_level(work, "claims", Level.ASSIST, actor="ada", why="For a test.", overriding=True)
    head, seen = load_head(Library(work), "claims"), 0
    for place in range(12):
        decide_batch(head, [Asked(f"seen{place}", True, row)])
        try:
            assert explain_case("claims", f"seen{place}", workspace=copied).case == f"seen{place}"
            seen += 1
        except ConflictError:
            continue
    assert seen > 4
