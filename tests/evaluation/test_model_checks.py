"""The verdicts of the checks about the model follow from its figures, and nothing is called fair."""

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

from evidence.promises import kept
from understudy.core.evidence import Evidence
from understudy.evaluation.checks_fairness import bias_check, fairness_checks
from understudy.evaluation.checks_robustness import robustness_checks, stability_checks
from understudy.evaluation.fairness import fairness
from understudy.evaluation.fairness_found import FairnessPlan
from understudy.evaluation.prediction_bias import prediction_bias
from understudy.evaluation.report import TestPart
from understudy.evaluation.robustness_found import Band, Robustness, Shaken
from understudy.evaluation.stability import Churn, Stability, fold_spread


def part_of(p: np.ndarray, y: np.ndarray, **given: object) -> TestPart:
    scores = np.column_stack([1 - p, p])
    return TestPart(
        y=np.asarray(y, dtype=np.int64),
        scores=scores,
        confidence=scores.max(axis=1),
        baseline=scores,
        baseline_name="itself",
        hard=False,
        **given,
    )


def test_a_calibrated_model_has_no_bias_more_often_than_promised() -> None:
    def warned(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        p = rng.beta(0.05, 5, 2000)  # a rare answer, for which any bias beyond chance is worth a look
        return bias_check(part_of(p, rng.random(2000) < p)).verdict != "pass"

    assert kept(np.array([warned(seed) for seed in range(300)]), 0.05)


@pytest.mark.parametrize(("by", "verdict"), [(0.0, "pass"), (0.045, "warn"), (0.12, "fail"), (-0.12, "fail")])
def test_bias_is_told_by_its_size(by: float, verdict: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 0.4, 20_000)
    check = bias_check(part_of(p, rng.random(20_000) < p - by, labels=("no", "yes")))
    assert (check.code, check.verdict) == ("US005", verdict)
    assert check.figures["bias"] == pytest.approx(by, abs=0.01)
    if verdict != "pass":
        assert check.subjects == ("yes",)
        assert ("too high" if by > 0 else "too low") in check.detail


def test_bias_of_numbers_is_measured_by_the_mean_error_and_of_groups_by_groups() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=4000)
    part = part_of(np.full(4000, 0.5), np.zeros(4000))
    numbers = replace(part, y=y, scores=(y + rng.normal(0.8, 0.5, 4000))[:, None], tolerance=1.0)
    assert bias_check(numbers).verdict == "fail"
    assert bias_check(replace(numbers, scores=(y + rng.normal(0, 0.5, 4000))[:, None])).verdict == "pass"
    home = np.repeat(np.arange(20), 200)
    alike = (0.2 + rng.normal(size=20))[home]
    assert bias_check(replace(numbers, scores=(y + alike)[:, None])).verdict != "pass"
    assert bias_check(replace(numbers, scores=(y + alike)[:, None], groups=home)).verdict == "pass"
    few = bias_check(replace(numbers, y=y[:3], scores=y[:3, None]))
    assert (few.verdict, few.severity) == ("warn", "note")
    assert "too few to tell" in few.detail


def test_a_group_of_cases_far_off_warns_though_the_whole_is_right() -> None:
    rng = np.random.default_rng(0)
    town = rng.choice(["a", "b"], 8000)
    happened = rng.random(8000) < np.where(town == "a", 0.5, 0.3)
    part = part_of(np.full(8000, 0.4), happened, labels=("no", "yes"))
    found = prediction_bias(pl.DataFrame({"town": town}), part.scores[:, 1], part.y * 1.0, scale="share")
    check = bias_check(part, found)
    assert (check.verdict, set(check.subjects)) == ("warn", {"town is a", "town is b"})
    assert "over all is not everywhere" in check.detail
    assert bias_check(part).verdict == "pass"


def people(seed: int, gap: float, n: int = 6000) -> tuple[pl.DataFrame, TestPart]:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"sex": rng.choice(["f", "m"], n, p=[0.3, 0.7]), "town": rng.choice(["a", "b"], n)})
    p = rng.beta(0.5, 0.5, n)
    y = rng.random(n) < p
    flipped = (frame["sex"] == "f").to_numpy() & (rng.random(n) < gap)
    return frame, part_of(p, y ^ flipped)


def test_groups_fail_only_on_a_stated_limit_that_is_surely_broken() -> None:
    frame, part = people(0, 0.4)
    verdicts = {}
    for stated in (False, True):
        checks = fairness_checks(fairness(frame, part, ["sex", "town"], FairnessPlan(stated=stated)))
        verdicts[stated] = [(check.code, check.verdict, check.severity) for check in checks]
        assert "sex is f" in checks[0].subjects
    assert verdicts[False][0] == ("US006", "warn", "warning")
    assert verdicts[True][0] == ("US006", "fail", "blocking")
    assert verdicts[True][2] == ("US008", "fail", "blocking")
    strict = fairness(*people(0, 0.08), ["sex"], FairnessPlan(stated=True))
    assert fairness_checks(strict)[0].verdict != "fail"


def test_groups_alike_pass_and_nobody_calls_them_fair() -> None:
    frame, part = people(1, 0.0)
    checks = fairness_checks(fairness(frame, part, ["sex", "town"]))
    assert [check.verdict for check in checks] == ["pass", "pass", "pass"]
    assert not any(" fair" in check.detail for check in checks)


