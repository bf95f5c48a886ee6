"""Read everything that a page shows into frozen values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from socap_cli.model import COUNTERS, LISTS, Campaign, CampaignTweet, Category
from socap_cli.report.analytics import Series, growth_between, sum_series
from socap_cli.store import Db, alerts, campaigns, engagements, snapshots, usage, worker_state
from socap_cli.store.worker_state import TweetState

SNIPPET = 160


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what the counters say was collected."""

    kind: str
    counter: int
    collected: int
    removed: int
    unread: int
    oldest_pass_at: datetime | None


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
class GapRow:
    """A time for which some of the tweets were not looked at."""

    kind: str
    begins_at: datetime
    ends_at: datetime | None
    reason: str
    tweets: int


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
    by_action = engagements.tally(db, ids, "action_type")
    per_tweet = engagements.tally(db, ids, "tweet_id")
    by_category = engagements.tally(db, ids, "categories")
    spent = next((row for row in usage.summed(db, "campaign") if row["campaign"] == campaign.slug), {})
    return CampaignReport(
        campaign=campaign,
        as_of=as_of,
        totals={name: sum(s.counters.get(name) or 0 for s in states.values()) for name in COUNTERS},
        growth_24h=growth_between(series, as_of - timedelta(hours=24))
        if as_of
        else dict.fromkeys(COUNTERS, 0),
        engagements={kind.action_type.value: by_action.get(kind.action_type.value, 0) for kind in LISTS},
        people=engagements.people(db, ids),
        important=engagements.count_important(db, ids, campaign.threshold),
        removed=sum(s.lists[kind].removed for s in states.values() for kind in LISTS),
        coverage=_coverage(states.values()),
        tweet_categories=_tweet_categories(tweets, states, per_tweet),
        engager_categories=tuple(by_category.items()),
        series=series,
        tweets=tuple(_tweet_row(tweet, states[tweet.tweet_id], per_tweet) for tweet in tweets),
        top=_top(db, tweets, top),
        alerts=alerts.counts(db, campaign.slug),
        usage={"requests": spent.get("requests", 0), "cost": spent.get("cost", 0.0)},
        gaps=gaps_of(states.values()),
        baseline_requests=len(shots) * (1 + len(LISTS)),
    )


def gaps_of(states: Iterable[TweetState]) -> tuple[GapRow, ...]:
    """The gaps of all tweets, those of one time together, the latest first; one that is still open has no end."""
    found: Counter[tuple[str, datetime, datetime | None, str]] = Counter()
    for state in states:
        for gap in state.gaps:
            end = gap.ends_at.replace(second=0, microsecond=0) if gap.ends_at else None
            found[gap.kind, gap.begins_at.replace(second=0, microsecond=0), end, gap.reason] += 1
        for kind, known in state.lists.items():
            if known.put_off:
                begin = known.put_off["since"].replace(second=0, microsecond=0)
                found[kind.value, begin, None, known.put_off["reason"]] += 1
    rows = [GapRow(*key, tweets=count) for key, count in found.items()]
    return tuple(sorted(rows, key=lambda row: (row.begins_at, row.kind), reverse=True))


def _coverage(states: Iterable[TweetState]) -> tuple[Coverage, ...]:
    return tuple(Coverage(kind=kind, **row) for kind, row in worker_state.coverage(states).items())


def _tweet_categories(
    tweets: Sequence[CampaignTweet], states: Mapping[str, TweetState], per_tweet: Mapping[str, int]
) -> tuple[CategoryRow, ...]:
    rows = []
    for category in Category:
        mine = [tweet.tweet_id for tweet in tweets if tweet.category is category]
        counters: Counter[str] = Counter()
        for tweet_id in mine:
            counters.update({name: states[tweet_id].counters.get(name) or 0 for name in COUNTERS})
        engaged = sum(per_tweet.get(tweet_id, 0) for tweet_id in mine)
        rows.append(
            CategoryRow(category.value, len(mine), engaged, {name: counters[name] for name in COUNTERS})
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
    rows = engagements.listed(db, list(homes), limit=limit, filters={"removed_at": None})
    return tuple(engagement_row(row, homes[row["tweet_id"]]) for row in rows)


def engagement_row(row: Mapping[str, Any], tweet: CampaignTweet) -> EngagementRow:
    """An engagement document as a row; addresses are built from ids only, never from what strangers wrote."""
    is_post = row["action_type"] != "retweet"
    engaged_at = row.get("engaged_at")
    return EngagementRow(
        engagement_id=row["_id"],
        name=row["name"] or row["username"],
        username=row["username"],
        user_id=row["user_id"],
        action_type=row["action_type"],
        importance_score=row["importance_score"],
        reasons=tuple((r["username"], r["weight"]) for r in row.get("importance_reasons") or ()),
        categories=tuple(row["categories"]),
        followers=row.get("followers"),
        verified=bool(row.get("verified")),
        text=(row.get("text") or "")[:SNIPPET],
        at=engaged_at or row["first_seen_at"],
        at_is_ours=engaged_at is None,
        backfill=row["backfill"],
        url=f"https://x.com/i/status/{row['source_id']}"
        if is_post
        else f"https://x.com/i/user/{row['user_id']}",
        tweet_author=tweet.author_username or "",
        tweet_url=tweet.url,
        tweet_category=tweet.category.value,
    )
