"""Read everything that a page shows into frozen values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from functools import partial
from itertools import pairwise

from socap_cli.client.looks import LookPolicy, summarized
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.engagement import OTHERS, Detection, Engagement
from socap_cli.model.kinds import LISTS, Counters, counter_names
from socap_cli.model.links import engagement_url, handle_in, profile_url, snowflake_time
from socap_cli.model.list_state import TweetState, coverage_of, gaps_of
from socap_cli.report import analytics
from socap_cli.report.analytics import DAY, HOUR, Audience, GrowthAtAges, Pace, Readings, Series
from socap_cli.report.sums import EngagementSums
from socap_cli.report.values import (
    CampaignReport,
    Edition,
    EngagementRow,
    Figure,
    FirstImportant,
    GroupRow,
    Operations,
    Person,
    Rate,
    TweetRow,
)
from socap_cli.report.words import shortened
from socap_cli.store import Db, alert_queue, campaigns, engagements, page_sums, snapshots, usage, worker_state

LONGEST_TEXT, LONGEST_NAME = 280, 80
MOST_PEOPLE = 100
NOBODY = Audience(0, 0)
TWO_WEEKS = timedelta(days=14)
STALE = timedelta(hours=6)
AGES = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720)),
)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What a report holds, and for whom."""

    edition: Edition
    rows: int
    """Engagements to explore at most."""
    zone: tzinfo
    usd_per_credit: float
    policy: LookPolicy = field(default_factory=LookPolicy)
    """Decides when tweets are polled."""


@dataclass(frozen=True, slots=True)
class _Periods:
    """The latest period, from `begin` up to the latest reading, and the one before it."""

    begin: datetime
    span: timedelta
    before_span: timedelta

    def paces(self, count: Callable[[datetime, datetime | None], Mapping[str, int]]) -> dict[str, Pace]:
        """What is counted after one moment and up to another, in the latest period beside the one before."""
        new, before = count(self.begin, None), count(self.begin - self.before_span, self.begin)
        return {
            name: Pace(new[name], self.span, before[name] if self.before_span else None, self.before_span)
            for name in new
        }


def latest_reading(states: Iterable[TweetState]) -> datetime | None:
    return max((state.checked_at for state in states if state.checked_at), default=None)


def is_stale(campaign: Campaign, as_of: datetime | None, now: datetime) -> bool:
    """Whether an active campaign was not read for longer than any cadence leaves it unread."""
    return campaign.status is CampaignStatus.ACTIVE and as_of is not None and now - as_of > STALE


