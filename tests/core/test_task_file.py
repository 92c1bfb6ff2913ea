"""The task file: every fault at once, with its line."""

import pytest

from understudy.core.errors import TaskFileError
from understudy.core.nouns import Level
from understudy.core.task import duration
from understudy.core.task_file import PROPOSED, key_lines, parse_task

GOOD = """
[task]
name = "late"
question = "Late?"
target = "delay > 15"
kind = "classification"
goal = "roc_auc"

[autonomy]
max_error = 0.05
confidence = 0.95
"""


def faults(text: str) -> list[str]:
    with pytest.raises(TaskFileError) as caught:
        parse_task(text, file="late.toml")
    return [str(fault) for fault in caught.value.faults]


def test_a_short_file_gets_the_defaults() -> None:
    task = parse_task(GOOD)
    assert task.name == "late"
    assert task.autonomy.max_level is Level.PARTIAL
    assert (task.truth.source, task.review.overdue, task.cost.review) == ("outcome", "hold", 1.0)


def test_all_faults_are_listed_at_once_with_file_line_key_and_the_nearest_key() -> None:
    text = GOOD.replace('kind = "classification"', 'kind = "classifier"').replace("max_error", "max_eror")
    text += '\n[mandat]\nowner = "me"\n'
    why = PROPOSED["max_error"]
    assert faults(text) == [
        'late.toml:6, kind: expected "classification" or "regression", got "classifier"',
        f"late.toml:9, [autonomy]: expected max_error, a number above 0 and below 1, got nothing ({why})",
        "late.toml:10, max_eror: expected a key of [autonomy], got max_eror (did you mean max_error?)",
        "late.toml:13, [mandat]: expected a section of a task file, got [mandat] (did you mean mandate?)",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("0.05", "1.5"), "late.toml:10, max_error: expected a number above 0 and below 1, got 1.5"),
        (("0.95", '"high"'), 'late.toml:11, confidence: expected a number above 0.5 and below 1, got "high"'),
        (('"late"', '"Late Flights"'), "expected a name of lower-case letters, digits, - and _"),
        (('"roc_auc"', '"rmse"'), "a metric for classification: roc_auc, pr_auc, log_loss, brier, accuracy, f1"),
        (("[autonomy]", "[review]\nanswer_within = 'soon'\n[autonomy]"), 'a duration such as "90m"'),
        (("[autonomy]", "[mandate]\nexpires = '2027-13-01'\n[autonomy]"), 'a date such as "2027-01-31"'),
        (("confidence", "audit_rate = 0.01\nconfidence"), "at least audit_floor, 0.02"),
        (('kind = "classification"\ngoal = "roc_auc"', 'kind = "regression"\ngoal = "rmse"'), "tolerance, how far"),
        (("[autonomy]", "[cost.mistakes]\n'yes' = 2\n[autonomy]"), 'mistakes by "truth -> answer"'),
        (
            ("[autonomy]", "[today]\ncolumn = 'a'\ncolumns = ['b']\n[autonomy]"),
            "one of the two, got column and columns",
        ),
        (("[autonomy]", "[today]\nrules = [{when = 'a > 1'}]\n[autonomy]"), "a list of tables with when and then"),
        (("[autonomy]", "[task2]\n[autonomy]"), "did you mean task?"),
    ],
)
def test_a_fault_says_what_was_expected(change: tuple[str, str], expected: str) -> None:
    assert any(expected in fault for fault in faults(GOOD.replace(*change)))


def test_broken_toml_names_the_line() -> None:
    with pytest.raises(TaskFileError, match=r"late\.toml:3 is not TOML"):
        parse_task("[task]\nname = 'x'\nquestion = \n", file="late.toml")


def test_strings_and_lists_over_several_lines_do_not_confuse_the_lines() -> None:
    text = '[a]\nx = """\n[not.a.section]\ny = 1\n"""\nz = [\n  "[b]",\n  "c = 1",\n]\n[b]\nk = 1  # [c]\n'
    assert key_lines(text) == {"a": 1, "a.x": 2, "a.z": 6, "b": 10, "b.k": 11}


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("1h", 3600), ("2d", 172800), ("1w", 604800)])
def test_durations_are_microseconds(text: str, seconds: int) -> None:
    assert duration(text) == seconds * 1_000_000


GRANTS = "[mandate]\nallow = ['yes']\n"
HIDES = "[truth]\nhides_outcome = ['no']\n"


@pytest.mark.parametrize(
    ("sections", "refused"),
    [
        ("", "anything"),
        ("[mandate]\nallow = []\n", "anything"),
        (HIDES, "anything"),
        ("[mandate]\nallow = ['yes', 'no']\n" + HIDES, '"no"'),
        (GRANTS + HIDES, ""),
        (GRANTS, ""),
    ],
)
@pytest.mark.parametrize("mode", ["champion", "split", "bandit", "contextual"])
def test_a_bandit_is_refused_where_it_could_hurt_somebody_unless_the_task_says_so(
    mode: str, sections: str, refused: str
) -> None:
    text = f"{GOOD}{sections}[traffic]\nmode = '{mode}'\n"
    assert parse_task(f"{text}adverse = true\n").traffic.mode == mode
    if mode in ("champion", "split") or not refused:
        assert parse_task(text).traffic.mode == mode
        return
    [fault] = faults(text)
    assert f'mode: expected "champion" or "split" while the machine may answer {refused}, got "{mode}"' in fault
    assert fault.endswith("(in [mandate] allow only answers that hurt nobody, or say adverse = true)")


@pytest.mark.parametrize(("allow", "hides"), [("3", "['no']"), ("3", "4"), ("['yes']", "4")])
def test_a_key_of_the_wrong_kind_is_told_beside_a_bandit(allow: str, hides: str) -> None:
    text = f"{GOOD}[mandate]\nallow = {allow}\n[truth]\nhides_outcome = {hides}\n[traffic]\nmode = 'bandit'\n"
    wrong = {key for key, value in (("allow", allow), ("hides_outcome", hides)) if "[" not in value}
    assert {fault.split(", ")[1].partition(":")[0] for fault in faults(text)} - {"mode"} == wrong
