"""The tables of the bench, from its results; no figure is typed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from bench.automl.boards import (
    Board,
    Result,
    Value,
    boards,
    by_metric,
    distance,
    mean_over,
    median,
    overpromised,
    primary,
    runs,
    within,
)
from bench.automl.contenders import CONTENDERS, OURS
from bench.automl.judge import DRAWS, Answers, Gain, gain
from bench.automl.sources import SOURCES
from bench.evidence.show import table

METRIC_TITLES = {"roc_auc": "ROC AUC", "log_loss": "log loss", "rmse": "RMSE"}


def tables(results: Sequence[Result], predictions: Path, *, told: bool = False, draws: int = DRAWS) -> dict[str, str]:
    """Every table in Markdown, by its marker.

    Raises
    ------
    ValueError
        There is no result of a contender with a budget.
    """
    found = boards(results, told=told)
    if not found:
        raise ValueError("There are no results yet: python -m bench.automl run FOLDER")
    read = cache(lambda name: read_answers(predictions / name))
    parts: dict[str, Callable[[Board], str]] = {
        "primary": primary_table,
        "against": lambda one: against_table(one, read, draws),
        "promises": promise_table,
        "calibration": calibration_table,
        "costs": cost_table,
    }
    shown = {"contenders": contender_table(found)}
    for name, make in parts.items():
        shown[name] = "\n\n".join(f"**{one.seconds:g} seconds**\n\n{make(one)}" for one in found)
    shown["failures"] = failure_list(found)
    return shown


def read_answers(path: Path) -> Answers:
    """What was kept of a contender's answers."""
    with np.load(path) as file:
        return Answers(file["y"], file["scores"], file["rows"])


def title(source: str) -> str:
    """A table and how it is judged, as one row's head."""
    order = ", by time" if SOURCES[source].time else ""
    return f"{source}{order}, {METRIC_TITLES[SOURCES[source].metric]}"


def number(value: float | None) -> str:
    """A figure with four digits that tell something.

    >>> number(0.87654), number(60.94), number(42646.2), number(None)
    ('0.8765', '60.94', '42,646', '–')
    """
    if value is None:
        return "–"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}" if abs(value) < 1000 else f"{value:,.0f}"


def heads(board: Board) -> list[str]:
    """The contenders as columns."""
    return [CONTENDERS[name].title for name in board.contenders]


def rank_row(board: Board, value: Value, greater: Callable[[str], bool]) -> list[str]:
    """The last row of a table: mean ranks, the lowest marked."""
    found, races = board.ranks(value, greater)
    if not found:
        return ["mean rank", *("–" for _ in board.contenders)]
    best = min(found.values())
    shown = [f"**{one:.2f}**" if one == best else f"{one:.2f}" for one in found.values()]
    return [f"mean rank ({races} races)", *shown]


def primary_table(board: Board) -> str:
    """The metric of each contender on each table, the best marked."""
    rows = []
    for source in board.sources:
        means = [board.mean(source, name, primary) for name in board.contenders]
        there = [mean for mean in means if mean is not None]
        best = (max if by_metric(source) else min)(there) if there else None
        marked = [f"**{number(mean)}**" if mean is not None and mean == best else number(mean) for mean in means]
        rows.append([title(source), *marked])
    rows.append(rank_row(board, primary, by_metric))
    return table(["table", *heads(board)], rows)


def against_table(board: Board, read: Callable[[str], Answers], draws: int) -> str:
    """Understudy beside the best of its peers on each table."""
    rows, verdicts = [], []
    for source in board.sources:
        compared = against(board, source, read, draws)
        if compared is None:
            rows.append([title(source), "–", "–", "–", "not compared"])
            continue
        peer, found = compared
        verdicts.append(found.verdict)
        bounds = f"{signed(found.lower)} to {signed(found.upper)}"
        rows.append([title(source), CONTENDERS[peer].title, signed(found.estimate), bounds, found.verdict])
    counts = {word: verdicts.count(word) for word in ("better", "level", "worse")}
    said = ", ".join(f"{word} on {count}" for word, count in counts.items())
    head = ["table", "best peer", "Understudy is better by", "95 % interval", "so it is"]
    return f"{table(head, rows)}\n\nOf {len(verdicts)} tables: {said}."


def against(board: Board, source: str, read: Callable[[str], Answers], draws: int) -> tuple[str, Gain] | None:
    """The peer with the best mean over seeds, and the gain over it; None where either has failed."""
    means = {name: board.mean(source, name, primary) for name in board.contenders if CONTENDERS[name].worker != OURS}
    there = {name: mean for name, mean in means.items() if mean is not None}
    if not there or OURS not in board.contenders:
        return None
    peer = (max if by_metric(source) else min)(there, key=there.__getitem__)
    ours, theirs = board.cells.get((source, OURS), {}), board.cells[source, peer]
    seeds = [seed for seed in sorted(ours) if seed in theirs and comparable(ours[seed], theirs[seed])]
    if not seeds:
        return None
    answers = [[read(cell[seed]["predictions"]) for seed in seeds] for cell in (ours, theirs)]
    return peer, gain(SOURCES[source].metric, answers[0], answers[1], draws=draws)


def comparable(one: Result, other: Result) -> bool:
    """Whether both have answered the same rows."""
    return not one["failed"] and not other["failed"] and bool(one["data"] == other["data"])


def signed(value: float) -> str:
    """A figure with its sign.

    >>> signed(0.0123), signed(-1540.2)
    ('+0.0123', '-1,540')
    """
    return f"{'+' if value >= 0 else '-'}{number(abs(value))}"


