"""The backtest on public tables, many seeds each: were its promises kept, and what do past decisions justify?

`python -m bench.backtests FOLDER --seeds 20 --jobs 2 --page docs/backtests.md`. Tables that are missing are named, and
left out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
from joblib import Parallel, delayed
from msgspec.structs import replace

from bench.evidence.show import Part, table, write
from understudy.core.task import Autonomy, Checks, Mute, Task
from understudy.core.task_file import parse_task
from understudy.core.task_text import task_toml
from understudy.data.judgements import judgements, one_row_per_case
from understudy.evaluation.rehearsal import Backtest, Record
from understudy.evaluation.retrospect import VERDICTS, rows
from understudy.evidence.fixed import clopper_pearson
from understudy.evidence.means import mean_bounds
from understudy.flows.accounts import read_accounts
from understudy.flows.backtest import Played, Rehearsal, backtest, play_through, private_workspace, settle
from understudy.flows.demo import ASKED, TARGET
from understudy.flows.head import load_head
from understudy.flows.propose import Told, propose_task
from understudy.flows.rehearsal_data import as_history
from understudy.flows.rehearsal_stage import DataClock, Stage, as_record
from understudy.flows.retrospect_ways import open_court, ways_then
from understudy.models.search import Budget
from understudy.sources.tables import CsvOptions, read_table
from understudy.store.casebook import find_seqs

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Stream:
    """A table that is rehearsed.

    Attributes
    ----------
    file, target : str
    told : Told
    start : float
        The share that is known at the start, about: each seed begins up to a tenth of it sooner or later, so that runs
        over rows in time differ as well.
    delay : str
        When the truth is known.
    max_error : float
        The promise, r.
    drift : int, optional
        The row at which the world is known to change.
    """

    file: str
    target: str
    told: Told
    start: float
    delay: str
    max_error: float = 0.05
    drift: int | None = None


STREAMS: dict[str, Stream] = {
    "flights": Stream("nyc_flights_2013.csv", TARGET, ASKED, 0.15, "1d"),
    "elec2": Stream("electricity_elec2.csv", "class", {"time": "row order", "drop": ("date",)}, 0.15, "48"),
    "insects": Stream("insects_abrupt_drift.csv", "class", {"time": "row order"}, 0.1, "50", 0.1, drift=5325 // 3),
    "bank": Stream("bank_marketing_full.csv", "y", {"time": "row order", "drop": ("duration",)}, 0.3, "500"),
    "sms": Stream("sms_spam.csv", "label", {"positive": "spam"}, 0.3, "1d"),
}


@dataclass(frozen=True)
class Run:
    """What one rehearsal came to.

    Attributes
    ----------
    stream : str
    seed, cases : int
    share : float
        Of the cases, those that the model decided.
    error : float, optional
        Their mean loss; None where there are none.
    refuted : bool
        Whether, between two steps down, the answers that it gave on a side refute that their risk is at most r.
    over : bool
        Whether the errors that it made on an account went beyond its limit, cases in flight at a step down aside.
    room : float
        The largest share of an account's limit that they took.
    up, down : int, optional
        After how many cases it was first let decide, and first stepped down.
    excess : list of float
        For each step down the errors beyond r per case since the step up.
    late : int, optional
        How many cases after the known change the first step down came.
    failed : list of str
        Go-live checks that kept it from watching.
    seconds : float
    """

    stream: str
    seed: int
    cases: int
    share: float
    error: float | None
    refuted: bool
    over: bool
    room: float
    up: int | None
    down: int | None
    excess: list[float]
    late: int | None
    failed: list[str]
    seconds: float


def rehearse(name: str, folder: Path, seed: int) -> Run:
    """One rehearsal of one table."""
    began, stream, clock = time.perf_counter(), STREAMS[name], DataClock()
    source = read_table(folder / stream.file, CsvOptions())
    task, _ = propose_task(source.frame, name=name, target=stream.target, told=stream.told)
    muted = tuple(Mute(code=code, why="what is rehearsed is the promise") for code in ("US001", "US002"))
    task = replace(
        task, checks=Checks(mute=muted), autonomy=Autonomy(max_error=stream.max_error, confidence=CONFIDENCE)
    )
    start = stream.start * np.random.default_rng(seed).uniform(0.9, 1.1)
    plan = Rehearsal(start, stream.delay, reviewers=2, budget=Budget(trials=2), seed=seed)
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place), task)
        with private_workspace(Path(place), name, clock) as work:
            told, history = settle(work, source, name, None, plan, {})
            played = play_through(work, clock, told, history, plan)
            accounts = account_limits(played.stage, name)
    return summed_up(name, seed, played, accounts, time.perf_counter() - began)


def prepare(place: Path, task: Task) -> None:
    """A workspace with the task's file, on one thread."""
    (place / "tasks").mkdir(exist_ok=True)
    (place / "tasks" / f"{task.name}.toml").write_text(task_toml(task), encoding="utf-8")
    (place / "understudy.toml").write_text("[engine]\nthreads = 1\n")


