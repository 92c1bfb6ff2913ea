"""What a route is, and what its handler gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from understudy.core.nouns import Role
from understudy.server.service import Service
from understudy.server.web import Request
from understudy.store.access import Access


class Call(msgspec.Struct, frozen=True):
    """A request that was let in.

    Attributes
    ----------
    service : Service
    request : Request
    access : Access
        Who calls; on public routes a nobody.
    params : dict
        The parts of the path.
    body, query : Struct, optional
    session : str
        The secret of the session, where a browser calls.
    """

    service: Service
    request: Request
    access: Access
    params: dict[str, str]
    body: Any = None
    query: Any = None
    session: str = ""

    @property
    def task(self) -> str:
        """The task's name in the path."""
        return self.params["task"]


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    """One method of one path.

    Attributes
    ----------
    method, path : str
        Parts in braces are parameters.
    roles : frozenset of Role
        Who may call; empty where anybody may, without a token.
    handler : callable
        Takes a `Call`; gives an answer of type `answer`, or a `Reply`.
    answer : type, optional
        None where the answer is no JSON.
    summary : str
    body, query : type, optional
    several : type, optional
        What is answered where several things were asked at once.
    waits : bool
        Whether the handler is a coroutine; others run in a thread.
    form : bool
        Whether the body is a form, given as a dict.
    basic : bool
        Whether a token may also come as the password of HTTP basic authentication.
    status : int
        Of the answer.
    """

    method: str
    path: str
    roles: frozenset[Role]
    handler: Handler
    answer: type | None
    summary: str
    body: type | None = None
    query: type | None = None
    several: type | None = None
    waits: bool = False
    form: bool = False
    basic: bool = False
    status: int = 200
