"""The values of a campaign's settings, read from options and files. What cannot be one raises UsageError. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from socap_cli.errors import UsageError
from socap_cli.files.pasted import NotAHandle, handles
from socap_cli.files.reading import printable
from socap_cli.model.cadence import Cadence
from socap_cli.model.digest import parse_digest
from socap_cli.model.quiet_hours import parse_quiet_hours
from socap_cli.model.receiver import parse_receiver

SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
RESERVED = frozenset(
    ["index", "con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))]
)
"""`index` is the page of all campaigns; the others cannot be names of files everywhere."""
EARLIEST, LATEST = datetime(2006, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
MOST_DAYS = 36_500.0
MOST_MINUTES = 525_600
HIGHEST_THRESHOLD = 1e12
LONGEST_TEXT = 200
LONGEST_ADDRESS = 2000


def check_slug(slug: str) -> str:
    """A slug that can name a campaign and the file of its page. Raises UsageError."""
    if not SLUG.fullmatch(slug):
        raise UsageError(
            f"{_shown(slug)} is no campaign slug",
            hint="use lower-case letters, digits, - and _, at most 63, no space",
        )
    if slug in RESERVED:
        raise UsageError(
            f"{slug!r} cannot be a slug: its page could not have that name", hint="choose another"
        )
    return slug


def read_moment(value: Any, place: str) -> datetime:
    """A time, ISO 8601 as text or as TOML has it; without an offset it is UTC, a date alone its first moment."""
    try:
        read = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(read, date) and not isinstance(read, datetime):
            read = datetime.combine(read, time())
        moment: datetime = (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)
    except (AttributeError, ValueError, OverflowError):
        raise UsageError(
            f"{place}: {_shown(value)} is no ISO time", hint="write it like 2026-01-31T09:00Z"
        ) from None
    if not EARLIEST <= moment < LATEST:
        raise UsageError(f"{place}: {moment:%Y-%m-%d} is out of range", hint="there is 2006 to 2199")
    return moment.replace(microsecond=0)


def read_days(value: Any, place: str) -> timedelta:
    """A number of days over 0."""
    return timedelta(days=_number(value, place, above=0.0, most=MOST_DAYS))


def read_hours(value: Any, place: str) -> timedelta:
    """A number of hours from 0 on."""
    return timedelta(hours=_number(value, place, most=MOST_DAYS * 24))


def read_threshold(value: Any, place: str) -> float:
    """An importance from 0 on."""
    return _number(value, place, most=HIGHEST_THRESHOLD)


def read_minutes(value: Any, place: str) -> int:
    """Whole minutes, up to a year."""
    number = _number(value, place, most=MOST_MINUTES)
    if not number.is_integer():
        raise UsageError(f"{place}: {_shown(value)} is no whole number of minutes")
    return int(number)


def _number(value: Any, place: str, *, most: float, above: float | None = None) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{place}: {_shown(value)} is no number")
    if number < 0 or number > most or (above is not None and number <= above):
        least = "more than 0" if above is not None else "0"
        raise UsageError(f"{place}: {number:,.12g} is out of range", hint=f"there is {least} to {most:,.0f}")
    return number


def read_text(value: Any, place: str) -> str:
    """One printable line."""
    if not isinstance(value, str):
        raise UsageError(f"{place}: {_shown(value)} is no text")
    text = value.strip()
    if not text:
        raise UsageError(f"{place}: empty", hint="leave it out, or clear what is set with --clear")
    if not text.isprintable():
        raise UsageError(f"{place}: holds a character that cannot be printed")
    if len(text) > LONGEST_TEXT:
        raise UsageError(f"{place}: longer than {LONGEST_TEXT} characters")
    return text


def read_accounts(value: Any, place: str) -> tuple[str, ...]:
    """Accounts in any usual form, each once, in lower case: handles have no case."""
    try:
        found = [name.lower() for text in _list(value, place) for name in handles(text)]
    except NotAHandle as reason:
        raise UsageError(f"{place}: {printable(str(reason))}", hint=f"as in {place} @ada") from None
    return tuple(dict.fromkeys(found))


def read_receivers(value: Any, place: str) -> tuple[str, ...]:
    """Receivers in the notation of `parse_receiver`, each once. An address may be a secret and is not repeated."""
    try:
        found = [parse_receiver(text).spelling for text in _list(value, place) if text.strip()]
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from None
    if not all(text.isprintable() and len(text) <= LONGEST_ADDRESS for text in found):
        raise UsageError(f"{place}: an address holds a character that cannot be printed, or is too long")
    return tuple(dict.fromkeys(found))


def read_quiet_hours(value: Any, place: str) -> str:
    """`off`, or hours of the day in a time zone."""
    text = read_text(value, place)
    return text if text == "off" else _parsed(parse_quiet_hours, text, place)


def read_digest(value: Any, place: str) -> str:
    """How often what is not urgent is told together."""
    return _parsed(parse_digest, read_text(value, place), place)


def read_cadence(value: Any, place: str) -> str:
    """How often tweets are looked at."""
    text = read_text(value, place)
    if text not in tuple(Cadence):
        raise UsageError(f"{place}: {_shown(text)} is no cadence", hint=f"there is {' or '.join(Cadence)}")
    return text


def read_flag(value: Any, place: str) -> bool:
    """Yes or no."""
    if not isinstance(value, bool):
        raise UsageError(f"{place}: {_shown(value)} is neither true nor false")
    return value


def _parsed(parse: Callable[[str], object], text: str, place: str) -> str:
    try:
        return str(parse(text))
    except ValueError as error:
        raise UsageError(f"{place}: {_shown(text)} {error}") from None


def _list(value: Any, place: str) -> Sequence[str]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"{place}: {_shown(value)} is no list of texts")
    return words


def _shown(value: Any) -> str:
    try:
        text = ascii(value)
    except ValueError:  # a number of more digits than Python writes
        text = "a number of many digits"
    return text if len(text) <= 60 else f"{text[:59]}…"
