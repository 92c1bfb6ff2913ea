"""The text of a task file: every key, commented, and why a value was proposed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from understudy.core.task import Task

SECTIONS = {
    "task": "What is decided, and which columns say what.",
    "today": "What decides today: the bar that a model must clear. Rules, a column, a score, or nothing of these.",
    "data": "Where the data comes from, and what allows its use.",
    "model": "What is known of the model beforehand.",
    "checks": "What a version must show before it watches, beyond what every one must.",
    "cost": "What mistakes and reviews cost, in any one currency.",
    "truth": "What counts as the truth, and when.",
    "mandate": "What the machine may decide by itself, by whose leave, until when. An empty list means: anything.",
    "autonomy": "The promise, and how far automation may go on it.",
    "review": "What people can do, and how fast.",
    "retrain": "When a new version is trained; by hand at any time.",
    "traffic": "Which version answers a case: the champion, or by lot one of those that are compared with it.",
}

COMMENTS = {
    "task.name": "lower-case letters, digits, - and _",
    "task.question": "what is asked, as one asks a person",
    "task.target": "the column with the answer, or a SQL expression such as arr_delay > 15",
    "task.kind": "classification (one of a few answers) or regression (a number)",
    "task.positive": "the positive answer of two",
    "task.id": "the column with the case's id",
    "task.time": 'when a case happened: a column, an expression, "row order", or "none" if the order means nothing',
    "task.split_group": "rows with the same value are never parted between training and test",
    "task.subject": "the column with the person whom the case is about, for erasure",
    "task.after": "columns that are known only afterwards",
    "task.drop": "columns to leave out for other reasons",
    "task.use": "columns to use although they look like identifiers or leaks",
    "task.goal": "the metric to be good at",
    "task.tolerance": "how far a number may be off and still be right, in the target's unit",
    "task.groups": "columns by which fairness is checked and certificates may be divided",
    "task.keep": "how long cases are kept",
    "today.rules": "where the SQL condition holds, the answer is `then`; the first rule that holds decides",
    "today.column": "the column with today's human decision",
    "today.columns": "instead, where several people decide each case: a column for each, or patterns such as judge_*",
    "today.score": "the column with an existing score",
    "data.source": "where it comes from: a system, an owner or an address",
    "data.licence": "what allows its use: a licence, a contract or a law",
    "model.monotone": "columns with which the number, or the chance of the positive answer, only rises or falls",
    "model.stages": "earlier stages, each with the columns that it gives and those with the truth, known afterwards",
    "checks.must_pass": "cases that must get this answer, and why",
    "checks.must_pass_file": "a CSV file beside the task file with more of them",
    "checks.max_latency": "how long one answer may take",
    "checks.max_age": "how old the newest row may be",
    "checks.most_gap": "how much more often it may be wrong for a group than for all others",
    "checks.mute": "checks that do not block, and why",
    "cost.mistakes": "by truth -> answer",
    "cost.review": "one review by a person",
    "truth.source": "outcome, review or blind_review",
    "truth.mature_after": "how long after the decision a missing outcome is final",
    "truth.silence": "the answer that a missing outcome means; without it, it counts as a mistake",
    "truth.hides_outcome": "answers after which the outcome never shows",
    "mandate.allow": "the answers that it may give",
    "mandate.limit": "SQL conditions that must hold",
    "mandate.never": "SQL conditions that must not hold",
    "mandate.owner": "who answers for it",
    "mandate.expires": "the last day on which it may decide",
    "autonomy.max_error": "the share of the answers that it gives by itself that may be wrong",
    "autonomy.confidence": "how sure that promise is",
    "autonomy.min_coverage": "the least share of cases that is worth automating",
    "autonomy.strange_limit": "cases stranger than this go to a person",
    "autonomy.groups": "for whom the promise holds: whole (all together), shared or own (each group of [task] groups)",
    "autonomy.max_level": "human, shadow, assist, partial or full",
    "autonomy.step_up": "ask a person before a step up, or auto",
    "autonomy.margin_assist": "how much worse than today it may be and still suggest",
    "autonomy.margin_promote": "how much better a challenger must be to become champion",
    "autonomy.blind_rate": "the share of reviews without its suggestion",
    "autonomy.tolerated_excess": "by what share errors may exceed the promise before it must notice",
    "autonomy.audit_floor": "the least share of its own answers that people check",
    "autonomy.audit_rate": "a fixed share instead of the computed one",
    "autonomy.notice": "how soon a doubled risk must be noticed, in time or wrong answers; sets the audit rate",
    "review.per_day": "reviews that people can do in a day",
    "review.answer_within": "how soon a case must be answered",
    "review.overdue": "hold, rules or escalate",
    "review.dissent": "record or correct the decision when an audit disagrees",
    "review.release_after": "how long a decision can be recalled",
    "review.wanted": "reviews by different people for each case",
    "retrain.every": "on a schedule",
    "retrain.after_labels": "after so many new labels",
    "retrain.on_drift": "when the inputs drift with effect",
    "traffic.mode": "champion, split (fixed shares), bandit (more for the better one) or contextual (case by case)",
    "traffic.unit": "the input whose values stay with one version; without it, each case is drawn for by itself",
    "traffic.share": "the share of cases that each challenger answers in a split",
    "traffic.floor": "the least share of a version in a bandit",
    "traffic.adverse": "true if a bandit may also choose who gives answers that hurt somebody, such as refusals",
}

EXAMPLES: dict[str, Any] = {
    "task.positive": "yes",
    "task.id": "claim_id",
    "task.time": "row order",
    "task.split_group": "customer_id",
    "task.subject": "customer_id",
    "task.tolerance": 10.0,
    "task.keep": "730d",
    "today.rules": [{"when": "amount < 100", "then": "pay"}],
    "today.column": "clerk_decision",
    "today.score": "risk_score",
    "data.source": "claims system, exported monthly",
    "data.licence": "CC-BY-4.0",
    "checks.must_pass": [{"inputs": {"amount": 0}, "answer": "no", "why": "nothing is claimed"}],
    "checks.must_pass_file": "claims-cases.csv",
    "checks.max_latency": "5ms",
    "checks.max_age": "90d",
    "checks.most_gap": 0.05,
    "checks.mute": [{"code": "US002", "why": "only ranks are used", "until": "2027-01-31"}],
    "truth.silence": "no",
    "mandate.owner": "head of claims",
    "mandate.expires": "2027-12-31",
    "autonomy.audit_rate": 0.05,
    "autonomy.notice": {"doubling_within": "7d"},
    "retrain.every": "30d",
    "retrain.after_labels": 1000,
    "traffic.unit": "customer_id",
}


def task_toml(task: Task, why: Mapping[str, str] | None = None) -> str:
    """The text of a task file, in which every key is commented and can be edited.

    Parameters
    ----------
    task : Task
    why : mapping of str to str, optional
        By key, why a proposed value was chosen.

    >>> from understudy.core.task_file import parse_task
    >>> from understudy.core.task import Autonomy, Decision
    >>> decision = Decision(name="late", question="Late?", target="late", kind="classification", goal="roc_auc")
    >>> task = Task(decision=decision, autonomy=Autonomy(max_error=0.05, confidence=0.95))
    >>> parse_task(task_toml(task)) == task
    True
    """
    reasons = why or {}
    blocks = []
    for section in msgspec.structs.fields(Task):
        name = section.encode_name
        body = getattr(task, section.name)
        lines = [f"# {SECTIONS[name]}", f"[{name}]"]
        for field in msgspec.structs.fields(body):
            value = msgspec.to_builtins(getattr(body, field.name))
            lines.append(key_line(f"{name}.{field.name}", value, reasons.get(field.name)))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def key_line(path: str, value: object, reason: str | None) -> str:
    """One key with its comment; a key without a value stands there as an example, commented out."""
    key = path.partition(".")[2]
    comment = COMMENTS[path] + (f"; proposed: {one_line(reason)}" if reason else "")
    if value is None or (path in EXAMPLES and value in ((), [])):
        return f"# {key} = {toml_value(EXAMPLES[path])}  # {comment}"
    return f"{key} = {toml_value(value)}  # {comment}"


def one_line(text: str) -> str:
    """The text without anything that could end a comment."""
    return "".join(sign if sign.isprintable() else " " for sign in text)


def toml_value(value: object) -> str:
    """A value in TOML; JSON's strings are TOML's basic strings, once DEL is escaped too.

    >>> toml_value({"a -> b": 1.0, "c": ["x", True]})
    '{ "a -> b" = 1.0, "c" = ["x", true] }'
    """
    if isinstance(value, dict):
        inner = ", ".join(f"{toml_value(key)} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)
