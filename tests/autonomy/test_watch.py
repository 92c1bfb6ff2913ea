"""What looks say since the audit rate was last changed."""

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evidence.promises import batches, cuts
from understudy.autonomy.watch import Watch, fold_watch


def test_another_rate_begins_anew() -> None:
    state = fold_watch(Watch(), np.full(3, 0.2), np.array([1.0, 0.0, 0.0]))
    assert (state, state.mean) == (Watch(rate=0.2, looks=3, loss=1.0), 1 / 3)
    assert fold_watch(state, np.full(1, 0.2), np.ones(1)).looks == 4
    assert fold_watch(state, np.full(1, 0.1), np.ones(1)) == Watch(rate=0.1, looks=1, loss=1.0)
    assert fold_watch(state, np.array([0.1, 0.2]), np.zeros(2)) == Watch(rate=0.2, looks=1, loss=0.0)
    assert fold_watch(state, np.empty(0), np.empty(0)) == state
    assert Watch().mean == 0.0


@given(cut=cuts(60), seed=st.integers(0, 20))
def test_batches_change_no_bit_and_json_keeps_all(cut: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rate, loss = np.repeat(rng.choice([0.2, 0.1, 0.02], 6), 10), rng.beta(0.3, 2, 60)
    state = Watch()
    for where in batches(cut, 60):
        state = msgspec.json.decode(msgspec.json.encode(fold_watch(state, rate[where], loss[where])), type=Watch)
    assert state == fold_watch(Watch(), rate, loss)
