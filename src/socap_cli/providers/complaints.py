"""What an answer that is an error means, as far as every provider agrees: by its status."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isnan
from typing import Any

from socap_cli.errors import (
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
from socap_cli.providers.transport import Answer

SHORTEST_WAIT, LONGEST_WAIT = 0.5, 960.0
"""Seconds. The longest is a window of 15 minutes and one to spare."""
GONE = frozenset({404, 405, 410})
CHECK_KEY = "check TWITTER_API_KEY"
TEMPORARY = frozenset({408, 425})
CURSOR_NAMES = ("cursor", "pagination_token", "next_token")
"""How providers call what a page is asked for by."""


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
