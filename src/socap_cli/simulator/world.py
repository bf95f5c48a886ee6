"""A made-up world: accounts, tweets, and who did what to them when. It can tell the truth.

Everything follows from a seed, so the order of the random draws is part of the world.
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


class World:
    """The truth. Tweets are up to 12 hours older than `start`; people engage for `hours` after it."""

    def __init__(
        self,
        *,
        start: datetime,
        seed: int = 7,
        tweets: int = 300,
        hours: float = 72.0,
        engagements: float = 45.0,
        accounts: int = 6000,
        removed: float = 0.01,
    ) -> None:
        """`engagements` is the average per tweet, `removed` the part of them that is undone later."""
        self.random = random.Random(seed)
        self.start = start.astimezone(UTC)
        self.horizon = self.start + timedelta(hours=hours)
        self.removed = removed
        self.accounts = [_account(self.random, number, self.start) for number in range(accounts)]
        self.important = _important_people(self.random, self.accounts)
        self.following_index = _following_index(self.random, self.accounts, self.important)
        self.tweets: dict[str, WorldTweet] = {}
        for _ in range(tweets):
            self._add_tweet(engagements)

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

    def followed_by(self, person: str) -> list[SimulatedAccount]:
        """Whom an important person, named by id or lower-case handle, follows by the index."""
        followed = {
            row["followed_user_id"]
            for row in self.following_index
            if any(person in (by["user_id"], str(by["username"]).lower()) for by in row["followed_by"])
        }
        return [account for account in self.accounts if account.user_id in followed]

    def engage(
        self,
        tweet_id: str,
        kind: Kind,
        moment: datetime,
        *,
        account: SimulatedAccount | None = None,
        lag: float = 0.0,
    ) -> SimulatedEngagement:
        """Let somebody engage now; with `lag` the provider shows it only that many seconds later."""
        engagements = self.tweets[tweet_id].lists[kind]
        if account is None:
            account = self.random.choice(self.accounts)
            if not LISTS[kind].is_post:
                taken = {item.account.user_id for item in engagements.items}
                first = self.random.randrange(len(self.accounts))
                others = self.accounts[first:] + self.accounts[:first]
                account = next(other for other in others if other.user_id not in taken)
        item = self._engagement(kind, account, moment.timestamp(), lag=lag)
        engagements.add(item)
        return item

    def withdraw(self, tweet_id: str, kind: Kind, source_id: str, moment: datetime) -> None:
        """Undo an engagement."""
        engagements = self.tweets[tweet_id].lists[kind]
        item = next(i for i in engagements.items if i.source_id == source_id and i.removed_at is None)
        item.removed_at = moment.timestamp()
        insort(engagements.removed, item.removed_at)

    def _add_tweet(self, mean: float) -> None:
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
            self._fill(tweet, kind, round(size * SHARES.get(kind, 0.0)))

    def _fill(self, tweet: WorldTweet, kind: Kind, count: int) -> None:
        rng, nested = self.random, NESTED_REPLIES if kind == REPLIES else 0.0
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
            if rng.random() < self.removed and not item.nested:
                item.removed_at = item.visible_at + rng.uniform(60, 86_400)
            tweet.lists[kind].add(item)

    def _engagement(
        self, kind: Kind, account: SimulatedAccount, moment: float, *, lag: float
    ) -> SimulatedEngagement:
        rng = self.random
        if not LISTS[kind].is_post:
            return SimulatedEngagement(account.user_id, account, moment, moment + lag)
        post_id = lowest_snowflake(datetime.fromtimestamp(moment, UTC)) + rng.randrange(1 << 22)
        opening = rng.choice(REPLY_TEXTS if kind == REPLIES else QUOTE_TEXTS)
        number = post_id % (2 * len(SENTENCES))
        text = " ".join((opening, SENTENCES[number // 2], SENTENCES[number // 2 - 1])[: 2 + number % 2])
        return SimulatedEngagement(str(post_id), account, moment, moment + lag, text)


@dataclass(slots=True)
class SimulatedAccount:
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
class SimulatedEngagement:
    """One engagement as it is in truth; moments are unix seconds."""

    source_id: str
    account: SimulatedAccount
    engaged_at: float
    visible_at: float
    text: str = ""
    removed_at: float | None = None
    hidden: bool = False
    nested: bool = False
    """A reply to a reply: listed by the provider, but no engagement with the tweet itself."""
    edits: list[str] = field(default_factory=list)
    """The ids of later versions; the truth names the first."""

    @property
    def key(self) -> Key:
        return self.engaged_at, self.source_id

    def exists_at(self, moment: float) -> bool:
        """Whether it is there and indexed."""
        return self.visible_at <= moment and (self.removed_at is None or moment < self.removed_at)


@dataclass(slots=True)
class EngagementList:
    """One tweet's engagements of one kind, oldest first, with what is needed to count them fast."""

    items: list[SimulatedEngagement] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    counted_from: list[float] = field(default_factory=list)
    removed: list[float] = field(default_factory=list)

    def add(self, item: SimulatedEngagement) -> None:
        at = bisect_right(self.keys, item.key)
        self.keys.insert(at, item.key)
        self.items.insert(at, item)
        if not item.nested:
            insort(self.counted_from, item.visible_at)
            if item.removed_at is not None:
                insort(self.removed, item.removed_at)

    def counter(self, moment: float) -> int:
        """The tweet's counter, which counts hidden items too."""
        return bisect_right(self.counted_from, moment) - bisect_right(self.removed, moment)

    def newest_first(
        self, moment: float, *, below: Key | None = None, with_hidden: bool = False
    ) -> Iterator[SimulatedEngagement]:
        """What the provider lists at `moment`, from the newest, or from just below a key."""
        limit = (moment, "~") if below is None else below
        at = bisect_right(self.keys, limit)
        for index in range(at - 1, -1, -1):
            item = self.items[index]
            is_shown = item.exists_at(moment) and (with_hidden or not item.hidden)
            if is_shown and (below is None or item.key < below):
                yield item


