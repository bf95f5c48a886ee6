"""Alerts: what a campaign is owed about an engagement, why it is held, and the messages that deliver it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from socap_cli.model.engagement import Engagement
from socap_cli.model.message import MessageKind


class AlertStatus(StrEnum):
    """Over all recipients of an alert; the worst delivery decides."""

    PENDING = "pending"
    """Waits for its scheduled time."""
    HELD = "held"
    """Due, and waits for what its hold names."""
    SENDING = "sending"
    """In messages that were not all delivered yet."""
    SENT = "sent"
    DEAD = "dead"
    """A message was refused for good: needs a person."""
    UNKNOWN = "unknown"
    """A message may have arrived and is not sent again automatically."""
    DROPPED = "dropped"
    """The campaign or the engagement was deleted."""


OPEN_ALERTS = (AlertStatus.PENDING, AlertStatus.HELD)


class DeliveryStatus(StrEnum):
    """Of a message to one recipient, and of each alert in it."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    """Not delivered; will be retried."""
    DEAD = "dead"
    """Refused for good: needs a person."""
    UNKNOWN = "unknown"
    """May have arrived: the response was lost."""
    DROPPED = "dropped"
    """Withdrawn, or what it was about was deleted."""


class HoldReason(StrEnum):
    """Why a due alert waits."""

    PAUSED = "paused"
    IGNORED = "ignored"
    THRESHOLD = "threshold"
    SILENCED = "silenced"
    QUIET_HOURS = "quiet hours"
    DIGEST = "digest"
    REPEAT_WINDOW = "repeat window"
    NO_CHANNEL = "no channel"
    NO_RECIPIENT = "no recipient"

    @classmethod
    def _missing_(cls, value: object) -> HoldReason | None:
        """Earlier versions stored two reasons under other names."""
        return {"told lately": cls.REPEAT_WINDOW, "no receiver": cls.NO_RECIPIENT}.get(str(value))

    @property
    def gathers(self) -> bool:
        """Whether the alerts that this held go out in one digest when it ends."""
        return self in (HoldReason.PAUSED, HoldReason.SILENCED, HoldReason.QUIET_HOURS, HoldReason.DIGEST)


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an alert waits, and until when; None: until somebody changes something."""

    reason: HoldReason
    text: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One engagement owed to one campaign."""

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
    """Part of the baseline: goes out in the summary."""
    scheduled_send_time: datetime
    run_batch: str
    """The half hour in which it was planned."""
    planned_at: datetime
    labels: tuple[str, ...] = ()
    """The tweet's category and the account's: what a silence can name."""
    status: AlertStatus = AlertStatus.PENDING
    hold: Hold | None = None
    waits_for: tuple[str, ...] = ()
    """Channels without an address yet, or with a later digest; the others have their messages."""

    @property
    def person(self) -> tuple[str, str]:
        """Alerts of one person in one campaign go out in one message."""
        return self.campaign_id, self.user_id


@dataclass(frozen=True, slots=True)
class Delivery:
    alert: Alert
    channel: str
    address_id: str
    receiver: str
    """The address as it may be shown."""
    is_gathered: bool
    """Was held with others, and goes out with them in one digest."""
    may_have_arrived: bool = False
    """Was in an earlier message whose response was lost."""

    @property
    def delivery_id(self) -> str:
        return f"{self.alert.alert_id}|{self.address_id}"


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """The alerts that one message brings to one recipient."""

    message_id: str
    kind: MessageKind
    deliveries: tuple[Delivery, ...]

    @property
    def campaign_id(self) -> str:
        return self.deliveries[0].alert.campaign_id

    @property
    def is_vip(self) -> bool:
        return any(one.alert.is_vip and not one.alert.is_backlog for one in self.deliveries)


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """A stored message that may still be sent."""

    message_id: str
    campaign_id: str
    address_id: str
    alert_ids: tuple[str, ...]
    is_due: bool
    may_have_arrived: bool


@dataclass(frozen=True, slots=True)
class ClaimedMessage:
    """A message that this process may send until its lease expires."""

    message_id: str
    campaign_id: str
    channel: str
    address_id: str
    kind: MessageKind
    created_at: datetime
    attempts: int = 1
    """Including this one."""
    repeats: int = 0
    """How often it may have arrived already."""
    token: str = ""
    receiver: str = ""
    engagements: Mapping[str, str] = field(default_factory=dict)
    """Engagement ids by alert id."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """The outcome of an attempt, and when the next is due; None: not automatically."""

    status: DeliveryStatus
    error: str | None = None
    due: datetime | None = None
    traceback: str | None = None
    may_have_arrived: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """Holds matching alerts for a while. None matches everything."""

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
        parts = [
            self.campaign_id and f"campaign {self.campaign_id}",
            self.username and f"@{self.username}",
            self.category and f"category {self.category}",
            self.action_type and f"{self.action_type} engagements",
        ]
        return ", ".join(part for part in parts if part) or "everything"

    def covers(self, alert: Alert) -> bool:
        return (
            self.campaign_id in (None, alert.campaign_id)
            and (self.username is None or self.username.lower() == alert.username.lower())
            and (self.category is None or self.category in alert.labels)
            and self.action_type in (None, alert.action_type)
        )


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What became of an alert on its way to one recipient."""

    channel: str
    receiver: str
    status: DeliveryStatus
    created_at: datetime
    sent_at: datetime | None = None
    said: str | None = None
    """The error of the last attempt."""
    message_id: str | None = None
    due: datetime | None = None
    """When its message is tried next."""

    @property
    def reason(self) -> str:
        """Why it is not sent; empty when it is."""
        if self.status is DeliveryStatus.SENT:
            return ""
        if self.said:
            return self.said
        if self.status is DeliveryStatus.PENDING:
            return f"queued for {self.channel}"
        return f"being sent over {self.channel}" if self.status is DeliveryStatus.SENDING else ""


