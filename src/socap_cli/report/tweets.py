"""A campaign's tweets and their categories, with what became of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from socap_cli.model.campaign import CampaignTweet, TweetCategory
from socap_cli.model.kinds import LISTS, counter_names
from socap_cli.model.list_state import TweetState
from socap_cli.report import figures
from socap_cli.report.analytics import (
    DAY,
    Audience,
    engagement_rate,
    half_life,
    list_total,
    velocity,
)
from socap_cli.report.series import (
    Point,
    Readings,
    Series,
    bucket_for,
    growth_between,
    readings,
    span_of,
    sum_series,
)
from socap_cli.report.sums import CrowdSums
from socap_cli.report.values import CategoryRow, TweetRow

NOBODY = Audience(0, 0)
MEASURES = ("engagements", "likes", "views")


def tweet_rows(
    tweets: Iterable[CampaignTweet],
    states: Mapping[str, TweetState],
    shots: Readings,
    crowd: CrowdSums,
    since: datetime | None,
) -> tuple[TweetRow, ...]:
    """Every tweet, the most engagements collected first."""
    taken, none = shots.by_tweet(), readings(())
    counts, audiences = crowd.of_tweets, crowd.audiences
    rows = [
        _row(tweet, states[tweet.tweet_id], taken.get(tweet.tweet_id, none), counts, audiences, since)
        for tweet in tweets
    ]
    return tuple(sorted(rows, key=lambda row: (-row.engagements, row.tweet.tweet_id)))


def _row(
    tweet: CampaignTweet,
    state: TweetState,
    shots: Readings,
    counts: Mapping[str, Mapping[str, int]],
    audiences: Mapping[str, Audience],
    since: datetime | None,
) -> TweetRow:
    series = sum_series(shots, bucket=bucket_for(span_of(shots)))
    count = counts.get(tweet.tweet_id, {})
    return TweetRow(
        tweet=tweet,
        counters={name: state.counters.get(name) for name in counter_names()},
        growth_24h=growth_between(series, since) if since else dict.fromkeys(counter_names(), 0),
        by_action={
            kind.action_type: count[kind.action_type] for kind in LISTS.values() if kind.action_type in count
        },
        engagements=count.get("all", 0),
        lately=count.get("lately", 0),
        important=count.get("important", 0),
        audience=audiences.get(tweet.tweet_id, NOBODY),
        rate=engagement_rate(state.counters),
        velocity=velocity(series.growth, over=DAY),
        half_life=half_life(series.totals, tweet.posted_at),
        curve=figures.thinned(_engaged(series.totals), "engagements", 24),
        state=_state(state),
    )


def _state(state: TweetState) -> str:
    if state.vanished:
        return "gone"
    return "not read yet" if state.checked_at is None else "watched"


def _engaged(points: Sequence[Point]) -> tuple[Point, ...]:
    return tuple((at, {**values, "engagements": list_total(values)}) for at, values in points)


def category_rows(
    tweets: Sequence[CampaignTweet],
    states: Mapping[str, TweetState],
    shots: Readings,
    crowd: CrowdSums,
) -> tuple[CategoryRow, ...]:
    """Every category that the campaign has tweets of, in their fixed order."""
    of = {tweet.tweet_id: tweet.category.short for tweet in tweets}
    counts, audiences = crowd.of_tweets, crowd.category_audiences
    bucket = bucket_for(span_of(shots))
    rows = []
    for name in (category.short for category in TweetCategory):
        mine = {tweet_id for tweet_id, category in of.items() if category == name}
        if not mine:
            continue
        counters = figures.sums(states[tweet_id] for tweet_id in mine)
        series = sum_series(shots.of(mine), bucket=bucket)
        rows.append(
            CategoryRow(
                category=name,
                tweets=len(mine),
                engagements=sum(counts.get(tweet_id, {}).get("all", 0) for tweet_id in mine),
                audience=audiences.get(name, NOBODY),
                counters=dict(counters),
                rate=engagement_rate(counters),
                curves=_curves(series),
            )
        )
    return tuple(rows)


def _curves(series: Series) -> dict[str, tuple[int, ...]]:
    grown = _engaged(series.growth)
    return {name: figures.thinned(grown, name) for name in MEASURES}
