"""twitterapi.io: batched counters, retweeters, replies, quotes, followings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, ClassVar

from socap_cli.errors import RequestRefused
from socap_cli.model import cleaning
from socap_cli.model.account import ListItem, Page, TweetsAnswer
from socap_cli.model.kinds import METRICS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.providers.http_provider import Endpoint, HttpProvider, read_page, read_rows
from socap_cli.providers.protocol import FOLLOWINGS, AllowedRate, Prices
from socap_cli.providers.twitterapi_io import rows

FOLLOWINGS_A_PAGE = 200
ACCOUNT = "account"


@dataclass(frozen=True, kw_only=True)
class TwitterApiEndpoint(Endpoint):
    """One operation."""

    row_keys: tuple[str, ...] = ()
    """Where its rows may stand, the likeliest first."""
    read: Callable[[Any, str], ListItem | None] = rows.read_account
    """Reads a row of the list of a tweet; None when the row is of no concern. Raises BadRow."""


ENDPOINTS: dict[str, TwitterApiEndpoint] = {
    METRICS: TwitterApiEndpoint(path="/twitter/tweets", row_keys=("tweets",)),
    RETWEETS: TwitterApiEndpoint(
        path="/twitter/tweet/retweeters",
        row_keys=("users", "retweeters"),
        counters=("retweetCount",),
        rows_are_posts=False,
    ),
    REPLIES: TwitterApiEndpoint(
        path="/twitter/tweet/replies",
        row_keys=("tweets", "replies"),
        read=rows.read_reply,
        counters=("replyCount",),
        takes_times=True,
    ),
    QUOTES: TwitterApiEndpoint(
        path="/twitter/tweet/quotes",
        row_keys=("tweets", "quotes"),
        read=rows.read_quote,
        counters=("quoteCount",),
        takes_times=True,
    ),
    FOLLOWINGS: TwitterApiEndpoint(
        path="/twitter/user/followings", row_keys=("followings", "users"), rows_are_posts=False
    ),
    ACCOUNT: TwitterApiEndpoint(path="/oapi/my/info"),
}
PRICES = Prices(tweet=15.0, user=18.0, minimum=15.0)


class TwitterApiIo(HttpProvider):
    """One key at one address. Threads share it."""

    name = "twitterapi.io"
    url = "https://api.twitterapi.io"
    largest_batch = 50
    list_prices = PRICES
    key_header = ("X-API-Key", "")
    usd_per_credit = 0.00001
    endpoints = ENDPOINTS
    other_counters: ClassVar = {
        "likes": ("likeCount",),
        "views": ("viewCount",),
        "bookmarks": ("bookmarkCount",),
    }

    def limit_scope(self, operation: str) -> str:  # noqa: ARG002
        """The limit is the account's: all endpoints share it."""
        return "account"

    def credits_left(self) -> float | None:
        """Credits on the account; None when it does not say. Raises ProviderError."""
        with self.ask(ENDPOINTS[ACCOUNT].path, {}) as answer:
            body = rows.object_in(answer)
        amounts = [cleaning.real(body.get(name)) for name in ("recharge_credits", "total_bonus_credits")]
        known = [amount for amount in amounts if amount is not None]
        return sum(known) if known else None

    def allowed_rate(self, scope: str) -> AllowedRate | None:  # noqa: ARG002
        """The rate of the tier that the balance makes. Raises ProviderError."""
        left = self.credits_left()
        return None if left is None else AllowedRate(rate_of(left), f"the balance of {left:,.0f} credits")

    def tweets(self, tweet_ids: Sequence[str], *, with_authors: bool = True) -> TweetsAnswer:  # noqa: ARG002
        """Look up to `batch` tweets up at once. Raises ProviderError."""
        endpoint = ENDPOINTS[METRICS]
        with self.ask(endpoint.path, {"tweet_ids": ",".join(tweet_ids)}) as answer:
            listed = rows.rows_in(answer, endpoint.row_keys)
            read = partial(rows.read_tweet, counters=self.counter_names)
            tweets, unreadable = read_rows(answer, listed, read)
        asked = {tweet.tweet_id: tweet for tweet in tweets if tweet.tweet_id in tweet_ids}
        return TweetsAnswer(asked, len(listed), unreadable)

    def page(
        self,
        kind: Kind,
        tweet_id: str,
        *,
        cursor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        size: int | None = None,  # noqa: ARG002
    ) -> Page:
        """One page of a list, newest first. Raises ProviderError."""
        if kind not in self.lists:
            raise RequestRefused(f"{self.name} has no list of {kind}")
        params = {"tweetId": tweet_id}
        if since:
            params["sinceTime"] = str(int(since.timestamp()))
        if until:
            params["untilTime"] = str(int(until.timestamp()))
        return self._page(kind, params, tweet_id=tweet_id, cursor=cursor)

    def followings(self, username: str, *, cursor: str | None = None) -> Page:
        """One page of whom an account follows. Raises ProviderError."""
        params = {"userName": username, "pageSize": str(FOLLOWINGS_A_PAGE)}
        return self._page(FOLLOWINGS, params, tweet_id="", cursor=cursor)

    def _page(self, operation: str, params: dict[str, str], *, tweet_id: str, cursor: str | None) -> Page:
        endpoint = ENDPOINTS[operation]
        if cursor:
            params["cursor"] = cursor
        with self.ask(endpoint.path, params, has_cursor=bool(cursor)) as answer:
            listed = rows.rows_in(answer, endpoint.row_keys)
            return read_page(
                answer, listed, lambda row: endpoint.read(row, tweet_id), rows.next_cursor(answer.body)
            )


TIERS = ((50_000.0, 20.0), (10_000.0, 10.0), (5_000.0, 6.0), (1_000.0, 3.0))
"""Requests a second of an account by the credits on it."""
LOWEST_TIER = 0.2


def rate_of(credits_left: float) -> float:
    """Requests a second that an account with these credits is allowed."""
    return next((rate for least, rate in TIERS if credits_left >= least), LOWEST_TIER)
