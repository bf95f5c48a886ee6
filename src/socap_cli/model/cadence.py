"""When a tweet is looked at next, and which of its lists are then read. Pure.

Fixed: every half hour, everything. Adaptive: when it pays. Looking costs its price however much there is to see;
not looking costs what every engagement that waits unseen is worth an hour. For a rate r an hour, a price p and
a worth w of an engagement-hour the cheapest interval is √(2p / wr), the square-root rule of stock keeping (Harris,
1913): hot tweets every few minutes, cold ones every few hours. A list that cannot be asked for what is new costs
whole pages, so it waits until what has gathered there is worth what is paid for a second time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from socap_cli.model.engagement import MEMORY
from socap_cli.model.kinds import LISTS, Counters, Kind
from socap_cli.model.list_state import ListState, TweetState

HOUR = timedelta(hours=1)


CYCLE = timedelta(minutes=30)
"""From one look to the next by the fixed cadence."""


YOUNG_RATE, QUIET_RATE = 1.5, 0.03
"""Engagements an hour of each kind of list that a tweet just posted, and one long quiet, is expected to bring."""


FADES = 10.0
"""Hours after which a tweet is expected to bring a third of what it did."""


WEIGHT = 0.5
"""For how many hours of watching that expectation counts."""


GATHERED = 0.3
"""What an engagement counts for when a look is timed, of a list that waits until enough has gathered in it."""


class Cadence(StrEnum):
    """How often tweets are looked at."""

    FIXED = "fixed"
    ADAPTIVE = "adaptive"


@dataclass(frozen=True, slots=True)
class LookPrices:
    """What looking costs, in credits."""

    counters: float
    """A tweet's counters."""
    items: Mapping[Kind, float] = field(default_factory=dict)
    """One item of each list."""
    pages: Mapping[Kind, float] = field(default_factory=dict)
    """Items on a page of each list that is paid a page at a time; of other lists only what is new is paid."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Between which bounds the adaptive cadence moves, and what it values."""

    shortest: timedelta = timedelta(minutes=5)
    longest: timedelta = timedelta(hours=3)
    worth: float = 1000.0
    """Credits that it is worth to know of one engagement an hour earlier."""
    held_back: bool = False
    """Whether the budget allowed no more."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A tweet as the rule sees it."""

    state: TweetState
    posted_at: datetime | None = None
    asked_at: datetime | None = None
    """When a look was asked for last, whatever became of it."""

    @property
    def seen_at(self) -> datetime | None:
        """When it was looked at last, or was to be."""
        return max((at for at in (self.state.checked_at, self.asked_at) if at), default=None)


@dataclass(frozen=True, slots=True)
class Look:
    """When a tweet is looked at next, which of its lists with it, and why then."""

    at: datetime
    lists: frozenset[Kind]
    why: str


@dataclass(frozen=True, slots=True)
class LookSummary:
    """A campaign's looks."""

    campaign: str
    cadence: str
    tweets: int
    due: int
    """Tweets whose look is due now."""
    next_at: datetime | None
    """The first look that is not due yet; None when all are, or there is no tweet."""
    why: str
    """Why then."""
    last_at: datetime | None
    """By when every tweet will have been looked at."""

    @property
    def is_adaptive(self) -> bool:
        """Whether looks come when they pay."""
        return self.cadence == Cadence.ADAPTIVE


LEAST_WORTH = 1e-3


STEPS = 30
"""Halvings of the range of worths: the result is exact to a millionth."""


@dataclass(frozen=True, slots=True)
class Activity:
    """How fast a tweet's engagements come, an hour of each list, and how many there are."""

    rates: Mapping[Kind, float]
    counters: Counters


@dataclass(frozen=True, slots=True)
class Spending:
    """Credits an hour, by what they are paid for."""

    counters: float = 0.0
    lists: float = 0.0
    requests: float = 0.0
    """Requests for lists, an hour."""

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.counters + other.counters, self.lists + other.lists, self.requests + other.requests
        )

    def during(self, hours: float) -> Spending:
        """What so many hours of it are."""
        return Spending(self.counters * hours, self.lists * hours, self.requests * hours)

    @property
    def credits(self) -> float:
        """All of it."""
        return self.counters + self.lists


def fixed(tweet: Watched, *, now: datetime) -> Look:
    """The next look by the fixed cadence: half an hour after the last was asked for, everything."""
    at = tweet.asked_at + CYCLE if tweet.asked_at else now
    return Look(at, frozenset(LISTS), "every half hour")


def adaptive(tweet: Watched, *, prices: LookPrices, limits: Limits, now: datetime) -> Look:
    """The next look when it pays; `at` may be past. A tweet of which nothing is known is due at once."""
    seen = tweet.seen_at
    if seen is None:
        return Look(now, frozenset(LISTS), "it was never looked at")
    if tweet.state.checked_at is None:
        return Look(seen + limits.shortest, frozenset(LISTS), "the first look has not come back")
    found = rates(tweet)
    wait = interval(found, prices, limits)
    at = seen + wait
    lists = frozenset(
        kind
        for kind in LISTS
        if _list_pays(tweet.state, kind, found[kind], prices=prices, limits=limits, at=max(at, now))
    )
    return Look(at, lists, _why(sum(found.values()), wait, limits))


def rates(tweet: Watched) -> dict[Kind, float]:
    """Engagements an hour of each list when it was looked at last: from what came lately, and from its age."""
    expected = expected_rate(tweet.posted_at, tweet.state.checked_at)
    return {kind: tweet.state.velocity.per_hour(kind, expected=expected, weight=WEIGHT) for kind in LISTS}


