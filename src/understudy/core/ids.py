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
    random = int.from_bytes(os.urandom(10))
    value = (now // 1000 & (1 << 48) - 1) << 80 | 7 << 76 | (random >> 68) << 64 | 2 << 62 | random & (1 << 62) - 1
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
