"""The metrics that a report states. Pure; each formula stands in its docstring and in docs/metrics.md."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np
from numpy.typing import NDArray

from socap_cli.model.engagement import Snapshot
from socap_cli.model.kinds import LISTS, METRICS, Counters, counter_names
from socap_cli.model.list_state import GapRow

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure moved within some time; `percent` is None when there was nothing before."""

    absolute: int
    percent: float | None


@dataclass(frozen=True, slots=True)
class HalfLife:
    """The time after which half of what there is was there; `at_most` when it was there at the first look already."""

    value: timedelta
    at_most: bool = False


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom one of several groups of engagements reached."""

    people: int
    only_here: int
    """Accounts that are in no other group: what this one added."""

    @property
    def also_elsewhere(self) -> int:
        """Accounts that another group reached as well."""
        return self.people - self.only_here


@dataclass(frozen=True, slots=True)
class Reached:
    """What came through one important person or organisation."""

    name: str
    people: int
    """Accounts that engaged and that it follows."""
    engagements: int
    """What these accounts did."""


@dataclass(frozen=True, slots=True)
class Engager:
    """One account, for roll-ups: who that matters follows it, and how much it did."""

    followed_by: tuple[str, ...]
    engagements: int


@dataclass(frozen=True, slots=True)
class AtAge:
    """A campaign's growth when it was this old."""

    age: timedelta
    growth: Mapping[str, int] | None
    """None when it was never read at that age: it is younger, or its monitoring began later."""


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


@dataclass(frozen=True, slots=True)
class Interval:
    """One hour or day: the totals at its end and how much they grew in it."""

    starts_at: datetime
    totals: dict[str, int]
    growth: dict[str, int]


TICK_STEPS = (
    *(timedelta(seconds=seconds) for seconds in (1, 5, 15, 30)),
    *(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60, 120, 180, 360, 720)),
    *(timedelta(days=days) for days in (1, 2, 7, 14, 30)),
)


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


def change(now: int, absolute: int) -> Change:
    """The change against the value before: percent = 100 × absolute ÷ (now − absolute)."""
    before = now - absolute
    return Change(absolute, 100 * absolute / before if before > 0 else None)


def share(part: float, whole: float) -> float:
    """A part of a whole; 0 of nothing is 0."""
    return part / whole if whole else 0.0


def interacting() -> tuple[str, ...]:
    """The counters of what people do: those of lists, likes and bookmarks."""
    return tuple(dict.fromkeys(("likes", *LISTS, "bookmarks")))


def interactions(counters: Counters) -> int:
    """The sum of `interacting`, of which unknown ones count nothing."""
    return sum(counters.get(name) or 0 for name in interacting())


def engagement_rate(counters: Counters) -> float | None:
    """(likes + retweets + replies + quotes + bookmarks) ÷ views; None when no view is known."""
    views = counters.get("views")
    return interactions(counters) / views if views else None


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
    start = value_at(growth, begin) or {}
    return (list_total(last) - list_total(start)) / ((end - begin) / timedelta(hours=1))


def half_life(totals: Sequence[Point], posted_at: datetime | None) -> HalfLife | None:
    """The first reading with T(t) ≥ ½ T(end), minus the time of the post; T = retweets + replies + quotes.

    None without a time of the post, a reading after it, or an engagement. It moves while a tweet still grows.
    """
    if posted_at is None or not totals or not list_total(totals[-1][1]):
        return None
    half = list_total(totals[-1][1]) / 2
    position, moment = next(
        (n, moment) for n, (moment, values) in enumerate(totals) if list_total(values) >= half
    )
    return HalfLife(moment - posted_at, at_most=position == 0) if moment >= posted_at else None


def hours_of_the_week(begin: datetime, end: datetime, zone: tzinfo) -> frozenset[tuple[int, int]]:
    """Weekday (Monday is 0) and hour, in a time zone, of every hour of which some part lies between two moments."""
    first = begin.replace(minute=0, second=0, microsecond=0)
    hours = min((end - first) // timedelta(hours=1) + 1, 7 * 24)
    local = [(first + timedelta(hours=n)).astimezone(zone) for n in range(hours)]
    return frozenset((moment.weekday(), moment.hour) for moment in local)


def amplification(audiences: Mapping[str, Iterable[object]]) -> dict[str, Audience]:
    """Per group, |A| and |A minus the union of all others|, over sets of accounts that engaged."""
    sets = {name: frozenset(people) for name, people in audiences.items()}
    seen_in: dict[object, int] = defaultdict(int)
    for people in sets.values():
        for person in people:
            seen_in[person] += 1
    return {
        name: Audience(len(people), sum(seen_in[person] == 1 for person in people))
        for name, people in sets.items()
    }


def roll_up(engagers: Iterable[Engager], group_of: Mapping[str, str] | None = None) -> tuple[Reached, ...]:
    """Accounts that engaged, by the important person that follows them, or by that person's group; the most first.

    An account that several follow counts once for each, and once only for a group. With `group_of` (handle in
    lower case → organisation) followers without a group are left out.
    """
    people: dict[str, int] = defaultdict(int)
    engagements: dict[str, int] = defaultdict(int)
    for engager in engagers:
        names = (
            engager.followed_by
            if group_of is None
            else [group_of[who.lower()] for who in engager.followed_by if who.lower() in group_of]
        )
        for name in dict.fromkeys(names):
            people[name] += 1
            engagements[name] += engager.engagements
    rows = [Reached(name, count, engagements[name]) for name, count in people.items()]
    return tuple(sorted(rows, key=lambda row: (-row.people, -row.engagements, row.name.lower(), row.name)))


def at_ages(growth: Sequence[Point], starts_at: datetime, ages: Iterable[timedelta]) -> tuple[AtAge, ...]:
    """G(start + age) for each age, so that campaigns of different dates can be compared; G is growth since the
    first reading. An age after the last reading is not known.
    """
    last = growth[-1][0] if growth else None
    return tuple(
        AtAge(
            age,
            value_at(growth, starts_at + age) if last is not None and starts_at + age <= last else None,
        )
        for age in ages
    )


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
