"""How complete the collection was at the end of each interval. Pure: values in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.model.gaps import GapRow
from socap_cli.model.kinds import LISTS, METRICS
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
    missed = _missed(gaps, step, now)
    found: list[CoverageRow] = []
    counters: Mapping[str, int] = {}
    present = Counter[str]()
    starts_at, last = intervals[0].starts_at, floor(now, step)
    while starts_at <= last:
        counters = totals.get(starts_at, counters)
        for kind, row in LISTS.items():
            present[kind] += grown[row.action_type, starts_at]
            counter, collected = counters.get(kind, 0), present[kind]
            tweets, minutes = missed.get((kind, starts_at), (0, 0.0))
            share = collected / counter if counter else None
            found.append(CoverageRow(starts_at, kind, counter, collected, share, tweets, round(minutes, 1)))
        starts_at += step
    return tuple(found)


def _missed(
    gaps: Sequence[GapRow], step: timedelta, now: datetime
) -> dict[tuple[str, datetime], tuple[int, float]]:
    """(list, start of an interval) to the tweets that were not read in it, and for how many minutes together."""
    found: dict[tuple[str, datetime], tuple[int, float]] = {}
    for gap in gaps:
        ends_at = gap.ends_at or now
        kinds = tuple(LISTS) if gap.kind == METRICS else (gap.kind,)
        starts_at = floor(gap.begins_at, step)
        while gap.begins_at < ends_at and starts_at < ends_at:
            spent = min(ends_at, starts_at + step) - max(gap.begins_at, starts_at)
            for kind in kinds:
                tweets, minutes = found.get((kind, starts_at), (0, 0.0))
                lost = gap.tweets * (spent / timedelta(minutes=1))
                found[kind, starts_at] = (tweets + gap.tweets, minutes + lost)
            starts_at += step
    return found
