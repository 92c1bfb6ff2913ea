"""One byte form for every value that is hashed."""

from __future__ import annotations

import hashlib

import msgspec

_encoder = msgspec.json.Encoder(order="sorted")


def canonical(value: object) -> bytes:
    """The canonical JSON bytes of a value: sorted keys, no blanks, UTF-8.

    >>> canonical({"b": 1, "a": [1.5, None]})
    b'{"a":[1.5,null],"b":1}'
    """
    return _encoder.encode(value)


def digest(data: bytes) -> str:
    """The SHA-256 of some bytes, as 64 hexadecimal digits.

    >>> digest(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(data).hexdigest()


def chain(previous: str, body: bytes) -> str:
    """The hash of a log line that follows the line with hash `previous`.

    >>> chain("", b"{}") == digest(b"{}")
    True
    """
    return digest(previous.encode() + body)
