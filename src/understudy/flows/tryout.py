"""One recipe of each family, tried with quick settings on folds of some of the rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from understudy.core.errors import ModelError
from understudy.core.evidence import Evidence
from understudy.core.task import Task
from understudy.data.prepare import encode, fit_encoding
from understudy.data.split import FoldRows, Scheme, folds
from understudy.engines.local import LocalEngine
from understudy.evaluation.intervals import bootstrap, paired_bootstrap
from understudy.evaluation.measures import measure
from understudy.flows.baseline import today_scores
from understudy.flows.dataset import Dataset
from understudy.flows.folding import clock_column, rows_of
from understudy.models.calibrate import apply_head, fit_probability_head
from understudy.models.probes import PROBES, Probe, best_of
from understudy.models.recipes import RECIPES, Effort, Params, Recipe, Rows, baseline_scores

FOLDS = 3
MOST_MEASURED = 4000
MOST_CELLS = 1_000_000
FEWEST_MEASURED = 1500
CONFIDENCE = 0.95
ROUNDS = 100
QUICK: dict[str, Params] = {
    "forest": {"n_estimators": 60, "min_samples_leaf": 5, "max_features": 0.35},
    "lightgbm": {**RECIPES["lightgbm"].portfolio[1], "learning_rate": 0.1},
    "logistic": {"C": 1.0, "steps": "plain"},  # it speaks for straight lines
    "ridge": {"alpha": 1.0, "steps": "plain"},
}
"""Settings for a quick trial, where they differ from the first of the portfolio."""


@dataclass(frozen=True)
class Tryout:
    """The rows to try recipes on, their folds as encoded rows and the positions to score, and what is known of them."""

    data: Dataset
    scheme: Scheme
    parts: tuple[FoldRows, ...]
    fitted_on: tuple[Rows, ...]
    scored: tuple[np.ndarray, ...]
    goal: str
    seed: int

    @property
    def positions(self) -> np.ndarray:
        """The rows that are scored."""
        return np.concatenate([part.score for part in self.parts])

    @property
    def y(self) -> np.ndarray:
        """Their answers."""
        return np.asarray(self.data.answers.y[self.positions])

    @property
    def groups(self) -> np.ndarray | None:
        """Their groups."""
        return None if self.data.groups is None else self.data.groups[self.positions]


def prepare(whole: Dataset, task: Task, seed: int) -> Tryout:
    """Some of the rows in folds, each with an encoding of its own."""
    clock = clock_column(task, whole.frame)
    data = thinned(whole, MOST_MEASURED, seed)
    width = len(fit_encoding(data.frame, data.contract, clock_column=clock).features)
    data = thinned(data, max(FEWEST_MEASURED, MOST_CELLS // width), seed)
    y, labels = data.answers.y, data.answers.labels
    scheme: Scheme = "stratified" if labels else "random"
    if data.order is not None or data.groups is not None:
        scheme = "time" if data.order is not None else "group"
    strata = y if labels else None
    parts = folds(
        scheme,
        n=len(y),
        k=FOLDS,
        strata=strata,
        order=data.order,
        groups=data.groups,
        copies=data.copy_codes,
        seed=seed,
    )
    encodings = [fit_encoding(data.frame[part.fit], data.contract, clock_column=clock) for part in parts]
    scored = tuple(encode(encoding, data.frame[part.score]) for encoding, part in zip(encodings, parts, strict=True))
    fitted_on = tuple(rows_of(data, encoding, part.fit) for encoding, part in zip(encodings, parts, strict=True))
    tryout = Tryout(data, scheme, parts, fitted_on, scored, task.decision.goal, seed)
    constant = constant_scores(tryout)
    defined = np.isfinite(measure(tryout.goal, tryout.y, constant))
    return tryout if defined else replace(tryout, goal="log_loss")


def thinned(data: Dataset, most: int, seed: int) -> Dataset:
    """At most so many rows, drawn at random and kept in their order."""
    n = data.frame.height
    if n <= most:
        return data
    chosen = np.sort(np.random.default_rng(seed).choice(n, most, replace=False))
    return data.take(chosen)


def compare(tryout: Tryout, task: Task, tell: Callable[[str], None]) -> tuple[tuple[Probe, ...], dict[str, np.ndarray]]:
    """How each family's recipe, and what decides today, did: alone, against knowing nothing, and against the best.

    With their out-of-fold scores.
    """
    scores: dict[str, np.ndarray] = {}
    probes: list[Probe] = []
    if task.today.rules or task.today.score or task.today.column or task.today.columns:
        scores["today"], title = scores_of_today(tryout, task)
        probes.append(Probe(name="today", title=title, family=""))
    for family, recipe in stand_ins(tryout).items():
        tell(recipe.title)
        probe = Probe(name=recipe.name, title=recipe.title, family=family)
        try:
            scores[recipe.name] = out_of_fold(tryout, recipe)
            probes.append(probe)
        except ModelError as error:
            probes.append(msgspec.structs.replace(probe, error=error.message))
    each = 1 - (1 - CONFIDENCE) / (3 * max(1, len(scores)))
    found = [judged(tryout, probe, scores, each) for probe in probes]
    best = best_of(found)
    return tuple(beside(tryout, probe, best, scores, each) if best else probe for probe in found), scores


def stand_ins(tryout: Tryout) -> dict[str, Recipe]:
    """The recipe that stands for each family, where it suits the kind of task."""
    rows = tryout.fitted_on[0]
    named = {family: RECIPES[name] for family, name in PROBES.items()}
    if rows.kind == "regression":
        named["linear"] = RECIPES["ridge"]
    return {family: recipe for family, recipe in named.items() if rows.kind in recipe.kinds}


def quick_settings(recipe: Recipe, rows: Rows) -> Params:
    """Settings that make a tryout short: a hundred small trees, of which each class needs its own."""
    params = QUICK.get(recipe.name, recipe.portfolio[0])
    if recipe.name != "lightgbm":
        return params
    return {**params, "n_estimators": max(10, ROUNDS // max(1, rows.n_classes - 1))}


def out_of_fold(tryout: Tryout, recipe: Recipe, *, half: bool = False) -> np.ndarray:
    """The recipe's scores of the rows of every fold, fold by fold, learned from all of the others or from half."""

    def fit_and_score(number: int) -> np.ndarray:
        rows = tryout.fitted_on[number]
        rows = halved(rows, tryout.seed) if half else rows
        effort = Effort(seed=tryout.seed, threads=1)
        return recipe.fit(quick_settings(recipe, rows), rows, effort).raw(tryout.scored[number])

    engine = LocalEngine(len(os.sched_getaffinity(0)))
    return calibrated(tryout, engine.map(fit_and_score, range(len(tryout.parts))))


