"""A campaign's tweets and their categories, with what became of each. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from socap_cli.model.campaign import CampaignTweet, TweetCategory
from socap_cli.model.kinds import LISTS, Counters, counter_names
from socap_cli.model.list_state import TweetState
from socap_cli.report.analytics import (
    DAY,
    Audience,
    Point,
    Readings,
    Series,
    bucket_for,
    change,
    engagement_rate,
    growth_between,
    half_life,
    list_total,
    readings,
    span_of,
    sum_series,
    thin,
    value_at,
    velocity,
)
from socap_cli.report.crowd import CrowdSums, Head
from socap_cli.report.page import day_of
from socap_cli.report.values import CampaignReport, CategoryRow, Figure, TweetRow
from socap_cli.text import iso

NOBODY = Audience(0, 0)


MEASURES = ("engagements", "likes", "views")


CURVE = timedelta(hours=48)


POINTS = 40


COUNTED = ("views", "likes")


PEOPLE = ("people", "important", "engagements")


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
        curve=thinned(_engaged(series.totals), "engagements", 24),
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
        counters = sums(states[tweet_id] for tweet_id in mine)
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
    return {name: thinned(grown, name) for name in MEASURES}


def sums(states: Iterable[TweetState]) -> Counters:
    """Per counter the sum of the last known values; None when no tweet's is known."""
    known = list(states)
    return {name: _sum([state.counters.get(name) for state in known]) for name in counter_names()}


def _sum(values: Sequence[int | None]) -> int | None:
    there = [value for value in values if value is not None]
    return sum(there) if there else None


def moments(first: datetime, last: datetime, *, most: int = POINTS) -> tuple[datetime, ...]:
    """At most so many moments, evenly spread, the last one among them."""
    begin = max(first, last - CURVE)
    step = (last - begin) / (most - 1)
    return tuple(last - step * n for n in range(most - 1, -1, -1)) if step else (last,)


def grid_of(first: datetime | None, as_of: datetime | None) -> tuple[datetime, ...]:
    """The moments of the curves; none before a reading."""
    return moments(first, as_of) if first and as_of else ()


def key_figures(
    crowd: CrowdSums, series: Series, totals: Counters, grid: Sequence[datetime]
) -> dict[str, Figure]:
    """People, important people, engagements, views and likes; `grid`: when, for their curves and changes."""
    found = {
        name: _of_people(name, crowd.heads[name], crowd.curves[name], known=bool(grid)) for name in PEOPLE
    }
    as_of = grid[-1] if grid else None
    lately = growth_between(series, as_of - DAY) if as_of else {}
    for name in COUNTED:
        value = totals.get(name)
        moved = change(value, lately[name]) if grid and value is not None else None
        curve = tuple((value_at(series.totals, at) or series.totals[0][1])[name] for at in grid)
        found[name] = Figure(name, value, moved, None, curve if value is not None else ())
    return found


def _of_people(name: str, head: Head, curve: tuple[int, ...], *, known: bool) -> Figure:
    moved = change(head.count, head.lately) if known else None
    return Figure(name, head.count, moved, head.before, curve)


def rate_before(
    totals: Counters, growth: dict[str, int], series: Series, since: datetime | None
) -> float | None:
    """The engagement rate as it was before the last day's growth; None when nothing was read by then."""
    if since is None or value_at(series.totals, since) is None:
        return None
    return engagement_rate(
        {name: value - growth.get(name, 0) if value is not None else None for name, value in totals.items()}
    )


def thinned(points: Sequence[Point], name: str, most: int = POINTS) -> tuple[int, ...]:
    """One counter of a series at most so many times, the first and the last among them."""
    if len(points) <= most:
        return tuple(values[name] for _, values in points)
    places = [round(n * (len(points) - 1) / (most - 1)) for n in range(most)]
    return tuple(points[place][1][name] for place in places)


def summary(report: CampaignReport) -> dict[str, Any]:
    """Plain values only: it is read again from the JSON beside a page that did not change."""
    important, views = report.figures["important"], report.figures["views"]
    growth = report.series.growth
    counted = report.counted
    return {
        "slug": report.campaign.slug,
        "name": report.campaign.name,
        "client_name": report.campaign.client_name,
        "status": report.campaign.status.value,
        "day": day_of(report),
        "people": report.figures["people"].value,
        "important": important.value,
        "important_24h": important.change.absolute if important.change else 0,
        "engagements": report.collected,
        "views": views.value,
        "coverage": min(sum(row.collected for row in report.coverage) / counted, 1.0) if counted else None,
        "as_of": iso(report.as_of) if report.as_of else None,
        "curve": list(report.figures["engagements"].curve),
        "aged": _aged(growth),
        "age": _age(report, growth).total_seconds(),
    }


def _aged(growth: tuple[Point, ...]) -> list[int]:
    """Growth of engagements since the first reading."""
    return [list_total(values) for _, values in thin(growth, POINTS)] if len(growth) > 1 else []


def _age(report: CampaignReport, growth: tuple[Point, ...]) -> timedelta:
    return growth[-1][0] - report.campaign.starts_at if growth else timedelta()
