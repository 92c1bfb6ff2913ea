"""Random numbers that cannot be guessed, and that are the same whenever the same question is asked."""

from __future__ import annotations

import hashlib

Purpose = str


def draw(secret: bytes, case_id: str, purpose: Purpose) -> float:
    """A uniform number in [0, 1) that depends on the task's secret, the case and what it is drawn for.

    A retry, another process and a later level see the same number. The purposes in use are `audit`, `blind` and
    `arm VERSION`.

    >>> draw(b"secret", "case-1", "audit") == draw(b"secret", "case-1", "audit")
    True
    >>> draw(b"secret", "case-1", "audit") == draw(b"secret", "case-1", "blind")
    False
    """
    drawn = hashlib.blake2b(f"{purpose}\0{case_id}".encode(), key=secret, digest_size=8).digest()
    return (int.from_bytes(drawn) >> 11) / (1 << 53)
