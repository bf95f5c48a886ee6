"""twitterapi.io's endpoints over a World, oddities included. A list is one row of `SERVED`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.simulator import faults, wire
from socap_cli.simulator import faults as simulator_faults
from socap_cli.simulator.faults import Fault
from socap_cli.simulator.wire import Answer, Cut, Query, Setting, Wanted
from socap_cli.simulator.world import Account, Engagement, WorldTweet

MAX_IDS = 50


PRICE_TWEET, PRICE_USER, PRICE_MINIMUM = 15, 18, 15


TWEETS, FOLLOWINGS, ACCOUNT = "/twitter/tweets", "/twitter/user/followings", "/oapi/my/info"


CREDITS_OF_THE_RICH = 1_000_000


LARGEST_FOLLOWINGS, SMALLEST_FOLLOWINGS = 200, 20


def post_item(item: Engagement, target: str) -> Row:  # noqa: ARG001
    """An item that is a post."""
    return {
        "type": "tweet",
        "id": item.source_id,
        "url": f"https://x.com/{item.account.username}/status/{item.source_id}",
        "text": item.text,
        "retweetCount": 0,
        "replyCount": 0,
        "likeCount": 1,
        "quoteCount": 0,
        "createdAt": twitter_time(datetime.fromtimestamp(item.engaged_at, UTC)),
        "isReply": False,
        "inReplyToId": None,
        "conversationId": item.source_id,
        "author": author_row(item.account),
        "quoted_tweet": None,
    }


@dataclass(frozen=True, slots=True)
class ServedList:
    """How a list is served."""

    path: str
    counter: str
    """The field of a tweet that counts it."""
    item: Callable[[Engagement, str], dict[str, Any]] = post_item
    row_key: str = "tweets"
    price: float = PRICE_TWEET
    takes_times: bool = False


def account_item(item: Engagement, target: str) -> Row:  # noqa: ARG001
    """An item that is an account: without any time."""
    return user_row(item.account)


def quote_item(item: Engagement, target: str) -> Row:
    """A quote."""
    return {**post_item(item, target), "quoted_tweet": {"id": target}}


def reply_item(item: Engagement, target: str) -> Row:
    """A reply to the tweet, or, nested, to another post below it."""
    replied_to = str(int(target) + 1) if item.nested else target
    return {**post_item(item, target), "isReply": True, "inReplyToId": replied_to, "conversationId": target}


SERVED: dict[Kind, ServedList] = {
    RETWEETS: ServedList("/twitter/tweet/retweeters", "retweetCount", account_item, "users", PRICE_USER),
    REPLIES: ServedList("/twitter/tweet/replies", "replyCount", reply_item, takes_times=True),
    QUOTES: ServedList("/twitter/tweet/quotes", "quoteCount", quote_item, takes_times=True),
}


class TwitterApi:
    """Answers at the world's present moment."""

    label = "twitterapi.io"

    def __init__(self, setting: Setting) -> None:
        self.world, self.now, self.fate, self.page = setting.world, setting.now, setting.fate, setting.page

    def key_in(self, headers: Mapping[str, str]) -> str | None:
        """The key that a request holds."""
        return headers.get("x-api-key")

    def endpoint(self, path: str) -> str:
        """The path itself."""
        return path

    def cursor_in(self, query: Query) -> str:
        """The cursor of a page."""
        return query.get("cursor", "")

    def is_free(self, path: str) -> bool:
        """Whether a request costs nothing."""
        return path == ACCOUNT

    def answer(self, path: str, query: Query) -> Answer:
        """Answer one request."""
        others = {TWEETS: self._tweets, FOLLOWINGS: self._followings, ACCOUNT: self._account}
        if path in others:
            return others[path](query)
        for kind, served in SERVED.items():
            if path == served.path:
                return self._list(kind, served, query)
        return Answer(404, {"detail": "Not Found"})

    def failure(self, fault: Fault) -> Answer | None:
        """The answer that a fault is."""
        return _FAILURES[fault](self) if fault in _FAILURES else None

    def refused_key(self) -> Answer:
        """The answer to a wrong key."""
        return Answer(401, {"error": "Unauthorized", "message": "Invalid API key"})

    def no_credits(self) -> Answer:
        """The answer when too few credits are left."""
        return Answer(402, {"error": "Unauthorized", "message": "Credits is not enough. Please recharge"})

    def _account(self, query: Query) -> Answer:  # noqa: ARG002
        left = self.fate.faults.credits
        return Answer(200, {"recharge_credits": CREDITS_OF_THE_RICH if left is None else left})

    def _tweets(self, query: Query) -> Answer:
        ids = [part for part in query.get("tweet_ids", "").split(",") if part]
        if not ids:
            return _refused(422, [{"loc": ["query", "tweet_ids"], "msg": "field required"}])
        if len(ids) > MAX_IDS:
            return _refused(400, f"max {MAX_IDS} tweet_ids per request")
        moment = self.now().timestamp()
        found = [self.world.tweets[i] for i in dict.fromkeys(ids) if i in self.world.tweets]
        fields = {kind: served.counter for kind, served in SERVED.items()}
        shown = [tweet_row(t, moment, fields) for t in reversed(found) if t.exists_at(moment)]
        body = {"tweets": shown, "status": "success", "msg": "success", "code": 0}
        return Answer(200, body, len(shown), max(PRICE_MINIMUM, PRICE_TWEET * len(shown)))

    def _followings(self, query: Query) -> Answer:
        """Whom an important person follows, by the world's index, 200 a page at most."""
        name = query.get("userName", "").lower()
        index = self.world.following_index
        followed = [r for r in index if any(str(f["username"]).lower() == name for f in r["followed_by"])]
        at = int(query.get("cursor") or 0)
        size = min(
            LARGEST_FOLLOWINGS, max(SMALLEST_FOLLOWINGS, int(query.get("pageSize") or LARGEST_FOLLOWINGS))
        )
        accounts = {account.user_id: account for account in self.world.accounts}
        shown = [user_row(accounts[str(row["followed_user_id"])]) for row in followed[at : at + size]]
        more = at + size < len(followed)
        body = {
            "followings": shown,
            "has_next_page": more,
            "next_cursor": str(at + size) if more else "",
            "status": "success",
        }
        return Answer(200, body, len(shown), max(PRICE_MINIMUM, PRICE_USER * len(shown)))

    def _list(self, kind: Kind, served: ServedList, query: Query) -> Answer:
        tweet_id, moment = query.get("tweetId", ""), self.now().timestamp()
        if tweet_id in self.fate.faults.not_found:
            return Answer(404, {"status": "error", "message": "Tweet not found"}, credits=PRICE_MINIMUM)
        if tweet_id in self.fate.faults.never_answered:
            return Answer(500, {"detail": "Internal Server Error"})
        if tweet_id in self.fate.faults.always_limited:
            return Answer(429, {"detail": "Too Many Requests"})
        tweet = self.world.tweets.get(tweet_id)
        if tweet is None or not tweet.exists_at(moment):
            return self._listed(served, Cut(), tweet_id)
        wanted = Wanted(self.page, query.get("cursor", ""))
        if served.takes_times:
            since, until = query.get("sinceTime") or -math.inf, query.get("untilTime") or math.inf
            wanted = Wanted(self.page, wanted.cursor, float(since), float(until))
        try:
            found = wire.cut(tweet.lists[kind], wanted, moment=moment, fate=self.fate)
        except ValueError:
            return _refused(400, "cursor expired or invalid")
        return self._listed(served, found, tweet_id)

    def _listed(self, served: ServedList, found: Cut, tweet_id: str) -> Answer:
        faults = self.fate.faults
        shown = [
            simulator_faults.spoil(
                served.item(item, tweet_id),
                item.source_id,
                unreadable=faults.unreadable,
                odd_values=faults.odd_values,
                ways=SPOILT,
            )
            for item in found.items
        ]
        body = {
            served.row_key: shown,
            "has_next_page": found.following is not None,
            "next_cursor": found.following or "",
        }
        if served.row_key == "tweets":
            body |= {"status": "success", "msg": "success"}
        return Answer(200, body, len(shown), max(PRICE_MINIMUM, served.price * len(shown)))


