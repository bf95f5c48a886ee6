"""twitterapi.io: batched counters, retweeters, replies, quotes, followings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from socap_cli.config import Provider as Settings
from socap_cli.errors import RequestRefused
from socap_cli.model import cleaning
from socap_cli.model.account import ListItem, Page, TweetsAnswer
from socap_cli.model.kinds import METRICS, Kind
from socap_cli.providers.http_provider import HttpProvider, page_of, tweets_answer
from socap_cli.providers.prices import Prices
from socap_cli.providers.protocol import FOLLOWINGS, AllowedRate
from socap_cli.providers.rows import read_rows
from socap_cli.providers.transport import Transport
from socap_cli.providers.twitterapi_io import envelope, wire
from socap_cli.providers.twitterapi_io.endpoints import (
    ACCOUNT,
    ENDPOINTS,
    PRICES,
    Endpoint,
    counter_fields,
    rate_of,
)

URL = "https://api.twitterapi.io"
LARGEST_BATCH = 50
FOLLOWINGS_A_PAGE = 200


class TwitterApiIo(HttpProvider):
    """One key at one address. Threads share it."""

    name = "twitterapi.io"
    usd_per_credit = 0.00001
    endpoints = ENDPOINTS

    def __init__(
        self, key: str, *, url: str = URL, batch: int = LARGEST_BATCH, timeout: float = 30.0,
        prices: Prices = PRICES,
    ) -> None:  # fmt: skip
        """`timeout` in seconds. Raises ConfigError."""
        headers = {"X-API-Key": key} if key else {}
        transport = Transport(url, headers, timeout=timeout, secrets=(key,))
        super().__init__(transport, batch=min(batch, LARGEST_BATCH), prices=prices)

    def limit_scope(self, operation: str) -> str:  # noqa: ARG002
        """The limit is the account's: all endpoints share it."""
        return "account"

    def credits_left(self) -> float | None:
        """Credits on the account; None when it does not say. Raises ProviderError."""
        body = envelope.object_in(self._transport.get(ENDPOINTS[ACCOUNT].path, {}))
        told = [cleaning.real(body.get(name)) for name in ("recharge_credits", "total_bonus_credits")]
        known = [amount for amount in told if amount is not None]
        return sum(known) if known else None

    def allowed_rate(self, scope: str) -> AllowedRate | None:  # noqa: ARG002
        """The rate of the tier that the balance makes. Raises ProviderError."""
        left = self.credits_left()
        return None if left is None else AllowedRate(rate_of(left), f"the balance of {left:,.0f} credits")

    def tweets(self, tweet_ids: Sequence[str]) -> TweetsAnswer:
        """Look up to `batch` tweets up at once. Raises ProviderError."""
        endpoint = ENDPOINTS[METRICS]
        answer = self._transport.get(endpoint.path, {"tweet_ids": ",".join(tweet_ids)})
        rows = envelope.rows_in(answer, endpoint.row_keys)
        read = partial(wire.read_tweet, counter_fields=counter_fields())
        found = read_rows(rows, read, endpoint=endpoint.path, clean=self._transport.clean)
        return tweets_answer(found, tweet_ids, len(rows))

    def page(
        self,
        kind: Kind,
        tweet_id: str,
        *,
        cursor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
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
        endpoint, transport = ENDPOINTS[operation], self._transport
        asked = {**params, "cursor": cursor} if cursor else params
        answer = transport.get(endpoint.path, asked, has_cursor=bool(cursor))
        rows = envelope.rows_in(answer, endpoint.row_keys)
        read = partial(_read, endpoint, tweet_id)
        found = read_rows(rows, read, endpoint=endpoint.path, clean=transport.clean)
        following, cut_off = envelope.next_cursor(answer.body)
        return page_of(found, len(rows), following, cut_off=cut_off)


def _read(endpoint: Endpoint, tweet_id: str, row: Any) -> ListItem | None:
    return endpoint.read(row, tweet_id)


def build(settings: Settings) -> TwitterApiIo:
    """The provider as the settings describe it; without a key it is refused whatever it asks. Raises ConfigError."""
    return TwitterApiIo(
        settings.api_key.get_secret_value() if settings.api_key else "",
        url=settings.url or URL,
        batch=settings.batch or LARGEST_BATCH,
        timeout=settings.timeout,
        prices=PRICES.as_set(settings),
    )
