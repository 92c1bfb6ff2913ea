"""What is made of the findings: checks, the worklist, and the page."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import numpy as np
from scipy import stats

from understudy.core.evidence import Evidence
from understudy.evaluation.actions import Action
from understudy.evaluation.findings import Findings
from understudy.evaluation.robustness_found import Robustness
from understudy.reports.chapter import Table

from .ledger import Ledger
from .seen import Seen, share_of

MOST_BYTES = 3_000_000
HOURS = {"minutes": 0.5, "hours": 4.0, "days": 20.0, "weeks": 80.0}
PATHS = 300
"""So many cases are answered by both ways of serving."""


def recompute(seen: Seen, ledger: Ledger) -> None:
    """All of it."""
    ledger.chapter("checks")
    checks(seen, ledger)
    ledger.chapter("diagnosis")
    diagnosis(seen, ledger)
    ledger.chapter("worklist")
    worklist(seen, ledger)
    ledger.chapter("page")
    page(seen, ledger)


def checks(seen: Seen, ledger: Ledger) -> None:
    """The figures of the checks, from what they rest on."""
    told = {check.code: check.figures for check in seen.report.checks}
    evaluation, found = seen.report.evaluation, seen.report.findings or Findings()

    def all_of(code: str, **own: float) -> None:
        for name, value in own.items():
            ledger.same(f"{code} {name}", told[code][name], value)

    def evidence(code: str, name: str, own: Evidence) -> None:
        all_of(code, **{name: own.estimate, "lower": own.lower, "upper": own.upper})

    evidence("US001", "gain", evaluation.baseline.gain)
    evidence("US002", "error", evaluation.calibration_error)
    rows = [list(row) for row in seen.inputs.head(PATHS).iter_rows()]
    by_row = seen.version.predict_values(rows)
    apart = 0.0
    for place, one in enumerate(by_row):
        if seen.labels:
            said = [(one.probabilities or {})[label] for label in seen.labels]
            apart = max(apart, float(np.abs(np.array(said) - seen.scores[place]).max()))
        else:
            size = max(1.0, float(np.abs(seen.scores[:, 0]).max()))
            apart = max(apart, abs(float(one.prediction) - seen.scores[place, 0]) / size)
    ledger.holds(f"US004: both paths agree, they differ by {apart:.2g}", apart <= 1e-5)
    if len(seen.labels) == 2 and "bias" in told["US005"]:
        all_of("US005", bias=float(np.mean(seen.scores[:, 1] - seen.y)))
    elif not seen.labels and "bias" in told["US005"]:
        all_of("US005", bias=float(np.mean(seen.scores[:, 0] - seen.y)))
    if found.robustness is not None:
        of_shakes(found.robustness, told, ledger)
    if found.stability is not None and found.stability.spread is not None and told["US013"]:
        spread = found.stability.spread
        all_of("US013", folds=float(len(spread.folds)), p=spread.p, between=spread.between)
    repeated = set(seen.judged.data.frame[seen.judged.learned].select(seen.version.inputs).iter_rows())
    all_of(
        "US021",
        judged=float(len(seen.y)),
        repeated=float(sum(row in repeated for row in seen.inputs.iter_rows())),
    )
    units = len(seen.y) if seen.groups is None else len(set(seen.groups.tolist()))
    promise = seen.task.autonomy
    needed = math.ceil(math.log(1 - promise.confidence) / math.log(1 - promise.max_error))
    all_of("US027", cases=float(units), needed=float(needed))


def of_shakes(found: Robustness, told: dict[str, dict[str, float]], ledger: Ledger) -> None:
    """The figures of the checks that rest on shaken cases."""
    harms = [(one.harm.estimate, one.harm.lower, one.harm.upper) for one in found.shaken if one.harm is not None]
    for code in ("US009", "US010", "US011"):
        if "harm" in told[code]:
            figures = told[code]["harm"], told[code]["lower"], told[code]["upper"]
            ledger.holds(f"{code}: its harm is one of those that are told", figures in harms)
    if "refused" in told["US010"]:
        refusing = [one for one in found.shaken if one.way == "lost column" and not one.n]
        ledger.same("US010 refused", told["US010"]["refused"], len(refusing))


def diagnosis(seen: Seen, ledger: Ledger) -> None:
    """What a diagnosis takes from elsewhere; its own figures come from models that were fitted again and not kept."""
    found = seen.report.findings or Findings()
    told = None if found.diagnosis is None else found.diagnosis.figures
    if told is None:
        return
    if found.conflicts is not None and told.irreducible is not None:
        ledger.same("irreducible", told.irreducible.estimate, found.conflicts.error.estimate)
    if told.human is not None and found.human is not None:
        ledger.same("people", told.human.estimate, found.human.person.estimate)
    if told.baseline is not None and found.diagnosis is not None and found.diagnosis.judged == len(seen.y):
        said = seen.today.argmax(axis=1) if seen.labels else seen.today[:, 0]
        off = np.abs(said - seen.y) > (0 if seen.labels else seen.tolerance)
        ledger.same("today", told.baseline.estimate, float(off.mean()))
    if told.gap is not None and told.held is not None and told.train is not None:
        ledger.same("gap", told.gap.estimate, told.held.estimate - told.train.estimate)


def sources(seen: Seen) -> dict[str, list[float | None]]:
    """By the name of a row of the worklist, what it may win by the chapter that it comes from."""
    found = seen.report.findings or Findings()
    made: dict[str, list[float | None]] = {}

    def put(name: str, gain: float | None) -> None:
        made.setdefault(name, []).append(gain)

    for one in found.slices.found if found.slices else ():
        put(f"split off: {one.words}", one.recoverable.estimate)
        put(f"collect data: {one.words}", None)
    for bucket in found.bias.found if found.bias else ():
        gain = None if bucket.gain is None else bucket.gain.estimate
        put(f"fix bias: {'all cases' if bucket.kind == 'all' else bucket.words}", gain)
    if found.errors is not None:
        for label in found.errors.classes:
            put(f"clean labels: labels {label.label}", label.wrong.estimate / found.errors.rows)
        put("clean labels: suspected labels", found.errors.surest.estimate / 2)
    if found.numbers is not None:
        put("clean labels: outlying numbers", found.numbers.wrong.estimate)
    if found.conflicts is not None:
        put("clean labels: conflicting duplicates", found.conflicts.error.estimate / 2)
    if found.human is not None and found.human.gap is not None:
        put("add feature: gap to people", found.human.gap.estimate)
    for name, gain in of_measures(seen).items():
        put(name, gain)
    for group in (*found.fairness.groups, *found.fairness.crossed) if found.fairness else ():
        gap = group.error.difference
        put(f"fix group: {group.words}", None if gap is None else gap.estimate * group.share)
        put(f"watch group: {group.words}", None)
    diagnosed(found, put)
    for column in found.explanations.importances.columns if found.explanations else ():
        put(f"drop feature: {column.columns[0]}", 0.0)
    return made


def of_measures(seen: Seen) -> dict[str, float]:
    """What other thresholds could win: what they save, over the price of a mistake."""
    measures, made = seen.report.evaluation.measures, {}
    if measures is not None and measures.thresholds is not None and measures.thresholds.saving is not None:
        saving = measures.thresholds.saving.estimate
        made[f"change threshold: threshold of {seen.labels[1]}"] = saving / measures.thresholds.mean_price
    if measures is not None and measures.costs is not None:
        saving = measures.costs.saving.estimate
        made["change threshold: answers by expected cost"] = saving / measures.costs.mean_price
    return made


def diagnosed(found: Findings, put: Any) -> None:
    """What refits say could be won."""
    if found.diagnosis is None:
        return
    for curve in found.diagnosis.learning:
        if curve.doubling is not None and curve.metric == "error":
            put("collect data: rows", curve.doubling.estimate)
    for rival in found.diagnosis.rivals:
        for kind in ("use a larger model", "regularise"):
            put(f"{kind}: {rival.recipe}", rival.gain.estimate)
    for around in found.diagnosis.validation:
        for setting in around.settings:
            for kind in ("use a larger model", "regularise"):
                gain = getattr(setting, "gain", None)
                put(f"{kind}: {around.recipe} {around.parameter}", None if gain is None else gain.estimate)
    for drop in found.diagnosis.ablation.drops if found.diagnosis.ablation else ():
        for kind in ("drop feature", "drop step"):
            put(f"{kind}: {drop.name}", -drop.harm.estimate)


def worklist(seen: Seen, ledger: Ledger) -> None:
    """Each row's gain by its source, its score by the formula, and the order."""
    told, known = seen.worklist, sources(seen)
    wrong = told.wrong.estimate if isinstance(told.wrong, Evidence) else told.wrong
    ledger.same("wrong", wrong, float(seen.wrong.mean()))
    if isinstance(told.wrong, Evidence):
        share_of(ledger, "wrong", told.wrong, int(seen.wrong.sum()), len(seen.y))
    for item in told.items:
        action, gain = item.action, item.action.gain
        if gain is not None:
            among = [one for one in known.get(item.key, []) if one is not None]
            ledger.holds(f"{item.key}: its chapter tells a gain", bool(among))
            if among:
                ledger.same(item.key, gain.estimate, min(among, key=lambda one: abs(one - gain.estimate)))
            ledger.same(f"{item.key}: wins", None if item.wins is None else item.wins.estimate, 1000 * gain.estimate)
        ledger.same(f"{item.key}: score", item.score, score(action, wrong, item.hours))
        ledger.same(f"{item.key}: hours", item.hours, HOURS[action.effort])
    order = [(not one.action.blocking, one.action.kind != "fix leak", -one.score) for one in told.items]
    ledger.holds("what blocks comes first, then leaks, then the greatest score", order == sorted(order))
    ledger.each("ranks", [item.rank for item in told.items], range(1, len(told.items) + 1))


