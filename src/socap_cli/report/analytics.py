"""The metrics that a report states. Pure; each formula stands in its docstring and in docs/metrics.md."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from socap_cli.model.engagement import Snapshot
from socap_cli.model.kinds import LISTS, METRICS, counter_names
from socap_cli.model.list_state import GapRow

HOUR = timedelta(hours=1)
DAY = timedelta(hours=24)
STEPS = {"hour": HOUR, "day": DAY}
ROUND_STEPS = (
    *(timedelta(seconds=seconds) for seconds in (1, 5, 15, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60, 120, 180, 360, 720)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 30)),
)
"""Of bars and of marks along an axis."""
MOST_BARS = 60
PERIODS = (
    *(timedelta(hours=hours) for hours in (12, 6, 3, 1)),
    *(timedelta(minutes=minutes) for minutes in (30, 15, 5, 1)),
)
SECOND_DAY = timedelta(hours=6)
"""What is left of the first day from which on it counts as the day before."""

FEWEST_VIEWS = 1000
"""Of fewer, a rate says nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much came in the latest period, and in the one before it."""

    new: int
    span: timedelta
    before: int | None = None
    """None when monitoring has not lasted for a period before."""
    before_span: timedelta = timedelta()

    @property
    def change(self) -> float | None:
        """The pace against that of the period before: -0.91 is 91% slower. None without one, or of a fall."""
        if not self.before or not self.span or self.before < 0 or self.new < 0:
            return None
        return (self.new / (self.span / HOUR)) / (self.before / (self.before_span / HOUR)) - 1


@dataclass(frozen=True, slots=True)
class GapSpan:
    """A time in which some tweets were not read, or less often than planned: neighbouring gaps as one."""

    kind: str
    begins_at: datetime
    ends_at: datetime | None
    """None while it is still open."""
    reason: str
    tweets: int
    pieces: int = 1
    """Gaps that follow each other in it."""

    @property
    def every(self) -> timedelta | None:
        """How often it was read meanwhile; None when it was not."""
        return (self.ends_at - self.begins_at) / self.pieces if self.ends_at and self.pieces > 2 else None


@dataclass(frozen=True, slots=True)
class Audience:
    """The people of one of several groups of engagements."""

    people: int
    unique: int
    """Those in no other group."""
    important: int = 0


@dataclass(frozen=True, slots=True)
class HalfLife:
    """The time until half of today's total was reached; `at_most` when the first reading had it already."""

    value: timedelta
    at_most: bool = False


GrowthAtAges = Mapping[timedelta, Mapping[str, int] | None]
"""A campaign's growth when it was so old; None where it was not read."""
Point = tuple[datetime, dict[str, int]]
CountersAt = tuple[datetime, Mapping[str, int | None]]
LARGEST = 2**63 - 1
"""What a counter can be."""
Numbers = NDArray[Any]
READING = timedelta(minutes=5)
"""What one cycle takes at most: readings closer together are one point, unless there is nothing else to draw."""


@dataclass(frozen=True, slots=True)
class Series:
    """Sums over tweets at each moment: `totals` as counted, `growth` since each tweet's first snapshot."""

    totals: tuple[CountersAt, ...]
    """None for a counter that no reading gave yet."""
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
        parts = np.split(order, np.cumsum(np.bincount(self.tweet, minlength=len(self.tweets))))
        return {
            tweet: Readings(self.tweets, self.tweet[part], self.times[part], self.values[part])
            for tweet, part in zip(self.tweets, parts, strict=False)
        }


