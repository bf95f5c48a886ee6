"""The channels that alerts go to: one module each, and the one table that knows them.

A new channel is a module with a class like those here (see `Channel`) and a row of `CHANNELS`. Its addresses
come from `[alerts] to = ["NAME=ADDRESS"]` or from a campaign's `--channel NAME=ADDRESS`. The rows import their module
when they are called, so that a command that sends nothing imports neither HTTP nor SMTP.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from socap_cli.settings import AlertSettings

if TYPE_CHECKING:
    from socap_cli.model.campaign import Campaign
    from socap_cli.model.message import Message

Now = Callable[[], datetime]


class Channel(Protocol):
    """One way to alert people. Threads share it; it keeps nothing between two messages.

    An address is what one recipient is reached by: a webhook's URL, an e-mail address.
    """

    @property
    def name(self) -> str:
        """The word by which campaigns and the configuration name it."""

    @property
    def interval(self) -> float:
        """Seconds between two messages to one address, all processes together."""

    @property
    def most_people(self) -> int:
        """How many people fit into one message."""

    @property
    def is_ready(self) -> bool:
        """Whether an address is all that it still needs."""

    @property
    def missing(self) -> str:
        """What to set when it has no address."""

    def receivers(self, campaign: Campaign) -> tuple[str, ...]:
        """The addresses for a campaign that names none of its own."""

    def check(self, address: str) -> str:
        """The address as it is used. Raises ConfigError, which repeats nothing secret."""

    def shown(self, address: str) -> str:
        """The address for people, without what is secret in it."""

    def examine(self, address: str) -> str:
        """A line that says whether a message would go out; nothing is sent. Raises ConfigError, ChannelError."""

    def send(self, address: str, message: Message) -> None:
        """Hand one message over. Raises ChannelError; any other exception concerns this message only."""

    def notify(self, address: str, text: str) -> None:
        """Send a plain line. Raises ChannelError."""


def utc_now() -> datetime:
    """This host's time."""
    return datetime.now(UTC)


def _slack(settings: AlertSettings, _: Now) -> Channel:
    from socap_cli.channels.slack import Slack

    return Slack(settings)


def _email(settings: AlertSettings, now: Now) -> Channel:
    from socap_cli.channels.email import Email

    return Email(settings, now=now)


def _webhook(settings: AlertSettings, now: Now) -> Channel:
    from socap_cli.channels.webhook import Webhook

    return Webhook(settings, now=now)


def _apprise(settings: AlertSettings, _: Now) -> Channel:
    from socap_cli.channels.apprise import Apprise

    return Apprise(settings)


CHANNELS: dict[str, Callable[[AlertSettings, Now], Channel]] = {
    "slack": _slack,
    "email": _email,
    "webhook": _webhook,
    "apprise": _apprise,
}


def open_channels(settings: AlertSettings, now: Now = utc_now) -> dict[str, Channel]:
    """Every channel by its name, over these settings; `now` dates what they send. Raises ConfigError."""
    return {name: build(settings, now) for name, build in CHANNELS.items()}
