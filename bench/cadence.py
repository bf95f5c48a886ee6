"""When tweets are looked at: the adaptive cadence against every half hour, over a launch of seven days.

The rule that `enqueue` follows is driven over a made-up world with a model of the prices, without HTTP: a dozen
launches of 300 tweets would take hours otherwise. What a look reads, and what that costs, follows `work/delta`.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from statistics import median, quantiles

from bench.measure import START, row
from socap_cli.model import LISTS, QUOTES, REPLIES, RETWEETS, Kind, ListState, TweetState
from socap_cli.model.cadence import CYCLE, HOUR, Limits, Look, LookPrices, Watched, adaptive
from socap_cli.model.velocity import velocity_after
from socap_cli.providers.twitterapi_io.endpoints import Prices

TWEETS, DAYS, PAGE = 300, 7, 20
SHARES = {RETWEETS: 0.55, REPLIES: 0.33, QUOTES: 0.12}
PAID = Prices()
PRICES = LookPrices(
    PAID.tweet, {kind: PAID.tweet if LISTS[kind].is_post else PAID.user for kind in LISTS}, {RETWEETS: PAGE}
)
TUNED, MEASURED = range(100, 102), range(1, 4)
SAME_SPEND, SAME_DELAY = 1330.0, 240.0
"""Worths of an hour that `tuned` shows to spend what half-hourly looks do, and to be as late as they are."""


@dataclass(frozen=True)
class Launched:
    """A tweet with the moments of its engagements, in hours after the start."""

    posted: float
    lists: dict[Kind, list[float]]


def world(seed: int, *, tweets: int = TWEETS) -> list[Launched]:
    """Most tweets stand at the start, the others follow in three days; one in ten wakes up late."""
    rng = random.Random(seed)
    return [_tweet(rng) for _ in range(tweets)]


def _tweet(rng: random.Random) -> Launched:
    posted = rng.uniform(-12, 0) if rng.random() < 0.7 else rng.uniform(0, 72)
    size = rng.lognormvariate(math.log(45) - 0.72, 1.2)
    moments = [posted + rng.expovariate(1 / (10 if rng.random() < 0.85 else 40)) for _ in range(round(size))]
    if rng.random() < 0.1:
        woken = rng.uniform(max(24, posted), 150)
        moments += [woken + rng.expovariate(1 / 4) for _ in range(round(rng.uniform(0.5, 2) * size + 5))]
    lists: dict[Kind, list[float]] = {kind: [] for kind in LISTS}
    for moment in sorted(moments):
        lists[rng.choices(list(SHARES), list(SHARES.values()))[0]].append(moment)
    return Launched(posted, lists)


@dataclass
class Bill:
    """What a cadence cost, and how late it found each engagement, in minutes."""

    counters: float = 0.0
    lists: float = 0.0
    late: dict[Kind, list[float]] = field(default_factory=lambda: {kind: [] for kind in LISTS})

    @property
    def credits(self) -> float:
        return self.counters + self.lists

    def delays(self, *kinds: Kind) -> tuple[float, float]:
        """Median and 90 %."""
        found = [minutes for kind in kinds or LISTS for minutes in self.late[kind]]
        return median(found), quantiles(found, n=10)[-1]


def look(tweet: Launched, state: TweetState, lists: frozenset[Kind], at: float, bill: Bill) -> TweetState:
    """Read a tweet's counters and those of these lists that moved."""
    now = START + HOUR * at
    bill.counters += PAID.tweet
    counters: dict[str, int | None] = {kind: bisect_right(tweet.lists[kind], at) for kind in LISTS}
    seen = state.checked_at
    velocity = velocity_after(
        state.velocity, state.counters, counters, hours=(now - seen) / HOUR if seen else 0.0
    )
    known = {}
    for kind in LISTS:
        before = replace(state.lists.get(kind, ListState(state.tweet_id, kind)), counter=counters[kind])
        first = before.last_pass_at is None
        if first or (kind in lists and before.counter != before.counter_at_pass):
            before = _read(tweet.lists[kind], before, at, bill)
        known[kind] = before
    return TweetState(state.tweet_id, counters, checked_at=now, lists=known, velocity=velocity)


