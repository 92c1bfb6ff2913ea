"""What is planted in a table is named by its worklist, and is not where it was not planted."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import understudy
from understudy.evaluation.findings import Findings
from understudy.evaluation.label_quality import suspected_labels
from understudy.flows.models import beside, read_report
from understudy.flows.next import next_steps
from understudy.flows.workspace import open_workspace

N = 4000
FLIPPED = 0.05
TOP = 3
PRECISION, RECALL = 0.85, 0.75
"""At least: the search comes to 0.91 and 0.81 here, by models of which each saw half of the rows or less."""

Plant = Callable[[pl.DataFrame, np.random.Generator], pl.DataFrame]


def invoices(n: int = N) -> pl.DataFrame:
    """Invoices, paid below a limit that depends on the country; whoever reads them, and where, makes no difference."""
    rng = np.random.default_rng(5)
    amount = np.round(rng.uniform(10, 1000, n), 2)
    country = rng.choice(["fr", "ch", "us", "it"], n)
    days = rng.integers(0, 120, n)
    score = (600 - amount - 150 * (country == "us") + 100 * (country == "it") - days) / 15
    return pl.DataFrame(
        {
            "amount_read": amount,
            "amount": amount,
            "country": country,
            "days": days,
            "branch": rng.choice(["mill", "port", "hill", "lake", "moor"], n),
            "settled": rng.choice(["yes", "no"], n),
            "pay": np.where(rng.random(n) < 1 / (1 + np.exp(-score)), "yes", "no"),
        }
    )


def flipped(table: pl.DataFrame, where: np.ndarray) -> pl.DataFrame:
    """The table with the other answer in some rows."""
    other = pl.when(pl.col("pay") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    return table.with_columns(pay=pl.when(pl.Series(where)).then(other).otherwise(pl.col("pay")))


def nothing(table: pl.DataFrame, _: np.random.Generator) -> pl.DataFrame:
    """The control: nothing is planted."""
    return table


def leak(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """`settled`, which the task insists on, is the answer in all rows but a few."""
    return flipped(table, rng.random(len(table)) < 0.002).with_columns(settled=table["pay"])


def shifted_group(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """One branch of five pays what the others do not; the model does not see the branch."""
    return flipped(table, (table["branch"] == "port").to_numpy() & (rng.random(len(table)) < 0.9))


def broken_stage(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """The reading of amounts is wrong in 15 % of the rows."""
    wrong = rng.random(len(table)) < 0.15
    other = np.round(rng.uniform(10, 1000, len(table)), 2)
    return table.with_columns(amount_read=pl.Series(np.where(wrong, other, table["amount"])))


def in_slice(table: pl.DataFrame) -> np.ndarray:
    """Two thirds of one country."""
    return ((table["country"] == "ch") & (table["days"] >= 40)).to_numpy()


def bad_slice(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """In one country, from 40 days on, 35 % of the answers are the other one."""
    return flipped(table, in_slice(table) & (rng.random(len(table)) < 0.35))


def flipped_rows(rng: np.random.Generator, n: int) -> np.ndarray:
    """Where labels are flipped."""
    return rng.random(n) < FLIPPED


def flipped_labels(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """5 % of the labels say the other answer."""
    return flipped(table, flipped_rows(rng, len(table)))


@dataclass(frozen=True)
class Told:
    """What a run tells: the names of the worklist's rows, the findings, and the out-of-fold predictions."""

    rows: tuple[str, ...]
    findings: Findings
    oof: pl.DataFrame

    @property
    def top(self) -> tuple[str, ...]:
        return self.rows[:TOP]

    def about(self, kind: str) -> list[str]:
        return [name for name in self.rows if name.startswith(f"{kind}: ")]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Plant], Told]:
    """From what is planted to what a run tells of it; each world is run once, all with the same task."""

    @cache
    def told(plant: Plant) -> Told:
        root = tmp_path_factory.mktemp(plant.__name__)
        source = root / "invoices.csv"
        plant(invoices(), np.random.default_rng(7)).write_csv(source)
        learn(source, root)
        work = open_workspace(root)
        found = read_report("invoices", workspace=root).findings
        assert found is not None
        return Told(
            rows=tuple(item.key for item in next_steps("invoices", workspace=root).worklist.items),
            findings=found,
            oof=pl.read_parquet(io.BytesIO(beside(work, "invoices", "latest", "oof.parquet"))),
        )

    return told


def learn(source: Path, root: Path) -> None:
    """Learn from the invoices by a task that insists on `settled`, names branches as groups, and a stage."""
    file = understudy.init(
        source,
        target="pay",
        workspace=root,
        positive="yes",
        time="none",
        use=("settled",),
        drop=("branch",),
    )
    text = file.read_text()
    for before, after in (
        ("groups = []", 'groups = ["branch"]'),
        ("stages = {}", 'stages = { reading = { amount_read = "amount" } }'),
    ):
        assert before in text
        text = text.replace(before, after, 1)
    file.write_text(text)
    understudy.run(
        source,
        name="invoices",
        workspace=root,
        budget=understudy.Budget(trials=1),
        recipes=("lightgbm",),
        single=True,
    )


def test_without_a_plant_none_is_named(world: Callable[[Plant], Told]) -> None:
    control = world(nothing)
    for kind in ("fix leak", "fix group", "fix stage", "split off", "clean labels"):
        assert control.about(kind) == [], kind
    assert control.findings.slices is not None
    assert control.findings.slices.significant == ()
    assert control.findings.errors is not None
    assert control.findings.errors.wrong.lower == 0


@pytest.mark.parametrize(
    ("plant", "row"),
    [
        (leak, "fix leak: settled"),
        (shifted_group, "fix group: branch is port"),
        (broken_stage, "fix stage: reading"),
    ],
)
def test_a_plant_is_named_among_the_first_three(world: Callable[[Plant], Told], plant: Plant, row: str) -> None:
    assert row in world(plant).top


def test_a_bad_slice_is_found_first(world: Callable[[Plant], Told]) -> None:
    told = world(bad_slice)
    assert told.findings.slices is not None
    first = told.findings.slices.found[0]
    assert first.significant
    assert {one.column for one in first.predicates} == {"country", "days"}
    table = invoices()
    with pl.SQLContext(t=table) as context:
        inside = context.execute(f"SELECT ({first.condition}) AS hit FROM t", eager=True)["hit"].to_numpy()
    planted = in_slice(table)
    assert (inside & planted).sum() > 0.7 * (inside | planted).sum()
    assert first.loss == pytest.approx(0.35, abs=0.12)
    assert f"split off: {first.words}" in told.top


def test_flipped_labels_are_counted_and_found(world: Callable[[Plant], Told]) -> None:
    told = world(flipped_labels)
    errors = told.findings.errors
    assert errors is not None
    rows, truth = told.oof["row"].to_numpy(), told.oof["truth"].to_numpy()
    planted = flipped_rows(np.random.default_rng(7), N)[rows]
    assert errors.wrong.lower <= planted.mean() <= errors.wrong.upper
    assert errors.wrong.lower > 0
    assert told.about("clean labels")
    said = told.oof.select(pl.exclude("row", "truth", "fold")).to_numpy()
    suspects = suspected_labels(truth, said, errors.labels)["row"].to_numpy()
    hits = planted[suspects].sum()
    assert hits >= PRECISION * len(suspects)
    assert hits >= RECALL * planted.sum()
