"""Launches of made-up tweets, looked at by a cadence, with a model of the prices: no HTTP, no database.

What a look reads, and what that costs, follows `work/delta`.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles

from socap_cli.model.cadence import CYCLE, HOUR, Limits, Look, LookPrices, Watched, adaptive
from socap_cli.model.engagement import velocity_after
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.model.list_state import ListState, TweetState
from socap_cli.providers.twitterapi_io import PRICES as PAID

TWEETS, DAYS, PAGE = 300, 7, 20
SHARES = {RETWEETS: 0.55, REPLIES: 0.33, QUOTES: 0.12}
PRICES = LookPrices(
    PAID.tweet, {kind: PAID.tweet if LISTS[kind].is_post else PAID.user for kind in LISTS}, {RETWEETS: PAGE}
)
START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Launched:
    """A tweet with the moments of its engagements, in hours after the start."""

    posted: float
    lists: dict[Kind, list[float]]


def world(seed: int, *, tweets: int = TWEETS, later: float = 0.3, mean: float = 45.0) -> list[Launched]:
    """Tweets, of which a part follows within three days after the start; one in ten wakes up late."""
    rng = random.Random(seed)
    return [_tweet(rng, later, mean) for _ in range(tweets)]


def _tweet(rng: random.Random, later: float, mean: float) -> Launched:
    posted = rng.uniform(-12, 0) if rng.random() >= later else rng.uniform(0, 72)
    size = rng.lognormvariate(math.log(mean) - 0.72, 1.2)
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


NextLook = Callable[[Watched, datetime], Look]


class Launch:
    """Tweets that are watched from the start, or from when they are posted, with a call of `enqueue` now and then."""

    def __init__(self, tweets: list[Launched], next_look: NextLook, *, minutes: float) -> None:
        self.tweets, self.next_look, self.minutes = tweets, next_look, minutes
        self.bill = Bill()
        self.states = [TweetState(str(n)) for n in range(len(tweets))]
        self._due = [START + HOUR * max(0.0, tweet.posted) for tweet in tweets]
        self._lists = [frozenset(LISTS)] * len(tweets)
        self._tick = 0

    @property
    def watched(self) -> list[Watched]:
        return [
            Watched(state, START + HOUR * tweet.posted)
            for state, tweet in zip(self.states, self.tweets, strict=True)
        ]

    def run(self, hours: float) -> Bill:
        """Go on until so many hours after the start."""
        while self._tick * self.minutes <= hours * 60:
            now = START + timedelta(minutes=self._tick * self.minutes)
            for n, due in enumerate(self._due):
                if due <= now:
                    self._look(n, now)
            self._tick += 1
        return self.bill

    def _look(self, n: int, now: datetime) -> None:
        tweet = self.tweets[n]
        self.states[n] = look(tweet, self.states[n], self._lists[n], (now - START) / HOUR, self.bill)
        following = self.next_look(Watched(self.states[n], START + HOUR * tweet.posted), now)
        self._due[n], self._lists[n] = following.at, following.lists


def every_half_hour(_tweet: Watched, now: datetime) -> Look:
    return Look(now + CYCLE, frozenset(LISTS), "")


def when_it_pays(worth: float) -> Callable[[Watched, datetime], Look]:
    limits = Limits(worth=worth)
    return lambda tweet, now: adaptive(tweet, prices=PRICES, limits=limits, now=now)
