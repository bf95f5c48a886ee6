"""X's own API over a World: strict parameters, fields on request, search, windows of 15 minutes, one bill a day."""

from __future__ import annotations

import heapq
import math
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.model.links import lowest_snowflake
from socap_cli.simulator import faults, wire
from socap_cli.simulator.faults import Row
from socap_cli.simulator.wire import Post, Query, WireAnswer, WireFormat
from socap_cli.simulator.world import Key, SimulatedAccount, SimulatedEngagement, WorldTweet

FIELDS = {
    "tweet.fields", "post.fields", "user.fields", "expansions", "media.fields", "poll.fields", "place.fields",
}  # fmt: skip
PAGED = FIELDS | {"max_results", "pagination_token"}
SEARCH = PAGED | {"query", "next_token", "since_id", "until_id", "start_time", "end_time", "sort_order"}


@dataclass(frozen=True, slots=True)
class Served:
    """One endpoint; `window` is how many requests an app may send in 15 minutes."""

    window: int
    params: set[str]
    sizes: tuple[int, int, int] = (1, 100, 100)
    """The least, most, and usual `max_results`."""


SERVED = {
    "/2/tweets": Served(3_500, FIELDS | {"ids"}),
    "/2/tweets/:id": Served(450, FIELDS),
    "/2/tweets/:id/retweeted_by": Served(75, PAGED),
    "/2/tweets/:id/retweets": Served(75, PAGED),
    "/2/tweets/:id/quote_tweets": Served(75, PAGED | {"exclude"}, (10, 100, 10)),
    "/2/tweets/search/recent": Served(450, SEARCH, (10, 100, 10)),
    "/2/tweets/search/all": Served(300, SEARCH, (10, 500, 10)),
    "/2/users": Served(300, FIELDS | {"ids"}),
    "/2/users/by": Served(300, FIELDS | {"usernames"}),
    "/2/users/:id": Served(300, FIELDS),
    "/2/users/:id/following": Served(300, PAGED, (1, 1_000, 100)),
    "/2/usage/credits": Served(50, set()),
    "/2/usage/tweets": Served(50, {"days", "usage.fields"}),
}
WINDOW = 900.0
"""Seconds."""
PRICE_POST, PRICE_USER = 500.0, 1_000.0
"""Of 0.00001 USD."""
SEARCHED, SHOWN_AFTER, LATEST_END = 7 * 86_400, 30, 10
"""Seconds: how far recent search goes back, when a post is found, and how far past an end must be."""
LONGEST_QUERY = 512
CUT_AT = 280
"""Characters of a text; the whole is in `note_tweet`."""
PROBLEMS = "https://api.x.com/2/problems/"
NEW_NAMES = {
    "referenced_tweets": "referenced_posts", "edit_history_tweet_ids": "edit_history_post_ids",
    "note_tweet": "note_post", "retweet_count": "repost_count", "tweet_count": "post_count",
    "tweets": "posts",
}  # fmt: skip
"""Where a request says `post.fields` the answer uses these."""


