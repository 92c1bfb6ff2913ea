"""Models that were made elsewhere, as scorers: an ONNX file, a scikit-learn model, a column of scores, an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
import onnxruntime as ort
import polars as pl

import understudy
from understudy.core.errors import ModelError
from understudy.models.calibrate import Head, apply_head
from understudy.models.session import open_session
from understudy.sources.endpoint import Endpoint, ask

Raw = Callable[[pl.DataFrame], np.ndarray]
DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}


class Adopted(msgspec.Struct, frozen=True, kw_only=True):
    """What an adopted model is.

    Attributes
    ----------
    form : {"onnx", "skops", "scores", "endpoint"}
    inputs : tuple of str
        The columns that it takes, in its order.
    classes : tuple of str
        Its answers in the order of its probabilities; empty for numbers.
    labels : tuple of str
        The task's answers in the order of the scores.
    endpoint : Endpoint, optional
    """

    form: Literal["onnx", "skops", "scores", "endpoint"]
    inputs: tuple[str, ...]
    classes: tuple[str, ...]
    labels: tuple[str, ...]
    endpoint: Endpoint | None = None


@dataclass(frozen=True)
class FrameScorer:
    """Scores of a model that takes columns, calibrated by our own head."""

    raw: Raw
    head: Head
    schema: Mapping[str, Any]

    def frame(self, frame: pl.DataFrame) -> np.ndarray:
        """Scores of shape (n, k) for a frame in canonical types."""
        return apply_head(self.head, self.raw(frame))

    def rows(self, rows: Sequence[Sequence[object]]) -> np.ndarray:
        """Scores of shape (n, k) for rows of canonical values, as live cases come."""
        return self.frame(pl.DataFrame([list(values) for values in rows], schema=dict(self.schema), orient="row"))


def open_adopted(adopted: Adopted, files: Mapping[str, bytes]) -> Raw:
    """The function from a frame in canonical types to raw scores, of shape (n, k) or (n, 1).

    Raises
    ------
    ModelError
        The model cannot be loaded; later, when it is called, that it fails or answers what cannot be understood.
    """
    if adopted.form == "onnx":
        predict = onnx_function(open_session(files["model.onnx"]), adopted)
    elif adopted.form == "skops":
        predict = sklearn_function(understudy.load_skops(files["model.skops"]), adopted)
    elif adopted.form == "endpoint" and adopted.endpoint is not None:
        endpoint = adopted.endpoint
        predict = lambda frame: ask(endpoint, frame.select(adopted.inputs))  # noqa: E731
    else:
        predict = lambda frame: column_scores(frame, adopted)  # noqa: E731
    return lambda frame: as_scores(predict(frame), adopted)


def column_scores(frame: pl.DataFrame, adopted: Adopted) -> np.ndarray:
    """A column of scores; probabilities beyond 0 and 1 are taken to the nearer end, and are strange anyway."""
    values = frame[adopted.inputs[0]].cast(pl.Float64).to_numpy()
    return np.clip(values, 0.0, 1.0) if adopted.labels else values


def onnx_function(session: ort.InferenceSession, adopted: Adopted) -> Callable[[pl.DataFrame], Any]:
    """Calls an ONNX model that takes one matrix, or one input for each column."""
    inputs = session.get_inputs()
    outputs = [output.name for output in session.get_outputs()]
    wanted = next((name for name in outputs if "prob" in name.lower()), outputs[-1])

    def predict(frame: pl.DataFrame) -> Any:
        if len(inputs) == 1 and inputs[0].name not in frame.columns:
            feed = {inputs[0].name: matrix(frame, adopted.inputs, DTYPES.get(inputs[0].type, np.float32))}
        else:
            feed = {one.name: matrix(frame, (one.name,), DTYPES.get(one.type, np.float32)) for one in inputs}
        try:
            return session.run([wanted], feed)[0]
        except Exception as error:  # the runtime raises a dozen unrelated types
            raise ModelError(f"The adopted model fails: {error}") from error

    return predict


def matrix(frame: pl.DataFrame, columns: Sequence[str], dtype: Any) -> np.ndarray:
    """Some columns as one array of shape (n, columns); missing numbers are NaN, missing words empty."""
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise ModelError(f"The adopted model takes {', '.join(absent)}, which the contract does not have.")
    if dtype is np.object_:
        return np.column_stack([frame[name].cast(pl.String).fill_null("").to_numpy() for name in columns]).astype(
            object
        )
    try:
        numbers = [frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns]
    except pl.exceptions.PolarsError as error:
        raise ModelError(f"The adopted model takes numbers, but a column holds words: {error}") from error
    return np.column_stack(numbers).astype(dtype)


def sklearn_function(model: Any, adopted: Adopted) -> Callable[[pl.DataFrame], Any]:
    """Calls a scikit-learn model, on a frame where it knows its columns by name and on a matrix where it does not.

    It runs on one thread: quicker for a few rows, and safe beside a fit of LightGBM in another thread (`predicted`).
    """
    if hasattr(model, "get_params"):
        model.set_params(**{name: 1 for name in model.get_params() if name.rpartition("__")[2] == "n_jobs"})
    call = model.predict_proba if adopted.labels and hasattr(model, "predict_proba") else model.predict
    named = hasattr(model, "feature_names_in_")

    def predict(frame: pl.DataFrame) -> Any:
        part = frame.select(adopted.inputs) if named else matrix(frame, adopted.inputs, np.float64)
        try:
            return call(part)
        except Exception as error:  # a model may raise anything
            raise ModelError(f"The adopted model fails: {type(error).__name__}: {error}") from error

    return predict


def as_scores(answers: Any, adopted: Adopted) -> np.ndarray:
    """What a model answers as raw scores in the order of the task's labels.

    It may answer probabilities of its classes, of the positive one alone, mappings from class to probability (as ONNX
    models of scikit-learn do), plain classes, or numbers.
    """
    if not adopted.labels:
        return numbers_of(answers).reshape(len(answers), -1)[:, :1]
    first = answers[0] if len(answers) > 0 else None
    if isinstance(first, dict):
        answers = [[row.get(name, row.get(number_of(name), 0.0)) for name in adopted.classes] for row in answers]
    elif isinstance(first, str):
        answers = np.array([[float(answer == name) for name in adopted.classes] for answer in answers])
    scores = numbers_of(answers)
    if scores.ndim == 1 or scores.shape[1] == 1:
        scores = two_sided(scores.reshape(-1), adopted)
    else:
        scores = scores[:, [adopted.classes.index(label) for label in adopted.labels]]
    if scores.min(initial=0.0) < -1e-6 or scores.max(initial=0.0) > 1 + 1e-6:
        raise ModelError(
            f"The adopted model answers {scores.min():.4g} to {scores.max():.4g}, which are no probabilities.",
            hint="Adopt a model that gives probabilities between 0 and 1.",
        )
    return scores


def two_sided(positive: np.ndarray, adopted: Adopted) -> np.ndarray:
    """Probabilities of both answers from those of the positive one."""
    if len(adopted.labels) != 2:
        raise ModelError(f"The adopted model gives one probability, but there are {len(adopted.labels)} answers.")
    return np.column_stack([1 - positive, positive])


def number_of(name: str) -> float | str:
    """A class's name as the number that it may be."""
    try:
        return float(name)
    except ValueError:
        return name


def numbers_of(answers: Any) -> np.ndarray:
    """Answers as float64."""
    try:
        numbers = np.asarray(answers, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"The adopted model answers what is neither a number nor a known class: {error}") from error
    if not np.isfinite(numbers).all():
        raise ModelError("The adopted model answers NaN or infinity for some rows.")
    return numbers
