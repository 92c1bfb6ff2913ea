"""A task: one decision to learn, and what is asked of it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from understudy.core.nouns import Kind, Level

Share = Annotated[float, Meta(ge=0, le=1)]
OpenShare = Annotated[float, Meta(gt=0, lt=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Duration = Annotated[
    str, Meta(pattern=r"^[0-9]+(m|h|d|w)$", description='a duration such as "90m", "12h", "30d" or "2w"')
]
Date = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", description='a date such as "2027-01-31"')
]
Latency = Annotated[
    str, Meta(pattern=r"^[0-9]+(\.[0-9]+)?(us|ms|s)$", description='a time such as "5ms", "200us" or "1s"')
]
CasesFile = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}\.csv$",
        description='the name of a CSV file beside the task file, such as "claims-cases.csv"',
    ),
]
CheckCode = Annotated[str, Meta(pattern=r"^US[0-9]{3}$", description="a check code such as US002")]
Word = Annotated[str, Meta(min_length=1)]
Direction = Literal["rises", "falls"]
Goal = Literal["roc_auc", "pr_auc", "log_loss", "brier", "accuracy", "f1", "rmse", "mae", "r2"]

UNTIMED = "none"
"""What `time` says where the order of the rows means nothing, however it may look."""

MICROSECONDS = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
LATENCIES = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@cache
def duration(text: str) -> int:
    """A duration in microseconds.

    >>> duration("2h") // 1_000_000
    7200
    """
    return int(text[:-1]) * MICROSECONDS[text[-1]]


@cache
def latency(text: str) -> float:
    """A latency in seconds.

    >>> latency("5ms"), latency("1.5s")
    (0.005, 1.5)
    """
    number = text.rstrip("ums")
    return float(number) * LATENCIES[text[len(number) :]]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of a task file."""


class Rule(Section, frozen=True, kw_only=True):
    """A rule of today: where the SQL condition `when` holds, the answer is `then`."""

    when: Word
    then: Word


class Today(Section, frozen=True, kw_only=True):
    """What decides today: rules, one or several columns with human decisions, an existing score, or nothing of these.

    Where one decision stands in several rows of a case, `column` names it, and `[task] id` says which rows belong
    together.
    """

    rules: tuple[Rule, ...] = ()
    column: Word | None = None
    columns: tuple[Word, ...] = ()
    score: Word | None = None


class Cost(Section, frozen=True, kw_only=True):
    """What a mistake costs, by "truth -> answer", and what a review costs, in any one currency."""

    mistakes: dict[str, NotNegative] = {}
    review: NotNegative = 1.0


class Model(Section, frozen=True, kw_only=True):
    """What is known of the model beforehand.

    `monotone` names columns with which the number, or the probability of the positive answer, may only rise or only
    fall, all else being equal. `stages` names the earlier stages that some inputs come from, in the order in which they
    work: for each, the columns that it gives and the columns with their true values, which are known only afterwards.
    In an adopted scikit-learn `Pipeline` a step may be named instead, with its output features.
    """

    monotone: Annotated[dict[Word, Direction], Meta(description='columns, each "rises" or "falls"')] = {}
    stages: Annotated[
        dict[Word, Annotated[dict[Word, Word], Meta(min_length=1)]],
        Meta(description='stages, each with its columns and their truth: { ocr = { read = "true" } }'),
    ] = {}

    @property
    def truths(self) -> tuple[str, ...]:
        """The columns with what the stages should have given."""
        return tuple(dict.fromkeys(truth for columns in self.stages.values() for truth in columns.values()))


class Truth(Section, frozen=True, kw_only=True):
    """What counts as truth, when a missing answer is final, what silence means, and which answers hide the truth."""

    source: Literal["outcome", "review", "blind_review"] = "outcome"
    mature_after: Duration = "30d"
    silence: Word | None = None
    hides_outcome: tuple[Word, ...] = ()


class Data(Section, frozen=True, kw_only=True):
    """Where the data comes from, and what allows its use."""

    source: Word | None = None
    licence: Word | None = None


class Mute(Section, frozen=True, kw_only=True, omit_defaults=True):
    """A go-live check that does not block: which, why, and until which day (for good where none is named)."""

    code: CheckCode
    why: Word
    until: Date | None = None


class MustPass(Section, frozen=True, kw_only=True, omit_defaults=True):
    """A case whose answer is not for a model to choose: these inputs, this answer, and why.

    `tolerance` is how far a number may be off; by default the task's.
    """

    inputs: dict[Word, str | float | int | bool]
    answer: str | float | int | bool
    why: Word
    tolerance: NotNegative | None = None


class Checks(Section, frozen=True, kw_only=True):
    """What is asked of a version before it watches, beyond what is asked of every one."""

    must_pass: tuple[MustPass, ...] = ()
    must_pass_file: CasesFile | None = None
    max_latency: Latency | None = None
    max_age: Duration | None = None
    most_gap: Annotated[
        Share | None, Meta(description="how much more often it may be wrong for a group than for all others")
    ] = None
    mute: tuple[Mute, ...] = ()

    def muted(self, at: int) -> tuple[Mute, ...]:
        """The mutes that hold at a moment (microseconds since 1970 UTC); their last day is one of them."""
        day = datetime.fromtimestamp(at / 1e6, UTC).date().isoformat()
        return tuple(mute for mute in self.mute if mute.until is None or day <= mute.until)


