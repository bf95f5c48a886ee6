"""twitterapi.io's wire format over a World, oddities included."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from socap_cli.model import QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.simulator.faults import Fate
from socap_cli.simulator.world import Account, Engagement, Key, World, WorldTweet

MAX_IDS = 50
PRICE_TWEET, PRICE_USER, PRICE_MINIMUM = 15, 18, 15
LIST_PATHS = {
    "/twitter/tweet/retweeters": RETWEETS,
    "/twitter/tweet/replies": REPLIES,
    "/twitter/tweet/quotes": QUOTES,
}
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

Query = dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any
    billed_items: int = 0
    credits: float = PRICE_MINIMUM


class TwitterApi:
    """Answers one request at the world's present moment."""

    def __init__(self, world: World, now: Callable[[], datetime], fate: Fate, *, page: int = 20) -> None:
        self.world = world
        self.now = now
        self.fate = fate
        self.page = page

    def answer(self, path: str, query: Query) -> Answer:
        if path == "/twitter/tweets":
            return self._tweets(query)
        if path in LIST_PATHS:
            return self._list(LIST_PATHS[path], query)
        if path == "/twitter/user/followings":
            return self._followings(query)
        if path == "/oapi/my/info":
            left = self.fate.faults.credits
            return Answer(200, {"recharge_credits": 1_000_000 if left is None else left}, credits=0)
        return Answer(404, {"detail": "Not Found"}, credits=0)

    def _tweets(self, query: Query) -> Answer:
        ids = [part for part in query.get("tweet_ids", "").split(",") if part]
        if not ids:
            return Answer(422, {"detail": [{"loc": ["query", "tweet_ids"], "msg": "field required"}]})
        if len(ids) > MAX_IDS:
            return Answer(400, {"detail": f"max {MAX_IDS} tweet_ids per request"})
        moment = self.now().timestamp()
        found = [self.world.tweets[i] for i in dict.fromkeys(ids) if i in self.world.tweets]
        shown = [tweet_body(t, moment) for t in reversed(found) if t.exists_at(moment)]
        body = {"tweets": shown, "status": "success", "msg": "success", "code": 0}
        return Answer(200, body, len(shown), max(PRICE_MINIMUM, PRICE_TWEET * len(shown)))

    def _followings(self, query: Query) -> Answer:
        """Whom an important person follows, by the world's index, 200 a page at most."""
        name = query.get("userName", "").lower()
        index = self.world.following_index
        rows = [r for r in index if any(str(f["username"]).lower() == name for f in r["followed_by"])]
        at = int(query.get("cursor") or 0)
        size = min(200, max(20, int(query.get("pageSize") or 200)))
        accounts = {account.user_id: account for account in self.world.accounts}
        shown = [user_body(accounts[str(row["followed_user_id"])]) for row in rows[at : at + size]]
        more = at + size < len(rows)
        body = {
            "followings": shown,
            "has_next_page": more,
            "next_cursor": str(at + size) if more else "",
            "status": "success",
        }
        return Answer(200, body, len(shown), max(PRICE_MINIMUM, PRICE_USER * len(shown)))

    def _list(self, kind: Kind, query: Query) -> Answer:
        tweet = self.world.tweets.get(query.get("tweetId", ""))
        moment = self.now().timestamp()
        if tweet is None or not tweet.exists_at(moment):
            return self._listed(kind, [], None, tweet)
        cursor = query.get("cursor", "")
        try:
            below = decode_cursor(cursor) if cursor else None
        except ValueError:
            return Answer(400, {"detail": "cursor expired or invalid"})
        if cursor and self.fate.blank():
            return self._listed(kind, [], cursor + "=", tweet)
        since = float(query.get("sinceTime") or -math.inf) if kind != RETWEETS else -math.inf
        until = float(query.get("untilTime") or math.inf) if kind != RETWEETS else math.inf
        if below is None and until < math.inf:
            below = (until, "")
        size = self.page
        above = self._repeats(tweet, kind, moment, below) if cursor else []
        found = list(islice(tweet.lists[kind].newest_first(moment, below=below), size + 1))
        fresh = (
            [item for item in found if item.engaged_at >= math.floor(since)] if since > -math.inf else found
        )
        page = fresh[:size]
        following = None
        if len(fresh) > size:
            following = cursor if self.fate.faults.looping and cursor else encode_cursor(page[-1].key)
        return self._listed(kind, above + page, following, tweet)

    def _repeats(self, tweet: WorldTweet, kind: Kind, moment: float, below: Key | None) -> list[Engagement]:
        count = self.fate.faults.repeats
        if not count or below is None:
            return []
        newer = [i for i in tweet.lists[kind].newest_first(moment) if i.key >= below]
        return newer[-count:]

    def _listed(
        self, kind: Kind, items: list[Engagement], following: str | None, tweet: WorldTweet | None
    ) -> Answer:
        pages: dict[str, Any] = {"has_next_page": following is not None, "next_cursor": following or ""}
        if kind == RETWEETS:
            body = {"users": [user_body(i.account) for i in items], **pages}
            return Answer(200, body, len(items), max(PRICE_MINIMUM, PRICE_USER * len(items)))
        posts = [post_body(i, kind, tweet) for i in items if tweet]
        body = {"tweets": posts, **pages, "status": "success", "msg": "success"}
        return Answer(200, body, len(items), max(PRICE_MINIMUM, PRICE_TWEET * len(items)))