def account_limits(stage: Stage, name: str) -> list[tuple[int, float]]:
    """For each account of the error budget the place of its first case among those that came, and its limit."""
    head = load_head(stage.library, name)
    with head.library.work.store.reading() as connection:
        seqs = find_seqs(connection, head.number, stage.ids)
        accounts = read_accounts(connection, head.number)
    numbers = np.array([seqs.get(case, 0) for case in stage.ids])
    return [(int(np.searchsorted(np.maximum.accumulate(numbers), one.first)), one.plan.limit) for one in accounts]


def summed_up(name: str, seed: int, played: Played, accounts: Sequence[tuple[int, float]], seconds: float) -> Run:
    """The figures of a rehearsal."""
    record, stage, r = as_record(played.stage, played.task), played.stage, played.task.autonomy.max_error
    downs = [move for move in stage.moves if move.kind == "step_down"]
    up = next((move.case for move in stage.moves if move.level.height >= 3), None)
    edges = [0, *(move.case for move in downs), len(record.at)]
    spans = [slice(first, last) for first, last in pairwise(edges)]
    flying = np.zeros(len(record.at), dtype=bool)
    for move in downs:
        flying |= (record.at <= move.at) & (stage.due > move.at)
    used = [worst_stretch(record, span, flying, r) / limit for span, limit in account_spans(accounts, len(record.at))]
    overall = record.tally(record.automated)
    drift = STREAMS[name].drift
    change = len(record.at) if drift is None else drift - played.history.first
    after = [move.case - change for move in downs if move.case > change]
    return Run(
        stream=name,
        seed=seed,
        cases=len(record.at),
        share=overall.cases / len(record.at),
        error=overall.error,
        refuted=any(refuted(record, span, r) for span in spans),
        over=any(share > 1 for share in used),
        room=max(used, default=0.0),
        up=up,
        down=downs[0].case if downs else None,
        excess=[excess(record, span, r) for span in spans[: len(downs)]],
        late=after[0] if after else None,
        failed=[check.code for check in played.trained.checks if check.verdict == "fail"],
        seconds=round(seconds, 1),
    )


def account_spans(accounts: Sequence[tuple[int, float]], n: int) -> list[tuple[slice, float]]:
    """The cases of each account, and its limit."""
    starts = [*(first for first, _ in accounts), n]
    return [(slice(starts[place], starts[place + 1]), limit) for place, (_, limit) in enumerate(accounts)]


def worst_stretch(record: Record, span: slice, flying: np.ndarray, r: float) -> float:
    """The most errors beyond r per case that automation made in any stretch, cases in flight aside."""
    given = record.automated[span] & ~flying[span]
    walk = np.concatenate([[0.0], np.cumsum(record.loss[span][given] - r)])
    return float((walk - np.minimum.accumulate(walk)).max())


def refuted(record: Record, span: slice, r: float) -> bool:
    """Whether answers refute the promise on a side: by a bound that risk r itself exceeds in 1 of 40 runs at most."""
    given, side, loss = record.automated[span], record.side[span], record.loss[span]
    sides = sorted(set(side[given].tolist()))
    return any(mean_bounds(loss[given & (side == one)], alpha=0.05).lower > r for one in sides)


def excess(record: Record, span: slice, r: float) -> float:
    """Errors beyond r per case."""
    given = record.automated[span]
    return float((record.loss[span][given] - r).sum())


