"""When each tweet of a campaign is polled next, by cadence, prices and budget; and recording what a poll showed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from socap_cli.model.account import Tweet
from socap_cli.model.cadence import (
    HOUR,
    Activity,
    Cadence,
    Limits,
    Look,
    LookPrices,
    LookSummary,
    Watched,
    adaptive,
    fixed,
    rates,
    within,
)
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.engagement import velocity_after
from socap_cli.model.kinds import LISTS, METRICS, Counters, Kind
from socap_cli.model.links import snowflake_time
from socap_cli.model.list_state import ListState, Observation, TweetState
from socap_cli.settings import BudgetSettings
from socap_cli.store import Db, campaigns, jobs, snapshots, usage, worker_state

if TYPE_CHECKING:
    from socap_cli.providers import Provider
PUNCTUALITY = timedelta(minutes=3)
"""How early a scheduler may be, so that a call every half hour finds everything due."""
ITEMS_A_PAGE = 20.0
"""Of a list that is paid by the page, until it was measured."""
SAMPLE = 500
"""Tweets that a budget is computed with; of more an even part stands for all."""
MEASURED_FROM = 20
"""Requests to an endpoint from which their mean is used."""


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """What decides about polls of every campaign."""

    default: Cadence = Cadence.FIXED
    limits: Limits = field(default_factory=Limits)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    prices: Callable[[], LookPrices] = lambda: LookPrices(0.0)
    """Asked for only where a campaign is adaptive."""

    def cadence_of(self, campaign: Campaign) -> Cadence:
        """The campaign's own, else the default."""
        return next((one for one in Cadence if one == campaign.cadence), self.default)


@dataclass(frozen=True, slots=True)
class Recorded:
    observations: tuple[Observation, ...]
    snapshots: int


def look_prices(db: Db, provider: Provider) -> LookPrices:
    """The declared prices, and how many items the provider's pages had on average."""
    used = {row.of: row for row in usage.summed(db, "endpoint")}
    pages = {}
    for kind in provider.lists - provider.lists_with_times:
        seen = used.get(provider.endpoint(kind))
        measured = seen is not None and seen.requests >= MEASURED_FROM
        pages[kind] = max(1.0, seen.items / seen.requests) if seen and measured else ITEMS_A_PAGE
    return LookPrices(
        provider.price(METRICS, provider.batch) / provider.batch,
        {kind: provider.price(kind, 100) / 100 for kind in LISTS if kind in provider.lists},
        pages,
        provider.bills_once_a_day,
    )


def adaptive_in_use(db: Db, policy: LookPolicy) -> bool:
    """Whether any campaign is polled by the adaptive cadence."""
    return policy.default is Cadence.ADAPTIVE or campaigns.any_of_cadence(db, Cadence.ADAPTIVE)


def watched(db: Db, campaign: Campaign) -> list[Watched]:
    tweets = campaigns.tweets_of(db, campaign.slug)
    states = worker_state.load(db, [tweet.tweet_id for tweet in tweets])
    asked = jobs.asked_at(db, campaign.slug)
    return [
        Watched(
            states[tweet.tweet_id],
            tweet.posted_at or snowflake_time(tweet.tweet_id) or tweet.added_at,
            asked.get(tweet.tweet_id),
        )
        for tweet in tweets
    ]


