"""What a campaign costs, per day and in total, as a range, for both cadences.

A tweet's engagement is forecast from its age, its counters and what tweets usually bring. What polling costs follows
from the cadence (`model/cadence.py`). Once a campaign runs, what its lists have cost so far corrects the forecast.
Tweets that were never read are left out: their first pass may cost anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from socap_cli.client.looks import LookPolicy
from socap_cli.model.cadence import (
    CYCLE,
    HOUR,
    Activity,
    Cadence,
    Limits,
    LookPrices,
    Spending,
    adaptive_spending,
    fixed_spending,
    taken_for,
)
from socap_cli.model.campaign import Campaign
from socap_cli.model.kinds import LISTS, METRICS, QUOTES, REPLIES, RETWEETS, Counters, Kind
from socap_cli.model.links import snowflake_time
from socap_cli.providers import Provider
from socap_cli.store import Db, campaigns, usage, worker_state
from socap_cli.text import counted

CYCLES_A_DAY = 48
ASSUMED = timedelta(days=7)
"""How long a campaign without an end lasts."""
SAMPLE = 300
"""Tweets that are forecast; of more an even part stands for all."""
STEPS = (0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24, 30, 36, 42, 48, 60, 72, 96, 120, 144, 168)
"""Hours from now at which the rates are recomputed; after that every LATER_STEP."""
LATER_STEP = 48.0
LATE_PRICE = 4.0
"""What a late engagement costs, in items of its list: pages contain known ones too, which may be paid again."""
UNCERTAIN, MEASURED = (0.65, 1.5), (0.85, 1.2)
"""Bounds of what lists may cost, as a factor, before a campaign was measured and after."""
MEASURED_FROM = 12.0
"""Hours of monitoring from which the costs so far correct the forecast."""
LEAST_PAID = 1000.0
"""Credits for lists from which they do."""
LEARNT_AFTER = timedelta(days=3)
"""The age at which an earlier campaign shows what tweets bring."""
LEARNT_FROM, LEAST_TWEETS = 5, 20
"""The latest campaigns that count, and how many tweets they need together."""

FAST, SLOW, SLOW_PART = 10.0, 40.0, 0.15
"""Hours in which the fast and the slow part of a tweet's engagement fall to a third, and the size of the latter."""
LEAST_AGE = 0.5
"""Hours: a younger tweet says little about what it will bring."""
LATE, LATE_HOURS = 0.16, 168.0
"""What comes late, spread evenly over these hours, as a part of the rest."""
USUAL: Mapping[Kind, float] = {RETWEETS: 25.0, REPLIES: 15.0, QUOTES: 5.0}
OF_ANOTHER = 5.0
"""Engagements that a tweet brings in total, of the usual kinds and of any other."""


@dataclass(frozen=True, slots=True)
class KnownTweet:
    posted_at: datetime | None
    counters: Counters = field(default_factory=dict)
    followers: int | None = None
    """Of its author."""
    is_read: bool = False
    """Whether its lists were read before."""


@dataclass(frozen=True, slots=True)
class KnownCampaign:
    tweets: Sequence[KnownTweet]
    """Those with known counters."""
    starts_at: datetime
    ends_at: datetime | None
    cadence: Cadence
    spent: float = 0.0
    spent_for_lists: float = 0.0
    not_read: int = 0
    """Further tweets, whose counters are unknown."""


@dataclass(frozen=True, slots=True)
class Experience:
    """What tweets of earlier campaigns brought on average."""

    sizes: Mapping[Kind, float] = field(default_factory=lambda: dict(USUAL))
    followers: float | None = None
    """Of their authors."""
    campaigns: int = 0

    def usual(self, kind: Kind, followers: int | None) -> float:
        """What a tweet of an author with so many followers brings: more with more followers, but less for each."""
        size = max(0.1, self.sizes.get(kind, OF_ANOTHER))
        if followers is None or not self.followers:
            return size
        return size * min(4.0, max(0.3, math.sqrt((followers + 1) / (self.followers + 1))))


@dataclass(frozen=True, slots=True)
class Market:
    """Prices, limits of the cadence, and what tweets usually bring."""

    prices: LookPrices
    limits: Limits = field(default_factory=Limits)
    experience: Experience = field(default_factory=Experience)
    batch: int = 50