HEAD = (
    *(
        "",
        "cases",
        "promise",
        "decided by itself",
        "wrong of 100 (worst)",
        "gate refuted",
        "budget broken",
        "limit used (most)",
    ),
    *("steps down", "first after", "errors beyond r before it (most)"),
)


def stream_table(runs: Sequence[Run]) -> str:
    """A row for each table."""
    return table(HEAD, [stream_row(name, [run for run in runs if run.stream == name]) for name in names_of(runs)])


def names_of(runs: Sequence[Run]) -> list[str]:
    """The tables that were measured."""
    return list(dict.fromkeys(run.stream for run in runs))


def stream_row(name: str, runs: Sequence[Run]) -> list[str]:
    """What the runs of one table came to."""
    errors = [100 * run.error for run in runs if run.error is not None]
    beyond = [value for run in runs for value in run.excess]
    downs = [run.down for run in runs if run.down is not None]
    return [
        name,
        f"{runs[0].cases:,}",
        f"{100 * STREAMS[name].max_error:g} %",
        f"{100 * float(np.median([run.share for run in runs])):.0f} %",
        f"{np.median(errors):.2f} ({max(errors):.2f})" if errors else "–",
        share_of(sum(run.refuted for run in runs), len(runs)),
        share_of(sum(run.over for run in runs), len(runs)),
        f"{100 * float(np.median([run.room for run in runs])):.0f} % ({100 * max(run.room for run in runs):.0f} %)",
        f"{len(downs)} of {len(runs)} runs, {sum(len(run.excess) for run in runs):,} in all",
        f"{np.median(downs):,.0f} cases{late_text(runs)}" if downs else "–",
        f"{np.median(beyond):.0f} ({max(beyond):.0f})" if beyond else "–",
    ]


def late_text(runs: Sequence[Run]) -> str:
    """How long after a known change the step down came."""
    late = [run.late for run in runs if run.late is not None]
    return f", {np.median(late):,.0f} after the change" if late else ""


def share_of(count: int, n: int) -> str:
    """A count of runs with its exact 95 % interval."""
    told = clopper_pearson(count, n)
    return f"{count} of {n} ({100 * told.lower:.0f} to {100 * told.upper:.0f} %)"


# What past decisions justify.

RECIDIVISM = """
[task]
name = "recidivism"
question = "Will this defendant reoffend within two years?"
target = "two_year_recid"
kind = "classification"
positive = "1"
goal = "roc_auc"
id = "def_id"
drop = ["random"]

[today]
column = "resp_decision"
score = "decile_score"

[checks]
mute = [{ code = "US001", why = "what past decisions justify is asked, not whether it beats a score" }]

[autonomy]
max_error = 0.05
confidence = 0.95
"""

CREDIT = """
[task]
name = "credit"
question = "Will this loan default?"
target = "default"
kind = "classification"
positive = "yes"
goal = "roc_auc"

[today]
column = "clerk"

[truth]
hides_outcome = ["yes"]

[checks]
mute = [{ code = "US001", why = "what past decisions justify is asked, not whether it beats a clerk" }]

[autonomy]
max_error = 0.05
confidence = 0.95
"""


def as_it_is(frame: pl.DataFrame, _: int) -> pl.DataFrame:
    """The table unchanged."""
    return frame


def with_refusals(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """German credit as a bank would know it: an invented clerk refuses three of ten, whose outcome is blank."""
    rng, balance = np.random.default_rng(seed), frame["checking_balance"]
    worry = 1.2 * (balance == "< 0 DM").to_numpy() + 0.8 * (balance == "1 - 200 DM").to_numpy()
    worry = worry + frame["months_loan_duration"].cast(pl.Float64).to_numpy() / 24
    worry = worry - 0.8 * (frame["credit_history"] == "critical").to_numpy() + rng.normal(0, 0.8, frame.height)
    refused = pl.Series(worry > np.quantile(worry, 0.7))
    clerk = pl.when(refused).then(pl.lit("yes")).otherwise(pl.lit("no"))
    return frame.with_columns(default=pl.when(~refused).then(pl.col("default")), clerk=clerk)


@dataclass(frozen=True)
class Office:
    """A table with past decisions."""

    file: str
    text: str
    prepare: Callable[[pl.DataFrame, int], pl.DataFrame] = as_it_is


OFFICES = {
    "recidivism": Office("recidivism_human_judgements.csv", RECIDIVISM),
    "credit": Office("german_credit.csv", CREDIT, with_refusals),
}


def look_back(name: str, folder: Path, seed: int) -> Backtest:
    """What past decisions say of a version that has learned from half of the cases."""
    office = OFFICES[name]
    frame = office.prepare(read_table(folder / office.file, CsvOptions()).frame, seed)
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place), parse_task(office.text))
        frame.write_csv(Path(place) / f"{name}.csv")
        plan = Rehearsal(0.5, reviewers=1, days=90, budget=Budget(trials=4), seed=seed)
        return backtest(Path(place) / f"{name}.csv", name=name, workspace=place, plan=plan)


