"""A made-up world: accounts, tweets, and who did what to them when. It can tell the truth.

Everything follows from a seed.
"""

from __future__ import annotations

import math
import random
import threading
import time
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from socap_cli.model.campaign import TweetCategory
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.model.links import lowest_snowflake


@dataclass(frozen=True, slots=True)
class Habit:
    """How people engage by one kind of list."""

    share: float
    """Part of a tweet's engagements that are of this kind."""
    texts: tuple[str, ...] = ()
    """What they write; nothing where an item is no post."""
    nested: float = 0.0
    """Part of the items that are about another post: listed, but no engagement with the tweet."""


QUOTE_TEXTS = (
    "Worth a read.", "Big if it works.", "This is the launch to watch today.", "My notes on this, below.",
    "They finally did it.", "Bookmarking this one.", "Strong team, strong numbers.",
)  # fmt: skip


REPLY_TEXTS = (
    "Congrats!", "This is great", "How does it compare with the others?", "Is there an API?", "take my money",
    "When will it be in Europe?", "not convinced yet", "Been using it for a month, it holds up <3", "🔥🔥🔥",
    "=1+1 is two, and this is one", "Would love to talk, DM open",
)  # fmt: skip


HABITS: dict[Kind, Habit] = {
    RETWEETS: Habit(0.55),
    REPLIES: Habit(0.33, REPLY_TEXTS, nested=0.03),
    QUOTES: Habit(0.12, QUOTE_TEXTS),
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
        self.accounts = [account(self.random, n, self.start) for n in range(self.plan.accounts)]
        self.important = important_people(self.random, self.accounts)
        self.following_index = following_index(self.random, self.accounts, self.important)
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
            text=rng.choice(TWEETS),
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
        text = rng.choice(HABITS.get(kind, NO_HABIT).texts or QUOTE_TEXTS)
        return Engagement(str(post_id), account, moment, moment + lag, text)


IMPORTANT = 40


@dataclass(slots=True)
class Account:
    """An account as it is in truth."""

    user_id: str
    username: str
    name: str
    bio: str
    followers: int
    following: int
    verified: bool
    created_at: datetime


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


FIRST_NAMES = (
    "Ada", "Grace", "Linus", "Mina", "Noor", "Kofi", "Yuki", "Ines", "Omar", "Lena", "Ravi", "Sofia", "Tariq",
    "Wei", "Amara", "Jonas", "Priya", "Mateo", "Zoe", "Emeka", "Hana", "Luca", "Aisha", "Viktor", "Chloe",
)  # fmt: skip


LAST_NAMES = (
    "Byron", "Hopper", "Okafor", "Tanaka", "Silva", "Novak", "Haddad", "Larsen", "Mehta", "Costa", "Chen",
    "Diallo", "Weber", "Rossi", "Khan", "Moreau", "Sato", "Kim", "Ivanov", "Garcia", "Nkosi", "Bauer",
)  # fmt: skip


BIOS = (
    "Founder at Example Labs. Building in public.",
    "co-founder & CEO, making spreadsheets fun",
    "CTO at a small bank",
    "Partner at Northwind Ventures, seed fund for the odd ones",
    "General Partner. Investor in 40 companies",
    "journalist, covers AI and chips",
    "Editor of a weekly newsletter about LLM tooling",
    "software engineer, Rust and Python",
    "full stack developer · coffee",
    "Y Combinator W24. Previously nothing much.",
    "Director of photography. Cooking on Sundays.",
    "svc account of a small shop",
    "I express myself in memes",
    "generative AI researcher",
    "",
    "views my own",
    "dad, runner, Arsenal",
    "<b>bold</b> claims & <!channel> pings",
    "=HYPERLINK(\"https://evil.invalid\",\"click\")",
    "student of everything",
    "writing, reading, hiking",
    "art • music • cats 🐈",
    "مهندس برمجيات",
    "データと猫",
)  # fmt: skip


TWEETS = (
    "We launched! A year of work, out today.",
    "What we learnt from the first thousand customers, a thread.",
    "Proud to back this team from day one.",
    "I tried it for a week. Here is what surprised me.",
    "The benchmark everyone asked for, with code.",
    "Why we think this changes how campaigns are run.",
)


class Clock:
    """Tells the world's time: `start` plus real seconds times `speed`, plus what was advanced by hand."""

    def __init__(self, start: datetime, *, speed: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._base = start.astimezone(UTC)
        self._speed = speed
        self._since = time.monotonic()

    def now(self) -> datetime:
        with self._lock:
            return self._base + timedelta(seconds=(time.monotonic() - self._since) * self._speed)

    def advance(self, step: timedelta) -> datetime:
        """Move the clock forward and return the new time."""
        with self._lock:
            self._base += step
        return self.now()


ItemKey = tuple[str, str, str]
"""(tweet, action, source) of an engagement."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many engagements are true and stored, and how the two differ."""

    truth: int
    stored: int
    missing: int
    not_in_truth: int
    twice: int

    @property
    def exact(self) -> bool:
        """Whether each true engagement is stored, once, and no other."""
        return not (self.missing or self.not_in_truth or self.twice)


def account(rng: random.Random, number: int, start: datetime) -> Account:
    """The account of this number."""
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    age = timedelta(days=rng.randint(60, 5000))
    return Account(
        user_id=str(10_000_000 + number * 7919),
        username=f"{first}{last}{number}"[:15].replace(" ", ""),
        name=f"{first} {last}",
        bio=rng.choice(BIOS),
        followers=int(rng.paretovariate(0.9) * 60),
        following=rng.randint(10, 2500),
        verified=rng.random() < 0.15,
        created_at=start - age,
    )


def important_people(rng: random.Random, accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """Documents of `important_people`: some of the accounts, with a weight from 1 to 6."""
    people = rng.sample(accounts, min(IMPORTANT, len(accounts)))
    return [
        {"username": p.username, "user_id": p.user_id, "name": p.name, "weight": rng.randint(1, 6)}
        for p in people
    ]


def following_index(
    rng: random.Random, accounts: Sequence[Account], important: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Documents of `following_index`: a tenth of the accounts is followed by somebody important."""
    index: list[dict[str, Any]] = []
    for followed in rng.sample(accounts, len(accounts) // 10):
        depth = min(len(important), int(rng.paretovariate(1.0)))
        followers = rng.sample(important, depth)
        index.append(
            {
                "followed_username": followed.username,
                "followed_user_id": followed.user_id,
                "followed_by": followers,
                "importance_score": sum(float(f["weight"]) for f in followers),
            }
        )
    return index


def true_keys(truth: Mapping[str, Mapping[Kind, Iterable[str]]]) -> set[ItemKey]:
    """The engagements of a truth as the simulator tells it: {tweet: {list: source ids}}."""
    return {
        (tweet_id, LISTS[kind].action_type, source_id)
        for tweet_id, lists in truth.items()
        for kind, ids in lists.items()
        for source_id in ids
    }


def compare(truth: set[ItemKey], stored: Iterable[ItemKey], *, action_type: str | None = None) -> Comparison:
    """Compare all engagements, or those of one action."""
    wanted = {key for key in truth if action_type in (None, key[1])}
    have = [key for key in stored if action_type in (None, key[1])]
    found = set(have)
    return Comparison(
        truth=len(wanted),
        stored=len(have),
        missing=len(wanted - found),
        not_in_truth=len(found - wanted),
        twice=len(have) - len(found),
    )
