"""Accounts, tweets and pages as a provider described them at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from socap_cli.model.kinds import Counters


@dataclass(frozen=True, slots=True)
class Profile:
    """An account. Handles have no case; `username` is written as the account writes it."""

    user_id: str
    username: str
    name: str = ""
    bio: str = ""
    followers: int | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Tweet:
    tweet_id: str
    author: Profile | None
    text: str
    posted_at: datetime | None
    counters: Counters
    retweet_of: str | None = None
    """The original, when this is a retweet's own id: it has no engagements of its own."""


@dataclass(frozen=True, slots=True)
class ListItem:
    """One line of a list: `source_id` is the user for a retweet, the post's own id otherwise."""

    source_id: str
    profile: Profile
    engaged_at: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of an answer that could not be read: why, and the beginning of it."""

    reason: str
    sample: str


@dataclass(frozen=True, slots=True)
class RateWindow:
    """What the provider says of its rate limit: requests left, and the seconds until it counts anew."""

    left: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first. `next_cursor` is None at the proven end."""

    items: tuple[ListItem, ...]
    next_cursor: str | None
    billed_items: int
    unreadable: tuple[UnreadableRow, ...] = ()
    """Rows that were left out."""
    cut_off: bool = False
    """Whether more was promised without a way to ask for it: the list ends here, and that proves nothing."""
    billed: Mapping[str, float] = field(default_factory=dict)
    """Credits of each post and account, where the provider bills one once per UTC day."""
    window: RateWindow | None = None
    blank_is_normal: bool = False
    """Whether the provider sends empty pages in the middle of a list, so that only the cursor ends it."""


@dataclass(frozen=True, slots=True)
class TweetsAnswer:
    """Tweets by id. An id that the provider does not know is simply absent."""

    tweets: dict[str, Tweet]
    billed_items: int
    unreadable: tuple[UnreadableRow, ...] = ()
    """Rows that were left out."""
    billed: Mapping[str, float] = field(default_factory=dict)
    """Credits of each post and account, where the provider bills one once per UTC day."""
    window: RateWindow | None = None
