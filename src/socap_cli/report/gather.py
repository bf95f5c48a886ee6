"""Read everything that a page shows into frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from socap_cli.client.looks import LookPolicy, summarized
from socap_cli.model.cadence import LookSummary
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet
from socap_cli.model.engagement import Detection
from socap_cli.model.kinds import LISTS, counter_names
from socap_cli.model.list_state import TweetState, coverage_of, gaps_of
from socap_cli.report import crowd as report_crowd
from socap_cli.report import tweets
from socap_cli.report.analytics import (
    DAY,
    AtAge,
    Engager,
    Readings,
    Series,
    at_ages,
    bucket_for,
    engagement_rate,
    growth_between,
    half_life,
    list_total,
    readings,
    roll_up,
    span_of,
    sum_series,
    velocity,
)
from socap_cli.report.crowd import LATEST, Asked, Crowd, CrowdSums, engagement_row, sums_of
from socap_cli.report.values import (
    CampaignReport,
    Edition,
    EngagementRow,
    FirstImportant,
    Operations,
    Through,
)
from socap_cli.store import (
    Db,
    alert_queue,
    campaigns,
    engagements,
    importance,
    page_sums,
    snapshots,
    usage,
    worker_state,
)
from socap_cli.store.engagements import detection
from socap_cli.store.importance import ImportanceCollections


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a report is to hold."""

    edition: Edition
    rows: int
    """Engagements to browse at most."""
    zone: tzinfo
    firm: ImportanceCollections
    usd_per_credit: float
    policy: LookPolicy = field(default_factory=LookPolicy)
    """What decides when tweets are looked at."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What was read of one campaign."""

    campaign: Campaign
    tweets: Mapping[str, CampaignTweet]
    states: Mapping[str, TweetState]
    shots: Readings
    series: Series
    grid: tuple[datetime, ...]
    crowd: CrowdSums
    as_of: datetime | None

    @property
    def since(self) -> datetime | None:
        """A day before the latest reading."""
        return self.as_of - DAY if self.as_of else None


AGES = (
    *(timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)),
    *(timedelta(hours=hours) for hours in (1, 3, 6, 12, 24, 48, 72, 120, 168, 336, 720)),
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One campaign's growth at some ages."""

    campaign: Campaign
    at: tuple[AtAge, ...]


def gather(db: Db, campaign: Campaign, wanted: Wanted, *, now: datetime) -> CampaignReport:
    """Everything about one campaign, as of its latest reading. `now` only says how fresh a rescoring is."""
    read = _collect(db, campaign, wanted.rows, now)
    shown = _rows(db, read)
    sums = tweets.sums(read.states.values())
    growth_24h = growth_between(read.series, read.since) if read.since else dict.fromkeys(counter_names(), 0)
    start = read.series.totals[0][0] if read.series.totals else None
    tweet_rows = tweets.tweet_rows(read.tweets.values(), read.states, read.shots, read.crowd, read.since)
    leaders = [shown[key] for key in read.crowd.leaders if key in shown]
    told = alert_queue.outcomes(db, campaign.slug) if wanted.edition is Edition.OPERATOR else None
    return CampaignReport(
        campaign=campaign,
        edition=wanted.edition,
        as_of=read.as_of,
        first_reading=start,
        readings=len(read.series.totals),
        figures=tweets.key_figures(read.crowd, read.series, sums, read.grid),
        rate=engagement_rate(sums),
        rate_24h_before=tweets.rate_before(sums, growth_24h, read.series, read.since),
        totals={name: sums.get(name) or 0 for name in counter_names()},
        growth_24h=growth_24h,
        window=min(read.as_of - start, DAY) if read.as_of and start else timedelta(),
        engagements=_by_action(read.crowd),
        removed=sum(s.lists[kind].removed for s in read.states.values() for kind in s.lists),
        coverage=tuple(coverage_of(read.states.values()).values()),
        velocity=velocity(read.series.growth, over=DAY),
        half_life=half_life(_engaged(read.series), campaign.starts_at),
        first_important=FirstImportant(*read.crowd.first_important),
        tweet_categories=tweets.category_rows(
            tuple(read.tweets.values()), read.states, read.shots, read.crowd
        ),
        people_by_label=read.crowd.people_by_label,
        series=read.series,
        tweets=tweet_rows,
        people=report_crowd.grouped(leaders, since=read.since),
        through=_through(db, read.crowd, shown, wanted.firm),
        latest=tuple(shown[key] for key in read.crowd.newest[:LATEST] if key in shown),
        rows=_browsed(read.crowd, shown, wanted.rows),
        hours=read.crowd.by_weekday(wanted.zone),
        gaps=gaps_of(read.states.values()),
        unread=sum(state.checked_at is None for state in read.states.values()),
        alert_times=told.times if told else (),
        operations=_operations(db, read, told, wanted) if told else None,
        known_labels=tuple(read.crowd.people_by_label),
    )


def _collect(db: Db, campaign: Campaign, rows: int, now: datetime) -> Collected:
    found = {tweet.tweet_id: tweet for tweet in campaigns.tweets_of(db, campaign.slug)}
    ids = list(found)
    states = worker_state.load(db, ids)
    shots = readings(snapshots.series(db, ids))
    series = sum_series(shots, bucket=bucket_for(span_of(shots)))
    as_of = as_of_states(states)
    first = datetime.fromtimestamp(float(shots.times[0]), UTC) if len(shots) else None
    asked = asked_of(campaign, found, first, as_of, rows)
    return Collected(
        campaign=campaign,
        tweets=found,
        states=states,
        shots=shots,
        series=series,
        grid=tuple(asked.moments) if len(series.totals) > 1 else (),
        crowd=crowd_sums(db, asked, now=now),
        as_of=as_of,
    )


