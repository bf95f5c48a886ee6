"""Engagements: who did what to a tweet, when, and how much they matter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.model.account import ListItem, Profile
from socap_cli.model.kinds import LISTS, Counters, Kind


@dataclass(frozen=True, slots=True)
class Importance:
    """How much an account matters, and why. `score` is None when it could not be looked up."""

    score: float | None
    reasons: tuple[tuple[str, float], ...] = ()
    """(username of the important follower, weight), heaviest first."""


@dataclass(frozen=True, slots=True)
class Engagement:
    """One engagement as it is stored."""

    engagement_id: str
    tweet_id: str
    action_type: str
    source_id: str
    """The user for a retweet, the post's own id otherwise."""
    profile: Profile
    importance: Importance
    categories: tuple[str, ...]
    first_seen_at: datetime
    last_seen_at: datetime
    backfill: bool
    """Found by the first pass: it was there before its tweet was watched."""
    engaged_at: datetime | None = None
    """None for a retweet, which carries no time."""
    text: str | None = None
    organisations: tuple[str, ...] = ()
    """What the account's bio, name or handle names, by the rules for organisations."""
    removed_at: datetime | None = None
    """When a full pass did not find it any more."""

    @property
    def at(self) -> datetime:
        """When it happened, or, when nobody says, when it was seen first."""
        return self.engaged_at or self.first_seen_at


def engagement_id(tweet_id: str, kind: Kind, source_id: str) -> str:
    """The id that an engagement has whoever finds it, and however often."""
    return f"{tweet_id}:{LISTS[kind].action_type}:{source_id}"


@dataclass(frozen=True, slots=True)
class FoundEngagement:
    """An item as a page showed it, enriched: what is stored when it is new."""

    tweet_id: str
    kind: Kind
    item: ListItem
    importance: Importance
    categories: tuple[str, ...]
    pass_number: int
    scan: int
    backfill: bool
    now: datetime
    organisations: tuple[str, ...] = ()

    @property
    def engagement_id(self) -> str:
        """See `engagement_id`."""
        return engagement_id(self.tweet_id, self.kind, self.item.source_id)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """What was stored of an item before its page was read."""

    first_pass: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every counter of a tweet at one moment."""

    tweet_id: str
    captured_at: datetime
    counters: Counters