@dataclass(frozen=True, slots=True)
class Interval:
    """One hour or day: the totals at its end and how much they grew in it; None for what is unknown."""

    starts_at: datetime
    totals: Mapping[str, int | None]
    growth: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One kind of list in one interval."""

    starts_at: datetime
    kind: str
    counter: int | None
    """What the provider counted at its end, or when it was last read before."""
    collected: int
    """Engagements that were stored, and not known to be gone, at its end."""
    share: float | None
    """collected / counter; None while nothing is counted. Over 1 where a list holds what its counter leaves out."""
    gaps: int
    """Tweets whose counters, or this list, were not read for a part of it when they should have been."""
    gap_minutes: float
    """Minutes of them within the interval, summed over tweets."""


Row = TypeVar("Row", Interval, CoverageRow)


def periods(readings: Sequence[datetime]) -> tuple[timedelta, timedelta]:
    """The latest period and the one before it, of the time that a campaign was monitored so far.

    A day and the day before. On the second day, what the first has beyond it, once that is six hours. Until then the
    longest period that fits twice. Only periods that begin near a reading count: what came between two readings is
    not of any part of that time. Without such a period all, and nothing before.
    """
    end, monitored = readings[-1], readings[-1] - readings[0]
    found = [(DAY, min(DAY, monitored - DAY))] if monitored >= DAY + SECOND_DAY else []
    for span, before in (*found, *((period, period) for period in PERIODS if 2 * period <= monitored)):
        begins = (end - span, end - span - before)
        if all(min(abs(reading - begin) for reading in readings) <= span / 4 for begin in begins):
            return span, before
    return monitored, timedelta()


def edges_of(moments: Sequence[datetime]) -> tuple[datetime, ...]:
    """Readings between which bars are drawn: the first, and the last of each step; at most about `MOST_BARS`.

    A bar is as wide as the time between two readings, so nothing is drawn where nothing was read. None of one reading.
    """
    if len(moments) < 2:
        return ()
    span = moments[-1] - moments[0]
    step = next((step for step in ROUND_STEPS if span / step <= MOST_BARS), ROUND_STEPS[-1])
    last = {floor(moment - timedelta(microseconds=1), step): moment for moment in moments[1:]}
    return moments[0], *last.values()


def merged_gaps(gaps: Iterable[GapRow]) -> tuple[GapSpan, ...]:
    """Gaps of one kind and reason that touch or overlap as one, the latest first."""
    found: list[GapSpan] = []
    for gap in sorted(gaps, key=lambda gap: (gap.kind, gap.reason, gap.begins_at)):
        last = found[-1] if found and (found[-1].kind, found[-1].reason) == (gap.kind, gap.reason) else None
        if last is None or (last.ends_at and gap.begins_at > last.ends_at + READING):
            found.append(GapSpan(gap.kind, gap.begins_at, gap.ends_at, gap.reason, gap.tweets))
            continue
        follows = last.ends_at is not None and gap.begins_at >= last.ends_at - READING
        ends_at = max(last.ends_at, gap.ends_at) if last.ends_at and gap.ends_at else None
        tweets, pieces = max(last.tweets, gap.tweets), last.pieces + follows
        found[-1] = replace(last, ends_at=ends_at, tweets=tweets, pieces=pieces)
    return tuple(sorted(found, key=lambda span: (span.begins_at, span.kind), reverse=True))


def share(part: float, whole: float) -> float:
    """A part of a whole; 0 of nothing is 0."""
    return part / whole if whole else 0.0


def interacting() -> tuple[str, ...]:
    """The counters of what people do: those of lists, likes and bookmarks."""
    return tuple(dict.fromkeys(("likes", *LISTS, "bookmarks")))


def engagement_rate(counters: Mapping[str, int | None]) -> float | None:
    """(likes + retweets + replies + quotes + bookmarks) ÷ views; None below `FEWEST_VIEWS`."""
    views = counters.get("views") or 0
    interactions = sum(counters.get(name) or 0 for name in interacting())
    return interactions / views if views >= FEWEST_VIEWS else None


def list_total(counters: Mapping[str, int | None]) -> int:
    """Retweets + replies + quotes: what the lists hold by the counters."""
    return sum(counters.get(kind) or 0 for kind in LISTS)


def velocity(growth: Sequence[Point], *, over: timedelta) -> float | None:
    """Engagements an hour lately: (G(t) − G(t − w)) ÷ w, with G the growth of retweets + replies + quotes.

    t is the last reading; w is `over`, or the time since the first reading when that is shorter. None for fewer
    than two readings.
    """
    if len(growth) < 2:
        return None
    end, last = growth[-1]
    begin = max(end - over, growth[0][0])
    return (list_total(last) - list_total(value_at(growth, begin))) / ((end - begin) / timedelta(hours=1))


def half_life(totals: Sequence[CountersAt], posted_at: datetime | None) -> HalfLife | None:
    """The first reading with T(t) ≥ ½ T(end), minus the time of the post; T = retweets + replies + quotes.

    None without a time of the post, a reading after it, or an engagement. It moves while a tweet still grows.
    """
    if posted_at is None or not totals or not list_total(totals[-1][1]):
        return None
    half = list_total(totals[-1][1]) / 2
    place, moment = next((n, at) for n, (at, values) in enumerate(totals) if list_total(values) >= half)
    return HalfLife(moment - posted_at, at_most=place == 0) if moment >= posted_at else None


def at_ages(growth: Sequence[Point], starts_at: datetime, ages: Iterable[timedelta]) -> GrowthAtAges:
    """G(start + age) for each age, so that campaigns of different dates can be compared; G is growth since the
    first reading. Known only where a reading lies in the last quarter of that age.
    """
    found: dict[timedelta, Mapping[str, int] | None] = {}
    for age in ages:
        known = [values for at, values in growth if age - age / 4 <= at - starts_at <= age]
        found[age] = known[-1] if known else None
    return found


def readings(snapshots: Iterable[Snapshot]) -> Readings:
    """Snapshots in any order as arrays."""
    shots = sorted(snapshots, key=lambda shot: (shot.captured_at, shot.tweet_id))
    names, number = counter_names(), dict[str, int]()
    tweet = [number.setdefault(shot.tweet_id, len(number)) for shot in shots]
    values = [[shot.counters.get(name) for name in names] for shot in shots]
    return Readings(
        tuple(number),
        np.array(tweet, np.int64),
        np.array([shot.captured_at.timestamp() for shot in shots], np.float64),
        np.array(values, np.float64).reshape(len(shots), len(names)),
    )


def sum_series(found: Readings, *, bucket: timedelta | None = None) -> Series:
    """Add up the readings of many tweets; those of one bucket make one point, named by its start."""
    if not len(found):
        return Series((), ())
    starts = found.times - found.times % (bucket or bucket_for(found)).total_seconds()
    ends = np.flatnonzero(np.diff(starts, append=np.inf))
    moments = [datetime.fromtimestamp(at, UTC) for at in starts[ends].tolist()]
    totals, growth = (np.cumsum(moved, axis=0)[ends] for moved in _moved(found))
    totals[~np.logical_or.accumulate(~np.isnan(found.values), axis=0)[ends]] = np.nan

    def points(rows: Numbers) -> tuple[tuple[datetime, dict[str, Any]], ...]:
        counters = (dict(zip(counter_names(), map(_whole, row), strict=True)) for row in rows.tolist())
        return tuple(zip(moments, counters, strict=True))

    return Series(points(totals), points(growth))


def _whole(value: float) -> int | None:
    """A counter's value; None when it is not a number."""
    return None if value != value else max(-LARGEST, min(LARGEST, int(value)))


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
    since_epoch = moment.timestamp()
    return datetime.fromtimestamp(since_epoch - since_epoch % step.total_seconds(), tz=moment.tzinfo)


