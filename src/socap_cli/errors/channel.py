"""What an alert channel can answer, or not."""

from __future__ import annotations

from socap_cli.errors.base import SocapError


class ChannelError(SocapError):
    """An alert channel."""


class DeliveryFailed(ChannelError):
    """Not taken: try again after `retry_after` seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class DeliveryUnknown(ChannelError):
    """It may have arrived."""

    may_have_arrived = True


class MessageRefused(ChannelError):
    """This message will never be taken."""

    final = True


class ChannelDead(ChannelError):
    """The channel takes nothing any more."""

    final = True
    ends_channel = True
