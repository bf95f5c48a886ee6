"""What a provider does on a bad day, to be told to the simulator."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field, fields
from typing import Literal

Fault = Literal[
    "error", "html", "garble", "hang", "limit", "expire", "refuse", "drop", "status", "empty", "ok"
]
"""One request's fate: 502 JSON, 503 HTML, cut body, no answer, 429, bad cursor, 400, closed connection,
200 with an error status, 200 without any list, or none."""


@dataclass
class Faults:
    """Rates are parts of all requests; `script` decides the next requests, whatever the rates say."""

    latency: float = 0.0
    """Seconds that each answer takes."""
    errors: float = 0.0
    garbled: float = 0.0
    dropped: float = 0.0
    hangs: float = 0.0
    hang_seconds: float = 1.0
    expired: float = 0.0
    """Part of requests with a cursor whose cursor is refused."""
    looping: bool = False
    """Every next cursor points at the page it came with."""
    repeats: int = 0
    """Items of the page before that come again at the top of the next one."""
    blanks: float = 0.0
    """Part of the pages that come empty, with a next cursor."""
    qps: float = 0.0
    """Requests a second of one endpoint before 429; 0 means no limit."""
    retry_after: float = 1.0
    credits: float | None = None
    """Credits left; below a request's price the answer is 402."""
    script: deque[Fault] = field(default_factory=deque)

    def update(self, wanted: dict[str, object]) -> None:
        """Change some of the values by name. Raises ValueError that names an unknown one."""
        names = {entry.name for entry in fields(self)}
        for name, value in wanted.items():
            if name not in names:
                raise ValueError(f"no fault named {name}; there are: {', '.join(sorted(names))}")
            setattr(self, name, deque(value) if name == "script" else value)  # type: ignore[call-overload]


class Fate:
    """Draws each request's fate; thread-safe."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._seen: dict[str, deque[float]] = {}

    def draw(self, endpoint: str, *, has_cursor: bool) -> Fault:
        with self._lock:
            if self.faults.script:
                return self.faults.script.popleft()
            if self._over_limit(endpoint):
                return "limit"
            rates: tuple[tuple[Fault, float], ...] = (
                ("error", self.faults.errors / 2),
                ("html", self.faults.errors / 2),
                ("garble", self.faults.garbled),
                ("drop", self.faults.dropped),
                ("hang", self.faults.hangs),
                ("expire", self.faults.expired if has_cursor else 0.0),
            )
            drawn = self._random.random()
            for fault, rate in rates:
                if drawn < rate:
                    return fault
                drawn -= rate
            return "ok"

    def blank(self) -> bool:
        with self._lock:
            return self._random.random() < self.faults.blanks

    def _over_limit(self, endpoint: str) -> bool:
        if not self.faults.qps:
            return False
        now = time.monotonic()
        seen = self._seen.setdefault(endpoint, deque())
        while seen and seen[0] <= now - 1.0:
            seen.popleft()
        if len(seen) >= self.faults.qps:
            return True
        seen.append(now)
        return False
