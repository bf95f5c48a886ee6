"""Alerts: what is to be said, and what became of each delivery."""

from __future__ import annotations

from enum import StrEnum


class DeliveryStatus(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    """Not taken; tried again."""
    DEAD = "dead"
    """Refused for good: needs a person."""
    UNKNOWN = "unknown"
    """It may have arrived: the answer was lost."""


class Channel(StrEnum):
    """A way to tell people."""

    SLACK = "slack"
    EMAIL = "email"
