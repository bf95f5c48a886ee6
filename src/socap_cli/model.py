"""The words of the field as values: campaigns, tweets, jobs, engagements, alerts.

Ids are strings, every datetime is aware UTC, and a counter that is `None` is unknown, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

SNOWFLAKE_EPOCH_MS = 1288834974657
FIRST_SNOWFLAKE = 29_000_000_000
"""Ids below this (before November 2010) are sequential and hold no time."""


class ActionType(StrEnum):
    RETWEET = "retweet"
    REPLY = "reply"
    QUOTE = "quote"


class Kind(StrEnum):
    """The four kinds of job."""

    METRICS = "metrics"
    RETWEETS = "retweets"
    REPLIES = "replies"
    QUOTES = "quotes"

    @property
    def priority(self) -> int:
        """1 goes first."""
        return {Kind.METRICS: 1, Kind.RETWEETS: 2}.get(self, 3)

    @property
    def action_type(self) -> ActionType:
        """The engagement that a list of this kind holds."""
        return ACTION_OF_LIST[self]


ACTION_OF_LIST = {
    Kind.RETWEETS: ActionType.RETWEET,
    Kind.REPLIES: ActionType.REPLY,
    Kind.QUOTES: ActionType.QUOTE,
}
LISTS = tuple(ACTION_OF_LIST)
COUNTERS = ("retweets", "replies", "quotes", "likes", "views", "bookmarks")
"""The names of a tweet's counters; the first three are also the names of the lists they count."""

Counters = dict[str, int | None]


class Category(StrEnum):
    """Whose tweet it is."""

    CLIENT = "client"
    INFLUENCER = "influencer"
    INVESTOR = "investor"


class CampaignStatus(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    COMPLETED = "completed"


class JobState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Channel(StrEnum):
    SLACK = "slack"
    EMAIL = "email"


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A list of tweets watched for some days, and who is told about it."""

    slug: str
    name: str
    status: CampaignStatus
    starts_at: datetime
    ends_at: datetime | None
    threshold: float
    channels: tuple[Channel, ...]
    spacing_minutes: int
    frequency_window_minutes: int
    created_at: datetime
    client_name: str | None = None
    client_email: str | None = None
    slack_webhook: str | None = field(default=None, repr=False)
    vips: tuple[str, ...] = ()
    ignores: tuple[str, ...] = ()
    last_cycle_at: datetime | None = None
    """When the one last cycle after the window's end was armed."""
    completed_at: datetime | None = None
    silenced_until: datetime | None = None
    """Until when no alert goes out; they wait."""


@dataclass(frozen=True, slots=True)
class CampaignTweet:
    """A tweet in a campaign. The same tweet may stand in several campaigns."""

    campaign_id: str
    tweet_id: str
    category: Category
    url: str
    added_at: datetime
    author_username: str | None = None
    author_name: str | None = None
    text: str | None = None
    posted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """An account as the provider described it at one moment."""

    user_id: str
    username: str
    name: str = ""
    bio: str = ""
    followers: int | None = None
    following: int | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Tweet:
    """A tweet as the provider described it at one moment."""

    tweet_id: str
    author: Profile | None
    text: str
    posted_at: datetime | None
    counters: Counters


@dataclass(frozen=True, slots=True)
class ListItem:
    """One line of a list: `source_id` is the user for a retweet, the post's own id otherwise."""

    source_id: str
    profile: Profile
    engaged_at: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first. `next_cursor` is None at the proven end."""

    items: tuple[ListItem, ...]
    next_cursor: str | None
    billed_items: int


@dataclass(frozen=True, slots=True)
class Importance:
    """How much an account matters, and why. `score` is None when it could not be looked up."""

    score: float | None
    reasons: tuple[tuple[str, float], ...] = ()
    """(username of the important follower, weight), heaviest first."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job: the lease token is what makes its outcome count."""

    job_id: str
    campaign_id: str
    tweet_id: str
    kind: Kind
    lease_token: str
    attempts: int
    snoozes: int
    armed_at: datetime
    due: datetime
    gated: bool
    last_cycle: bool


@dataclass(frozen=True, slots=True)
class Unit:
    """The jobs that one request serves: a batch of metrics jobs, or every campaign's job on one list."""

    kind: Kind
    jobs: tuple[Job, ...]

    @property
    def tweet_ids(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(job.tweet_id for job in self.jobs))

    @property
    def campaigns(self) -> tuple[str, ...]:
        """One entry a job: what a request costs is shared in this proportion."""
        return tuple(job.campaign_id for job in self.jobs)


def snowflake_time(post_id: str) -> datetime | None:
    """When a post was made, read from its id; None for ids from before snowflakes."""
    number = int(post_id)
    if number < FIRST_SNOWFLAKE:
        return None
    return datetime.fromtimestamp(((number >> 22) + SNOWFLAKE_EPOCH_MS) / 1000, UTC)


def lowest_snowflake(moment: datetime) -> int:
    """The lowest post id of that millisecond."""
    return (round(moment.timestamp() * 1000) - SNOWFLAKE_EPOCH_MS) << 22