def gather(db: Db, campaign: Campaign, options: ReportOptions, *, now: datetime) -> CampaignReport:
    """Everything about one campaign, as of its latest reading."""
    tweets = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, campaign.slug)}
    ids = list(tweets)
    states = worker_state.load(db, ids)
    shots = analytics.readings(snapshots.series(db, ids))
    series = analytics.sum_series(shots)
    sums = EngagementSums(page_sums.read(db, ids, now=now), campaign.threshold)
    as_of = latest_reading(states.values())
    edges = analytics.edges_of([moment for moment, _ in series.totals])
    lately = None
    if edges and as_of:
        edges = (*edges[:-1], max(as_of, edges[-1]))
        moments = [moment for moment, _ in series.totals]
        span, before_span = analytics.periods((*moments[:-1], edges[-1]))
        lately = _Periods(edges[-1] - span, span, before_span)
    since = lately.begin if lately else None
    newest, most_important = sums.newest(options.rows // 5), sums.most_important(options.rows)
    leaders, first = sums.leaders(MOST_PEOPLE), sums.first_important(campaign.starts_at)
    wanted = dict.fromkeys([*most_important, *newest, *leaders, *([first[1]] if first else [])])
    shown = {
        one.engagement_id: _engagement_row(one, tweets[one.tweet_id])
        for one in engagements.of_ids(db, list(wanted))
    }
    bars = sums.bars(edges) if edges else {}
    totals, by_action = _counters(states.values()), sums.by_action()
    people_by_label, engagements_by_label = sums.by_label()
    is_internal = options.edition is Edition.OPERATOR
    tweet_rows = _tweet_rows(tweets.values(), states, shots, sums, since)
    is_long = as_of is not None and as_of - campaign.starts_at > TWO_WEEKS
    return CampaignReport(
        campaign=campaign,
        edition=options.edition,
        as_of=as_of,
        has_started=as_of is not None or campaign.starts_at <= now,
        is_stale=is_stale(campaign, as_of, now),
        first_reading=series.totals[0][0] if series.totals else None,
        figures=_figures(sums, series, totals, lately, edges, bars),
        rate=_rate(series, totals, lately),
        totals=totals,
        span=lately.span if lately else timedelta(),
        engagements={kind.action_type: by_action.get(kind.action_type, 0) for kind in LISTS.values()},
        engagements_by_label=engagements_by_label,
        removed=sum(one.removed for state in states.values() for one in state.lists.values()),
        coverage=tuple(coverage_of(states.values()).values()),
        velocity=analytics.velocity(series.growth, over=DAY),
        half_life=analytics.half_life(series.growth, campaign.starts_at),
        first_important=FirstImportant(
            first[0] if first else None,
            shown[first[1]].username if first and first[1] in shown else "",
            sums.baseline()["important"],
        ),
        tweet_categories=_group_rows(tweet_rows, states, sums),
        people_by_label=people_by_label,
        series=series,
        edges=edges,
        new_by_action={kind.action_type: bars.get(kind.action_type, ()) for kind in LISTS.values()},
        tweets=tweet_rows,
        people=_people([shown[key] for key in leaders if key in shown], since),
        rows=_explored(newest, most_important, shown, len(sums.columns), options.rows),
        hours=sums.by_weekday(options.zone) if is_long else (),
        gaps=analytics.merged_gaps(gaps_of(states.values())),
        unread=sum(state.checked_at is None for state in states.values()),
        operations=_operations(db, campaign, ids, shots, as_of, options) if is_internal else None,
    )


def compare(db: Db, chosen: Sequence[Campaign]) -> list[tuple[Campaign, GrowthAtAges]]:
    """The growth of each campaign at the ages at which at least one of them was read."""
    found = []
    for campaign in chosen:
        shots = analytics.readings(snapshots.series(db, campaigns.tweet_ids_of(db, campaign.slug)))
        growth = analytics.sum_series(shots).growth
        found.append((campaign, analytics.at_ages(growth, campaign.starts_at, AGES)))
    reached = [age for age in AGES if any(at[age] for _, at in found)]
    return [(campaign, {age: at[age] for age in reached}) for campaign, at in found]


def _counters(states: Iterable[TweetState]) -> Counters:
    """Per counter the sum of the last known values; None when no tweet's is known."""
    known = {
        name: [value for state in states if (value := state.counters.get(name)) is not None]
        for name in counter_names()
    }
    return {name: sum(row) if row else None for name, row in known.items()}


def _figures(
    sums: EngagementSums,
    series: Series,
    totals: Counters,
    lately: _Periods | None,
    edges: Sequence[datetime],
    bars: Mapping[str, Sequence[int]],
) -> dict[str, Figure]:
    values = {
        "people": len(sums.importance),
        "important": int(sums.is_important.sum()),
        "engagements": len(sums.columns),
        "views": totals["views"],
        "likes": totals["likes"],
    }
    paces, baseline, spans = dict[str, Pace](), sums.baseline(), list(pairwise(edges))
    if lately:
        paces = lately.paces(sums.between) | lately.paces(partial(analytics.growth_between, series.growth))
    grown = [analytics.growth_between(series.growth, *span) for span in spans]
    found = {}
    for name, value in values.items():
        new = bars.get(name, ()) if name in baseline else [row[name] for row in grown]
        heights = tuple(n / ((end - begin) / HOUR) for n, (begin, end) in zip(new, spans, strict=True))
        pace = None if value is None else paces.get(name)
        found[name] = Figure(name, value, pace, baseline.get(name), heights)
    return found


def _rate(series: Series, totals: Counters, lately: _Periods | None) -> Rate:
    value = analytics.engagement_rate(totals)
    if lately is None:
        return Rate(value, None, None)
    new = analytics.growth_between(series.growth, lately.begin)
    before = analytics.growth_between(series.growth, lately.begin - lately.before_span, lately.begin)
    return Rate(value, analytics.engagement_rate(new), analytics.engagement_rate(before))


def _tweet_rows(
    tweets: Iterable[CampaignTweet],
    states: Mapping[str, TweetState],
    shots: Readings,
    sums: EngagementSums,
    since: datetime | None,
) -> tuple[TweetRow, ...]:
    """Every tweet, the most engagements collected first."""
    taken, none = shots.by_tweet(), analytics.readings(())
    counts, audiences = sums.of_tweets(since), sums.audiences()
    rows = []
    for tweet in tweets:
        state, count = states[tweet.tweet_id], counts.get(tweet.tweet_id, {})
        series = analytics.sum_series(taken.get(tweet.tweet_id, none))
        rows.append(
            TweetRow(
                tweet=tweet,
                author=_author(tweet),
                posted_at=tweet.posted_at or snowflake_time(tweet.tweet_id),
                counters={name: state.counters.get(name) for name in counter_names()},
                by_action={k.action_type: count[k.action_type] for k in LISTS.values() if k.action_type in count},
                engagements=count.get("all", 0),
                lately=count.get("lately", 0) if since else 0,
                audience=audiences.get(tweet.tweet_id, NOBODY),
                rate=analytics.engagement_rate(state.counters),
                velocity=analytics.velocity(series.growth, over=DAY),
                half_life=analytics.half_life(series.totals, tweet.posted_at),
                state="removed" if state.vanished else "watched" if state.checked_at else "not read yet",
            )
        )  # fmt: skip
    return tuple(sorted(rows, key=lambda row: (-row.engagements, row.tweet.tweet_id)))


def _group_rows(
    tweets: Sequence[TweetRow], states: Mapping[str, TweetState], sums: EngagementSums
) -> tuple[GroupRow, ...]:
    """Every author group that the campaign has tweets of, in their fixed order."""
    group_of = {row.tweet.tweet_id: row.tweet.category.short for row in tweets}
    audiences, rows = sums.audiences(group_of), []
    for name in (category.short for category in TweetCategory):
        mine = [row for row in tweets if row.tweet.category.short == name]
        if mine:
            counters = _counters([states[row.tweet.tweet_id] for row in mine])
            collected, lately = sum(row.engagements for row in mine), sum(row.lately for row in mine)
            audience, rate = audiences.get(name, NOBODY), analytics.engagement_rate(counters)
            rows.append(GroupRow(name, len(mine), collected, lately, audience, counters, rate))
    return tuple(rows)


def _people(rows: Iterable[EngagementRow], since: datetime | None) -> tuple[Person, ...]:
    """Rows by account, the most important account first; `since` is from when an account is new."""
    by_user: dict[str, list[EngagementRow]] = {}
    for row in rows:
        by_user.setdefault(row.user_id, []).append(row)
    people = []
    for mine in by_user.values():
        newest = sorted(mine, key=lambda row: (row.at, row.engagement_id), reverse=True)
        best = max(newest, key=lambda row: row.importance_score or 0.0)  # of equal ones the latest
        is_new = since is not None and all(not row.backfill and row.at > since for row in newest)
        people.append(Person(best, tuple(newest), is_new))
    return tuple(sorted(people, key=lambda one: (-one.score, -one.latest.at.timestamp(), one.latest.user_id)))


def _explored(
    newest: Sequence[str], most_important: Sequence[str], shown: Mapping[str, EngagementRow], size: int, most: int
) -> tuple[EngagementRow, ...]:  # fmt: skip
    """All when there is room; else four of five by importance, and the newest."""
    chosen = list(most_important)
    if size > most:
        kept = dict.fromkeys([*chosen[: most - most // 5], *newest[: most // 5]])
        chosen = [*kept, *(key for key in chosen if key not in kept)][:most]
    rows = [shown[key] for key in chosen if key in shown]
    return tuple(
        sorted(rows, key=lambda row: (-(row.importance_score or 0.0), -row.at.timestamp(), row.engagement_id))
    )


def _author(tweet: CampaignTweet) -> str:
    return shortened(tweet.author_username or handle_in(tweet.url, tweet.tweet_id), LONGEST_NAME)


def _engagement_row(engagement: Engagement, tweet: CampaignTweet) -> EngagementRow:
    profile = engagement.profile
    return EngagementRow(
        engagement_id=engagement.engagement_id,
        name=shortened(profile.name or profile.username, LONGEST_NAME),
        username=shortened(profile.username, LONGEST_NAME),
        user_id=profile.user_id,
        person_url=profile_url(profile),
        action_type=engagement.action_type,
        importance_score=engagement.importance.score,
        reasons=tuple(
            (shortened(who, LONGEST_NAME), weight) for who, weight in engagement.importance.reasons
        ),
        important_followers=engagement.importance.followers,
        categories=tuple(label for label in engagement.categories if label != OTHERS),
        organisations=engagement.organisations,
        followers=profile.followers,
        verified=profile.verified,
        text=shortened(engagement.text or "", LONGEST_TEXT),
        at=engagement.at,
        at_is_ours=engagement.engaged_at is None,
        backfill=engagement.backfill,
        url=engagement_url(engagement),
        tweet_id=engagement.tweet_id,
        tweet_author=_author(tweet),
        tweet_category=tweet.category.short,
    )


def _operations(
    db: Db,
    campaign: Campaign,
    tweet_ids: Sequence[str],
    shots: Readings,
    as_of: datetime | None,
    options: ReportOptions,
) -> Operations:
    spent, outcomes = usage.of_campaign(db, campaign.slug), alert_queue.outcomes(db, campaign.slug)
    is_live = campaign.status is CampaignStatus.ACTIVE and as_of is not None
    return Operations(
        alerts=outcomes.alerts,
        deliveries={channel: dict(states) for channel, states in outcomes.deliveries.items()},
        requests=spent.requests,
        cost=spent.cost,
        usd=spent.cost * options.usd_per_credit,
        requests_without_gate=len(shots) * (1 + len(LISTS)),
        detection=engagements.detection(db, [campaign.slug], tweet_ids, since=as_of - DAY)
        if as_of
        else Detection(),
        looks=summarized(db, campaign, options.policy, now=as_of) if is_live and as_of else None,
    )
