"""What a way to tell people offers, whichever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from socap_cli.model.campaign import Campaign
    from socap_cli.model.message import Message


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
