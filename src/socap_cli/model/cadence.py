"""When a tweet is polled next, and which of its lists are read then. Pure.

Fixed: everything, every half hour. Adaptive: when it pays. A poll costs its price however little there is to see; not
polling costs what each engagement that waits unseen is worth per hour. For a rate r per hour, a price p and a worth w
of an engagement-hour the cheapest interval is √(2p / wr), the square-root rule of stock keeping (Harris, 1913): hot
tweets every few minutes, cold ones every few hours. A list that cannot be asked for new items only costs whole pages,
so it waits until what has gathered there is worth the items that are paid again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from socap_cli.model.engagement import MEMORY
from socap_cli.model.kinds import LISTS, Counters, Kind
from socap_cli.model.list_state import TweetState

HOUR = timedelta(hours=1)
CYCLE = timedelta(minutes=30)
"""The interval of the fixed cadence."""
YOUNG_RATE, QUIET_RATE = 1.5, 0.03
"""Engagements per hour and kind of list that are expected of a tweet just posted, and of an old one."""
FADES = 10.0
"""Hours in which the expected rate falls to a third."""
WEIGHT = 0.5
"""Hours of observation that this expectation counts for."""
GATHERED = 0.3
"""The weight of an engagement in a list that is paid by the page: a poll seldom finds it at once."""
LEAST_WORTH = 1e-3
HALVINGS = 30
"""Of the range of worths: exact to a millionth."""


class Cadence(StrEnum):
    FIXED = "fixed"
    ADAPTIVE = "adaptive"


@dataclass(frozen=True, slots=True)
class LookPrices:
    """What a poll costs, in credits."""

    counters: float
    items: Mapping[Kind, float] = field(default_factory=dict)
    pages: Mapping[Kind, float] = field(default_factory=dict)
    """Items per page of each list that is paid by the page; of other lists only new items are paid."""
    once_a_day: bool = False
    """Whether a tweet's counters are paid by their first poll of a UTC day alone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the adaptive cadence, and what it values."""

    shortest: timedelta = timedelta(minutes=5)
    """Schedulers call `enqueue` every five minutes; a shorter interval could not be kept."""
    longest: timedelta = timedelta(hours=3)
    """At most this long after a quiet tweet wakes up its first engagement is collected."""
    worth: float = 1000.0
    """Credits that it is worth to collect one engagement an hour earlier."""
    held_back: bool = False
    """Whether the budget lowered the worth."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A tweet as the rule sees it."""

    state: TweetState
    posted_at: datetime | None = None
    asked_at: datetime | None = None
    """When its jobs were queued last, whatever their outcome."""

    @property
    def seen_at(self) -> datetime | None:
        """When it was polled last, or was to be."""
        return max((at for at in (self.state.checked_at, self.asked_at) if at), default=None)


@dataclass(frozen=True, slots=True)
class Look:
    """The next poll of a tweet: when, which of its lists with it, and the reason for the time."""

    at: datetime
    lists: frozenset[Kind]
    why: str


@dataclass(frozen=True, slots=True)
class LookSummary:
    """A campaign's next polls."""

    campaign: str
    cadence: str
    tweets: int
    due: int
    next_at: datetime | None
    """The first poll that is not due yet; None when there is none."""
    why: str
    last_at: datetime | None
    """When every tweet will have been polled."""

    @property
    def is_adaptive(self) -> bool:
        return self.cadence == Cadence.ADAPTIVE


@dataclass(frozen=True, slots=True)
class Activity:
    """A tweet's engagements per hour in each list, and its counters."""

    rates: Mapping[Kind, float]
    counters: Counters


@dataclass(frozen=True, slots=True)
class Spending:
    """Credits and requests, per hour or in total."""

    counters: float = 0.0
    lists: float = 0.0
    requests: float = 0.0
    """For lists."""

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.counters + other.counters, self.lists + other.lists, self.requests + other.requests
        )

    def during(self, hours: float) -> Spending:
        return Spending(self.counters * hours, self.lists * hours, self.requests * hours)

    @property
    def credits(self) -> float:
        return self.counters + self.lists


def fixed(tweet: Watched, *, now: datetime) -> Look:
    """Half an hour after its jobs were queued last, everything."""
    at = tweet.asked_at + CYCLE if tweet.asked_at else now
    return Look(at, frozenset(LISTS), "every half hour")


def adaptive(tweet: Watched, *, prices: LookPrices, limits: Limits, now: datetime) -> Look:
    """The next poll that pays; `at` may be past. A tweet that was never polled is due at once."""
    seen = tweet.seen_at
    if seen is None:
        return Look(now, frozenset(LISTS), "never polled")
    if tweet.state.checked_at is None:
        return Look(seen + limits.shortest, frozenset(LISTS), "its first poll has no result yet")
    found = rates(tweet)
    wait = interval(found, prices, limits)
    at = max(seen + wait, now)
    lists = (
        kind
        for kind in LISTS
        if _list_pays(tweet.state, kind, found[kind], prices=prices, limits=limits, at=at)
    )
    rate = sum(found.values())
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 0.1 else "less than 0.1"
    why = f"{shown} engagements an hour"
    if wait >= limits.longest:
        why += ", longest interval"
    elif wait <= limits.shortest:
        why += ", shortest interval"
    if limits.held_back and wait > limits.shortest:
        why += "; the budget allows no more"
    return Look(seen + wait, frozenset(lists), why)


