"""What a release must show: each verdict follows from its figures."""

from collections.abc import Callable

import msgspec
import numpy as np
import polars as pl
import pytest
from scipy.stats import binomtest

from understudy.core.evidence import Evidence
from understudy.core.nouns import Check
from understudy.core.task import Checks, Mute
from understudy.evaluation.checks import check_actions, passed, silenced, without_leaks
from understudy.evaluation.checks_release import (
    MOST_NAMED,
    enough_to_judge,
    fast_enough,
    lineage_stated,
    parted_in_time,
    release_checks,
    reproducible,
    required_answers,
    seconds_text,
    without_repeats,
    young_enough,
)
from understudy.evaluation.release import (
    Age,
    Lineage,
    Overlap,
    Pace,
    Release,
    Required,
    overlap_in_time,
    rows_to_see,
)
from understudy.evaluation.repeats import Repeats, find_repeats, flattery

LINEAGE = Lineage(
    snapshot="ab" * 32,
    kept=True,
    seed=3,
    libraries=7,
    planned=True,
    adopted=False,
    read_from="claims.csv",
    source="the claims system",
    licence="a contract of 2024",
)
KEPT = Required(why="nothing is claimed", expected="no", answered="no", kept=True)
BROKEN = Required(why="a child asks", expected="no", answered="yes", kept=False)
RELEASE = Release(
    overlap=None,
    repeats=Repeats(judged=100, repeated=0, parted=0),
    required=(),
    pace=Pace(p50=1e-4, p95=2e-4, rows=100),
    lineage=LINEAGE,
    age=Age(newest=3.0),
    units=100,
    max_error=0.05,
    confidence=0.95,
)


def overlap(late: int, bound: int = 0) -> Overlap:
    return Overlap(fitted=1000, judged=200, late=late, bound=bound, inside=late - bound)


def flattered(lower: float, upper: float) -> Evidence:
    return Evidence(
        estimate=(lower + upper) / 2, lower=lower, upper=upper, confidence=0.95, n=100, method="paired bootstrap"
    )


def repeats(repeated: int, parted: int = 0, effect: tuple[float, float] | None = (0.01, 0.03)) -> Repeats:
    if effect is None:
        return Repeats(judged=200, repeated=repeated, parted=parted)
    return Repeats(
        judged=200,
        repeated=repeated,
        parted=parted,
        metric="roc_auc",
        whole=0.92,
        without=0.9,
        flattered=flattered(*effect),
    )


VERDICTS: list[tuple[Check, str, str, str]] = [
    (parted_in_time(None), "pass", "note", "no order in time"),
    (parted_in_time(overlap(0)), "pass", "blocking", "All 1,000 rows"),
    (parted_in_time(overlap(1)), "fail", "blocking", "from 1 of 1,000 rows that are later"),
    (parted_in_time(overlap(40, 40)), "pass", "blocking", "belong to a group"),
    (parted_in_time(overlap(400, 400)), "warn", "blocking", "400 of the 1,000"),
    (parted_in_time(overlap(41, 40)), "fail", "blocking", "from 1 of 1,000"),
    (without_repeats(repeats(0, effect=None)), "pass", "blocking", "None of the 200"),
    (without_repeats(repeats(30)), "warn", "warning", "0.9200 with them and 0.9000 without"),
    (
        without_repeats(repeats(30, effect=(-0.01, 0.03))),
        "pass",
        "blocking",
        "which flatters it by 0.010 (-0.010 to 0.030)",
    ),
    (without_repeats(repeats(30, effect=None)), "pass", "blocking", "cannot be told"),
    (without_repeats(repeats(200, effect=None)), "warn", "warning", "nobody knows how good it is on new inputs"),
    (without_repeats(repeats(30, 20)), "fail", "blocking", "20 copies"),
    (without_repeats(repeats(20, 20, effect=(-0.01, 0.01))), "fail", "blocking", "20 copies"),
    (required_answers(()), "pass", "note", "lists no case"),
    (required_answers((KEPT,)), "pass", "blocking", "The one case"),
    (required_answers((KEPT, KEPT)), "pass", "blocking", "All 2"),
    (required_answers((KEPT, BROKEN)), "fail", "blocking", "“a child asks” must be no, and is yes"),
    (fast_enough(Pace(p50=1e-4, p95=2e-4, rows=99)), "pass", "note", "no limit; measured here: 100 µs"),
    (fast_enough(Pace(p50=1e-4, p95=2e-4, rows=99, limit=2e-4)), "pass", "blocking", "Within 200 µs"),
    (fast_enough(Pace(p50=1e-4, p95=3e-4, rows=99, limit=2e-4)), "fail", "blocking", "Above 200 µs"),
    (reproducible(LINEAGE), "pass", "blocking", "--replay"),
    (reproducible(msgspec.structs.replace(LINEAGE, kept=False)), "fail", "blocking", "missing or damaged"),
    (reproducible(msgspec.structs.replace(LINEAGE, planned=False)), "pass", "note", "not replayed"),
    (reproducible(msgspec.structs.replace(LINEAGE, planned=False, adopted=True)), "pass", "note", "elsewhere"),
    (lineage_stated(LINEAGE), "pass", "warning", "of the claims system, used under a contract of 2024"),
    (lineage_stated(msgspec.structs.replace(LINEAGE, licence=None)), "warn", "warning", "does not say its licence"),
    (lineage_stated(msgspec.structs.replace(LINEAGE, licence=None, source=None)), "warn", "warning", "source and its"),
    (young_enough(Age(newest=None)), "pass", "note", "no time that is a date"),
    (young_enough(Age(newest=None, limit=90.0)), "warn", "warning", "no time that is a date"),
    (young_enough(Age(newest=400.0)), "pass", "note", "400 days old; the task names no limit"),
    (young_enough(Age(newest=90.0, limit=90.0)), "pass", "blocking", "90 days old, below 90 days"),
    (young_enough(Age(newest=90.1, limit=90.0)), "fail", "blocking", "above 90 days"),
    (young_enough(Age(newest=-0.5, limit=90.0)), "pass", "blocking", "0.0 hours old"),
    (young_enough(Age(newest=-30.0, limit=90.0)), "warn", "warning", "30 days in the future"),
    (enough_to_judge(59, 0.05, 0.95), "pass", "warning", "59 independent cases"),
    (enough_to_judge(58, 0.05, 0.95), "warn", "warning", "1 more"),
    (enough_to_judge(1, 0.001, 0.99), "warn", "warning", "4,602 more"),
]


