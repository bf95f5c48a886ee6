"""Read everything that a page shows into frozen values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.model import (
    LISTS,
    Campaign,
    CampaignTweet,
    Coverage,
    Engagement,
    TweetCategory,
    TweetState,
    counter_names,
    coverage_of,
)
from socap_cli.model.gaps import GapRow, gaps_of
from socap_cli.model.links import engagement_url
from socap_cli.report.analytics import Series, growth_between, sum_series
from socap_cli.store import Db, alerts, campaigns, engagement_view, snapshots, usage, worker_state
from socap_cli.store.engagement_view import Selection

SNIPPET = 160


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """One of the campaign's tweet categories."""

    category: str
    tweets: int
    engagements: int
    counters: dict[str, int]


@dataclass(frozen=True, slots=True)
class TweetRow:
    tweet: CampaignTweet
    counters: dict[str, int | None]
    engagements: int
    state: str


@dataclass(frozen=True, slots=True)
class EngagementRow:
    """One engagement, ready to show."""

    engagement_id: str
    name: str
    username: str
    user_id: str
    action_type: str
    importance_score: float | None
    reasons: tuple[tuple[str, float], ...]
    categories: tuple[str, ...]
    followers: int | None
    verified: bool
    text: str
    at: datetime
    at_is_ours: bool
    """True when the time is when we first saw it, since a retweet carries none."""
    backfill: bool
    url: str
    tweet_author: str
    tweet_url: str
    tweet_category: str


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Every number of one campaign's page."""

    campaign: Campaign
    as_of: datetime | None
    totals: dict[str, int]
    growth_24h: dict[str, int]
    engagements: dict[str, int]
    people: int
    important: int
    removed: int
    coverage: tuple[Coverage, ...]
    tweet_categories: tuple[CategoryRow, ...]
    engager_categories: tuple[tuple[str, int], ...]
    series: Series
    tweets: tuple[TweetRow, ...]
    top: tuple[EngagementRow, ...]
    alerts: dict[str, int]
    usage: dict[str, float]
    gaps: tuple[GapRow, ...]
    baseline_requests: int
    """What reading everything every cycle would have asked."""


def gather(db: Db, campaign: Campaign, *, top: int) -> CampaignReport:
    """Everything about one campaign, as of its latest reading."""
    tweets = campaigns.tweets_of(db, campaign.slug)
    ids = [tweet.tweet_id for tweet in tweets]
    states = worker_state.load(db, ids)
    shots = snapshots.series(db, ids)
    series = sum_series(shots)
    checked = [state.checked_at for state in states.values() if state.checked_at]
    as_of = max(checked, default=None)
    by_action = engagement_view.count_by(db, ids, "action_type")
    per_tweet = engagement_view.count_by(db, ids, "tweet_id")
    by_category = engagement_view.count_by(db, ids, "categories")
    spent = usage.of_campaign(db, campaign.slug)
    return CampaignReport(
        campaign=campaign,
        as_of=as_of,
        totals={name: sum(s.counters.get(name) or 0 for s in states.values()) for name in counter_names()},
        growth_24h=growth_between(series, as_of - timedelta(hours=24))
        if as_of
        else dict.fromkeys(counter_names(), 0),
        engagements={kind.action_type: by_action.get(kind.action_type, 0) for kind in LISTS.values()},
        people=engagement_view.count_people(db, ids),
        important=engagement_view.count_important(db, ids, campaign.threshold),
        removed=sum(s.lists[kind].removed for s in states.values() for kind in LISTS),
        coverage=tuple(coverage_of(states.values()).values()),
        tweet_categories=_tweet_categories(tweets, states, per_tweet),
        engager_categories=tuple(by_category.items()),
        series=series,
        tweets=tuple(_tweet_row(tweet, states[tweet.tweet_id], per_tweet) for tweet in tweets),
        top=_top(db, tweets, top),
        alerts=alerts.counts(db, campaign.slug),
        usage={"requests": spent.requests, "cost": spent.cost},
        gaps=gaps_of(states.values()),
        baseline_requests=len(shots) * (1 + len(LISTS)),
    )


def _tweet_categories(
    tweets: Sequence[CampaignTweet], states: Mapping[str, TweetState], per_tweet: Mapping[str, int]
) -> tuple[CategoryRow, ...]:
    rows = []
    for category in TweetCategory:
        mine = [tweet.tweet_id for tweet in tweets if tweet.category is category]
        counters: Counter[str] = Counter()
        for tweet_id in mine:
            counters.update({name: states[tweet_id].counters.get(name) or 0 for name in counter_names()})
        engaged = sum(per_tweet.get(tweet_id, 0) for tweet_id in mine)
        rows.append(
            CategoryRow(
                category.short, len(mine), engaged, {name: counters[name] for name in counter_names()}
            )
        )
    return tuple(rows)


def _tweet_row(tweet: CampaignTweet, state: TweetState, per_tweet: Mapping[str, int]) -> TweetRow:
    if state.vanished:
        said = "vanished"
    elif state.checked_at is None:
        said = "not read yet"
    else:
        said = "watched"
    return TweetRow(tweet, dict(state.counters), per_tweet.get(tweet.tweet_id, 0), said)


def _top(db: Db, tweets: Sequence[CampaignTweet], limit: int) -> tuple[EngagementRow, ...]:
    homes = {tweet.tweet_id: tweet for tweet in tweets}
    found = engagement_view.listed(db, Selection(list(homes), present=True), limit=limit)
    return tuple(engagement_row(one, homes[one.tweet_id]) for one in found)


def engagement_row(engagement: Engagement, tweet: CampaignTweet) -> EngagementRow:
    """An engagement as a row of the page."""
    profile = engagement.profile
    return EngagementRow(
        engagement_id=engagement.engagement_id,
        name=profile.name or profile.username,
        username=profile.username,
        user_id=profile.user_id,
        action_type=engagement.action_type,
        importance_score=engagement.importance.score,
        reasons=engagement.importance.reasons,
        categories=engagement.categories,
        followers=profile.followers,
        verified=profile.verified,
        text=(engagement.text or "")[:SNIPPET],
        at=engagement.at,
        at_is_ours=engagement.engaged_at is None,
        backfill=engagement.backfill,
        url=engagement_url(engagement),
        tweet_author=tweet.author_username or "",
        tweet_url=tweet.url,
        tweet_category=tweet.category.short,
    )
