"""An error is taken apart by stages: a broken one owns what it was made to own, and the shares add up."""

from itertools import pairwise, permutations

import msgspec
import numpy as np
import pytest

from evidence.promises import kept
from understudy.evaluation.stages import Stages, decompose, stage_actions, subsets
from understudy.reports.chapters.stages import stages_chapter
from understudy.reports.stage_charts import stage_chart, waterfall

N = 4000
STAGES = ("reading", "sorting", "rating")


def world(rng: np.random.Generator, n: int = N, *, corrupt: float = 0.15, rest: float = 0.05) -> dict[str, np.ndarray]:
    """Three stages: sorting is off in 15 % of the cases, the others in none; the decision itself is wrong in 5 %."""
    return {
        "reading": np.zeros(n, dtype=bool),
        "sorting": rng.random(n) < corrupt,
        "rating": np.zeros(n, dtype=bool),
        "itself": rng.random(n) < rest,
    }


def wrong_in(off: dict[str, np.ndarray]):
    """A decision is wrong where any stage is off, or it errs by itself."""

    def wrong(perfect: frozenset[str]) -> np.ndarray:
        bad = off["itself"].copy()
        for name, mask in off.items():
            if name != "itself" and name not in perfect:
                bad = bad | mask
        return bad.astype(float)

    return wrong


def taken_apart(off: dict[str, np.ndarray], **given: object) -> Stages:
    differs = {name: float(mask.mean()) for name, mask in off.items() if name != "itself"}
    return decompose(wrong_in(off), differs, **given)


def test_the_broken_stage_owns_what_it_was_made_to_own() -> None:
    off = world(np.random.default_rng(0))
    found = taken_apart(off)
    first = found.ranked[0]
    caused = (off["sorting"] & ~off["itself"]).mean()
    assert first.name == "sorting"
    assert first.owns.estimate == pytest.approx(caused)
    assert found.share(first) == pytest.approx(caused / (off["sorting"] | off["itself"]).mean())
    assert found.rest.estimate == off["itself"].mean()
    assert [one.owns.estimate for one in found.found if one.name != "sorting"] == [0, 0]
    assert [one.kind + " " + one.subject for one in stage_actions(found)] == ["fix stage sorting"]
    assert stage_actions(found)[0].gain == first.alone


def test_the_shares_and_the_rest_add_up_to_the_error() -> None:
    rng = np.random.default_rng(1)
    off = {name: rng.random(N) < 0.1 for name in (*STAGES, "itself")}
    found = taken_apart(off)
    assert sum(one.owns.estimate for one in found.found) + found.rest.estimate == pytest.approx(found.error.estimate)
    assert found.found[-1].left.estimate == found.rest.estimate


def by_hand(off: dict[str, np.ndarray]) -> dict[str, float]:
    """The mean gain of each stage over all orders, by a plain loop over orders and cases."""
    wrong = wrong_in(off)
    names = [name for name in off if name != "itself"]
    gains = dict.fromkeys(names, 0.0)
    orders = list(permutations(names))
    for order in orders:
        perfect: frozenset[str] = frozenset()
        for name in order:
            before = sum(wrong(perfect))
            perfect |= {name}
            gains[name] += (before - sum(wrong(perfect))) / len(orders) / len(off["itself"])
    return gains


def test_shares_are_means_over_all_orders() -> None:
    rng = np.random.default_rng(2)
    off = {
        name: rng.random(300) < chance for name, chance in zip((*STAGES, "itself"), (0.3, 0.2, 0.1, 0.1), strict=True)
    }
    found = taken_apart(off)
    assert {one.name: one.owns.estimate for one in found.found} == pytest.approx(by_hand(off))


def truth_of(corrupt: tuple[float, float, float], rest: float) -> dict[str, float]:
    """What each stage owns in the long run."""
    rng = np.random.default_rng(99)
    off = {
        name: rng.random(400_000) < chance for name, chance in zip((*STAGES, "itself"), (*corrupt, rest), strict=True)
    }
    return {one.name: one.owns.estimate for one in taken_apart(off).found}


