"""What a campaign costs, a day and in all, by either cadence, as a range. Pure.

Engagements are forecast (`model/forecast`), and what reading them costs follows from the cadence (`model/spending`).
Once a campaign runs, what its lists have cost so far against what the forecast says they should have corrects the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from socap_cli.client.looks import LookPolicy
from socap_cli.model.cadence import (
    CYCLE,
    HOUR,
    OF_ANOTHER,
    USUAL,
    Activity,
    Cadence,
    Experience,
    Limits,
    LookPrices,
    Spending,
    adaptive_spending,
    fixed_spending,
    late,
    rate,
    share,
    sizes,
    taken_for,
    total,
)
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.kinds import LISTS, METRICS, Counters, Kind
from socap_cli.model.links import snowflake_time
from socap_cli.model.list_state import TweetState
from socap_cli.providers import Provider
from socap_cli.settings import Budget
from socap_cli.store import Db, campaigns, usage, worker_state

ASSUMED = timedelta(days=7)
"""How long a campaign without an end lasts, for an estimate."""


STEPS = (0, 1, 2, 3, 4, 6, 8, 10, 12, 15, 18, 21, 24, 30, 36, 42, 48, 60, 72, 96, 120, 144, 168)
"""Hours from now at which a forecast is renewed; from then on every two days."""


LATER_STEP = 48.0


LATE_PRICE = 4.0
"""What finding an engagement that comes late costs, in items of its list: pages hold known ones too."""


CYCLES_A_DAY = 48


SAMPLE = 300
"""Tweets that are reckoned; of more an even part stands for all."""


UNCERTAIN, MEASURED = (0.65, 1.5), (0.85, 1.2)
"""What lists may cost against what is likely, before a campaign was measured, and after."""


MEASURED_FROM = 12.0
"""Hours."""


LEAST_PAID = 1000.0
"""Credits for lists from which the past says something."""


@dataclass(frozen=True, slots=True)
class KnownTweet:
    """What is known of a tweet for an estimate."""

    posted_at: datetime | None
    counters: Counters = field(default_factory=dict)
    followers: int | None = None
    """Of its author."""
    is_read: bool = False
    """Whether its lists were read once."""


@dataclass(frozen=True, slots=True)
class KnownCampaign:
    """What is known of a campaign for an estimate."""

    tweets: Sequence[KnownTweet]
    starts_at: datetime
    ends_at: datetime | None
    cadence: Cadence
    spent: float = 0.0
    spent_for_lists: float = 0.0


@dataclass(frozen=True, slots=True)
class Market:
    """What looking costs, and what is known of how engagements come."""

    prices: LookPrices
    limits: Limits = field(default_factory=Limits)
    experience: Experience = field(default_factory=Experience)
    batch: int = 50


@dataclass(frozen=True, slots=True)
class Range:
    """Credits: the least, the likely, the most."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class CadenceEstimate:
    """What a campaign costs by one cadence."""

    day: Range
    """The next 24 hours, or the first ones."""
    whole: Range
    """From its start to its end, with what it cost so far."""
    requests_a_day: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a campaign costs, and what that is known from."""

    tweets: int
    cadence: Cadence
    ends_at: datetime
    end_is_assumed: bool
    spent: float
    by_cadence: dict[Cadence, CadenceEstimate]
    basis: str

    @property
    def chosen(self) -> CadenceEstimate:
        """By the campaign's own cadence."""
        return self.by_cadence[self.cadence]


@dataclass(frozen=True, slots=True)
class Course:
    """How a tweet's engagement goes from a moment on."""

    age: float
    """Hours."""
    whole: Mapping[Kind, float]
    """What it brings in all."""
    there: Mapping[Kind, float]
    """What is there already."""
    is_read: bool


LEARNT_AFTER = timedelta(days=3)
"""How old a campaign is before its tweets say what tweets bring."""


LEARNT_FROM = 5
"""Campaigns, the latest."""


LEAST_TWEETS = 20


