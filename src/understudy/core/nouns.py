"""Frozen values that every room speaks of."""

from __future__ import annotations

import enum
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


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A change of level or champion, with its reasons in words and numbers."""

    kind: str
    level: Level
    champion: str
    reasons: tuple[str, ...]


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
        `fail` keeps the version out of `shadow`.
    detail : str
        The verdict in one sentence, with its figures.
    figures : dict
        The figures by name.
    """

    code: str
    name: str
    verdict: Literal["pass", "warn", "fail"]
    detail: str
    figures: dict[str, float] = {}
