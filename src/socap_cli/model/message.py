"""What an alert says, before any channel's own format: who did what, on which tweet, and why it matters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

SHOWN_REASONS = 3


class MessageKind(StrEnum):
    """Why these engagements are told together."""

    PERSON = "person"
    """Everything that one person did."""
    DIGEST = "digest"
    """Several people at once: many were due, or they had been held back."""
    BACKLOG = "backlog"
    """What was there before the campaign watched for it."""


@dataclass(frozen=True, slots=True)
class ToldEngagement:
    """One thing that a person did."""

    engagement_id: str
    action_type: str
    verb: str
    """"replied to"."""
    url: str
    tweet_id: str
    tweet_url: str
    tweet_label: str
    """"@ann's tweet"."""
    tweet_category: str
    """client, influencer, investor; empty when the tweet left the campaign."""
    at: datetime
    text: str = ""
    taken_back: bool = False


@dataclass(frozen=True, slots=True)
class ToldPerson:
    """Somebody who engaged, why that matters, and what they did. Texts are clean; no channel's markup is in them."""

    user_id: str
    username: str
    name: str
    url: str
    score: float | None
    engagements: tuple[ToldEngagement, ...]
    is_vip: bool = False
    is_verified: bool = False
    followers: int | None = None
    bio: str = ""
    labels: tuple[str, ...] = ()
    reasons: tuple[tuple[str, float], ...] = ()
    """(username of an important follower, weight), heaviest first."""
    important_followers: int = 0
    """How many important followers there are, shown or not."""
    organisation: str = ""
    """"third of Fund Z in this campaign"."""
    report_url: str = ""
    left_out: int = 0
    """Engagements that are told by number only."""

    @property
    def count(self) -> int:
        """How many engagements are told."""
        return len(self.engagements) + self.left_out

    @property
    def deed(self) -> str:
        """ "replied to @ann's tweet", or how often for several."""
        first = self.engagements[0]
        if self.count == 1:
            return f"{first.verb} {first.tweet_label}"
        return f"engaged {self.count} times: {', '.join(dict.fromkeys(e.verb for e in self.engagements))}"

    @property
    def why(self) -> str:
        """Why it matters, in one phrase."""
        parts = [f"importance {self.score:g}"] if self.score is not None else []
        parts.append(self.followed_by)
        parts.append(self.organisation)
        return " · ".join(part for part in parts if part)

    @property
    def followed_by(self) -> str:
        """ "followed by @a (5), @b (4) and 7 more of your list"."""
        shown = self.reasons[:SHOWN_REASONS]
        if not shown:
            return ""
        names = ", ".join(f"@{username} ({weight:g})" for username, weight in shown)
        more = max(self.important_followers, len(self.reasons)) - len(shown)
        return f"followed by {names}" + (f" and {more:,} more of your list" if more > 0 else "")

    @property
    def who_they_are(self) -> str:
        """Verified, followers, labels, in one phrase."""
        parts = ["verified"] if self.is_verified else []
        if self.followers is not None:
            parts.append("1 follower" if self.followers == 1 else f"{self.followers:,} followers")
        return " · ".join([*parts, *self.labels])


@dataclass(frozen=True, slots=True)
class Message:
    """A message for one receiver. `thread` is the same for a campaign's messages of a day."""

    message_id: str
    """The same when it is sent again."""
    kind: MessageKind
    campaign_id: str
    campaign_name: str
    title: str
    """One line that names the campaign."""
    people: tuple[ToldPerson, ...]
    thread: str
    created_at: datetime
    may_be_repeated: bool = False
    """Whether it was sent before and may have arrived."""
    report_url: str = ""

    @property
    def engagements(self) -> int:
        """How many engagements it tells."""
        return sum(person.count for person in self.people)
