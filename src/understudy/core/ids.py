"""Names for cases whose caller gives none."""

from __future__ import annotations

import os


def new_id(now: int) -> str:
    """A UUID of version 7 (RFC 9562): its first part grows with time, the rest is random.

    Parameters
    ----------
    now : int
        Microseconds since 1970 UTC.

    >>> new_id(1_700_000_000_000_000)[:15]
    '018bcfe5-6800-7'
    """
    time, random = (now // 1000 & (1 << 48) - 1).to_bytes(6).hex(), os.urandom(10).hex()
    variant = "89ab"[int(random[3], 16) & 3]
    return f"{time[:8]}-{time[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:19]}"
