"""The world's own clock: it stands still, runs, or is set."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Tells the world's time: `start` plus real seconds times `speed`, plus what was advanced by hand."""

    def __init__(self, start: datetime, *, speed: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._base = start.astimezone(UTC)
        self._speed = speed
        self._since = time.monotonic()

    def now(self) -> datetime:
        with self._lock:
            return self._base + timedelta(seconds=(time.monotonic() - self._since) * self._speed)

    def advance(self, step: timedelta) -> datetime:
        """Move the clock forward and return the new time."""
        with self._lock:
            self._base += step
        return self.now()
