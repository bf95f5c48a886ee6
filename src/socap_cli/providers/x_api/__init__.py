"""X's own API: counters, retweets, replies by search, quotes.

Search goes back seven days, and shows a post half a minute after it was written; see docs/collection.md for what
that means for a campaign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from socap_cli.errors import KeyRefused, NotFound, RequestRefused
from socap_cli.model.account import ListItem, Page, TweetsAnswer
from socap_cli.model.kinds import METRICS, QUOTES, REPLIES, RETWEETS, Kind
from socap_cli.providers.http_provider import Endpoint, HttpProvider, read_page, read_rows
from socap_cli.providers.protocol import FOLLOWINGS, AllowedRate, Prices
from socap_cli.providers.x_api import rows
from socap_cli.settings import ProviderSettings

URL = "https://api.x.com"
LARGEST_BATCH = 100
NO_TWEET = "1"
LARGEST_PAGE = 100
SEARCHED = timedelta(days=7)
SHOWN_AFTER = timedelta(seconds=30)
"""What is newer is not found, and a time that is newer is refused."""
MARGIN = timedelta(minutes=5)
"""Clocks differ, and the seven days pass while a request is on its way."""
RELATIONS = {RETWEETS: "retweeted", REPLIES: "replied_to", QUOTES: "quoted"}
BALANCE = "/2/usage/credits"


@dataclass(frozen=True, kw_only=True)
class XEndpoint(Endpoint):
    """One operation; `{tweet_id}` in its path stands for the tweet's."""

    a_window: int
    """Requests that an app may make in `WINDOW`."""
    counters: tuple[str, ...] = ()
    """The public metric that counts its list: its name of old, and since the renaming of tweets to posts."""
    cursor_parameter: str = "pagination_token"
    exclude: str = ""
    """Rows that X leaves out, unpaid."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list of a tweet."""
        return bool(self.counters)

    @property
    def fields(self) -> dict[str, str]:
        """What to ask for: without it X sends ids and texts only."""
        fields = {**POST_FIELDS, **USER_FIELDS} if self.rows_are_posts else USER_FIELDS
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
        takes_times=True,
        cursor_parameter="next_token",
    ),
    # Without `exclude`, most rows are retweets of quotes.
    QUOTES: XEndpoint(
        path="/2/tweets/{tweet_id}/quote_tweets",
        a_window=75,
        counters=("quote_count",),
        exclude="retweets",
    ),
    FOLLOWINGS: XEndpoint(path="/2/users/{user_id}/following", a_window=300, rows_are_posts=False),
}
RETWEETERS = XEndpoint(
    path="/2/tweets/{tweet_id}/retweeted_by",
    a_window=75,
    counters=("retweet_count", "repost_count"),
    rows_are_posts=False,
)
"""Without times and at twice the price: for keys that may not read retweets as posts."""
PRICES = Prices(tweet=500.0, user=1_000.0, minimum=0.0)
"""What fails, or finds nothing, is free.

X counts in USD: a credit is 0.00001 of one, so that budgets and worths mean the same with every provider.
"""