def _by_action(crowd: CrowdSums) -> dict[str, int]:
    return {kind.action_type: crowd.by_action.get(kind.action_type, 0) for kind in LISTS.values()}


def _engaged(series: Series) -> Sequence[tuple[datetime, dict[str, int]]]:
    """Growth without the moments before anything grew: the campaign's own half-life leaves out what was there."""
    return series.growth if series.growth and list_total(series.growth[-1][1]) > 0 else ()


def _rows(db: Db, read: Collected) -> dict[str, EngagementRow]:
    """Every engagement that some part of the page shows, by id."""
    crowd = read.crowd
    scored = (key for key, _ in crowd.scored)
    ids = dict.fromkeys([*crowd.most_important, *crowd.newest, *crowd.leaders, *scored])
    found = engagements.by_id(db, list(ids))
    return {key: engagement_row(one, read.tweets[one.tweet_id]) for key, one in found.items()}


def _browsed(crowd: CrowdSums, shown: Mapping[str, EngagementRow], most: int) -> tuple[EngagementRow, ...]:
    """All when there is room; else four of five by importance, and the newest."""
    by_importance = list(crowd.most_important)
    if crowd.size > most:
        newest = crowd.newest[: most // 5]
        kept = dict.fromkeys([*by_importance[: most - len(newest)], *newest])
        by_importance = [*kept, *(key for key in by_importance if key not in kept)][:most]
    found = [shown[key] for key in by_importance if key in shown]
    return tuple(
        sorted(
            found, key=lambda row: (-(row.importance_score or 0.0), -row.at.timestamp(), row.engagement_id)
        )
    )


def _through(
    db: Db, crowd: CrowdSums, shown: Mapping[str, EngagementRow], firm: ImportanceCollections
) -> Through:
    engagers = [
        Engager(tuple(who for who, _ in shown[key].reasons), count)
        for key, count in crowd.scored
        if key in shown
    ]
    followers = sorted({who for engager in engagers for who in engager.followed_by})
    people = importance.find_person(db, firm, followers) if followers else {}
    group_of = {name: person.organisation for name, person in people.items() if person.organisation}
    return Through(roll_up(engagers), roll_up(engagers, group_of), len(engagers), crowd.count_scored)


def _operations(db: Db, read: Collected, told: alert_queue.AlertOutcomes, wanted: Wanted) -> Operations:
    spent = usage.of_campaign(db, read.campaign.slug)
    return Operations(
        alerts=told.alerts,
        deliveries={channel: dict(states) for channel, states in told.deliveries.items()},
        requests=spent.requests,
        cost=spent.cost,
        usd=spent.cost * wanted.usd_per_credit,
        requests_without_gate=len(read.shots) * (1 + len(LISTS)),
        detection=detection(db, [read.campaign.slug], list(read.tweets), since=read.since)
        if read.since
        else Detection(),
        looks=_looks(db, read, wanted),
    )


def _looks(db: Db, read: Collected, wanted: Wanted) -> LookSummary | None:
    if read.campaign.status is not CampaignStatus.ACTIVE or read.as_of is None:
        return None
    return summarized(db, read.campaign, wanted.policy, now=read.as_of)


def crowd_sums(db: Db, asked: Asked, *, now: datetime) -> CrowdSums:
    """The sums over a campaign's engagements."""
    return sums_of(Crowd(page_sums.read(db, list(asked.category_of), now=now), asked.threshold), asked)


def as_of_states(states: Mapping[str, TweetState]) -> datetime | None:
    """The latest reading."""
    return max((state.checked_at for state in states.values() if state.checked_at), default=None)


def asked_of(
    campaign: Campaign,
    found: Mapping[str, CampaignTweet],
    first: datetime | None,
    as_of: datetime | None,
    rows: int,
) -> Asked:
    """What a campaign's sums depend on; `first` and `as_of` are its first and its latest reading."""
    return Asked(
        slug=campaign.slug,
        starts_at=campaign.starts_at,
        threshold=campaign.threshold,
        category_of={tweet_id: tweet.category.short for tweet_id, tweet in found.items()},
        since=as_of - DAY if as_of else None,
        moments=tweets.grid_of(first, as_of),
        rows=rows,
    )


def compare(db: Db, chosen: Sequence[Campaign]) -> tuple[Compared, ...]:
    """The growth of each campaign at the ages that at least one of them reached."""
    found = {campaign.slug: _growth(db, campaign) for campaign in chosen}
    reached = [age for age in AGES if any(_at(row.at, age) for row in found.values())]
    return tuple(
        Compared(row.campaign, tuple(one for one in row.at if one.age in reached)) for row in found.values()
    )


def _growth(db: Db, campaign: Campaign) -> Compared:
    shots = readings(snapshots.series(db, campaigns.tweet_ids_of(db, campaign.slug)))
    series = sum_series(shots, bucket=bucket_for(span_of(shots)))
    return Compared(campaign, at_ages(series.growth, campaign.starts_at, AGES))


def _at(rows: Sequence[AtAge], age: timedelta) -> Mapping[str, int] | None:
    return next((row.growth for row in rows if row.age == age), None)
