"""What every provider over HTTP shares: requests, the meaning of statuses, and reading rows one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import urlencode, urlsplit

from socap_cli import http
from socap_cli.errors import (
    ConfigError,
    CreditsExhausted,
    CursorRefused,
    Forbidden,
    KeyRefused,
    MalformedAnswer,
    NotFound,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
)
from socap_cli.model import cleaning
from socap_cli.model.account import ListItem, Page, RateWindow, UnreadableRow
from socap_cli.model.kinds import Counters, Kind
from socap_cli.providers.protocol import Prices
from socap_cli.settings import ProviderSettings
from socap_cli.text import Mask

LARGEST_ANSWER = 20 * 2**20
"""Bytes after decompression. A page holds 20 to 200 rows of some kilobytes."""
MOST_CONTAINERS = 1_000_000
"""Objects and lists in an answer: in memory each is thirty times as large as in its text."""
LONGEST_COMPLAINT = 64 * 1024
"""Bytes of an answer that is no JSON which are looked at for its error message."""
DEADLINE = 2.0
"""A request is over after this many timeouts, however steadily its answer drips."""
SHORTEST_WAIT, LONGEST_WAIT = 0.5, 960.0
"""Seconds. The longest is a window of 15 minutes and one to spare."""
LONGEST_INTEGER = 40
MOST_ROWS = 20_000
"""No page of any list has as many."""
LONGEST_CURSOR = 4_096
HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
GONE = frozenset({404, 405, 410})
TEMPORARY = frozenset({408, 425})
CHECK_KEY = "check TWITTER_API_KEY"
CURSOR_NAMES = ("cursor", "pagination_token", "next_token")
"""How providers call what a page is asked for by."""

Item = TypeVar("Item")
Moment = datetime | None


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A row of a provider's table of operations."""

    path: str
    rows_are_posts: bool = True
    """Whether a row is charged as a tweet, else as an account."""
    takes_times: bool = False
    """Whether it can be asked for what is newer or older than a time."""
    counters: tuple[str, ...] = ()
    """The names of a tweet's field that counts its list; none when it is no list of a tweet."""

    @property
    def is_list(self) -> bool:
        """Whether it is a list of a tweet."""
        return bool(self.counters)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is the JSON value, or None when the body is no JSON."""

    path: str
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    """The beginning of a body that is no JSON, or why it is none: one line, cleaned and masked."""
    has_cursor: bool = False
    """Whether a page was asked for by its cursor."""
    clean: Callable[[str], str] = cleaning.one_line
    """Makes a text of the body fit for people: masked, one line, cut."""


class HttpProvider:
    """One key at one address. Threads share it."""

    name: ClassVar[str]
    url: ClassVar[str]
    largest_batch: ClassVar[int]
    list_prices: ClassVar[Prices]
    key_header: ClassVar[tuple[str, str]]
    """The header that the key stands in, and what stands before the key."""
    bills_once_a_day = False
    reads_followings = True
    endpoints: Mapping[str, Endpoint]
    other_counters: ClassVar[dict[str, tuple[str, ...]]]
    """The names of the fields of counters without a list that is read."""

    def __init__(
        self,
        key: str,
        *,
        url: str | None = None,
        batch: int | None = None,
        timeout: float = 30.0,
        prices: Prices | None = None,
    ) -> None:
        """`timeout` in seconds; without a key every request is refused.

        Raises ConfigError for an address, key or proxy that cannot be used, and repeats none of them.
        """
        url, (header, prefix) = self.url if url is None else url, self.key_header
        if key and not HEADER_VALUE.fullmatch(prefix + key):
            raise ConfigError("the provider's key contains an invalid character", hint="see TWITTER_API_KEY")
        try:
            parts = urlsplit(url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable:
            raise ConfigError("the provider's address is not a URL", hint="see TWITTER_API_URL")
        self.batch = min(batch or self.largest_batch, self.largest_batch)
        self.prices = prices or self.list_prices
        self._base = url.rstrip("/")
        self._headers = {"Accept": "application/json", **({header: prefix + key} if key else {})}
        self._timeout = timeout
        self._client = http.Client(url)
        self._mask = Mask((key, urlsplit(http.proxy_for(url) or "").password or ""))

    @classmethod
    def build(cls, settings: ProviderSettings) -> Self:
        """The provider as the settings describe it. Raises ConfigError."""
        key = settings.api_key.get_secret_value() if settings.api_key else ""
        prices = cls.list_prices.as_set(settings)
        return cls(key, url=settings.url, batch=settings.batch, timeout=settings.timeout, prices=prices)

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    @property
    def lists(self) -> frozenset[Kind]:
        """Lists that it serves."""
        return frozenset(Kind(name) for name, endpoint in self.endpoints.items() if endpoint.is_list)

    @property
    def lists_with_times(self) -> frozenset[Kind]:
        """Lists that can be asked for what is newer or older than a time."""
        return self.lists_in_windows

    @property
    def lists_in_windows(self) -> frozenset[Kind]:
        """Lists of which the whole can be asked for by time, part by part."""
        return frozenset(kind for kind in self.lists if self.endpoints[kind].takes_times)

    def operation(self, kind: Kind, tweet_id: str, *, since: Moment = None, until: Moment = None) -> str:  # noqa: ARG002
        """What serves a page of a list: its own endpoint, unless a provider overrides it."""
        return kind

    def reaches_back(self, kind: Kind) -> timedelta | None:  # noqa: ARG002
        """To the beginning of a list, unless a provider overrides it."""
        return None

    @property
    def counter_names(self) -> dict[str, tuple[str, ...]]:
        """The names of a tweet's fields by the counter that they hold."""
        lists: dict[str, tuple[str, ...]] = {kind: self.endpoints[kind].counters for kind in self.lists}
        return {**self.other_counters, **lists}

    def endpoint(self, operation: str) -> str:
        """The path, which requests are metered under."""
        return self.endpoints[operation].path

    def price(self, operation: str, items: int) -> float:
        """Credits for an answer of so many items."""
        return self.prices.of(items, are_posts=self.endpoints[operation].rows_are_posts)

    def clean(self, text: str) -> str:
        """A message for people: masked, one line, cut."""
        return cleaning.one_line(self._mask(text))

    @contextmanager
    def ask(self, path: str, params: Mapping[str, str], *, has_cursor: bool = False) -> Iterator[Answer]:
        """Send one request. Raises ProviderUnavailable, and MalformedAnswer for an unusable body.

        A connection whose answer the caller finds malformed is not used again: what the server sent beyond an answer
        would be taken for the next one.
        """
        query = f"?{urlencode(params, errors='replace')}" if params else ""
        try:
            response = self._client.request(
                "GET",
                f"{self._base}{path}{query}",
                headers=self._headers,
                timeout=self._timeout,
                deadline=DEADLINE * self._timeout,
                largest=LARGEST_ANSWER,
            )
            if response.failure and response.status < 300:
                raise response.failure
        except http.BadBody as error:
            raise MalformedAnswer(self.clean(error.reason), endpoint=path) from None
        except http.HttpError as error:
            raise ProviderUnavailable(
                f"connection failed: {self.clean(error.reason)}", endpoint=path
            ) from None
        body, text = self._parsed(response.body)
        try:
            yield Answer(path, response.status, body, response.headers, text, has_cursor, self.clean)
        except MalformedAnswer:
            response.drop_connection()
            raise

    def _parsed(self, body: bytes) -> tuple[Any, str]:
        """(JSON value, ""), or (None, the beginning of the body or why it cannot be read)."""
        try:
            if len(body) > 2 * MOST_CONTAINERS and body.count(b"{") + body.count(b"[") > MOST_CONTAINERS:
                return None, "the answer holds too many objects"
            return read_json(self._mask.body(body)), ""
        except RecursionError:
            return None, "the answer is nested too deep"
        except ValueError:
            return None, self.clean(body[:LONGEST_COMPLAINT].decode("utf-8", "replace"))


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else inf