def bucket_for(found: Readings) -> timedelta:
    """How far apart two points must be: finer when all there is was read within two hours."""
    span = timedelta(seconds=float(np.ptp(found.times))) if len(found) else timedelta()
    if span >= timedelta(hours=2):
        return READING
    return timedelta(minutes=1) if span >= timedelta(minutes=10) else timedelta(seconds=1)


def intervals(series: Series, step: timedelta) -> tuple[Interval, ...]:
    """The series per step, empty steps left out. What grew while nobody looked is in the step that saw it."""
    ends: dict[datetime, tuple[Mapping[str, int | None], dict[str, int]]] = {}
    for (moment, totals), (_, growth) in zip(series.totals, series.growth, strict=True):
        ends[floor(moment, step)] = (totals, growth)
    found, before = [], dict.fromkeys(counter_names(), 0)
    for starts_at, (totals, growth) in ends.items():
        grown = {name: None if totals[name] is None else growth[name] - before[name] for name in growth}
        found.append(Interval(starts_at, totals, grown))
        before = growth
    return tuple(found)


def within(
    rows: Iterable[Row], step: timedelta, *, since: datetime | None, until: datetime | None
) -> tuple[Row, ...]:
    """The intervals that share a moment with [since, until)."""
    return tuple(
        row
        for row in rows
        if (since is None or row.starts_at + step > since) and (until is None or row.starts_at < until)
    )


def value_at(growth: Sequence[Point], moment: datetime) -> dict[str, int]:
    """The growth up to a moment; nothing before the first reading."""
    at = bisect_right(growth, moment, key=lambda point: point[0])
    return growth[at - 1][1] if at else dict.fromkeys(counter_names(), 0)


def growth_between(growth: Sequence[Point], begin: datetime, end: datetime | None = None) -> dict[str, int]:
    """How much each counter grew after `begin`, and up to `end` if that is given."""
    start, last = value_at(growth, begin), value_at(growth, end or datetime.max.replace(tzinfo=UTC))
    return {name: last[name] - start[name] for name in last}


def ticks(first: datetime, last: datetime, most: int) -> tuple[datetime, ...]:
    """Round moments between two times, at most `most` of them."""
    step = next((step for step in ROUND_STEPS if (last - first) / step < most), (last - first) / most)
    marks = (floor(first, step) + n * step for n in range(most + 2))
    return tuple(mark for mark in marks if first <= mark <= last)[:most]


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
    totals = {row.starts_at: row.totals for row in intervals}
    starts_at, counters = intervals[0].starts_at, intervals[0].totals
    grown, missed = Counter[tuple[str, datetime]](), Counter[tuple[str, datetime]]()
    minutes = defaultdict[tuple[str, datetime], float](float)
    for action, at, n in stored:
        grown[action, max(at, starts_at)] += n
    for gap in gaps:
        begins_at, ends_at = gap.begins_at, gap.ends_at or now
        while begins_at < ends_at:
            place = gap.kind, floor(begins_at, step)
            stops_at = min(ends_at, place[1] + step)
            missed[place] += gap.tweets
            minutes[place] += gap.tweets * ((stops_at - begins_at) / timedelta(minutes=1))
            begins_at = stops_at
    found, present = list[CoverageRow](), Counter[str]()
    while starts_at <= floor(now, step):
        counters = totals.get(starts_at, counters)
        for kind, row in LISTS.items():
            present[kind] += grown[row.action_type, starts_at]
            counter, collected = counters.get(kind), present[kind]
            share = collected / counter if counter else None
            every, own = (METRICS, starts_at), (kind, starts_at)
            tweets, lost = missed[every] + missed[own], round(minutes[every] + minutes[own], 1)
            found.append(CoverageRow(starts_at, kind, counter, collected, share, tweets, lost))
        starts_at += step
    return tuple(found)
