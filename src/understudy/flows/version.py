"""A registered version, loaded: it reads a case, says what it would answer, and how strange the case is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import msgspec
import numpy as np
import polars as pl

import understudy
from understudy.core.canonical import canonical, digest
from understudy.core.errors import ContractError, Fault, ModelError
from understudy.core.nouns import Kind
from understudy.data.contract import Contract
from understudy.data.prepare import Encoding, encode
from understudy.data.reading import canonical_schema, check_frame
from understudy.data.rows import RowEncoder, RowReader
from understudy.flows.adopted import Adopted, FrameScorer, open_adopted
from understudy.flows.workspace import Workspace
from understudy.models.calibrate import Head, apply_head, intervals, within
from understudy.models.interval_rows import RowIntervals
from understudy.models.session import open_session, run_session
from understudy.monitoring.strange_rows import RowStrangeness
from understudy.monitoring.strangeness import Strangeness, strangeness
from understudy.store.registry import find_version
from understudy.store.tasks import task_number

Served = Literal["onnx", "native"]
INTERVAL_CONFIDENCE = 0.9
BLEND = "blend"
"""The recipe of a version whose answers several members share."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a version is made of; its digest is the version's name.

    Attributes
    ----------
    task, kind, recipe : str
        What it decides, and how it was built.
    params : dict
        The recipe's settings; of a blend `members`, each with its recipe, weight and params, the heaviest first.
    labels : tuple of str
        The answers in the order of the scores; empty for numbers.
    tolerance : float, optional
        For numbers, how far an answer may be off.
    served : {"onnx", "native"}
        Whether it answers through ONNX Runtime or through the library that trained it.
    reason : str
        Why it is served natively.
    snapshot : str
        The digest of the data.
    seed : int
        The seed of everything random.
    libraries : dict of str
        The versions of the libraries that took part.
    files : dict of str
        The SHA-256 of each file by name.
    learning : dict of str
        From rows in time, where boosting stopped (`stopping`) and how much old rows counted (`memory`).
    """

    task: str
    kind: Kind
    recipe: str
    params: dict[str, Any]
    labels: tuple[str, ...]
    tolerance: float | None
    served: Served
    reason: str
    snapshot: str
    seed: int
    libraries: dict[str, str]
    files: dict[str, str]
    learning: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """The version's name: the SHA-256 of this manifest in canonical form."""
        return digest(canonical(self))

    @property
    def settings(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """The recipe and the settings of each member, the heaviest first, to be tried again on other rows."""
        alone = [{"recipe": self.recipe, "params": self.params}]
        members: list[dict[str, Any]] = self.params["members"] if self.recipe == BLEND else alone
        return tuple(
            (member["recipe"], {key: value for key, value in member["params"].items() if key != "rounds"})
            for member in members
        )


class SelfCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Encoded rows and the scores that a loaded version must give for them."""

    X: list[list[float]]
    scores: list[list[float]]


class Prediction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a version says of one case.

    Attributes
    ----------
    prediction : str or float
        The most probable answer, or the estimated number.
    confidence : float
        The calibrated probability that it is right (for numbers: within the task's tolerance), in [0, 1].
    strangeness : float
        How unlike the training data the case is: 0 ordinary, 1 alien.
    probabilities : dict of float, optional
        The probability of each answer.
    lower, upper : float, optional
        For numbers, an interval that holds the truth nine times in ten.
    """

    prediction: str | float
    confidence: float
    strangeness: float
    probabilities: dict[str, float] | None = None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Predictions:
    """What a version says of n cases, as columns; see `Prediction`.

    Attributes
    ----------
    scores : ndarray of shape (n, k) or (n, 1)
        Probabilities by class, or numbers.
    confidence, strangeness : ndarray of shape (n,)
    lower, upper : ndarray of shape (n,), optional
    """

    scores: np.ndarray
    confidence: np.ndarray
    strangeness: np.ndarray
    lower: np.ndarray | None
    upper: np.ndarray | None


class Scorer(Protocol):
    """Turns canonical inputs into calibrated scores."""

    def frame(self, frame: pl.DataFrame) -> np.ndarray:
        """Scores of shape (n, k) for a frame in canonical types."""

    def rows(self, rows: Sequence[Sequence[object]]) -> np.ndarray:
        """Scores of shape (n, k) for rows of canonical values, as live cases come."""


@dataclass(frozen=True)
class MatrixScorer:
    """Scores through the one encoding, and a function from its matrix to scores."""

    encoding: Encoding
    run: Callable[[np.ndarray], np.ndarray]

    @cached_property
    def row_encoder(self) -> RowEncoder:
        """The encoding's row path."""
        return RowEncoder(msgspec.to_builtins(self.encoding))

    def frame(self, frame: pl.DataFrame) -> np.ndarray:
        """Scores of shape (n, k) for a frame in canonical types."""
        return self.run(encode(self.encoding, frame))

    def rows(self, rows: Sequence[Sequence[object]]) -> np.ndarray:
        """Scores of shape (n, k) for rows of canonical values, as live cases come."""
        encode_row = self.row_encoder.encode
        return self.run(np.array([encode_row(values) for values in rows], dtype=np.float32))


@dataclass(frozen=True)
class Version:
    """A model version, ready to answer.

    >>> import understudy  # doctest: +SKIP
    >>> version = understudy.load("flights")  # doctest: +SKIP
    >>> version.predict_row({"carrier": "UA", "distance": 1400}).prediction  # doctest: +SKIP
    'false'
    """

    digest: str
    manifest: Manifest
    contract: Contract
    head: Head
    reference: Strangeness
    scorer: Scorer

    @cached_property
    def _reader(self) -> RowReader:
        return RowReader(msgspec.to_builtins(self.contract))

    @cached_property
    def _intervals(self) -> RowIntervals:
        return RowIntervals(msgspec.to_builtins(self.head), INTERVAL_CONFIDENCE, self._tolerance)

    @cached_property
    def row_strangeness(self) -> RowStrangeness:
        """The row path of its strangeness."""
        return RowStrangeness(msgspec.to_builtins(self.reference))

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the columns that it takes."""
        return tuple(column.name for column in self.contract.used)

    def predict(self, rows: pl.DataFrame) -> Predictions:
        """What it says of each row.

        Parameters
        ----------
        rows : pl.DataFrame
            Inputs as they come: the contract's columns, as text or typed; other columns are ignored.

        Raises
        ------
        ContractError
            Rows break the contract; every fault is listed.
        """
        return self.predict_clean(check_frame(self.contract, rows))

    def predict_clean(self, frame: pl.DataFrame) -> Predictions:
        """What it says of each row of a frame that is already in canonical types."""
        scores = self.scorer.frame(frame)
        strange = strangeness(self.reference, frame)
        if self.manifest.labels:
            return Predictions(scores, scores.max(axis=1), strange, None, None)
        values = scores[:, 0]
        lower, upper = intervals(self.head, values, INTERVAL_CONFIDENCE)
        return Predictions(scores, within(self.head, values, self._tolerance), strange, lower, upper)

    def predict_row(self, row: Mapping[str, object]) -> Prediction:
        """What it says of one case, given as a mapping from column to value.

        Raises
        ------
        ContractError
            The row breaks the contract; every fault is listed.
        """
        values, faults = self.read(row)
        if faults:
            raise ContractError("The case breaks the contract.", faults)
        return self.predict_values([values])[0]

    def read(self, row: Mapping[str, object]) -> tuple[list[Any], tuple[Fault, ...]]:
        """A case's values in canonical form, in the order of `inputs`, and every fault."""
        values, faults = self._reader.read(row)
        return values, tuple(Fault(**fault) for fault in faults)

    def predict_values(self, rows: Sequence[Sequence[object]]) -> list[Prediction]:
        """What it says of cases whose values have been read, in one call of the model."""
        scored: list[list[float]] = self.scorer.rows(rows).tolist()
        strange = [self.row_strangeness.score(values) for values in rows]
        if self.manifest.labels:
            return [self._choice(scores, odd) for scores, odd in zip(scored, strange, strict=True)]
        return [self._number(scores[0], odd) for scores, odd in zip(scored, strange, strict=True)]

    def _number(self, value: float, strange: float) -> Prediction:
        lower, upper, confidence = self._intervals.around(value)
        return Prediction(prediction=value, confidence=confidence, strangeness=strange, lower=lower, upper=upper)

    def _choice(self, scores: Sequence[float], strange: float) -> Prediction:
        labels = self.manifest.labels
        best = max(range(len(labels)), key=scores.__getitem__)
        return Prediction(
            prediction=labels[best],
            confidence=scores[best],
            strangeness=strange,
            probabilities=dict(zip(labels, scores, strict=True)),
        )

    @property
    def _tolerance(self) -> float:
        if self.manifest.tolerance is None:
            raise ModelError(f"Version {self.digest[:12]} has no tolerance.")
        return self.manifest.tolerance

    def as_columns(self, predictions: Predictions) -> pl.DataFrame:
        """Predictions as a table.

        Its columns are `prediction`, `confidence`, `probability_LABEL` (or `lower` and `upper`) and `strangeness`.
        """
        labels = self.manifest.labels
        columns: dict[str, Any] = {"prediction": predictions.scores[:, 0], "confidence": predictions.confidence}
        if labels:
            columns["prediction"] = np.array(labels, dtype=object)[predictions.scores.argmax(axis=1)].tolist()
            columns |= {f"probability_{label}": predictions.scores[:, index] for index, label in enumerate(labels)}
        else:
            columns |= {"lower": predictions.lower, "upper": predictions.upper}
        return pl.DataFrame(columns | {"strangeness": predictions.strangeness})


def load_version(work: Workspace, task: str, version: str = "latest") -> Version:
    """Load a version of a task: by its digest, the beginning of it, `latest` or `champion`.

    Every file's hash is checked before it is opened, and the version must repeat its stored scores.

    Raises
    ------
    NotFoundError
        There is no such version.
    StoreError
        A file is missing or damaged.
    ModelError
        It does not repeat its stored scores.
    """
    with work.store.reading() as connection:
        record = find_version(connection, task_number(connection, task), version)
    manifest = msgspec.json.decode(work.artifacts.get(record.version), type=Manifest)
    files = {name: work.artifacts.get(body) for name, body in manifest.files.items()}
    head = msgspec.json.decode(files["head.json"], type=Head)
    contract = msgspec.json.decode(files["contract.json"], type=Contract)
    return Version(
        digest=record.version,
        manifest=manifest,
        contract=contract,
        head=head,
        reference=msgspec.json.decode(files["reference.json"], type=Strangeness),
        scorer=open_scorer(manifest, contract, files, head),
    )


def open_scorer(manifest: Manifest, contract: Contract, files: Mapping[str, bytes], head: Head) -> Scorer:
    """The scorer that a version's files describe, checked against its stored scores."""
    if "adopted.json" in files:
        adopted = msgspec.json.decode(files["adopted.json"], type=Adopted)
        return FrameScorer(open_adopted(adopted, files), head, canonical_schema(contract))
    encoding = msgspec.json.decode(files["encoding.json"], type=Encoding)
    scorer = MatrixScorer(encoding, matrix_function(manifest, files, head))
    check = msgspec.json.decode(files["selfcheck.json"], type=SelfCheck)
    expected = np.array(check.scores)
    got = scorer.run(np.array(check.X, dtype=np.float32))
    scale = 1.0 if manifest.labels else max(1.0, float(np.abs(expected).max()))
    if not np.allclose(got, expected, rtol=0, atol=1e-4 * scale):
        raise ModelError(
            f"Version {manifest.digest[:12]} does not repeat its own scores on this machine "
            f"(largest difference {np.abs(got - expected).max():.3g}).",
            hint="Train it again here, or use the library versions that its manifest names.",
        )
    return scorer


def matrix_function(manifest: Manifest, files: Mapping[str, bytes], head: Head) -> Callable[[np.ndarray], np.ndarray]:
    """From the encoded matrix to calibrated scores, through ONNX Runtime or the library that trained it."""
    if manifest.served == "onnx":
        session = open_session(files["model.onnx"])
        return lambda X: run_session(session, X)
    members = {name.removeprefix("members/"): data for name, data in files.items() if name.startswith("members/")}
    raw = understudy.load_fitted(members)
    return lambda X: apply_head(head, raw(X))