@pytest.mark.parametrize(("check", "verdict", "severity", "words"), VERDICTS)
def test_each_verdict_follows_from_its_figures(check: Check, verdict: str, severity: str, words: str) -> None:
    assert (check.verdict, check.severity) == (verdict, severity)
    assert words in check.detail
    assert check.detail.endswith(".")
    assert bool(check.advice) == (verdict != "pass")
    assert not check.advice.endswith(".")
    assert all(np.isfinite(list(check.figures.values())))
    assert msgspec.json.decode(msgspec.json.encode(check), type=Check) == check


def test_where_nothing_is_asked_nothing_fails() -> None:
    plain = msgspec.structs.replace(RELEASE, lineage=msgspec.structs.replace(LINEAGE, source=None, licence=None))
    checks = release_checks(plain)
    assert [check.code for check in checks] == [f"US0{number}" for number in range(20, 28)]
    assert [check.code for check in checks if check.verdict != "pass"] == ["US025"]
    assert passed(checks)
    assert msgspec.json.decode(msgspec.json.encode(plain), type=Release) == plain


def test_a_check_that_was_stored_before_checks_had_a_severity_still_blocks() -> None:
    old = b'{"code": "US001", "name": "Beats", "verdict": "fail", "detail": "No.", "figures": {}}'
    assert msgspec.json.decode(old, type=Check).blocks


def test_many_broken_cases_are_named_up_to_a_bound_and_counted() -> None:
    broken = tuple(msgspec.structs.replace(BROKEN, why=f"case {place}") for place in range(MOST_NAMED + 5))
    check = required_answers(broken)
    assert f"case {MOST_NAMED - 1}" in check.detail
    assert f"case {MOST_NAMED}" not in check.detail
    assert "5 more" in check.detail
    assert len(check.subjects) == len(broken)


@pytest.mark.parametrize(("seconds", "words"), [(0.0, "0 µs"), (9.996e-4, "1 ms"), (1.0, "1 s")])
def test_short_times_have_units(seconds: float, words: str) -> None:
    assert seconds_text(seconds) == words


def test_a_mute_says_why_and_until_when_and_ends() -> None:
    mute = Mute(code="US022", why="the rules change in May.", until="2026-05-31")
    quiet = silenced(required_answers((BROKEN,)), mute)
    assert (quiet.verdict, quiet.severity) == ("warn", "warning")
    assert quiet.detail.startswith("Muted in the task file (the rules change in May, until 2026-05-31). 1 of 1")
    checks = Checks(mute=(mute, Mute(code="US002", why="ranks")))
    last_minute, midnight = 1_780_271_999_000_000, 1_780_272_000_000_000  # 2026-05-31T23:59:59Z, 2026-06-01T00:00:00Z
    assert [found.code for found in checks.muted(last_minute)] == ["US022", "US002"]
    assert [found.code for found in checks.muted(midnight)] == ["US002"]


