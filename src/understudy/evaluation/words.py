"""Figures as people read them: no more decimals than their intervals support."""

from __future__ import annotations

import math

from understudy.core.evidence import Evidence

USUAL = 4
MOST = 6
SMALL = 0.01
THOUSAND = 1000


def decimals(evidence: Evidence) -> int:
    """How many decimals an interval supports: two significant digits of half its width, four at most if not tiny."""
    half = (evidence.upper - evidence.lower) / 2
    most = MOST if 0 < abs(evidence.estimate) < SMALL else USUAL
    return most if half <= 0 else min(most, max(0, 1 - math.floor(math.log10(half))))


def rounded(value: float, places: int) -> str:
    """A number with so many decimals, thousands parted, and no minus before a zero.

    >>> rounded(-0.00001, 3), rounded(46123.7, 0)
    ('0.000', '46,124')
    """
    return f"{round(value, places) + 0.0:,.{places}f}"


def figure(value: float) -> str:
    """A number of any size with four significant digits, thousands parted.

    >>> figure(168_493.7), figure(0.02345678), figure(-91_640.0)
    ('168,500', '0.02346', '-91,640')
    """
    short = float(f"{value:.4g}")
    return f"{short:,.0f}" if abs(short) >= THOUSAND else f"{short:.4g}"


def estimate(evidence: Evidence) -> str:
    """An estimate with the decimals that its interval supports.

    >>> estimate(Evidence(estimate=0.89, lower=0.882, upper=0.8977, confidence=0.95, n=900, method="bootstrap"))
    '0.8900'
    """
    return rounded(evidence.estimate, decimals(evidence))


def bounds(evidence: Evidence) -> str:
    """An interval with the decimals that its width supports.

    >>> bounds(Evidence(estimate=26714, lower=25986.2, upper=27467.1, confidence=0.95, n=900, method="bootstrap"))
    '25,986 to 27,467'
    """
    places = decimals(evidence)
    return f"{rounded(evidence.lower, places)} to {rounded(evidence.upper, places)}"


def with_bounds(evidence: Evidence) -> str:
    """An estimate with its bounds in brackets."""
    return f"{estimate(evidence)} ({bounds(evidence)})"
