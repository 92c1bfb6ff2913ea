"""Fitted members come back from their files as they were, and nothing else comes in."""

import pickle
from collections import OrderedDict
from dataclasses import replace

import msgspec
import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.preprocessing import FunctionTransformer

from models.quick import BRIEF, MEMBERS, QUICK
from understudy.core.errors import ModelError
from understudy.models.blend import Blend
from understudy.models.calibrate import Head
from understudy.models.compile import compile_model
from understudy.models.recipes import RECIPES
from understudy.models.saved import (
    load_blend,
    load_fitted,
    load_member,
    load_skops,
    repeatable,
    save_blend,
    save_fitted,
)


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_a_saved_member_answers_as_before(name, k, make_rows, effort):
    rows = make_rows(k)
    fitted = RECIPES[name].fit(QUICK[name], rows, effort)
    files = save_fitted(fitted)
    assert {"member.json"} < set(files) <= {"member.json", "model.txt", "model.json", "model.skops"}
    assert (load_member(files).raw(rows.X) == fitted.raw(rows.X)).all()
    back = load_member(files)
    assert (back.recipe, back.columns.tolist(), back.kind) == (name, fitted.columns.tolist(), fitted.kind)


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_a_loaded_member_compiles_to_the_same_bytes(name, k, make_rows, effort):
    fitted = RECIPES[name].fit(BRIEF[name], make_rows(k), effort)
    assert compile_model(load_member(save_fitted(fitted)), Head(), 8) == compile_model(fitted, Head(), 8)


@pytest.mark.parametrize("k", [2, 0])
def test_a_saved_blend_answers_as_before(k, make_rows, effort):
    rows = make_rows(k)
    members = [RECIPES[name].fit(BRIEF[name], rows, effort) for name in ("lightgbm", "forest", "tree")]
    blend = Blend((*members, members[0]), np.array([0.5, 0.2, 0.2, 0.1]))
    files = save_blend(blend)
    assert {name.partition("/")[0] for name in files} == {"blend.json", "0", "1", "2", "3"}
    assert (load_fitted(files)(rows.X) == blend.raw(rows.X)).all()
    assert (load_blend(files).weights == blend.weights).all()


def test_boosting_that_stopped_early_keeps_only_the_rounds_that_count(make_rows, effort):
    rows, stop = make_rows(2), make_rows(2, seed=1)
    rows = replace(rows, X_stop=stop.X, y_stop=stop.y)
    fitted = RECIPES["lightgbm"].fit({**QUICK["lightgbm"], "n_estimators": 2000}, rows, effort)
    assert (load_member(save_fitted(fitted)).raw(stop.X) == fitted.raw(stop.X)).all()
    assert msgspec.json.decode(save_fitted(fitted)["member.json"])["rounds"] == fitted.rounds


@pytest.mark.parametrize(("name", "k"), MEMBERS)
def test_a_member_trained_twice_gives_the_same_bytes(name, k, make_rows, effort, monkeypatch):
    """Neither where it stood in memory, nor when it was written, nor on how many threads it was fitted, may show."""
    rows = make_rows(k)
    first = save_fitted(RECIPES[name].fit(BRIEF[name], rows, effort))
    kept = [np.empty(1000) for _ in range(100)]
    monkeypatch.setattr("time.time", lambda: 2e9)
    second = save_fitted(RECIPES[name].fit(BRIEF[name], rows, replace(effort, threads=2)))
    assert kept
    assert first == second


def test_objects_that_share_a_part_still_share_it_once_written_repeatably():
    part = np.arange(3.0)
    loaded = load_skops(repeatable(skops.io.dumps({"a": part, "b": [part, {"file": "x.npy", "__id__": 7}]})))
    assert loaded["a"].tolist() == [0.0, 1.0, 2.0]
    assert loaded["b"][0].tolist() == [0.0, 1.0, 2.0]
    assert loaded["b"][1] == {"file": "x.npy", "__id__": 7}


def test_a_type_that_is_not_trusted_is_refused_by_name():
    dumped = skops.io.dumps(FunctionTransformer(func=pickle.loads))
    with pytest.raises(ModelError, match=r"types that are not trusted: .*loads"):
        load_skops(dumped)


def test_a_pickle_is_never_opened():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("the pickle ran",))

    with pytest.raises(ModelError, match="not a skops file"):
        load_skops(pickle.dumps(Trap()))


def test_bytes_that_are_no_file_are_refused():
    with pytest.raises(ModelError, match=r"not a skops file[\s\S]*skops\.io\.dump"):
        load_skops(b"rubbish")


def test_plain_scikit_learn_models_and_ordered_dictionaries_are_trusted():
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    loaded = load_skops(skops.io.dumps(forest))
    assert (loaded.predict_proba(X) == forest.predict_proba(X)).all()
    assert load_skops(skops.io.dumps(OrderedDict(a=1))) == {"a": 1}
