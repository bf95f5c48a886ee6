"""A made-up world: accounts, tweets, and who retweeted, replied and quoted when. It can tell the truth.

Everything follows from a seed. An engagement has a place in its list (`engaged_at`), a moment from which
the provider shows it (`visible_at`, a little later for some, as with any search index), and perhaps a
moment at which it is taken back. Hidden engagements (protected accounts) are counted but never listed.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from socap_cli.model import LISTS, QUOTES, REPLIES, RETWEETS, Kind, TweetCategory, lowest_snowflake
from socap_cli.simulator import vocabulary

Key = tuple[float, str]
"""Where an item stands in its list: (engaged at, as seconds; source id)."""


@dataclass(slots=True)
class Account:
    user_id: str
    username: str
    name: str
    bio: str
    followers: int
    following: int
    verified: bool
    created_at: datetime


@dataclass(slots=True)
class Engagement:
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
        return self.engaged_at, self.source_id

    def listed_at(self, moment: float) -> bool:
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
        at = bisect_right(self.keys, item.key)
        self.keys.insert(at, item.key)
        self.items.insert(at, item)
        if not item.nested:
            insort(self.counted_from, item.visible_at)
            if item.removed_at is not None:
                insort(self.removed, item.removed_at)

    def remove(self, item: Engagement, moment: float) -> None:
        item.removed_at = moment
        insort(self.removed, moment)

    def counter(self, moment: float) -> int:
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
        return f"https://x.com/{self.author.username}/status/{self.tweet_id}"

    def exists_at(self, moment: float) -> bool:
        return self.posted_at <= moment and not self.gone_from <= moment < self.gone_until

    def counters(self, moment: float) -> dict[str, int]:
        grown = 1 - math.exp(-max(0.0, moment - self.posted_at) / 36_000)
        counts = {str(kind): self.lists[kind].counter(moment) for kind in LISTS}
        return {
            **counts,
            "likes": int(self.likes * grown),
            "views": int(self.views * grown),
            "bookmarks": int(self.likes * grown / 9),
        }


class World:
    """The truth. `start` is the moment at which a campaign begins; tweets are up to 12 hours older."""

    def __init__(
        self,
        *,
        seed: int = 7,
        tweets: int = 300,
        start: datetime,
        hours: float = 72.0,
        engagements: float = 45.0,
        accounts: int = 6000,
        removed: float = 0.01,
    ) -> None:
        self.random = random.Random(seed)
        self.start = start.astimezone(UTC)
        self.horizon = self.start + timedelta(hours=hours)
        self._removed = removed
        self.accounts = [self._account(number) for number in range(accounts)]
        self.important = self._important_people()
        self.following_index = self._following_index()
        self.tweets: dict[str, WorldTweet] = {}
        for _ in range(tweets):
            self._tweet(engagements)

    def truth(self, moment: datetime) -> dict[str, dict[Kind, set[str]]]:
        """Per tweet and list, the source ids that exist and can be seen at a moment."""
        at = moment.timestamp()
        return {
            tweet.tweet_id: {
                kind: {item.source_id for item in tweet.lists[kind].newest_first(at) if not item.nested}
                for kind in LISTS
            }
            for tweet in self.tweets.values()
        }

    def engage(
        self, tweet_id: str, kind: Kind, moment: datetime, *, account: Account | None = None, lag: float = 0.0
    ) -> Engagement:
        """Let somebody engage now; with `lag` the provider shows it only that many seconds later."""
        engagements = self.tweets[tweet_id].lists[kind]
        if account is None:
            account = self.random.choice(self.accounts)
            if kind == RETWEETS:
                taken = {item.account.user_id for item in engagements.items}
                account = next(a for a in self._shuffled_accounts() if a.user_id not in taken)
        item = self._engagement(kind, account, moment.timestamp(), lag=lag)
        engagements.add(item)
        return item

    def withdraw(self, tweet_id: str, kind: Kind, source_id: str, moment: datetime) -> None:
        """Let an engagement be taken back."""
        engagements = self.tweets[tweet_id].lists[kind]
        item = next(i for i in engagements.items if i.source_id == source_id and i.removed_at is None)
        engagements.remove(item, moment.timestamp())

    def _shuffled_accounts(self) -> Iterator[Account]:
        first = self.random.randrange(len(self.accounts))
        return iter(self.accounts[first:] + self.accounts[:first])

    def _account(self, number: int) -> Account:
        rng = self.random
        first, last = rng.choice(vocabulary.FIRST_NAMES), rng.choice(vocabulary.LAST_NAMES)
        age = timedelta(days=rng.randint(60, 5000))
        return Account(
            user_id=str(10_000_000 + number * 7919),
            username=f"{first}{last}{number}"[:15].replace(" ", ""),
            name=f"{first} {last}",
            bio=rng.choice(vocabulary.BIOS),
            followers=int(rng.paretovariate(0.9) * 60),
            following=rng.randint(10, 2500),
            verified=rng.random() < 0.15,
            created_at=self.start - age,
        )

    def _important_people(self) -> list[dict[str, Any]]:
        people = self.random.sample(self.accounts, min(40, len(self.accounts)))
        return [
            {
                "username": p.username,
                "user_id": p.user_id,
                "name": p.name,
                "weight": self.random.randint(1, 6),
            }
            for p in people
        ]

    def _following_index(self) -> list[dict[str, Any]]:
        followed = self.random.sample(self.accounts, len(self.accounts) // 10)
        index: list[dict[str, Any]] = []
        for account in followed:
            depth = min(len(self.important), int(self.random.paretovariate(1.0)))
            followers = self.random.sample(self.important, depth)
            index.append(
                {
                    "followed_username": account.username,
                    "followed_user_id": account.user_id,
                    "followed_by": followers,
                    "importance_score": sum(float(f["weight"]) for f in followers),
                }
            )
        return index

    def _tweet(self, mean: float) -> None:
        rng = self.random
        posted = self.start - timedelta(seconds=rng.uniform(60, 12 * 3600))
        tweet_id = str(lowest_snowflake(posted) + rng.randrange(1 << 22))
        size = rng.lognormvariate(math.log(max(mean, 0.01)) - 0.5, 1.0)
        tweet = WorldTweet(
            tweet_id=tweet_id,
            author=rng.choice(self.accounts),
            category=rng.choices(list(TweetCategory), weights=[2, 5, 3])[0],
            text=rng.choice(vocabulary.TWEETS),
            posted_at=posted.timestamp(),
            likes=size * rng.uniform(4, 12),
            views=size * rng.uniform(150, 900),
            lists={kind: EngagementList() for kind in LISTS},
        )
        self.tweets[tweet_id] = tweet
        for kind, share in ((RETWEETS, 0.55), (REPLIES, 0.33), (QUOTES, 0.12)):
            self._fill(tweet, kind, round(size * share))

    def _fill(self, tweet: WorldTweet, kind: Kind, count: int) -> None:
        rng = self.random
        unique = kind == RETWEETS
        count = min(count, len(self.accounts)) if unique else count
        who = rng.sample(self.accounts, count) if unique else rng.choices(self.accounts, k=count)
        for account in who:
            moment = tweet.posted_at + rng.expovariate(1 / 36_000)
            if moment >= self.horizon.timestamp():
                continue
            lag = rng.uniform(60, 1800) if rng.random() < 0.02 else 0.0
            item = self._engagement(kind, account, moment, lag=lag)
            item.hidden = rng.random() < 0.01
            item.nested = kind == REPLIES and rng.random() < 0.03
            if rng.random() < self._removed and not item.nested:
                item.removed_at = item.visible_at + rng.uniform(60, 86_400)
            tweet.lists[kind].add(item)

    def _engagement(self, kind: Kind, account: Account, moment: float, *, lag: float) -> Engagement:
        rng = self.random
        if kind == RETWEETS:
            return Engagement(account.user_id, account, moment, moment + lag)
        post_id = lowest_snowflake(datetime.fromtimestamp(moment, UTC)) + rng.randrange(1 << 22)
        text = rng.choice(vocabulary.REPLIES if kind == REPLIES else vocabulary.QUOTES)
        return Engagement(str(post_id), account, moment, moment + lag, text)
