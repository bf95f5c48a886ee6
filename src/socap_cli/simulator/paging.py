"""Pages of a list as a provider cuts them, oddities included, whatever its wire format."""

from __future__ import annotations

import base64
import binascii
import json
import math
from dataclasses import dataclass
from itertools import islice

from socap_cli.simulator.faults import Fate
from socap_cli.simulator.tweets import Engagement, EngagementList, Key


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