def test_the_bounds_of_all_stages_hold_together_and_would_not_each_by_itself() -> None:
    chances, rest = (0.15, 0.05, 0.1), 0.1
    truth, missed, alone = truth_of(chances, rest), [], []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        off = {
            name: rng.random(400) < chance for name, chance in zip((*STAGES, "itself"), (*chances, rest), strict=True)
        }
        found = taken_apart(off)
        missed.append(any(not one.owns.lower <= truth[one.name] <= one.owns.upper for one in found.found))
        third = taken_apart(off, alpha=0.15)  # what each bound would be if it stood alone
        alone.append(any(not one.owns.lower <= truth[one.name] <= one.owns.upper for one in third.found))
    assert kept(np.array(missed), 0.05)
    assert not kept(np.array(alone), 0.05)


def redrawn(base: np.ndarray, again: dict[str, np.ndarray], drawn: dict[str, np.ndarray]):
    """The truth of a stage draws some decisions once more, no better and no worse."""

    def wrong(perfect: frozenset[str]) -> np.ndarray:
        loss = base
        for name in sorted(perfect):
            loss = np.where(again[name], drawn[name], loss)
        return loss.astype(float)

    return wrong


def test_stages_that_win_nothing_are_seldom_named() -> None:
    named = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        again = {name: rng.random(500) < 0.1 for name in STAGES}
        drawn = {name: rng.random(500) < 0.3 for name in STAGES}
        wrong = redrawn(rng.random(500) < 0.3, again, drawn)
        named.append(bool(stage_actions(decompose(wrong, dict.fromkeys(STAGES, 0.1)))))
    assert kept(np.array(named), 0.025)


def test_many_stages_are_mended_in_the_order_given() -> None:
    rng = np.random.default_rng(3)
    off = {f"s{place}": rng.random(200) < 0.05 for place in range(8)} | {"itself": rng.random(200) < 0.1}
    found = taken_apart(off)
    assert found.way == "in order"
    assert len(subsets([f"s{place}" for place in range(8)], every=False)) == 15
    assert sum(one.owns.estimate for one in found.found) + found.rest.estimate == pytest.approx(found.error.estimate)
    assert found.found[0].owns.estimate == pytest.approx(found.error.estimate - found.found[0].left.estimate)
    assert "in the order" not in found.sentence


def test_a_truth_that_misleads_the_model_owns_less_than_nothing_and_the_picture_bears_it() -> None:
    found = decompose(lambda perfect: np.full(100, 0.4 if "reading" in perfect else 0.2), {"reading": 0.5})
    assert found.found[0].owns.estimate == pytest.approx(-0.2)
    assert stage_actions(found) == ()
    assert "No stage is shown" in found.sentence
    assert stage_chart(found).startswith("<svg")


def test_a_result_survives_being_stored() -> None:
    found = taken_apart(world(np.random.default_rng(0)), unknown=7)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Stages) == found


def test_the_waterfall_goes_from_the_error_to_the_rest() -> None:
    rng = np.random.default_rng(4)
    off = {name: rng.random(N) < 0.1 for name in (*STAGES, "itself")}
    found = taken_apart(off)
    rows = waterfall(found)
    assert rows[0]["high"] == found.error.estimate
    assert rows[-1]["high"] == found.rest.estimate
    for above, below in pairwise(rows[1:-1]):
        assert above["low"] == pytest.approx(below["high"])
    assert rows[-2]["low"] == pytest.approx(rows[-1]["high"])


def test_the_chapter_tells_the_share_and_what_was_left_out() -> None:
    chapter = stages_chapter(taken_apart(world(np.random.default_rng(0)), unknown=12))
    assert chapter.lede.startswith("Of the stages, sorting owns most")
    assert "12 cases were left out" in str(chapter.parts[-1])
    table = chapter.parts[1]
    assert all(len(row) == len(table.columns) for row in table.rows)


@pytest.mark.parametrize(
    ("wrong", "differs", "said"),
    [
        (lambda _: np.zeros(3), {}, "there is none"),
        (lambda _: np.zeros(0), {"a": 0.0}, "none with a known truth"),
        (lambda _: np.array([0.0, 2.0]), {"a": 0.0}, "lies in"),
        (lambda _: np.array([0.0, np.nan]), {"a": 0.0}, "lies in"),
    ],
)
def test_what_cannot_be_taken_apart_is_refused(wrong: object, differs: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decompose(wrong, differs)


def test_where_nothing_is_wrong_nothing_is_owned() -> None:
    found = decompose(lambda _: np.zeros(50), {"a": 0.0})
    assert found.share(found.found[0]) == 0.0
    assert stage_actions(found) == ()
    assert stages_chapter(found).parts