class XApiFormat(WireFormat):
    """Posts with their authors beside them."""

    label = "x"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}
        self._billed: tuple[date, set[str]] = (date.min, set())
        self.failures = {
            "error": lambda: _problem(503, "Service Unavailable"),
            "html": lambda: WireAnswer(503, "<html><body>Service Unavailable</body></html>"),
            "limit": self._limited,
            "expire": lambda: _invalid("pagination_token", "The `pagination_token` value is not valid"),
            "refuse": lambda: _invalid("id", "The `id` query parameter value is not valid"),
            "missing": lambda: _problem(404, "Not Found Error", kind="resource-not-found"),
            "status": lambda: WireAnswer(200, {"errors": [{"title": "Oh", "type": f"{PROBLEMS}internal-error"}]}),
            "empty": lambda: WireAnswer(200, {}),
            "null": lambda: WireAnswer(200, {"data": None, "meta": {"result_count": 0}}),
            "forbidden": lambda: _problem(403, "Forbidden"),
            "spend_cap": lambda: _problem(403, "SpendCapReached", kind="credits"),
            "usage_cap": lambda: _problem(429, "UsageCapExceeded", kind="usage-capped"),
            "no_credits": self.no_credits,
        }  # fmt: skip

    def key_in(self, headers: Mapping[str, str]) -> str | None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None

    def endpoint(self, path: str) -> str:
        """The path with `:id` in the place of an id."""
        return re.sub(r"(?<=[a-z])/\d+(?=/|$)", "/:id", path)

    def cursor_in(self, query: Query) -> str:
        return query.get("pagination_token") or query.get("next_token", "")

    def is_free(self, path: str) -> bool:
        return path.startswith("/2/usage")

    def refused_key(self) -> WireAnswer:
        return _problem(401, "Unauthorized")

    def no_credits(self) -> WireAnswer:
        detail = "Your enrolled account does not have any credits to fulfill this request."
        return _problem(402, "CreditsDepleted", detail, kind="credits")

    def answer(self, path: str, query: Query) -> WireAnswer:
        endpoint = self.endpoint(path)
        served = SERVED.get(endpoint)
        if served is None:
            return _problem(404, "Not Found")
        headers, is_refused = self._rate(endpoint, served.window)
        answer = _problem(429, "Too Many Requests") if is_refused else self._valid(endpoint, path, query)
        return replace(answer, headers={**headers, **answer.headers})

    def _rate(self, endpoint: str, allowed: int) -> tuple[dict[str, str], bool]:
        """Count a request in its window of the world's time: its headers, and whether it is one too many."""
        now = self.now().timestamp()
        with self._lock:
            began, used = self._windows.get(endpoint, (now, 0))
            if now >= began + WINDOW:
                began, used = now, 0
            is_refused = used >= allowed and self.fate.faults.windows
            used += not is_refused
            self._windows[endpoint] = began, used
        left = began + WINDOW - now
        return _rate_headers(allowed, max(0, allowed - used), left), is_refused

    def _limited(self) -> WireAnswer:
        headers = _rate_headers(75, 0, self.fate.faults.retry_after or 0.0)
        return _problem(429, "Too Many Requests", headers=headers)

    def _valid(self, endpoint: str, path: str, query: Query) -> WireAnswer:
        """Refuse unknown parameters, fields and sizes; answer the rest."""
        served = SERVED[endpoint]
        for name in query:
            if name not in served.params:
                return _invalid(name, f"The query parameter [{name}] is not one of {sorted(served.params)}")
        for parameter, names in KNOWN.items():
            unknown = set(filter(None, query.get(parameter, "").split(","))) - names
            if unknown:
                return _invalid(
                    parameter, f"The `{parameter}` value {sorted(unknown)} is not one of those allowed"
                )
        least, most, usual = served.sizes
        size = query.get("max_results", str(usual))
        if not size.isdecimal() or not least <= int(size) <= most:
            return _invalid(
                "max_results", f"The `max_results` value [{size}] is not between {least} and {most}"
            )
        subject = next(iter(re.findall(r"(?<=[a-z])/(\d+)", path)), "")
        try:
            if endpoint in LIST_KINDS:
                return self._list(endpoint, subject, query, int(size))
            if endpoint.startswith("/2/tweets/search/"):
                return self._search(query, int(size), is_recent=endpoint.endswith("recent"))
        except _Invalid as error:
            return _invalid(error.parameter, str(error))
        if endpoint.startswith("/2/tweets"):
            return self._tweets(query, subject)
        if endpoint == "/2/users/:id/following":
            return self._following(subject, query, int(size))
        if endpoint.startswith("/2/users"):
            return self._users(query, subject)
        if endpoint == "/2/usage/tweets":
            used = sum(resource.startswith("post") for resource in self._billed[1])
            return WireAnswer(200, {"data": {"project_cap": "3000000", "project_usage": str(used)}})
        left = self.fate.faults.credits
        usd = 1_000.0 if left is None else left * 0.00001
        return WireAnswer(200, {"data": {"free_balance": 0, "prepaid_balance": usd, "total_balance": usd}})

    def _tweets(self, query: Query, one: str) -> WireAnswer:
        ids = [one] if one else [part for part in query.get("ids", "").split(",") if part]
        if not 1 <= len(ids) <= 100:
            return _invalid("ids", f"The number of values in the `ids` query parameter list [{len(ids)}]")
        moment = self.now().timestamp()
        known = [self.world.tweets[i] for i in dict.fromkeys(ids) if i in self.world.tweets]
        posts = [wire.tweet_post(tweet, moment) for tweet in known if tweet.exists_at(moment)]
        shown = {post.post_id for post in posts}
        gone = [_gone(i) for i in dict.fromkeys(ids) if i not in shown]
        answer = self._posts_answer(posts, query, errors=gone)
        if one and posts:
            answer.body["data"] = answer.body["data"][0]
        return answer

    def _list(self, endpoint: str, tweet_id: str, query: Query, size: int) -> WireAnswer:
        kind, moment = LIST_KINDS[endpoint], self.now().timestamp()
        if answer := self.fault_of(tweet_id):
            return answer
        if tweet_id in self.fate.faults.forbidden:
            return self.failures["forbidden"]()
        tweet = self.world.tweets.get(tweet_id)
        if tweet_id in self.fate.faults.not_found or tweet is None or not tweet.exists_at(moment):
            return WireAnswer(200, {"errors": [_gone(tweet_id)]})
        excluded = query.get("exclude", "").split(",")

        def newest_first(below: Key | None) -> Iterator[Post]:
            posts = self._posts(tweet, kind, moment, below)
            return (p for p in posts if not (p.retweeted and kind == QUOTES and "retweets" in excluded))

        page, following = self._cut(newest_first, size, query)
        if kind == RETWEETS and page and following is None:
            following = wire.encode_cursor(
                page[-1].key
            )  # a short last page has a token; then comes an empty page
        shown = [post for post in page if not post.is_hidden]
        if endpoint.endswith("retweeted_by"):
            return self._users_answer([post.author for post in shown], query, following)
        return self._posts_answer(shown, query, following)

    def _search(self, query: Query, size: int, *, is_recent: bool) -> WireAnswer:
        now, text = self.now().timestamp(), query.get("query", "")
        matches = parse_query(text)
        since = _moment(query, "start_time", -math.inf)
        until = _moment(query, "end_time", now - SHOWN_AFTER)
        if is_recent and math.isfinite(since) and since < now - SEARCHED:
            raise _Invalid("start_time", "'start_time' must be on or after 7 days ago")
        if until > now - LATEST_END:
            raise _Invalid("end_time", "'end_time' must be a minimum of 10 seconds prior to the request time")
        ids = set(re.findall(r":(\d+)", text))
        for tweet_id in ids:
            if answer := self.fault_of(tweet_id):
                return answer
        tweets = [self.world.tweets[i] for i in ids if i in self.world.tweets] or (
            [] if ids else list(self.world.tweets.values())
        )
        tweets = [t for t in tweets if t.exists_at(now) and t.tweet_id not in self.fate.faults.not_found]
        least, below_id = int(query.get("since_id", 0)), int(query.get("until_id", 1 << 63))

        def newest_first(below: Key | None) -> Iterator[Post]:
            lists = (self._posts(tweet, kind, now, below) for tweet in tweets for kind in tweet.lists)
            merged = heapq.merge(*lists, key=lambda post: post.key, reverse=True)
            return (p for p in merged if least < int(p.post_id) < below_id and matches(p) and not p.is_hidden)

        since = max(since, now - SEARCHED) if is_recent else since
        page, following = self._cut(newest_first, size, query, since=since, until=until)
        return self._posts_answer(page, query, following, is_search=True)

    def _cut(
        self, newest_first: Callable[[Key | None], Iterator[Post]], size: int, query: Query, **times: float
    ) -> tuple[Sequence[Post], str | None]:
        try:
            return wire.cut(newest_first, size, self.fate, cursor=self.cursor_in(query), **times)
        except ValueError as error:
            raise _Invalid("pagination_token", "The `pagination_token` value is not valid") from error

    def _posts(self, tweet: WorldTweet, kind: Kind, moment: float, below: Key | None) -> Iterator[Post]:
        """What is listed of a tweet, newest first; retweets of quotes stand between the quotes."""
        if kind != QUOTES or not self.fate.faults.quote_retweets:
            items = tweet.lists[kind].newest_first(moment, below=below, with_hidden=True)
            return (_post(kind, item, tweet) for item in items)
        quotes = [
            _post(kind, item, tweet) for item in tweet.lists[kind].newest_first(moment, with_hidden=True)
        ]
        posts = sorted([*quotes, *self._retweets_of(quotes, moment)], key=lambda post: post.key, reverse=True)
        return (post for post in posts if below is None or post.key < below)

    def _retweets_of(self, quotes: Sequence[Post], moment: float) -> Iterator[Post]:
        for quote in quotes:
            for number in range(1, self.fate.faults.quote_retweets + 1):
                at = quote.posted_at + 60 * number
                if at <= moment:
                    account = self.world.accounts[(int(quote.post_id) + number) % len(self.world.accounts)]
                    yield _retweet(quote.post_id, quote.author, account, at)

    def _users(self, query: Query, one: str) -> WireAnswer:
        names = {name.lower() for name in query.get("usernames", "").split(",") if name}
        ids = {one} if one else set(query.get("ids", "").split(","))
        users = [a for a in self.world.accounts if a.user_id in ids or a.username.lower() in names]
        return self._users_answer(users, query)

    def _following(self, user_id: str, query: Query, size: int) -> WireAnswer:
        """Whom an important person follows, by the world's index."""
        followed = self.world.followed_by(user_id)
        at = int(query.get("pagination_token") or 0)
        following = str(at + size) if at + size < len(followed) else None
        return self._users_answer(followed[at : at + size], query, following)

    def _posts_answer(
        self,
        posts: Sequence[Post],
        query: Query,
        following: str | None = None,
        *,
        errors: Sequence[Row] = (),
        is_search: bool = False,
    ) -> WireAnswer:
        names = {
            "id",
            "text",
            "edit_history_tweet_ids",
            *_listed(query, "tweet.fields"),
            *_listed(query, "post.fields"),
        }
        expansions = _listed(query, "expansions")
        if "author_id" in expansions:
            names.add("author_id")
        names = {old for old in POST_FIELDS if old in names or NEW_NAMES.get(old) in names}
        rows = [
            self._spoilt(_row(POST_FIELDS, names, post), post.source_id or post.post_id) for post in posts
        ]
        authors: dict[str, SimulatedAccount] = {}
        if "author_id" in expansions:
            authors = {p.author.user_id: p.author for p in posts if not self._is_absent(p.author)}
        body: Row = {"data": rows} if rows else {}
        if authors:
            body["includes"] = {"users": [_user_row(author, query) for author in authors.values()]}
        if errors:
            body["errors"] = list(errors)
        if "ids" not in query or is_search:
            body["meta"] = {"result_count": len(rows), **({"next_token": following} if following else {})}
            if is_search and posts:
                body["meta"] |= {"newest_id": posts[0].post_id, "oldest_id": posts[-1].post_id}
        if "post.fields" in query:
            body = _renamed(body)
        resources = dict.fromkeys((f"post {post.post_id}" for post in posts), PRICE_POST)
        if self.fate.faults.includes_billed:
            resources |= dict.fromkeys((f"user {user_id}" for user_id in authors), PRICE_USER)
        return WireAnswer(200, body, len(rows), self._bill(resources))

    def _users_answer(
        self, users: Sequence[SimulatedAccount], query: Query, following: str | None = None
    ) -> WireAnswer:
        rows = [self._spoilt(_user_row(user, query), user.user_id) for user in users]
        meta = {"result_count": len(rows), **({"next_token": following} if following else {})}
        body = {**({"data": rows} if rows else {}), "meta": meta}
        return WireAnswer(
            200, body, len(rows), self._bill({f"user {user.user_id}": PRICE_USER for user in users})
        )

    def _bill(self, resources: Mapping[str, float]) -> float:
        """The price of what was not billed yet on this UTC day."""
        today = self.now().astimezone(UTC).date()
        with self._lock:
            day, billed = self._billed
            if day != today or not self.fate.faults.billed_once:
                billed = set()
            fresh = [price for resource, price in resources.items() if resource not in billed]
            self._billed = today, billed | resources.keys()
        return sum(fresh)

    def _is_absent(self, author: SimulatedAccount) -> bool:
        return faults.is_hit(author.user_id, self.fate.faults.absent_authors, salt="absent")

    def _spoilt(self, row: Row, source_id: str) -> Any:
        return faults.spoil(row, source_id, self.fate.faults, odd=_odd_values, unreadable=UNREADABLE)


