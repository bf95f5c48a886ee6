"""Runs of commands, and what requests were spent on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

REFUSED = "refused"
"""The key of a result that tells why the provider refused a whole run: the key, the credits, the address."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a command, as `status` remembers it."""

    run_id: str
    command: str
    started_at: datetime
    seconds: float
    result: Mapping[str, Any]

    @property
    def refused(self) -> str | None:
        """Why the provider refused the whole run; None when it did not."""
        return self.result.get(REFUSED)


@dataclass(frozen=True, slots=True)
class MeteredRequest:
    """One request to a provider; what it cost is shared by the campaigns that it served, an entry a job."""

    endpoint: str
    campaigns: Sequence[str]
    items: int
    cost: float
    """Credits."""
    failed: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class UsageBatch:
    """Requests that are written together, under a name by which a repeated write is known."""

    name: str
    requests: Sequence[MeteredRequest]


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums of requests; `of` is the campaign, endpoint or day that they are of, None for all."""

    of: str | None
    requests: int = 0
    items: int = 0
    cost: float = 0.0
    """Credits."""
    failed: int = 0


@dataclass(frozen=True, slots=True)
class LimitState:
    """Requests of one scope share a limit: how fast it is asked, and whether it takes requests right now."""

    scope: str
    rate: float | None
    """Requests a second; None when no limit of ours is set."""
    source: str | None
    """Where the rate comes from."""
    refused: int
    """How often the provider refused a request for its rate."""
    blocked_for: float
    """Seconds for which the provider asked not to be asked."""
    silent_for: float | None
    """Seconds for which it has not answered; None when it answers."""
    reason: str | None
    """What it answered last, when it does not."""

    @property
    def is_closed(self) -> bool:
        """Whether it takes no requests, but for a probe now and then."""
        return self.silent_for is not None or self.blocked_for > 0