def score(action: Action, wrong: float, hours: float) -> float:
    """1000 × expected gain × certainty × ease."""
    gain, room = action.gain, wrong
    wanted = 0.0 if gain is None else gain.estimate
    if action.gap is not None and action.share is not None:
        room = min(room, action.gap * action.share)
        wanted = room if gain is None else wanted
    certain = 0.5
    if gain is not None and gain.estimate <= gain.lower:
        certain = 1.0 if gain.estimate > 0 else 0.0
    elif gain is not None:
        spread = (gain.estimate - gain.lower) / stats.norm.ppf((1 + gain.confidence) / 2)
        certain = float(stats.norm.cdf(gain.estimate / spread))
    return 1000 * max(0.0, min(wanted, room)) * certain * 8 / (8 + hours)


class Reader(HTMLParser):
    """Reads a page: its sections, what it loads, and the rows of its tables by section."""

    def __init__(self) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.loads: list[str] = []
        self.rows: dict[str, list[list[str]]] = {}
        self.scripts = 0
        self._section, self._cell = "", False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag begins."""
        told = {name: value or "" for name, value in attrs}
        self.anchors |= {told["id"]} if "id" in told else set()
        outside = ("src", "srcset", "poster", "data", "action", "background") + (("href",) if tag != "a" else ())
        self.loads += [told[name] for name in outside if name in told and not told[name].startswith(("#", "data:"))]
        self.scripts += tag in ("script", "iframe", "object", "embed")
        if tag == "section":
            self._section = told.get("id", "")
        if tag == "tr":
            self.rows.setdefault(self._section, []).append([])
        if tag in ("td", "th"):
            self._cell = True
            self.rows[self._section][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """A tag ends."""
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._cell:
            self.rows[self._section][-1][-1] += data


def page(seen: Seen, ledger: Ledger) -> None:
    """The page holds every chapter and every row of its tables, loads nothing, and is not too large."""
    read = Reader()
    read.feed(seen.page)
    size = len(seen.page.encode())
    ledger.holds(f"a page of {size:,} bytes", size < MOST_BYTES)
    styles = re.findall(r"url\(([^)]*)\)|@import", seen.page)
    ledger.holds(f"it loads {read.loads} {styles}", not read.loads and not [one for one in styles if one[:1] != "#"])
    ledger.holds("it runs no script", not read.scripts)
    known = numbers_of(seen)
    for chapter in seen.chapters:
        ledger.holds(f"{chapter.anchor} is in the page", chapter.anchor in read.anchors)
        shown = [row for row in read.rows.get(chapter.anchor, []) if row]
        for part in chapter.parts:
            if isinstance(part, Table):
                table(part, shown, known, chapter.anchor, ledger)
    shown = read.rows.get("worklist", [])
    for item in seen.worklist.items:
        ledger.holds(f"{item.key} is in the page", any(item.action.what in " ".join(row) for row in shown))


def table(part: Table, shown: list[list[str]], known: np.ndarray, anchor: str, ledger: Ledger) -> None:
    """Each row is in the page, its numbers as they are; and each number belongs to the findings."""
    for row in part.rows:
        texts = [text(cell, column.form) for cell, column in zip(row, part.columns, strict=True)]
        there = any(
            len(found) == len(texts) and all(b.strip().startswith(a) for a, b in zip(texts, found, strict=True))
            for found in shown
        )
        ledger.holds(f"{anchor}: {texts} is in the page", there)
        for cell in row:
            for value in values(cell):
                near = known[np.searchsorted(known, value) - 1 : np.searchsorted(known, value) + 1]
                close = len(near) and float(np.abs(near - value).min()) <= 1e-9 * max(1.0, abs(value))
                ledger.holds(f"{anchor}: {part.caption[:40]}: {value!r} belongs to the findings", bool(close))


def values(cell: Any) -> list[float]:
    """The numbers of a cell."""
    if isinstance(cell, Evidence):
        return [cell.estimate, cell.lower, cell.upper]
    return [float(cell)] if isinstance(cell, (int, float)) and math.isfinite(cell) else []


def text(cell: Any, form: str) -> str:
    """What a cell begins with, as a reader expects it."""
    if isinstance(cell, Evidence):
        return ""  # its digits follow from its bounds
    if cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        return "–"
    if isinstance(cell, str):
        return cell.strip()
    if form == "percent":
        return f"{100 * cell:.1f} %"
    return f"{cell:,.0f}" if form == "count" or isinstance(cell, int) or abs(cell) >= 1000 else f"{cell:.4g}"


def numbers_of(seen: Seen) -> np.ndarray:
    """All numbers of the report, and what they are in per cent or turned around, in order."""
    found: list[float] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for one in value.values():
                walk(one)
        elif isinstance(value, (list, tuple)):
            found.append(float(len(value)))
            for one in value:
                walk(one)
        elif isinstance(value, (int, float)) and math.isfinite(value):
            found.append(float(value))

    walk(msgspec.to_builtins(seen.report))
    each = np.unique(found)
    return np.unique(np.concatenate([each, -each, 1 - each]))