@dataclass(slots=True)
class WorldTweet:
    """A tweet as it is in truth."""

    tweet_id: str
    author: SimulatedAccount
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
        """Whether the provider knows it."""
        return self.posted_at <= moment and not self.gone_from <= moment < self.gone_until

    def counters(self, moment: float) -> dict[str, int]:
        """All its counters by name."""
        grown = 1 - math.exp(-max(0.0, moment - self.posted_at) / 36_000)
        return {
            "likes": int(self.likes * grown),
            "views": int(self.views * grown),
            "bookmarks": int(self.likes * grown / 9),
            **{str(kind): items.counter(moment) for kind, items in self.lists.items()},
        }


class Clock:
    """The world's time: `start` plus real seconds times `speed`, plus what was advanced by hand."""

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


def true_keys(truth: Mapping[str, Mapping[Kind, Iterable[str]]]) -> set[ItemKey]:
    """The engagements of a truth, {tweet: {list: source ids}}."""
    return {
        (tweet_id, LISTS[kind].action_type, source_id)
        for tweet_id, lists in truth.items()
        for kind, ids in lists.items()
        for source_id in ids
    }


def compare(truth: set[ItemKey], stored: Iterable[ItemKey], *, action_type: str | None = None) -> Comparison:
    """Compare all engagements, or those of one action."""
    true = {key for key in truth if action_type in (None, key[1])}
    rows = [key for key in stored if action_type in (None, key[1])]
    distinct = set(rows)
    return Comparison(
        truth=len(true),
        stored=len(rows),
        missing=len(true - distinct),
        not_in_truth=len(distinct - true),
        twice=len(rows) - len(distinct),
    )


def _account(rng: random.Random, number: int, start: datetime) -> SimulatedAccount:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    age = timedelta(days=rng.randint(60, 5000))
    return SimulatedAccount(
        user_id=str(10_000_000 + number * 7919),
        username=f"{first}{last}{number}"[:15].replace(" ", ""),
        name=f"{first} {last}",
        bio=rng.choice(BIOS),
        followers=int(rng.paretovariate(0.9) * 60),
        following=rng.randint(10, 2500),
        verified=rng.random() < 0.15,
        created_at=start - age,
    )


def _important_people(rng: random.Random, accounts: Sequence[SimulatedAccount]) -> list[dict[str, Any]]:
    """Documents of `important_people`: forty of the accounts, with a weight from 1 to 6."""
    people = rng.sample(accounts, min(40, len(accounts)))
    return [
        {"username": p.username, "user_id": p.user_id, "name": p.name, "weight": rng.randint(1, 6)}
        for p in people
    ]


