"""Times for which tweets were not looked at, put together over many tweets. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from socap_cli.model.list_state import TweetState


@dataclass(frozen=True, slots=True)
class GapRow:
    """A time for which some of the tweets were not looked at."""

    kind: str
    begins_at: datetime
    ends_at: datetime | None
    """None while it is still open."""
    reason: str
    tweets: int


def gaps_of(states: Iterable[TweetState]) -> tuple[GapRow, ...]:
    """The gaps of all tweets, those of one time together, the latest first."""
    found: Counter[tuple[str, datetime, datetime | None, str]] = Counter()
    for state in states:
        for gap in state.gaps:
            end = _minute(gap.ends_at) if gap.ends_at else None
            found[gap.kind, _minute(gap.begins_at), end, gap.reason] += 1
        for kind, known in state.lists.items():
            if known.deferred:
                found[kind, _minute(known.deferred.since), None, known.deferred.reason] += 1
    rows = [GapRow(*key, tweets=count) for key, count in found.items()]
    return tuple(sorted(rows, key=lambda row: (row.begins_at, row.kind), reverse=True))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