class XApi(HttpProvider):
    """One bearer token at one address. Threads share it."""

    name = "x"
    usd_per_credit = 0.00001
    endpoints: Mapping[str, XEndpoint] = ENDPOINTS

    def __init__(
        self, key: str, *, url: str = URL, batch: int = LARGEST_BATCH, timeout: float = 30.0,
        prices: Prices = PRICES,
    ) -> None:  # fmt: skip
        """`timeout` in seconds. Raises ConfigError."""
        self.now: Callable[[], datetime] = _utc_now
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        super().__init__(
            url, headers, key=key, timeout=timeout, batch=min(batch, LARGEST_BATCH), prices=prices
        )

    def reaches_back(self, kind: Kind) -> timedelta | None:
        """Replies are searched for, as far back as search goes."""
        return SEARCHED - MARGIN if kind == REPLIES else None

    def limit_scope(self, operation: str) -> str:
        """Each endpoint has a limit of its own."""
        return self.endpoints[operation].path

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
        for endpoint in (*ENDPOINTS.values(), RETWEETERS):
            if endpoint.path == scope:
                said = f"X's documentation: {endpoint.a_window:,} in 15 minutes"
                return AllowedRate(endpoint.a_window / WINDOW, said)
        return None

    def tweets(self, tweet_ids: Sequence[str]) -> TweetsAnswer:
        """Look up to `batch` tweets up at once. Raises ProviderError."""
        endpoint = ENDPOINTS[METRICS]
        with self.ask(endpoint.path, {"ids": ",".join(tweet_ids), **endpoint.fields}) as answer:
            body = rows.object_in(answer)
            listed = [] if not body.get("data") and rows.problems_of(body) else rows.rows_in(answer)
            accounts = rows.accounts_in(answer)
            read = partial(rows.read_tweet, accounts=accounts, counters=counter_names())
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
    ) -> Page:
        """One page of a list, newest first. Raises ProviderError."""
        if kind not in self.lists:
            raise RequestRefused(f"{self.name} has no list of {kind}")
        endpoint = self.endpoints[kind]
        if endpoint is ENDPOINTS[RETWEETS] and not cursor:
            try:
                return self._page(endpoint, kind, tweet_id)
            except (NotFound, KeyRefused):
                page = self._page(RETWEETERS, kind, tweet_id)
            self.endpoints = {**ENDPOINTS, RETWEETS: RETWEETERS}
            return page
        return self._page(endpoint, kind, tweet_id, cursor=cursor, since=since, until=until)

    def _page(
        self,
        endpoint: XEndpoint,
        kind: Kind,
        tweet_id: str,
        *,
        cursor: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Page:
        params = {"max_results": str(LARGEST_PAGE), **endpoint.fields}
        if kind == REPLIES:
            params |= {"query": f"in_reply_to_tweet_id:{tweet_id}", **self._times(since, until)}
        if cursor:
            params[endpoint.cursor_parameter] = cursor
        path = endpoint.path.format(tweet_id=tweet_id)
        with self.ask(path, params, has_cursor=bool(cursor)) as answer:
            read: Callable[[object], ListItem | None] = rows.read_account
            if endpoint.rows_are_posts:
                accounts = rows.accounts_in(answer)
                read = partial(rows.read_post, accounts=accounts, relation=RELATIONS[kind], tweet_id=tweet_id)
            page = read_page(answer, rows.rows_in(answer), read, rows.next_token(answer))
        return replace(page, blank_is_normal=True)

    def followings(self, username: str, *, cursor: str | None = None) -> Page:  # noqa: ARG002
        """Not read from X: an account costs a cent."""
        raise RequestRefused(
            f"the followings of @{username} are not read from X", hint="import a list: socap importance import"
        )

    def _times(self, since: datetime | None, until: datetime | None) -> dict[str, str]:
        """The bounds that search takes; it refuses a start before its seven days, and an end that is hardly past."""
        now = self.now()
        times = {}
        if since and since > now - SEARCHED + MARGIN:
            times["start_time"] = _written(since)
        if until and until < now - SHOWN_AFTER:
            times["end_time"] = _written(until)
        return times


WINDOW = 900.0
"""Seconds in which X counts requests."""
POST_FIELDS = {
    "tweet.fields": "created_at,author_id,referenced_tweets,public_metrics,note_tweet",
    "expansions": "author_id",
}
USER_FIELDS = {"user.fields": "username,name,description,public_metrics,verified,verified_type"}
COUNTERS = {"likes": ("like_count",), "views": ("impression_count",), "bookmarks": ("bookmark_count",)}
"""The public metrics of counters without a list that is read."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _written(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def build(settings: ProviderSettings) -> XApi:
    """The provider as the settings describe it; without a token it is refused whatever it asks. Raises ConfigError."""
    return XApi(
        settings.api_key.get_secret_value() if settings.api_key else "",
        url=settings.url or URL,
        batch=settings.batch or LARGEST_BATCH,
        timeout=settings.timeout,
        prices=PRICES.as_set(settings),
    )


def counter_names() -> dict[str, tuple[str, ...]]:
    """The public metrics by the name of the counter that they hold."""
    lists = {name: endpoint.counters for name, endpoint in ENDPOINTS.items() if endpoint.is_list}
    return {**COUNTERS, **lists}
