"""X's own API: counters, retweets, replies, quotes.

What is newer than a moment is searched for, so that only new posts are paid; whole lists have endpoints of their own.
Recent search goes back seven days, and shows a post half a minute after it was written; see docs/collection.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Self

from socap_cli.errors import KeyRefused, NotFound, RequestRefused
from socap_cli.model.account import ListItem, Page, TweetsAnswer
from socap_cli.model.kinds import METRICS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.model.links import snowflake_time
from socap_cli.providers.http_provider import (
    Answer,
    Endpoint,
    HttpProvider,
    rate_window,
    read_page,
    read_rows,
)
from socap_cli.providers.protocol import FOLLOWINGS, AllowedRate, Prices
from socap_cli.providers.x_api import rows
from socap_cli.settings import ProviderSettings

NO_TWEET = "1"
SEARCHED = timedelta(days=7)
SHOWN_AFTER = timedelta(seconds=30)
"""What is newer is not found, and a time that is newer is refused."""
MARGIN = timedelta(minutes=5)
"""Clocks differ, and the seven days pass while a request is on its way."""
RELATIONS = {RETWEETS: "retweeted", REPLIES: "replied_to", QUOTES: "quoted"}
QUERIES = {
    RETWEETS: "retweets_of_tweet_id:{}",
    REPLIES: "in_reply_to_tweet_id:{}",
    QUOTES: "quotes_of_tweet_id:{} -is:retweet",
}
BALANCE = "/2/usage/credits"
SEARCH, ARCHIVE, RETWEETERS = "search", "archive", "retweeters"


@dataclass(frozen=True, kw_only=True)
class XEndpoint(Endpoint):
    """One operation; `{tweet_id}` in its path stands for the tweet's."""

    a_window: int
    """Requests that an app may make in `WINDOW`."""
    at_once: bool = True
    """Whether it may make them at once."""
    sizes: tuple[int, int] = (1, 100)
    """The smallest and the largest page."""
    is_search: bool = False
    exclude: str = ""
    """Rows that X leaves out, unpaid."""

    @property
    def fields(self) -> dict[str, str]:
        """What to ask for: without it X sends ids and texts only."""
        fields = {**POST_FIELDS, **AUTHORS} if self.rows_are_posts else USER_FIELDS
        return {**fields, "exclude": self.exclude} if self.exclude else fields


ENDPOINTS: dict[str, XEndpoint] = {
    METRICS: XEndpoint(path="/2/tweets", a_window=3_500),
    RETWEETS: XEndpoint(
        path="/2/tweets/{tweet_id}/retweets", a_window=75, counters=("retweet_count", "repost_count")
    ),
    REPLIES: XEndpoint(
        path="/2/tweets/search/recent",
        a_window=450,
        counters=("reply_count",),
        sizes=(10, 100),
        is_search=True,
        takes_times=True,
    ),
    # Without `exclude`, most rows are retweets of quotes.
    QUOTES: XEndpoint(
        path="/2/tweets/{tweet_id}/quote_tweets",
        a_window=75,
        counters=("quote_count",),
        sizes=(10, 100),
        exclude="retweets",
    ),
    SEARCH: XEndpoint(path="/2/tweets/search/recent", a_window=450, sizes=(10, 100), is_search=True),
    # At most one request a second, too.
    ARCHIVE: XEndpoint(
        path="/2/tweets/search/all", a_window=300, at_once=False, sizes=(10, 500), is_search=True
    ),
    # Without times and at twice the price: for keys that may not read retweets as posts.
    RETWEETERS: XEndpoint(path="/2/tweets/{tweet_id}/retweeted_by", a_window=75, rows_are_posts=False),
    FOLLOWINGS: XEndpoint(path="/2/users/{user_id}/following", a_window=300, rows_are_posts=False),
}
PRICES = Prices(tweet=500.0, user=1_000.0, minimum=0.0)
"""What fails, or finds nothing, is free.

X counts in USD: a credit is 0.00001 of one, so that budgets and worths mean the same with every provider.
"""


