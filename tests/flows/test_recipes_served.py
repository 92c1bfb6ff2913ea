"""Every recipe goes the whole way: searched, refitted, calibrated, compiled, and equal on held-out and dirty rows."""

import numpy as np
import pytest

from conftest import claims
from models.quick import HERE
from understudy.flows.dataset import assemble
from understudy.flows.propose import propose_task
from understudy.flows.train import as_candidate, find_model
from understudy.models.compile import AGREEMENT
from understudy.models.recipes import RECIPES, Effort, kernels, neighbours
from understudy.models.search import Budget, Race

KINDS = {"pay": "classification", "paid_amount": "regression"}
SUITED = [(target, name) for target, kind in KINDS.items() for name in HERE if kind in RECIPES[name].kinds]


@pytest.fixture(scope="module")
def learnable(request):
    """The claims, of whose two answers one is learned."""
    other = next(name for name in KINDS if name != request.param)
    frame = claims(250)
    task, _ = propose_task(frame, name="claims", target=request.param, told={"drop": (other,)})
    return task, assemble(frame, task, seed=0)


def candidate_of(name, learnable):
    task, data = learnable
    parts = data.split(0)
    race = Race(Budget(trials=1), Effort(seed=0, threads=1), lambda: 0.0, recipes=(name,))
    return as_candidate(find_model(data, task, parts, race), data, parts)


@pytest.mark.parametrize(("learnable", "name"), SUITED, indirect=["learnable"])
def test_every_recipe_is_served_compiled(name, learnable):
    found = candidate_of(name, learnable)
    assert (found.recipe, found.served, found.reason) == (name, "onnx", "")
    assert found.compiled <= AGREEMENT
    assert np.isfinite(found.scorer.frame(learnable[1].frame)).all()


@pytest.mark.parametrize("learnable", KINDS, indirect=True)
@pytest.mark.parametrize(("name", "module"), [("neighbours", neighbours), ("svm", kernels)])
def test_what_keeps_too_many_rows_is_served_natively_and_says_why(name, module, learnable, monkeypatch):
    monkeypatch.setattr(module, "MOST_COMPILED_ROWS", 20)
    found = candidate_of(name, learnable)
    assert found.served == "native"
    assert "rows: compiled, a large batch would be compared with all of them" in found.reason
    assert np.isfinite(found.scorer.frame(learnable[1].frame)).all()
