"""Who may come in: tokens for programs, one-time links and sessions for people. Secrets are shown once."""

from __future__ import annotations

import hmac
import secrets

from understudy.core.canonical import digest
from understudy.core.errors import DeniedError, InputError, NotFoundError
from understudy.core.nouns import Role
from understudy.flows.workspace import Workspace
from understudy.store.access import (
    Access,
    TokenRecord,
    add_session,
    add_token,
    end_session,
    find_session,
    find_token,
    list_tokens,
    revoke_name,
    revoke_token,
)
from understudy.store.tasks import task_number

LINK_LIFE = 15 * 60_000_000
SESSION_LIFE = 12 * 3_600_000_000
DAY = 86_400_000_000
LONGEST_NAME = 100
PREFIX = "us_"
"""What tokens begin with, so that scanners of leaked secrets can find them."""


def create_token(
    work: Workspace, name: str, role: Role, *, task: str | None = None, days: int | None = None, link: bool = False
) -> str:
    """A new token, or the secret of a one-time sign-in link; it is shown now and never again.

    Raises
    ------
    InputError
        The name is empty or too long.
    NotFoundError
        There is no such task.
    """
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise InputError(f"A name has 1 to {LONGEST_NAME} printable characters, got {len(name)}.")
    if task is not None:
        with work.store.reading() as connection:
            task_number(connection, task)
    secret = PREFIX + secrets.token_urlsafe(32)
    now = work.clock.now()
    lasting = None if days is None else now + days * DAY
    record = TokenRecord(
        hash=digest(secret.encode()),
        kind="link" if link else "api",
        name=name,
        role=role,
        task=task,
        created_at=now,
        expires_at=now + LINK_LIFE if link else lasting,
        revoked_at=None,
    )
    with work.store.writing() as connection:
        add_token(connection, record)
    return secret


def all_tokens(work: Workspace) -> list[TokenRecord]:
    """Every token that was ever made, without its secret."""
    with work.store.reading() as connection:
        return list_tokens(connection)


def revoke(work: Workspace, name: str) -> int:
    """End all tokens and sessions of a name.

    Raises
    ------
    NotFoundError
        It has none in force.
    """
    with work.store.writing() as connection:
        ended = revoke_name(connection, name, at=work.clock.now())
    if not ended:
        raise NotFoundError(f"There is no token or session of {name!r} in force.")
    return ended


def redeem_link(work: Workspace, secret: str) -> str:
    """Sign in once with a link's secret, and return the session's secret.

    Raises
    ------
    DeniedError
        The link was used, has expired, or never was.
    """
    hashed, now = digest(secret.encode()), work.clock.now()
    session = secrets.token_urlsafe(32)
    with work.store.writing() as connection:
        access = find_token(connection, hashed, kind="link", now=now)
        if access is None or not revoke_token(connection, hashed, at=now):
            raise DeniedError(
                "This link was used, or has expired.", hint="Make a new one with: understudy token create --link"
            )
        add_session(connection, digest(session.encode()), access, at=now, expires_at=now + SESSION_LIFE)
    return session


def by_token(work: Workspace, secret: str) -> Access | None:
    """The access of a token, or None."""
    with work.store.reading() as connection:
        return find_token(connection, digest(secret.encode()), kind="api", now=work.clock.now())


def by_session(work: Workspace, secret: str) -> Access | None:
    """The access of a session, or None."""
    with work.store.reading() as connection:
        return find_session(connection, digest(secret.encode()), now=work.clock.now())


def sign_out(work: Workspace, secret: str) -> None:
    """End a session."""
    with work.store.writing() as connection:
        end_session(connection, digest(secret.encode()), at=work.clock.now())


def csrf_of(session: str) -> str:
    """What a page of this session sends along with every change."""
    return hmac.digest(session.encode(), b"csrf", "sha256").hex()