def rates(tweet: Watched) -> dict[Kind, float]:
    """Engagements per hour of each list at the last poll: from recent ones, and from what its age lets expect."""
    expected = expected_rate(tweet.posted_at, tweet.state.checked_at)
    return {kind: tweet.state.velocity.per_hour(kind, expected=expected, weight=WEIGHT) for kind in LISTS}


def expected_rate(posted_at: datetime | None, at: datetime | None) -> float:
    """Engagements per hour and kind of a tweet of which only the age is known."""
    age = max(0.0, (at - posted_at) / HOUR) if posted_at and at else math.inf
    return QUIET_RATE + YOUNG_RATE * math.exp(-age / FADES)


def taken_for(rates: Mapping[Kind, float]) -> dict[Kind, float]:
    """The rates that the rule assumes after long observation: the expectation of a quiet tweet never vanishes."""
    return {kind: (rate * MEMORY + QUIET_RATE * WEIGHT) / (MEMORY + WEIGHT) for kind, rate in rates.items()}


def interval(found: Mapping[Kind, float], prices: LookPrices, limits: Limits) -> timedelta:
    """The square-root rule, within the limits: the higher the rates, the shorter. What is free is polled often."""
    if prices.once_a_day:
        return limits.shortest
    value = limits.worth * sum(
        rate * (GATHERED if kind in prices.pages else 1.0) for kind, rate in found.items()
    )
    hours = math.sqrt(2 * prices.counters / value) if value > 0 else math.inf
    return max(limits.shortest, HOUR * min(hours, limits.longest / HOUR))


def _list_pays(
    state: TweetState, kind: Kind, rate: float, *, prices: LookPrices, limits: Limits, at: datetime
) -> bool:
    """Whether reading a list is worth what is paid again for known items."""
    known, page = state.lists.get(kind), prices.pages.get(kind)
    if page is None or known is None or known.last_pass_at is None or state.checked_at is None:
        return True
    if known.open_pass is not None or known.verify or known.deferred is not None:
        return True
    if at - known.last_pass_at >= limits.longest:
        return True
    waiting = abs((known.counter or 0) - (known.counter_at_pass or 0))
    gathered = max(1.0, waiting + rate * ((at - state.checked_at) / HOUR))
    hours = (at - known.last_pass_at) / HOUR
    again = known_again(page, gathered, known.counter)
    return limits.worth * gathered * hours / 2 >= again * prices.items.get(kind, 0.0)


def known_again(page: float, gathered: float, counter: int | None) -> float:
    """Known items that are paid again with so many new ones: pages are read down to a known item."""
    there = max(0.0, counter - gathered) if counter is not None else math.inf
    return min(there, max(page / 2, page - gathered))


def adaptive_spending(
    tweet: Activity, prices: LookPrices, limits: Limits, *, judged: Mapping[Kind, float] | None = None
) -> Spending:
    """Per hour. `judged` are the rates that the rule assumes, when they differ from the real ones."""
    hours = interval(tweet.rates if judged is None else judged, prices, limits) / HOUR
    return fixed_spending(tweet, prices, hours=hours, worth=limits.worth, longest=limits.longest / HOUR)


def fixed_spending(
    tweet: Activity, prices: LookPrices, *, hours: float, worth: float = math.inf, longest: float = 0.0
) -> Spending:
    """Per hour, for a poll every so many hours."""
    lists = requests = 0.0
    for kind, rate in tweet.rates.items():
        price, page = prices.items.get(kind, 0.0), prices.pages.get(kind)
        lists += rate * price
        if rate <= 0:
            continue
        there, between = tweet.counters.get(kind), hours
        if page is not None:
            value = worth * rate
            again = min(page, there or page)
            between = max(hours, math.sqrt(2 * again * price / value)) if value > 0 else math.inf
        between = min(between, max(longest, hours))
        reads = -math.expm1(-rate * between) / between
        if page is not None:
            lists += reads * price * known_again(page, rate / reads, there)
        requests += reads
    return Spending(prices.counters / (max(hours, 24.0) if prices.once_a_day else hours), lists, requests)


def within(tweets: Sequence[Activity], prices: LookPrices, limits: Limits, *, allowed: float) -> Limits:
    """The limits with the highest worth at which the tweets cost no more than so many credits per hour."""

    def spent(worth: float) -> float:
        chosen = replace(limits, worth=worth)
        return sum(adaptive_spending(tweet, prices, chosen).credits for tweet in tweets)

    if limits.worth <= LEAST_WORTH or spent(limits.worth) <= allowed:
        return limits
    low, high = math.log(LEAST_WORTH), math.log(max(limits.worth, 2 * LEAST_WORTH))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(math.exp(middle)) <= allowed else (low, middle)
    return replace(limits, worth=math.exp(low), held_back=True)
