"""What watching a tweet costs an hour, and how much may be valued so that a budget lasts. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from socap_cli.model.cadence import HOUR, Limits, LookPrices, interval, known_again
from socap_cli.model.kinds import Counters, Kind

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


def total(spent: Iterable[Spending]) -> Spending:
    """The sum."""
    return sum(spent, Spending())
