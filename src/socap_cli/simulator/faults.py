"""What a provider does on a bad day: `FAULTS` is the table, `Faults` says how often."""

from __future__ import annotations

import gzip
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal
from zlib import crc32

Row = dict[str, Any]
Manner = Literal["plain", "cut", "drop", "drip", "endless"]
"""How an answer is sent: whole, with half of its body, not at all, byte by byte, or without end."""


@dataclass
class Faults:
    """Rates are parts of all requests; `script` decides the next requests, whatever the rates are."""

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
    """Part of the items, always the same ones, with values that no document can hold."""
    not_found: tuple[str, ...] = ()
    """Tweets whose lists are answered 404."""
    never_answered: tuple[str, ...] = ()
    """Tweets whose lists are answered 502 or 503."""
    always_limited: tuple[str, ...] = ()
    """Tweets whose lists are answered 429, whatever their rate."""
    limited: float = 0.0
    """Part of the requests that are answered 429 whatever their rate."""
    qps: float = 0.0
    """Requests a second before 429; 0 means no limit."""
    retry_after: float | None = 1.0
    """Seconds in the Retry-After of a 429; None sends none."""
    credits: float | None = None
    """Credits left; below a request's price the answer is 402."""
    windows: bool = True
    """X: whether a request beyond those of its 15 minutes is answered 429."""
    billed_once: bool = True
    """X: whether a resource is billed once in a UTC day, or each time."""
    includes_billed: bool = False
    """X: whether accounts beside the posts are billed too."""
    quote_retweets: int = 0
    """X: retweets of each quote, which stand in the list of quotes."""
    absent_authors: float = 0.0
    """X: part of the accounts, always the same ones, that are missing beside their posts."""
    forbidden: tuple[str, ...] = ()
    """X: tweets whose lists are answered 403 without a type."""
    script: deque[str] = field(default_factory=deque)

    def update(self, changes: Mapping[str, object]) -> None:
        """Change some of the values by name. Raises ValueError that names an unknown one."""
        names = {entry.name for entry in fields(self)}
        for name, value in changes.items():
            if name not in names:
                raise ValueError(f"no fault named {name}; there are: {', '.join(sorted(names))}")
            if name == "script":
                if not isinstance(value, (list, tuple, deque)) or not all(one in FAULTS for one in value):
                    raise ValueError(f"script: a list of {', '.join(FAULTS)}")
                value = deque(value)
            setattr(self, name, value)


@dataclass(frozen=True, slots=True)
class Fault:
    """What one request meets. The wire formats hold the answers of those that are answers of their own."""

    rate: Callable[[Faults], float] = lambda _: 0.0
    """Part of the requests that meet it."""
    manner: Manner = "plain"
    only_with_cursor: bool = False


FAULTS: dict[str, Fault] = {
    "error": Fault(lambda faults: faults.errors / 2),  # 502 or 503, JSON
    "html": Fault(lambda faults: faults.errors / 2),  # 503, HTML
    "garble": Fault(lambda faults: faults.garbled, "cut"),
    "drop": Fault(lambda faults: faults.dropped, "drop"),
    "hang": Fault(lambda faults: faults.hangs),  # an answer that comes late
    "expire": Fault(lambda faults: faults.expired, only_with_cursor=True),  # a refused cursor
    "limit": Fault(lambda faults: faults.limited),  # 429
    "drip": Fault(lambda faults: faults.drips, "drip"),
    "oversized": Fault(lambda faults: faults.oversized, "endless"),
    "refuse": Fault(),  # 400
    "missing": Fault(),  # 404
    "status": Fault(),  # 200 with an error inside
    "empty": Fault(),  # 200 without any list
    "null": Fault(),  # 200 with null as its list
    "bomb": Fault(),  # a small body that unpacks to much
    "nested": Fault(),  # 200,000 brackets
    "forbidden": Fault(),  # X: 403 of one resource
    "spend_cap": Fault(),  # X: 403, the account's own limit is reached
    "usage_cap": Fault(),  # X: 429, the month's posts are used up
    "no_credits": Fault(),  # 402
    "ok": Fault(),
}


@cache
def bomb() -> bytes:
    """30 MB in 30 kB."""
    return gzip.compress(b'{"tweets": [' + b" " * 30_000_000, compresslevel=1)


NESTED = b'{"tweets": ' + b"[" * 200_000


class Fate:
    """Draws each request's fault. Threads share it."""

    def __init__(self, faults: Faults, seed: int) -> None:
        self.faults = faults
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._recent: deque[float] = deque()

    def draw(self, *, has_cursor: bool) -> str:
        """The name of the fault that a request meets."""
        with self._lock:
            if self.faults.script:
                return self.faults.script.popleft()
            if self._over_limit():
                return "limit"
            drawn = self._random.random()
            for name, fault in FAULTS.items():
                rate = 0.0 if fault.only_with_cursor and not has_cursor else fault.rate(self.faults)
                if drawn < rate:
                    return name
                drawn -= rate
            return "ok"

    def blank(self) -> bool:
        """Whether a page comes empty."""
        with self._lock:
            return self._random.random() < self.faults.blanks

    def jitter(self) -> float:
        with self._lock:
            return self._random.uniform(0.9, 1.1)

    def _over_limit(self) -> bool:
        """Count a request, unless the second before it is full."""
        if not self.faults.qps:
            return False
        now, window = time.monotonic(), max(1.0, 1.0 / self.faults.qps)
        while self._recent and self._recent[0] <= now - window:
            self._recent.popleft()
        if len(self._recent) >= max(1.0, self.faults.qps * window):
            return True
        self._recent.append(now)
        return False


ODD_TEXT = "cut emoji \ud83d, a bell \x07, a nul \x00, &lt;b&gt; &amp;amp;, \u202eturned"
BEYOND_64_BITS = 10**30
BEFORE_ALL_YEARS = "0001-01-01T00:00:00+14:00"


def is_unreadable(source_id: str, part: float) -> bool:
    """Whether an item's row cannot be read when this part of all cannot."""
    return is_hit(source_id, part, salt="unreadable")


def spoil(
    row: Row,
    source_id: str,
    faults: Faults,
    *,
    odd: Callable[[Row], Row],
    unreadable: Sequence[Callable[[Row], Any]],
) -> Any:
    """The row as a provider gives it on a bad day; `odd` and `unreadable` are how rows of one format are spoilt."""
    if is_hit(source_id, faults.odd_values, salt="odd"):
        row = odd(row)
    if is_unreadable(source_id, faults.unreadable):
        return unreadable[crc32(source_id.encode()) % len(unreadable)](row)
    return row


def is_hit(source_id: str, part: float, *, salt: str) -> bool:
    """Whether an item is among this part of all items."""
    return part > 0 and crc32(f"{salt}{source_id}".encode()) < part * 2**32
