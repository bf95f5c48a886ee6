"""Figures from snapshots. Pure: values in, values out.

A tweet's first snapshot is its baseline: it adds to totals but not to growth, so that a tweet which joins
late is no spike. Between two snapshots a counter keeps its last known value. A fall is data: growth may
be negative.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.model import Snapshot, counter_names

Point = tuple[datetime, dict[str, int]]
STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class Series:
    """Sums over tweets at each moment: `totals` as counted, `growth` since each tweet's first snapshot."""

    totals: tuple[Point, ...]
    growth: tuple[Point, ...]


def sum_series(snapshots: Iterable[Snapshot], *, bucket: timedelta = timedelta(minutes=5)) -> Series:
    """Add up the snapshots of many tweets; those of one bucket make one point at its end."""
    last: dict[tuple[str, str], int] = {}
    total = dict.fromkeys(counter_names(), 0)
    growth = dict.fromkeys(counter_names(), 0)
    totals: dict[datetime, dict[str, int]] = {}
    grown: dict[datetime, dict[str, int]] = {}
    for shot in sorted(snapshots, key=lambda shot: (shot.captured_at, shot.tweet_id)):
        for name, value in shot.counters.items():
            if value is None:
                continue
            before = last.get((shot.tweet_id, name))
            total[name] += value - (before or 0)
            growth[name] += value - before if before is not None else 0
            last[shot.tweet_id, name] = value
        at = floor(shot.captured_at, bucket)
        totals[at], grown[at] = dict(total), dict(growth)
    return Series(tuple(totals.items()), tuple(grown.items()))


def floor(moment: datetime, step: timedelta) -> datetime:
    """The start of the step that a moment is in."""
    seconds = step.total_seconds()
    since_epoch = moment.timestamp()
    return datetime.fromtimestamp(since_epoch - since_epoch % seconds, tz=moment.tzinfo)


@dataclass(frozen=True, slots=True)
class Interval:
    """One hour or day: the totals at its end and how much they grew in it."""

    starts_at: datetime
    totals: dict[str, int]
    growth: dict[str, int]


def intervals(series: Series, granularity: str) -> tuple[Interval, ...]:
    """The series per hour or day, empty ones left out."""
    step = STEPS[granularity]
    ends: dict[datetime, tuple[dict[str, int], dict[str, int]]] = {}
    for (moment, totals), (_, growth) in zip(series.totals, series.growth, strict=True):
        ends[floor(moment, step)] = (totals, growth)
    found = []
    before = dict.fromkeys(counter_names(), 0)
    for starts_at, (totals, growth) in ends.items():
        found.append(
            Interval(starts_at, totals, {name: growth[name] - before[name] for name in counter_names()})
        )
        before = growth
    return tuple(found)


def growth_between(series: Series, since: datetime) -> dict[str, int]:
    """How much each counter grew after a moment."""
    if not series.growth:
        return dict.fromkeys(counter_names(), 0)
    earlier = [point for moment, point in series.growth if moment <= since]
    start = earlier[-1] if earlier else dict.fromkeys(counter_names(), 0)
    end = series.growth[-1][1]
    return {name: end[name] - start[name] for name in counter_names()}


def share(part: float, whole: float) -> float:
    """A part of a whole between 0 and 1; 0 of nothing is 0."""
    return part / whole if whole else 0.0


def thin(points: Sequence[Point], most: int) -> Sequence[Point]:
    """At most about `most` points, the last one always among them."""
    if len(points) <= most:
        return points
    stride = -(-len(points) // most)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


TICK_STEPS = tuple(
    timedelta(minutes=minutes)
    for minutes in (5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 20160, 43200)
)


def ticks(first: datetime, last: datetime, most: int) -> tuple[datetime, ...]:
    """Round moments between two times, at most `most` of them."""
    step = next((step for step in TICK_STEPS if (last - first) / step < most), (last - first) / most)
    moment = floor(first, step)
    found = []
    while moment <= last:
        if moment >= first:
            found.append(moment)
        moment += step
    return tuple(found[:most])
