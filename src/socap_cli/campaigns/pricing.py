"""What is known of campaigns for an estimate, read from the store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.campaigns.estimate import Estimate, KnownCampaign, KnownTweet, Market, estimate
from socap_cli.client.looks import LookPolicy
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.forecast import OF_ANOTHER, USUAL, Experience
from socap_cli.model.kinds import LISTS, METRICS
from socap_cli.model.list_state import TweetState
from socap_cli.model.snowflake import snowflake_time
from socap_cli.providers import Provider
from socap_cli.store import Db, campaigns, usage, worker_state

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