def expected_rate(posted_at: datetime | None, at: datetime | None) -> float:
    """Engagements an hour of each kind that a tweet of this age brings, as far as nothing else is known."""
    age = max(0.0, (at - posted_at) / HOUR) if posted_at and at else math.inf
    return QUIET_RATE + YOUNG_RATE * math.exp(-age / FADES)


def taken_for(rates: Mapping[Kind, float]) -> dict[Kind, float]:
    """What the rule takes rates for once it has watched for long: what it expects of a quiet tweet never goes."""
    return {kind: (rate * MEMORY + QUIET_RATE * WEIGHT) / (MEMORY + WEIGHT) for kind, rate in rates.items()}


def interval(found: Mapping[Kind, float], prices: LookPrices, limits: Limits) -> timedelta:
    """From one look to the next, for so many engagements an hour of each list: shorter for more, within the limits.

    A look finds what came to a list that is paid by what is new, and seldom what came to one that is paid by pages.
    """
    value = limits.worth * sum(
        rate * (GATHERED if kind in prices.pages else 1.0) for kind, rate in found.items()
    )
    hours = math.sqrt(2 * prices.counters / value) if value > 0 else math.inf
    return max(limits.shortest, HOUR * min(hours, limits.longest / HOUR))


def _list_pays(
    state: TweetState, kind: Kind, rate: float, *, prices: LookPrices, limits: Limits, at: datetime
) -> bool:
    """Whether what will have gathered in a list by then is worth reading it."""
    known, page = state.lists.get(kind), prices.pages.get(kind)
    if page is None or known is None or _must_be_read(known) or known.last_pass_at is None:
        return True
    if at - known.last_pass_at >= limits.longest or state.checked_at is None:
        return True
    waiting = abs((known.counter or 0) - (known.counter_at_pass or 0))
    gathered = max(1.0, waiting + rate * ((at - state.checked_at) / HOUR))
    again = known_again(page, gathered, known.counter)
    hours = (at - known.last_pass_at) / HOUR
    return limits.worth * gathered * hours / 2 >= again * prices.items.get(kind, 0.0)


def _must_be_read(known: ListState) -> bool:
    """Whether a pass is owed whatever it costs."""
    return known.open_pass is not None or known.verify or known.deferred is not None


def known_again(page: float, gathered: float, counter: int | None) -> float:
    """Items that are paid again when so many new ones are read: pages are read down to a known item."""
    there = max(0.0, counter - gathered) if counter is not None else math.inf
    return min(there, max(page / 2, page - gathered))


def _why(rate: float, wait: timedelta, limits: Limits) -> str:
    shown = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}" if rate >= 0.1 else "less than 0.1"
    said = f"{shown} engagements an hour"
    if wait >= limits.longest:
        said += ", as seldom as any"
    elif wait <= limits.shortest:
        said += ", as often as any"
    return f"{said}; the budget allows no more" if limits.held_back and wait > limits.shortest else said


def adaptive_spending(
    tweet: Activity, prices: LookPrices, limits: Limits, *, judged: Mapping[Kind, float] | None = None
) -> Spending:
    """What the adaptive cadence spends on a tweet an hour, which it takes for one of other rates when `judged`."""
    hours = interval(tweet.rates if judged is None else judged, prices, limits) / HOUR
    return _spending(tweet, prices, hours, worth=limits.worth, longest=limits.longest / HOUR)


def fixed_spending(tweet: Activity, prices: LookPrices, *, hours: float) -> Spending:
    """What looking every so many hours spends on a tweet an hour."""
    return _spending(tweet, prices, hours, worth=math.inf, longest=hours)


def _spending(tweet: Activity, prices: LookPrices, hours: float, *, worth: float, longest: float) -> Spending:
    lists = requests = 0.0
    for kind, rate in tweet.rates.items():
        price, page = prices.items.get(kind, 0.0), prices.pages.get(kind)
        lists += rate * price
        if rate <= 0:
            continue
        there = tweet.counters.get(kind)
        between = hours if page is None else _between(rate, price, min(page, there or page), hours, worth)
        reads = -math.expm1(-rate * min(between, max(longest, hours))) / min(between, max(longest, hours))
        if page is not None:
            lists += reads * price * known_again(page, rate / reads, there)
        requests += reads
    return Spending(prices.counters / hours, lists, requests)


def _between(rate: float, price: float, page: float, hours: float, worth: float) -> float:
    """Hours between two readings of a list that is paid a page at a time."""
    value = worth * rate
    return max(hours, math.sqrt(2 * page * price / value)) if value > 0 else math.inf


def within(tweets: Sequence[Activity], prices: LookPrices, limits: Limits, *, allowed: float) -> Limits:
    """The limits with the highest worth whose spending stays within so many credits an hour; at least the floor."""

    def spent(worth: float) -> float:
        chosen = replace(limits, worth=worth)
        return sum(adaptive_spending(tweet, prices, chosen).credits for tweet in tweets)

    if limits.worth <= LEAST_WORTH or spent(limits.worth) <= allowed:
        return limits
    low, high = math.log(LEAST_WORTH), math.log(max(limits.worth, 2 * LEAST_WORTH))
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if spent(math.exp(middle)) <= allowed else (low, middle)
    return replace(limits, worth=math.exp(low), held_back=True)
