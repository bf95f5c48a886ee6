"""Tweets of a made-up world with their lists of engagements.

An engagement has a place in its list (`engaged_at`), a moment from which the provider shows it (`visible_at`, a
little later for some, as with any search index), and perhaps a moment at which it is taken back. Hidden engagements
(protected accounts) are counted but never listed.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from socap_cli.model.campaign import TweetCategory
from socap_cli.model.kinds import Kind
from socap_cli.simulator.people import Account

Key = tuple[float, str]
"""Where an item stands in its list: (engaged at, as seconds; source id)."""


@dataclass(slots=True)
class Engagement:
    """One engagement as it is in truth; moments are unix seconds."""

    source_id: str
    account: Account
    engaged_at: float
    visible_at: float
    text: str = ""
    removed_at: float | None = None
    hidden: bool = False
    nested: bool = False
    """A reply to a reply: listed by the provider, but no engagement with the tweet itself."""

    @property
    def key(self) -> Key:
        """Its place in its list."""
        return self.engaged_at, self.source_id

    def listed_at(self, moment: float) -> bool:
        """Whether the provider lists it."""
        shown = self.visible_at <= moment and not self.hidden
        return shown and (self.removed_at is None or moment < self.removed_at)


@dataclass(slots=True)
class EngagementList:
    """One tweet's engagements of one kind, oldest first, with what is needed to count them fast."""

    items: list[Engagement] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    counted_from: list[float] = field(default_factory=list)
    removed: list[float] = field(default_factory=list)

    def add(self, item: Engagement) -> None:
        """Put an engagement in its place."""
        at = bisect_right(self.keys, item.key)
        self.keys.insert(at, item.key)
        self.items.insert(at, item)
        if not item.nested:
            insort(self.counted_from, item.visible_at)
            if item.removed_at is not None:
                insort(self.removed, item.removed_at)

    def remove(self, item: Engagement, moment: float) -> None:
        """Let an engagement be taken back."""
        item.removed_at = moment
        insort(self.removed, moment)

    def counter(self, moment: float) -> int:
        """What the tweet's counter says."""
        return bisect_right(self.counted_from, moment) - bisect_right(self.removed, moment)

    def newest_first(self, moment: float, *, below: Key | None = None) -> Iterator[Engagement]:
        """What the provider lists at `moment`, from the newest, or from just below a key."""
        limit = (moment, "~") if below is None else below
        at = bisect_right(self.keys, limit)
        for index in range(at - 1, -1, -1):
            item = self.items[index]
            if (below is None or item.key < below) and item.listed_at(moment):
                yield item


@dataclass(slots=True)
class WorldTweet:
    """A tweet as it is in truth."""

    tweet_id: str
    author: Account
    category: TweetCategory
    text: str
    posted_at: float
    likes: float
    views: float
    lists: dict[Kind, EngagementList]
    gone_from: float = math.inf
    gone_until: float = math.inf

    @property
    def url(self) -> str:
        """Its page."""
        return f"https://x.com/{self.author.username}/status/{self.tweet_id}"

    def exists_at(self, moment: float) -> bool:
        """Whether the provider knows it."""
        return self.posted_at <= moment and not self.gone_from <= moment < self.gone_until

    def counters(self, moment: float) -> dict[str, int]:
        """All its counters by name: of what has a list, what is in it."""
        grown = 1 - math.exp(-max(0.0, moment - self.posted_at) / 36_000)
        return {
            "likes": int(self.likes * grown),
            "views": int(self.views * grown),
            "bookmarks": int(self.likes * grown / 9),
            **{str(kind): items.counter(moment) for kind, items in self.lists.items()},
        }
