"""What the simulator needs of a provider's wire format. A new one is a module here and a row in `server.FORMATS`."""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from socap_cli.simulator.faults import Fate, Fault
from socap_cli.simulator.world import Engagement, EngagementList, Key, World

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and what it costs. `body` is a JSON value, or text that is HTML."""

    status: int
    body: Any
    billed_items: int = 0
    credits: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a wire format is spoken over."""

    world: World
    now: Callable[[], datetime]
    fate: Fate
    page: int = 20
    """Items on a page, where a request does not say."""


class WireFormat(Protocol):
    """A provider's endpoints over a world."""

    @property
    def label(self) -> str:
        """The provider's name, as the settings have it."""

    def key_in(self, headers: Mapping[str, str]) -> str | None:
        """The key that a request holds; headers are named in lower case."""

    def endpoint(self, path: str) -> str:
        """What requests are counted, and limited, under."""

    def cursor_in(self, query: Query) -> str:
        """The cursor of the page that a request asks for; empty for the first one."""

    def is_free(self, path: str) -> bool:
        """Whether a request costs nothing, whatever the account has left."""

    def answer(self, path: str, query: Query) -> Answer:
        """Answer one request at the world's present moment."""

    def failure(self, fault: Fault) -> Answer | None:
        """The answer that a fault is; None when it is none of its own."""

    def refused_key(self) -> Answer:
        """The answer to a wrong key."""

    def no_credits(self) -> Answer:
        """The answer when too few credits are left."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The items of a page, newest first, and the cursor of the next one."""

    items: tuple[Engagement, ...] = ()
    following: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which page is asked for."""

    size: int
    cursor: str = ""
    since: float = -math.inf
    """Unix seconds, inclusive."""
    until: float = math.inf
    """Unix seconds, exclusive."""


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


def cut(items: EngagementList, wanted: Wanted, *, moment: float, fate: Fate) -> Cut:
    """A page of a list at a moment. Raises ValueError for a cursor that this provider never gave out."""
    cursor = wanted.cursor
    below = decode_cursor(cursor) if cursor else None
    if cursor and fate.blank():
        return Cut(following=cursor + "=")
    if below is None and wanted.until < math.inf:
        below = (wanted.until, "")
    above = _repeated(items, moment, below, fate.faults.repeats) if cursor else ()
    found = islice(items.newest_first(moment, below=below), wanted.size + 1)
    fresh = tuple(item for item in found if item.engaged_at >= _whole(wanted.since))
    page = fresh[: wanted.size]
    following = None
    if len(fresh) > wanted.size:
        following = cursor if fate.faults.looping and cursor else encode_cursor(page[-1].key)
    return Cut((*above, *page), following)


def _whole(since: float) -> float:
    return math.floor(since) if math.isfinite(since) else since


def _repeated(items: EngagementList, moment: float, below: Key | None, count: int) -> tuple[Engagement, ...]:
    if not count or below is None:
        return ()
    newer = tuple(item for item in items.newest_first(moment) if item.key >= below)
    return newer[-count:]


def encode_cursor(key: Key) -> str:
    """A cursor that stands for a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Key:
    """Raises ValueError for a cursor that this provider never gave out."""
    bare = cursor.rstrip("=")
    try:
        moment, source_id = json.loads(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise ValueError("not a cursor") from error
    return float(moment), str(source_id)
