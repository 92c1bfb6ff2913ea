"""A compiled model is opened, run, and refused when it is none."""

import subprocess
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper

from understudy.core.errors import ModelError
from understudy.models.session import open_session, run_session


def doubling():
    rows = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in ("X", "Y")]
    graph = helper.make_graph([helper.make_node("Add", ["X", "X"], ["Y"])], "doubling", rows[:1], rows[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()


@pytest.mark.parametrize("threads", [1, 2])
def test_a_session_runs_on_so_many_threads(threads):
    session = open_session(doubling(), threads=threads)
    assert session.get_session_options().intra_op_num_threads == threads
    assert run_session(session, np.ones((3, 2), dtype=np.float32)).tolist() == [[2.0, 2.0]] * 3


def test_bytes_that_are_no_model_are_refused():
    with pytest.raises(ModelError, match=r"ONNX Runtime .* cannot load the model"):
        open_session(b"not a model")


def test_serving_loads_no_library_that_trains():
    heavy = {"sklearn", "lightgbm", "skops", "optuna", "onnx"}
    code = f"import sys, understudy.models.session; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
