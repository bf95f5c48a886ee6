"""Every HTTP request of socap: httpx, with a total deadline, a size limit, and errors that say what was sent.

Certificates are verified. Redirects are not followed, because a redirected request would carry its key along. The
usual variables (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`, …) apply, and one that cannot be used is named before a
request is made.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import httpx

from socap_cli import __version__
from socap_cli.errors import ConfigError
from socap_cli.settings import is_host

CONNECT_TIMEOUT = 10.0
KEEP_ALIVE = 5.0
"""Seconds for which an idle connection is kept."""
GRACE = 1.0
"""Seconds beyond the deadline: a timeout of httpx's own says more precisely whether the request was sent."""
TIMED_OUT = "no complete answer in time"
NOT_SENT = (
    httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol,
)  # fmt: skip
FAILURES = (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError)
SOCKS = ("socks5", "socks5h")


class HttpError(Exception):
    """No complete response. `sent`: whether the server may have received the request."""

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class BadBody(HttpError):
    """The body is larger than allowed, or cannot be decompressed."""


@dataclass(frozen=True, slots=True)
class Response:
    """A status with as much of the body as could be read; `failure` says why the body is not complete."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    failure: HttpError | None
    connection: Any = field(repr=False)

    def drop_connection(self) -> None:
        """Use its connection for no other request: what is left on it would answer the next one."""
        with suppress(OSError):
            self.connection.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class Client:
    """Requests to one server. Threads share it; each request in flight has a connection of its own."""

    def __init__(self, url: str) -> None:
        """Raises ConfigError when a variable of the environment prevents requests to this URL."""
        check_environment(url)
        proxy = proxy_for(url)
        uses_tls = any(address.lower().startswith("https:") for address in (url, proxy or ""))
        verify = httpx.create_ssl_context() if uses_tls else False
        limits = httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE)
        self._open = partial(httpx.HTTPTransport, verify=verify, proxy=proxy, limits=limits)
        self._idle: deque[httpx.HTTPTransport] = deque()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        deadline: float,
        largest: int,
        content: bytes | None = None,
    ) -> Response:
        """Send a request once; `largest` bounds the decompressed body in bytes.

        `timeout` is for one read or write, `deadline` for the whole, in seconds. Raises HttpError when no status came.
        """
        ends_at = time.monotonic() + deadline
        timeout = min(timeout, deadline)
        limits = httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT))
        headers = {"User-Agent": f"socap/{__version__}", "Accept-Encoding": "gzip, deflate", **headers}
        try:
            transport = self._idle.pop()
        except IndexError:
            transport = self._open()
        try:
            request = httpx.Request(
                method, url, headers=headers, content=content, extensions={"timeout": limits.as_dict()}
            )
            response = transport.handle_request(request)
            try:
                body, failure = _read(response, ends_at, largest)
            finally:
                response.close()
        except FAILURES as error:
            raise _translated(error) from None
        finally:
            self._idle.append(transport)
        stream = response.extensions["network_stream"]
        return Response(response.status_code, response.headers, body, failure, stream)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()


def request(method: str, url: str, *, timeout: float, **options: Any) -> Response:
    """Send one request over a connection of its own; see `Client`. Raises ConfigError, HttpError.

    It runs in a thread, because httpx bounds each read and not all of them: a server that sends its headers byte by
    byte would hold the caller for hours.
    """
    client = Client(url)
    outcome: Future[Response] = Future()

    def send() -> None:
        try:
            outcome.set_result(client.request(method, url, timeout=timeout, deadline=timeout, **options))
        except Exception as error:
            outcome.set_exception(error)
        finally:
            client.close()

    threading.Thread(target=send, daemon=True, name="http").start()
    try:
        return outcome.result(timeout + GRACE)
    except TimeoutError:
        raise HttpError(TIMED_OUT) from None


def _read(response: httpx.Response, ends_at: float, largest: int) -> tuple[bytes, HttpError | None]:
    body = bytearray()
    try:
        for part in response.iter_bytes():
            if len(body) + len(part) > largest:
                body += part[: largest - len(body)]
                return bytes(body), BadBody(f"the answer is larger than {largest:,} bytes")
            body += part
            if time.monotonic() > ends_at:
                return bytes(body), HttpError(TIMED_OUT)
    except httpx.DecodingError as error:
        return bytes(body), BadBody(f"the answer cannot be decompressed: {error}")
    except FAILURES as error:
        return bytes(body), _translated(error)
    return bytes(body), None


def _translated(error: Exception) -> HttpError:
    reason = TIMED_OUT if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
    return HttpError(reason, sent=not isinstance(error, NOT_SENT))


def http_date(value: str) -> datetime | None:
    """A moment as HTTP headers write it; None for anything else."""
    try:
        moment = parsedate_to_datetime(value.strip()[:64])
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def seconds_of(value: str) -> float | None:
    """A number as HTTP headers write it; None for anything else."""
    try:
        number = float(value.strip()[:64])
    except ValueError:
        return None
    return None if isnan(number) else number


def retry_after(headers: Mapping[str, str], *, shortest: float, longest: float) -> float | None:
    """The seconds that `Retry-After` asks for, by the server's clock where it sends `Date`, within these bounds."""
    value = headers.get("retry-after", "")
    seconds = seconds_of(value)
    if until := http_date(value):
        seconds = (until - (http_date(headers.get("date", "")) or datetime.now(UTC))).total_seconds()
    return None if seconds is None else min(max(seconds, shortest), longest)


