"""X's own API over a World: posts with their authors beside them, search of seven days, problems with a type."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.simulator import faults, wire
from socap_cli.simulator import faults as simulator_faults
from socap_cli.simulator.faults import Fault
from socap_cli.simulator.wire import Answer, Cut, Query, Setting, Wanted
from socap_cli.simulator.world import Account, Engagement, WorldTweet

TWEETS, SEARCH = "/2/tweets", "/2/tweets/search/recent"


LIST_PATH = re.compile(r"/2/tweets/(\d+)/(retweeted_by|quote_tweets)")


QUERY = re.compile(r"in_reply_to_tweet_id:(\d+)")


PATHS = {"retweeted_by": RETWEETS, "quote_tweets": QUOTES}


SMALLEST_PAGE = {RETWEETS: 1, REPLIES: 10, QUOTES: 10}


LARGEST_PAGE, MAX_IDS = 100, 100


PRICE_POST, PRICE_USER = 500, 1_000
"""Of 0.00001 USD."""


SEARCHED, SHOWN_AFTER, LATEST_END = 7 * 86_400, 30, 10
"""Seconds: what search goes back, after how many a post is found, and how far past an end must be."""


PROBLEMS = "https://api.x.com/2/problems/"


class XApi:
    """Answers at the world's present moment."""

    label = "x"

    def __init__(self, setting: Setting) -> None:
        self.world, self.now, self.fate, self.page = setting.world, setting.now, setting.fate, setting.page

    def key_in(self, headers: Mapping[str, str]) -> str | None:
        """The token that a request bears."""
        kind, _, token = headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None

    def endpoint(self, path: str) -> str:
        """The path with `:id` where a tweet's stands."""
        found = LIST_PATH.fullmatch(path)
        return f"/2/tweets/:id/{found.group(2)}" if found else path

    def cursor_in(self, query: Query) -> str:
        """The token of a page."""
        return query.get("pagination_token") or query.get("next_token", "")

    def is_free(self, path: str) -> bool:  # noqa: ARG002
        """No request is."""
        return False

    def answer(self, path: str, query: Query) -> Answer:
        """Answer one request."""
        if path == TWEETS:
            return self._tweets(query)
        listed, asked = LIST_PATH.fullmatch(path), QUERY.fullmatch(query.get("query", ""))
        if listed:
            return self._list(PATHS[listed.group(2)], listed.group(1), query, Wanted(self.page))
        if path != SEARCH:
            return _problem(404, "Not Found", "Not Found", "about:blank")
        if not asked:
            return _invalid("query", "Invalid 'query'")
        return self._search(asked.group(1), query)

    def failure(self, fault: Fault) -> Answer | None:
        """The answer that a fault is."""
        return _FAILURES[fault]() if fault in _FAILURES else None

    def refused_key(self) -> Answer:
        """The answer to a wrong token."""
        return _problem(401, "Unauthorized", "Unauthorized", "about:blank")

    def no_credits(self) -> Answer:
        """The answer when too few credits are left."""
        detail = "Your enrolled account does not have any credits to fulfill this request."
        return _problem(402, "CreditsDepleted", detail, "https://api.twitter.com/2/problems/credits")

    def _tweets(self, query: Query) -> Answer:
        ids = [part for part in query.get("ids", "").split(",") if part]
        if not 1 <= len(ids) <= MAX_IDS:
            return _invalid("ids", f"The number of values in the `ids` query parameter list [{len(ids)}]")
        moment = self.now().timestamp()
        known = {i: self.world.tweets[i] for i in dict.fromkeys(ids) if i in self.world.tweets}
        found = {i: tweet for i, tweet in known.items() if tweet.exists_at(moment)}
        body: dict[str, Any] = {}
        if found:
            authors = {tweet.author.user_id: tweet.author for tweet in found.values()}
            body["data"] = [tweet_row(tweet, moment) for tweet in found.values()]
            body["includes"] = {"users": [user_row(author) for author in authors.values()]}
        if missing := [_gone(i) for i in dict.fromkeys(ids) if i not in found]:
            body["errors"] = missing
        return Answer(200, body, len(found), PRICE_POST * len(found))

    def _search(self, tweet_id: str, query: Query) -> Answer:
        now = self.now().timestamp()
        since = _moment(query.get("start_time")) or -math.inf
        until = _moment(query.get("end_time")) or now - SHOWN_AFTER
        if math.isfinite(since) and since < now - SEARCHED:
            return _invalid("start_time", "'start_time' must be on or after 7 days ago")
        if until > now - LATEST_END:
            return _invalid(
                "end_time", "'end_time' must be a minimum of 10 seconds prior to the request time"
            )
        wanted = Wanted(self.page, "", max(since, now - SEARCHED), until)
        return self._list(REPLIES, tweet_id, query, wanted)

    def _list(self, kind: Kind, tweet_id: str, query: Query, wanted: Wanted) -> Answer:
        faults, moment = self.fate.faults, self.now().timestamp()
        size = int(query.get("max_results") or self.page)
        if not SMALLEST_PAGE[kind] <= size <= LARGEST_PAGE:
            return _invalid("max_results", f"The `max_results` query parameter value [{size}] is not valid")
        if tweet_id in faults.never_answered:
            return _FAILURES["error"]()
        if tweet_id in faults.always_limited:
            return _FAILURES["limit"]()
        tweet = self.world.tweets.get(tweet_id)
        if tweet_id in faults.not_found or tweet is None or not tweet.exists_at(moment):
            return Answer(
                200, {"meta": {"result_count": 0}} if kind == REPLIES else {"errors": [_gone(tweet_id)]}
            )
        wanted = Wanted(size, self.cursor_in(query), wanted.since, wanted.until)
        try:
            found = wire.cut(tweet.lists[kind], wanted, moment=moment, fate=self.fate)
        except ValueError:
            return _FAILURES["expire"]()
        return self._listed(kind, tweet, found)

    def _listed(self, kind: Kind, tweet: WorldTweet, found: Cut) -> Answer:
        faults = self.fate.faults
        items = [item for item in found.items if not item.nested]
        if kind == RETWEETS:
            plain = [user_row(item.account) for item in items]
        else:
            relation = "replied_to" if kind == REPLIES else "quoted"
            plain = [post_row(item, tweet.tweet_id, relation) for item in items]
        shown = [
            simulator_faults.spoil(
                row,
                item.source_id,
                unreadable=faults.unreadable,
                odd_values=faults.odd_values,
                ways=SPOILT,
            )
            for row, item in zip(plain, items, strict=True)
        ]
        body: dict[str, Any] = {"meta": {"result_count": len(shown)}}
        if shown:
            body["data"] = shown
        if shown and kind != RETWEETS:
            authors = {item.account.user_id: item.account for item in items}
            body["includes"] = {"users": [user_row(author) for author in authors.values()]}
        if found.following is not None:
            body["meta"]["next_token"] = found.following
        return Answer(200, body, len(shown), (PRICE_USER if kind == RETWEETS else PRICE_POST) * len(shown))