@dataclass(frozen=True, slots=True)
class Attempt:
    at: datetime
    status: DeliveryStatus
    said: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRecord:
    message_id: str
    kind: str
    channel: str
    receiver: str
    status: DeliveryStatus
    attempts: int
    repeats: int
    """How often it may have arrived without a response."""
    due: datetime | None
    log: tuple[Attempt, ...]
    traceback: str | None = None


@dataclass(frozen=True, slots=True)
class AlertListing:
    """An alert with its engagement (None: deleted or unreadable) and its deliveries (none while it waits)."""

    alert: Alert
    engagement: Engagement | None
    deliveries: tuple[DeliveryRecord, ...]

    @property
    def reason(self) -> str:
        """Why it is not sent; empty when it is."""
        held = [self.alert.hold.text] if self.alert.hold is not None else []
        needs_a_person = (DeliveryStatus.DEAD, DeliveryStatus.UNKNOWN)
        failed = [d.reason for d in self.deliveries if d.reason and (not held or d.status in needs_a_person)]
        return "; ".join(dict.fromkeys([*held, *failed]))

    @property
    def due(self) -> datetime | None:
        """When it goes out; None when that depends on something else, or it went."""
        hold = self.alert.hold
        if hold is not None:
            return hold.until
        if not self.deliveries:
            return self.alert.scheduled_send_time
        return min((delivery.due for delivery in self.deliveries if delivery.due), default=None)

    @property
    def sent_at(self) -> datetime | None:
        """When the last recipient had it."""
        return max((d.sent_at for d in self.deliveries if d.sent_at), default=None)


@dataclass(frozen=True, slots=True)
class AlertTotals:
    """How many alerts by status and hold reason, and deliveries by status."""

    alerts: Mapping[str, int]
    holds: Mapping[str, int]
    deliveries: Mapping[str, int]