def _read(moments: list[float], before: ListState, at: float, bill: Bill) -> ListState:
    there, known = before.counter or 0, before.counter_at_pass or 0
    fresh = there - known
    if before.last_pass_at is not None:
        bill.late[before.kind] += [(at - moment) * 60 for moment in moments[known:there]]
    if LISTS[before.kind].is_post:
        bill.lists += PAID.tweet * max(1, fresh)
    else:
        bill.lists += PAID.user * max(1, min(there, PAGE * math.ceil((fresh + 1) / PAGE)))
    return replace(before, counter_at_pass=there, last_pass_at=START + HOUR * at, completed_passes=1)


def launch(tweets: list[Launched], next_look: Callable[[Watched, datetime], Look], *, minutes: float) -> Bill:
    """Seven days with a call of `enqueue` every so many minutes."""
    bill = Bill()
    states = {str(n): TweetState(str(n)) for n in range(len(tweets))}
    due = {name: START + HOUR * max(0.0, tweet.posted) for name, tweet in zip(states, tweets, strict=True)}
    looks: dict[str, Look] = {}
    for tick in range(round(DAYS * 24 * 60 / minutes) + 1):
        now = START + timedelta(minutes=tick * minutes)
        for name, tweet in zip(states, tweets, strict=True):
            if due[name] > now:
                continue
            lists = looks[name].lists if name in looks else frozenset(LISTS)
            states[name] = look(tweet, states[name], lists, (now - START) / HOUR, bill)
            watched = Watched(states[name], START + HOUR * tweet.posted)
            looks[name] = next_look(watched, now)
            due[name] = looks[name].at
    return bill


def every_half_hour(_tweet: Watched, now: datetime) -> Look:
    return Look(now + CYCLE, frozenset(LISTS), "")


def when_it_pays(worth: float) -> Callable[[Watched, datetime], Look]:
    limits = Limits(worth=worth)
    return lambda tweet, now: adaptive(tweet, prices=PRICES, limits=limits, now=now)


def pooled(seeds: range, worth: float | None) -> Bill:
    """The launches of these seeds together: fixed without a worth, else adaptive."""
    together = Bill()
    for seed in seeds:
        tweets = world(seed)
        bill = (
            launch(tweets, every_half_hour, minutes=30)
            if worth is None
            else launch(tweets, when_it_pays(worth), minutes=5)
        )
        together.counters += bill.counters
        together.lists += bill.lists
        for kind, late in bill.late.items():
            together.late[kind] += late
    return together


def cadence(_uri: str) -> None:
    """A launch of seven days, 300 tweets: the adaptive cadence against every half hour"""
    half_hourly = pooled(MEASURED, None)
    for name, worth, spend in (
        ("the same spend", SAME_SPEND, "1.00"),
        ("as by default", Limits().worth, "below 1"),
        ("the same delay, by its median", SAME_DELAY, "at most 0.60"),
    ):
        found = pooled(MEASURED, worth)
        bounds = "" if worth == SAME_DELAY else "; at most 0.50, 0.67"
        row(name, f"{found.credits / half_hourly.credits:.2f} ×", f"of the spend; {spend}")
        for what, kinds in (("replies, quotes", (REPLIES, QUOTES)), ("all", tuple(LISTS))):
            middle, most = found.delays(*kinds)
            plain_middle, plain_most = half_hourly.delays(*kinds)
            row(
                f"  {what}, found after, minutes",
                f"{middle:.1f} / {most:.1f}",
                f"median / 90 %; fixed {plain_middle:.1f} / {plain_most:.1f}: "
                f"{middle / plain_middle:.2f} ×, {most / plain_most:.2f} ×{bounds}",
            )


def tuned() -> None:
    """Print what `SAME_SPEND` and `SAME_DELAY` were chosen by, on worlds that are not measured."""
    half_hourly = pooled(TUNED, None)
    print("fixed", half_hourly.credits, half_hourly.delays(REPLIES, QUOTES))
    for worth in (200.0, 240.0, 280.0, 1200.0, 1400.0, 1600.0):
        found = pooled(TUNED, worth)
        print(worth, found.credits / half_hourly.credits, found.delays(REPLIES, QUOTES), found.delays())


if __name__ == "__main__":
    tuned()
