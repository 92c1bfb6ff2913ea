"""A blend goes the whole way: calibrated out of fold, compiled, registered, loaded, exported and told."""

import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import understudy
from conftest import claims
from understudy.data.prepare import encode
from understudy.data.reading import check_frame
from understudy.flows import train
from understudy.flows.describe import describe
from understudy.flows.export import export
from understudy.flows.models import list_models, read_report
from understudy.flows.workspace import open_workspace
from understudy.models.calibrate import apply_head
from understudy.models.recipes import RECIPES
from understudy.store.registry import find_version
from understudy.store.tasks import task_number

SHARES = {"logistic": 0.75, "lightgbm": 0.25}


@pytest.fixture(scope="module", params=["pay", "paid_amount"])
def blended(request, tmp_path_factory):
    """A version that a linear model and LightGBM share, whatever the search would have made of them."""
    work = tmp_path_factory.mktemp("work")
    claims().write_csv(work / "claims.csv")
    shares = SHARES if request.param == "pay" else {"ridge": 0.75, "lightgbm": 0.25}
    real = train.search

    def search(folds, n, race):
        found = real(folds, n, race)
        return replace(found, weights={t.number: shares[t.recipe] for t in found.trials if t.number in found.stack})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "search", search)
        result = understudy.run(
            work / "claims.csv",
            target=request.param,
            drop=tuple({"pay", "paid_amount"} - {request.param}),
            workspace=work,
            budget=understudy.Budget(trials=2),
            recipes=tuple(shares),
        )
    return work, result, shares


def test_it_is_registered_as_a_blend_and_served_compiled(blended):
    work, result, shares = blended
    linear = next(iter(shares))
    assert (result.model.recipe, result.model.compiled) == ("blend", True)
    assert result.model.title == f"Blend of {RECIPES[linear].title} 0.75, LightGBM 0.25"
    assert list_models("claims", workspace=work).versions[0].recipe == "blend"
    assert {trial["recipe"]: trial["weight"] for trial in result.leaderboard} == shares


def test_its_manifest_names_the_members_and_a_retraining_begins_with_them(blended):
    work, _, shares = blended
    manifest = understudy.load("claims", workspace=work).manifest
    members = manifest.params["members"]
    assert [(member["recipe"], member["weight"]) for member in members] == [*shares.items()]
    assert [recipe for recipe, _ in manifest.settings] == [*shares]
    assert all("rounds" not in params for _, params in manifest.settings)
    assert members[1]["params"]["rounds"] > 0


def test_its_out_of_fold_predictions_are_those_of_the_blend(blended):
    """They are far better than chance, and calibrate it: a single member's would be others."""
    work, result, _ = blended
    space = open_workspace(work)
    with space.store.reading() as connection:
        record = find_version(connection, task_number(connection, "claims"), "latest")
    oof = pl.read_parquet(io.BytesIO(space.artifacts.get(record.beside["oof.parquet"]))).drop_nans()
    said = oof[oof.columns[-1]].to_numpy()
    assert np.corrcoef(said, oof["truth"].to_numpy())[0, 1] > 0.3
    board = {trial["recipe"]: trial["score"] for trial in result.leaderboard}
    losses = -np.log(np.where(oof["truth"] == 1, said, 1 - said)) if result.kind == "classification" else None
    if losses is not None:
        assert all(abs(losses.mean() - score) > 1e-6 for score in board.values())


def test_its_report_shows_the_shares(blended):
    work, result, shares = blended
    page = (work / "reports").glob("claims-*.html").__next__().read_text()
    assert "75.0 %" in page
    assert read_report("claims", workspace=work).recipe == result.model.title
    assert all(recipe in page for recipe in shares)


def test_the_linear_member_is_told_with_its_share(blended):
    work, _, shares = blended
    text = describe("claims", workspace=work).text
    assert text.startswith(f"75% {RECIPES[next(iter(shares))].title}:\n")
    assert text.endswith("25% LightGBM: too large to be read.")


def test_served_natively_it_answers_the_same(blended):
    work, _, _ = blended
    version = understudy.load("claims", workspace=work)
    frame = check_frame(version.contract, pl.read_csv(work / "claims.csv", infer_schema=False))
    store = open_workspace(work).artifacts
    members = {name: body for name, body in version.manifest.files.items() if name.startswith("members/")}
    raw = understudy.load_fitted({name.removeprefix("members/"): store.get(body) for name, body in members.items()})
    native = apply_head(version.head, raw(encode(version.scorer.encoding, frame)))
    np.testing.assert_allclose(version.predict_clean(frame).scores, native, rtol=1e-5, atol=1e-5)


def test_its_export_answers_as_it_does(blended, tmp_path):
    work, result, _ = blended
    place = export("claims", tmp_path / "edge.zip", workspace=work)
    row = pl.read_csv(work / "claims.csv", infer_schema=False).row(0, named=True)
    done = subprocess.run(
        [sys.executable, str(place)], input=json.dumps(row), capture_output=True, text=True, check=True
    )
    expected = understudy.load("claims", workspace=work).predict_row(row).prediction
    said = json.loads(done.stdout)["prediction"]
    assert said == (pytest.approx(expected) if result.kind == "regression" else expected)
