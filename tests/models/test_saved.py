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

from understudy.core.errors import ModelError
from understudy.models.recipes import RECIPES
from understudy.models.saved import load_fitted, load_skops, save_fitted

PARAMS = {
    "logistic": {"C": 1.0},
    "ridge": {"alpha": 1.0},
    "forest": {"n_estimators": 10, "min_samples_leaf": 5, "max_features": 0.5},
    "lightgbm": {**RECIPES["lightgbm"].portfolio[0], "n_estimators": 300},
}


@pytest.mark.parametrize(
    ("name", "k"),
    [
        ("logistic", 2),
        ("logistic", 3),
        ("ridge", 0),
        ("forest", 3),
        ("forest", 0),
        ("lightgbm", 2),
        ("lightgbm", 3),
        ("lightgbm", 0),
    ],
)
def test_a_saved_member_answers_as_before(name, k, make_rows, effort):
    rows = make_rows(k)
    fitted = RECIPES[name].fit(PARAMS[name], rows, effort)
    files = save_fitted(fitted)
    assert set(files) == {"member.json", "model.txt" if name == "lightgbm" else "model.skops"}
    assert (load_fitted(files)(rows.X) == fitted.raw(rows.X)).all()


def test_boosting_that_stopped_early_keeps_only_the_rounds_that_count(make_rows, effort):
    rows, stop = make_rows(2), make_rows(2, seed=1)
    rows = replace(rows, X_stop=stop.X, y_stop=stop.y)
    fitted = RECIPES["lightgbm"].fit({**PARAMS["lightgbm"], "n_estimators": 2000}, rows, effort)
    assert (load_fitted(save_fitted(fitted))(stop.X) == fitted.raw(stop.X)).all()
    assert msgspec.json.decode(save_fitted(fitted)["member.json"])["rounds"] == fitted.rounds


def test_the_same_member_gives_the_same_files(make_rows, effort):
    for name, k in (("logistic", 2), ("forest", 2), ("lightgbm", 2)):
        files = [save_fitted(RECIPES[name].fit(PARAMS[name], make_rows(k), effort)) for _ in range(2)]
        assert files[0]["member.json"] == files[1]["member.json"]
        assert files[0].get("model.txt") == files[1].get("model.txt")


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
