"""What a run did, added up by many threads."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class RunCounts:
    """Sums of one run; threads add to them."""

    requests: int = 0
    items: int = 0
    cost: float = 0.0
    """Credits."""
    engagements_new: int = 0
    snapshots: int = 0
    rows_unreadable: int = 0
    """Rows of answers that could not be read and were left out."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: float) -> None:
        """Add to the sums by name."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)
