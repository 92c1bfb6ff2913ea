"""Run a compiled model; this module needs ONNX Runtime and numpy, and no training library."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from understudy.core.errors import ModelError


def open_session(model: bytes, *, threads: int = 1) -> ort.InferenceSession:
    """An ONNX Runtime session for a compiled model.

    Parameters
    ----------
    model : bytes
        A serialised ONNX model.
    threads : int
        Threads for one call; one is fastest for single rows.

    Raises
    ------
    ModelError
        The bytes are not a model that this ONNX Runtime can load.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises a dozen unrelated types
        raise ModelError(f"ONNX Runtime {ort.__version__} cannot load the model: {error}") from error


def run_session(session: ort.InferenceSession, X: np.ndarray) -> np.ndarray:
    """The calibrated scores for encoded rows.

    Parameters
    ----------
    session : ort.InferenceSession
        A session with one input `X`.
    X : ndarray of float32, shape (n, d)

    Returns
    -------
    ndarray
        Probabilities, float32 of shape (n, k), or numbers, float64 of shape (n, 1).
    """
    scores: np.ndarray = session.run(None, {"X": X})[0]
    return scores
