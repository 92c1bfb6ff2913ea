"""What looks say since the audit rate, or how sure it must be, was last changed."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from evidence.promises import batches, cuts
from understudy.autonomy.watch import Watch, fold_watch
from understudy.core.nouns import Deployment

NONE = np.zeros(3, dtype=bool)


def test_another_rate_begins_anew() -> None:
    state = fold_watch(Watch(), np.full(3, 0.2), NONE[:3], np.array([1.0, 0.0, 0.0]))
    assert (state, state.mean) == (Watch(rate=0.2, looks=3, loss=1.0), 1 / 3)
    assert fold_watch(state, np.full(1, 0.2), NONE[:1], np.ones(1)).looks == 4
    assert fold_watch(state, np.full(1, 0.1), NONE[:1], np.ones(1)) == Watch(rate=0.1, looks=1, loss=1.0)
    assert fold_watch(state, np.array([0.1, 0.2]), NONE[:2], np.zeros(2)) == Watch(rate=0.2, looks=1, loss=0.0)
    assert fold_watch(state, np.empty(0), NONE[:0], np.empty(0)) == state
    assert Watch().mean == 0.0


def test_raised_thresholds_begin_anew_and_so_does_their_end() -> None:
    state = fold_watch(Watch(), np.full(3, 0.1), np.array([False, True, True]), np.array([1.0, 0.0, 1.0]))
    assert state == Watch(rate=0.1, raised=True, looks=2, loss=1.0)
    assert fold_watch(state, np.full(1, 0.1), NONE[:1], np.ones(1)) == Watch(rate=0.1, looks=1, loss=1.0)


def test_looks_at_what_was_deployed_before_are_told_apart() -> None:
    now = Deployment(audit_rate=0.1)
    assert Watch(rate=0.1).of(now)
    assert not Watch(rate=0.2).of(now)
    assert not Watch(rate=0.1).of(replace(now, raised_from={"yes": 0.5}))
    assert Watch(rate=0.1, raised=True).of(replace(now, raised_from={"yes": 0.5}))


@given(cut=cuts(60), seed=st.integers(0, 20))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate, loss = np.repeat(rng.choice([0.2, 0.1, 0.02], 6), 10), rng.beta(0.3, 2, 60)
    raised = np.repeat(rng.random(6) < 0.5, 10)
    state = Watch()
    for where in batches(cut, 60):
        folded = fold_watch(state, rate[where], raised[where], loss[where])
        state = msgspec.json.decode(msgspec.json.encode(folded), type=Watch)
    assert state == fold_watch(Watch(), rate, raised, loss)
