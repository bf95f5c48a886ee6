"""What the channels share: templates, neutral mentions, posting to webhooks and what their answers mean."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

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

from socap_cli import http
from socap_cli.errors import (
    AddressNotFound,
    ChannelDead,
    ConfigError,
    DeliveryFailed,
    DeliveryUnknown,
    MessageRefused,
    MessageTooLarge,
)
from socap_cli.model import cleaning
from socap_cli.model.message import Message
from socap_cli.settings import is_host
from socap_cli.text import Mask, secrets_of

CALLS = re.compile(r"@(?=everyone|here|channel|all|group|room|team)|<(?=[!@#&])", re.IGNORECASE)
"""What chat programs read as a mention of many, whatever follows it and also where the text is not markup."""
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
                f"template {place}: {error.message}", hint="correct it, then: socap alerts retry"
            ) from error


LARGEST_REPLY = 64 * 1024
"""Bytes that are read; the rest is not waited for."""
LONGEST_SHOWN = 100
LIMITED_FOR = 30.0
"""Seconds to wait after a rate limit that names no time."""
SHORTEST_WAIT, LONGEST_WAIT = 1.0, 3600.0
GONE = frozenset({401, 403, 405, 410})
LATER = frozenset({408, 425, 429})
MEND_ADDRESS = "set an address that works, then: socap alerts retry"
ALLOWED = re.compile(r"[\x21-\x7e]+")
LONGEST_URL = 2000


@dataclass(frozen=True, slots=True)
class Reply:
    """What a webhook answered."""

    status: int
    body: bytes = b""
    """As much as was read of it."""
    text: str = ""
    """Its beginning for people: one line, cleaned and masked."""
    retry_after: float | None = None
    """Seconds, within bounds."""

    @property
    def is_taken(self) -> bool:
        """Whether it means that the message was taken."""
        return 200 <= self.status < 300


def without_mentions(text: str) -> str:
    """The same text to the eye, with a character of no width where a mention would begin."""
    return CALLS.sub(lambda match: f"{match.group()}\u200b", text)


def _time(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %H:%M} UTC"


def post(url: str, content: bytes, headers: Mapping[str, str], *, timeout: float, name: str) -> Reply:
    """Send once and return whatever status came. `timeout` is for the whole of it, in seconds.

    Raises DeliveryFailed when nothing can have arrived, else DeliveryUnknown. Neither repeats the URL.
    """
    mask = Mask(secrets_of(url))
    try:
        response = http.request(
            "POST", url, headers=headers, content=content, timeout=timeout, largest=LARGEST_REPLY
        )
    except ConfigError as error:
        raise DeliveryFailed(f"{name}: {error.message}", hint=error.hint) from None
    except http.HttpError as error:
        reason = _shown(mask, error.reason)
        if error.sent:
            raise DeliveryUnknown(f"{name} did not answer, the message may have arrived: {reason}") from None
        raise DeliveryFailed(f"{name} cannot be reached: {reason}") from None
    wait = http.retry_after(response.headers, shortest=SHORTEST_WAIT, longest=LONGEST_WAIT)
    text = _shown(mask, response.body.decode("utf-8", "replace"))
    return Reply(response.status, response.body, text, wait)


def _shown(mask: Mask, text: str) -> str:
    return cleaning.one_line(mask(re.sub(r"<[^>]{0,200}>", " ", text)), limit=LONGEST_SHOWN)


def raise_for_status(reply: Reply, name: str) -> None:
    """Nothing for a message that was taken; else the ChannelError that the status stands for."""
    status = f"HTTP {reply.status} {reply.text}".rstrip()
    if reply.is_taken:
        return
    if reply.status in LATER:
        raise DeliveryFailed(f"{name} answered {status}", retry_after=reply.retry_after or LIMITED_FOR)
    if 300 <= reply.status < 400:
        raise ChannelDead(f"{name} answered {status}: redirects are not followed", hint=MEND_ADDRESS)
    if reply.status == 404:
        raise AddressNotFound(f"{name} answered {status}")
    if reply.status == 413:
        raise MessageTooLarge(f"{name} refused the message as too large: {status}")
    if reply.status in GONE:
        raise ChannelDead(f"{name} refuses this address: {status}", hint=MEND_ADDRESS)
    if 400 <= reply.status < 500:
        raise MessageRefused(f"{name} answered {status}")
    if reply.status >= 500:
        raise DeliveryFailed(f"{name} answered {status}", retry_after=reply.retry_after)
    raise DeliveryUnknown(f"ambiguous response of {name}: {status}")


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
        usable = parts.scheme in ("http", "https") and is_host(parts.hostname or "") and parts.port != 0
        if usable and parts.hostname and ALLOWED.fullmatch(url) and len(url) <= LONGEST_URL:
            return parts
    except ValueError:
        pass
    raise ConfigError(f"the {what} is not a URL", hint="it looks like https://hooks.slack.com/services/...")


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