def test_a_group_whose_probabilities_are_off_is_told() -> None:
    frame, part = people(2, 0.0)
    y = np.where((frame["sex"] == "f").to_numpy(), np.random.default_rng(0).random(6000) < 0.9, part.y)
    check = fairness_checks(fairness(frame, replace(part, y=y.astype(np.int64)), ["sex"]))[1]
    assert (check.code, check.verdict, check.subjects) == ("US007", "warn", ("sex is f",))


def test_four_fifths_warn_and_never_fail() -> None:
    rng = np.random.default_rng(0)
    sex = rng.choice(["f", "m"], 4000)
    p = np.where(sex == "f", rng.choice([0.1, 0.9], 4000, p=[0.7, 0.3]), rng.choice([0.1, 0.9], 4000, p=[0.3, 0.7]))
    found = fairness(pl.DataFrame({"sex": sex}), part_of(p, rng.random(4000) < p), ["sex"], FairnessPlan(stated=True))
    check = fairness_checks(found)[0]
    assert check.verdict == "warn"
    assert "below four fifths (sex is f; sex is m)" in check.detail


def test_without_groups_it_says_that_nobody_knows() -> None:
    checks = fairness_checks(None)
    assert [(check.code, check.verdict, check.severity) for check in checks] == [
        (code, "pass", "note") for code in ("US006", "US007", "US008")
    ]
    assert all("nobody knows" in check.detail for check in checks)


def evidence(estimate: float, lower: float, upper: float) -> Evidence:
    return Evidence(estimate=estimate, lower=lower, upper=upper, confidence=0.95, n=2000, method="given")


def shaken(way: str, harm: float, *, subject: str = "job", strength: float = 1.0, changed: float = 0.1) -> Shaken:
    return Shaken(
        way=way,
        subject=subject,
        strength=strength,
        n=2000,
        refused=0.0,
        changed=evidence(changed, changed - 0.01, changed + 0.01),
        error=evidence(0.2, 0.18, 0.22),
        harm=evidence(harm, harm - 0.01, harm + 0.01),
    )


def robust(*ways: Shaken, sure: float | None = 0.0) -> Robustness:
    bands = () if sure is None else (Band(low=0.9, high=1.0, n=900, changed=evidence(sure, sure - 0.005, sure + 0.01)),)
    return Robustness(rows=2000, error=evidence(0.1, 0.09, 0.11), shaken=ways, bands=bands, tiny=0.01)


REFUSED = Shaken(way="lost column", subject="age", strength=1.0, n=0, refused=1.0)


def test_harm_that_is_sure_and_large_warns() -> None:
    found = robust(
        shaken("noise", 0.1, strength=0.05),
        shaken("noise", 0.3, strength=0.2),  # so much noise is told and not judged
        shaken("lost column", 0.08),
        REFUSED,
        shaken("unseen", 0.02),
        shaken("case", 0.2, subject="all texts and categories"),
        shaken("blanks", 0.0, changed=0.0),
        sure=0.02,
    )
    checks = {check.code: check for check in robustness_checks(found)}
    assert {code: check.verdict for code, check in checks.items()} == {
        "US009": "warn",
        "US010": "warn",
        "US011": "warn",
        "US012": "warn",
    }
    assert checks["US009"].figures["harm"] == 0.1
    assert "Without 1 of its columns every case is refused" in checks["US010"].detail
    assert checks["US011"].subjects == ("all texts and categories",)
    assert checks["US012"].severity == "blocking"


def test_small_or_unsure_harm_passes_and_what_is_not_there_is_a_note() -> None:
    found = robust(shaken("noise", 0.02, strength=0.05), shaken("typo", 0.055), REFUSED)
    assert [check.verdict for check in robustness_checks(found)] == ["pass"] * 4
    nothing = robust(REFUSED, sure=None)
    severities = {check.code: check.severity for check in robustness_checks(nothing)}
    assert severities == {"US009": "note", "US010": "warning", "US011": "note", "US012": "note"}


def test_blanks_that_change_answers_and_sure_answers_that_flip_are_defects() -> None:
    checks = robustness_checks(robust(shaken("blanks", 0.0, changed=0.02), sure=0.1))
    assert {check.code: check.verdict for check in checks}["US011"] == "fail"
    assert {check.code: check.verdict for check in checks}["US012"] == "fail"


def test_folds_that_differ_and_churn_warn() -> None:
    rng = np.random.default_rng(0)
    folds = np.arange(3000) % 5
    apart = fold_spread((rng.random(3000) < 0.1 + 0.2 * (folds == 1)) * 1.0, folds)
    alike = fold_spread((rng.random(3000) < 0.1) * 1.0, folds)
    assert stability_checks(Stability(spread=apart))[0].verdict == "warn"
    assert stability_checks(Stability(spread=alike))[0].verdict == "pass"
    calm = Churn(changed=evidence(0.05, 0.04, 0.06), errors=(0.1, 0.1), seeds=(0, 1))
    wild = Churn(changed=evidence(0.25, 0.2, 0.3), errors=(0.1, 0.1), seeds=(0, 1))
    assert stability_checks(Stability(spread=alike, churn=calm))[0].verdict == "pass"
    told = stability_checks(Stability(spread=alike, churn=wild))[0]
    assert (told.verdict, told.severity) == ("warn", "warning")
    assert "25.0%" in told.detail
    assert stability_checks(Stability())[0].severity == "note"
