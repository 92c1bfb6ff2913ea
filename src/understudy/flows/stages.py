"""The error of a version, taken apart by the stages before or within it: it predicts once more, with the truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import polars as pl

import understudy
from understudy.core.errors import DataError, ModelError
from understudy.core.task import Task
from understudy.data.reading import read_column
from understudy.data.values import as_numbers
from understudy.evaluation.stages import MOST_ORDERED, Stages, decompose
from understudy.flows.adopted import Adopted, as_scores, matrix
from understudy.flows.dataset import Dataset
from understudy.flows.version import Version
from understudy.models.calibrate import apply_head

MOST_PREDICTIONS = 320_000
MOST_ASKED = 2_000
"""The same where each prediction is asked of an address."""


@dataclass(frozen=True)
class Mended:
    """A stage whose output can be replaced by the truth.

    Attributes
    ----------
    name : str
    values : mapping of str to pl.Series
        By input column or output feature, its true values in the rows.
    within : bool
        Whether it is a step of an adopted pipeline; else its outputs are input columns.
    """

    name: str
    values: Mapping[str, pl.Series]
    within: bool


Staged = Callable[[pl.DataFrame, Mapping[str, Mapping[str, pl.Series]]], np.ndarray]
"""Scores of shape (n, k) for a frame, with the truth of some output features by pipeline step."""


def take_apart(
    version: Version, files: Mapping[str, bytes], task: Task, data: Dataset, rows: np.ndarray, *, seed: int = 0
) -> Stages | None:
    """How much of a version's error each stage in `[model] stages` owns; None where the task names no stage.

    It predicts as the version does, with the outputs of some stages replaced by the truth. Rows in which the truth of
    a stage is missing or cannot be read are left out. Of very many rows some are drawn by lot.

    Parameters
    ----------
    version : Version
    files : mapping of str to bytes
        The files that it is opened from, by name.
    task : Task
    data : Dataset
    rows : ndarray of int
        Rows that the version has not learned from.
    seed : int
        Which rows are drawn.

    Raises
    ------
    DataError
        A stage's output is neither a column of the data nor a feature of a pipeline's step, or no row has every truth.
    ModelError
        An adopted pipeline fails on the truth.
    """
    if not task.model.stages:
        return None
    pipeline = adopted_pipeline(files)
    stages = [mended(name, columns, version, data, pipeline, rows=rows) for name, columns in task.model.stages.items()]
    known = np.ones(len(rows), dtype=bool)
    for stage in stages:
        for values in stage.values.values():
            known &= values.is_not_null().to_numpy()
    if not known.any():
        raise DataError(
            f"None of {len(rows):,} rows has the truth of every stage.",
            hint=f"Fill {', '.join(task.model.truths)} in some rows, or name fewer stages in [model] stages.",
        )
    places = drawn(np.flatnonzero(known), asked(version, len(stages)), seed)
    chosen = [Mended(one.name, {key: v.gather(places) for key, v in one.values.items()}, one.within) for one in stages]
    frame, y = data.frame[rows[places]], data.answers.y[rows[places]]
    predict = staged_scores(version, pipeline)

    def wrong(perfect: frozenset[str]) -> np.ndarray:
        return losses(predict(*with_truth(frame, chosen, perfect)), y, version.manifest.tolerance)

    together = data.together
    return decompose(
        wrong,
        {one.name: differing(one, frame, pipeline) for one in chosen},
        unknown=int((~known).sum()),
        groups=None if together is None else together[rows[places]],
    )


def asked(version: Version, stages: int) -> int:
    """Of how many rows predictions are affordable."""
    most = MOST_ASKED if version.manifest.recipe == "adopted-endpoint" else MOST_PREDICTIONS
    return max(1, most // (2**stages if stages <= MOST_ORDERED else 2 * stages))


def drawn(places: np.ndarray, most: int, seed: int) -> np.ndarray:
    """All places, or so many of them by lot, in order."""
    if len(places) <= most:
        return places
    return np.sort(np.random.default_rng(seed).choice(places, most, replace=False))


def losses(scores: np.ndarray, y: np.ndarray, tolerance: float | None) -> np.ndarray:
    """1 where the answer is wrong (for numbers: beyond the tolerance), else 0."""
    off = scores.argmax(axis=1) != y if tolerance is None else np.abs(scores[:, 0] - y) > tolerance
    return np.asarray(off, dtype=np.float64)


@dataclass(frozen=True)
class Pipeline:
    """An adopted scikit-learn pipeline: its steps by name, what it is called with, and what it takes and answers."""

    model: Any
    adopted: Adopted

    @property
    def steps(self) -> list[tuple[str, Any]]:
        """The steps before the last, which is the decision itself."""
        return list(self.model.steps[:-1])

    def scores(self, frame: pl.DataFrame, truths: Mapping[str, Mapping[str, pl.Series]]) -> np.ndarray:
        """Raw scores, with some output features of some steps replaced by the truth."""
        try:
            X = self.after(frame, truths, len(self.steps))
            last = self.model.steps[-1][1]
            call = last.predict_proba if self.adopted.labels and hasattr(last, "predict_proba") else last.predict
            return as_scores(call(X), self.adopted)
        except DataError:
            raise
        except Exception as error:  # a model may raise anything
            raise ModelError(f"The adopted pipeline fails on the truth: {type(error).__name__}: {error}") from error

    def after(self, frame: pl.DataFrame, truths: Mapping[str, Mapping[str, pl.Series]], count: int) -> Any:
        """What so many steps make of a frame."""
        named = hasattr(self.model, "feature_names_in_")
        inputs = self.adopted.inputs
        X: Any = frame.select(inputs) if named else matrix(frame, inputs, np.float64)
        for place, (name, step) in enumerate(self.steps[:count]):
            X = X if step in (None, "passthrough") else step.transform(X)
            if name in truths:
                X = replaced(X, self.features(place, X), truths[name], name)
        return X

    def features(self, place: int, X: Any) -> list[str]:
        """The names of a step's output features; their numbers from 0 where it does not tell them."""
        try:
            return [str(name) for name in self.model[: place + 1].get_feature_names_out()]
        except (AttributeError, ValueError):
            return [str(name) for name in getattr(X, "columns", range(X.shape[1]))]


