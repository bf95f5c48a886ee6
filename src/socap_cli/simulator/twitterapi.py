"""twitterapi.io's endpoints over a World, oddities included. A list is one row of `SERVED`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.simulator import faults, wire
from socap_cli.simulator.faults import Row
from socap_cli.simulator.wire import Post, Query, WireAnswer, WireFormat
from socap_cli.simulator.world import SimulatedAccount, SimulatedEngagement

TWEETS, FOLLOWINGS, ACCOUNT = "/twitter/tweets", "/twitter/user/followings", "/oapi/my/info"
MAX_IDS = 50
PRICE_TWEET, PRICE_USER, PRICE_MINIMUM = 15, 18, 15
CREDITS_WITHOUT_LIMIT = 1_000_000
LARGEST_FOLLOWINGS, SMALLEST_FOLLOWINGS = 200, 20


@dataclass(frozen=True, slots=True)
class ServedList:
    """How a list is served."""

    path: str
    counter: str
    """The field of a tweet that counts it."""
    row_key: str = "tweets"
    price: float = PRICE_TWEET
    takes_times: bool = True


SERVED: dict[Kind, ServedList] = {
    RETWEETS: ServedList("/twitter/tweet/retweeters", "retweetCount", "users", PRICE_USER, takes_times=False),
    REPLIES: ServedList("/twitter/tweet/replies", "replyCount"),
    QUOTES: ServedList("/twitter/tweet/quotes", "quoteCount"),
}


class TwitterApi(WireFormat):
    """One base URL, one key, lists by cursor; a 200 may be an error."""

    label = "twitterapi.io"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.failures = {
            "error": lambda: WireAnswer(502, {"message": "upstream error"}),
            "html": lambda: WireAnswer(503, "<html><body>Service Unavailable</body></html>"),
            "limit": self._limited,
            "expire": lambda: WireAnswer(400, {"detail": "cursor expired or invalid"}),
            "refuse": lambda: WireAnswer(400, {"detail": "bad request"}),
            "missing": lambda: WireAnswer(404, {"status": "error", "message": "Tweet not found"}),
            "status": lambda: WireAnswer(200, {"status": "error", "msg": "something is not as it should be"}),
            "empty": lambda: WireAnswer(200, {"has_next_page": False}),
            "no_credits": self.no_credits,
            "null": lambda: WireAnswer(200, {"tweets": None, "users": None, "has_next_page": False}),
        }

    def key_in(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-api-key")

    def endpoint(self, path: str) -> str:
        return path

    def cursor_in(self, query: Query) -> str:
        return query.get("cursor", "")

    def is_free(self, path: str) -> bool:
        return path == ACCOUNT

    def answer(self, path: str, query: Query) -> WireAnswer:
        if path == TWEETS:
            return self._tweets(query)
        if path == FOLLOWINGS:
            return self._followings(query)
        if path == ACCOUNT:
            left = self.fate.faults.credits
            return WireAnswer(200, {"recharge_credits": CREDITS_WITHOUT_LIMIT if left is None else left})
        for kind, served in SERVED.items():
            if path == served.path:
                return self._list(kind, served, query)
        return WireAnswer(404, {"detail": "Not Found"})

    def refused_key(self) -> WireAnswer:
        return WireAnswer(401, {"error": "Unauthorized", "message": "Invalid API key"})

    def no_credits(self) -> WireAnswer:
        return WireAnswer(402, {"error": "Unauthorized", "message": "Credits is not enough. Please recharge"})

    def _limited(self) -> WireAnswer:
        after, rate = self.fate.faults.retry_after, self.fate.faults.qps
        headers = {} if after is None else {"Retry-After": f"{after:g}"}
        body = {"error": "Too Many Requests", "message": f"QPS limit reached: {rate:g}"}
        return WireAnswer(429, body, headers=headers)

    def _tweets(self, query: Query) -> WireAnswer:
        ids = [part for part in query.get("tweet_ids", "").split(",") if part]
        if not ids:
            return _refused(422, [{"loc": ["query", "tweet_ids"], "msg": "field required"}])
        if len(ids) > MAX_IDS:
            return _refused(400, f"max {MAX_IDS} tweet_ids per request")
        moment = self.now().timestamp()
        known = [self.world.tweets[i] for i in dict.fromkeys(ids) if i in self.world.tweets]
        rows = [_post_row(wire.tweet_post(t, moment)) for t in reversed(known) if t.exists_at(moment)]
        body = {"tweets": rows, "status": "success", "msg": "success", "code": 0}
        return WireAnswer(200, body, len(rows), max(PRICE_MINIMUM, PRICE_TWEET * len(rows)))

    def _followings(self, query: Query) -> WireAnswer:
        """Whom an important person follows, by the world's index."""
        name = query.get("userName", "").lower()
        followed = self.world.followed_by(name)
        at, size = int(query.get("cursor") or 0), int(query.get("pageSize") or LARGEST_FOLLOWINGS)
        end = at + min(LARGEST_FOLLOWINGS, max(SMALLEST_FOLLOWINGS, size))
        rows = [_user_row(account) for account in followed[at:end]]
        more = end < len(followed)
        body = {"followings": rows, "has_next_page": more, "next_cursor": str(end) if more else ""}
        price = max(PRICE_MINIMUM, PRICE_USER * len(rows))
        return WireAnswer(200, {**body, "status": "success"}, len(rows), price)

    def _list(self, kind: Kind, served: ServedList, query: Query) -> WireAnswer:
        tweet_id, moment = query.get("tweetId", ""), self.now().timestamp()
        if tweet_id in self.fate.faults.not_found:
            return WireAnswer(404, {"status": "error", "message": "Tweet not found"}, credits=PRICE_MINIMUM)
        if fault := self.fault_of(tweet_id):
            return fault
        tweet = self.world.tweets.get(tweet_id)
        page: tuple[SimulatedEngagement, ...] = ()
        following = None
        if tweet is not None and tweet.exists_at(moment):
            items, times = tweet.lists[kind], query if served.takes_times else {}
            try:
                page, following = wire.cut(
                    lambda below: items.newest_first(moment, below=below),
                    self.page,
                    self.fate,
                    cursor=self.cursor_in(query),
                    since=float(times.get("sinceTime") or -math.inf),
                    until=float(times.get("untilTime") or math.inf),
                )
            except ValueError:
                return _refused(400, "cursor expired or invalid")
        rows = [
            faults.spoil(
                _user_row(item.account)
                if kind == RETWEETS
                else _post_row(wire.item_post(kind, item, tweet_id)),
                item.source_id,
                self.fate.faults,
                odd=_odd_values,
                unreadable=UNREADABLE,
            )
            for item in page
        ]
        body = {
            served.row_key: rows,
            "has_next_page": following is not None,
            "next_cursor": following or "",
        }
        if served.row_key == "tweets":
            body |= {"status": "success", "msg": "success"}
        return WireAnswer(200, body, len(rows), max(PRICE_MINIMUM, served.price * len(rows)))


