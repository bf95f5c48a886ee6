"""What the environment says about reaching the outside: proxies and certificates, judged before they are used.

An HTTP library reads these variables as well, and dies on forms that are usual in offices (`NO_PROXY=[::1]`,
`fe80::/10`), or blames the address it was to reach. So clients are made with `trust_env=False` and with the
proxy named here.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import ssl
from pathlib import Path
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies_environment

from socap_cli.config.values import is_host
from socap_cli.errors import ConfigError

HTTP_PROXIES = ("http", "https")
SOCKS_PROXIES = ("socks5", "socks5h")
SOCKS_PACKAGE = "socksio"
DEFAULT_PORTS = {"http": 80, "https": 443}


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
