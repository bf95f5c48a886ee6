"""Alerts as people look at them: with who, what, which tweet and what became of it for each receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from socap_cli.model.alert import Alert, DeliveryStatus
from socap_cli.model.engagement import Engagement

NEEDS_A_PERSON = (DeliveryStatus.DEAD, DeliveryStatus.UNKNOWN)
WAITS = {
    DeliveryStatus.PENDING: "waits for its turn at {channel}",
    DeliveryStatus.SENDING: "is being sent over {channel}",
}
"""What is said of a delivery that no attempt came to anything of yet."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What became of an alert on its way to one receiver."""

    channel: str
    receiver: str
    status: DeliveryStatus
    created_at: datetime
    sent_at: datetime | None = None
    said: str | None = None
    """What the last attempt came to."""
    message_id: str | None = None
    due: datetime | None = None
    """When its message is tried next."""

    @property
    def reason(self) -> str:
        """Why it is not sent, in words; empty when it is."""
        if self.status is DeliveryStatus.SENT:
            return ""
        return self.said or WAITS.get(self.status, "").format(channel=self.channel)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to send a message."""

    at: datetime
    status: DeliveryStatus
    said: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRecord:
    """A message with all that was tried."""

    message_id: str
    kind: str
    channel: str
    receiver: str
    status: DeliveryStatus
    attempts: int
    repeats: int
    """How often it may have arrived unheard."""
    due: datetime | None
    log: tuple[Attempt, ...]
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class AlertListing:
    """An alert, what it is about, and its receivers; none while it waits."""

    alert: Alert
    engagement: Engagement | None
    """None when it was deleted, or cannot be read."""
    deliveries: tuple[DeliveryRecord, ...]

    @property
    def reason(self) -> str:
        """Why it stands where it stands, in words; empty for what was sent."""
        held = [self.alert.hold.said] if self.alert.hold is not None else []
        wrong = [d.reason for d in self.deliveries if d.reason and (not held or d.status in NEEDS_A_PERSON)]
        return "; ".join(dict.fromkeys([*held, *wrong]))

    @property
    def due(self) -> datetime | None:
        """When it goes out; None when that hangs on something else, or it went."""
        hold = self.alert.hold
        if hold is not None:
            return hold.until
        if not self.deliveries:
            return self.alert.scheduled_send_time
        return min((delivery.due for delivery in self.deliveries if delivery.due), default=None)

    @property
    def waits(self) -> bool:
        """Whether some receiver is still to be told, whoever was told already."""
        return self.alert.hold is not None

    @property
    def sent_at(self) -> datetime | None:
        """When the last receiver had it."""
        return max((d.sent_at for d in self.deliveries if d.sent_at), default=None)


@dataclass(frozen=True, slots=True)
class AlertTotals:
    """How many alerts stand where, why they are held, and what became of deliveries."""

    alerts: Mapping[str, int]
    """By status."""
    holds: Mapping[str, int]
    """By reason."""
    deliveries: Mapping[str, int]
    """By status, a delivery for each alert and receiver."""
