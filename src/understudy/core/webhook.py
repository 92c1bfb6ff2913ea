"""A webhook: where a program of yours wants to hear what happened, and how a message to it is signed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from understudy.core.errors import InputError

MessageType = Literal["case.pending", "case.decided", "case.corrected", "task.moved", "task.alarmed"]
EVERY_TYPE: tuple[MessageType, ...] = (
    "case.pending",
    "case.decided",
    "case.corrected",
    "task.moved",
    "task.alarmed",
)
PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
KEY_HINT = (
    f"Make one with: python -c \"import base64, os; print('{PREFIX}' + base64.b64encode(os.urandom(32)).decode())\""
)


class Webhook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is told what.

    Attributes
    ----------
    name : str
        Lower-case letters, digits, `-` and `_`.
    url : str
        An https address; http only with `allow_private`.
    secret : str
        The environment variable with the signing secret: `whsec_` and 24 to 64 bytes in base64. While it is changed,
        the old and the new one, with a blank between them. The secret itself stands in no file.
    events : tuple of str
        What is sent; by default everything.
    tasks : tuple of str
        The only tasks that it hears of; empty: all.
    inputs : bool
        Whether messages about cases hold the case's inputs.
    allow_private : bool
        Whether it may lead to private and loopback addresses.
    """

    name: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,47}$", description="a name of lower-case letters, digits, - and _")
    ]
    url: Annotated[str, Meta(max_length=2000)]
    secret: Annotated[str, Meta(pattern=r"^[A-Z_][A-Z0-9_]*$", description="the name of an environment variable")]
    events: Annotated[tuple[MessageType, ...], Meta(min_length=1)] = EVERY_TYPE
    tasks: tuple[str, ...] = ()
    inputs: bool = False
    allow_private: bool = False


def read_keys(text: str) -> tuple[bytes, ...]:
    """The keys of one or several signing secrets, separated by blanks.

    Raises
    ------
    InputError
        One of them is none; the message does not show it.

    >>> [len(key) for key in read_keys("whsec_" + "QUFB" * 8 + " whsec_" + "QkJC" * 8)]
    [24, 24]
    """
    keys = tuple(read_key(part) for part in text.split())
    if not keys:
        raise InputError("The signing secret is empty.", hint=KEY_HINT)
    return keys


def read_key(secret: str) -> bytes:
    """The key of one signing secret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else b""
    except binascii.Error:
        key = b""
    if not LEAST_BYTES <= len(key) <= MOST_BYTES:
        raise InputError(
            f"A signing secret must be {PREFIX} and {LEAST_BYTES} to {MOST_BYTES} bytes in base64.", hint=KEY_HINT
        )
    return key


def signature(keys: Sequence[bytes], message: str, at: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each key.

    HMAC-SHA256 over id, time and body with dots between them, in base64 (Standard Webhooks, version 1).

    Parameters
    ----------
    keys : sequence of bytes
    message : str
        The message's id.
    at : int
        When it is sent, in seconds since 1970 UTC.
    body : bytes

    >>> signature([b"k" * 24], "msg_1", 1700000000, b"{}")
    'v1,E3sCg9uS8x43RKlJqcda1EcaYZxNkN+l2u7RBZBSZQQ='
    """
    content = b".".join((message.encode(), str(at).encode(), body))
    digests = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
