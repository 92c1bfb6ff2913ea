"""A race of recipes under a budget of time, or of trials where it must be repeatable."""

from __future__ import annotations

from understudy.models.search.entry import entrants, known_settings
from understudy.models.search.judging import loss
from understudy.models.search.race import (
    NO_JOURNAL,
    Budget,
    Fitting,
    Fold,
    Found,
    Journal,
    Line,
    Race,
    Replay,
    Standing,
    Strategy,
    Trial,
)
from understudy.models.search.run import refit, search

__all__ = [
    "NO_JOURNAL",
    "Budget",
    "Fitting",
    "Fold",
    "Found",
    "Journal",
    "Line",
    "Race",
    "Replay",
    "Standing",
    "Strategy",
    "Trial",
    "entrants",
    "known_settings",
    "loss",
    "refit",
    "search",
]