@dataclass(frozen=True, slots=True)
class Range:
    """Credits."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class CadenceEstimate:
    day: Range
    """The next 24 hours, or the first ones."""
    whole: Range
    """From start to end, including what is spent already."""
    requests_a_day: float


@dataclass(frozen=True, slots=True)
class Estimate:
    tweets: int
    cadence: Cadence
    ends_at: datetime
    end_is_assumed: bool
    spent: float
    by_cadence: dict[Cadence, CadenceEstimate]
    basis: str
    not_read: int = 0
    """Tweets that are not estimated because nothing is known of them."""

    @property
    def chosen(self) -> CadenceEstimate:
        return self.by_cadence[self.cadence]


@dataclass(frozen=True, slots=True)
class Course:
    """The forecast of a tweet from a moment on."""

    age: float
    """Hours."""
    whole: Mapping[Kind, float]
    """What it will have brought in the end."""
    there: Mapping[Kind, float]
    is_read: bool


def estimate_campaign(
    db: Db, campaign: Campaign, policy: LookPolicy, provider: Provider, *, now: datetime
) -> Estimate:
    """Estimate a stored campaign."""
    tweets = campaigns.tweets_of(db, campaign.slug)
    states = worker_state.load(db, [tweet.tweet_id for tweet in tweets])
    known = []
    for tweet in tweets:
        state = states[tweet.tweet_id]
        if any(count is not None for count in state.counters.values()):
            is_read = any(row.last_pass_at is not None for row in state.lists.values())
            posted_at = tweet.posted_at or snowflake_time(tweet.tweet_id) or tweet.added_at
            known.append(KnownTweet(posted_at, state.counters, tweet.author_followers, is_read))
    spent = usage.of_campaign(db, campaign.slug).cost
    market = Market(policy.prices(), policy.limits, _experience(db, campaign, now=now), provider.batch)
    facts = KnownCampaign(
        known, campaign.starts_at, campaign.ends_at, policy.cadence_of(campaign), spent,
        spent_for_lists=spent - usage.of_campaign(db, campaign.slug, endpoint=provider.endpoint(METRICS)).cost,
        not_read=len(tweets) - len(known),
    )  # fmt: skip
    return estimate(facts, market, now=now)


def _experience(db: Db, besides: Campaign, *, now: datetime) -> Experience:
    """What the tweets of the latest other campaigns brought; the usual values where they were too few."""
    others = [campaign for campaign in campaigns.listed(db) if campaign.slug != besides.slug]
    old = sorted(
        (campaign for campaign in others if now - campaign.starts_at >= LEARNT_AFTER),
        key=lambda campaign: campaign.starts_at,
    )[-LEARNT_FROM:]
    tweets = {t.tweet_id: t for campaign in old for t in campaigns.tweets_of(db, campaign.slug)}
    states = worker_state.load(db, tweets)
    read = [tweet_id for tweet_id, state in states.items() if state.checked_at is not None]
    if len(read) < LEAST_TWEETS:
        return Experience()
    sizes = {
        kind: _mean(states[tweet_id].counters.get(kind) for tweet_id in read) or USUAL.get(kind, OF_ANOTHER)
        for kind in LISTS
    }
    return Experience(sizes, _mean(tweets[tweet_id].author_followers for tweet_id in read), len(old))


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def estimate(known: KnownCampaign, market: Market, *, now: datetime) -> Estimate:
    """Pure: the same facts give the same estimate."""
    begins = max(now, known.starts_at)
    end = known.ends_at or max(known.starts_at + ASSUMED, now + timedelta(days=1))
    hours = max(0.0, (end - begins) / HOUR)
    courses = [_course(tweet, market.experience, begins) for tweet in _sample(known.tweets)]
    scale = len(known.tweets) / len(courses) if courses else 0.0
    correction = _correction(known, market, now)
    bounds = UNCERTAIN if correction is None else MEASURED
    price = len(known.tweets) * market.prices.counters
    by_cadence = {}
    for cadence in Cadence:
        day, rest = (
            _scaled(_spending(courses, market, cadence, some_hours), scale, correction or 1.0)
            for some_hours in (min(hours, 24.0), hours)
        )
        if market.prices.once_a_day:
            day, rest = (
                spent + Spending(counters=_begun_days(begins, some_hours) * price)
                for spent, some_hours in ((day, min(hours, 24.0)), (rest, hours))
            )
        if cadence is Cadence.FIXED or market.prices.once_a_day:  # whole batches, at every call of `enqueue`
            is_fixed = cadence is Cadence.FIXED
            cycles = CYCLES_A_DAY if is_fixed else timedelta(days=1) / market.limits.shortest
            batches = math.ceil(len(known.tweets) / market.batch) * cycles if day.counters else 0.0
        else:  # what is due whenever `enqueue` runs
            polls = day.counters / max(market.prices.counters, 1e-9)
            batches = polls / market.batch + min(timedelta(days=1) / market.limits.shortest, polls) / 2
        by_cadence[cadence] = CadenceEstimate(
            _range(day, bounds, spent=0.0), _range(rest, bounds, spent=known.spent), day.requests + batches
        )
    return Estimate(
        len(known.tweets) + known.not_read, known.cadence, end, known.ends_at is None, known.spent, by_cadence,
        _basis(market.experience, correction), known.not_read,
    )  # fmt: skip


def _sample(tweets: Sequence[KnownTweet]) -> Sequence[KnownTweet]:
    if len(tweets) <= SAMPLE:
        return tweets
    ordered = sorted(tweets, key=lambda tweet: sum(tweet.counters.get(kind) or 0 for kind in LISTS))
    return [ordered[n * len(ordered) // SAMPLE] for n in range(SAMPLE)]


def _course(tweet: KnownTweet, experience: Experience, begins: datetime) -> Course:
    age = (begins - tweet.posted_at) / HOUR if tweet.posted_at else 0.0
    whole = {
        kind: size(tweet.counters.get(kind), age, experience.usual(kind, tweet.followers)) for kind in LISTS
    }
    return Course(age, whole, {kind: float(tweet.counters.get(kind) or 0) for kind in LISTS}, tweet.is_read)


def _spending(courses: Iterable[Course], market: Market, cadence: Cadence, hours: float) -> Spending:
    """What so many hours cost, including first passes that are still to come."""
    prices, spent = market.prices, Spending()
    marks = [float(mark) for mark in STEPS if mark < hours]
    while marks and marks[-1] >= STEPS[-1] and marks[-1] + LATER_STEP < hours:
        marks.append(marks[-1] + LATER_STEP)
    steps = list(zip(marks, [*marks[1:], hours], strict=True)) if marks else []
    for course in courses:
        there = dict(course.there)
        if not course.is_read:
            lists = sum(count * prices.items.get(kind, 0.0) for kind, count in there.items())
            spent += Spending(lists=lists, requests=float(sum(count > 0 for count in there.values())))
        for kind, whole in course.whole.items():
            late = whole * LATE / LATE_HOURS * hours
            paid = 1.0 if prices.once_a_day else LATE_PRICE
            spent += Spending(lists=late * paid * prices.items.get(kind, 0.0))
        for start, stop in steps:
            rates = {
                kind: rate(whole, course.age + start, course.age + stop)
                for kind, whole in course.whole.items()
            }
            there = {kind: there[kind] + rates[kind] * (stop - start) for kind in rates}
            activity = Activity(rates, {kind: round(count) for kind, count in there.items()})
            if cadence is Cadence.ADAPTIVE:
                per_hour = adaptive_spending(activity, prices, market.limits, judged=taken_for(rates))
            else:
                per_hour = fixed_spending(activity, prices, hours=CYCLE / HOUR)
            spent += per_hour.during(stop - start)
    return spent


def _begun_days(begins: datetime, hours: float) -> float:
    """UTC days that so many hours touch, beyond their length in days: each touched one is paid."""
    end = begins + timedelta(hours=hours)
    return (end.date() - begins.date()).days + 1 - hours / 24 if hours else 0.0


def _scaled(spent: Spending, scale: float, correction: float) -> Spending:
    return Spending(spent.counters * scale, spent.lists * scale * correction, spent.requests * scale)


def _correction(known: KnownCampaign, market: Market, now: datetime) -> float | None:
    """What the lists have cost divided by what the forecast says they should have; None when too little is known."""
    monitored = now - known.starts_at
    if not known.tweets or monitored / HOUR < MEASURED_FROM or known.spent_for_lists < LEAST_PAID:
        return None
    tweets, expected = _sample(known.tweets), 0.0
    for tweet in tweets:
        course = _course(tweet, market.experience, now)
        age = course.age - monitored / HOUR
        before = share(age) / share(course.age) if course.age > 0 else 0.0
        there = {kind: count * before for kind, count in course.there.items()}
        past = Course(age, course.whole, there, is_read=False)
        hours = min(monitored / HOUR, course.age)
        expected += _spending([past], market, known.cadence, hours).lists
    expected *= len(known.tweets) / len(tweets)
    return min(2.0, max(0.5, known.spent_for_lists / expected)) if expected > 0 else None


def _range(found: Spending, bounds: tuple[float, float], *, spent: float) -> Range:
    low, high = (spent + found.counters + found.lists * bound for bound in bounds)
    return Range(low, spent + found.credits, high)


def _basis(experience: Experience, correction: float | None) -> str:
    if correction is not None:
        return "what its tweets brought and cost so far"
    if experience.campaigns:
        return f"its tweets, and what {counted(experience.campaigns, 'earlier campaign')} brought"
    return "its tweets, and what tweets usually bring: no campaign was measured here yet"


def share(hours: float) -> float:
    """Which part of a tweet's engagement has come by this age, without what comes late."""
    age = max(0.0, hours)
    return -((1 - SLOW_PART) * math.expm1(-age / FAST) + SLOW_PART * math.expm1(-age / SLOW))


def size(counter: int | None, age: float, usual: float) -> float:
    """Engagements of a kind that a tweet of this age, in hours, will have brought in the end."""
    if counter is None:
        return usual
    return max(float(counter), (counter + 1) / (share(max(age, LEAST_AGE)) + 1 / usual))


def rate(whole: float, begins: float, ends: float) -> float:
    """Engagements per hour between two ages of a tweet that brings so many in the end, without what comes late."""
    return whole * (share(ends) - share(begins)) / (ends - begins) if ends > begins else 0.0
