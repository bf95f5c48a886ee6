"""twitterapi.io's endpoints as a table: where each is, what its rows are, what they cost. A list is one row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from socap_cli.model.account import ListItem
from socap_cli.model.kinds import METRICS, QUOTES, REPLIES, RETWEETS
from socap_cli.providers.prices import Prices
from socap_cli.providers.protocol import FOLLOWINGS
from socap_cli.providers.twitterapi_io import wire

ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation."""

    path: str
    row_keys: tuple[str, ...] = ()
    """Where its rows may stand, the likeliest first."""
    read: Callable[[Any, str], ListItem | None] = wire.read_account
    """Reads a row of the list of a tweet; None when the row is of no concern. Raises Unreadable."""
    counter: str | None = None
    """The field of a tweet that counts its list; None when it is no list of a tweet."""
    rows_are_posts: bool = True
    """Whether a row is charged as a tweet, else as an account."""
    takes_times: bool = False

    @property
    def is_list(self) -> bool:
        """Whether it is a list of a tweet."""
        return self.counter is not None


ENDPOINTS: dict[str, Endpoint] = {
    METRICS: Endpoint("/twitter/tweets", ("tweets",)),
    RETWEETS: Endpoint(
        "/twitter/tweet/retweeters", ("users", "retweeters"), counter="retweetCount", rows_are_posts=False
    ),
    REPLIES: Endpoint(
        "/twitter/tweet/replies", ("tweets", "replies"), wire.read_reply, "replyCount", takes_times=True
    ),
    QUOTES: Endpoint(
        "/twitter/tweet/quotes", ("tweets", "quotes"), wire.read_quote, "quoteCount", takes_times=True
    ),
    FOLLOWINGS: Endpoint("/twitter/user/followings", ("followings", "users"), rows_are_posts=False),
    ACCOUNT: Endpoint("/oapi/my/info"),
}

TIERS = ((50_000.0, 20.0), (10_000.0, 10.0), (5_000.0, 6.0), (1_000.0, 3.0))
"""Requests a second of an account by the credits on it."""
LOWEST_TIER = 0.2
PRICES = Prices(tweet=15.0, user=18.0, minimum=15.0)


def counter_fields() -> dict[str, str]:
    """The fields of a tweet by the name of the counter that they hold."""
    counted = {name: endpoint.counter for name, endpoint in ENDPOINTS.items() if endpoint.counter}
    return {**wire.COUNTER_FIELDS, **counted}


def rate_of(credits_left: float) -> float:
    """Requests a second that an account with these credits is allowed."""
    return next((rate for least, rate in TIERS if credits_left >= least), LOWEST_TIER)