def test_only_failures_that_block_keep_a_version_out_and_overrides_let_it_in() -> None:
    failed = required_answers((BROKEN,))
    mild = msgspec.structs.replace(failed, severity="warning")
    assert passed([mild])
    assert not passed([failed, mild])
    assert passed([failed], overridden=("US022",))
    assert not passed([failed], overridden=("US002",))


def test_what_failed_stands_in_the_worklist_and_names_each_leak() -> None:
    leaks = without_leaks(("refund", "status"), frozenset({"refund", "status", "age"}))
    failed = [leaks, without_repeats(repeats(30, 20)), required_answers((BROKEN,)), enough_to_judge(1, 0.05, 0.95)]
    actions = check_actions(failed)
    assert [(action.kind, action.subject) for action in actions] == [
        ("fix leak", "refund"),
        ("fix leak", "status"),
        ("fix leak", "US021 Judged on other rows than it learned from"),
        ("fix check", "US022 Answers what it must"),
    ]
    assert all(action.blocking and action.chapter == "checks" and action.what and action.why for action in actions)
    assert actions[0].what == "Learn without refund: take it out of [task] use"
    assert "a child asks" in actions[3].why
    assert check_actions([silenced(leaks, Mute(code="US003", why="known"))]) == ()


# What the verdicts rest on, against plain loops.


def test_overlap_in_time_is_what_plain_loops_count() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        order, groups = rng.integers(0, 30, 60), rng.integers(0, 40, 60)
        rows = rng.permutation(60)
        fit, test = rows[:35], rows[35:50]
        found = overlap_in_time(order, fit, test, groups)
        first = min(order[row] for row in test)
        late = [row for row in fit if order[row] > first]
        bound = [
            row for row in late if min(order[other] for other in range(60) if groups[other] == groups[row]) <= first
        ]
        free = [order[row] for row in fit if row not in bound]
        inside = sum(order[row] < max(free) for row in test) if free else 0
        assert (found.late, found.bound, found.inside) == (len(late), len(bound), inside)


def test_rows_of_the_same_moment_do_not_overlap() -> None:
    assert overlap_in_time(np.array([0, 1, 1, 1]), np.array([0, 1, 2]), np.array([3]), None).late == 0


