"""Frozen values that every room speaks of."""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Literal

import msgspec

Kind = Literal["classification", "regression"]


class Level(enum.StrEnum):
    """How much the machine may decide (the automation level), from nothing to all but strange cases."""

    HUMAN = "human"
    SHADOW = "shadow"
    ASSIST = "assist"
    PARTIAL = "partial"
    FULL = "full"

    @property
    def height(self) -> int:
        """How far up the ladder it stands: 0 for `human`, 4 for `full`."""
        return HEIGHTS[self._value_]


HEIGHTS = {level.value: height for height, level in enumerate(Level)}


class Decider(enum.StrEnum):
    """Who decided a case."""

    MODEL = "model"
    PERSON = "person"
    RULE = "rule"


class Role(enum.StrEnum):
    """What a caller may do.

    `service` asks for decisions and reports outcomes, `reviewer` decides cases, `operator` watches, stops and steps
    down, `owner` also steps up, `auditor` reads everything and changes nothing.
    """

    SERVICE = "service"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    OWNER = "owner"
    AUDITOR = "auditor"


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """How versions share the cases from `assist` on.

    Attributes
    ----------
    epoch : int
        The one in which it holds. Whatever opens another ends it, and the champion answers all.
    shares : dict of float
        By version, the champion among them, the probability with which a case is given to it; 1 in all.
    thresholds : dict of dict of float
        By challenger and answer, the confidence from which it may give the answer by itself; others may not.
    gamma : float
        How strongly a case goes to the version that is expected to lose less on it. At 0 the shares hold for every
        case; above, they are what they would be if all were expected to lose the same.
    offsets : dict of float
        By version, how much more it has lost per case than it expected.
    """

    epoch: int
    shares: dict[str, float]
    thresholds: dict[str, dict[str, float]] = {}
    gamma: float = 0.0
    offsets: dict[str, float] = {}


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """What decides now.

    Attributes
    ----------
    revision : int
        Counts the moves of a task; a case is decided under the revision that its own transaction read.
    level : Level
    champion : str
        The version that answers; empty where there is none.
    challengers : tuple of str
        Versions that predict beside it; silently, unless they share its cases.
    traffic : Traffic, optional
        How they share them; None where the champion answers all.
    thresholds : dict of float
        By answer, the confidence from which the model may give it by itself; answers that are not there, it may not
        give. For numbers the one key is `*`.
    raised_from : dict of float
        What the thresholds were before a suspicion raised them; empty where none did.
    strange_limit, audit_rate, blind_rate : float
    paused : bool
        Whether automation has been stopped by hand.
    task_revision : int
        The revision of the task file that holds.
    epoch : int
        Counts the frozen configurations within which evidence adds up.
    """

    revision: int = 0
    level: Level = Level.HUMAN
    champion: str = ""
    challengers: tuple[str, ...] = ()
    traffic: Traffic | None = None
    thresholds: dict[str, float] = {}
    raised_from: dict[str, float] = {}
    strange_limit: float = 1.0
    audit_rate: float = 1.0
    blind_rate: float = 1.0
    paused: bool = False
    task_revision: int = 0
    epoch: int = 0


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the deployment, with its reasons in words and numbers.

    Attributes
    ----------
    kind : str
        What it is: `shadow`, `step_up`, `step_down`, `override`, `pause`, `resume`, `rollback`, `traffic`, `applied`, …
    to : Deployment
        What is deployed afterwards; its revision is given when it is made.
    reasons : tuple of str
    """

    kind: str
    to: Deployment
    reasons: tuple[str, ...]


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody did with a case.

    Attributes
    ----------
    seq, case_seq : int
    user : str
    kind : {"decide", "audit", "lookback", "caller", "rule"}
        Whether a reviewer decided it, audited it or looked at it once more after a step down, the caller's own people
        decided it, or the rules of today did.
    action : {"decide", "skip", "undo"}
    value : str, optional
        The answer that was given.
    blind : bool
        Whether nothing of the model was shown.
    shown_version : str, optional
        Whose suggestion was shown.
    note : str, optional
    opened_at, at : int
        When it was opened and when it was done, in microseconds since 1970 UTC.
    supersedes : int, optional
        The record that no longer holds.
    """

    seq: int
    case_seq: int
    user: str
    kind: str
    action: str
    value: str | None
    blind: bool
    shown_version: str | None
    note: str | None
    opened_at: int | None
    at: int
    supersedes: int | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the append-only, hash-chained event log of a task."""

    seq: int
    at: int
    actor: str
    kind: str
    body: dict[str, object]
    previous: str
    hash: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One go-live check of a version.

    Attributes
    ----------
    code : str
        Stable code, `US001` and so on.
    name : str
        What was checked, in a few words.
    verdict : {"pass", "warn", "fail"}
    detail : str
        The verdict in one sentence, with its figures.
    figures : dict
        The figures by name.
    severity : {"blocking", "warning", "note"}
        What it weighs. A failed check that blocks keeps the version out of `shadow`, unless a person overrides it; a
        note says what nobody asked for, or what cannot be told.
    subjects : tuple of str
        What the verdict is about, such as the columns that leak.
    advice : str
        What to do about it, as an imperative sentence without a full stop; empty where nothing needs to be done.
    """

    code: str
    name: str
    verdict: Literal["pass", "warn", "fail"]
    detail: str
    figures: dict[str, float] = {}
    severity: Literal["blocking", "warning", "note"] = "blocking"
    subjects: tuple[str, ...] = ()
    advice: str = ""

    @property
    def blocks(self) -> bool:
        """Whether it keeps the version out of `shadow`."""
        return self.verdict == "fail" and self.severity == "blocking"

    @property
    def page(self) -> str:
        """Where the documentation explains it.

        >>> Check(code="US020", name="", verdict="pass", detail="").page
        'checks/#us020'
        """
        return f"checks/#{self.code.lower()}"


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """A failed check that somebody has overridden for one version, so that it may watch all the same.

    Attributes
    ----------
    version : str
    check : Check
        As it failed.
    actor : str
        Who did it.
    reason : str
    at : int
        When, in microseconds since 1970 UTC.
    """

    version: str
    check: Check
    actor: str
    reason: str
    at: int

    @property
    def words(self) -> str:
        """The override in a sentence."""
        day = datetime.fromtimestamp(self.at / 1_000_000, tz=UTC).date()
        failed = f"{self.check.code} {self.check.name} failed: {self.check.detail}"
        return f"{failed} Overridden by {self.actor} on {day}: {self.reason}"
