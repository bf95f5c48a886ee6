"""What a page shows, as frozen values: everything between the database and the templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from socap_cli.model.cadence import LookSummary
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import Detection
from socap_cli.model.kinds import Counters
from socap_cli.model.list_state import Coverage
from socap_cli.report.analytics import DAY, Audience, GapSpan, HalfLife, Pace, Series


class Edition(StrEnum):
    """For whom a page is."""

    CLIENT = "client"
    """No cost, no requests, no alerts, no internal lists, no other client."""
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Brand:
    """Who reports, and how their pages look."""

    title: str = ""
    logo: str = ""
    """A `data:` address."""
    accent: str = "#2f5bd7"


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
    """The heaviest important followers."""
    important_followers: int
    """All of them."""
    categories: tuple[str, ...]
    organisations: tuple[str, ...]
    followers: int | None
    verified: bool
    text: str
    at: datetime
    at_is_ours: bool
    """Whether the time is when it was first seen, as the provider gave none."""
    backfill: bool
    url: str
    tweet_id: str
    tweet_author: str
    tweet_category: str


@dataclass(frozen=True, slots=True)
class Person:
    """An account with all its engagements."""

    latest: EngagementRow
    engagements: tuple[EngagementRow, ...]
    """The latest first."""
    is_new: bool
    """Whether it first engaged in the latest period."""

    @property
    def score(self) -> float:
        """Its importance."""
        return self.latest.importance_score or 0.0


@dataclass(frozen=True, slots=True)
class TweetRow:
    """A tweet of the campaign and its results."""

    tweet: CampaignTweet
    author: str
    """The author's handle, from the tweet's address when it was never looked up; empty when unknown."""
    posted_at: datetime | None
    counters: dict[str, int | None]
    by_action: dict[str, int]
    engagements: int
    """Collected and present."""
    lately: int
    """Of them, new in the latest period."""
    audience: Audience
    rate: float | None
    velocity: float | None
    half_life: HalfLife | None
    state: str


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The campaign's tweets of one author group."""

    category: str
    tweets: int
    engagements: int
    lately: int
    audience: Audience
    counters: dict[str, int | None]
    """None where no tweet's is known yet."""
    rate: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the key figures."""

    name: str
    value: int | None
    pace: Pace | None
    """None before the second reading."""
    baseline: int | None
    """What was there before monitoring started; None where that is not counted."""
    bars: tuple[float, ...]
    """New per hour, for each bar of the page."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Interactions per view: of everything, and of what came in the latest period and in the one before.

    Without bars: a rate of an hour's few views says nothing.
    """

    value: float | None
    lately: float | None
    before: float | None


@dataclass(frozen=True, slots=True)
class FirstImportant:
    """The first important person who engaged after the start at a known time."""

    after: timedelta | None
    username: str
    before: int
    """Important people of the baseline."""


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
    """Requests of polling everything in every cycle."""
    detection: Detection
    """Delays of replies and quotes in the 24 hours before the latest reading."""
    looks: LookSummary | None
    """The next polls, as of the latest reading; None when it is not monitored."""


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Every number of one campaign's page."""

    campaign: Campaign
    edition: Edition
    as_of: datetime | None
    """The latest reading; None for a campaign that was never read."""
    has_started: bool
    is_stale: bool
    """Whether an active campaign was not read lately: its last reading says nothing of now."""
    first_reading: datetime | None
    figures: dict[str, Figure]
    """People, important people, engagements, views, likes."""
    rate: Rate
    totals: Counters
    """X's counters."""
    span: timedelta
    """The latest period: a day, or less at first."""
    engagements: dict[str, int]
    """Collected and present, by action."""
    engagements_by_label: dict[str, int]
    removed: int
    coverage: tuple[Coverage, ...]
    velocity: float | None
    half_life: HalfLife | None
    first_important: FirstImportant
    tweet_categories: tuple[GroupRow, ...]
    people_by_label: dict[str, int]
    series: Series
    edges: tuple[datetime, ...]
    """Readings between which a bar is drawn, the latest last; none before the second reading."""
    new_by_action: dict[str, tuple[int, ...]]
    """New engagements for each bar."""
    tweets: tuple[TweetRow, ...]
    """The most collected first."""
    people: tuple[Person, ...]
    """Important people, the most important first."""
    rows: tuple[EngagementRow, ...]
    """What can be explored: the most important and the newest."""
    hours: tuple[tuple[int, ...], ...]
    """Engagements by weekday, Monday first, and hour; empty in the first two weeks."""
    gaps: tuple[GapSpan, ...]
    unread: int
    """Tweets that were never read."""
    operations: Operations | None = None

    @property
    def collected(self) -> int:
        """Engagements collected and present."""
        return sum(self.engagements.values())

    @property
    def counted(self) -> int:
        """Retweets + replies + quotes as X counts them."""
        return sum(row.counter for row in self.coverage)

    @property
    def covered(self) -> float | None:
        """The share of the counters that was collected, at most 1."""
        stored = sum(row.matched for row in self.coverage)
        return min(stored / self.counted, 1.0) if self.counted else None

    @property
    def unit(self) -> timedelta:
        """A bar's height is new engagements in so much time: an hour, or, after two weeks, a day."""
        is_long = self.edges and self.edges[-1] - self.edges[0] > 14 * DAY
        return DAY if is_long else timedelta(hours=1)
