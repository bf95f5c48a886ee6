"""The metrics that a report states. Pure; each formula stands in its docstring and in docs/metrics.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from socap_cli.model.kinds import LISTS, Counters
from socap_cli.report.series import Point, value_at

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Change:
    """How a figure moved within some time; `percent` is None when there was nothing before."""

    absolute: int
    percent: float | None


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


@dataclass(frozen=True, slots=True)
class HalfLife:
    """The time after which half of what there is was there; `at_most` when it was there at the first look already."""

    value: timedelta
    at_most: bool = False


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


@dataclass(frozen=True, slots=True)
class AtAge:
    """A campaign's growth when it was this old."""

    age: timedelta
    growth: Mapping[str, int] | None
    """None when it was never read at that age: it is younger, or its monitoring began later."""


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
