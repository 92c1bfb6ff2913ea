"""What a version rests on, measured on the rows that it never saw."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from understudy.core.errors import ModelError
from understudy.core.task import Task
from understudy.data.prepare import encode
from understudy.data.split import Split
from understudy.evaluation.effects import column_effect
from understudy.evaluation.explanations import Explanations, NamedEffect
from understudy.evaluation.importance import importances
from understudy.flows.dataset import Dataset
from understudy.flows.describe import SELECTING
from understudy.flows.folding import views
from understudy.flows.version import MatrixScorer, Version
from understudy.models.describe import step_words
from understudy.models.odds import effects
from understudy.models.recipes import RECIPES, Rows
from understudy.models.saved import load_blend

DRAWN = 6
MOST_RATIOS = 15
MOST_ROWS = 20_000
WIDEST = 1e4
"""An odds ratio whose bounds are further apart says nothing: the rows part the answers without error there."""


def explain(
    version: Version, task: Task, data: Dataset, parts: Split, seed: int, *, files: Mapping[str, bytes] | None = None
) -> Explanations:
    """Importances, effects along columns, and the coefficients of a linear member, from the test part.

    Parameters
    ----------
    version : Version
    task : Task
    data : Dataset
    parts : Split
    seed : int
    files : mapping of str to bytes, optional
        The version's files by name; without them no coefficients are told.
    """
    test = parts.test
    frame = data.frame.select(version.inputs)[test]
    together = None if data.together is None else data.together[test]
    labels = version.manifest.labels
    found = importances(
        version.scorer.frame,
        frame,
        data.answers.y[test],
        kind=task.decision.kind,
        goal=task.decision.goal,
        tolerance=task.decision.tolerance,
        groups=together,
        seed=seed,
    )
    names = [one.columns[0] for one in found.columns[:DRAWN]]
    moved = (
        column_effect(version.scorer.frame, frame, name, labels=labels, groups=together, seed=seed) for name in names
    )
    ratios, member = coefficients(version, data, parts, files or {}, seed)
    return Explanations(
        importances=found,
        effects=tuple(effect for effect in moved if effect is not None),
        coefficients=ratios,
        member=member,
        positive=labels[1] if len(labels) == 2 else "",
    )


def coefficients(
    version: Version, data: Dataset, parts: Split, files: Mapping[str, bytes], seed: int
) -> tuple[tuple[NamedEffect, ...], str]:
    """What one more of each feature is worth in the heaviest linear member, and which member that is.

    On the rows that it was fitted on; where those chose its columns, on the test part.
    """
    bodies = {name.removeprefix("members/"): data for name, data in files.items() if name.startswith("members/")}
    if not bodies or not isinstance(version.scorer, MatrixScorer):
        return (), ""
    fitted = next((one for one in load_blend(bodies).members if hasattr(one.estimator, "coef_")), None)
    if fitted is None:
        return (), ""
    chosen = parts.test if fitted.recipe in SELECTING else np.concatenate([parts.train, parts.validation])
    if len(chosen) > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, MOST_ROWS, replace=False))
    encoding, manifest = version.scorer.encoding, version.manifest
    rows = Rows(
        kind=manifest.kind,
        n_classes=len(manifest.labels),
        X=encode(encoding, data.frame[chosen]),
        y=data.answers.y[chosen],
        views=views(encoding),
        weights=data.weights_of(chosen),
    )
    try:
        found = effects(fitted, rows)
    except ModelError:  # several answers, mixed columns, or too few rows: then there is no single figure
        return (), ""
    named = [
        NamedEffect(name=step_words(encoding, one.feature), effect=one.effect)
        for one in found
        if one.effect is not None and np.isfinite([one.effect.lower, one.effect.upper]).all()
    ]
    ratio = manifest.kind == "classification"
    named = [one for one in named if not ratio or one.effect.upper < WIDEST * one.effect.lower]
    return tuple(sorted(named, key=lambda one: -certainty(one, ratio))[:MOST_RATIOS]), RECIPES[fitted.recipe].title


def certainty(one: NamedEffect, ratio: bool) -> float:
    """How many half widths of its interval an effect lies away from none."""
    with np.errstate(all="ignore"):
        values = np.array([one.effect.estimate, one.effect.lower, one.effect.upper])
        middle, lower, upper = np.log(values) if ratio else values
        size = abs(middle) / max(upper - lower, 1e-12)
    return float(size) if np.isfinite(size) else 0.0
