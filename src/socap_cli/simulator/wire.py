"""What both wire formats are made of: posts as neutral rows, pages of a list, and the base class of a format.

A new format is a module with a subclass of `WireFormat` and a row in `server.FORMATS`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeVar

from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, Kind
from socap_cli.simulator.faults import Fate
from socap_cli.simulator.world import Key, SimulatedAccount, SimulatedEngagement, World, WorldTweet

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """An answer and what it costs. `body` is a JSON value, text that is HTML, or raw bytes of JSON."""

    status: int
    body: Any
    items: int = 0
    credits: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


class WireFormat(ABC):
    """A provider's endpoints over a world, at the world's present moment."""

    label: ClassVar[str]
    """The provider's name, as the settings have it."""

    def __init__(self, world: World, now: Callable[[], datetime], fate: Fate, page: int = 20) -> None:
        """`page` is the size of a page where a request does not say."""
        self.world, self.now, self.fate, self.page = world, now, fate, page
        self.failures: dict[str, Callable[[], WireAnswer]] = {}
        """The answers of faults that are answers of the provider."""

    @abstractmethod
    def key_in(self, headers: Mapping[str, str]) -> str | None:
        """The key that a request holds; headers are named in lower case."""

    @abstractmethod
    def endpoint(self, path: str) -> str:
        """What requests are counted, and limited, under."""

    @abstractmethod
    def cursor_in(self, query: Query) -> str:
        """The cursor of the page that a request asks for; empty for the first one."""

    @abstractmethod
    def is_free(self, path: str) -> bool:
        """Whether a request costs nothing, whatever the account has left."""

    @abstractmethod
    def answer(self, path: str, query: Query) -> WireAnswer:
        """Answer one request."""

    @abstractmethod
    def refused_key(self) -> WireAnswer:
        """The answer to a wrong key."""

    @abstractmethod
    def no_credits(self) -> WireAnswer:
        """The answer when too few credits are left."""

    def fault_of(self, tweet_id: str) -> WireAnswer | None:
        """The answer of every list of a tweet that never works."""
        faults = self.fate.faults
        if tweet_id in faults.never_answered:
            return self.failures["error"]()
        return self.failures["limit"]() if tweet_id in faults.always_limited else None


@dataclass(frozen=True, slots=True)
class Post:
    """A tweet, a reply or a quote, before a format names its fields."""

    post_id: str
    text: str
    author: SimulatedAccount
    posted_at: float
    conversation_id: str
    counters: Mapping[str, int]
    replied_to: str | None = None
    quoted: str | None = None
    retweeted: str | None = None
    edits: tuple[str, ...] = ()
    """The ids of all versions, the first one first."""
    source_id: str = ""
    """Where it is an engagement: what the truth names it by."""
    is_hidden: bool = False
    """It takes room on a page that it is not on, as posts of protected accounts do."""

    @property
    def key(self) -> Key:
        return self.posted_at, self.source_id or self.post_id


def tweet_post(tweet: WorldTweet, moment: float) -> Post:
    """A tweet with its counters."""
    return Post(
        tweet.tweet_id, tweet.text, tweet.author, tweet.posted_at, tweet.tweet_id, tweet.counters(moment)
    )


def item_post(kind: Kind, item: SimulatedEngagement, target: str) -> Post:
    """A reply to the tweet or, nested, to another post below it; or a quote of the tweet."""
    return Post(
        [item.source_id, *item.edits][-1],
        item.text,
        item.account,
        item.engaged_at,
        conversation_id=target if kind == REPLIES else item.source_id,
        counters={**dict.fromkeys(LISTS, 0), "likes": 1},
        replied_to=(str(int(target) + 1) if item.nested else target) if kind == REPLIES else None,
        quoted=target if kind == QUOTES else None,
        edits=(item.source_id, *item.edits),
        source_id=item.source_id,
    )


class HasKey(Protocol):
    """Whatever stands in a list."""

    @property
    def key(self) -> Key: ...


Item = TypeVar("Item", bound=HasKey)


def cut(
    newest_first: Callable[[Key | None], Iterator[Item]],
    size: int,
    fate: Fate,
    *,
    cursor: str = "",
    since: float = -math.inf,
    until: float = math.inf,
) -> tuple[tuple[Item, ...], str | None]:
    """A page and the cursor of the next one; `newest_first` lists from the newest, or from just below a key.

    `since` is inclusive, `until` exclusive, in unix seconds. Raises ValueError for a cursor that this provider never
    gave out.
    """
    below = _decode_cursor(cursor) if cursor else None
    if cursor and fate.blank():
        return (), cursor + "="
    repeated: tuple[Item, ...] = ()
    if below is not None and fate.faults.repeats:
        earlier = tuple(item for item in newest_first(None) if item.key >= below)
        repeated = earlier[-fate.faults.repeats :]
    if below is None and until < math.inf:
        below = (until, "")
    since = math.floor(since) if math.isfinite(since) else since
    listed = tuple(i for i in islice(newest_first(below), size + 1) if i.key[0] >= since)
    page, following = listed[:size], None
    if len(listed) > size:
        following = cursor if fate.faults.looping and cursor else encode_cursor(page[-1].key)
    return (*repeated, *page), following


def encode_cursor(key: Key) -> str:
    """A cursor that stands for a place in a list."""
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> Key:
    bare = cursor.rstrip("=")
    try:
        moment, source_id = json.loads(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise ValueError("not a cursor") from error
    return float(moment), str(source_id)