def _invalid(parameter: str, message: str) -> Answer:
    body = {
        "errors": [{"parameters": {parameter: ["…"]}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{PROBLEMS}invalid-request",
    }
    return Answer(400, body)


def _limited() -> Answer:
    headers = {
        "x-rate-limit-limit": "75",
        "x-rate-limit-remaining": "0",
        "x-rate-limit-reset": f"{math.ceil(time.time()) + 1}",
    }
    return _problem(429, "Too Many Requests", "Too Many Requests", "about:blank", headers=headers)


def _problem(status: int, title: str, detail: str, kind: str, **more: Any) -> Answer:
    return Answer(status, {"title": title, "type": kind, "status": status, "detail": detail}, **more)


_FAILURES: dict[Fault, Callable[[], Answer]] = {
    "error": lambda: _problem(503, "Service Unavailable", "Service Unavailable", "about:blank"),
    "html": lambda: Answer(503, "<html><body>Service Unavailable</body></html>"),
    "limit": _limited,
    "expire": lambda: _invalid(
        "pagination_token", "The `pagination_token` query parameter value is not valid"
    ),
    "refuse": lambda: _invalid("id", "The `id` query parameter value is not valid"),
    "missing": lambda: _problem(404, "Not Found Error", "Not Found", f"{PROBLEMS}resource-not-found"),
    "status": lambda: Answer(
        200, {"errors": [{"title": "Internal Error", "type": f"{PROBLEMS}internal-error"}]}
    ),
    "empty": lambda: Answer(200, {}),
    "null": lambda: Answer(200, {"data": None, "meta": {"result_count": 0}}),
}


Row = dict[str, Any]


def _odd_values(row: Row) -> Row:
    if "username" in row:
        metrics = {"followers_count": faults.BEYOND_64_BITS}
        return {**row, "name": faults.ODD_TEXT, "description": faults.ODD_TEXT, "public_metrics": metrics}
    return {**row, "text": faults.ODD_TEXT, "created_at": faults.BEFORE_ALL_YEARS}


SPOILT = faults.Ways(
    odd=_odd_values,
    unreadable=(
        lambda _: None,
        lambda row: {**row, "id": None},
        lambda row: {**row, "id": float(row["id"])},
        lambda row: str(row["id"]),
        lambda row: {key: value for key, value in row.items() if key != "id"},
    ),
)


def _moment(value: str | None) -> float | None:
    return datetime.fromisoformat(value).timestamp() if value else None


def _gone(tweet_id: str) -> dict[str, Any]:
    return {
        "value": tweet_id,
        "detail": f"Could not find tweet with id: [{tweet_id}].",
        "title": "Not Found Error",
        "resource_type": "tweet",
        "parameter": "id",
        "resource_id": tweet_id,
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    }


def written(moment: float) -> str:
    """`2025-12-04T09:56:34.000Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def user_row(account: Account) -> Row:
    """An account; X leaves out what is empty."""
    row = {
        "id": account.user_id,
        "username": account.username,
        "name": account.name,
        "verified": account.verified,
        "verified_type": "blue" if account.verified else "none",
        "public_metrics": {
            "followers_count": account.followers,
            "following_count": account.following,
            "tweet_count": 900,
            "listed_count": 4,
        },
    }
    return {**row, "description": account.bio} if account.bio else row


def tweet_row(tweet: WorldTweet, moment: float) -> Row:
    """A tweet with its counters."""
    counters = tweet.counters(moment)
    return {
        "id": tweet.tweet_id,
        "text": tweet.text,
        "author_id": tweet.author.user_id,
        "created_at": written(tweet.posted_at),
        "conversation_id": tweet.tweet_id,
        "edit_history_tweet_ids": [tweet.tweet_id],
        "public_metrics": {
            "retweet_count": counters["retweets"],
            "reply_count": counters["replies"],
            "like_count": counters["likes"],
            "quote_count": counters["quotes"],
            "bookmark_count": counters["bookmarks"],
            "impression_count": counters["views"],
        },
    }


def post_row(item: Engagement, target: str, relation: str) -> Row:
    """A reply to, or a quote of, the tweet."""
    return {
        "id": item.source_id,
        "text": item.text,
        "author_id": item.account.user_id,
        "created_at": written(item.engaged_at),
        "conversation_id": target if relation == "replied_to" else item.source_id,
        "edit_history_tweet_ids": [item.source_id],
        "referenced_tweets": [{"type": relation, "id": target}],
        "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 1, "quote_count": 0},
    }
