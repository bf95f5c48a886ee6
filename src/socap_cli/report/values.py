"""What a page shows, as frozen values: everything between the database and the templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from socap_cli.model.cadence import LookSummary
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import Detection
from socap_cli.model.list_state import Coverage, GapRow
from socap_cli.report.analytics import Audience, Change, HalfLife, Reached, Series


class Edition(StrEnum):
    """For whom a page is."""

    CLIENT = "client"
    """No cost, no requests, no alerts, no internal lists, no other campaign."""
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class EngagementRow:
    """One engagement, ready to show."""

    engagement_id: str
    name: str
    username: str
    user_id: str
    person_url: str
    action_type: str
    importance_score: float | None
    reasons: tuple[tuple[str, float], ...]
    categories: tuple[str, ...]
    organisations: tuple[str, ...]
    followers: int | None
    verified: bool
    bio: str
    text: str
    at: datetime
    at_is_ours: bool
    """True when the time is when monitoring saw it first, since a retweet carries none."""
    backfill: bool
    url: str
    tweet_id: str
    tweet_author: str
    tweet_category: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account with everything that it did."""

    latest: EngagementRow
    did: tuple[EngagementRow, ...]
    """The latest first."""
    is_new: bool
    """Whether it first engaged within the last day."""

    @property
    def score(self) -> float:
        """Its importance."""
        return self.latest.importance_score or 0.0


@dataclass(frozen=True, slots=True)
class TweetRow:
    """A tweet of the campaign and what became of it."""

    tweet: CampaignTweet
    counters: dict[str, int | None]
    growth_24h: dict[str, int]
    by_action: dict[str, int]
    engagements: int
    """Collected and present."""
    lately: int
    important: int
    """Important people."""
    audience: Audience
    rate: float | None
    velocity: float | None
    half_life: HalfLife | None
    curve: tuple[int, ...]
    """Retweets + replies + quotes by the counters, from the first reading on, at most 40 points."""
    state: str


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """The campaign's tweets of one category."""

    category: str
    tweets: int
    engagements: int
    audience: Audience
    counters: dict[str, int | None]
    """None where no tweet's is known yet."""
    rate: float | None
    curves: dict[str, tuple[int, ...]]
    """Growth since the first reading of engagements, likes and views, at most 40 points each."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the key figures."""

    name: str
    value: int | None
    change: Change | None
    """Within 24 hours, or since monitoring began when that is shorter; None when there is no earlier reading."""
    before: int | None
    """How much of it was there before monitoring began; None where that is not counted."""
    curve: tuple[int, ...]
    """The last 48 hours."""


@dataclass(frozen=True, slots=True)
class FirstImportant:
    """When the first important person engaged."""

    after: timedelta | None
    """From the campaign's start."""
    before: int
    """Important people who were there before monitoring began."""


@dataclass(frozen=True, slots=True)
class Operations:
    """What only the operator sees."""

    alerts: int
    """Alerts of which at least one delivery arrived."""
    deliveries: dict[str, dict[str, int]]
    """Deliveries by channel and state."""
    requests: int
    cost: float
    """Credits."""
    usd: float
    requests_without_gate: int
    """What reading everything every cycle would have asked."""
    detection: Detection
    """How late replies and quotes were found in the last 24 hours before the latest reading."""
    looks: LookSummary | None
    """When its tweets are looked at next, as of the latest reading; None when it is not watched."""


@dataclass(frozen=True, slots=True)
class Through:
    """Through whom people came: what important followers and their organisations account for."""

    people: tuple[Reached, ...]
    organisations: tuple[Reached, ...]
    considered: int
    """Accounts with a score whose followers were looked at, the most important first."""
    scored: int
    """Accounts with a score."""


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Every number of one campaign's page."""

    campaign: Campaign
    edition: Edition
    as_of: datetime | None
    """The latest reading; None for a campaign that was never read."""
    first_reading: datetime | None
    readings: int
    """Moments at which counters were read."""
    figures: dict[str, Figure]
    rate: float | None
    rate_24h_before: float | None
    totals: dict[str, int]
    growth_24h: dict[str, int]
    window: timedelta
    """What "in 24 h" really spans: less on the first day."""
    engagements: dict[str, int]
    """Collected and present, by action."""
    removed: int
    coverage: tuple[Coverage, ...]
    velocity: float | None
    half_life: HalfLife | None
    first_important: FirstImportant
    tweet_categories: tuple[CategoryRow, ...]
    people_by_label: dict[str, int]
    series: Series
    tweets: tuple[TweetRow, ...]
    """The most collected first."""
    people: tuple[Person, ...]
    """The most important first."""
    through: Through
    latest: tuple[EngagementRow, ...]
    rows: tuple[EngagementRow, ...]
    """What can be browsed: the most important and the newest."""
    hours: tuple[tuple[int, ...], ...]
    gaps: tuple[GapRow, ...]
    unread: int
    """Tweets that were never read."""
    alert_times: tuple[datetime, ...] = ()
    operations: Operations | None = None
    known_labels: tuple[str, ...] = field(default=())

    @property
    def collected(self) -> int:
        """Engagements collected and present."""
        return sum(self.engagements.values())

    @property
    def counted(self) -> int:
        """Retweets + replies + quotes as the counters say."""
        return sum(row.counter for row in self.coverage)