@dataclass(frozen=True, slots=True)
class Pricing:
    """What every estimate needs."""

    db: Db
    policy: LookPolicy
    provider: Provider

    def estimated(self, campaign: Campaign, *, now: datetime) -> Estimate:
        """What a campaign costs."""
        market = Market(
            self.policy.prices(),
            self.policy.limits,
            _experience(self.db, campaign, now=now),
            self.provider.batch,
        )
        return estimate(self._known(campaign), market, now=now)

    def _known(self, campaign: Campaign) -> KnownCampaign:
        tweets = campaigns.tweets_of(self.db, campaign.slug)
        states = worker_state.load(self.db, [tweet.tweet_id for tweet in tweets])
        spent = usage.of_campaign(self.db, campaign.slug).cost
        for_counters = usage.cost_at(self.db, campaign.slug, self.provider.endpoint(METRICS))
        return KnownCampaign(
            [_tweet(tweet, states[tweet.tweet_id]) for tweet in tweets],
            campaign.starts_at,
            campaign.ends_at,
            self.policy.cadence_of(campaign),
            spent,
            spent - for_counters,
        )


DAY_HOURS = 24.0


@dataclass(frozen=True, slots=True)
class CampaignProjection:
    """What a campaign cost, and will have cost."""

    campaign: str
    spent: float
    today: float
    """Credits at the end of the day."""
    whole: float
    """At its end."""
    ends_at: datetime
    end_is_assumed: bool


@dataclass(frozen=True, slots=True)
class Projection:
    """What all of them cost today, and whether it fits."""

    spent_today: float
    today: float
    """Credits at midnight UTC."""
    campaigns: tuple[CampaignProjection, ...]
    warnings: tuple[str, ...] = ()


def estimate(known: KnownCampaign, market: Market, *, now: datetime) -> Estimate:
    """What a campaign costs, a day and in all."""
    begins = max(now, known.starts_at)
    end = known.ends_at or max(known.starts_at + ASSUMED, now + timedelta(days=1))
    courses = [_to_come(tweet, market.experience, begins) for tweet in _sample(known.tweets)]
    scale = len(known.tweets) / len(courses) if courses else 0.0
    correction = _correction(known, market, now)
    found = {}
    for cadence in Cadence:
        day, rest = (
            _spent(courses, market, cadence, max(0.0, hours), scale=scale, correction=correction or 1.0)
            for hours in (min((end - begins) / HOUR, 24.0), (end - begins) / HOUR)
        )
        bounds = UNCERTAIN if correction is None else MEASURED
        found[cadence] = CadenceEstimate(
            _range(day, bounds, spent=0.0),
            _range(rest, bounds, spent=known.spent),
            day.requests + _batches(day, known, market, cadence),
        )
    return Estimate(
        len(known.tweets), known.cadence, end, known.ends_at is None, known.spent, found,
        _basis(market.experience, correction),
    )  # fmt: skip


