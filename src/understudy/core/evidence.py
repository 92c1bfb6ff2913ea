"""The one statement that every statistic returns."""

from __future__ import annotations

import msgspec


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A statistical statement about one number.

    Attributes
    ----------
    estimate, lower, upper : float
        The estimate and its bounds.
    confidence : float
        The chance, over repetitions, that the bounds hold the true value, in (0, 1).
    n : int
        How many independent observations it rests on.
    method : str
        How the bounds were computed, in the field's words.
    anytime : bool
        Whether the bounds hold at any stopping time, or for one look only.
    """

    estimate: float
    lower: float
    upper: float
    confidence: float
    n: int
    method: str
    anytime: bool = False
