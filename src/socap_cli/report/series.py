"""Counters over time, from snapshots. Pure: values in, values out.

A tweet's first snapshot is its baseline: it adds to totals but not to growth, so that a tweet which joins
late is no spike. Between two snapshots a counter keeps its last known value. A fall is data: growth may
be negative.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.model import Snapshot, counter_names

Point = tuple[datetime, dict[str, int]]
DAY_STEP = timedelta(days=1)
STEPS = {"hour": timedelta(hours=1), "day": DAY_STEP}
FINE_STEPS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900, 3600))
READING = timedelta(minutes=5)
"""What one cycle takes at most: readings closer together are one point, unless there is nothing else to draw."""


@dataclass(frozen=True, slots=True)
class Series:
    """Sums over tweets at each moment: `totals` as counted, `growth` since each tweet's first snapshot."""

    totals: tuple[Point, ...]
    growth: tuple[Point, ...]


def sum_series(snapshots: Iterable[Snapshot], *, bucket: timedelta = READING) -> Series:
    """Add up the snapshots of many tweets; those of one bucket make one point, named by its start."""
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


def bucket_for(span: timedelta) -> timedelta:
    """How far apart two points must be: finer when all there is was read within two hours."""
    if span >= timedelta(hours=2):
        return READING
    return timedelta(minutes=1) if span >= timedelta(minutes=10) else timedelta(seconds=1)


def span_of(snapshots: Sequence[Snapshot]) -> timedelta:
    """The time between the first and the last snapshot; none for fewer than two."""
    moments = [shot.captured_at for shot in snapshots]
    return max(moments) - min(moments) if moments else timedelta()


@dataclass(frozen=True, slots=True)
class Interval:
    """One hour or day: the totals at its end and how much they grew in it."""

    starts_at: datetime
    totals: dict[str, int]
    growth: dict[str, int]


def intervals(series: Series, step: timedelta) -> tuple[Interval, ...]:
    """The series per step, empty steps left out. What grew while nobody looked is in the step that saw it."""
    ends: dict[datetime, tuple[dict[str, int], dict[str, int]]] = {}
    for (moment, totals), (_, growth) in zip(series.totals, series.growth, strict=True):
        ends[floor(moment, step)] = (totals, growth)
    found = []
    before = dict.fromkeys(counter_names(), 0)
    for starts_at, (totals, growth) in ends.items():
        grown = {name: growth[name] - before[name] for name in counter_names()}
        found.append(Interval(starts_at, totals, grown))
        before = growth
    return tuple(found)


def within(
    rows: Iterable[Interval], step: timedelta, *, since: datetime | None, until: datetime | None
) -> tuple[Interval, ...]:
    """The intervals that share a moment with [since, until)."""
    return tuple(
        row
        for row in rows
        if (since is None or row.starts_at + step > since) and (until is None or row.starts_at < until)
    )


def step_for(span: timedelta) -> timedelta:
    """The width of a column: an hour, or less when that would leave fewer than four columns."""
    return next((step for step in reversed(FINE_STEPS) if span / step >= 4), FINE_STEPS[0])


def value_at(points: Sequence[Point], moment: datetime) -> dict[str, int] | None:
    """What was last known at a moment; None before the first point."""
    at = bisect_right(points, moment, key=lambda point: point[0])
    return points[at - 1][1] if at else None


def growth_between(series: Series, since: datetime) -> dict[str, int]:
    """How much each counter grew after a moment."""
    if not series.growth:
        return dict.fromkeys(counter_names(), 0)
    start = value_at(series.growth, since) or dict.fromkeys(counter_names(), 0)
    end = series.growth[-1][1]
    return {name: end[name] - start[name] for name in counter_names()}


def thin(points: Sequence[Point], most: int) -> Sequence[Point]:
    """At most about `most` points, the last one always among them."""
    if len(points) <= most:
        return points
    stride = -(-len(points) // most)
    kept = list(points[::stride])
    return kept if kept[-1] == points[-1] else [*kept, points[-1]]


TICK_STEPS = (
    *(timedelta(seconds=seconds) for seconds in (1, 5, 15, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60, 120, 180, 360, 720)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 30)),
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
