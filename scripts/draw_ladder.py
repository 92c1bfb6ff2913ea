"""Draws the ladder of the demo's rehearsal, the picture in README: docs/ladder.svg."""

from __future__ import annotations

import tempfile
from pathlib import Path

from understudy.evaluation.rehearsal import Backtest
from understudy.flows.demo import find_flights, rehearse_year
from understudy.models.search import Budget
from understudy.reports.timeline import ladder_chart

PICTURE = Path(__file__).parent.parent / "docs" / "ladder.svg"
TRIALS = 4
WIDTH, HEIGHT, LEFT, TOP = 1080, 520, 40, 76
STYLE = """svg { --model: #1f6f8b; --other: #b7791f; --line: #d9d6cd; --paper: #fbfaf7; color: #1f2430;
  font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  svg { --model: #6cc0dc; --other: #e2b45c; --line: #373c45; --paper: #15181d; color: #e7e5df; } }"""


def rehearsed() -> Backtest:
    """The demo's rehearsal, from nothing."""
    with tempfile.TemporaryDirectory() as place:
        tell = [].append
        return rehearse_year(find_flights(), Path(place), Budget(trials=TRIALS), 0, tell, lambda *_: None)


def picture(result: Backtest) -> str:
    """The chart on paper of its own, so that it can be shown as an image."""
    wrong = result.errors.overall.error or 0.0
    said = f"{result.share:.0%} of the year's flights decided by itself, {100 * wrong:.1f} of 100 wrong"
    promise = f"promised: at most {100 * result.errors.max_error:g} of 100"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">
<style>{STYLE}</style>
<rect width="{WIDTH}" height="{HEIGHT}" fill="var(--paper)"/>
<text x="{LEFT}" y="38" font-size="22" font-weight="600" fill="currentColor">{said}</text>
<text x="{LEFT}" y="62" font-size="14" fill="currentColor" opacity=".7">{promise}</text>
<g transform="translate({LEFT} {TOP})">{ladder_chart(result)}</g>
</svg>
"""


if __name__ == "__main__":
    PICTURE.write_text(picture(rehearsed()), encoding="utf-8")
