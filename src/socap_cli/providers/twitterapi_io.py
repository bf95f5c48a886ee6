"""twitterapi.io: batched metrics, retweeters, replies and quotes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from socap_cli.errors import MalformedAnswer
from socap_cli.model import (
    METRICS,
    QUOTES,
    REPLIES,
    RETWEETS,
    Counters,
    Kind,
    ListItem,
    Page,
    Profile,
    Tweet,
    TweetsAnswer,
    snowflake_time,
)
from socap_cli.providers.protocol import FOLLOWINGS, AllowedRate
from socap_cli.providers.transport import Transport

TIERS = ((50_000, 20.0), (10_000, 10.0), (5_000, 6.0), (1_000, 3.0), (-math.inf, 0.2))
"""(credits from which, requests a second) of the whole account."""
LIST_KEYS = ("tweets", "replies", "quotes", "users", "retweeters", "followings")
ENDPOINTS: dict[str, str] = {
    METRICS: "/twitter/tweets",
    RETWEETS: "/twitter/tweet/retweeters",
    REPLIES: "/twitter/tweet/replies",
    QUOTES: "/twitter/tweet/quotes",
    FOLLOWINGS: "/twitter/user/followings",
}
COUNTER_FIELDS = {
    "retweets": "retweetCount",
    "replies": "replyCount",
    "likes": "likeCount",
    "quotes": "quoteCount",
    "views": "viewCount",
    "bookmarks": "bookmarkCount",
}
MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, start=1)}


@dataclass(frozen=True, slots=True)
class Prices:
    """Credits for a tweet, for an account in a list, and the least that a request costs."""

    tweet: float = 15.0
    user: float = 18.0
    minimum: float = 15.0

    def of(self, kind: str, items: int) -> float:
        return max(self.minimum, items * (self.user if kind in (RETWEETS, FOLLOWINGS) else self.tweet))


class TwitterApiIo:
    """One key at one address. Safe to share between threads."""

    name = "twitterapi.io"
    lists_with_times = frozenset({REPLIES, QUOTES})
    """Lists that can be asked for what is newer or older than a time."""

    def __init__(
        self, key: str, *, url: str = "https://api.twitterapi.io", batch: int = 50, timeout: float = 30.0,
        prices: Prices | None = None,
    ) -> None:  # fmt: skip
        self.batch = batch
        self.prices = prices or Prices()
        self._transport = Transport(url, {"X-API-Key": key}, timeout=timeout)

    def close(self) -> None:
        self._transport.close()

    def endpoint(self, operation: str) -> str:
        return ENDPOINTS[operation]

    def limit_scope(self, operation: str) -> str:  # noqa: ARG002
        return "account"

    def price(self, operation: str, items: int) -> float:
        return self.prices.of(operation, items)

    def credits_left(self) -> float | None:
        """Credits on the account; None when it does not say. Free of charge."""
        body = self._transport.get("/oapi/my/info", {})
        known = [
            body[name]
            for name in ("recharge_credits", "total_bonus_credits")
            if _number(body.get(name)) is not None
        ]
        return sum(float(value) for value in known) if known else None

    def allowed_rate(self) -> AllowedRate | None:
        left = self.credits_left()
        if left is None:
            return None
        rate = next(rate for least, rate in TIERS if left >= least)
        return AllowedRate(rate, f"the balance of {left:,.0f} credits")

    def tweets(self, tweet_ids: Sequence[str]) -> TweetsAnswer:
        """Look up to `batch` tweets up at once."""
        endpoint = ENDPOINTS[METRICS]
        body = self._transport.get(endpoint, {"tweet_ids": ",".join(tweet_ids)})
        found = {}
        for row in _items(endpoint, body):
            with _Reading(endpoint, row):
                if not row.get("unavailable") and row.get("id") is not None:
                    tweet = read_tweet(row)
                    found[tweet.tweet_id] = tweet
        asked = set(tweet_ids)
        return TweetsAnswer({i: t for i, t in found.items() if i in asked}, len(found))

    def page(
        self,
        kind: Kind,
        tweet_id: str,
        *,
        cursor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Page:
        """One page of a list, newest first; times bound it where `lists_with_times` says so (since inclusive)."""
        endpoint = ENDPOINTS[kind]
        params = {"tweetId": tweet_id}
        if cursor:
            params["cursor"] = cursor
        if since:
            params["sinceTime"] = str(int(since.timestamp()))
        if until:
            params["untilTime"] = str(int(until.timestamp()))
        body = self._transport.get(endpoint, params)
        rows = _items(endpoint, body)
        items: dict[str, ListItem] = {}
        for row in rows:
            with _Reading(endpoint, row):
                item = _READERS[kind](row, tweet_id)
                if item is not None:
                    items.setdefault(item.source_id, item)
        return Page(tuple(items.values()), _next_cursor(body), len(rows))

    def followings(self, username: str, *, cursor: str | None = None) -> Page:
        """One page of whom an account follows."""
        params = {"userName": username, "pageSize": "200", **({"cursor": cursor} if cursor else {})}
        body = self._transport.get(ENDPOINTS[FOLLOWINGS], params)
        rows = _items(ENDPOINTS[FOLLOWINGS], body)
        items = []
        for row in rows:
            with _Reading(ENDPOINTS[FOLLOWINGS], row):
                profile = read_profile(row)
                items.append(ListItem(profile.user_id, profile))
        return Page(tuple(items), _next_cursor(body), len(rows))


class _Reading:
    """Turns whatever a broken row raises into MalformedAnswer."""

    def __init__(self, endpoint: str, row: Any) -> None:
        self._endpoint = endpoint
        self._row = row

    def __enter__(self) -> None:
        if not isinstance(self._row, dict):
            raise MalformedAnswer(
                f"an item is a {type(self._row).__name__}, not an object", endpoint=self._endpoint
            )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, (KeyError, TypeError, ValueError, AttributeError)):
            raise MalformedAnswer(f"an item cannot be read: {error!r}", endpoint=self._endpoint) from error


def _items(endpoint: str, body: dict[str, Any]) -> list[Any]:
    for key in LIST_KEYS:
        if key in body:
            if isinstance(body[key], list):
                return list(body[key])
            raise MalformedAnswer(f"{key} is not a list", endpoint=endpoint)
    raise MalformedAnswer("the answer holds no list", endpoint=endpoint)


def _next_cursor(body: dict[str, Any]) -> str | None:
    following = body.get("next_cursor") if body.get("has_next_page") else None
    return str(following) if following else None


def read_tweet(row: dict[str, Any]) -> Tweet:
    tweet_id = _post_id(row["id"])
    author = row.get("author")
    return Tweet(
        tweet_id=tweet_id,
        author=read_profile(author) if isinstance(author, dict) and author.get("id") is not None else None,
        text=str(row.get("text") or ""),
        posted_at=read_time(row.get("createdAt")) or snowflake_time(tweet_id),
        counters=read_counters(row),
    )


def read_counters(row: dict[str, Any]) -> Counters:
    """Every counter that the row holds, numeric strings included; None is unknown."""
    return {name: _number(row.get(field)) for name, field in COUNTER_FIELDS.items()}


def read_profile(row: dict[str, Any]) -> Profile:
    bio = row.get("profile_bio")
    from_bio = bio.get("description") if isinstance(bio, dict) else None
    return Profile(
        user_id=_identifier(row["id"]),
        username=str(row.get("userName") or row.get("screen_name") or ""),
        name=str(row.get("name") or ""),
        bio=str(from_bio or row.get("description") or row.get("bio") or ""),
        followers=_number(_first(row, "followers", "followers_count")),
        verified=bool(row.get("isBlueVerified") or row.get("isVerified") or row.get("verified")),
    )


def _read_retweeter(row: dict[str, Any], tweet_id: str) -> ListItem | None:  # noqa: ARG001
    profile = read_profile(row)
    return ListItem(profile.user_id, profile)


def _read_reply(row: dict[str, Any], tweet_id: str) -> ListItem | None:
    parent = row.get("inReplyToId")
    if parent is not None and str(parent) != tweet_id:
        return None  # a reply to a reply, not to this tweet
    return _read_post(row)


def _read_quote(row: dict[str, Any], tweet_id: str) -> ListItem | None:
    quoted = row.get("quoted_tweet")
    if isinstance(quoted, dict) and quoted.get("id") is not None and str(quoted["id"]) != tweet_id:
        return None
    return _read_post(row)


def _read_post(row: dict[str, Any]) -> ListItem:
    post_id = _post_id(row["id"])
    engaged_at = read_time(row.get("createdAt")) or snowflake_time(post_id)
    return ListItem(post_id, read_profile(row["author"]), engaged_at, str(row.get("text") or ""))


_READERS: dict[Kind, Callable[[dict[str, Any], str], ListItem | None]] = {
    RETWEETS: _read_retweeter,
    REPLIES: _read_reply,
    QUOTES: _read_quote,
}


def read_time(value: Any) -> datetime | None:
    """`Thu Dec 04 09:56:34 +0000 2025` or ISO 8601, without the locale; None when absent or neither."""
    if not isinstance(value, str) or not value:
        return None
    parts = value.split()
    try:
        if len(parts) == 6 and parts[1] in MONTHS:
            _, month, day, clock, offset, year = parts
            return datetime.strptime(
                f"{year}-{MONTHS[month]:02d}-{day} {clock} {offset}", "%Y-%m-%d %H:%M:%S %z"
            ).astimezone(UTC)
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _identifier(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value):
        raise ValueError(f"no id: {value!r}")
    return str(value)


def _post_id(value: Any) -> str:
    identifier = _identifier(value)
    if not identifier.isascii() or not identifier.isdigit():
        raise ValueError(f"no post id: {identifier[:40]!r}")
    return identifier


def _first(row: dict[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        value = value.replace(",", "").strip()
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None
