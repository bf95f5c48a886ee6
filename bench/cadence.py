"""When tweets are looked at: the adaptive cadence against every half hour, over a launch of seven days.

The rule that `enqueue` follows is driven over a made-up world with a model of the prices, without HTTP: fourteen
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

from bench.measure import START
from socap_cli.model import LISTS, QUOTES, REPLIES, RETWEETS, Kind, ListState, TweetState
from socap_cli.model.cadence import CYCLE, HOUR, Limits, Look, LookPrices, Watched, adaptive
from socap_cli.model.velocity import velocity_after
from socap_cli.providers.twitterapi_io.endpoints import Prices

TWEETS, DAYS, PAGE = 300, 7, 20
SHARES = {RETWEETS: 0.55, REPLIES: 0.33, QUOTES: 0.12}
PAID = Prices()
PRICES = LookPrices(
    PAID.tweet, {RETWEETS: PAGE}, {k: PAID.tweet if LISTS[k].is_post else PAID.user for k in LISTS}
)
TUNED, MEASURED = range(100, 106), range(1, 9)


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


def fixed(_tweet: Watched, now: datetime) -> Look:
    return Look(now + CYCLE, frozenset(LISTS), "")


def rule(limits: Limits) -> Callable[[Watched, datetime], Look]:
    return lambda tweet, now: adaptive(tweet, prices=PRICES, limits=limits, now=now)
