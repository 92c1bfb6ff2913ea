"""Where no threshold keeps the promise, how far off it is: each number once more, from the ledger by another route."""

import json
import math
import re

import numpy as np
import pytest
import sqlalchemy as sa

from conftest import claims
from flows.desk import ask, desk, other, said, tell
from understudy.flows.head import Library, load_head
from understudy.flows.learn import learn
from understudy.flows.status import task_status

CASES = claims(600, seed=13).drop("pay", "paid_amount")
NAMES = [f"c{number}" for number in range(CASES.height)]
TOLD = re.compile(
    r"(?:'(?P<first>\w+)': n|N)o threshold keeps (?P<goal>[\d.]+) %; the closest is (?P<kind>at most|about) "
    r"(?P<risk>[\d.]+) % at (?P<coverage>[\d.]+) % of (?:its cases|the cases to which it says '(?P<last>\w+)')"
)


@pytest.fixture
def library(ran, tmp_path) -> Library:
    """Every sixth answer is wrong, whatever its confidence: 5 % are out of reach."""
    found = desk(ran[0], tmp_path)
    ask(load_head(found, "claims"), NAMES, CASES)
    answers = said(found, NAMES)
    tell(found, NAMES, [other(answer) if place % 6 == 0 else answer for place, answer in enumerate(answers)])
    learn(found, "claims")
    return found


def lowest_refuted(loss: np.ndarray, gate: dict, place: int, thresholds: int) -> float:
    """The lowest risk that the gamblers at a threshold have refuted, by trying one risk after another."""
    best = 0.7 - 0.5 * min(place / (thresholds - 1) / 0.22, 1.0)
    near = [math.exp(-((math.log(bet / best) / 0.25) ** 2) / 2) for bet in gate["bets"]]
    shares = [0.9 * one / sum(near) + 0.1 / len(near) for one in near]
    order = 0.9 * (place + 1) ** -2 / sum(k**-2 for k in range(1, thresholds + 1)) + 0.1 / thresholds
    need = len(gate["sides"]) / gate["delta"] / order
    for risk in np.arange(0.0005, 1, 0.0005):
        owned = [math.prod(1 + bet * (risk - one) / (1 - risk) for one in loss) for bet in gate["bets"]]
        if sum(share * money for share, money in zip(shares, owned, strict=True)) >= need:
            return float(risk)
    return 1.0


@pytest.mark.parametrize("where", ["status", "sentence"])
def test_the_closest_threshold_is_what_the_ledger_says(library: Library, where: str) -> None:
    status = task_status(library.work, "claims")
    lines = status.far_off if where == "status" else status.sentence
    found = [match for text in lines if (match := TOLD.search(text))]
    assert found
    with library.work.store.reading() as connection:
        rows = connection.execute(
            sa.text("select side, confidence, loss from losses where eligible and role = 'champion' order by place")
        ).all()
        plan = json.loads(connection.execute(sa.text("select body from states where name = 'plans'")).scalar_one())
    gate = plan["gate"]
    for match in found:
        answer = match["first"] or match["last"]
        own = [row for row in rows if row.side == answer]
        grid = gate["grid"][gate["sides"].index(answer)]
        shares = [sum(row.confidence >= low for row in own) / len(own) for low in grid]
        places = [k for k, share in enumerate(shares) if f"{100 * share:.3g}" == match["coverage"]]
        assert places
        told = float(match["risk"]) / 100
        covered = [np.array([row.loss for row in own if row.confidence >= grid[place]]) for place in places]
        assert all(loss.mean() > 0.05 for loss in covered)
        if match["kind"] == "about":
            assert any(f"{100 * loss.mean():.3g}" == match["risk"] for loss in covered)
        else:
            bounds = [lowest_refuted(loss, gate, place, len(grid)) for loss, place in zip(covered, places, strict=True)]
            assert any(abs(bound - told) < 0.001 for bound in bounds)
        assert float(match["goal"]) == 5


def test_it_is_not_automated_and_no_number_of_looks_would_do(library: Library) -> None:
    status = task_status(library.work, "claims")
    assert status.level.value in ("shadow", "assist")
    assert any("no number of looks will do" in text for text in status.far_off)
    assert "Nothing is proven yet that it could decide by itself." in status.sentence
