"""An action: something that could be done about a model, what it would win, and what it rests on."""

from __future__ import annotations

from typing import Literal

import msgspec

from understudy.core.evidence import Evidence

Kind = Literal[
    "fix leak",
    "fix check",
    "clean labels",
    "collect data",
    "add feature",
    "drop feature",
    "drop step",
    "regularise",
    "use a larger model",
    "change threshold",
    "split off",
    "fix stage",
    "fix bias",
    "fix group",
    "watch group",
]
Effort = Literal["minutes", "hours", "days", "weeks"]


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the worklist.

    Gains are in one unit, so that rows compare: of all cases, the share that would no longer be decided wrongly (for
    numbers: no longer beyond the tolerance).

    Attributes
    ----------
    kind : Kind
    subject : str
        What it is about, in a few words that stay the same from version to version, such as a column or a slice.
    what : str
        What to do, as an imperative sentence without a full stop.
    why : str
        What it rests on, one or two sentences with their figures.
    gain : Evidence, optional
        Wrong decisions per case that it would avoid, of all cases; None where that cannot be told.
    share : float, optional
        The share of all cases that it touches.
    effort : Effort
        What such a thing usually takes; a user may set it otherwise.
    chapter : str
        The chapter of the report with the evidence; see `understudy.reports.chapter`.
    blocking : bool
        Whether a go-live check fails on it.
    gap : float, optional
        Of the cases that it touches, how much more often the model is wrong than people are.
    mandate : str
        A condition for `[mandate] never` that hands these cases to people; empty where there is none.
    """

    kind: Kind
    subject: str
    what: str
    why: str
    gain: Evidence | None = None
    share: float | None = None
    effort: Effort = "hours"
    chapter: str = ""
    blocking: bool = False
    gap: float | None = None
    mandate: str = ""
