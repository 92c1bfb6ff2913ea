"""Figures carry the decimals that their intervals support."""

import pytest

from understudy.core.evidence import Evidence
from understudy.evaluation.words import with_bounds


@pytest.mark.parametrize(
    ("estimate", "lower", "upper", "words"),
    [
        (0.89, 0.882, 0.8977, "0.8900 (0.8820 to 0.8977)"),
        (62370.4, 60110.0, 64590.9, "62,370 (60,110 to 64,591)"),
        (0.5, 0.5, 0.5, "0.5000 (0.5000 to 0.5000)"),
        (-1e-9, -0.0008, 0.0, "0.00000 (-0.00080 to 0.00000)"),
        (0.249993, 0.249929, 0.250062, "0.2500 (0.2499 to 0.2501)"),
        (0.00042, 0.00031, 0.00055, "0.00042 (0.00031 to 0.00055)"),
    ],
)
def test_decimals_follow_the_width(estimate: float, lower: float, upper: float, words: str) -> None:
    evidence = Evidence(estimate=estimate, lower=lower, upper=upper, confidence=0.95, n=1, method="given")
    assert with_bounds(evidence) == words
