"""What a page says of everybody who engaged, as one value. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from socap_cli.report.analytics import Audience
from socap_cli.report.crowd import Crowd, Head

LEADERS = 100
LATEST = 50
CONSIDERED = 2000
"""Accounts whose important followers are summed up."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sums depend on beside the engagements."""

    slug: str
    starts_at: datetime
    threshold: float
    category_of: Mapping[str, str]
    """The category of each tweet."""
    since: datetime | None
    """From when something is recent."""
    moments: Sequence[datetime]
    """For which it is told how many there were."""
    rows: int
    """Engagements to browse at most."""


@dataclass(frozen=True, slots=True)
class CrowdSums:
    """All that a page needs to know of a campaign's engagements; ids in the order in which they are shown."""

    size: int
    heads: dict[str, Head]
    curves: dict[str, tuple[int, ...]]
    by_action: dict[str, int]
    people_by_label: dict[str, int]
    of_tweets: dict[str, dict[str, int]]
    audiences: dict[str, Audience]
    category_audiences: dict[str, Audience]
    first_important: tuple[timedelta | None, int]
    hours: dict[int, int]
    """Replies and quotes by the hour since 1970."""
    newest: tuple[str, ...]
    most_important: tuple[str, ...]
    leaders: tuple[str, ...]
    scored: tuple[tuple[str, int], ...]
    count_scored: int

    def by_weekday(self, zone: tzinfo) -> tuple[tuple[int, ...], ...]:
        """Replies and quotes by weekday (Monday first) and hour, in a time zone."""
        table = [[0] * 24 for _ in range(7)]
        for hour, count in self.hours.items():
            local = datetime.fromtimestamp(hour * 3600, zone)
            table[local.weekday()][local.hour] += count
        return tuple(tuple(row) for row in table)


def sums_of(crowd: Crowd, asked: Asked) -> CrowdSums:
    """The sums over a crowd."""
    return CrowdSums(
        size=len(crowd.columns),
        heads=crowd.heads(asked.since),
        curves=crowd.counted_at(asked.moments),
        by_action=crowd.by_action(),
        people_by_label=crowd.people_by_label(),
        of_tweets=crowd.of_tweets(asked.since),
        audiences=crowd.audiences(),
        category_audiences=crowd.audiences(asked.category_of),
        first_important=crowd.first_important(asked.starts_at),
        hours=crowd.hours(),
        newest=tuple(crowd.newest(max(asked.rows // 5, LATEST))),
        most_important=tuple(crowd.most_important(asked.rows)),
        leaders=tuple(crowd.leaders(LEADERS)),
        scored=tuple(crowd.scored(CONSIDERED)),
        count_scored=crowd.count_scored(),
    )
