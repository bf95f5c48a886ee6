"""When each tweet of a campaign is looked at next, by its cadence, the provider's prices and the budget."""

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
from socap_cli.settings import Budget
from socap_cli.store import Db, campaigns, jobs, snapshots, usage, worker_state

if TYPE_CHECKING:
    from socap_cli.providers import Provider


PUNCTUALITY = timedelta(minutes=3)
"""What a scheduler may be early by, so that a call every half hour finds everything due."""


ITEMS_A_PAGE = 20.0
"""Of a list that is paid a page at a time, until it was measured."""


SAMPLE = 500
"""Tweets that a budget is reckoned with; of more an even part stands for all."""


MEASURED_FROM = 20
"""Requests of an endpoint from which their mean says something."""


STARTS = "the campaign starts"


@dataclass(frozen=True, slots=True)
class LookPolicy:
    """What decides about looks, whatever the campaign."""

    default: Cadence = Cadence.FIXED
    limits: Limits = field(default_factory=Limits)
    budget: Budget = field(default_factory=Budget)
    prices: Callable[[], LookPrices] = lambda: LookPrices(0.0)
    """Asked for only where a campaign is adaptive."""

    def cadence_of(self, campaign: Campaign) -> Cadence:
        """The campaign's own, else the default."""
        return next((one for one in Cadence if one == campaign.cadence), self.default)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was told of each tweet, and how many snapshots are new."""

    observations: tuple[Observation, ...]
    snapshots: int


def look_prices(db: Db, provider: Provider) -> LookPrices:
    """What the provider declares, and how many items its pages have had."""
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
    )


def adaptive_in_use(db: Db, policy: LookPolicy) -> bool:
    """Whether `enqueue` may be called more often than every half hour."""
    return policy.default is Cadence.ADAPTIVE or campaigns.any_of_cadence(db, Cadence.ADAPTIVE)


def watched(db: Db, campaign: Campaign) -> list[Watched]:
    """A campaign's tweets as the rule sees them."""
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
    """The next look of each tweet of a campaign; one that is due stands in the past, none before the start."""
    looks = _looks(db, campaign, policy, now=now)
    early = {name: look for name, look in looks.items() if look.at < campaign.starts_at > now}
    begin = {name: replace(look, at=campaign.starts_at, why=STARTS) for name, look in early.items()}
    return {**looks, **begin}


def _looks(db: Db, campaign: Campaign, policy: LookPolicy, *, now: datetime) -> dict[str, Look]:
    """What the cadence says, whatever the campaign's window is."""
    tweets = watched(db, campaign)
    if policy.cadence_of(campaign) is Cadence.FIXED:
        return {tweet.state.tweet_id: fixed(tweet, now=now) for tweet in tweets}
    prices = policy.prices()
    limits = policy.limits
    allowed = allowed_an_hour(db, campaign, policy.budget, now=now)
    if allowed is not None:
        few = tweets[:: len(tweets) // SAMPLE + 1]
        activity = [Activity(rates(tweet), tweet.state.counters) for tweet in few]
        limits = within(activity, prices, limits, allowed=allowed * len(few) / max(1, len(tweets)))
    return {tweet.state.tweet_id: adaptive(tweet, prices=prices, limits=limits, now=now) for tweet in tweets}


def due_looks(db: Db, campaign: Campaign, policy: LookPolicy, *, now: datetime) -> Mapping[str, Look]:
    """The looks that are due, give or take what a scheduler is early by."""
    is_fixed = policy.cadence_of(campaign) is Cadence.FIXED
    until = now + (PUNCTUALITY if is_fixed else policy.limits.shortest / 4)
    looks = next_looks(db, campaign, policy, now=now)
    return {tweet_id: look for tweet_id, look in looks.items() if look.at <= until}


def allowed_an_hour(db: Db, campaign: Campaign, budget: Budget, *, now: datetime) -> float | None:
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
        left.append((day - sum(spent.values())) * _share(db, campaign))
    return max(0.0, min(left)) / max((midnight - now) / HOUR, 0.1)


def _share(db: Db, campaign: Campaign) -> float:
    """The campaign's part of all tweets that are watched."""
    sizes = {
        one.slug: campaigns.count_tweets(db, one.slug) for one in campaigns.listed(db, CampaignStatus.ACTIVE)
    }
    mine = sizes.get(campaign.slug) or campaigns.count_tweets(db, campaign.slug)
    everything = sum({**sizes, campaign.slug: mine}.values())
    return mine / everything if everything else 1.0


def summarized(db: Db, campaign: Campaign, policy: LookPolicy, *, now: datetime) -> LookSummary:
    """What the campaign's cadence means to do."""
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
    """Store the counters of these tweets; one of `before` that is not among them was not known to the provider.

    `gap_after` says of tweets after what time unread they have a gap.
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
    """What these counters tell: a lower one is data, not an error, and a reason for a full pass.

    `gap_after` is how long a tweet may be unread; None when nothing was promised.
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
    """A tweet's lists after an observation, as far as it tells whether they must be read."""
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