def encode_cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Key:
    """Raises ValueError for a cursor that this provider never gave out."""
    bare = cursor.rstrip("=")
    try:
        moment, source_id = json.loads(base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
    except (binascii.Error, UnicodeDecodeError, TypeError) as error:
        raise ValueError("not a cursor") from error
    return float(moment), str(source_id)


def twitter_time(moment: datetime) -> str:
    """`Thu Dec 04 09:56:34 +0000 2025`, whatever the locale."""
    at = moment.astimezone(UTC)
    return f"{WEEKDAYS[at.weekday()]} {MONTHS[at.month - 1]} {at:%d %H:%M:%S} +0000 {at.year}"


def user_body(account: Account) -> dict[str, Any]:
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


def author_body(account: Account) -> dict[str, Any]:
    """An embedded author: the bio stands in `profile_bio`, `description` is empty."""
    body = user_body(account)
    return {
        **body,
        "description": "",
        "profile_bio": {"description": account.bio},
        "createdAt": twitter_time(account.created_at),
    }


def tweet_body(tweet: WorldTweet, moment: float) -> dict[str, Any]:
    counters = tweet.counters(moment)
    return {
        "type": "tweet",
        "id": tweet.tweet_id,
        "url": tweet.url,
        "text": tweet.text,
        "retweetCount": counters["retweets"],
        "replyCount": counters["replies"],
        "likeCount": counters["likes"],
        "quoteCount": counters["quotes"],
        "viewCount": str(counters["views"]),
        "bookmarkCount": counters["bookmarks"],
        "createdAt": twitter_time(datetime.fromtimestamp(tweet.posted_at, UTC)),
        "lang": "en",
        "isReply": False,
        "inReplyToId": None,
        "conversationId": tweet.tweet_id,
        "author": author_body(tweet.author),
        "entities": {"hashtags": [], "urls": [], "user_mentions": []},
        "quoted_tweet": None,
    }


def post_body(item: Engagement, kind: Kind, tweet: WorldTweet | None) -> dict[str, Any]:
    target = tweet.tweet_id if tweet else ""
    replied_to = str(int(target) + 1) if item.nested else target
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
        "isReply": kind == REPLIES,
        "inReplyToId": replied_to if kind == REPLIES else None,
        "conversationId": target if kind == REPLIES else item.source_id,
        "author": author_body(item.account),
        "quoted_tweet": {"id": target} if kind == QUOTES else None,
    }
