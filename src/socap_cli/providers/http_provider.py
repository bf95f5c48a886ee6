"""What every provider has that is asked over HTTP: an address, prices, and a table of its endpoints."""

from __future__ import annotations

import json
import re
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from math import inf, isnan
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit

import httpcore

from socap_cli import __version__
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
from socap_cli.http import Connection, check_http_environment, proxy_at, proxy_for, tls_for
from socap_cli.model import cleaning
from socap_cli.model.account import ListItem, Page, Tweet, TweetsAnswer, UnreadableRow
from socap_cli.model.kinds import Kind
from socap_cli.providers.protocol import Prices
from socap_cli.text import Mask


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


LARGEST_ANSWER = 20 * 2**20
"""Bytes after decompression. A page holds 20 to 200 rows of some kilobytes."""


MOST_CONTAINERS = 1_000_000
"""Objects and lists in an answer: in memory each is thirty times as large as in its text."""


LONGEST_COMPLAINT = 64 * 1024
"""Bytes that are read of an answer which is an error."""


TOTAL_TIMEOUTS = 2.0
"""A request is over after so many time-outs, however steadily its answer drips."""


LONGEST_CONNECT = 10.0


LONGEST_INTEGER = 40


GZIP_MEMBER = b"\x1f\x8b"
"""What each member of a gzip stream begins with: several may follow each other, as a caching proxy joins them."""


PIECE = 2**20


HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")


