"""What the looks at automated cases say since the audit rate, or how sure it must be, was last changed."""

from __future__ import annotations

import msgspec
import numpy as np

from understudy.core.nouns import Deployment
from understudy.evidence.betting import running


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Looks at one audit rate, with thresholds that a suspicion has raised, or without.

    Attributes
    ----------
    rate : float
        The audit rate of the deployment under which these cases came; 0 before the first look.
    raised : bool
        Whether its thresholds were raised by a suspicion.
    looks : int
        Looks at automated cases since both are as they are.
    loss : float
        The sum of their losses.
    """

    rate: float = 0.0
    raised: bool = False
    looks: int = 0
    loss: float = 0.0

    @property
    def mean(self) -> float:
        """The mean loss of these looks; 0 without any."""
        return self.loss / self.looks if self.looks else 0.0

    def of(self, deployed: Deployment) -> bool:
        """Whether these looks are at what is deployed now."""
        return self.rate == deployed.audit_rate and self.raised == bool(deployed.raised_from)


def fold_watch(state: Watch, rate: np.ndarray, raised: np.ndarray, loss: np.ndarray) -> Watch:
    """The watch with these looks added; the same for any cutting of the same looks into batches.

    Parameters
    ----------
    state : Watch
    rate : ndarray of shape (n,)
        The audit rate that held for each automated case that was looked at, in decision order.
    raised : ndarray of bool, shape (n,)
        Whether the thresholds were raised by a suspicion then.
    loss : ndarray of shape (n,)
        In [0, 1].

    >>> fold_watch(Watch(), np.array([0.2, 0.2, 0.1]), np.array([False, False, False]), np.array([1.0, 0.0, 0.5]))
    Watch(rate=0.1, raised=False, looks=1, loss=0.5)
    """
    if not len(loss):
        return state
    changed = rate != np.concatenate([[state.rate], rate[:-1]])
    changed |= raised != np.concatenate([[state.raised], raised[:-1]])
    changes = np.flatnonzero(changed)
    first = int(changes[-1]) if len(changes) else 0
    before = Watch() if len(changes) else state
    total = running(np.array(before.loss), loss[first:])[-1]
    return Watch(
        rate=float(rate[-1]), raised=bool(raised[-1]), looks=before.looks + len(loss) - first, loss=float(total)
    )
