"""Connections whose every step ends by one deadline: a time-out of the HTTP library is for one read only."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from math import inf
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

KEEP_ALIVE = 5.0
"""Seconds for which an idle connection is kept."""


class Deadline:
    """The moment at which the request under way has to be over."""

    def __init__(self) -> None:
        self._ends_at = inf

    def begin(self, seconds: float) -> None:
        """Give a request so many seconds from now on."""
        self._ends_at = time.monotonic() + seconds

    def bound(self, timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
        """The time that one step may take. Raises `error` when none is left."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise error("no complete answer in time")
        return min(inf if timeout is None else timeout, left) if left < inf else timeout


class DeadlineStream(httpcore.NetworkStream):
    """A stream of which no read or write lasts beyond the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """See httpcore."""
        return self._stream.read(max_bytes, self._deadline.bound(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """See httpcore."""
        self._stream.write(buffer, self._deadline.bound(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """See httpcore."""
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        left = self._deadline.bound(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """See httpcore."""
        return self._stream.get_extra_info(info)


class DeadlineBackend(httpcore.NetworkBackend):
    """Makes connections that heed the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """See httpcore."""
        left = self._deadline.bound(timeout, httpcore.ConnectTimeout)
        stream = self._backend.connect_tcp(host, port, left, local_address, socket_options)
        return DeadlineStream(stream, self._deadline)


class Connection:
    """One kept connection, for one request at a time, through a proxy where there is one."""

    def __init__(self, ssl_context: ssl.SSLContext | None, proxy: httpcore.Proxy | None) -> None:
        self.deadline = Deadline()
        self.pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            proxy=proxy,
            max_connections=1,
            keepalive_expiry=KEEP_ALIVE,
            network_backend=DeadlineBackend(self.deadline),
        )

    @property
    def is_in_step(self) -> bool:
        """Whether nothing is left of what came: a server that said more would answer the next request with that."""
        return not any(_left_over(connection) for connection in self.pool.connections)

    def close(self) -> None:
        """Close it."""
        self.pool.close()


def _left_over(connection: object) -> bytes:
    """What the HTTP library has received beyond the answer; it shows this nowhere."""
    while (inner := getattr(connection, "_connection", None)) is not None:
        connection = inner
    state = getattr(connection, "_h11_state", None)
    left: bytes = state.trailing_data[0] if state is not None else b""
    return left


def proxy_at(url: str) -> httpcore.Proxy:
    """A proxy by its URL, which may hold a user and a password."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    bare = url.replace(f"{parts.netloc.rpartition('@')[0]}@", "", 1) if "@" in parts.netloc else url
    auth = (user.encode(), password.encode()) if user or password else None
    return httpcore.Proxy(bare, auth=auth)


def tls_for(url: str, proxy: str | None) -> ssl.SSLContext | None:
    """Certificates are verified wherever TLS is spoken; none are loaded where it is not."""
    spoken = any(address.lower().startswith("https:") for address in (url, proxy or ""))
    return httpx.create_ssl_context() if spoken else None