NETWORK_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    httpcore.ConnectionNotAvailable,
    OSError,
    UnicodeError,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is the JSON value, or None when the body is no JSON."""

    path: str
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    text: str = ""
    """The beginning of a body that is no JSON, or why it is none: one line, cleaned and masked."""
    has_cursor: bool = False
    """Whether a page was asked for by its cursor."""
    clean: Callable[[str], str] = cleaning.one_line
    """Makes what a body says fit for people: masked, one line, cut."""


class Transport:
    """HTTP to one provider. Threads share it.

    Each request in flight has a kept connection of its own.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], *, timeout: float, secrets: tuple[str, ...]
    ) -> None:
        """Raises ConfigError for an address, key or proxy that cannot be used, and repeats none of them."""
        if not all(HEADER_VALUE.fullmatch(value) for value in headers.values()):
            raise ConfigError(
                "the provider's key holds a character that no key has", hint="see TWITTER_API_KEY"
            )
        self._base = _base(url)
        check_http_environment(url)
        proxy = proxy_for(url)
        self._proxy = proxy_at(proxy) if proxy else None
        password = urlsplit(proxy).password if proxy else None
        self.mask = Mask((*secrets, password or ""))
        self._path = self._base.target.decode().rstrip("/")
        self._headers = [
            ("User-Agent", f"socap/{__version__}"),
            ("Accept", "application/json"),
            ("Accept-Encoding", "gzip, deflate"),
            *headers.items(),
        ]
        self._timeout = timeout
        self._ssl = tls_for(url, proxy)
        self._idle: deque[Connection] = deque()

    def get(self, path: str, params: Mapping[str, str], *, has_cursor: bool = False) -> Answer:
        """Ask once. Raises ProviderUnavailable, and MalformedAnswer for a body that is too large or damaged."""
        try:
            with self._connection() as connection:
                status, headers, body = self._exchange(connection, path, params)
        except httpcore.TimeoutException:
            raise ProviderUnavailable("no complete answer in time", endpoint=path) from None
        except NETWORK_ERRORS as error:
            said = self.clean(str(error) or type(error).__name__)
            raise ProviderUnavailable(f"connection failed: {said}", endpoint=path) from None
        except (zlib.error, TooLarge) as error:
            raise MalformedAnswer(self.clean(str(error)), endpoint=path) from None
        value, text = self._parsed(body)
        return Answer(path, status, value, headers, text, has_cursor, self.clean)

    def clean(self, text: str) -> str:
        """A message for people: masked, one line, cut."""
        return cleaning.one_line(self.mask(text))

    def close(self) -> None:
        """Let go of all idle connections."""
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = Connection(self._ssl, self._proxy)
        try:
            yield connection
        finally:
            if not connection.is_in_step:
                connection.close()
            self._idle.append(connection)

    def _exchange(
        self, connection: Connection, path: str, params: Mapping[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        query = f"?{urlencode(params, errors='replace')}" if params else ""
        base = self._base
        url = httpcore.URL(
            scheme=base.scheme, host=base.host, port=base.port, target=f"{self._path}{path}{query}".encode()
        )
        connect = min(self._timeout, LONGEST_CONNECT)
        timeouts = {"connect": connect, "read": self._timeout, "write": self._timeout, "pool": self._timeout}
        connection.deadline.begin(TOTAL_TIMEOUTS * self._timeout)
        with connection.pool.stream(
            "GET", url, headers=self._headers, extensions={"timeout": timeouts}
        ) as response:
            headers = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            good = 200 <= response.status < 300
            return response.status, headers, (_read if good else _read_beginning)(response, headers)

    def _parsed(self, body: bytes) -> tuple[Any, str]:
        """(JSON value, ""), or (None, what the body says or why it is no JSON)."""
        try:
            if len(body) > 2 * MOST_CONTAINERS and body.count(b"{") + body.count(b"[") > MOST_CONTAINERS:
                return None, "the answer holds too many objects"
            return read_json(self.mask.body(body)), ""
        except RecursionError:
            return None, "the answer is nested too deep"
        except ValueError:
            return None, self.clean(body[:LONGEST_COMPLAINT].decode("utf-8", "replace"))


class TooLarge(Exception):
    """An answer of more bytes than any page has."""


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else inf


DECODER = json.JSONDecoder(strict=False, parse_int=_integer)


SHORTEST_WAIT, LONGEST_WAIT = 0.5, 960.0
"""Seconds. The longest is a window of 15 minutes and one to spare."""


GONE = frozenset({404, 405, 410})


CHECK_KEY = "check TWITTER_API_KEY"


TEMPORARY = frozenset({408, 425})


CURSOR_NAMES = ("cursor", "pagination_token", "next_token")
"""How providers call what a page is asked for by."""


Item = TypeVar("Item")


MOST_ROWS = 20_000
"""No page of any list has as many."""


LONGEST_CURSOR = 4_096


class Unreadable(Exception):
    """A row that cannot be read. `is_gone`: it says, or shows, that who or what it was is gone."""

    def __init__(self, reason: str, *, is_gone: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_gone = is_gone


@dataclass(frozen=True, slots=True)
class Rows(Generic[Item]):
    """The rows of an answer that could be read, in order, and those that could not."""

    items: tuple[Item, ...]
    unreadable: tuple[UnreadableRow, ...]


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


def read_json(body: bytes) -> Any:
    """A JSON value, whatever character set its header names. Raises ValueError, RecursionError.

    Bytes that are no UTF-8 cost the character they stand for, and a number of thousands of digits costs itself:
    not the answer.
    """
    written = body.decode(json.detect_encoding(body), "replace")
    return DECODER.decode(written.removeprefix("\ufeff").strip())


def _read(response: httpcore.Response, headers: Mapping[str, str]) -> bytes:
    """The whole decoded body. Raises TooLarge, zlib.error."""
    body = bytearray()
    for part in _decoded(response, headers):
        body += part
        if len(body) > LARGEST_ANSWER:
            raise TooLarge(f"the answer is larger than {LARGEST_ANSWER // 2**20} MB")
    return bytes(body)


def _read_beginning(response: httpcore.Response, headers: Mapping[str, str]) -> bytes:
    """The beginning of an error's body, as far as it can be read."""
    body = bytearray()
    with suppress(zlib.error):
        for part in _decoded(response, headers):
            body += part
            if len(body) > LONGEST_COMPLAINT:
                break
    return bytes(body[:LONGEST_COMPLAINT])


def _decoded(response: httpcore.Response, headers: Mapping[str, str]) -> Iterator[bytes]:
    """Decompress piece by piece: a few bytes may stand for gigabytes. Raises zlib.error."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("gzip", "x-gzip", "deflate"):
        yield from response.iter_stream()
        return
    decoder = None
    for raw in response.iter_stream():
        while raw:
            if decoder is None or (decoder.eof and raw.startswith(GZIP_MEMBER)):
                decoder = zlib.decompressobj(_window(raw, encoding))
            elif decoder.eof:
                break  # bytes beyond the answer
            yield decoder.decompress(raw, PIECE)
            raw = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if decoder is not None and not decoder.eof:
        raise zlib.error("the compressed answer is cut off")


def _window(raw: bytes, encoding: str) -> int:
    """zlib's parameter for gzip, for deflate, and for the deflate without a header that some servers send."""
    if encoding != "deflate":
        return zlib.MAX_WBITS | 16
    return zlib.MAX_WBITS if raw[:1] and raw[0] & 0x0F == 8 else -zlib.MAX_WBITS


def _base(url: str) -> httpcore.URL:
    try:
        parts = urlsplit(url)
        base = httpcore.URL(url)
        if parts.scheme not in ("http", "https") or not base.host:
            raise ValueError("not an HTTP address")
    except (ValueError, UnicodeError):
        raise ConfigError("the provider's address is not usable", hint="see TWITTER_API_URL") from None
    return base


def error_for(answer: Answer, detail: str) -> ProviderError:
    """The error that a status of 300 or more stands for; `detail` is what its body says, masked."""
    status, path = answer.status, answer.path
    said = f"HTTP {status}: {detail}"
    if status == 401:
        return KeyRefused(f"the key was refused: {detail}", endpoint=path, hint=CHECK_KEY)
    if status == 403:
        return Forbidden(said, endpoint=path, hint=CHECK_KEY)
    if status == 402:
        return CreditsExhausted(f"no credits left: {detail}", endpoint=path, hint="recharge the account")
    if status == 429:
        return RateLimited(f"rate limit: {detail}", endpoint=path, retry_after=retry_after(answer.headers))
    if status >= 500 or status in TEMPORARY:
        return unavailable(said, path, retry_after(answer.headers))
    if cursor_refused(answer, detail):
        return CursorRefused(said, endpoint=path)
    if status in GONE or status < 400:
        hint = "when every tweet is answered so: check TWITTER_API_URL"
        return NotFound(said, endpoint=path, hint=hint)
    return RequestRefused(said, endpoint=path)


def json_object(answer: Answer) -> dict[str, Any]:
    """The object that the body of an answer is. Raises MalformedAnswer that says what it is instead."""
    body = answer.body
    if body is None and answer.text:
        raise MalformedAnswer(f"the answer is not JSON: {answer.text}", endpoint=answer.path)
    if not isinstance(body, dict):
        kind = "empty" if body is None else f"a {type(body).__name__}, not an object"
        raise MalformedAnswer(f"the answer is {kind}", endpoint=answer.path)
    return body


def unavailable(detail: str, path: str, wait: float | None = None) -> ProviderUnavailable:
    """An outage, with the seconds after which the provider wants to be asked again, if it says so."""
    error = ProviderUnavailable(detail, endpoint=path)
    error.retry_after = wait
    return error


def cursor_refused(answer: Answer, detail: str) -> bool:
    """Whether it is the cursor that a page was refused for."""
    lowered = detail.lower()
    return answer.has_cursor and any(name in lowered for name in CURSOR_NAMES)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds to wait by `Retry-After` (seconds or an HTTP date), or else by `x-rate-limit-reset`.

    By the answer's own clock where it tells its `Date`. None when nothing usable is said. Kept between
    `SHORTEST_WAIT` and `LONGEST_WAIT`.
    """
    sent = _date(headers.get("date", "")) or now or datetime.now(UTC)
    seconds = _seconds(headers.get("retry-after", ""), sent)
    if seconds is None and headers.get("x-rate-limit-remaining", "0").strip() == "0":
        reset = _float(headers.get("x-rate-limit-reset", ""))
        seconds = None if reset is None else reset - sent.timestamp()
    return None if seconds is None else min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)


def _seconds(value: str, sent: datetime) -> float | None:
    until = _date(value)
    return (until - sent).total_seconds() if until else _float(value)


def _date(value: str) -> datetime | None:
    try:
        read = parsedate_to_datetime(value.strip()[:64])
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _float(value: str) -> float | None:
    try:
        number = float(value.strip()[:64])
    except ValueError:
        return None
    return None if isnan(number) else number


def as_object(row: Any) -> dict[str, Any]:
    """A row that is an object. Raises Unreadable."""
    if isinstance(row, dict):
        return row
    raise Unreadable(f"it is {kind_of(row)}", is_gone=row is None)


def kind_of(value: Any) -> str:
    """What stands where an object should, for people."""
    return "null" if value is None else f"a {type(value).__name__}, not an object"


def whole_cursor(value: Any) -> str | None:
    """A cursor goes back as it came, so it is taken whole or not at all."""
    usable = isinstance(value, str) and len(value) <= LONGEST_CURSOR and cleaning.text(value) == value
    return value if usable else None


def read_rows(
    rows: Sequence[Any],
    read: Callable[[Any], Item | None],
    *,
    endpoint: str,
    clean: Callable[[str], str],
) -> Rows[Item]:
    """Read each row; `read` returns None for one that is of no concern, and may raise whatever it likes.

    Raises MalformedAnswer when there are rows and none of them can be read: it is the page then that is not what
    its endpoint promises. Unless each of them is gone, as the only quote of a tweet may be.
    """
    if len(rows) > MOST_ROWS:
        raise MalformedAnswer(f"{len(rows):,} rows on one page", endpoint=endpoint)
    items: list[Item] = []
    unreadable: list[UnreadableRow] = []
    readable, gone = 0, 0
    for row in rows:
        try:
            item = read(row)
        except Exception as error:
            reason = (
                error.reason if isinstance(error, Unreadable) else f"cannot be read ({type(error).__name__})"
            )
            gone += isinstance(error, Unreadable) and error.is_gone
            unreadable.append(UnreadableRow(clean(reason), clean(cleaning.sample(row))))
            continue
        readable += 1
        if item is not None:
            items.append(item)
    if unreadable and not readable and gone < len(unreadable):
        first = unreadable[0]
        raise MalformedAnswer(f"no row can be read: {first.reason}: {first.sample}", endpoint=endpoint)
    return Rows(tuple(items), tuple(unreadable))