LIST_KINDS = {
    "/2/tweets/:id/retweeted_by": RETWEETS,
    "/2/tweets/:id/retweets": RETWEETS,
    "/2/tweets/:id/quote_tweets": QUOTES,
}


class _Invalid(Exception):
    """A parameter that X refuses."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(reason)
        self.parameter = parameter


def parse_query(query: str) -> Callable[[Post], bool]:
    """The rule of a search query: clauses, parted by OR, of which each part must hold or, after `-`, must not.

    Raises _Invalid, also for parentheses and operators that nothing here uses.
    """
    if not 0 < len(query) <= LONGEST_QUERY:
        raise _Invalid("query", f"'query' must be between 1 and {LONGEST_QUERY} characters")
    clauses = []
    for written in query.split(" OR "):
        parts = [part.removeprefix("-").partition(":") for part in written.split()]
        denied = [part.startswith("-") for part in written.split()]
        names = [name for name, _, _ in parts]
        if unknown := [name for name in names if name not in OPERATORS]:
            raise _Invalid("query", f"Reference to invalid operator '{unknown[0]}'")
        if all(no or name == "is" for name, no in zip(names, denied, strict=True)):
            raise _Invalid("query", "Rules must contain at least one positive, non-stopword clause")
        clauses.append(
            [(OPERATORS[name], value, no) for (name, _, value), no in zip(parts, denied, strict=True)]
        )
    return lambda post: any(
        all(holds(post, value) is not no for holds, value, no in clause) for clause in clauses
    )


OPERATORS: dict[str, Callable[[Post, str], bool]] = {
    "in_reply_to_tweet_id": lambda post, value: post.replied_to == value,
    "conversation_id": lambda post, value: post.conversation_id == value,
    "quotes_of_tweet_id": lambda post, value: post.quoted == value,
    "retweets_of_tweet_id": lambda post, value: post.retweeted == value,
    "is": lambda post, value: bool(
        {"retweet": post.retweeted, "reply": post.replied_to, "quote": post.quoted}.get(value)
    ),
}


def _post(kind: Kind, item: SimulatedEngagement, tweet: WorldTweet) -> Post:
    if kind == RETWEETS:
        post = _retweet(tweet.tweet_id, tweet.author, item.account, item.engaged_at)
        return replace(post, source_id=item.source_id, is_hidden=item.hidden)
    return replace(wire.item_post(kind, item, tweet.tweet_id), is_hidden=item.hidden)


def _retweet(target: str, author: SimulatedAccount, account: SimulatedAccount, at: float) -> Post:
    number = lowest_snowflake(datetime.fromtimestamp(at, UTC)) + int(account.user_id) % (1 << 22)
    counters: dict[str, int] = {**dict.fromkeys(LISTS, 0), "likes": 0}
    text = f"RT @{author.username}: …"
    return Post(str(number), text, account, at, str(number), counters, retweeted=target)


def _references(post: Post) -> list[dict[str, str]] | None:
    kinds = {"replied_to": post.replied_to, "quoted": post.quoted, "retweeted": post.retweeted}
    return [{"type": kind, "id": target} for kind, target in kinds.items() if target] or None


POST_FIELDS: dict[str, Callable[[Post], Any]] = {
    "id": lambda post: post.post_id,
    "text": lambda post: post.text if len(post.text) <= CUT_AT else f"{post.text[: CUT_AT - 1]}…",
    "edit_history_tweet_ids": lambda post: list(post.edits) or [post.post_id],
    "author_id": lambda post: post.author.user_id,
    "created_at": lambda post: _written(post.posted_at),
    "conversation_id": lambda post: post.conversation_id,
    "referenced_tweets": _references,
    "note_tweet": lambda post: {"text": post.text} if len(post.text) > CUT_AT else None,
    "lang": lambda _: "en",
    "public_metrics": lambda post: {
        "retweet_count": post.counters[RETWEETS],
        "reply_count": post.counters[REPLIES],
        "like_count": post.counters["likes"],
        "quote_count": post.counters[QUOTES],
        "bookmark_count": post.counters.get("bookmarks", 0),
        "impression_count": post.counters.get("views", 0),
    },
}
"""What is None is left out, as X leaves out what is empty."""
USER_FIELDS: dict[str, Callable[[SimulatedAccount], Any]] = {
    "id": lambda account: account.user_id,
    "name": lambda account: account.name,
    "username": lambda account: account.username,
    "description": lambda account: account.bio or None,
    "verified": lambda account: account.verified,
    "verified_type": lambda account: "blue" if account.verified else "none",
    "protected": lambda _: False,
    "created_at": lambda account: _written(account.created_at.timestamp()),
    "public_metrics": lambda account: {
        "followers_count": account.followers,
        "following_count": account.following,
        "tweet_count": 900,
        "listed_count": 4,
    },
}
OTHER_FIELDS = {
    "affiliation", "article", "attachments", "card_uri", "community_id", "connection_status",
    "context_annotations", "display_text_range", "edit_controls", "entities", "geo", "in_reply_to_user_id",
    "is_identity_verified", "location", "media_metadata", "most_recent_post_id", "most_recent_tweet_id",
    "parody", "pinned_post_id", "pinned_tweet_id", "possibly_sensitive", "profile_banner_url",
    "profile_image_url", "receives_your_dm", "reply_settings", "scopes", "source", "subscription_type", "url",
    "verified_followers_count", "withheld",
}  # fmt: skip
EXPANSIONS = {
    "article.cover_media", "attachments.media_keys", "attachments.poll_ids", "author_id",
    "edit_history_post_ids", "edit_history_tweet_ids", "entities.mentions.username", "geo.place_id",
    "in_reply_to_user_id", "pinned_post_id", "pinned_tweet_id", "referenced_posts.id", "referenced_tweets.id",
    "referenced_tweets.id.author_id",
}  # fmt: skip
KNOWN = {
    "tweet.fields": {*POST_FIELDS, *OTHER_FIELDS},
    "post.fields": {*(NEW_NAMES.get(name, name) for name in POST_FIELDS), *OTHER_FIELDS},
    "user.fields": {*USER_FIELDS, *OTHER_FIELDS},
    "expansions": EXPANSIONS,
    "exclude": {"retweets", "replies"},
}
"""The values that a parameter takes."""


def _row(fields: Mapping[str, Callable[[Any], Any]], names: set[str], value: object) -> Row:
    row = {name: build(value) for name, build in fields.items() if name in names}
    return {name: entry for name, entry in row.items() if entry is not None}


def _user_row(account: SimulatedAccount, query: Query) -> Row:
    return _row(USER_FIELDS, {"id", "name", "username", *_listed(query, "user.fields")}, account)


def _listed(query: Query, parameter: str) -> list[str]:
    return [name for name in query.get(parameter, "").split(",") if name]


def _renamed(value: Any) -> Any:
    """The body in the words that X uses since posts are no longer tweets."""
    if isinstance(value, dict):
        return {NEW_NAMES.get(name, name): _renamed(entry) for name, entry in value.items()}
    return [_renamed(entry) for entry in value] if isinstance(value, list) else value


def _moment(query: Query, parameter: str, default: float) -> float:
    try:
        return datetime.fromisoformat(query[parameter]).timestamp() if parameter in query else default
    except ValueError as error:
        raise _Invalid(parameter, f"'{parameter}' must be a valid ISO 8601 date") from error


def _written(moment: float) -> str:
    """`2025-12-04T09:56:34.000Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _problem(
    status: int, title: str, detail: str = "", *, kind: str = "", headers: Mapping[str, str] | None = None
) -> WireAnswer:
    about = f"{PROBLEMS}{kind}" if kind else "about:blank"
    body = {"title": title, "type": about, "status": status, "detail": detail or title}
    return WireAnswer(status, body, headers=headers or {})


def _invalid(parameter: str, message: str) -> WireAnswer:
    body = {
        "errors": [{"parameters": {parameter: ["…"]}, "message": message}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{PROBLEMS}invalid-request",
    }
    return WireAnswer(400, body)


def _gone(tweet_id: str) -> Row:
    return {
        "value": tweet_id,
        "detail": f"Could not find tweet with id: [{tweet_id}].",
        "title": "Not Found Error",
        "resource_type": "tweet",
        "parameter": "id",
        "resource_id": tweet_id,
        "type": "https://api.twitter.com/2/problems/resource-not-found",
    }


def _rate_headers(limit: int, remaining: int, seconds_left: float) -> dict[str, str]:
    return {
        "x-rate-limit-limit": str(limit),
        "x-rate-limit-remaining": str(remaining),
        "x-rate-limit-reset": str(math.ceil(time.time() + seconds_left)),
    }


def _odd_values(row: Row) -> Row:
    if "text" not in row:
        metrics = {"followers_count": faults.BEYOND_64_BITS}
        return {**row, "name": faults.ODD_TEXT, "description": faults.ODD_TEXT, "public_metrics": metrics}
    return {**row, "text": faults.ODD_TEXT, "created_at": faults.BEFORE_ALL_YEARS}


UNREADABLE = (
    lambda _: None,
    lambda row: {**row, "id": None},
    lambda row: {**row, "id": float(row["id"])},
    lambda row: str(row["id"]),
    lambda row: {key: value for key, value in row.items() if key != "id"},
)
