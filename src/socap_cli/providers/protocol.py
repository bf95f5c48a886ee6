"""What the rest of the program needs of a provider, and what a provider declares of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from socap_cli.model.account import Page, TweetsAnswer
from socap_cli.model.kinds import Kind
from socap_cli.settings import ProviderSettings

FOLLOWINGS = "followings"
"""The operation of reading whom an account follows; the others are named by their kind of job."""


@dataclass(frozen=True, slots=True)
class AllowedRate:
    """What a provider allows: requests a second in a limit scope, and what says so."""

    rate: float
    source: str
    at_once: int = 0
    """So many may be sent at once in each window of 15 minutes; 0: they are sent at the rate."""


class Provider(Protocol):
    """One key at one address. Threads share it.

    Everything that it is answered leaves as a value or as a ProviderError; no wire format and no path is known
    outside its package. An *operation* is a kind of job, `FOLLOWINGS`, or what `operation` returns.
    """

    @property
    def name(self) -> str:
        """Its row in the table of providers."""

    @property
    def batch(self) -> int:
        """Tweets in one request at most."""

    @property
    def lists(self) -> frozenset[Kind]:
        """Lists that it serves."""

    @property
    def lists_with_times(self) -> frozenset[Kind]:
        """Lists that can be asked for what is newer or older than a time."""

    @property
    def lists_in_windows(self) -> frozenset[Kind]:
        """Lists of which the whole can be asked for by time, part by part."""

    @property
    def bills_once_a_day(self) -> bool:
        """Whether a post or account that was read is not billed again on the same UTC day."""

    @property
    def reads_followings(self) -> bool:
        """Whether `followings` works."""

    def operation(
        self, kind: Kind, tweet_id: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> str:
        """The operation that serves such a page of a list."""

    def reaches_back(self, kind: Kind) -> timedelta | None:
        """The age from which on a list's items are not shown any more, though they are there; None: no age."""

    @property
    def usd_per_credit(self) -> float:
        """What one of its credits costs, unless the settings say otherwise."""

    def endpoint(self, operation: str) -> str:
        """What a request of this operation is metered under."""

    def limit_scope(self, operation: str) -> str:
        """Requests of one scope share a rate limit."""

    def price(self, operation: str, items: int) -> float:
        """Credits that an answer with so many items costs; with none, an empty one or an answered failure."""

    def tweets(self, tweet_ids: Sequence[str], *, with_authors: bool = True) -> TweetsAnswer:
        """Look up to `batch` tweets up at once; their authors may cost extra. Raises ProviderError."""

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

        Times bound it where `lists_with_times` says so: since inclusive, until exclusive, in whole seconds. `size` is
        how many items are worth asking for; None: all.
        """

    def followings(self, username: str, *, cursor: str | None = None) -> Page:
        """One page of whom an account follows. Raises ProviderError."""

    def credits_left(self) -> float | None:
        """Credits on the account; None when it does not say. Free of charge.

        Raises ProviderError; NotFound, since no tweet was asked for, says that the address is wrong.
        """

    def allowed_rate(self, scope: str) -> AllowedRate | None:
        """What it allows now in a limit scope; None when it does not say. Free of charge. Raises ProviderError."""

    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Credits for a tweet, for an account in a list, and the least that a request costs, empty or failed."""

    tweet: float
    user: float
    minimum: float

    def of(self, items: int, *, are_posts: bool) -> float:
        """What an answer with so many rows costs."""
        return max(self.minimum, items * (self.tweet if are_posts else self.user))

    def as_set(self, settings: ProviderSettings) -> Prices:
        """These, but for what the settings say."""
        named = {
            "tweet": settings.price_tweet,
            "user": settings.price_user,
            "minimum": settings.price_minimum,
        }
        return replace(self, **{name: price for name, price in named.items() if price is not None})
