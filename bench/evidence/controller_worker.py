"""What MAPIE's risk controller certifies; run by a Python that has MAPIE, with a file of arrays, by `controller`."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from mapie.risk_control import BinaryClassificationController  # type: ignore[import-not-found]


def as_probabilities(confidence: np.ndarray) -> np.ndarray:
    """Both columns of `predict_proba`."""
    return np.column_stack([1 - confidence, confidence])


def lowest_threshold(asked: dict[str, np.ndarray], method: str, confidence: np.ndarray, loss: np.ndarray) -> float:
    """The threshold that it would choose at a precision of 1 − r; NaN if there is none."""
    controller = BinaryClassificationController(
        predict_function=as_probabilities,
        risk="precision",
        target_level=float(1 - asked["max_error"]),
        confidence_level=float(1 - asked["delta"]),
        list_predict_params=asked["grid"],
        fwer_method=method,
    )
    chosen = controller.calibrate(confidence, 1 - loss).best_predict_param
    return np.nan if chosen is None else float(chosen)


def main(source: str, target: str) -> None:
    """Read confidences and losses, shape (runs, n), and looks; write thresholds, shape (methods, runs, looks)."""
    warnings.simplefilter("ignore")  # it warns at each look that certifies nothing
    asked = dict(np.load(source))
    found = [
        [
            [lowest_threshold(asked, str(method), confidence[:n], loss[:n]) for n in asked["looks"]]
            for confidence, loss in zip(asked["confidence"], asked["loss"], strict=True)
        ]
        for method in asked["methods"]
    ]
    np.save(target, np.array(found))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