def next_looks(db: Db, campaign: Campaign, policy: LookPolicy, *, now: datetime) -> dict[str, Look]:
    """The next poll of each tweet of a campaign; a due one is in the past, none is before the start."""
    # The busiest first: that is their order in the queue, if not all of it is worked in one cycle.
    tweets = sorted(watched(db, campaign), key=lambda tweet: -sum(rates(tweet).values()))
    if policy.cadence_of(campaign) is Cadence.FIXED:
        looks = {tweet.state.tweet_id: fixed(tweet, now=now) for tweet in tweets}
    else:
        prices, limits = policy.prices(), policy.limits
        allowed = allowed_an_hour(db, campaign, policy.budget, now=now)
        if allowed is not None:
            few = tweets[:: len(tweets) // SAMPLE + 1]
            activity = [Activity(rates(tweet), tweet.state.counters) for tweet in few]
            limits = within(activity, prices, limits, allowed=allowed * len(few) / max(1, len(tweets)))
        looks = {
            tweet.state.tweet_id: adaptive(tweet, prices=prices, limits=limits, now=now) for tweet in tweets
        }
    if campaign.starts_at <= now:
        return looks
    return {
        tweet_id: replace(look, at=campaign.starts_at, why="the campaign starts")
        if look.at < campaign.starts_at
        else look
        for tweet_id, look in looks.items()
    }


def due_looks(db: Db, campaign: Campaign, policy: LookPolicy, *, now: datetime) -> Mapping[str, Look]:
    """The polls that are due, or nearly: schedulers may be early."""
    is_fixed = policy.cadence_of(campaign) is Cadence.FIXED
    until = now + (PUNCTUALITY if is_fixed else policy.limits.shortest / 4)
    looks = next_looks(db, campaign, policy, now=now)
    return {tweet_id: look for tweet_id, look in looks.items() if look.at <= until}


def allowed_an_hour(db: Db, campaign: Campaign, budget: BudgetSettings, *, now: datetime) -> float | None:
    """Credits an hour that are left to a campaign until midnight UTC; None without a budget."""
    day, own = (budget.day_soft or budget.day_hard), (budget.campaign_soft or budget.campaign_hard)
    if not day and not own:
        return None
    spent = usage.spent(db, f"{now:%Y-%m-%d}")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    left = []
    if own:
        left.append(own - spent.get(campaign.slug, 0.0))
    if day:
        active = campaigns.listed(db, CampaignStatus.ACTIVE)
        sizes = {
            slug: campaigns.count_tweets(db, slug) for slug in {campaign.slug, *(one.slug for one in active)}
        }
        everything = sum(sizes.values())
        share = sizes[campaign.slug] / everything if everything else 1.0
        left.append((day - sum(spent.values())) * share)
    return max(0.0, min(left)) / max((midnight - now) / HOUR, 0.1)


def summarized(db: Db, campaign: Campaign, policy: LookPolicy, *, now: datetime) -> LookSummary:
    looks = sorted(next_looks(db, campaign, policy, now=now).values(), key=lambda look: look.at)
    later = [look for look in looks if look.at > now]
    return LookSummary(
        campaign.slug,
        policy.cadence_of(campaign).value,
        tweets=len(looks),
        due=len(looks) - len(later),
        next_at=later[0].at if later else None,
        why=later[0].why if later else "",
        last_at=looks[-1].at if looks else None,
    )


def record_counters(
    db: Db,
    before: Mapping[str, TweetState],
    tweets: Mapping[str, Tweet],
    *,
    now: datetime,
    gap_after: Mapping[str, timedelta] | None = None,
) -> Recorded:
    """Store the counters of these tweets; the provider does not know those of `before` that are not among them.

    `gap_after`: the time without a reading from which a tweet has a gap.
    """
    counters = {tweet_id: tweet.counters for tweet_id, tweet in tweets.items()}
    seen = [
        observe(state, counters.get(tweet_id), now=now, gap_after=(gap_after or {}).get(tweet_id))
        for tweet_id, state in before.items()
    ]
    added = snapshots.record(db, counters, now=now)
    worker_state.record_observations(db, seen, now=now)
    return Recorded(tuple(seen), added)


def observe(
    before: TweetState, counters: Counters | None, *, now: datetime, gap_after: timedelta | None = None
) -> Observation:
    """What these counters show. A lower one is data, not an error, and a reason for a full pass.

    `gap_after` is how long a tweet may be without a reading; None when nothing was promised.
    """
    if counters is None:
        return Observation(before.tweet_id, None)
    fell, empty = [], []
    for kind, known in before.lists.items():
        new, old = counters.get(kind), known.counter
        if new is not None and old is not None and new < old:
            fell.append(kind)
        if new == 0 and known.completed_passes == 0 and known.open_pass is None:
            empty.append(kind)
    last = before.checked_at
    late = last is not None and gap_after is not None and now - last > gap_after
    hours = (now - last) / HOUR if last else 0.0
    velocity = velocity_after(before.velocity, before.counters, counters, hours=hours)
    unread_since = last if late else None
    moved = any(counters.get(kind) != before.counters.get(kind) for kind in before.lists)
    moved = moved or before.moved_at is None
    return Observation(before.tweet_id, counters, tuple(fell), tuple(empty), unread_since, velocity, moved)


def lists_after(before: TweetState, seen: Observation, *, now: datetime) -> dict[Kind, ListState]:
    """A tweet's lists after an observation, as far as it decides whether they are read."""
    after = {}
    for kind, known in before.lists.items():
        new = (seen.counters or {}).get(kind)
        changes: dict[str, Any] = {"counter": known.counter if new is None else new}
        if kind in seen.fell:
            changes["fell"] = True
        if kind in seen.empty:
            changes |= {"completed_passes": 1, "counter_at_pass": 0, "last_pass_at": now, "last_full_at": now}
        after[kind] = replace(known, **changes)
    return after