_FAILURES: dict[Fault, Callable[[TwitterApi], Answer]] = {
    "error": lambda _: Answer(502, {"message": "upstream error"}),
    "html": lambda _: Answer(503, "<html><body>Service Unavailable</body></html>"),
    "limit": lambda api: Answer(
        429, {"error": "Too Many Requests", "message": f"QPS limit reached: {api.fate.faults.qps:g}"}
    ),
    "expire": lambda _: Answer(400, {"detail": "cursor expired or invalid"}),
    "refuse": lambda _: Answer(400, {"detail": "bad request"}),
    "missing": lambda _: Answer(404, {"status": "error", "message": "Tweet not found"}),
    "status": lambda _: Answer(200, {"status": "error", "msg": "something is not as it should be"}),
    "empty": lambda _: Answer(200, {"has_next_page": False}),
    "null": lambda _: Answer(200, {"tweets": None, "users": None, "has_next_page": False}),
}


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


Row = dict[str, Any]


def _odd_values(row: Row) -> Row:
    odd = {
        "name": faults.ODD_TEXT,
        "followers": faults.BEYOND_64_BITS,
        "following": -1,
        "isBlueVerified": "maybe",
        "profile_bio": {"description": faults.ODD_TEXT},
        "createdAt": faults.BEFORE_ALL_YEARS,
    }
    if "author" not in row:
        return {**row, **odd}
    changes = {"text": faults.ODD_TEXT, "likeCount": float("inf"), "createdAt": faults.BEFORE_ALL_YEARS}
    return {**row, **changes, "author": {**row["author"], **odd}}


