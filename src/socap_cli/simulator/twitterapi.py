"""twitterapi.io's endpoints over a World, oddities included. A list is one row of `SERVED`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.simulator import damage, paging
from socap_cli.simulator import twitterapi_rows as rows
from socap_cli.simulator.faults import Fault
from socap_cli.simulator.paging import Cut, Wanted
from socap_cli.simulator.tweets import Engagement
from socap_cli.simulator.wire import Answer, Query, Setting

MAX_IDS = 50
PRICE_TWEET, PRICE_USER, PRICE_MINIMUM = 15, 18, 15
TWEETS, FOLLOWINGS, ACCOUNT = "/twitter/tweets", "/twitter/user/followings", "/oapi/my/info"
CREDITS_OF_THE_RICH = 1_000_000
LARGEST_FOLLOWINGS, SMALLEST_FOLLOWINGS = 200, 20


@dataclass(frozen=True, slots=True)
class ServedList:
    """How a list is served."""

    path: str
    counter: str
    """The field of a tweet that counts it."""
    item: Callable[[Engagement, str], dict[str, Any]] = rows.post_item
    row_key: str = "tweets"
    price: float = PRICE_TWEET
    takes_times: bool = False


SERVED: dict[Kind, ServedList] = {
    RETWEETS: ServedList("/twitter/tweet/retweeters", "retweetCount", rows.account_item, "users", PRICE_USER),
    REPLIES: ServedList("/twitter/tweet/replies", "replyCount", rows.reply_item, takes_times=True),
    QUOTES: ServedList("/twitter/tweet/quotes", "quoteCount", rows.quote_item, takes_times=True),
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
        shown = [rows.tweet_row(t, moment, fields) for t in reversed(found) if t.exists_at(moment)]
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
        shown = [rows.user_row(accounts[str(row["followed_user_id"])]) for row in followed[at : at + size]]
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
            found = paging.cut(tweet.lists[kind], wanted, moment=moment, fate=self.fate)
        except ValueError:
            return _refused(400, "cursor expired or invalid")
        return self._listed(served, found, tweet_id)

    def _listed(self, served: ServedList, found: Cut, tweet_id: str) -> Answer:
        faults = self.fate.faults
        shown = [
            damage.spoil(
                served.item(item, tweet_id),
                item.source_id,
                unreadable=faults.unreadable,
                odd_values=faults.odd_values,
                ways=rows.SPOILT,
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


def _refused(status: int, detail: Any) -> Answer:
    return Answer(status, {"detail": detail}, credits=PRICE_MINIMUM)


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