DECODER = json.JSONDecoder(strict=False, parse_int=_integer)


def read_json(body: bytes) -> Any:
    """A JSON value. Raises ValueError, RecursionError.

    Bytes that are no UTF-8 cost the character they stand for, and a number of thousands of digits costs itself:
    not the answer.
    """
    text = body.decode(json.detect_encoding(body), "replace")
    return DECODER.decode(text.removeprefix("\ufeff").strip())


def error_for(answer: Answer, detail: str) -> ProviderError:
    """The error that a status of 300 or more stands for; `detail` is the message of its body, masked."""
    status, path = answer.status, answer.path
    message = f"HTTP {status}: {detail}"
    if status == 401:
        return KeyRefused(f"the key was refused: {detail}", endpoint=path, hint=CHECK_KEY)
    if status == 403:
        return Forbidden(message, endpoint=path, hint=CHECK_KEY)
    if status == 402:
        return CreditsExhausted(f"no credits left: {detail}", endpoint=path, hint="recharge the account")
    if status == 429:
        return RateLimited(f"rate limit: {detail}", endpoint=path, retry_after=retry_after(answer.headers))
    if status >= 500 or status in TEMPORARY:
        return unavailable(message, path, retry_after(answer.headers))
    if cursor_refused(answer, detail):
        return CursorRefused(message, endpoint=path)
    if status in GONE or status < 400:
        hint = "when every tweet is answered so: check TWITTER_API_URL"
        return NotFound(message, endpoint=path, hint=hint)
    return RequestRefused(message, endpoint=path)


