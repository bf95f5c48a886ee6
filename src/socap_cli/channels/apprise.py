"""Whatever Apprise sends to: Telegram, Discord, Teams, ntfy, PagerDuty and a hundred more; the extra `apprise`."""

from __future__ import annotations

import logging
import re
from typing import Any

from socap_cli.channels.common import Templates, without_mentions
from socap_cli.errors import ChannelError, ConfigError, DeliveryFailed, DeliveryUnknown, MessageTooLarge
from socap_cli.model.campaign import Campaign
from socap_cli.model.message import Message
from socap_cli.settings import AlertSettings

REFUSED = re.compile(r"error=(\d{3})\b")
PART_SENT = re.compile(r"^.*\bsent\b.*\bnotification", re.IGNORECASE | re.MULTILINE)
"""What Apprise logs of each part that a service took."""
LONGEST_STEP = 10.0
"""Seconds that Apprise may wait for one read."""


class Apprise:
    """An address is a URL as Apprise writes it (`tgram://…`), which is a secret as a whole."""

    name = "apprise"
    interval = 1.0
    most_people = 5
    """Discord takes 2,000 characters, Telegram 4,096; what is longer is sent in parts."""
    missing = "no Apprise address; set SOCAP_ALERTS__APPRISE"

    def __init__(self, settings: AlertSettings) -> None:
        self._addresses = tuple(url.get_secret_value() for url in settings.apprise)
        self._hosts = settings.webhook_hosts
        self._step = min(settings.timeout, LONGEST_STEP)
        self._templates = Templates(settings.templates)

    @property
    def is_ready(self) -> bool:
        """An address is all it needs."""
        return True

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:  # noqa: ARG002  (the same for every campaign)
        """Those of the configuration."""
        return self._addresses

    def check(self, address: str) -> str:
        """See Channel. A campaign's own address reaches services, and hosts that the operator allows."""
        plugin = self._plugin(address)
        goes_anywhere = any("{host}" in template for template in plugin.templates)
        host = plugin.host if goes_anywhere and isinstance(plugin.host, str) else ""
        if host and address not in self._addresses and not {host, f"{host}:{plugin.port}"} & set(self._hosts):
            raise ConfigError(
                f"webhooks may not go to {host}",
                hint=f"allow it: SOCAP_ALERTS__WEBHOOK_HOSTS={','.join((*self._hosts, host))}",
            )
        return address

    def shown(self, address: str) -> str:
        """The service only."""
        return re.sub(r"[^a-z0-9+.-]", "", address.partition("://")[0].lower()) or "apprise"

    def examine(self, address: str) -> str:
        """An address can only be tried by sending."""
        self.check(address)
        return f"{self.shown(address)} is known; send a message with: socap alerts test apprise"

    def send(self, address: str, message: Message) -> None:
        """See Channel."""
        title = self._templates.render("subject.txt", message).strip()
        self._notify(address, title, self._templates.render("plain.txt", message))

    def notify(self, address: str, text: str) -> None:
        """See Channel."""
        self._notify(address, "", text)

    def _notify(self, address: str, title: str, body: str) -> None:
        """Only yes or no comes back: what went out, and the status, are read from Apprise's log."""
        library, plugin = _library(), self._plugin(self.check(address))
        plugin.overflow_mode = library.OverflowMode.SPLIT
        plugin.socket_connect_timeout = plugin.socket_read_timeout = self._step
        service = library.Apprise()
        service.add(plugin)
        with library.LogCapture(level=logging.INFO) as log:
            taken = service.notify(
                title=without_mentions(title),
                body=without_mentions(body).strip(),
                body_format=library.NotifyFormat.TEXT,
            )
            logged = log.getvalue()
        if not taken:
            raise _failure(self.shown(address), logged)

    def _plugin(self, address: str) -> Any:
        plugin = _library().Apprise.instantiate(address, suppress_exceptions=True)
        if plugin is None:
            raise ConfigError(
                "not an address that Apprise knows", hint="its documentation lists the services' URLs"
            )
        return plugin


def _failure(service: str, logged: str) -> ChannelError:
    refused = REFUSED.search(logged)
    if PART_SENT.search(logged):
        return DeliveryUnknown(f"{service} took a part of the message only")
    if refused and refused[1] == "413":
        return MessageTooLarge(f"{service} refused the message as too large")
    if refused:
        return DeliveryFailed(f"{service} answered {refused[1]}")
    return DeliveryUnknown(f"{service} refused the message or did not answer: it may have arrived")


def _library() -> Any:
    try:
        import apprise
    except ImportError:
        raise ConfigError(
            "the channel apprise needs its package", hint="pip install 'socap[apprise]'"
        ) from None
    return apprise