def _following_index(
    rng: random.Random, accounts: Sequence[SimulatedAccount], important: Sequence[dict[str, Any]]
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


SHARES = {RETWEETS: 0.55, REPLIES: 0.33, QUOTES: 0.12}
"""Parts of a tweet's engagements."""
NESTED_REPLIES = 0.03
"""Part of the replies that answer another reply."""
FIRST_NAMES = (
    "Ada", "Grace", "Linus", "Mina", "Noor", "Kofi", "Yuki", "Ines", "Omar", "Lena", "Ravi", "Sofia", "Tariq",
    "Wei", "Amara", "Jonas", "Priya", "Mateo", "Zoe", "Emeka", "Hana", "Luca", "Aisha", "Viktor", "Chloe",
)  # fmt: skip
LAST_NAMES = (
    "Byron", "Hopper", "Okafor", "Tanaka", "Silva", "Novak", "Haddad", "Larsen", "Mehta", "Costa", "Chen",
    "Diallo", "Weber", "Rossi", "Khan", "Moreau", "Sato", "Kim", "Ivanov", "Garcia", "Nkosi", "Bauer",
)  # fmt: skip
BIOS = (
    "Founder at Example Labs. Building in public.", "co-founder & CEO, making spreadsheets fun",
    "CTO at a small bank", "Partner at Northwind Ventures, seed fund for the odd ones",
    "General Partner. Investor in 40 companies", "journalist, covers AI and chips",
    "Editor of a weekly newsletter about LLM tooling", "software engineer, Rust and Python",
    "full stack developer · coffee", "Y Combinator W24. Previously nothing much.",
    "Director of photography. Cooking on Sundays.", "svc account of a small shop", "I express myself in memes",
    "generative AI researcher", "", "views my own", "dad, runner, Arsenal",
    "<b>bold</b> claims & <!channel> pings", '=HYPERLINK("https://evil.invalid","click")',
    "student of everything", "writing, reading, hiking", "art • music • cats 🐈", "مهندس برمجيات", "データと猫",
)  # fmt: skip
TWEETS = (
    "We launched! A year of work, out today.",
    "What we learnt from the first thousand customers, a thread.",
    "Proud to back this team from day one.",
    "I tried it for a week. Here is what surprised me.",
    "The benchmark everyone asked for, with code.",
    "Why we think this changes how campaigns are run.",
)
QUOTE_TEXTS = (
    "Worth a read.", "Big if it works.", "This is the launch to watch today.", "My notes on this, below.",
    "They finally did it.", "Bookmarking this one.", "Strong team, strong numbers.",
)  # fmt: skip
REPLY_TEXTS = (
    "Congrats!", "This is great", "How does it compare with the others?", "Is there an API?", "take my money",
    "When will it be in Europe?", "not convinced yet", "Been using it for a month, it holds up <3", "🔥🔥🔥",
    "=1+1 is two, and this is one", "Would love to talk, DM open",
)  # fmt: skip
SENTENCES = (
    "We run launches for eleven companies, and each of them asks on day two who of the people they know has seen it.",
    "What does it cost for a team of forty in three time zones, and may we keep our own list of people who matter?",
    "我们团队每个月要做十几场活动，一直在找能够准确统计转发和回复的工具。数据可以导出到我们自己的数据库吗？支持私有部署吗？"
    "如果推文被作者删除了，之前收集到的数据还会保留多久？期待你们的回复，祝你们一切顺利！",
    "I checked twenty posts by hand and found what the report says, to the last reply; the others were off by a third.",
    "لدينا فريق صغير يدير حملات كثيرة كل شهر، ونحتاج إلى تقارير نرسلها إلى العميل من دون أن نعيد كتابتها كل مرة.",
    "小さなチームが一年かけて作ったそうです。計測の方法がすべて公開されていて、数字の根拠を自分で確かめられるのが良いですね。"
    "来週のキャンペーンで試してみて、結果をこのスレッドに書きます。興味のある方はぜひ返信してください。",
    "My one wish is a digest for the weekend, so that my phone stays quiet until Monday, unless somebody big replies.",
)
"""What people say at length: a post is an opening and one or two of these, 100 to 280 characters."""