class XApi(HttpProvider):
    """One bearer token at one address. Threads share it."""

    name = "x"
    url = "https://api.x.com"
    largest_batch = 100
    list_prices = PRICES
    key_header = ("Authorization", "Bearer ")
    usd_per_credit = 0.00001
    reads_followings = False
    other_counters: ClassVar = {
        "likes": ("like_count",), "views": ("impression_count",), "bookmarks": ("bookmark_count",)
    }  # fmt: skip
    endpoints: Mapping[str, XEndpoint] = ENDPOINTS

    def __init__(self, key: str, **options: Any) -> None:
        """`options` are those of HttpProvider."""
        super().__init__(key, **options)
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.bills_once_a_day = self.bills_authors = True
        self._has_archive = False
        self._refused: set[tuple[str, Kind]] = set()
        """Operations that this key may not use, though others that serve the same list work."""

    @classmethod
    def build(cls, settings: ProviderSettings) -> Self:
        """The provider as the settings describe it. Raises ConfigError."""
        provider = super().build(settings)
        provider.bills_once_a_day, provider.bills_authors = settings.bills_once_a_day, settings.bills_authors
        return provider

    @property
    def lists_with_times(self) -> frozenset[Kind]:
        """All: what is new is searched for."""
        return self.lists

    def reaches_back(self, kind: Kind) -> timedelta | None:
        """Replies are searched for: seven days, unless the archive was searched with this key."""
        return SEARCHED - MARGIN if kind == REPLIES and not self._has_archive else None

    def operation(
        self, kind: Kind, tweet_id: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> str:
        """Recent search for what is new, the archive for what is older than seven days, else the list itself."""
        chosen, oldest = str(kind), self.now() - SEARCHED + MARGIN
        if kind == REPLIES:
            begins = since or snowflake_time(tweet_id)
            chosen = ARCHIVE if begins is not None and begins <= oldest else chosen
        elif since is not None and until is None and since > oldest:
            chosen = SEARCH
        while (chosen, kind) in self._refused:
            chosen = _instead(chosen, kind) or kind
        return chosen

    def limit_scope(self, operation: str) -> str:
        """Each endpoint has a limit of its own."""
        return self.endpoints[operation].path

    def price(self, operation: str, items: int) -> float:
        """Credits for an answer of so many items, each by another author who was not read today."""
        if (operation, operation) in self._refused:
            operation = _instead(operation, Kind(operation)) or operation
        authors = self.bills_authors and operation != METRICS and self.endpoints[operation].rows_are_posts
        return super().price(operation, items) + (items * self.prices.user if authors else 0.0)

    def credits_left(self) -> float | None:
        """The balance, which X does not tell every token. Raises ProviderError.

        Where it is not told, a tweet that never was is requested, which is free, so that a wrong token is noticed.
        """
        try:
            with self.ask(BALANCE, {}) as answer:
                usd = rows.balance_in(answer)
        except (NotFound, RequestRefused):
            usd = None
        if usd is None:
            self.tweets([NO_TWEET])
            return None
        return usd / self.usd_per_credit

    def allowed_rate(self, scope: str) -> AllowedRate | None:
        """The rate that X's documentation names for an app."""
        for endpoint in self.endpoints.values():
            if endpoint.path == scope:
                source = f"X's documentation: {endpoint.a_window:,} in 15 minutes"
                at_once = endpoint.a_window if endpoint.at_once else 0
                return AllowedRate(endpoint.a_window / WINDOW, source, at_once)
        return None

    def tweets(self, tweet_ids: Sequence[str], *, with_authors: bool = True) -> TweetsAnswer:
        """Look up to `batch` tweets up at once. Raises ProviderError."""
        params = {"ids": ",".join(tweet_ids), **POST_FIELDS, **(AUTHORS if with_authors else {})}
        with self.ask(self.endpoints[METRICS].path, params) as answer:
            body = rows.object_in(answer)
            listed = [] if not body.get("data") and rows.problems_of(body) else rows.rows_in(answer)
            accounts = rows.accounts_in(answer)
            read = partial(rows.read_tweet, accounts=accounts, counters=self.counter_names)
            tweets, unreadable = read_rows(answer, listed, read)
        asked = {tweet.tweet_id: tweet for tweet in tweets if tweet.tweet_id in tweet_ids}
        window = rate_window(answer.headers)
        return TweetsAnswer(asked, len(listed), unreadable, self._billed(answer, listed), window)

    def page(
        self,
        kind: Kind,
        tweet_id: str,
        *,
        cursor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        size: int | None = None,
    ) -> Page:
        """One page of a list, newest first. Raises ProviderError.

        What this key may not use is replaced by what serves the same list, if that works.
        """
        if kind not in self.lists:
            raise RequestRefused(f"{self.name} has no list of {kind}")
        operation = self.operation(kind, tweet_id, since=since, until=until)
        endpoint = self.endpoints[operation]
        smallest, largest = endpoint.sizes
        params = {"max_results": str(max(smallest, min(size or largest, largest))), **endpoint.fields}
        if endpoint.is_search:
            params["query"] = QUERIES[kind].format(tweet_id)
            oldest = self.now() - SEARCHED + MARGIN
            if operation == ARCHIVE:
                oldest = since or oldest
            elif until and until <= oldest:
                return Page((), None, 0)  # recent search does not go back so far
            if since and since >= oldest:
                params["start_time"] = _written(since)
            if until and until < self.now() - SHOWN_AFTER:
                params["end_time"] = _written(until)
        if cursor:
            params["next_token" if endpoint.is_search else "pagination_token"] = cursor
        try:
            return self._page(endpoint, params, kind, tweet_id)
        except (KeyRefused, RequestRefused):
            if _instead(operation, kind) is None:
                raise
            self._refused.add((operation, kind))
            try:
                return self.page(kind, tweet_id, cursor=cursor, since=since, until=until, size=size)
            except (KeyRefused, RequestRefused):
                self._refused.discard((operation, kind))
                raise

    def _page(self, endpoint: XEndpoint, params: dict[str, str], kind: Kind, tweet_id: str) -> Page:
        path = endpoint.path.format(tweet_id=tweet_id)
        has_cursor = not params.keys().isdisjoint(("next_token", "pagination_token"))
        with self.ask(path, params, has_cursor=has_cursor) as answer:
            read: Callable[[object], ListItem | None] = rows.read_account
            if endpoint.rows_are_posts:
                accounts = rows.accounts_in(answer)
                read = partial(rows.read_post, accounts=accounts, relation=RELATIONS[kind], tweet_id=tweet_id)
            listed = rows.rows_in(answer)
            page = read_page(answer, listed, read, rows.next_token(answer))
            billed = self._billed(answer, listed, are_posts=endpoint.rows_are_posts)
        self._has_archive |= endpoint is self.endpoints[ARCHIVE]
        return replace(page, billed=billed, blank_is_normal=True)

    def _billed(self, answer: Answer, listed: Sequence[Any], *, are_posts: bool = True) -> dict[str, float]:
        """What X bills of an answer: its rows and, it seems, the accounts beside them."""
        name, price = ("post", self.prices.tweet) if are_posts else ("user", self.prices.user)
        billed = {f"{name} {row.get('id')}": price for row in listed if isinstance(row, dict)}
        if self.bills_authors:
            billed |= {f"user {user_id}": self.prices.user for user_id in rows.accounts_in(answer)}
        return billed

    def followings(self, username: str, *, cursor: str | None = None) -> Page:  # noqa: ARG002
        """Not read from X: an account costs a cent."""
        raise RequestRefused(f"the followings of @{username} are not read from X")


WINDOW = 900.0
"""Seconds in which X counts requests."""
POST_FIELDS = {"tweet.fields": "created_at,author_id,referenced_tweets,public_metrics,note_tweet"}
USER_FIELDS = {"user.fields": "username,name,description,public_metrics,verified,verified_type"}
AUTHORS = {"expansions": "author_id", **USER_FIELDS}
"""X seems to bill each account that it sends beside posts, so these are asked for where people are new."""


def _instead(operation: str, kind: Kind) -> str | None:
    """What serves the same list for a key that may not use an operation."""
    return {RETWEETS: RETWEETERS, ARCHIVE: REPLIES, SEARCH: kind}.get(operation)


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