def _without_author(row: Row) -> Row:
    return {**row, "author": None} if "author" in row else {**row, "id": None}


SPOILT = faults.Ways(
    odd=_odd_values,
    unreadable=(
        lambda _: None,
        _without_author,
        lambda row: {**row, "id": None},
        lambda row: {**row, "id": float(row["id"])},
        lambda row: {"type": row["type"], "unavailable": True, "unavailableReason": "Suspended"},
        lambda row: str(row["id"]),
        lambda row: {key: value for key, value in row.items() if key != "id"},
    ),
)


def _refused(status: int, detail: Any) -> Answer:
    return Answer(status, {"detail": detail}, credits=PRICE_MINIMUM)


def twitter_time(moment: datetime) -> str:
    """`Thu Dec 04 09:56:34 +0000 2025`, whatever the locale."""
    at = moment.astimezone(UTC)
    return f"{WEEKDAYS[at.weekday()]} {MONTHS[at.month - 1]} {at:%d %H:%M:%S} +0000 {at.year}"


def user_row(account: Account) -> Row:
    """An account in a list of accounts."""
    return {
        "type": "user",
        "id": account.user_id,
        "userName": account.username,
        "name": account.name,
        "isBlueVerified": account.verified,
        "verifiedType": "",
        "followers": account.followers,
        "following": account.following,
        "description": account.bio,
        "location": "",
        "profilePicture": "https://example.invalid/a.jpg",
        "createdAt": account.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "protected": False,
    }


def author_row(account: Account) -> Row:
    """An embedded author: the bio stands in `profile_bio`, `description` is empty."""
    return {
        **user_row(account),
        "description": "",
        "profile_bio": {"description": account.bio},
        "createdAt": twitter_time(account.created_at),
    }


def tweet_row(tweet: WorldTweet, moment: float, counter_fields: dict[Kind, str]) -> Row:
    """A tweet with its counters; views are text, as they sometimes are."""
    counters = tweet.counters(moment)
    return {
        "type": "tweet",
        "id": tweet.tweet_id,
        "url": tweet.url,
        "text": tweet.text,
        **{field: counters[kind] for kind, field in counter_fields.items() if kind in counters},
        "likeCount": counters["likes"],
        "viewCount": str(counters["views"]),
        "bookmarkCount": counters["bookmarks"],
        "createdAt": twitter_time(datetime.fromtimestamp(tweet.posted_at, UTC)),
        "lang": "en",
        "isReply": False,
        "inReplyToId": None,
        "conversationId": tweet.tweet_id,
        "author": author_row(tweet.author),
        "entities": {"hashtags": [], "urls": [], "user_mentions": []},
        "quoted_tweet": None,
    }
