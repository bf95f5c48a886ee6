"""X's endpoints as a table: where each is, what it counts, what it costs, how often it may be asked."""

from __future__ import annotations

from dataclasses import dataclass

from socap_cli.model.kinds import METRICS, QUOTES, REPLIES, RETWEETS
from socap_cli.providers.prices import Prices
from socap_cli.providers.protocol import FOLLOWINGS

WINDOW = 900.0
"""Seconds in which X counts requests."""
POST_FIELDS = {
    "tweet.fields": "created_at,author_id,conversation_id,in_reply_to_user_id,referenced_tweets,public_metrics",
    "expansions": "author_id",
}
USER_FIELDS = {"user.fields": "username,name,description,public_metrics,verified,verified_type"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation."""

    path: str
    """`{tweet_id}` stands for the tweet's."""
    a_window: int
    """Requests that an app may make in `WINDOW`."""
    counters: tuple[str, ...] = ()
    """The public metric that counts its list: its name of old, and since the renaming of tweets to posts."""
    rows_are_posts: bool = True
    takes_times: bool = False
    cursor_parameter: str = "pagination_token"

    @property
    def is_list(self) -> bool:
        """Whether it is a list of a tweet."""
        return bool(self.counters)

    @property
    def fields(self) -> dict[str, str]:
        """What to ask for: without it X sends ids and texts only."""
        return {**POST_FIELDS, **USER_FIELDS} if self.rows_are_posts else USER_FIELDS


ENDPOINTS: dict[str, Endpoint] = {
    METRICS: Endpoint("/2/tweets", 3_500),
    RETWEETS: Endpoint(
        "/2/tweets/{tweet_id}/retweeted_by", 75, ("retweet_count", "repost_count"), rows_are_posts=False
    ),
    REPLIES: Endpoint(
        "/2/tweets/search/recent", 450, ("reply_count",), takes_times=True, cursor_parameter="next_token"
    ),
    QUOTES: Endpoint("/2/tweets/{tweet_id}/quote_tweets", 75, ("quote_count",)),
    FOLLOWINGS: Endpoint("/2/users/{user_id}/following", 15, rows_are_posts=False),
}
COUNTERS = {"likes": ("like_count",), "views": ("impression_count",), "bookmarks": ("bookmark_count",)}
"""The public metrics of counters without a list that is read."""
PRICES = Prices(tweet=500.0, user=1_000.0, minimum=0.0)
"""What fails, or finds nothing, is free.

X counts in USD: a credit is 0.00001 of one, so that budgets and worths mean the same with every provider.
"""


def counter_names() -> dict[str, tuple[str, ...]]:
    """The public metrics by the name of the counter that they hold."""
    lists = {name: endpoint.counters for name, endpoint in ENDPOINTS.items() if endpoint.is_list}
    return {**COUNTERS, **lists}
