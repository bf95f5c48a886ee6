"""What a provider does on a bad day, to be told to the simulator."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args
from zlib import crc32

Fault = Literal[
    "error", "html", "garble", "hang", "limit", "expire", "refuse", "drop", "status", "empty", "null", "drip",
    "oversized", "bomb", "nested", "missing", "ok",
]  # fmt: skip
"""One request's fate: 502 JSON, 503 HTML, cut body, no answer, 429, bad cursor, 400, closed connection, 200 with an
error status, 200 without any list, 200 with null, a byte now and then, an answer without end, a small one that
unpacks to much, one of 200,000 brackets, 404, or none."""


FAULTS: tuple[Fault, ...] = get_args(Fault)


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
    drips: float = 0.0
    drip_pause: float = 0.2
    """Seconds between two bytes."""
    oversized: float = 0.0
    expired: float = 0.0
    """Part of requests with a cursor whose cursor is refused."""
    looping: bool = False
    """Every next cursor points at the page it came with."""
    repeats: int = 0
    """Items of the page before that come again at the top of the next one."""
    blanks: float = 0.0
    """Part of the pages that come empty, with a next cursor."""
    unreadable: float = 0.0
    """Part of the items, always the same ones, whose row cannot be read: null, without author, without id …"""
    odd_values: float = 0.0
    """Part of the items, always the same ones, that hold values which no document can hold."""
    not_found: tuple[str, ...] = ()
    """Tweets whose lists are answered 404."""
    never_answered: tuple[str, ...] = ()
    """Tweets whose lists are answered 500."""
    always_limited: tuple[str, ...] = ()
    """Tweets whose lists are answered 429, whatever their rate."""
    limited: float = 0.0
    """Part of the requests that are answered 429 whatever their rate."""
    qps: float = 0.0
    """Requests a second before 429; 0 means no limit."""
    limit_per: Literal["account", "endpoint"] = "account"
    """What shares the limit."""
    retry_after: float | None = 1.0
    """Seconds that a 429 names; None when it names none."""
    credits: float | None = None
    """Credits left; below a request's price the answer is 402."""
    script: deque[Fault] = field(default_factory=deque)

    def update(self, wanted: dict[str, object]) -> None:
        """Change some of the values by name. Raises ValueError that names an unknown one."""
        names = {entry.name for entry in fields(self)}
        for name, value in wanted.items():
            if name not in names:
                raise ValueError(f"no fault named {name}; there are: {', '.join(sorted(names))}")
            setattr(self, name, _script(value) if name == "script" else value)


class Fate:
    """Draws each request's fate. Threads share it."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._seen: dict[str, deque[float]] = {}

    def draw(self, endpoint: str, *, has_cursor: bool) -> Fault:
        """The fate of a request."""
        with self._lock:
            if self.faults.script:
                return self.faults.script.popleft()
            if self._over_limit(endpoint if self.faults.limit_per == "endpoint" else ""):
                return "limit"
            drawn = self._random.random()
            for fault, rate in self._rates(has_cursor=has_cursor):
                if drawn < rate:
                    return fault
                drawn -= rate
            return "ok"

    def _rates(self, *, has_cursor: bool) -> tuple[tuple[Fault, float], ...]:
        faults = self.faults
        return (
            ("error", faults.errors / 2),
            ("html", faults.errors / 2),
            ("garble", faults.garbled),
            ("drop", faults.dropped),
            ("hang", faults.hangs),
            ("expire", faults.expired if has_cursor else 0.0),
            ("limit", faults.limited),
            ("drip", faults.drips),
            ("oversized", faults.oversized),
        )

    def blank(self) -> bool:
        """Whether a page comes empty."""
        with self._lock:
            return self._random.random() < self.faults.blanks

    def _over_limit(self, scope: str) -> bool:
        """Count a request, unless there were as many as may be in the time before it."""
        if not self.faults.qps:
            return False
        now, window = time.monotonic(), max(1.0, 1.0 / self.faults.qps)
        seen = self._seen.setdefault(scope, deque())
        while seen and seen[0] <= now - window:
            seen.popleft()
        if len(seen) >= max(1.0, self.faults.qps * window):
            return True
        seen.append(now)
        return False


Row = dict[str, Any]


Spoil = Callable[[Row], Any]


ODD_TEXT = "cut emoji \ud83d, a bell \x07, a nul \x00, &lt;b&gt; &amp;amp;, \u202eturned"


BEYOND_64_BITS = 10**30


BEFORE_ALL_YEARS = "0001-01-01T00:00:00+14:00"


class Ways:
    """How rows of one wire format are spoilt."""

    def __init__(self, odd: Spoil, unreadable: Sequence[Spoil]) -> None:
        self.odd = odd
        self.unreadable = tuple(unreadable)


def _script(value: object) -> deque[Fault]:
    if not isinstance(value, (list, tuple, deque)) or not all(one in FAULTS for one in value):
        raise ValueError(f"script: a list of {', '.join(FAULTS)}")
    return deque(value)


def is_hit(source_id: str, part: float, *, salt: str) -> bool:
    """Whether an item is among this part of all items."""
    return part > 0 and crc32(f"{salt}{source_id}".encode()) < part * 2**32


def is_unreadable(source_id: str, part: float) -> bool:
    """Whether an item's row cannot be read when this part of all cannot."""
    return is_hit(source_id, part, salt="unreadable")


def spoil(row: Row, source_id: str, *, unreadable: float, odd_values: float, ways: Ways) -> Any:
    """The row as a provider gives it on a bad day."""
    if is_hit(source_id, odd_values, salt="odd"):
        row = ways.odd(row)
    if is_unreadable(source_id, unreadable):
        return ways.unreadable[crc32(source_id.encode()) % len(ways.unreadable)](row)
    return row
