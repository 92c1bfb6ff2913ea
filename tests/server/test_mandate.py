"""A mandate holds at every level, whatever the model is sure of: ten thousand cases, and none is decided beyond it."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from server.conftest import V1, Edit, Site, rows
from understudy.core.nouns import Level

EACH = 500
ROUNDS = 4
ANYTHING = {"yes": 0.0, "no": 0.0}


def granting(text: str) -> str:
    """A task file that lets the machine grant small claims, and goes as far up as there are levels."""
    return (
        text.replace("allow = []", 'allow = ["yes"]')
        .replace("limit = []", 'limit = ["amount < 300"]')
        .replace('max_level = "partial"', 'max_level = "full"')
    )


def expired(text: str) -> str:
    return text.replace("allow = []", 'expires = "2020-12-31"\nallow = []').replace('"partial"', '"full"')


def decided(site: Site, inputs: list[dict[str, str]], name: str) -> list[tuple[dict[str, str], dict[str, Any]]]:
    cases = [{"id": f"{name}-{place}", "inputs": row} for place, row in enumerate(inputs)]
    answer = site.service.post(f"{V1}/decisions", json={"cases": cases})
    assert answer.status_code == 200, answer.text
    return list(zip(inputs, answer.json()["cases"], strict=True))


def test_no_claim_is_refused_and_none_beyond_the_limit_is_granted_by_the_machine_in_ten_thousand(
    fresh: Callable[[Edit], Site],
) -> None:
    site = fresh(granting)
    inputs = rows(EACH * ROUNDS * len(Level), seed=7)
    automatic: Counter[Level] = Counter()
    asked = 0
    for level in Level:
        site.at(level, ANYTHING)
        for turn in range(ROUNDS):
            part = inputs[asked : asked + EACH]
            asked += len(part)
            for row, answer in decided(site, part, f"{level.value}-{turn}"):
                assert answer["level"] == level
                if answer["status"] == "pending":
                    assert answer["decision"] is None
                    assert answer["confidence"] is None
                    continue
                automatic[level] += 1
                assert answer["decision"] == "yes"
                assert float(row["amount"]) < 300
                assert answer["decided_by"] == "model"
    assert asked == 10_000
    assert set(automatic) == {Level.PARTIAL, Level.FULL}
    assert min(automatic.values()) > EACH * ROUNDS / 3
    assert site.owner.get(V1).json()["counts"]["by_model"] == automatic.total()


@pytest.mark.parametrize("amount", [300, "300", "300.0", 1e9, "3e2", "1,000", " 300 ", "", None, "NaN", -0.0, 299.99])
def test_an_amount_at_the_limit_or_missing_is_never_granted_however_it_is_written(
    site_at_full: Site, amount: Any
) -> None:
    inputs = rows(20, seed=9)
    for place, row in enumerate(inputs):
        answer = site_at_full.decide(row | {"amount": amount}, f"{amount!r} {place}").json()
        if "error" in answer:
            assert answer["error"]["faults"][0]["where"] == "amount"
        elif answer["status"] == "decided":
            assert amount in (-0.0, 299.99)
            assert answer["decision"] == "yes"


@pytest.fixture(scope="module")
def site_at_full(sites: Callable[[Edit], Site]) -> Site:
    site = sites(granting)
    site.at(Level.FULL)
    return site


def test_a_mandate_that_has_expired_gives_no_automatic_answer(fresh: Callable[[Edit], Site]) -> None:
    site = fresh(expired)
    for level in (Level.PARTIAL, Level.FULL):
        site.at(level, ANYTHING)
        for _, answer in decided(site, rows(EACH), level.value):
            assert answer["status"] == "pending"
            assert "mandate_expired" in answer["reasons"]