def _sample(tweets: Sequence[KnownTweet]) -> Sequence[KnownTweet]:
    if len(tweets) <= SAMPLE:
        return tweets
    ordered = sorted(tweets, key=lambda tweet: sum(tweet.counters.get(kind) or 0 for kind in LISTS))
    return [ordered[n * len(ordered) // SAMPLE] for n in range(SAMPLE)]


def _to_come(tweet: KnownTweet, experience: Experience, begins: datetime) -> Course:
    age = (begins - tweet.posted_at) / HOUR if tweet.posted_at else 0.0
    usual = {kind: experience.usual(kind, tweet.followers) for kind in LISTS}
    there = {kind: float(tweet.counters.get(kind) or 0) for kind in LISTS}
    return Course(age, sizes(tweet.counters, age, usual), there, tweet.is_read)


def _spent(
    courses: Sequence[Course],
    market: Market,
    cadence: Cadence,
    hours: float,
    *,
    scale: float = 1.0,
    correction: float = 1.0,
) -> Spending:
    """What so many hours cost, first readings included when they are still to come."""
    found = total(_of_course(course, market, cadence, hours) for course in courses)
    return Spending(found.counters * scale, found.lists * scale * correction, found.requests * scale)


def _of_course(course: Course, market: Market, cadence: Cadence, hours: float) -> Spending:
    prices, there = market.prices, dict(course.there)
    found = Spending() if course.is_read else _first_reading(there, prices)
    woken = {kind: late(whole, hours) * LATE_PRICE for kind, whole in course.whole.items()}
    found += Spending(lists=sum(count * prices.items.get(kind, 0.0) for kind, count in woken.items()))
    for start, stop in _steps(hours):
        rates = {
            kind: rate(whole, course.age + start, course.age + stop) for kind, whole in course.whole.items()
        }
        there = {kind: there[kind] + rates[kind] * (stop - start) for kind in rates}
        activity = Activity(rates, {kind: round(count) for kind, count in there.items()})
        an_hour = (
            adaptive_spending(activity, prices, market.limits, judged=taken_for(rates))
            if cadence is Cadence.ADAPTIVE
            else fixed_spending(activity, prices, hours=CYCLE / HOUR)
        )
        found += an_hour.during(stop - start)
    return found


def _first_reading(there: Mapping[Kind, float], prices: LookPrices) -> Spending:
    lists = sum(count * prices.items.get(kind, 0.0) for kind, count in there.items())
    return Spending(lists=lists, requests=float(sum(count > 0 for count in there.values())))


def _steps(hours: float) -> list[tuple[float, float]]:
    if hours <= 0:
        return []
    marks = [float(mark) for mark in STEPS if mark < hours]
    while marks and marks[-1] >= STEPS[-1] and marks[-1] + LATER_STEP < hours:
        marks.append(marks[-1] + LATER_STEP)
    return list(zip(marks, [*marks[1:], hours], strict=True))


def _correction(known: KnownCampaign, market: Market, now: datetime) -> float | None:
    """What the lists cost against what the forecast says; None when too little is known of it."""
    hours = (now - known.starts_at) / HOUR
    if not known.tweets or hours < MEASURED_FROM or known.spent_for_lists < LEAST_PAID:
        return None
    tweets = _sample(known.tweets)
    courses = [_that_was(tweet, market.experience, known.starts_at, now) for tweet in tweets]
    past = total(_of_course(one, market, known.cadence, min(hours, hours + one.age)) for one in courses)
    expected = past.lists * len(known.tweets) / len(tweets)
    return min(2.0, max(0.5, known.spent_for_lists / expected)) if expected > 0 else None


def _that_was(tweet: KnownTweet, experience: Experience, start: datetime, now: datetime) -> Course:
    """The course of a tweet from the campaign's start on, as it is known now."""
    course = _to_come(tweet, experience, now)
    age = course.age - (now - start) / HOUR
    before = share(age) / share(course.age) if course.age > 0 else 0.0
    return Course(
        age, course.whole, {kind: count * before for kind, count in course.there.items()}, is_read=False
    )


def _batches(day: Spending, known: KnownCampaign, market: Market, cadence: Cadence) -> float:
    """Requests for counters, a day: whole batches every half hour, or what is due every few minutes."""
    if cadence is Cadence.FIXED:
        return math.ceil(len(known.tweets) / market.batch) * CYCLES_A_DAY if day.counters else 0.0
    looks = day.counters / max(market.prices.counters, 1e-9)
    calls = timedelta(days=1) / market.limits.shortest
    return looks / market.batch + min(calls, looks) / 2


def _range(found: Spending, bounds: tuple[float, float], *, spent: float) -> Range:
    low, high = (spent + found.counters + found.lists * bound for bound in bounds)
    return Range(low, spent + found.credits, high)


def _basis(experience: Experience, correction: float | None) -> str:
    if correction is not None:
        return "from what it brought and cost so far"
    if experience.campaigns:
        return f"from its tweets, and what {experience.campaigns} earlier campaigns brought"
    return "from its tweets, and what tweets usually bring: no campaign was measured here yet"


def _tweet(tweet: CampaignTweet, state: TweetState) -> KnownTweet:
    is_read = any(known.last_pass_at is not None for known in state.lists.values())
    posted_at = tweet.posted_at or snowflake_time(tweet.tweet_id) or tweet.added_at
    return KnownTweet(posted_at, state.counters, tweet.author_followers, is_read)


def _experience(db: Db, besides: Campaign, *, now: datetime) -> Experience:
    """What the tweets of the latest other campaigns brought; what is usual where they were too few."""
    others = [one for one in campaigns.listed(db) if one.slug != besides.slug]
    old = sorted(
        (one for one in others if now - one.starts_at >= LEARNT_AFTER), key=lambda one: one.starts_at
    )
    tweets = {t.tweet_id: t for one in old[-LEARNT_FROM:] for t in campaigns.tweets_of(db, one.slug)}
    states = worker_state.load(db, tweets)
    read = [tweet_id for tweet_id, state in states.items() if state.checked_at is not None]
    if len(read) < LEAST_TWEETS:
        return Experience()
    return Experience(
        {
            kind: _mean(states[one].counters.get(kind) for one in read) or USUAL.get(kind, OF_ANOTHER)
            for kind in LISTS
        },
        _mean(tweets[one].author_followers for one in read),
        len(old[-LEARNT_FROM:]),
    )


def _mean(values: Iterable[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def project(
    estimates: Mapping[str, Estimate],
    spent_today: Mapping[str, float],
    budget: Budget,
    *,
    now: datetime,
    endless: Iterable[str] = (),
) -> Projection:
    """What the day and the campaigns will have cost; `endless` ones do not even stop by themselves."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    rows = tuple(
        CampaignProjection(
            slug,
            found.spent,
            spent_today.get(slug, 0.0) + found.chosen.day.likely * _part(found, now, midnight),
            found.chosen.whole.likely,
            found.ends_at,
            found.end_is_assumed,
        )
        for slug, found in estimates.items()
    )
    spent = sum(spent_today.values())
    today = spent + sum(row.today - spent_today.get(row.campaign, 0.0) for row in rows)
    warnings = (
        *_of_the_day(spent, today, budget, now, midnight),
        *(
            f"{slug} has no end: it costs until somebody ends it; --end, or --stop-when-cold"
            for slug in endless
        ),
        *_of_campaigns(rows, budget, now),
    )
    return Projection(spent, today, rows, warnings)


def _part(found: Estimate, now: datetime, midnight: datetime) -> float:
    """Which part of the next 24 hours' cost falls into today."""
    lasts = min(DAY_HOURS, max(0.0, (found.ends_at - now) / HOUR))
    return min(1.0, (midnight - now) / HOUR / lasts) if lasts else 0.0


def _of_the_day(
    spent: float, today: float, budget: Budget, now: datetime, midnight: datetime
) -> Iterator[str]:
    for limit, then in ((budget.day_hard, "nothing is read"), (budget.day_soft, "only counters are read")):
        if limit and today > limit and today > spent:
            at = now + (midnight - now) * max(0.0, (limit - spent) / (today - spent))
            yield f"today will cost about {today:,.0f} credits: from about {at:%H:%M}Z on {then} ({limit:,.0f})"


def _of_campaigns(rows: tuple[CampaignProjection, ...], budget: Budget, now: datetime) -> Iterator[str]:
    own, day = budget.campaign_hard or budget.campaign_soft, budget.day_hard or budget.day_soft
    for row in rows:
        if own and row.today > own:
            yield f"{row.campaign} will cost about {row.today:,.0f} credits today, more than its {own:,.0f}"
    left = sum(max(0.0, row.whole - row.spent) for row in rows)
    lasts = max((row.ends_at - now for row in rows), default=timedelta())
    days = max(1.0, lasts / timedelta(days=1))
    if day and left > day * days:
        yield (
            f"until the last of them ends, the campaigns will cost about {left:,.0f} credits more; the budget "
            f"allows {day * days:,.0f} in {days:.1f} days"
        )
