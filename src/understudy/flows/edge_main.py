"""An exported version: answers cases with ONNX Runtime and numpy, as the service does.

This file travels with every export, as `model.py` of a small package, beside those that it imports::

    from PACKAGE import Model

    Model().predict({"column": "value"})
"""

from __future__ import annotations

import json
import pkgutil
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnxruntime as ort

from understudy.data.rows import RowEncoder, RowReader
from understudy.models.interval_rows import RowIntervals
from understudy.monitoring.strange_rows import RowStrangeness

INTERVAL_CONFIDENCE = 0.9


class ContractError(ValueError):
    """A case breaks the contract; `faults` lists every fault."""

    def __init__(self, faults: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{fault['where']}: expected {fault['expected']}" for fault in faults))
        self.faults = faults


class Model:
    """The exported version.

    Attributes
    ----------
    manifest : dict
        What it decides, from which data and by which settings it was made; see the version's page.
    """

    def __init__(self) -> None:
        self.manifest = part("manifest.json")
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = ort.InferenceSession(data("model.onnx"), options, providers=["CPUExecutionProvider"])
        self._reader = RowReader(part("contract.json"))
        self._encoder = RowEncoder(part("encoding.json"))
        self._strangeness = RowStrangeness(part("reference.json"))
        self._labels = self.manifest["labels"]
        tolerance = self.manifest["tolerance"]
        self._intervals = None if self._labels else RowIntervals(part("head.json"), INTERVAL_CONFIDENCE, tolerance)

    def predict(self, case: Mapping[str, Any]) -> dict[str, Any]:
        """What the version says of one case.

        Raises
        ------
        ContractError
            The case breaks the contract.
        """
        return self.predict_all([case])[0]

    def predict_all(self, cases: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What the version says of each case, in one call of the model.

        Raises
        ------
        ContractError
            A case breaks the contract; the first one that does is told.
        """
        rows = [self._read(case) for case in cases]
        if not rows:
            return []
        X = np.array([self._encoder.encode(values) for values in rows], dtype=np.float32)
        scored = self._session.run(None, {"X": X})[0].tolist()
        return [self._answer(scores, values) for scores, values in zip(scored, rows, strict=True)]

    def _read(self, case: Mapping[str, Any]) -> list[Any]:
        values, faults = self._reader.read(case)
        if faults:
            raise ContractError(faults)
        return values

    def _answer(self, scores: list[float], values: list[Any]) -> dict[str, Any]:
        strange = self._strangeness.score(values)
        if self._intervals is not None:
            lower, upper, confidence = self._intervals.around(scores[0])
            number = {"prediction": scores[0], "confidence": confidence, "strangeness": strange}
            return number | {"lower": lower, "upper": upper}
        best = max(range(len(scores)), key=scores.__getitem__)
        return {
            "prediction": self._labels[best],
            "confidence": scores[best],
            "strangeness": strange,
            "probabilities": dict(zip(self._labels, scores, strict=True)),
        }


def data(name: str) -> bytes:
    """A file of this package, from a folder or from a zip file."""
    found = pkgutil.get_data(__package__ or "", name)
    if found is None:
        raise FileNotFoundError(name)
    return found


def part(name: str) -> Any:
    """A JSON file of this package."""
    return json.loads(data(name))


def main() -> None:
    """Answer each line of standard input, a JSON object, with one."""
    model = Model()
    for line in sys.stdin:
        if not line.strip():
            continue
        try:
            answer = model.predict(json.loads(line))
        except ContractError as error:
            answer = {"faults": error.faults}
        except json.JSONDecodeError as error:
            answer = {"faults": [{"where": "the line", "found": str(error), "expected": "a JSON object"}]}
        sys.stdout.write(json.dumps(answer) + "\n")
