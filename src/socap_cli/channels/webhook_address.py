"""Where webhooks may go: to the hosts that the operator allows, and without TLS to this machine only."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from socap_cli.config.values import is_host
from socap_cli.errors import ConfigError

ALLOWED = re.compile(r"[\x21-\x7e]+")
LONGEST_URL = 2000


def check_webhook(url: str, hosts: Sequence[str], what: str) -> str:
    """The URL, when alerts may go there. Raises ConfigError that never shows the URL itself."""
    parts = _parsed(url, what)
    host = (parts.hostname or "").lower()
    named = f"{host}:{parts.port}" if parts.port else host
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"the {what} at {host} is plain http", hint="use https; http is for loopback only")
    if not {host, named} & {entry.lower() for entry in hosts}:
        raise ConfigError(
            f"webhooks may not go to {named}",
            hint=f"allow it: SOCAP_ALERTS__WEBHOOK_HOSTS={','.join((*hosts, named))}",
        )
    return url


def _parsed(url: str, what: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        usable = False
    if (
        not usable
        or not ALLOWED.fullmatch(url)
        or len(url) > LONGEST_URL
        or parts.scheme not in ("http", "https")
    ):
        raise ConfigError(
            f"the {what} is not a URL", hint="it looks like https://hooks.slack.com/services/..."
        )
    return parts


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or address alone."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(url: str) -> str:
    """The host, which is no secret."""
    try:
        return urlsplit(url).hostname or "?"
    except ValueError:
        return "?"