class Mandate(Section, frozen=True, kw_only=True):
    """What the machine may answer by itself (empty: anything), for which cases, by whose leave and until when."""

    allow: tuple[Word, ...] = ()
    limit: tuple[Word, ...] = ()
    never: tuple[Word, ...] = ()
    owner: Word | None = None
    expires: Date | None = None


class Notice(Section, frozen=True, kw_only=True, omit_defaults=True):
    """How soon a doubling of the promised risk must be noticed: within a time, or before so many wrong answers."""

    doubling_within: Duration | None = None
    doubling_before: Annotated[int, Meta(ge=1)] | None = None


class Autonomy(Section, frozen=True, kw_only=True):
    """The promise, and how far automation may go on it; `max_error` and `confidence` have no default."""

    max_error: OpenShare
    confidence: Annotated[float, Meta(gt=0.5, lt=1)]
    min_coverage: OpenShare = 0.1
    strange_limit: OpenShare = 0.99
    groups: Literal["whole", "shared", "own"] = "whole"
    max_level: Level = Level.PARTIAL
    step_up: Literal["ask", "auto"] = "ask"
    margin_assist: Share = 0.0
    margin_promote: Share = 0.0
    blind_rate: OpenShare = 0.2
    tolerated_excess: Positive = 0.1
    audit_floor: OpenShare = 0.02
    audit_rate: OpenShare | None = None
    notice: Annotated[Notice, Meta(description='{ doubling_within = "7d" } or { doubling_before = 50 }')] | None = None


class Review(Section, frozen=True, kw_only=True):
    """How many cases people can review, how fast, and what happens to those that wait too long."""

    per_day: Annotated[int, Meta(ge=0)] = 100
    answer_within: Duration = "1d"
    overdue: Literal["hold", "rules", "escalate"] = "hold"
    dissent: Literal["record", "correct"] = "record"
    release_after: Duration = "0m"
    wanted: Annotated[int, Meta(ge=1, le=10)] = 1


class Traffic(Section, frozen=True, kw_only=True):
    """How the versions share the cases: the champion answers all, or challengers answer some of them."""

    mode: Literal["champion", "split", "bandit", "contextual"] = "champion"
    unit: Word | None = None
    share: Annotated[float, Meta(gt=0, lt=0.5)] = 0.1
    floor: Annotated[float, Meta(gt=0, lt=0.5)] = 0.05
    adverse: bool = False


class Retrain(Section, frozen=True, kw_only=True):
    """When a new version is trained: on a schedule, after so many new labels, on drift, or only by hand."""

    every: Duration | None = None
    after_labels: Annotated[int, Meta(ge=1)] | None = None
    on_drift: bool = False


class Decision(Section, frozen=True, kw_only=True):
    """The section [task]: what is decided, and which columns say what.

    Attributes
    ----------
    name : str
        Lower-case letters, digits, `-` and `_`.
    question : str
        What is asked, as one asks a person.
    target : str
        The column with the answer, or a SQL expression over columns.
    kind : {"classification", "regression"}
    positive : str, optional
        The positive answer of two.
    id, time, split_group, subject : str, optional
        The case's id; when it happened (a column, an expression, "row order", or "none" where rows have no order);
        rows that must not be parted; the person whom it is about.
    after : tuple of str
        Columns that are known only afterwards.
    drop : tuple of str
        Columns to leave out for other reasons.
    use : tuple of str
        Columns to use although they look like identifiers or leaks.
    goal : str
        The metric to be good at.
    tolerance : float, optional
        For numbers, how far an answer may be off and still be right, in the target's unit.
    groups : tuple of str
        Columns by which fairness is checked and certificates may be divided.
    keep : str, optional
        How long cases are kept.
    """

    name: Annotated[
        str,
        Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$", description="a name of lower-case letters, digits, - and _"),
    ]
    question: Word
    target: Word
    kind: Kind
    positive: Word | None = None
    id: Word | None = None
    time: Word | None = None
    split_group: Word | None = None
    subject: Word | None = None
    after: tuple[Word, ...] = ()
    drop: tuple[Word, ...] = ()
    use: tuple[Word, ...] = ()
    goal: Goal
    tolerance: Positive | None = None
    groups: tuple[Word, ...] = ()
    keep: Duration | None = None

    @property
    def when(self) -> str | None:
        """The time of a case; None also where the task says that there is none."""
        return None if self.time == UNTIMED else self.time


class Task(Section, frozen=True, kw_only=True):
    """One decision to learn, as its file describes it; each attribute is a section, `decision` is [task]."""

    decision: Decision = msgspec.field(name="task")
    today: Today = Today()
    data: Data = Data()
    model: Model = Model()
    checks: Checks = Checks()
    cost: Cost = Cost()
    truth: Truth = Truth()
    mandate: Mandate = Mandate()
    autonomy: Autonomy
    review: Review = Review()
    retrain: Retrain = Retrain()
    traffic: Traffic = Traffic()

    @property
    def name(self) -> str:
        """The task's name."""
        return self.decision.name
