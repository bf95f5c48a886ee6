"""Counters over time, from snapshots. Pure: values in, values out.

A tweet's first snapshot is its baseline: it adds to totals but not to growth, so that a tweet which joins
late is no spike. Between two snapshots a counter keeps its last known value. A fall is data: growth may
be negative.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socap_cli.model.engagement import Snapshot
from socap_cli.model.kinds import counter_names

Point = tuple[datetime, dict[str, int]]
Numbers = NDArray[Any]
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


@dataclass(frozen=True, slots=True)
class Readings:
    """Snapshots of many tweets as arrays, in the order of time."""

    tweets: tuple[str, ...]
    tweet: Numbers
    """Per reading, the place of its tweet in `tweets`."""
    times: Numbers
    """Seconds since 1970."""
    values: Numbers
    """Per reading, every counter; not a number when it is unknown."""

    def __len__(self) -> int:
        return len(self.times)

    def of(self, wanted: Collection[str]) -> Readings:
        """The readings of some of the tweets."""
        chosen = np.isin(self.tweet, [n for n, tweet in enumerate(self.tweets) if tweet in wanted])
        return Readings(self.tweets, self.tweet[chosen], self.times[chosen], self.values[chosen])

    def by_tweet(self) -> dict[str, Readings]:
        """The readings of each tweet."""
        order = np.argsort(self.tweet, kind="stable")
        ends = np.searchsorted(self.tweet[order], np.arange(len(self.tweets)), side="right")
        parts = np.split(order, ends[:-1]) if len(ends) else []
        return {
            tweet: Readings(self.tweets, self.tweet[part], self.times[part], self.values[part])
            for tweet, part in zip(self.tweets, parts, strict=True)
        }


def readings(snapshots: Iterable[Snapshot]) -> Readings:
    """Snapshots in any order as arrays."""
    shots = sorted(snapshots, key=lambda shot: (shot.captured_at, shot.tweet_id))
    names, number = counter_names(), dict[str, int]()
    tweet = [number.setdefault(shot.tweet_id, len(number)) for shot in shots]
    values = [[_known(shot.counters.get(name)) for name in names] for shot in shots]
    return Readings(
        tuple(number),
        np.array(tweet, np.int64),
        np.array([shot.captured_at.timestamp() for shot in shots], np.float64),
        np.array(values, np.float64).reshape(len(shots), len(names)),
    )


def sum_series(found: Readings, *, bucket: timedelta = READING) -> Series:
    """Add up the readings of many tweets; those of one bucket make one point, named by its start."""
    if not len(found):
        return Series((), ())
    names = counter_names()
    starts = found.times - found.times % bucket.total_seconds()
    ends = np.flatnonzero(np.diff(starts, append=np.inf))
    moments = [datetime.fromtimestamp(at, UTC) for at in starts[ends].tolist()]
    sums = (np.cumsum(moved, axis=0)[ends].astype(np.int64).tolist() for moved in _moved(found))
    return Series(
        *(
            tuple((at, dict(zip(names, row, strict=True))) for at, row in zip(moments, rows, strict=True))
            for rows in sums
        )
    )


def _known(value: int | None) -> float:
    return float("nan") if value is None else value


def _moved(found: Readings) -> tuple[Numbers, Numbers]:
    """How much each reading adds to the totals and to the growth, per counter."""
    values, of = found.values, found.tweet
    order = np.argsort(of, kind="stable")
    mine, known = values[order], ~np.isnan(values[order])
    rows = np.arange(len(mine))[:, None]
    latest = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
    before = np.vstack([np.full((1, mine.shape[1]), -1), latest[:-1]])
    begins = np.searchsorted(of[order], of[order])[:, None]
    had = before >= begins
    earlier = np.where(had, np.take_along_axis(mine, np.maximum(before, 0), axis=0), 0.0)
    total, growth = np.zeros_like(values), np.zeros_like(values)
    total[order] = np.where(known, mine - earlier, 0.0)
    growth[order] = np.where(known & had, mine - earlier, 0.0)
    return total, growth


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


def span_of(found: Readings) -> timedelta:
    """The time between the first and the last reading; none for fewer than two."""
    return timedelta(seconds=float(found.times[-1] - found.times[0])) if len(found) else timedelta()


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


def tick_labels(marks: Sequence[datetime]) -> list[str]:
    """Times of day; the date at midnight and under the first, so that no axis is without one."""
    precise = any(moment.second for moment in marks)
    found = []
    for number, moment in enumerate(marks):
        if (moment.hour, moment.minute, moment.second) == (0, 0, 0):
            found.append(f"{moment.day} {moment:%b}")
        else:
            time = f"{moment:%H:%M:%S}" if precise else f"{moment:%H:%M}"
            found.append(f"{time}\n{moment.day} {moment:%b}" if number == 0 else time)
    return found