def calibrated(tryout: Tryout, scores: list[np.ndarray]) -> np.ndarray:
    """The scores of all folds; those of classes calibrated on the other folds, as they would be served."""
    if tryout.fitted_on[0].kind == "regression" or len(scores) == 1:
        return np.concatenate(scores)
    y = [tryout.data.answers.y[part.score] for part in tryout.parts]
    made = []
    for number, own in enumerate(scores):
        others = [place for place in range(len(scores)) if place != number]
        head = fit_probability_head(np.concatenate([scores[o] for o in others]), np.concatenate([y[o] for o in others]))
        made.append(apply_head(head, own))
    return np.concatenate(made)


def halved(rows: Rows, seed: int) -> Rows:
    """A random half of the rows."""
    chosen = np.sort(np.random.default_rng(seed).choice(len(rows.y), len(rows.y) // 2, replace=False))
    return replace(rows, X=rows.X[chosen], y=rows.y[chosen])


def constant_scores(tryout: Tryout) -> np.ndarray:
    """What one would say knowing nothing of the case."""
    first = tryout.fitted_on[0]
    return baseline_scores(tryout.y, kind=first.kind, n_classes=first.n_classes, n=len(tryout.y))


def scores_of_today(tryout: Tryout, task: Task) -> tuple[np.ndarray, str]:
    """What decides today, as scores; where it only answers, its record on the other folds is its confidence."""
    parts, name = [], ""
    for part in tryout.parts:
        said = today_scores(tryout.data, task, train=part.fit, rows=part.score)
        scores, name = said.scores, said.name
        if said.hard and tryout.data.answers.labels:
            before = today_scores(tryout.data, task, train=part.fit, rows=part.fit).scores.argmax(axis=1)
            scores = record(before, tryout.data.answers.y[part.fit], scores.shape[1])[scores.argmax(axis=1)]
        parts.append(scores)
    return np.concatenate(parts), name


def record(said: np.ndarray, y: np.ndarray, k: int) -> np.ndarray:
    """How often each answer came true as each class, of shape (k, k), drawn to the overall shares by one row.

    >>> record(np.array([0, 0, 1]), np.array([0, 0, 1]), 2).round(2).tolist()
    [[0.89, 0.11], [0.33, 0.67]]
    """
    counts = np.zeros((k, k))
    np.add.at(counts, (said, y), 1.0)
    return np.asarray((counts + np.bincount(y, minlength=k) / len(y)) / (counts.sum(axis=1, keepdims=True) + 1))


def judged(tryout: Tryout, probe: Probe, scores: dict[str, np.ndarray], confidence: float) -> Probe:
    """A probe with its metric, and with its gain over knowing nothing of the case."""
    if probe.name not in scores:
        return probe
    own = scores[probe.name]
    value = bootstrap(tryout.y, own, [tryout.goal], confidence=confidence, seed=tryout.seed, groups=tryout.groups)
    return msgspec.structs.replace(
        probe, value=value[tryout.goal], gain=better_by(tryout, own, constant_scores(tryout), confidence)
    )


def beside(tryout: Tryout, probe: Probe, best: Probe, scores: dict[str, np.ndarray], confidence: float) -> Probe:
    """A probe with what the best one has over it."""
    if probe.name not in scores or probe.name == best.name:
        return probe
    behind = better_by(tryout, scores[best.name], scores[probe.name], confidence)
    return msgspec.structs.replace(probe, behind=behind)


def better_by(tryout: Tryout, model: np.ndarray, baseline: np.ndarray, confidence: float) -> Evidence:
    """By how much some scores are better than others on the same rows."""
    return paired_bootstrap(
        tryout.y,
        {"model": model, "baseline": baseline},
        tryout.goal,
        confidence=confidence,
        seed=tryout.seed,
        groups=tryout.groups,
    )


def more_rows(tryout: Tryout, best: Probe, scores: np.ndarray) -> Evidence | None:
    """What the best recipe gains by learning from all rows instead of half of them; None where half are too few."""
    try:
        half = out_of_fold(tryout, RECIPES[best.name], half=True)
    except ModelError:
        return None
    return better_by(tryout, scores, half, CONFIDENCE)
