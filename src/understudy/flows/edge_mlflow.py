"""How MLflow calls an exported version; this file travels with exports for MLflow, as `mlflow.py` of their package.

MLflow hands over a pandas data frame and gets one back. Neither is imported here: whoever calls has them.
"""

from __future__ import annotations

from typing import Any

from understudy.flows.edge_main import Model


class Pyfunc:
    """An MLflow Python function over the exported version."""

    def __init__(self) -> None:
        self._model = Model()

    def predict(self, frame: Any, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002  MLflow's own shape
        """A row for each row: prediction, confidence, strangeness, and a probability for each answer or an interval.

        Raises
        ------
        ContractError
            A row breaks the contract; it is named.
        """
        cases = frame.astype(object).where(frame.notna(), None).to_dict("records")
        return type(frame)([flat(answer) for answer in self._model.predict_all(cases)], index=frame.index)


def flat(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer as columns.

    >>> flat({"prediction": "yes", "probabilities": {"no": 0.25, "yes": 0.75}})
    {'prediction': 'yes', 'probability_no': 0.25, 'probability_yes': 0.75}
    """
    plain = {name: value for name, value in answer.items() if name != "probabilities"}
    return plain | {f"probability_{label}": value for label, value in answer.get("probabilities", {}).items()}


def _load_pyfunc(path: str) -> Pyfunc:  # noqa: ARG001  MLflow's own name and shape
    """Where MLflow begins."""
    return Pyfunc()
