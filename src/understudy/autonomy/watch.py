"""What the looks at automated cases say since the share that is audited was last changed."""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.evidence.betting import running


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Looks at one audit rate.

    Attributes
    ----------
    rate : float
        The audit rate of the deployment under which these cases came; 0 before the first look.
    looks : int
        Looks at automated cases since the rate is this one.
    loss : float
        The sum of their losses.
    """

    rate: float = 0.0
    looks: int = 0
    loss: float = 0.0

    @property
    def mean(self) -> float:
        """The mean loss of these looks; 0 without any."""
        return self.loss / self.looks if self.looks else 0.0


def fold_watch(state: Watch, rate: np.ndarray, loss: np.ndarray) -> Watch:
    """The watch with these looks added; the same for any cutting of the same looks into batches.

    Parameters
    ----------
    state : Watch
    rate : ndarray of shape (n,)
        The audit rate that held for each automated case that was looked at, in decision order.
    loss : ndarray of shape (n,)
        In [0, 1].

    >>> fold_watch(Watch(), np.array([0.2, 0.2, 0.1]), np.array([1.0, 0.0, 0.5]))
    Watch(rate=0.1, looks=1, loss=0.5)
    """
    if not len(loss):
        return state
    changes = np.flatnonzero(rate != np.concatenate([[state.rate], rate[:-1]]))
    first = int(changes[-1]) if len(changes) else 0
    before = Watch() if len(changes) else state
    total = running(np.array(before.loss), loss[first:])[-1]
    return Watch(rate=float(rate[-1]), looks=before.looks + len(loss) - first, loss=float(total))
