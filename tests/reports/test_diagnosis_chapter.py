"""The diagnosis as pictures and a chapter: aggregates only, a text for each, and nothing empty."""

import re

import msgspec
import numpy as np
import pytest

from understudy.core.evidence import Evidence
from understudy.evaluation.ablation import Ablation, Drop
from understudy.evaluation.diagnosis import Diagnosis, Figures, Rival
from understudy.evaluation.generalization import Generalization, Round
from understudy.evaluation.learning_curve import error_curve
from understudy.evaluation.validation_curve import Setting, ValidationCurve
from understudy.reports.chapter import Chapter, Figure, Table, Text
from understudy.reports.chapters.diagnosis import diagnosis_chapter
from understudy.reports.diagnosis_charts import ablation_chart, learning_chart, rounds_chart, validation_chart

NASTY = '<script>alert("1")</script>'
DRAWN = [50, 50, 100, 100, 200, 200, 400, 400, 800]


def ev(estimate: float, half: float = 0.01) -> Evidence:
    return Evidence(estimate=estimate, lower=estimate - half, upper=estimate + half, confidence=0.95, n=900, method="x")


def found() -> Diagnosis:
    rng = np.random.default_rng(0)
    losses = np.array([rng.random(900) < 0.1 + n**-0.5 for n in DRAWN], dtype=float)
    settings = tuple(
        Setting(value=v, train=0.1, held=h, metric=None, gain=ev(0.2 - h), complexity=int(np.sign(v - 8)))
        for v, h in ((4.0, 0.22), (8.0, 0.2), (16.0, 0.15))
    )
    drops = (
        Drop(piece="column", name=NASTY, columns=(NASTY,), harm=ev(0.05), metric=ev(0.02), worth="needed"),
        Drop(piece="member", name="LightGBM", columns=(), harm=ev(-0.05), metric=ev(-0.02), worth="harmful"),
        Drop(piece="step", name="'curves'", columns=(), harm=ev(0.0, 0.1), metric=ev(0.0), worth="unclear"),
    )
    rival = Rival(
        recipe="lightgbm",
        title="LightGBM",
        rows=400,
        now=800,
        larger=True,
        gain=ev(0.04),
        metric="roc_auc",
        metric_gain=ev(0.02),
        metric_level=0.1,
    )
    return Diagnosis(
        verdict="high bias",
        sentence="So it is.",
        figures=Figures(train=ev(0.1), held=ev(0.2), gap=ev(0.1), baseline=ev(0.4), baseline_name=NASTY),
        trained=800,
        judged=900,
        learning=(error_curve(DRAWN, losses, now=800), error_curve([50], losses[:1], now=800)),
        validation=(
            ValidationCurve(
                recipe="tree", parameter="leaves", title="leaves", chosen=8.0, settings=settings, rows=800, now=800
            ),
        ),
        generalization=(
            Generalization(
                recipe="LightGBM",
                loss="log loss",
                kept=5,
                best=5,
                gap=ev(0.1),
                rise=ev(0.0),
                curve=tuple(Round(rounds=n, train=1 / n, held=0.3 + 1 / n) for n in range(1, 9)),
            ),
        ),
        rivals=(rival,),
        ablation=Ablation(
            metric="roc_auc",
            error=0.2,
            drops=drops,
            rows=800,
            now=800,
            confidence=0.95,
            margin=0.01,
            left_out=("street",),
        ),
        left_out=("this and that: no time",),
        seconds=12.0,
    )


def test_the_chapter_opens_with_the_verdict_and_holds_everything():
    chapter = diagnosis_chapter(found())
    assert chapter.anchor == "diagnosis"
    assert chapter.lede.startswith("High bias")
    assert [type(part) for part in chapter.parts] == [Table, *[Figure] * 5, Table, Text, Text, Text]
    assert msgspec.json.decode(msgspec.json.encode(chapter), type=Chapter) == chapter
    said = " ".join(part.text for part in chapter.parts if isinstance(part, Text))
    assert "street" in said
    assert "this and that: no time" in said
    assert "800 training rows" in said


def test_the_tables_hold_the_figures():
    errors, parts = (part for part in diagnosis_chapter(found()).parts if isinstance(part, Table))
    assert {row[0]: row[1].estimate for row in errors.rows}["On held-out rows"] == 0.2
    assert {row[0]: row[1].estimate for row in errors.rows}["LightGBM instead, fitted on 400 rows"] == -0.04
    assert [row[4] for row in parts.rows] == ["needed", "harmful", "unclear"]
    assert all(len(row) == len(table.columns) for table in (errors, parts) for row in table.rows)


def test_every_picture_has_a_text_and_no_script_of_the_data():
    for part in diagnosis_chapter(found()).parts:
        if isinstance(part, Figure):
            assert part.text
            assert part.svg.startswith("<svg")
            assert 'role="img" aria-label="' in part.svg
            assert "<script" not in part.svg


def test_the_band_is_drawn_where_there_is_a_law_and_the_points_always():
    whole, bare = found().learning
    assert learning_chart(whole).count("mark-line") == 2  # what was seen, and dashed what was not
    assert "mark-area" in learning_chart(whole)
    assert "mark-line" not in learning_chart(bare)
    assert "mark-symbol" in learning_chart(bare)
    assert learning_chart(msgspec.structs.replace(bare, points=())) == ""


@pytest.mark.parametrize("logarithmic", [True, False])
@pytest.mark.parametrize("falls", [True, False])
def test_settings_stand_from_simple_to_large_whichever_way_their_values_go(logarithmic, falls):
    curve = found().validation[0]
    settings = curve.settings[::-1] if falls else curve.settings
    svg = validation_chart(msgspec.structs.replace(curve, settings=settings, logarithmic=logarithmic))
    found_at = re.findall(r'translate\(([\d.]+),[\d.]+\)"[^>]*>(4|8|16)</text>', svg)
    assert [int(one) for _, one in sorted((float(at), one) for at, one in found_at)] == (
        [16, 8, 4] if falls else [4, 8, 16]
    )
    assert "held-out rows" in svg
    assert "training rows" in svg


def test_rounds_and_parts_are_named():
    svg = rounds_chart(found().generalization[0])
    assert "kept" in svg
    assert "rounds of boosting" in svg
    bars = ablation_chart(found().ablation)
    assert "(does harm)" in bars
    assert "(cannot be told)" in bars
    assert ablation_chart(msgspec.structs.replace(found().ablation, drops=())) == ""


def test_a_diagnosis_that_was_not_made_says_why():
    chapter = diagnosis_chapter(
        Diagnosis(verdict="too little data to tell", sentence="No time was given for it.", left_out=("all",))
    )
    assert chapter.lede == "Too little data to tell. No time was given for it."
    assert all(isinstance(part, Text) for part in chapter.parts)
