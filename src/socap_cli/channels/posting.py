"""One HTTP POST to a webhook that ends in a reply or in a typed error: bounded in time and size, never redirected."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore

from socap_cli import __version__
from socap_cli.config.environment import check_http_environment, proxy_for
from socap_cli.errors import (
    ChannelDead,
    ConfigError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
)
from socap_cli.model import cleaning
from socap_cli.network.connection import Connection, proxy_at, tls_for
from socap_cli.network.masking import Mask, secrets_of

LARGEST_REPLY = 64 * 1024
"""Bytes that are read; the rest is not waited for."""
LONGEST_SHOWN = 100
LONGEST_CONNECT = 10.0
LIMITED_FOR = 30.0
"""Seconds to wait for who limits us without saying for how long."""
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 3600.0
GONE = frozenset({401, 403, 404, 405, 410})
LATER = frozenset({408, 425, 429})
REDIRECTS = range(300, 400)
NETWORK_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
    OSError,
    UnicodeError,
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a webhook answered."""

    status: int
    body: bytes = b""
    """As much as was read of it."""
    said: str = ""
    """Its beginning for people: one line, cleaned and masked."""
    retry_after: float | None = None
    """Seconds, within bounds."""

    @property
    def is_taken(self) -> bool:
        """Whether it says that the message was taken."""
        return 200 <= self.status < 300


@dataclass(slots=True)
class _Progress:
    """Whether anything of the message was written: from then on it may have arrived."""

    written: bool = False
    mask: Mask = field(default_factory=lambda: Mask(()))

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """What httpcore reports of its steps; a proxy is asked for a tunnel by a request of its own."""
        if event.endswith("send_request_body.started"):
            self.written = self.written or info["request"].method == b"POST"


def post(url: str, content: bytes, headers: Mapping[str, str], *, timeout: float, name: str) -> Reply:
    """Send once and return whatever status came. `timeout` is for the whole of it, in seconds.

    Raises DeliveryFailed when nothing can have arrived, else DeliveryUnknown. Neither repeats the URL.
    """
    progress = _Progress(mask=Mask(secrets_of(url)))
    try:
        return _exchange(url, content, headers, timeout, progress)
    except ConfigError as error:
        raise DeliveryFailed(f"{name}: {error.message}", hint=error.hint) from None
    except NETWORK_ERRORS as error:
        said = _said(progress.mask, str(error) or type(error).__name__)
        if progress.written:
            raise DeliveryUnknown(f"{name} did not answer, it may have arrived: {said}") from None
        raise DeliveryFailed(f"{name} cannot be reached: {said}") from None


def _exchange(
    url: str, content: bytes, headers: Mapping[str, str], timeout: float, progress: _Progress
) -> Reply:
    check_http_environment(url)
    proxy = proxy_for(url)
    connection = Connection(tls_for(url, proxy), proxy_at(proxy) if proxy else None)
    connect = min(timeout, LONGEST_CONNECT)
    timeouts = {"connect": connect, "read": timeout, "write": timeout, "pool": timeout}
    sent = [("User-Agent", f"socap/{__version__}"), ("Accept-Encoding", "identity"), *headers.items()]
    connection.deadline.begin(timeout)
    try:
        with connection.pool.stream(
            "POST",
            httpcore.URL(url),
            headers=sent,
            content=content,
            extensions={"timeout": timeouts, "trace": progress.trace},
        ) as response:
            body = _beginning(response)
            return _reply(response, body, progress.mask)
    finally:
        connection.close()


def _beginning(response: httpcore.Response) -> bytes:
    """As much of the body as comes; the status is known, and counts."""
    body = bytearray()
    try:
        for part in response.iter_stream():
            body += part
            if len(body) >= LARGEST_REPLY:
                break
    except NETWORK_ERRORS:
        pass
    return bytes(body[:LARGEST_REPLY])


def _reply(response: httpcore.Response, body: bytes, mask: Mask) -> Reply:
    headers = {name.lower(): value.decode("latin-1") for name, value in response.headers}
    said = _said(mask, body.decode("utf-8", "replace"))
    return Reply(response.status, body, said, retry_after(headers.get(b"retry-after"), now=time.time()))


def raise_for_status(reply: Reply, name: str) -> None:
    """Nothing for a status that says taken; else the ChannelError that it stands for."""
    said = f"{name} answered HTTP {reply.status} {reply.said}".rstrip()
    if reply.is_taken:
        return
    if reply.status in LATER:
        raise DeliveryFailed(said, retry_after=reply.retry_after or LIMITED_FOR)
    if reply.status in REDIRECTS:
        raise ChannelDead(f"{said}: a redirect, which is not followed", hint=MEND_ADDRESS)
    if reply.status in GONE:
        raise ChannelDead(
            f"{name} refuses this address for good: HTTP {reply.status} {reply.said}".rstrip(),
            hint=MEND_ADDRESS,
        )
    if 400 <= reply.status < 500:
        raise MessageRefused(said)
    if reply.status >= 500:
        raise DeliveryFailed(said, retry_after=reply.retry_after)
    raise DeliveryUnknown(f"{said}, which says neither yes nor no")


MEND_ADDRESS = "set an address that works, then: socap alerts retry"


def retry_after(value: str | None, *, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, within bounds; None when it asks for nothing readable."""
    if value is None:
        return None
    try:
        wait = float(value)
    except ValueError:
        wait = _seconds_to(value, now)
    if not math.isfinite(wait):
        return None
    return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)


def _seconds_to(value: str, now: float) -> float:
    try:
        return parsedate_to_datetime(value).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return math.nan


def _said(mask: Mask, text: str) -> str:
    return cleaning.one_line(mask(re.sub(r"<[^>]{0,200}>", " ", text)), limit=LONGEST_SHOWN)
