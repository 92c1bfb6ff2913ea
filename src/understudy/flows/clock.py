"""The system's clock."""

from __future__ import annotations

import time


class SystemClock:
    """Tells the machine's time."""

    def now(self) -> int:
        """The time in microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000

    def elapsed(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()