def _refused(status: int, detail: Any) -> WireAnswer:
    return WireAnswer(status, {"detail": detail}, credits=PRICE_MINIMUM)


def _post_row(post: Post) -> Row:
    """Views are text, as they sometimes are; what a reply or quote was viewed is left out."""
    counters: Row = {served.counter: post.counters[kind] for kind, served in SERVED.items()}
    if "views" in post.counters:
        counters |= {"viewCount": str(post.counters["views"]), "bookmarkCount": post.counters["bookmarks"]}
    return {
        "type": "tweet",
        "id": post.post_id,
        "url": f"https://x.com/{post.author.username}/status/{post.post_id}",
        "text": post.text,
        **counters,
        "likeCount": post.counters["likes"],
        "createdAt": _twitter_time(datetime.fromtimestamp(post.posted_at, UTC)),
        "lang": "en",
        "isReply": post.replied_to is not None,
        "inReplyToId": post.replied_to,
        "conversationId": post.conversation_id,
        "author": {
            **_user_row(post.author),
            # An embedded author's bio stands in `profile_bio`.
            "description": "",
            "profile_bio": {"description": post.author.bio},
            "createdAt": _twitter_time(post.author.created_at),
        },
        "entities": {"hashtags": [], "urls": [], "user_mentions": []},
        "quoted_tweet": {"id": post.quoted} if post.quoted else None,
    }


def _user_row(account: SimulatedAccount) -> Row:
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


WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _twitter_time(moment: datetime) -> str:
    """`Thu Dec 04 09:56:34 +0000 2025`, whatever the locale."""
    at = moment.astimezone(UTC)
    return f"{WEEKDAYS[at.weekday()]} {MONTHS[at.month - 1]} {at:%d %H:%M:%S} +0000 {at.year}"


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


UNREADABLE = (
    lambda _: None,
    lambda row: {**row, "author": None} if "author" in row else {**row, "id": None},
    lambda row: {**row, "id": None},
    lambda row: {**row, "id": float(row["id"])},
    lambda row: {"type": row["type"], "unavailable": True, "unavailableReason": "Suspended"},
    lambda row: str(row["id"]),
    lambda row: {key: value for key, value in row.items() if key != "id"},
)
