"""Posting a message to an address that somebody chose: no private network, no redirect, and no longer than said."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import httpcore
import msgspec

SECONDS = 10.0
"""How long one attempt may take, from the first step of the connection to the status of the answer."""

MOST_READ = 65_536

NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an attempt: the status of the answer, None where there was none; and what went wrong, in words."""

    status: int | None
    error: str = ""

    @property
    def taken(self) -> bool:
        """Whether the receiver has it."""
        return self.status is not None and 200 <= self.status < 300


class RefusedError(httpcore.ConnectError):
    """The address is one that may not be called."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet, also where it is wrapped in another.

    >>> [is_public(each) for each in ("93.184.216.34", "127.0.0.1", "10.0.0.8", "169.254.169.254", "::1")]
    [True, False, False, False, False]
    >>> [is_public(each) for each in ("::ffff:10.0.0.8", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1")]
    [False, False, False, False]
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    return all(each.is_global and not each.is_multicast for each in (found, *wrapped(found)))


def wrapped(address: Address) -> tuple[Address, ...]:
    """The addresses of version 4 that an address of version 6 stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    within = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()))
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None
    return tuple(each for each in (*within, last) if each is not None)


class Deadline:
    """Until when an attempt may last."""

    def __init__(self) -> None:
        self._until = 0.0

    def start(self, seconds: float) -> None:
        """Begin an attempt."""
        self._until = time.monotonic() + seconds

    def left(self, error: type[Exception]) -> float:
        """Seconds that are left; an error where none are."""
        seconds = self._until - time.monotonic()
        if seconds <= 0:
            raise error("it took too long")
        return seconds


class Stream(httpcore.NetworkStream):
    """A connection whose every step ends with the deadline: a receiver cannot draw an attempt out byte by byte."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  the base class names it
        """Read some bytes."""
        return self._stream.read(max_bytes, self._deadline.left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Write all bytes."""
        self._stream.write(buffer, self._deadline.left(httpcore.WriteTimeout))

    def close(self) -> None:
        """End the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Encrypt the connection."""
        left = self._deadline.left(httpcore.ConnectTimeout)
        return Stream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What is known of the connection."""
        return self._stream.get_extra_info(info)


class Guard(httpcore.SyncBackend):
    """Connects to public addresses only, unless private ones are allowed.

    A name is looked up once, and the very address that was judged is called: it cannot lead elsewhere a moment later.
    """

    def __init__(self, deadline: Deadline, *, allow_private: bool) -> None:
        super().__init__()
        self._deadline = deadline
        self._allow_private = allow_private

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of a name's addresses that answers, and check once more who does."""
        problem: Exception = httpcore.ConnectError("the name has no address")
        for address in self._addresses(host, port):
            try:
                left = self._deadline.left(httpcore.ConnectTimeout)
                stream = super().connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
                continue
            peer = stream.get_extra_info("server_addr")[0]
            if not self._may(peer):
                stream.close()
                raise refused(peer)
            return Stream(stream, self._deadline)
        raise problem

    def _may(self, address: str) -> bool:
        return self._allow_private or is_public(address)

    def _addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a name, all of which may be called."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"the name cannot be looked up: {error}") from error
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        for address in addresses:
            if not self._may(address):
                raise refused(address)
        return addresses


def refused(address: str) -> RefusedError:
    """The error for an address that may not be called."""
    return RefusedError(f"{address} is a private address; allow_private = true would allow it")


class Poster:
    """Posts messages to one receiver, one after the other over one connection. For one thread.

    No proxy of the environment is used, no redirect followed, and of the answer only the status counts.

    Parameters
    ----------
    allow_private : bool
        Whether private and loopback addresses may be called.
    seconds : float
        How long one attempt may take.
    """

    def __init__(self, *, allow_private: bool = False, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._deadline = Deadline()
        guard = Guard(self._deadline, allow_private=allow_private)
        context = httpcore.default_ssl_context()
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=1, keepalive_expiry=30, network_backend=guard
        )

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """Send a message once."""
        self._deadline.start(self._seconds)
        try:
            with self._pool.stream("POST", url, headers=list(headers.items()), content=body) as answer:
                read_out(answer)
                return Posted(status=answer.status, error=words(answer.status))
        except httpcore.TimeoutException:
            return Posted(status=None, error=f"no answer within {self._seconds:g} s")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol, OSError) as error:
            return Posted(status=None, error=str(error)[:200] or type(error).__name__)

    def close(self) -> None:
        """End the connection."""
        self._pool.close()


def read_out(answer: httpcore.Response) -> None:
    """Read the rest of a short answer, so that its connection can be used again; a long one is cut off."""
    size = 0
    with suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        for part in answer.iter_stream():
            size += len(part)
            if size > MOST_READ:
                return


def words(status: int) -> str:
    """What is wrong with the status of an answer; empty where nothing is.

    >>> words(204), words(302)
    ('', 'it redirects (302), which is not followed')
    """
    if 200 <= status < 300:
        return ""
    return f"it redirects ({status}), which is not followed" if 300 <= status < 400 else f"it answered {status}"
