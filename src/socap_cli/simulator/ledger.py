"""What a simulator was asked and sent."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from socap_cli.simulator.wire import Answer


@dataclass
class Ledger:
    """What was asked and what it cost."""

    keeps_times: bool = False
    """Whether the moment of each request is kept: it grows for as long as the simulator runs."""
    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    times: dict[str, list[float]] = field(default_factory=dict)
    """Per path, the monotonic time of each request."""
    items: int = 0
    credits: float = 0.0

    def asked(self, path: str) -> None:
        """Note a request."""
        self.requests[path] += 1
        if self.keeps_times:
            self.times.setdefault(path, []).append(time.monotonic())

    def answered(self, answer: Answer) -> None:
        """Note an answer."""
        self.statuses[answer.status] += 1
        self.items += answer.billed_items
        self.credits += answer.credits

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "requests": dict(self.requests),
            "statuses": {str(status): count for status, count in self.statuses.items()},
            "items": self.items,
            "credits": self.credits,
        }


@dataclass
class Sink:
    """A webhook's receiver: keeps what it was sent and answers as told."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: str = "ok"
    retry_after: str | None = None
    hang_seconds: float = 0.0
