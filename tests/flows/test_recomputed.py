"""Every figure of a report is the same by another route: scikit-learn, statsmodels, cleanlab, or plain loops."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from bench.recompute.every import recompute
from bench.recompute.ledger import Ledger
from bench.recompute.seen import Seen, see
from msgspec.structs import replace

import understudy
from conftest import claims
from understudy.flows.run import write_task
from understudy.sources.tables import read_table

BUDGET = understudy.Budget(trials=2)


def learned(place: Path, name: str, table: pl.DataFrame, *edits: tuple[str, str], **told: object) -> Seen:
    """A table that was run with a task file of its own, and what its report says."""
    source, work = place / f"{name}.csv", understudy.open_workspace(place)
    table.write_csv(source)
    target = str(told.pop("target"))
    write_task(work, read_table(source).frame, name=name, target=target, told=told)  # type: ignore[arg-type]
    file = work.task_file(name)
    text = file.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    file.write_text(text, encoding="utf-8")
    understudy.run(source, name=name, workspace=place, budget=BUDGET, recipes=("lightgbm", "logistic"), diagnose=2)
    return see(place, name)


def compared(seen: Seen, *chapters: str) -> Ledger:
    """All of it is the same, and these chapters are among it."""
    ledger = recompute(seen)
    assert not ledger.wrong, "\n".join(ledger.wrong[:40])
    assert set(chapters) <= set(ledger.chapters)
    return ledger


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """Claims with prices, groups, two people who decided them, wrong labels and rows that contradict each other."""
    rng = np.random.default_rng(3)
    table = claims(1500, seed=3)
    said = (table["pay"] == "yes").to_numpy()
    table = table.with_columns(
        pl.Series(name, np.where(rng.random(len(said)) < 0.2, ~said, said)).replace_strict({True: "yes", False: "no"})
        for name in ("ann", "ben")
    ).drop("paid_amount", "claim_id", "report")
    turned = table.head(40).with_columns(
        pay=pl.when(pl.col("pay") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes")), day=pl.col("day")
    )
    return learned(
        tmp_path_factory.mktemp("two"),
        "claims",
        pl.concat([table, turned]).sort("day"),
        ("groups = []", 'groups = ["region", "age"]'),
        ("mistakes = {}", 'mistakes = { "no -> yes" = 4.0, "yes -> no" = 1.0 }'),
        ("columns = []", 'columns = ["ann", "ben"]'),
        target="pay",
        time="none",
        after=("ann", "ben"),
    )


def test_two_answers(two: Seen) -> None:
    found = compared(two, "costs", "thresholds", "curves", "fairness", "conflicts", "labels", "people", "worklist")
    assert sum(one.exact for one in found.chapters.values()) > 1000


def test_three_answers(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    size, kind = rng.normal(0, 1, 900), rng.choice(["a", "b", "c"], 900)
    score = size + (kind == "a") + rng.normal(0, 0.5, 900)
    answer = np.where(score < 0, "small", np.where(score < 1, "middle", "large"))
    table = pl.DataFrame({"size": size.round(3), "kind": kind, "note": rng.integers(5, size=900), "answer": answer})
    seen = learned(tmp_path, "sizes", table, ("groups = []", 'groups = ["kind"]'), target="answer", time="none")
    compared(seen, "classes", "curves", "labels", "importances", "effects", "stability", "page")


def test_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(9)
    area, town = rng.uniform(20, 200, 1200), rng.choice(["north", "south"], 1200)
    rooms = (area / 25 + rng.integers(0, 3, 1200)).astype(int)
    price = 10 * area + 200 * (town == "north") + rng.normal(0, 40 + area / 4, 1200)
    price[:12] *= 10
    table = pl.DataFrame({"area": area.round(1), "town": town, "rooms": rooms, "price": price.round(2)})
    seen = learned(
        tmp_path, "homes", table.sample(fraction=1.0, shuffle=True, seed=1), ("groups = []", 'groups = ["town"]'),
        target="price", time="none",
    )  # fmt: skip
    compared(seen, "intervals", "residuals", "labels", "conflicts", "robustness", "fairness", "bias")


def test_what_is_a_little_off_is_found(two: Seen) -> None:
    evaluation, findings = two.report.evaluation, two.report.findings
    assert findings is not None
    assert findings.explanations is not None
    metrics = {**evaluation.metrics, "brier": replace(evaluation.metrics["brier"], estimate=0.2)}
    first, *others = evaluation.coverage
    coverage = (replace(first, upper=first.upper + 1e-6), *others)
    importances = findings.explanations.importances
    top, *rest = importances.columns
    spoilt = replace(importances, columns=(replace(top, metric=replace(top.metric, estimate=0.0)), *rest))
    explanations = replace(findings.explanations, importances=spoilt)
    report = replace(
        two.report,
        evaluation=replace(evaluation, metrics=metrics, coverage=coverage),
        findings=replace(findings, explanations=explanations),
    )
    page = two.page.replace("<main", '<img src="https://example.org/x.png"><main', 1)
    wrong = recompute(dataclasses.replace(two, report=report, page=page)).wrong
    for chapter, what in (
        ("metrics", "brier"),
        ("coverage", "exact bounds"),
        ("importances", f"{top.columns[0]}: metric"),
        ("page", "it loads ['https://example.org/x.png']"),
    ):
        assert [line for line in wrong if line.startswith(chapter) and what in line], (chapter, wrong)
