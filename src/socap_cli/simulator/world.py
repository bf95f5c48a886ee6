"""A made-up world: accounts, tweets, and who did what to them when. It can tell the truth.

Everything follows from a seed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from socap_cli.model.campaign import TweetCategory
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.model.snowflake import lowest_snowflake
from socap_cli.simulator import people, vocabulary
from socap_cli.simulator.people import Account
from socap_cli.simulator.tweets import Engagement, EngagementList, WorldTweet

__all__ = ["HABITS", "Habit", "World", "WorldPlan"]


@dataclass(frozen=True, slots=True)
class Habit:
    """How people engage by one kind of list."""

    share: float
    """Part of a tweet's engagements that are of this kind."""
    texts: tuple[str, ...] = ()
    """What they write; nothing where an item is no post."""
    nested: float = 0.0
    """Part of the items that are about another post: listed, but no engagement with the tweet."""


HABITS: dict[Kind, Habit] = {
    RETWEETS: Habit(0.55),
    REPLIES: Habit(0.33, vocabulary.REPLIES, nested=0.03),
    QUOTES: Habit(0.12, vocabulary.QUOTES),
}
NO_HABIT = Habit(0.0)


@dataclass(frozen=True, slots=True)
class WorldPlan:
    """What a world is made by."""

    start: datetime
    """When a campaign begins; tweets are up to 12 hours older."""
    seed: int = 7
    tweets: int = 300
    hours: float = 72.0
    """For which people engage after the start."""
    engagements: float = 45.0
    """Engagements a tweet, on average."""
    accounts: int = 6000
    removed: float = 0.01
    """Part of the engagements that are taken back."""


class World:
    """The truth."""

    def __init__(self, **plan: Any) -> None:
        """Make the world of a plan: see `WorldPlan` for what can be said."""
        self.plan = WorldPlan(**plan)
        self.random = random.Random(self.plan.seed)
        self.start = self.plan.start.astimezone(UTC)
        self.horizon = self.start + timedelta(hours=self.plan.hours)
        self.accounts = [people.account(self.random, n, self.start) for n in range(self.plan.accounts)]
        self.important = people.important_people(self.random, self.accounts)
        self.following_index = people.following_index(self.random, self.accounts, self.important)
        self.tweets: dict[str, WorldTweet] = {}
        for _ in range(self.plan.tweets):
            self._tweet(self.plan.engagements)

    def truth(self, moment: datetime) -> dict[str, dict[Kind, set[str]]]:
        """Per tweet and list, the source ids that exist and can be seen at a moment."""
        at = moment.timestamp()
        return {
            tweet.tweet_id: {
                kind: {item.source_id for item in items.newest_first(at) if not item.nested}
                for kind, items in tweet.lists.items()
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
            if not LISTS[kind].is_post:
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
        for kind in tweet.lists:
            self._fill(tweet, kind, round(size * HABITS.get(kind, NO_HABIT).share))

    def _fill(self, tweet: WorldTweet, kind: Kind, count: int) -> None:
        rng, nested = self.random, HABITS.get(kind, NO_HABIT).nested
        unique = not LISTS[kind].is_post
        count = min(count, len(self.accounts)) if unique else count
        who = rng.sample(self.accounts, count) if unique else rng.choices(self.accounts, k=count)
        for account in who:
            moment = tweet.posted_at + rng.expovariate(1 / 36_000)
            if moment >= self.horizon.timestamp():
                continue
            lag = rng.uniform(60, 1800) if rng.random() < 0.02 else 0.0
            item = self._engagement(kind, account, moment, lag=lag)
            item.hidden = rng.random() < 0.01
            item.nested = nested > 0 and rng.random() < nested
            if rng.random() < self.plan.removed and not item.nested:
                item.removed_at = item.visible_at + rng.uniform(60, 86_400)
            tweet.lists[kind].add(item)

    def _engagement(self, kind: Kind, account: Account, moment: float, *, lag: float) -> Engagement:
        rng = self.random
        if not LISTS[kind].is_post:
            return Engagement(account.user_id, account, moment, moment + lag)
        post_id = lowest_snowflake(datetime.fromtimestamp(moment, UTC)) + rng.randrange(1 << 22)
        text = rng.choice(HABITS.get(kind, NO_HABIT).texts or vocabulary.QUOTES)
        return Engagement(str(post_id), account, moment, moment + lag, text)
