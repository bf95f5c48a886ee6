"""What every provider has that is asked over HTTP: an address, prices, and a table of its endpoints."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import ClassVar, Protocol

from socap_cli.model.account import ListItem, Page, Tweet, TweetsAnswer
from socap_cli.model.kinds import Kind
from socap_cli.providers.prices import Prices
from socap_cli.providers.rows import Rows
from socap_cli.providers.transport import Transport


class Endpoint(Protocol):
    """A row of the table."""

    @property
    def path(self) -> str:
        """Where it is."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list of a tweet."""

    @property
    def rows_are_posts(self) -> bool:
        """Whether a row is charged as a tweet, else as an account."""

    @property
    def takes_times(self) -> bool:
        """Whether it can be asked for what is newer or older than a time."""


class HttpProvider:
    """One key at one address. Threads share it."""

    endpoints: ClassVar[Mapping[str, Endpoint]]

    def __init__(self, transport: Transport, *, batch: int, prices: Prices) -> None:
        self.batch = batch
        self.prices = prices
        self._transport = transport

    def close(self) -> None:
        """Let go of connections."""
        self._transport.close()

    @property
    def lists(self) -> frozenset[Kind]:
        """Lists that it serves."""
        return frozenset(Kind(name) for name, endpoint in self.endpoints.items() if endpoint.is_list)

    @property
    def lists_with_times(self) -> frozenset[Kind]:
        """Lists that can be asked for what is newer or older than a time."""
        return frozenset(kind for kind in self.lists if self.endpoints[kind].takes_times)

    def reaches_back(self, kind: Kind) -> timedelta | None:  # noqa: ARG002
        """To the beginning of a list, unless it is one that says otherwise."""
        return None

    def endpoint(self, operation: str) -> str:
        """The path, which requests are metered under."""
        return self.endpoints[operation].path

    def price(self, operation: str, items: int) -> float:
        """Credits for an answer of so many items."""
        return self.prices.of(items, are_posts=self.endpoints[operation].rows_are_posts)


def tweets_answer(found: Rows[Tweet], asked: Collection[str], rows: int) -> TweetsAnswer:
    """Those of the tweets that were asked for."""
    tweets = {tweet.tweet_id: tweet for tweet in found.items if tweet.tweet_id in asked}
    return TweetsAnswer(tweets, rows, found.unreadable)


def page_of(found: Rows[ListItem], rows: int, following: str | None, *, cut_off: bool) -> Page:
    """A page with each item once."""
    items: dict[str, ListItem] = {}
    for item in found.items:
        items.setdefault(item.source_id, item)
    return Page(tuple(items.values()), following, rows, found.unreadable, cut_off=cut_off)
