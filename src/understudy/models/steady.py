"""Fits that give the same bits on any machine, also where several run side by side."""

from __future__ import annotations

import threading
import warnings
from contextlib import ContextDecorator, ExitStack

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits


class Steady(ContextDecorator):
    """While anyone is inside, linear algebra runs on one thread, and a fit that has not converged does not warn.

    More threads add the same numbers in another order, so that the result would depend on the machine; and where
    several fits run side by side they wait for each other, up to seventy times as long as they work. That a fit has not
    converged stands in its note.

    Both settings belong to the process. If each fit set them and put them back, the first to end would put them back
    under the others; so the first one in sets them, and the last one out puts them back.

    >>> with STEADY, STEADY:
    ...     1 + 1
    2
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._settings = ExitStack()

    def __enter__(self) -> None:
        """Change the settings, unless someone is inside already."""
        with self._lock:
            if not self._inside:
                self._settings.enter_context(threadpool_limits(limits=1, user_api="blas"))
                self._settings.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore", ConvergenceWarning)
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        """Put the settings back, unless someone is still inside."""
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._settings.close()


STEADY = Steady()
"""The one that all fits share."""