def table(n: int, levels: int, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Rows of few levels, their answers, and scores that know what the first 60 rows say."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"a": rng.integers(0, levels, n), "b": rng.choice(["x", "y"], n), "c": [None, 1.5] * (n // 2)})
    y = rng.integers(0, 2, n)
    return frame, y, rng.random(n)


def scorer(p: np.ndarray, rows: np.ndarray) -> Callable[[pl.DataFrame], np.ndarray]:
    def predict(part: pl.DataFrame) -> np.ndarray:
        assert part.height == len(rows)
        return np.column_stack([1 - p[rows], p[rows]])

    return predict


def test_repeated_rows_are_those_that_a_plain_loop_finds_and_the_metric_leaves_them_out() -> None:
    frame, y, p = table(200, 30)
    fit, test = np.arange(120), np.arange(120, 200)
    seen = {frame.row(place) for place in fit.tolist()}
    again = np.array([frame.row(place) in seen for place in test.tolist()])
    assert 5 < again.sum() < 75
    predict = scorer(p, test)
    found = find_repeats(frame, fit, test, copies=None, y=y, predict=predict, metric="brier", seed=1)
    assert found.repeated == again.sum()
    off = (p[test] - y[test]) ** 2
    assert found.whole == pytest.approx(off.mean())
    assert found.without == pytest.approx(off[~again].mean())
    assert found.flattered is not None
    assert found.flattered.estimate == pytest.approx(off[~again].mean() - off.mean())  # a lower Brier score is better
    assert found.flattered.lower <= found.flattered.estimate <= found.flattered.upper


def test_a_model_that_remembers_rows_is_flattered_by_them_and_one_that_does_not_is_not() -> None:
    frame, y, p = table(2000, 1200)
    fit, test = np.arange(1600), np.arange(1600, 2000)
    remembers = p.copy()
    seen = {frame.row(place) for place in fit.tolist()}
    again = np.array([frame.row(place) in seen for place in test.tolist()])
    remembers[test[again]] = y[test[again]]
    for scores, verdict in ((p, "pass"), (remembers, "warn")):
        found = find_repeats(frame, fit, test, copies=None, y=y, predict=scorer(scores, test), metric="roc_auc")
        assert without_repeats(found).verdict == verdict


@pytest.mark.parametrize("metric", ["accuracy", "brier", "roc_auc"])
def test_for_many_rows_the_bounds_come_from_one_pass_and_are_those_of_the_bootstrap(metric: str) -> None:
    rng = np.random.default_rng(3)
    again, y, p = rng.random(3000) < 0.3, rng.integers(0, 2, 3000), rng.random(3000)
    p = np.where(again, 0.8 * p + 0.2 * y, p)
    scores, groups = np.column_stack([1 - p, p]), rng.integers(0, 800, 3000)
    for together in (None, groups):
        drawn = flattery(again, y, scores, metric=metric, groups=together)
        passed_once = flattery(again, y, scores, metric=metric, groups=together, many=0)
        assert drawn is not None
        assert passed_once is not None
        assert passed_once[:2] == drawn[:2]
        one, other = passed_once[2], drawn[2]
        assert one.estimate == other.estimate
        half = (other.upper - other.lower) / 2
        assert abs(one.lower - other.lower) < 0.15 * half
        assert abs(one.upper - other.upper) < 0.15 * half
        assert one.n == other.n


def test_rows_that_repeat_without_flattering_are_said_to_flatter_in_one_of_forty_tables() -> None:
    """And seen to fail: where the model remembers them, they are nearly always said to."""
    runs, n, alarms, seen = 600, 800, 0, 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        again, y, p = rng.random(n) < 0.4, rng.integers(0, 2, n), rng.random(n)
        remembered = np.where(again, 0.3 * p + 0.7 * y, p)
        for q in (p, remembered):
            told = flattery(again, y, np.column_stack([1 - q, q]), metric="brier", many=0)
            assert told is not None
            alarms += q is p and told[2].lower > 0
            seen += q is remembered and told[2].lower > 0
    assert binomtest(alarms, runs, 0.025, alternative="greater").pvalue > 0.01
    assert seen > 0.99 * runs


def test_known_copies_on_both_sides_are_counted_also_where_they_are_only_nearly_equal() -> None:
    frame, y, p = table(40, 10**9)
    codes = np.arange(40)
    codes[35] = 3
    fit, test = np.arange(30), np.arange(30, 40)
    found = find_repeats(frame, fit, test, copies=codes, y=y, predict=scorer(p, test), metric="roc_auc")
    assert (found.parted, found.repeated, found.flattered) == (1, 0, None)


def test_nobody_is_asked_for_predictions_where_no_row_or_every_row_repeats() -> None:
    def never(_: pl.DataFrame) -> np.ndarray:
        raise AssertionError

    frame = pl.DataFrame({"a": [0, 1, 2, 3, 0, 1]})
    apart = find_repeats(
        frame, np.arange(4)[2:], np.array([0, 1]), copies=None, y=np.zeros(6, int), predict=never, metric="accuracy"
    )
    all_again = find_repeats(
        frame, np.arange(4), np.array([4, 5]), copies=None, y=np.zeros(6, int), predict=never, metric="accuracy"
    )
    assert (apart.repeated, all_again.repeated) == (0, 2)


def test_a_metric_that_the_rest_does_not_define_is_not_told() -> None:
    frame = pl.DataFrame({"a": [0, 1, 0, 1, 2, 3]})
    y = np.array([0, 1, 0, 1, 1, 1])  # without the repeated rows there is one class only
    predict = scorer(np.linspace(0, 1, 6), np.arange(2, 6))
    found = find_repeats(frame, np.arange(2), np.arange(2, 6), copies=None, y=y, predict=predict, metric="roc_auc")
    assert (found.repeated, found.flattered) == (2, None)
    assert without_repeats(found).verdict == "pass"


@pytest.mark.parametrize(("max_error", "confidence"), [(0.05, 0.95), (0.01, 0.9), (0.2, 0.99), (0.5, 0.75)])
def test_so_many_rows_without_an_error_and_no_fewer_show_the_promise(max_error: float, confidence: float) -> None:
    n = rows_to_see(max_error, confidence)

    def bound(cases: int) -> float:
        return binomtest(0, cases, alternative="less").proportion_ci(confidence).high

    assert bound(n) <= max_error + 1e-12
    assert bound(n - 1) > max_error
