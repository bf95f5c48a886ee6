"""Numbers, times and durations as people say them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

MINUTE, HOUR, DAY = 60, 3600, 86_400


STEPS = ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h"), (14 * DAY, DAY, "d"))
"""(below so many seconds, divided by this, in this unit)."""


BIDI = "\u202a-\u202e\u2066-\u2069"


LEFT_OUT = re.compile(rf"[\ufeff{BIDI}]")


SURROGATE = re.compile("[\ud800-\udfff]")


def _object(value: Mapping[object, object]) -> dict[str, Any]:
    return {_key(name): plain(entry) for name, entry in value.items()}


def _text(text: str) -> str:
    """Half of a cut character (a lone surrogate) is no text: strict parsers refuse it, escaped too."""
    return text if text.isascii() else SURROGATE.sub("\ufffd", text)


def iso(moment: datetime) -> str:
    """A moment in UTC, as ISO 8601 with Z. One without an offset is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        aware = aware.astimezone(UTC)
    except OverflowError:  # at the calendar's edge
        return aware.isoformat()
    return aware.isoformat().replace("+00:00", "Z")


def plain(value: object) -> Any:
    """A value of what JSON knows alone: objects, lists, texts, numbers, true, false, null."""
    if value is None or (isinstance(value, int) and not isinstance(value, Enum)):
        return value
    if type(value) is str:  # most of what there is
        return _text(value)
    for kind, rule in _RULES:
        if isinstance(value, kind):
            return rule(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: plain(getattr(value, entry.name)) for entry in fields(value)}
    return _text(str(value))


_RULES: tuple[tuple[Any, Any], ...] = (
    (Enum, lambda value: plain(value.value)),
    (str, _text),
    (float, lambda value: value if math.isfinite(value) else None),
    (datetime, iso),
    (date, date.isoformat),
    (timedelta, timedelta.total_seconds),
    (Mapping, _object),
    ((set, frozenset), lambda value: sorted((plain(entry) for entry in value), key=str)),
    ((list, tuple), lambda value: [plain(entry) for entry in value]),
    ((bytes, bytearray), lambda value: bytes(value).decode("utf-8", "replace")),
)
"""What becomes what, the first that fits."""


MASK = "***"


SHORTEST = 4
"""A shorter secret than this is no secret, and would mask words."""


SHORTEST_IN_BODIES = 8


SHORTEST_PART = 6
"""Parts of a URL from this length on are masked by themselves, too."""


WORDS_OF_PATHS = frozenset({"services", "webhook", "webhooks", "workflows", "triggers", "incoming", "alerts"})


LONGEST_SEARCHED = 20_000
"""Characters of a message that are looked at; no more of it is ever shown."""


REFERENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
"""As `html.escape` has them, without the two thousand names that its module brings to the start of every command."""


class Mask:
    """Masks the secrets of one connection, also where characters of them are percent-encoded or escaped."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._known = tuple(secret for secret in secrets if len(secret) >= SHORTEST)
        self._in_bodies = [s.encode() for s in self._known if len(s) >= SHORTEST_IN_BODIES]

    def __call__(self, message: str) -> str:
        """A message without the secrets, and without marks that are left out later: one may stand in a secret."""
        message = LEFT_OUT.sub("", message[:LONGEST_SEARCHED])
        if not self._known or len(message) < SHORTEST:
            return message
        return _pattern(self._known).sub(MASK, message)

    def body(self, body: bytes) -> bytes:
        """An answer without the secrets as they are: a fast look at whatever is stored of it."""
        for secret in self._in_bodies:
            body = body.replace(secret, MASK.encode())
        return body


FORMULA = re.compile(r'^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?=[ "\x0b\x0c\xa0\u200b]*[=+\-@＝＋－＠])')
"""Where a spreadsheet would run a cell, or what becomes a cell when it takes `;` or a tab for the delimiter."""


def escape_formulas(text: str) -> str:
    """Text that no spreadsheet runs as a formula: an apostrophe before each start of one."""
    return FORMULA.sub("'", text)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun: 1 tweet, 2,000 tweets. `many` is the plural when it is not `one` and an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def duration(seconds: float) -> str:
    """A time span in its largest whole unit: 5 s, 3 min, 7 h, 12 d."""
    for below, divisor, unit in STEPS:
        if seconds < below:
            return f"{int(seconds // divisor)} {unit}"
    return f"{int(seconds // DAY):,} d"


def since(moment: datetime, now: datetime) -> str:
    """How long ago or ahead a moment is; a date when it is more than two weeks."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) >= STEPS[-1][0]:
        return f"{moment.astimezone(UTC):%Y-%m-%d}"
    if abs(seconds) < 1:
        return "now"
    return f"{duration(seconds)} ago" if seconds > 0 else f"in {duration(-seconds)}"


def json_text(value: object, *, ascii_only: bool = False, indent: int | None = None) -> str:
    """A value as JSON: times in UTC with Z, spans in seconds, values by their fields; NaN and infinity are null.

    Nothing that a value holds makes it fail, and every strict parser reads it. Compact unless `indent` says how far
    each level goes in.
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(
        plain(value), ensure_ascii=ascii_only, allow_nan=False, separators=separators, indent=indent
    )


def _key(name: object) -> str:
    key = plain(name)
    return key if isinstance(key, str) else json.dumps(key)


def secrets_of(url: str) -> tuple[str, ...]:
    """What of an address must not come back: its whole, its path, and every long part of it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    pieces = re.split(r"[/?&=;:@#]", f"{parts.netloc.rpartition('@')[0]}/{target}/{parts.fragment}")
    long = (piece for piece in pieces if len(piece) >= SHORTEST_PART and piece not in WORDS_OF_PATHS)
    whole = [url, url.partition("://")[2], target, parts.path, parts.path.strip("/")]
    found = [*whole, *long]
    return tuple(dict.fromkeys(sorted((*found, *map(unquote, found)), key=len, reverse=True)))


@lru_cache(maxsize=256)
def _pattern(secrets: tuple[str, ...]) -> re.Pattern[str]:
    """Any of these; kept, as compiling it costs more than sending a message."""
    return re.compile("|".join(map(_spelled, secrets)), re.IGNORECASE)


def _spelled(secret: str) -> str:
    return "".join(f"(?:{'|'.join(_spellings(character))})" for character in secret)


def _spellings(character: str) -> tuple[str, ...]:
    """A character as JSON, Python and HTML escape it, percent-encoded once or twice, and, last, as it is."""
    code, reference = ord(character), REFERENCES.get(character, character)
    return (
        rf"\\{{1,4}}(?:u00|x){code:02x}",
        f"&#(?:0*{code}|x0*{code:x});",
        f"%(?:25)?{code:02x}",
        *([re.escape(reference)] if reference != character else ()),  # the same twice would be tried 2ⁿ times
        rf"\\{{0,4}}{re.escape(character)}",
    )
