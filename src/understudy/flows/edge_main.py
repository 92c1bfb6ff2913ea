"""An exported version: answers cases with ONNX Runtime and numpy, as the service does.

`python EXPORT.zip < cases.jsonl` writes an answer for each line. In a program::

    sys.path.insert(0, "EXPORT.zip")
    from __main__ import Model  # or: runpy.run_path("EXPORT.zip")["Model"]
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from intervals import RowIntervals
from rows import RowEncoder, RowReader
from strange_rows import RowStrangeness

INTERVAL_CONFIDENCE = 0.9


class ContractError(ValueError):
    """A case breaks the contract; `faults` lists every fault."""

    def __init__(self, faults: list[dict[str, str]]) -> None:
        super().__init__("; ".join(f"{fault['where']}: expected {fault['expected']}" for fault in faults))
        self.faults = faults


class Model:
    """The exported version.

    Parameters
    ----------
    path : str or Path
        The export.
    """

    def __init__(self, path: str | Path) -> None:
        with zipfile.ZipFile(path) as archive:
            model = archive.read("model.onnx")
            read = {
                name: json.loads(archive.read(f"{name}.json"))
                for name in ("manifest", "contract", "encoding", "head", "reference")
            }
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._reader = RowReader(read["contract"])
        self._encoder = RowEncoder(read["encoding"])
        self._strangeness = RowStrangeness(read["reference"])
        self._labels = read["manifest"]["labels"]
        tolerance = read["manifest"]["tolerance"]
        self._intervals = None if self._labels else RowIntervals(read["head"], INTERVAL_CONFIDENCE, tolerance)

    def predict(self, case: dict[str, Any]) -> dict[str, Any]:
        """What the version says of one case.

        Raises
        ------
        ContractError
            The case breaks the contract.
        """
        values, faults = self._reader.read(case)
        if faults:
            raise ContractError(faults)
        X = np.array([self._encoder.encode(values)], dtype=np.float32)
        scores = self._session.run(None, {"X": X})[0][0].tolist()
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


def main() -> None:
    """Answer each line of standard input."""
    model = Model(sys.argv[0])
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


if __name__ == "__main__":
    main()