def adopted_pipeline(files: Mapping[str, bytes]) -> Pipeline | None:
    """The adopted model, where it is a pipeline of named steps."""
    if "model.skops" not in files:
        return None
    model: Any = understudy.load_skops(files["model.skops"])
    if not hasattr(model, "steps"):
        return None
    model.set_params(**{name: 1 for name in model.get_params() if name.rpartition("__")[2] == "n_jobs"})
    return Pipeline(model, msgspec.json.decode(files["adopted.json"], type=Adopted))


def replaced(X: Any, features: list[str], truths: Mapping[str, pl.Series], step: str) -> Any:
    """A step's output with the truth in some of its features.

    Raises
    ------
    DataError
        It has no such feature.
    """
    absent = [name for name in truths if name not in features]
    if absent:
        raise DataError(
            f"The step {step!r} of the adopted pipeline has no output feature {absent[0]!r}.",
            hint=f"Its output features are: {', '.join(features[:30])}.",
        )
    if hasattr(X, "iloc"):
        return X.assign(**{name: values.to_numpy() for name, values in truths.items()})
    if isinstance(X, pl.DataFrame):
        return X.with_columns(values.alias(name) for name, values in truths.items())
    full = np.array(X.toarray() if hasattr(X, "toarray") else X)
    for name, values in truths.items():
        full[:, features.index(name)] = values.to_numpy()
    return full


def mended(
    name: str,
    columns: Mapping[str, str],
    version: Version,
    data: Dataset,
    pipeline: Pipeline | None,
    *,
    rows: np.ndarray,
) -> Mended:
    """A stage with its true values in some rows."""
    source = data.source[rows]
    if pipeline is not None and name in [step for step, _ in pipeline.steps]:
        return Mended(name, {feature: plain(source[truth]) for feature, truth in columns.items()}, within=True)
    used = {column.name: column for column in version.contract.used}
    values = {}
    for output, truth in columns.items():
        if output not in data.source.columns:
            steps = "" if pipeline is None else f" The pipeline's steps are: {', '.join(s for s, _ in pipeline.steps)}."
            raise DataError(
                f"The stage {name!r} gives {output!r}, which is not a column of the data.",
                hint=f"Name an input column in [model] stages.{steps}",
            )
        if output in used:  # what the model does not read cannot change its answer
            column = msgspec.structs.replace(used[output], nullable=True)
            values[output] = read_column(column, source[truth])[0].alias(output)
    return Mended(name, values, within=False)


def plain(values: pl.Series) -> pl.Series:
    """True values of a feature: numbers where all of them are, else text."""
    if values.dtype.is_numeric():
        return values.cast(pl.Float64).fill_nan(None)
    text = values.cast(pl.String)
    numbers = as_numbers(text)
    return numbers if numbers.null_count() == text.null_count() else text


def staged_scores(version: Version, pipeline: Pipeline | None) -> Staged:
    """How the version answers; through the steps of its pipeline where the truth of one is given."""

    def predict(frame: pl.DataFrame, truths: Mapping[str, Mapping[str, pl.Series]]) -> np.ndarray:
        if pipeline is None or not truths:
            return version.scorer.frame(frame)
        return apply_head(version.head, pipeline.scores(frame, truths))

    return predict


def with_truth(
    frame: pl.DataFrame, stages: list[Mended], perfect: frozenset[str]
) -> tuple[pl.DataFrame, dict[str, Mapping[str, pl.Series]]]:
    """The frame with the truth of perfect stages in its columns, and the truth of perfect steps."""
    named = [one for one in stages if one.name in perfect]
    columns = [values for one in named if not one.within for values in one.values.values()]
    return frame.with_columns(columns), {one.name: one.values for one in named if one.within}


def differing(stage: Mended, frame: pl.DataFrame, pipeline: Pipeline | None) -> float:
    """The share of rows in which some output of a stage is not the truth."""
    off = np.zeros(frame.height, dtype=bool)
    given = step_output(stage, frame, pipeline) if stage.within and pipeline is not None else frame
    for name, truth in stage.values.items():
        off |= unlike(given[name], truth)
    return float(off.mean())


def step_output(stage: Mended, frame: pl.DataFrame, pipeline: Pipeline) -> pl.DataFrame:
    """The output features of a step that have a truth."""
    place = [name for name, _ in pipeline.steps].index(stage.name)
    X = pipeline.after(frame, {}, place + 1)
    features = pipeline.features(place, X)
    replaced(X[:1], features, {name: values[:1] for name, values in stage.values.items()}, stage.name)
    full = np.asarray(X.toarray() if hasattr(X, "toarray") else X)
    return pl.DataFrame({name: pl.Series(name, full[:, features.index(name)].tolist()) for name in stage.values})


def unlike(given: pl.Series, truth: pl.Series) -> np.ndarray:
    """Where an output is not the truth; numbers may differ by rounding."""
    if given.dtype.is_numeric() and truth.dtype.is_numeric():
        ours, theirs = (values.cast(pl.Float64).fill_null(np.nan).to_numpy() for values in (given, truth))
        return np.asarray(~np.isclose(ours, theirs, rtol=1e-6, atol=1e-9))
    same = given.cast(pl.String).eq_missing(truth.cast(pl.String))
    return ~same.to_numpy()
