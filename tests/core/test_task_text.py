"""The text of a task file says everything, and says it so that it can be read back."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from understudy.core.nouns import Level
from understudy.core.task import Autonomy, Checks, Cost, Decision, Mandate, MustPass, Mute, Rule, Task, Today
from understudy.core.task_file import parse_task
from understudy.core.task_text import COMMENTS, EXAMPLES, task_toml

WORDS = st.text(min_size=1, max_size=30).filter(lambda text: text.encode("utf-8", "ignore").decode() == text)
OPTIONAL = st.none() | WORDS
VALUES = WORDS | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
MUST_PASS = st.builds(
    MustPass,
    inputs=st.dictionaries(WORDS, VALUES, max_size=3),
    answer=VALUES,
    why=WORDS,
    tolerance=st.none() | st.floats(0, 1e6),
)
TASKS = st.builds(
    Task,
    decision=st.builds(
        Decision,
        name=st.from_regex(r"\A[a-z0-9][a-z0-9_-]{0,20}\Z"),
        question=WORDS,
        target=WORDS,
        kind=st.just("classification"),
        positive=OPTIONAL,
        time=OPTIONAL,
        drop=st.lists(WORDS, max_size=3).map(tuple),
        goal=st.sampled_from(["roc_auc", "log_loss"]),
    ),
    checks=st.builds(
        Checks,
        must_pass=st.lists(MUST_PASS, max_size=2).map(tuple),
        must_pass_file=st.sampled_from([None, "cases.csv"]),
        max_latency=st.sampled_from([None, "5ms", "0.5s"]),
        mute=st.lists(st.builds(Mute, code=st.just("US002"), why=WORDS, until=st.none() | st.dates().map(str))).map(
            tuple
        ),
    ),
    today=st.builds(Today, rules=st.lists(st.builds(Rule, when=WORDS, then=WORDS), max_size=2).map(tuple)),
    cost=st.builds(
        Cost, mistakes=st.dictionaries(WORDS.map(lambda word: f"{word} -> no"), st.floats(0, 1e6), max_size=2)
    ),
    mandate=st.builds(Mandate, owner=OPTIONAL, expires=st.none() | st.dates().map(str)),
    autonomy=st.builds(
        Autonomy,
        max_error=st.floats(0.001, 0.5),
        confidence=st.floats(0.6, 0.99),
        max_level=st.sampled_from(Level),
        audit_rate=st.none() | st.floats(0.02, 0.9),
    ),
)


@given(TASKS)
def test_a_task_file_reads_back_as_the_task_that_it_was_written_from(task: Task) -> None:
    assert parse_task(task_toml(task)) == task


def test_every_key_has_a_comment_and_every_optional_key_an_example() -> None:
    for section in msgspec.structs.fields(Task):
        for field in msgspec.structs.fields(section.type):
            path = f"{section.encode_name}.{field.name}"
            assert path in COMMENTS
            if field.default is None or path in ("today.rules", "checks.must_pass", "checks.mute"):
                assert path in EXAMPLES


def test_a_reason_stands_beside_its_value_whatever_it_holds() -> None:
    decision = Decision(name="a", question="A?", target="a", kind="classification", goal="roc_auc")
    task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95))
    text = task_toml(task, {"max_error": 'a constant\nerrs [task] "often"'})
    assert parse_task(text) == task
    assert 'may be wrong; proposed: a constant errs [task] "often"' in text
