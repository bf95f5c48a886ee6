"""Connections whose every step ends by one deadline: a time-out of the HTTP library is for one read only."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import ssl
import time
from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies_environment

import httpcore
import httpx

from socap_cli.errors import ConfigError
from socap_cli.settings import is_host

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


HTTP_PROXIES = ("http", "https")


SOCKS_PROXIES = ("socks5", "socks5h")


SOCKS_PACKAGE = "socksio"


DEFAULT_PORTS = {"http": 80, "https": 443}


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


def check_http_environment(url: str) -> None:
    """Raise ConfigError when a request to this URL would fail because of a variable, and name it.

    Asked where clients are made: for an HTTP address, and for a mail server too (certificates only).
    """
    proxy_for(url)
    if not url.startswith("http://"):
        _check_certificates()
    _check_key_log()


def proxy_for(url: str) -> str | None:
    """The proxy for this URL, as httpx takes it; None to go straight. Raises ConfigError for an unusable one."""
    target = urlsplit(url)
    proxies = getproxies_environment()
    for scheme in (target.scheme, "all"):
        if target.scheme in HTTP_PROXIES and (value := proxies.get(scheme)):
            return None if _is_bypassed(target, proxies.get("no", "")) else _usable(value, scheme)
    return None


def _usable(value: str, scheme: str) -> str:
    name = next((n for n in (f"{scheme}_proxy", f"{scheme}_PROXY") if os.environ.get(n)), f"{scheme}_proxy")
    name = name if os.environ.get(name) else name.upper()
    proxy = value if "://" in value else f"http://{value}"
    kind = proxy.partition("://")[0].lower()
    if kind not in HTTP_PROXIES + SOCKS_PROXIES:
        raise ConfigError(
            f"{name}: no such kind of proxy", hint="it looks like http://host:port or socks5://…"
        )
    if not _has_host(proxy):
        raise ConfigError(
            f"{name} is no usable proxy address", hint="it looks like http://host:port; or unset it"
        )
    if kind in SOCKS_PROXIES and importlib.util.find_spec(SOCKS_PACKAGE) is None:
        raise ConfigError(
            f"{name} names a SOCKS proxy, which needs the package {SOCKS_PACKAGE}",
            hint=f"pip install 'socap[socks]'; or unset {name}, or name the host in NO_PROXY",
        )
    return proxy


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    clean = url.isascii() and url.isprintable() and " " not in url
    return clean and bool(host) and is_host(host or "")


def _is_bypassed(target: SplitResult, no_proxy: str) -> bool:
    """Whether NO_PROXY names this host: `*`, a name and what is under it, an address or network, each with a port."""
    host = (target.hostname or "").lower().rstrip(".")
    port = target.port or DEFAULT_PORTS.get(target.scheme)
    return any(_matches(entry, host, port) for entry in no_proxy.lower().replace(",", " ").split())


def _matches(entry: str, host: str, port: int | None) -> bool:
    if entry == "*":
        return True
    name, wanted = _without_port(entry.partition("://")[2] or entry)
    if wanted is not None and wanted != str(port):
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))


def _without_port(entry: str) -> tuple[str, str | None]:
    """Split `host:port` and `[address]:port`; a bare IPv6 address or network has colons of its own."""
    if entry.startswith("["):
        address, _, rest = entry[1:].partition("]")
        return address + rest.partition(":")[0], rest.partition(":")[2] or None
    if entry.count(":") == 1:
        name, _, port = entry.partition(":")
        return name, port or None
    return entry, None


def _check_certificates() -> None:
    """SSL_CERT_FILE and SSL_CERT_DIR take the place of the usual authorities, in Python and in OpenSSL."""
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
        except (OSError, ValueError) as error:  # SSLError is an OSError
            reason = "no certificates in it" if isinstance(error, ssl.SSLError) else _reason(error)
            raise ConfigError(
                f"SSL_CERT_FILE: cannot use {file}: {reason}", hint="name a file of certificates, or unset it"
            ) from None
    for part in (folder or "").split(os.pathsep) if folder else ():
        if not _is_folder(part):
            raise ConfigError(
                f"SSL_CERT_DIR: no folder {part}", hint="name a folder of certificates, or unset it"
            )


def _check_key_log() -> None:
    """SSLKEYLOGFILE is opened by every TLS connection of Python."""
    if name := os.environ.get("SSLKEYLOGFILE"):
        try:
            with Path(name).open("ab"):
                pass
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"SSLKEYLOGFILE: cannot write {name}: {_reason(error)}", hint="unset it"
            ) from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir() and os.access(path, os.R_OK | os.X_OK)
    except (OSError, ValueError):
        return False
