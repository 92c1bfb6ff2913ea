"""Each recipe is judged by named criteria: what was measured, what the data is like, and what is asked for."""

import pytest

from models.test_probes import FACTS, probe
from understudy.models.advice import Wishes, judge, training_seconds
from understudy.models.probes import Facts, Probe
from understudy.models.recipes import RECIPES

CURVED = (
    probe("boosting", 0.3, family="boosting"),
    probe("forest", 0.29, behind=0.01, family="forests"),
    probe("linear", 0.15, behind=0.15, family="linear"),
    probe("rules", 0.25, behind=0.05, family="rules"),
    probe("tree", 0.2, behind=0.10, family="tree"),
    probe("bayes", 0.28, behind=0.02, family="bayes"),
    probe("neighbours", 0.2, behind=0.1, family="neighbours"),
    Probe(name="svm", title="Support vector machine", family="kernels", error="there are 70 classes"),
    probe("network", 0.28, behind=0.02, family="network"),
)


def verdicts(facts=FACTS, probes=CURVED, wishes=Wishes(), installed=("xgboost",)):  # noqa: B008
    return {one.recipe: one for one in judge(facts, probes, wishes, installed)}


def said(verdict):
    return {reason.criterion: (reason.bearing, reason.text) for reason in verdict.reasons}


def test_every_recipe_of_the_kind_is_judged_and_the_best_come_first():
    found = judge(FACTS, CURVED, Wishes(), ())
    assert {one.recipe for one in found} == {name for name, one in RECIPES.items() if "classification" in one.kinds}
    assert [one.fit for one in found] == sorted(
        (one.fit for one in found), key=["good", "possible", "poor", "barred"].index
    )
    assert found[0].family == "boosting"


def test_curves_speak_against_straight_lines():
    found = verdicts()
    assert said(found["lasso"])["linearity"][0] == "against"
    assert found["lasso"].fit == "poor"
    assert "linearity" not in said(found["logistic"])  # it bends
    assert "linearity" not in said(found["forest"])


def test_where_straight_lines_do_as_well_that_speaks_for_them():
    probes = (probe("boosting", 0.3, width=0.002), probe("linear", 0.295, behind=0.005, width=0.002))
    found = verdicts(probes=probes)
    assert said(found["lasso"])["linearity"] == ("for", "straight lines and sums do nearly as well as anything tried")
    assert found["lasso"].fit == "good"


def test_the_metric_names_who_was_tried():
    found = verdicts()
    assert said(found["lightgbm"])["metric"] == ("for", "0.8 [0.78, 0.82] (Boosting tried), the best tried")
    assert said(found["extra_trees"])["metric"][1].endswith("(Forest tried), not shown to be worse than the best")
    assert said(found["rules"])["metric"][1].endswith(", 83% of the best gain")
    assert said(found["svm"])["metric"] == ("against", "it could not be tried: there are 70 classes")
    assert found["svm"].fit == "poor"


def test_nothing_fits_well_where_nothing_is_surely_better_than_nothing():
    probes = (probe("boosting", 0.01), probe("linear", 0.0, behind=0.01))
    assert {one.fit for one in judge(FACTS, probes, Wishes(), ())} <= {"possible", "poor"}


@pytest.mark.parametrize(
    ("wishes", "criterion", "barred", "kept"),
    [
        (Wishes(interpretable=True), "interpretability", {"lightgbm", "forest", "network"}, {"rules", "tree", "lasso"}),
        (Wishes(online=True), "online", {"lightgbm", "logistic", "rules"}, {"bayes", "network", "neighbours"}),
        (Wishes(monotone=True), "direction", {"rules", "bayes", "svm"}, {"lightgbm", "logistic", "tree"}),
        (Wishes(answer_micros=100.0), "answering time", {"neighbours", "svm"}, {"lightgbm", "logistic"}),
        (Wishes(train_seconds=0.1), "training time", {"catboost", "forest"}, {"lasso", "tree"}),
    ],
)
def test_what_is_asked_for_bars_those_that_cannot(wishes, criterion, barred, kept):
    found = verdicts(facts=Facts(**{**_fields(FACTS), "rows": 10_000, "features": 30}), wishes=wishes)
    assert {found[name].fit for name in barred} == {"barred"}
    assert all(said(found[name])[criterion][0] == "bars" for name in barred)
    assert all(said(found[name])[criterion][0] == "for" for name in kept)
    assert "barred" not in {found[name].fit for name in kept}
    assert criterion not in said(verdicts()["lightgbm"])


def _fields(facts):
    return {name: getattr(facts, name) for name in facts.__struct_fields__}


@pytest.mark.parametrize(
    ("changed", "recipe", "criterion", "text"),
    [
        ({"rows": 150}, "lightgbm", "rows", "150 rows; it is worth a try from about 200 on"),
        ({"rows": 40_000}, "svm", "rows", "of 40,000 rows it learns from 5,000 only"),
        ({"features": 400}, "neighbours", "dimensions", "in so many dimensions nothing is near"),
        ({"classes": 70}, "lightgbm", "classes", "70 answers: it needs a model for each"),
        ({"texts": 2}, "neighbours", "columns", "it does not read words"),
    ],
)
def test_what_the_data_is_like_speaks_against_some(changed, recipe, criterion, text):
    found = verdicts(facts=Facts(**{**_fields(FACTS), **changed}))[recipe]
    bearing, why = said(found)[criterion]
    assert bearing == "against"
    assert text in why
    assert found.fit != "good"


def test_a_library_that_is_missing_is_said_with_the_way_to_get_it():
    found = verdicts(installed=("xgboost",))
    assert "installation" not in said(found["xgboost"])
    assert said(found["catboost"])["installation"][1] == "pip install 'understudy[catboost]'"
    assert (found["xgboost"].fit, found["catboost"].fit) == ("good", "possible")


def test_the_time_of_a_fit_grows_with_rows_columns_and_classes():
    small = Facts(kind="classification", rows=10_000, columns=9, features=30, classes=2)
    larger = Facts(kind="classification", rows=20_000, columns=9, features=60, classes=5)
    assert training_seconds(RECIPES["lightgbm"], small) == RECIPES["lightgbm"].traits.seconds
    assert training_seconds(RECIPES["lightgbm"], larger) == pytest.approx(
        RECIPES["lightgbm"].traits.seconds * 2 * 2 * 4
    )
    capped = Facts(kind="regression", rows=10**9, columns=9, features=30)
    assert training_seconds(RECIPES["svm"], capped) == pytest.approx(RECIPES["svm"].traits.seconds * 0.25)
