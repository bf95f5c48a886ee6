"""One HTTP GET that ends in JSON or in a typed error. Foreign exceptions are translated here, once."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isnan
from typing import Any
from urllib.parse import urlencode

import httpx

from socap_cli import __version__
from socap_cli.errors import (
    ConfigError,
    CreditsExhausted,
    CursorRefused,
    KeyRefused,
    MalformedAnswer,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
    WrongAddress,
)

DEFAULT_RETRY_AFTER = 5.0
LONGEST_RETRY_AFTER = 960.0


class Transport:
    """HTTP to one provider. Safe to share between threads.

    Each request in flight has a client, and so a kept connection, of its own: httpx looks through all
    connections of a client at every request, which at fifty of them costs more than the request.
    """

    def __init__(self, url: str, headers: dict[str, str], *, timeout: float) -> None:
        self._url = url.rstrip("/")
        self._headers = {
            "User-Agent": f"socap/{__version__}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            **headers,
        }
        self._timeout = httpx.Timeout(timeout, connect=min(timeout, 10.0))
        self._verify = httpx.create_ssl_context() if self._url.startswith("https:") else False
        self._idle: deque[httpx.Client] = deque()
        self._urls: dict[str, httpx.URL] = {}
        try:
            self._request("", {})
        except (httpx.InvalidURL, UnicodeEncodeError, ValueError) as error:
            raise ConfigError(f"TWITTER_API_URL or the key is not usable: {type(error).__name__}") from None

    def get(self, endpoint: str, params: dict[str, str]) -> dict[str, Any]:
        """The body as an object. Raises ProviderError for everything else."""
        try:
            with self._client() as client:
                response = client.send(self._request(endpoint, params))
        except httpx.TimeoutException as error:
            raise ProviderUnavailable("no answer in time", endpoint=endpoint) from error
        except httpx.HTTPError as error:
            raise ProviderUnavailable(f"connection failed: {error}", endpoint=endpoint) from error
        except httpx.InvalidURL as error:
            raise ConfigError(f"TWITTER_API_URL is not usable: {error}") from error
        return read_answer(endpoint, response, has_cursor=bool(params.get("cursor")))

    def _request(self, endpoint: str, params: dict[str, str]) -> httpx.Request:
        """Made whole at once, over a URL that is parsed once: a client would parse it three times a request."""
        url = self._urls.get(endpoint)
        if url is None:
            url = self._urls[endpoint] = httpx.URL(f"{self._url}{endpoint}")
        query = b"?" + urlencode(params).encode() if params else b""
        extensions = {"timeout": self._timeout.as_dict(), "target": url.raw_path + query}
        return httpx.Request("GET", url, headers=self._headers, extensions=extensions)

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        try:
            client = self._idle.pop()
        except IndexError:
            client = httpx.Client(verify=self._verify)
        try:
            yield client
        finally:
            self._idle.append(client)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


def read_answer(endpoint: str, response: httpx.Response, *, has_cursor: bool) -> dict[str, Any]:
    """The JSON object of a response, or the error that its status and body stand for."""
    if response.status_code >= 300:
        raise _error_for(endpoint, response, has_cursor=has_cursor)
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise MalformedAnswer("the answer is not JSON", endpoint=endpoint) from error
    if not isinstance(body, dict):
        raise MalformedAnswer(f"the answer is a {type(body).__name__}, not an object", endpoint=endpoint)
    if body.get("status") == "error":
        raise _refused(endpoint, said_by(body), has_cursor=has_cursor)
    return body


def _error_for(endpoint: str, response: httpx.Response, *, has_cursor: bool) -> ProviderError:
    status = response.status_code
    said = said_by_response(response)
    if status in (401, 403):
        return KeyRefused(f"the key was refused: {said}", endpoint=endpoint, hint="check TWITTER_API_KEY")
    if status == 402:
        return CreditsExhausted(f"no credits left: {said}", endpoint=endpoint, hint="recharge the account")
    if status in (404, 405) or 300 <= status < 400:
        return WrongAddress(f"HTTP {status}: {said}", endpoint=endpoint, hint="check TWITTER_API_URL")
    if status == 429:
        wait = retry_after(response, now=datetime.now(UTC))
        return RateLimited(f"rate limit: {said}", endpoint=endpoint, retry_after=wait)
    if status >= 500 or status == 408:
        return ProviderUnavailable(f"HTTP {status}: {said}", endpoint=endpoint)
    return _refused(endpoint, f"HTTP {status}: {said}", has_cursor=has_cursor)


def _refused(endpoint: str, said: str, *, has_cursor: bool) -> ProviderError:
    lowered = said.lower()
    if has_cursor and "cursor" in lowered:
        return CursorRefused(said, endpoint=endpoint)
    return RequestRefused(said, endpoint=endpoint)


def retry_after(response: httpx.Response, *, now: datetime) -> float:
    """Seconds to wait from `Retry-After` (seconds or an HTTP date) or a reset header, by the answer's own `Date`."""
    value = response.headers.get("Retry-After", "").strip()
    if not value and response.headers.get("x-rate-limit-remaining", "0").strip() == "0":
        value = _until_reset(response, now)
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = parsedate_to_datetime(value)
            sent = response.headers.get("Date")
            seconds = (until - (parsedate_to_datetime(sent) if sent else now)).total_seconds()
        except (ValueError, TypeError):
            seconds = DEFAULT_RETRY_AFTER
    if isnan(seconds):
        seconds = DEFAULT_RETRY_AFTER
    return min(max(seconds, 0.5), LONGEST_RETRY_AFTER)


def _until_reset(response: httpx.Response, now: datetime) -> str:
    """Seconds until `x-rate-limit-reset` (unix seconds), by the answer's own clock where it tells it."""
    try:
        reset = float(response.headers["x-rate-limit-reset"])
        sent = response.headers.get("Date")
        return str(reset - (parsedate_to_datetime(sent) if sent else now).timestamp())
    except (KeyError, ValueError, TypeError):
        return ""


def said_by_response(response: httpx.Response) -> str:
    try:
        return said_by(response.json())
    except (json.JSONDecodeError, UnicodeDecodeError):
        return " ".join(response.text[:200].split()) or "(no text)"


def said_by(body: Any) -> str:
    """What an error body says: message, msg, detail, error, else the body itself, cut."""
    if isinstance(body, dict):
        for name in ("message", "msg", "detail", "error"):
            value = body.get(name)
            if isinstance(value, str) and value:
                return value[:200]
            if isinstance(value, list) and value:
                return json.dumps(value)[:200]
    return json.dumps(body)[:200]