def proxy_for(url: str) -> str | None:
    """The proxy of the environment for this URL; None for a direct connection. Raises ConfigError.

    By urllib's rules: httpx refuses NO_PROXY with an IPv6 address or network in it.
    """
    target, proxies = urlsplit(url), getproxies_environment()
    scheme = next((name for name in (target.scheme, "all") if proxies.get(name)), None)
    is_direct = target.scheme not in ("http", "https") or proxy_bypass(target.netloc.rpartition("@")[2])
    if is_direct or scheme is None:
        return None
    proxy = proxies[scheme] if "://" in proxies[scheme] else f"http://{proxies[scheme]}"
    name = f"{scheme}_proxy" if os.environ.get(f"{scheme}_proxy") else f"{scheme.upper()}_PROXY"
    if not _is_proxy(proxy):
        raise ConfigError(
            f"{name} is not a proxy address", hint="use http://host:port or socks5://…, or unset it"
        )
    if proxy.lower().startswith(SOCKS) and importlib.util.find_spec("socksio") is None:
        raise ConfigError(
            f"{name} names a SOCKS proxy, which needs the package socksio",
            hint=f"pip install 'socap[socks]'; or unset {name}, or name the host in NO_PROXY",
        )
    return proxy


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    printable = url.isascii() and url.isprintable() and " " not in url
    return printable and parts.scheme in ("http", "https", *SOCKS) and bool(host) and is_host(host)


def check_environment(url: str) -> None:
    """Raise ConfigError that names the variable which would make requests to this URL fail; also for mail servers."""
    proxy_for(url)
    if url.startswith("http:"):
        return
    for name, check in CHECKS.items():
        value = os.environ.get(name)
        try:
            if value:
                check(value)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            reason = "no certificates in it" if isinstance(error, ssl.SSLError) else error
            raise ConfigError(f"{name} cannot be used: {reason}", hint="correct it, or unset it") from None


CHECKS: dict[str, Callable[[str], object]] = {
    "SSLKEYLOGFILE": lambda file: Path(file).open("ab").close(),
    "SSL_CERT_FILE": lambda file: ssl.create_default_context(cafile=file),
    "SSL_CERT_DIR": lambda folders: [any(Path(folder).iterdir()) for folder in folders.split(os.pathsep)],
}
"""Each raises OSError or ValueError for a value that TLS connections would fail with."""
