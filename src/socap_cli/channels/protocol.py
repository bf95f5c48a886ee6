"""What a way to tell people offers, whichever it is."""

from __future__ import annotations

import ipaddress
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import SplitResult, urlsplit

import httpcore
from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from socap_cli import __version__
from socap_cli.errors import ChannelDead, ConfigError, DeliveryFailed, DeliveryUnknown, MessageRefused
from socap_cli.http import Connection, check_http_environment, proxy_at, proxy_for, tls_for
from socap_cli.model import cleaning
from socap_cli.model.message import Message
from socap_cli.settings import is_host
from socap_cli.text import Mask, secrets_of

if TYPE_CHECKING:
    from socap_cli.model.campaign import Campaign


class Channel(Protocol):
    """One way to tell people. Threads share it; it keeps nothing between two messages.

    An address is what one receiver is reached by: a webhook's URL, an e-mail address.
    """

    @property
    def name(self) -> str:
        """The word by which campaigns and the configuration name it."""

    @property
    def interval(self) -> float:
        """Seconds between two messages to one address, all processes together."""

    @property
    def most_people(self) -> int:
        """How many people one message can tell about; of more, several are made."""

    @property
    def is_ready(self) -> bool:
        """Whether it is configured so far that an address is all it needs."""

    @property
    def missing(self) -> str:
        """What to set when it has no address."""

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:
        """The addresses that a campaign tells when it names no address of its own."""

    def check(self, address: str) -> str:
        """The address as it is used. Raises ConfigError, which repeats nothing secret."""

    def shown(self, address: str) -> str:
        """The address as people may see it: a secret one is not told."""

    def examine(self, address: str) -> str:
        """Find out without sending anything whether a message would go out; say so in a line.

        Raises ConfigError, ChannelError.
        """

    def send(self, address: str, message: Message) -> None:
        """Hand one message over. Raises ChannelError; whatever else it raises concerns this message only."""

    def notify(self, address: str, text: str) -> None:
        """Say a plain line. Raises ChannelError."""


CALLS = re.compile(r"@(?=(?:everyone|here|channel|all|group|room|team)\b)|<(?=[!@#&])", re.IGNORECASE)
"""What chat programs read as a mention of many, also where the text is not markup."""


Escape = Callable[[Any], Any]


class Templates:
    """`<folder>/<campaign>/NAME` wins over `<folder>/NAME`, and that over ours.

    `.html` escapes what it is given; `escape` does so for the markup of a channel of its own.
    """

    def __init__(self, folder: Path | None = None, *, escape: Escape | None = None) -> None:
        ours: BaseLoader = PackageLoader("socap_cli.channels", "templates")
        loader = ChoiceLoader([FileSystemLoader(folder), ours]) if folder else ours
        self._environment = ImmutableSandboxedEnvironment(
            loader=loader,
            autoescape=select_autoescape(("html",), default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            finalize=escape,
        )
        self._environment.filters["time"] = _time

    def render(self, name: str, message: Message, **values: object) -> str:
        """A message by one template. Raises MessageRefused that names the template's fault."""
        try:
            template = self._environment.select_template([f"{message.campaign_id}/{name}", name])
            return template.render(message=message, **values)
        except TemplateNotFound as error:
            raise MessageRefused(f"template {name}: there is no {error.message}") from error
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            place = f"{getattr(error, 'name', None) or name}, line {line}" if line else name
            raise MessageRefused(
                f"template {place}: {error.message}", hint="mend it, then: socap alerts retry"
            ) from error


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


MEND_ADDRESS = "set an address that works, then: socap alerts retry"


ALLOWED = re.compile(r"[\x21-\x7e]+")


LONGEST_URL = 2000


def without_mentions(text: str) -> str:
    """The same text to the eye, with a character of no width where a mention would begin."""
    return CALLS.sub(lambda match: f"{match.group()}\u200b", text)


def _time(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %H:%M} UTC"


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


def _seconds_to(value: str, now: float) -> float:
    try:
        return parsedate_to_datetime(value).timestamp() - now
    except (ValueError, TypeError, OverflowError, IndexError):
        return math.nan


def _said(mask: Mask, text: str) -> str:
    return cleaning.one_line(mask(re.sub(r"<[^>]{0,200}>", " ", text)), limit=LONGEST_SHOWN)


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
