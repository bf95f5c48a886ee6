"""One HTTP GET that ends in an answer or in a typed error, bounded in time and size.

What an answer means is its provider's to say. Foreign exceptions are translated here, once.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpcore

from socap_cli import __version__
from socap_cli.config.environment import check_http_environment, proxy_for
from socap_cli.errors import ConfigError, MalformedAnswer, ProviderUnavailable
from socap_cli.model import cleaning
from socap_cli.network.connection import Connection, proxy_at, tls_for
from socap_cli.network.masking import Mask

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


def read_json(body: bytes) -> Any:
    """A JSON value, whatever character set its header names. Raises ValueError, RecursionError.

    Bytes that are no UTF-8 cost the character they stand for, and a number of thousands of digits costs itself:
    not the answer.
    """
    written = body.decode(json.detect_encoding(body), "replace")
    return DECODER.decode(written.removeprefix("\ufeff").strip())


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else inf


DECODER = json.JSONDecoder(strict=False, parse_int=_integer)


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
