"""How complete the collection was at the end of each interval. Pure: values in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.model import LISTS, METRICS
from socap_cli.model.gaps import GapRow
from socap_cli.report.series import Interval, floor


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One kind of list in one interval."""

    starts_at: datetime
    kind: str
    counter: int
    """What the provider counted at its end, or when it was last read before."""
    collected: int
    """Engagements that were stored, and not known to be gone, at its end."""
    share: float | None
    """collected / counter; None while nothing is counted. Over 1 where a list holds what its counter leaves out."""
    gaps: int
    """Tweets whose counters, or this list, were not read for a part of it when they should have been."""
    gap_minutes: float
    """Minutes of them within the interval, summed over tweets."""


def coverage_rows(
    intervals: Sequence[Interval],
    stored: Iterable[tuple[str, datetime, int]],
    gaps: Sequence[GapRow],
    *,
    step: timedelta,
    now: datetime,
) -> tuple[CoverageRow, ...]:
    """A row for each kind of list and interval from the first reading to now, those in which nobody looked too.

    `stored` says by how much the engagements of an action grew in an interval.
    """
    if not intervals:
        return ()
    totals: Mapping[datetime, Mapping[str, int]] = {row.starts_at: row.totals for row in intervals}
    grown = Counter[tuple[str, datetime]]()
    for action, starts_at, n in stored:
        grown[action, max(starts_at, intervals[0].starts_at)] += n
    found: list[CoverageRow] = []
    counters: Mapping[str, int] = {}
    present = Counter[str]()
    starts_at, last = intervals[0].starts_at, floor(now, step)
    while starts_at <= last:
        counters = totals.get(starts_at, counters)
        for kind, row in LISTS.items():
            present[kind] += grown[row.action_type, starts_at]
            counter, collected = counters.get(kind, 0), present[kind]
            mine = [gap for gap in gaps if gap.kind in (kind, METRICS)]
            missed = [(gap.tweets, _minutes(gap, starts_at, starts_at + step, now)) for gap in mine]
            tweets = sum(count for count, minutes in missed if minutes > 0)
            minutes = sum(count * minutes for count, minutes in missed if minutes > 0)
            share = collected / counter if counter else None
            found.append(CoverageRow(starts_at, kind, counter, collected, share, tweets, round(minutes, 1)))
        starts_at += step
    return tuple(found)


def _minutes(gap: GapRow, begin: datetime, end: datetime, now: datetime) -> float:
    """Minutes of a gap that lie in [begin, end)."""
    return (min(gap.ends_at or now, end) - max(gap.begins_at, begin)).total_seconds() / 60