def json_object(answer: Answer) -> dict[str, Any]:
    """The body as an object. Raises MalformedAnswer that says what it is instead."""
    body = answer.body
    if isinstance(body, dict):
        return body
    if body is None and answer.text:
        raise MalformedAnswer(f"the answer is not JSON: {answer.text}", endpoint=answer.path)
    kind = "empty" if body is None else kind_of(body)
    raise MalformedAnswer(f"the answer is {kind}", endpoint=answer.path)


def unavailable(detail: str, path: str, wait: float | None = None) -> ProviderUnavailable:
    """An outage, with the seconds that the provider asks to wait, if it does."""
    error = ProviderUnavailable(detail, endpoint=path)
    error.retry_after = wait
    return error


def cursor_refused(answer: Answer, detail: str) -> bool:
    """Whether it is the cursor that a page was refused for."""
    lowered = detail.lower()
    return answer.has_cursor and any(name in lowered for name in CURSOR_NAMES)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by `Retry-After`, or else by `x-rate-limit-reset`; None without a usable value."""
    wait = http.retry_after(headers, shortest=SHORTEST_WAIT, longest=LONGEST_WAIT)
    window = rate_window({"x-rate-limit-remaining": "0", **headers})
    return window.seconds if wait is None and window is not None and window.left == 0 else wait


def rate_window(headers: Mapping[str, str]) -> RateWindow | None:
    """What `x-rate-limit-remaining` and `x-rate-limit-reset` say; None without usable values."""
    reset = http.seconds_of(headers.get("x-rate-limit-reset", ""))
    left = cleaning.number(headers.get("x-rate-limit-remaining"))
    if reset is None or left is None:
        return None
    now = http.http_date(headers.get("date", "")) or datetime.now(UTC)
    return RateWindow(left, min(max(reset - now.timestamp(), SHORTEST_WAIT), LONGEST_WAIT))


class BadRow(Exception):
    """A row that cannot be read. `is_gone`: it says, or shows, that its account or post is gone."""

    def __init__(self, reason: str, *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_gone = is_gone


def as_object(row: Any) -> dict[str, Any]:
    """A row that is an object. Raises BadRow."""
    if isinstance(row, dict):
        return row
    raise BadRow(f"it is {kind_of(row)}", is_gone=row is None)


def kind_of(value: Any) -> str:
    """What stands where an object should, for people."""
    return "null" if value is None else f"a {type(value).__name__}, not an object"


def whole_cursor(value: Any) -> str | None:
    """A cursor goes back as it came, so it is taken whole or not at all."""
    usable = isinstance(value, str) and len(value) <= LONGEST_CURSOR and cleaning.text(value) == value
    return value if usable else None


def read_rows(
    answer: Answer, rows: Sequence[Any], read: Callable[[Any], Item | None]
) -> tuple[list[Item], tuple[UnreadableRow, ...]]:
    """Read each row; `read` returns None for one that is of no concern, and may raise whatever it likes.

    Returns what could be read, in order, and the rows that could not. Raises MalformedAnswer when there are rows and
    none of them can be read: then it is the page that is not what its endpoint promises. Unless each of them is gone,
    as the only quote of a tweet may be.
    """
    if len(rows) > MOST_ROWS:
        raise MalformedAnswer(f"{len(rows):,} rows on one page", endpoint=answer.path)
    items: list[Item] = []
    unreadable: list[UnreadableRow] = []
    gone = 0
    for row in rows:
        try:
            item = read(row)
        except Exception as error:
            reason = f"cannot be read ({type(error).__name__})"
            if isinstance(error, BadRow):
                reason, gone = error.reason, gone + error.is_gone
            unreadable.append(UnreadableRow(answer.clean(reason), answer.clean(cleaning.sample(row))))
            continue
        if item is not None:
            items.append(item)
    if rows and len(unreadable) == len(rows) and gone < len(rows):
        first = unreadable[0]
        raise MalformedAnswer(f"no row can be read: {first.reason}: {first.sample}", endpoint=answer.path)
    return items, tuple(unreadable)


def read_counters(fields: Any, names: Mapping[str, tuple[str, ...]]) -> Counters:
    """Every counter by name; None is unknown."""
    known = fields if isinstance(fields, dict) else {}
    found = {
        counter: [cleaning.number(known.get(name)) for name in named] for counter, named in names.items()
    }
    return {counter: next((n for n in numbers if n is not None), None) for counter, numbers in found.items()}


def read_page(
    answer: Answer,
    rows: Sequence[Any],
    read: Callable[[Any], ListItem | None],
    following: tuple[str | None, bool],
) -> Page:
    """A page with each item once; `following` is the next cursor and whether the list was cut off."""
    listed, unreadable = read_rows(answer, rows, read)
    items: dict[str, ListItem] = {}
    for item in listed:
        items.setdefault(item.source_id, item)
    cursor, cut_off = following
    window = rate_window(answer.headers)
    return Page(tuple(items.values()), cursor, len(rows), unreadable, cut_off=cut_off, window=window)
