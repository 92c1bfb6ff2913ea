"""A version's recipes are fitted again within the time that there is, and what was not done is said."""

import itertools
from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

import understudy
from conftest import claims
from understudy.core.errors import ModelError
from understudy.evaluation.diagnosis import Diagnosis
from understudy.evaluation.diagnosis_actions import diagnosis_actions
from understudy.flows import diagnose as module
from understudy.flows.dataset import assemble
from understudy.flows.diagnose import diagnose, make_bench, sizes_of
from understudy.flows.refit import fit_member, members_of, staged
from understudy.flows.version import Manifest
from understudy.flows.workspace import open_workspace
from understudy.models.recipes import RECIPES

LIGHT = {**RECIPES["lightgbm"].portfolio[0], "n_estimators": 30, "learning_rate": 0.2, "rounds": 20}
LINE = {"C": 1.0, "steps": "curves"}


class Ticking:
    """A clock on which every look takes a moment, so that the same is done on every machine."""

    def __init__(self, step: float = 0.0) -> None:
        self.step, self.at = step, 0.0

    def now(self) -> int:
        return 0

    def elapsed(self) -> float:
        self.at += self.step
        return self.at


def manifest(recipe: str, params: dict, *, kind: str = "classification") -> Manifest:
    return Manifest(
        task="t", kind=kind, recipe=recipe, params=params, labels=(), tolerance=None, served="native", reason="",
        snapshot="", seed=0, libraries={}, files={},
    )  # fmt: skip