def over_all(name: str, folder: Path) -> dict[str, str]:
    """What each way of then gets right over all cases, those known at the start among them; nothing is learned."""
    office = OFFICES[name]
    task = parse_task(office.text)
    frame = office.prepare(read_table(folder / office.file, CsvOptions()).frame, 0)
    table_, task, _ = one_row_per_case(frame, task)
    history = as_history(table_, task, start=0.5, days=90.0, seed=0)
    court = open_court(task, (), history)
    ways, _ = ways_then(history.frame, history, court, court)
    shares: dict[str, str] = {
        way.way: f"{1 - way.loss.mean():.3f}" for way in ways if not np.ptp(way.loss, axis=1).any()
    }
    if "person" in shares:
        each = np.concatenate(
            [court.losses(one)[:, 0] for one in judgements(history.frame, task.today, task.decision.kind)]
        )
        shares["person"] += f", by decision {1 - np.nanmean(each):.3f}"
    return shares


def office_text(found: Backtest, everything: dict[str, str]) -> str:
    """The table of the ways, the verdict, and its reasons."""
    past = found.retrospect
    if past is None:
        raise AssertionError("an office knows past decisions")
    head = ("", "right of 100", "interval", "the model: fewer mistakes per 100", "over all cases")
    shares = (everything.get(way.way, "") for way in past.ways)
    lines = [
        (row.name, row.achieved, row.interval, row.lead, share) for row, share in zip(rows(past), shares, strict=True)
    ]
    said = [VERDICTS[past.level], *past.reasons, past.never, *past.notes]
    certified = ", ".join(repr(side) for side in found.certified) or "nothing"
    return "\n\n".join(
        [table(head, lines), *said, f"The rehearsal ends at {found.level.value}; certified: {certified}."]
    )


def main() -> None:
    """Rehearse, print a line of JSON for each run, and fill in the tables of a page."""
    parser = argparse.ArgumentParser(prog="python -m bench.backtests", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the tables are (NAME.csv)")
    parser.add_argument("--seeds", type=int, default=20, help="runs of each table")
    parser.add_argument("--only", nargs="*", choices=[*STREAMS, *OFFICES], default=[*STREAMS, *OFFICES])
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("build/backtests"), help="where tables and runs go")
    parser.add_argument("--page", type=Path, help="a page with markers that also gets them, docs/backtests.md")
    options = parser.parse_args()
    files = {name: stream.file for name, stream in STREAMS.items()}
    files |= {name: office.file for name, office in OFFICES.items()}
    there = [name for name in options.only if (options.folder / files[name]).is_file()]
    for name in sorted(set(options.only) - set(there)):
        print(f"{name}: missing {files[name]} in {options.folder}")
    pairs = [(name, seed) for name in there if name in STREAMS for seed in range(options.seeds)]
    work = (delayed(rehearse)(name, options.folder, seed) for name, seed in pairs)
    runs = []
    for run in Parallel(n_jobs=options.jobs, return_as="generator")(work):
        runs.append(run)
        print(json.dumps(asdict(run)), flush=True)
    tables = {"streams": stream_table(runs)} if runs else {}
    for name in (name for name in there if name in OFFICES):
        tables[name] = office_text(look_back(name, options.folder, 0), over_all(name, options.folder))
    for text in tables.values():
        print(f"\n{text}")
    write(Part("backtests", tables), options.out, options.page)
    (options.out / "runs.jsonl").write_text("".join(json.dumps(asdict(run)) + "\n" for run in runs), encoding="utf-8")


if __name__ == "__main__":
    main()
