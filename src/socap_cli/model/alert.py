"""Alerts: what one campaign is owed about one engagement, and what became of it on its way to each receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from socap_cli.model.engagement import Engagement
from socap_cli.model.message import MessageKind


class AlertStatus(StrEnum):
    """Where an alert stands, over all its receivers: the worst of them counts."""

    PENDING = "pending"
    """Waits for its time."""
    HELD = "held"
    """Would be due, and waits for what its hold says."""
    SENDING = "sending"
    """In messages that are not all taken yet."""
    SENT = "sent"
    DEAD = "dead"
    """One of its messages was refused for good: needs a person."""
    UNKNOWN = "unknown"
    """One of its messages may or may not have arrived, and is not sent again by itself."""
    DROPPED = "dropped"
    """Its campaign or its engagement was deleted."""


OPEN_ALERTS = (AlertStatus.PENDING, AlertStatus.HELD)


class DeliveryStatus(StrEnum):
    """Where a message to one receiver stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    """Not taken; tried again."""
    DEAD = "dead"
    """Refused for good: needs a person."""
    UNKNOWN = "unknown"
    """It may have arrived: the answer was lost."""
    DROPPED = "dropped"
    """What it was to tell was deleted."""


class HoldReason(StrEnum):
    """Why an alert waits although its time has come."""

    PAUSED = "paused"
    IGNORED = "ignored"
    THRESHOLD = "threshold"
    SILENCED = "silenced"
    QUIET_HOURS = "quiet hours"
    DIGEST = "digest"
    TOLD_LATELY = "told lately"
    NO_CHANNEL = "no channel"
    NO_RECEIVER = "no receiver"

    @property
    def gathers(self) -> bool:
        """Whether what this held back is told together when it ends."""
        return self in (HoldReason.PAUSED, HoldReason.SILENCED, HoldReason.QUIET_HOURS, HoldReason.DIGEST)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an alert waits, in words, and until when; None: until somebody changes something."""

    reason: HoldReason
    said: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One engagement that one campaign is told about."""

    alert_id: str
    campaign_id: str
    engagement_id: str
    tweet_id: str
    user_id: str
    username: str
    action_type: str
    importance_score: float | None
    is_vip: bool
    is_backlog: bool
    """Whether it was there before the campaign watched for it: told in one summary."""
    scheduled_send_time: datetime
    run_batch: str
    """The half hour in which it was planned."""
    planned_at: datetime
    labels: tuple[str, ...] = ()
    """The tweet's category and the account's: what a silence can name."""
    status: AlertStatus = AlertStatus.PENDING
    hold: Hold | None = None
    waits_for: tuple[str, ...] = ()
    """Channels that reach nobody yet or tell it later; the others have their messages."""

    @property
    def person(self) -> tuple[str, str]:
        """Who it is about, in which campaign: what one message tells together."""
        return self.campaign_id, self.user_id


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert for one receiver."""

    delivery_id: str
    alert_id: str
    campaign_id: str
    engagement_id: str
    user_id: str
    action_type: str
    importance_score: float | None
    is_vip: bool
    is_backlog: bool
    is_gathered: bool
    """Whether it was held back with others, and is told together with them."""
    channel: str
    address_id: str
    receiver: str
    """The address as it may be shown."""
    run_batch: str
    created_at: datetime
    message_id: str | None = None
    may_have_arrived: bool = False
    """Whether a message told it that was let go after its answer was lost."""


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What one message is to tell one receiver; its deliveries carry its id."""

    message_id: str
    campaign_id: str
    channel: str
    address_id: str
    receiver: str
    kind: MessageKind
    is_vip: bool
    importance_score: float
    """The highest of what it tells: goes first."""
    delivery_ids: tuple[str, ...]
    may_be_repeated: bool = False
    """Whether some of it may have arrived by another message."""


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message that this process may send, until its lease runs out."""

    message_id: str
    campaign_id: str
    channel: str
    address_id: str
    kind: MessageKind
    is_vip: bool
    created_at: datetime
    attempts: int
    """This one included."""
    repeats: int
    """How often it may have arrived already."""
    token: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of an attempt, and when the next one is due; None: not by itself."""

    status: DeliveryStatus
    said: str | None = None
    due: datetime | None = None
    traceback: str | None = None
    may_have_arrived: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """What is not told for a while. None: whichever."""

    silence_id: str
    until: datetime
    created_at: datetime
    author: str
    comment: str = ""
    campaign_id: str | None = None
    username: str | None = None
    category: str | None = None
    action_type: str | None = None

    @property
    def scope(self) -> str:
        """What it silences, in words."""
        parts = [
            self.campaign_id and f"campaign {self.campaign_id}",
            self.username and f"@{self.username}",
            self.category and f"category {self.category}",
            self.action_type and f"{self.action_type} engagements",
        ]
        return ", ".join(part for part in parts if part) or "everything"

    def covers(self, alert: Alert) -> bool:
        """Whether it silences this alert."""
        return (
            self.campaign_id in (None, alert.campaign_id)
            and (self.username is None or self.username.lower() == alert.username.lower())
            and (self.category is None or self.category in alert.labels)
            and self.action_type in (None, alert.action_type)
        )


LONG_SILENCE = timedelta(days=3650)
"""The longest that anybody can mean."""


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