def promise_table(board: Board) -> str:
    """How much too good each contender's own figure was, and how often Understudy's interval held what came."""
    rows = []
    for source in board.sources:
        share = SOURCES[source].metric == "rmse"
        means = [board.mean(source, name, overpromised) for name in board.contenders]
        rows.append([title(source), *(gap(mean, share=share) for mean in means)])
    for metric, words in METRIC_TITLES.items():
        those = [source for source in board.sources if SOURCES[source].metric == metric]
        if those:
            sizes = [mean_over(board, those, name, distance) for name in board.contenders]
            rows.append([f"mean size, {words}", *(gap(mean, share=metric == "rmse").lstrip("+") for mean in sizes)])
    rows.append(rank_row(board, distance, lambda _: False))
    held = [within(result) for name in board.contenders for result in runs(board, name)]
    known = [one for one in held if one is not None]
    said = f"\n\nIts interval held what came in {sum(known)} of {len(known)} runs." if known else ""
    return table(["table", *heads(board)], rows) + said


def gap(value: float | None, *, share: bool) -> str:
    """How far promise and reality are apart, with its sign.

    >>> gap(0.0312, share=False), gap(-0.12, share=True)
    ('+0.031', '-12 %')
    """
    if value is None:
        return "–"
    return f"{100 * value:+.0f} %" if share else f"{value:+.3f}"


def calibration_table(board: Board) -> str:
    """The debiased calibration error of each contender."""

    def error(result: Result) -> float | None:
        value: float | None = result["calibration_error"]
        return value

    those = [source for source in board.sources if SOURCES[source].kind == "classification"]
    if not those:
        return "No table with classes has been run."
    rows = [[source, *(shown(board.mean(source, name, error)) for name in board.contenders)] for source in those]
    rows.append(["mean", *(shown(mean_over(board, those, name, error)) for name in board.contenders)])
    rows.append(rank_row(board, error, lambda _: False))
    return table(["table", *heads(board)], rows)


def shown(value: float | None) -> str:
    """A small figure."""
    return "–" if value is None else f"{value:.4f}"


def cost_table(board: Board) -> str:
    """Seconds, memory, bytes and speed of each contender, over all its runs."""
    ours = median(runs(board, OURS), "one_row_ms")
    head = [
        "",
        "fit, s (median; most)",
        "memory, MB (median; most)",
        "artifact, MB (median; most)",
        "one row, ms (median)",
        "of Understudy's",
        "rows/s at once (median)",
    ]
    rows = []
    for name in board.contenders:
        those = runs(board, name)
        one = median(those, "one_row_ms")
        times = "–" if one is None or not ours else f"{one / ours:,.0f}×"
        spread = [both(those, key, digits) for key, digits in (("fit_seconds", 0), ("peak_mb", 0), ("artifact_mb", 1))]
        speed = median(those, "batch_rows_per_second")
        fast = "–" if speed is None else f"{speed:,.0f}"
        rows.append([CONTENDERS[name].title, *spread, "–" if one is None else f"{one:.3g}", times, fast])
    return table(head, rows) + kept_time(runs(board, OURS))


def kept_time(ours: Sequence[Result]) -> str:
    """When Understudy's model was there: the rest of its seconds goes to judging it."""
    found = [result["notes"]["training_seconds"] for result in ours if result["notes"].get("training_seconds")]
    if not found:
        return ""
    seconds = f"{np.median(found):,.0f} s (median; most {max(found):,.0f} s)"
    return f"\n\nUnderstudy's model was calibrated and compiled after {seconds}; the rest is judging it."


def both(results: Sequence[Result], key: str, digits: int) -> str:
    """Median and maximum of a figure over runs."""
    middle = median(results, key)
    if middle is None:
        return "–"
    return f"{middle:,.{digits}f}; {max(result[key] for result in results):,.{digits}f}"


def contender_table(found: Sequence[Board]) -> str:
    """Who took part, how, in which versions, on how many cores."""
    rows, cores = [], set()
    names = [name for name in CONTENDERS if any(name in one.contenders for one in found)]
    for name in names:
        those = [result for one in found for result in runs(one, name)]
        versions = sorted({", ".join(f"{key} {value}" for key, value in one["versions"].items()) for one in those})
        cores |= {result["threads"] for result in those}
        rows.append([CONTENDERS[name].title, CONTENDERS[name].how, "; ".join(versions) or "–"])
    seeds = max((len(cell) for one in found for cell in one.cells.values()), default=0)
    note = f"Threads: {', '.join(map(str, sorted(cores)))}. Seeds: up to {seeds}. {mixture(found)}"
    return f"{table(['contender', 'how', 'versions'], rows).replace('---:', '---')}\n\n{note}".rstrip()


def mixture(found: Sequence[Board]) -> str:
    """Whether results of Understudy stem from several states of its code, which then are no single measurement."""
    states = {
        result["state"] for one in found for (_, name), cell in one.cells.items() if name == OURS
        for result in cell.values()
    }  # fmt: skip
    return f"Understudy's figures stem from {len(states)} states of its code." if len(states) > 1 else ""


def failure_list(found: Sequence[Board]) -> str:
    """Every failure and its reason."""
    lines = [
        f"- {CONTENDERS[name].title}, {source}, {one.seconds:g} s, seed {seed}: {as_text(result['failed'])}"
        for one in found
        for (source, name), cell in sorted(one.cells.items())
        for seed, result in sorted(cell.items())
        if result["failed"] and source in one.sources
    ]
    return "\n".join(lines) or "Nobody failed."


def as_text(words: str) -> str:
    """A program's words, harmless in Markdown."""
    return words.replace("<", "&lt;").replace("|", "\\|").replace("`", "'")
