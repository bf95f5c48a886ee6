"""Where mail is handed in: an SMTP URL, read once."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from socap_cli.channels.webhook_address import is_loopback
from socap_cli.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Server:
    """Where mail is handed in."""

    host: str
    port: int
    tls: bool
    """From the start; else STARTTLS."""
    plain: bool = False
    """Whether the address says in words that no TLS is wanted."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def may_be_plain(self) -> bool:
        """Whether login and mail may go over a line that is not encrypted."""
        return self.plain or is_loopback(self.host)


def parse_server(url: str) -> Server:
    """`smtp://user:password@host:port` (STARTTLS), with `?tls=no` plain; `smtps://…`: TLS from the start.

    Raises ConfigError without repeating the URL.
    """
    try:
        parts = urlsplit(url)
        port, query = (
            parts.port,
            dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))),
        )
    except ValueError:
        raise _unusable() from None
    plain = query.pop("tls", "yes")
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or query or plain not in ("yes", "no"):
        raise _unusable()
    if parts.scheme == "smtps" and plain == "no":
        raise ConfigError("SOCAP_ALERT_EMAIL_SMTP asks for smtps:// and for tls=no", hint="choose one")
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname,
        port=port or (465 if tls else 587 if parts.username else 25),
        tls=tls,
        plain=plain == "no",
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )


def _unusable() -> ConfigError:
    return ConfigError(
        "SOCAP_ALERT_EMAIL_SMTP is no SMTP URL",
        hint="it looks like smtp://user:password@host:587 or smtps://host; ?tls=no for a plain line",
    )
