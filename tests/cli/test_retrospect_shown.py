"""What a terminal shows of past decisions."""

import pytest

from understudy.cli.backtest import show_retrospect
from understudy.core.evidence import Evidence
from understudy.core.nouns import Level
from understudy.evaluation.retrospect import NEVER, Compared, Retrospect, Side

ERROR = Evidence(estimate=0.416, lower=0.38, upper=0.45, confidence=0.95, n=700, method="by hand")


def test_it_tells_who_achieves_what_what_that_justifies_and_why_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    found = Retrospect(
        held_out=720,
        cases=700,
        hidden=12,
        aside={"break the contract": 20},
        ways=(
            Compared(way="model", name="the model", error=ERROR),
            Compared(way="person", name="today's [clerk]", error=ERROR, lead=ERROR),
        ),
        sides=(Side(answer="refuse", cases=80, error=None),),
        today="today's [clerk]",
        level=Level.SHADOW,
        reasons=("Because.",),
        notes=("Noted.",),
    )
    show_retrospect(found)
    said = capsys.readouterr().out
    for part in (
        "700 cases",
        "today's [clerk]",
        "58.4",
        "55 to 62",
        "20 break the contract",
        "12 have no outcome",
        "'refuse' would have been its answer in 80 cases: nothing is said of them.",
        "History justifies shadow",
        "Because.",
        NEVER,
        "Noted.",
    ):
        assert part in said