BLEND = manifest(
    "blend",
    {
        "members": [
            {"recipe": "logistic", "weight": 0.6, "params": LINE},
            {"recipe": "lightgbm", "weight": 0.4, "params": LIGHT},
        ]
    },
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The claims as a task and clean rows, without a search."""
    root = tmp_path_factory.mktemp("work")
    frame = claims(1000)
    frame.write_csv(root / "claims.csv")
    understudy.init(root / "claims.csv", target="pay", workspace=root, drop=("paid_amount",))
    task = open_workspace(root).read_task("claims")
    data = assemble(frame, task, seed=0)
    return task, data, data.split(0)


@pytest.fixture(scope="module")
def found(learned):
    task, data, parts = learned
    return diagnose(BLEND, task, data, parts, clock=Ticking(), seconds=60, seed=0)


def test_everything_is_looked_at_where_there_is_time(found):
    assert [one.metric for one in found.learning] == ["error", "roc_auc"]
    assert (found.trained, found.judged) == (549, 151)
    assert found.generalization[0].recipe == "LightGBM"
    assert [one.parameter for one in found.validation] == ["C", "num_leaves", "min_data_in_leaf"]
    pieces = {drop.piece for drop in found.ablation.drops}
    assert pieces >= {"member", "step", "column"}
    assert found.left_out == ()
    assert found.figures.baseline_name == "always answering 'yes'"


def test_the_same_seed_gives_the_same_diagnosis(learned, found):
    task, data, parts = learned
    again = diagnose(BLEND, task, data, parts, clock=Ticking(), seconds=60, seed=0)
    assert msgspec.structs.replace(again, seconds=0) == msgspec.structs.replace(found, seconds=0)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Diagnosis) == found


def test_its_error_is_that_of_the_recipes_fitted_by_hand(learned, found):
    task, data, parts = learned
    bench = make_bench(BLEND, task, data, parts, seed=0, most=(10**6, 10**6))
    part, X, _ = bench.encoded(bench.pool, ())
    blend = 0
    for name, params, weight in (("logistic", LINE, 0.6), ("lightgbm", LIGHT, 0.4)):
        settings = {key: value for key, value in params.items() if key != "rounds"}
        blend = blend + weight * RECIPES[name].fit(settings, part, bench.effort).raw(X)
    wrong = np.mean(blend.argmax(axis=1) != data.answers.y[parts.test])
    assert found.figures.held.estimate == pytest.approx(wrong)
    assert found.learning[0].points[-1].value == pytest.approx(wrong)


def test_what_the_answer_follows_is_told_from_what_it_does_not(found):
    drops = {drop.name: drop for drop in found.ablation.drops}
    assert found.ablation.drops[0].name == "amount"
    assert drops["amount"].metric.estimate > 0.05
    assert drops["age"].metric.lower < 0 < drops["age"].metric.upper


def test_a_part_left_out_is_judged_on_the_model_fitted_without_it(learned, found):
    task, data, parts = learned
    bench = make_bench(BLEND, task, data, parts, seed=0, most=(10**6, 10**6))
    bench = replace(bench, data=replace(data, frame=data.frame))
    members = members_of(BLEND)
    whole, without = bench.fit(members, bench.pool), bench.fit(members, bench.pool, without=("report",))
    assert "report" not in without.columns
    y = data.answers.y[parts.test]
    change = np.mean(without.scores.argmax(axis=1) != y) - np.mean(whole.scores.argmax(axis=1) != y)
    drop = next(one for one in found.ablation.drops if one.name == "report")
    assert drop.harm.estimate == pytest.approx(change)
    assert whole.without_member(0) == pytest.approx(whole.said[1])


def test_staged_scores_end_where_the_model_does(learned):
    """For LightGBM's own trees and for those that are kept as arrays, and for numbers, too."""
    task, data, parts = learned
    bench = make_bench(BLEND, task, data, parts, seed=0, most=(400, 300))
    part, X, _ = bench.encoded(bench.pool, ())
    part = replace(part, X_stop=None, y_stop=None)
    boosted = {"n_estimators": 30, "learning_rate": 0.1, "leaves": 8, "min_samples_leaf": 20, "l2": 1.0}
    for recipe, params in (
        ("lightgbm", {**LIGHT, "n_estimators": 30}),
        ("histogram", {**boosted, "max_features": 0.7}),
    ):
        for rows in (part, replace(part, kind="regression", n_classes=0, y=part.y * 3.0 + 100)):
            member = members_of(manifest(recipe, {k: v for k, v in params.items() if k != "rounds"}))[0]
            fitted = fit_member(member, rows, bench.effort)
            stages = list(staged(fitted, X, [1, 7, 30]))
            assert stages[-1] == pytest.approx(fitted.raw(X), abs=1e-5)
            assert not np.allclose(stages[0], stages[1])


def test_with_no_time_nothing_is_done(learned):
    task, data, parts = learned
    none = diagnose(BLEND, task, data, parts, clock=Ticking(), seconds=0)
    assert (none.verdict, none.learning, none.figures) == ("too little data to tell", (), None)
    assert "No time" in none.sentence
    assert diagnosis_actions(none) == ()


def test_an_adopted_model_is_left_alone_with_the_reason(learned):
    task, data, parts = learned
    none = diagnose(manifest("adopted-onnx", {}), task, data, parts, clock=Ticking())
    assert "made elsewhere" in none.sentence
    with pytest.raises(ModelError, match="adopted-onnx"):
        members_of(manifest("adopted-onnx", {}))


@pytest.mark.parametrize("seconds", [0.3, 1.0, 4.0, 12.0])
def test_it_ends_in_time_and_says_what_did_not_fit(learned, monkeypatch, seconds):
    """On a clock by which fits take as long as they have rows and columns: 549 rows take a third of a second."""
    task, data, parts = learned
    clock, real = Ticking(), module.Bench.encoded
    turned = module.Bench.changed

    def encoded(self, rows, without):
        clock.at += 0.0006 * len(rows)
        return real(self, rows, without)

    def changed(self, base, place, changes):
        clock.at += 0.0006 * len(base.rows.y)
        return turned(self, base, place, changes)

    monkeypatch.setattr(module.Bench, "encoded", encoded)
    monkeypatch.setattr(module.Bench, "changed", changed)
    found = diagnose(manifest("logistic", LINE), task, data, parts, clock=clock, seconds=seconds)
    assert found.seconds <= 1.1 * seconds
    assert bool(found.left_out) == (seconds < 12)
    assert all("no time" in one for one in found.left_out)
    assert found.trained == (549 if seconds == 12 else found.trained)
    assert found.ablation is None or found.ablation.rows <= found.trained


def test_what_is_under_way_is_told(learned):
    task, data, parts = learned
    told = []
    diagnose(manifest("logistic", LINE), task, data, parts, clock=Ticking(), seconds=9, tell=told.append)
    assert told[0].startswith("learning curve: 12 fits")
    assert any("LightGBM for comparison" in one for one in told)


def test_many_rows_are_thinned(learned):
    task, data, parts = learned
    found = diagnose(
        manifest("logistic", LINE), task, data, parts, clock=Ticking(), seconds=9, most_trained=300, most_judged=100
    )
    assert (found.trained, found.judged) == (300, 100)
    assert found.learning[0].rows == len(parts.train) + len(parts.validation)


def test_too_few_rows_are_not_diagnosed(learned):
    task, data, parts = learned
    few = replace(parts, test=parts.test[:10])
    assert "too few" in diagnose(BLEND, task, data, few, clock=Ticking()).sentence


def test_numbers_are_diagnosed_too(tmp_path):
    rng = np.random.default_rng(0)
    x, z = rng.normal(size=(2, 900))
    frame = pl.DataFrame({"x": x, "z": z, "y": 3 * np.abs(x) + z**2 + rng.normal(0, 0.1, 900)})
    frame.write_csv(tmp_path / "t.csv")
    understudy.init(tmp_path / "t.csv", target="y", workspace=tmp_path)
    task = open_workspace(tmp_path).read_task("t")
    data = assemble(frame, task, seed=0)
    linear = manifest("ridge", {"alpha": 1.0, "steps": "plain"}, kind="regression")
    found = diagnose(linear, task, data, data.split(0), clock=Ticking(), seconds=30)
    assert found.verdict == "high bias"
    assert found.rivals[0].recipe == "lightgbm"
    assert "use a larger model" in {one.kind for one in diagnosis_actions(found)}
    y, parts = data.answers.y[data.split(0).test], data.split(0)
    seen = np.concatenate([parts.train, parts.validation])
    assert found.figures.baseline.estimate == pytest.approx(
        np.mean(np.abs(y - data.answers.y[seen].mean()) > task.decision.tolerance)
    )


def test_sizes_rise_and_end_with_all_rows():
    for n in (30, 31, 70, 500, 20_000):
        sizes = sizes_of(n)
        assert sizes[-1] == n
        assert all(a < b for a, b in itertools.pairwise(sizes))
