"""The one table of channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from socap_cli.channels.apprise import Apprise
from socap_cli.channels.email import Email
from socap_cli.channels.protocol import Channel
from socap_cli.channels.slack import Slack
from socap_cli.channels.webhook import Webhook
from socap_cli.settings import Alerts, Settings
from socap_cli.text import secrets_of

CHANNELS: dict[str, Callable[[Alerts], Channel]] = {
    "slack": Slack,
    "email": Email,
    "webhook": Webhook,
    "apprise": Apprise,
}


WITH_PASSWORD = frozenset({"mongodb", "mongodb+srv", "smtp", "smtps"})
"""Addresses of which only the user's part is secret."""


SIGNING = "whsec_"
"""How a secret that signs may begin."""


def open_channels(settings: Alerts) -> dict[str, Channel]:
    """Every channel by its name, over these settings. Raises ConfigError."""
    return {name: build(settings) for name, build in CHANNELS.items()}


def secrets_in(settings: Settings) -> tuple[str, ...]:
    """Every text of the settings that nothing may print or log: keys, passwords, and addresses that are secrets."""
    found: list[str] = []
    for text in _secret_texts(settings):
        try:
            address = urlsplit(text)
            password = address.password or ""
        except ValueError:
            found.append(text)
            continue
        if address.scheme in WITH_PASSWORD:
            found += [password, unquote(password), address.netloc.rpartition("@")[0]]
        else:
            found += secrets_of(text) if address.scheme else [text, text.removeprefix(SIGNING)]
    return tuple(dict.fromkeys(text for text in found if text))


def _secret_texts(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value().strip()
    elif isinstance(value, BaseModel):
        for _, part in value:
            yield from _secret_texts(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from _secret_texts(part)
