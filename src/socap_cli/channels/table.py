"""The one table of channels."""

from __future__ import annotations

from collections.abc import Callable

from socap_cli.channels.apprise import Apprise
from socap_cli.channels.email import Email
from socap_cli.channels.protocol import Channel
from socap_cli.channels.slack import Slack
from socap_cli.channels.webhook import Webhook
from socap_cli.settings import Alerts

CHANNELS: dict[str, Callable[[Alerts], Channel]] = {
    "slack": Slack,
    "email": Email,
    "webhook": Webhook,
    "apprise": Apprise,
}


def open_channels(settings: Alerts) -> dict[str, Channel]:
    """Every channel by its name, over these settings. Raises ConfigError."""
    return {name: build(settings) for name, build in CHANNELS.items()}
