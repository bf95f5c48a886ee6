"""Numbers, times, durations and JSON as text, and the one mask of secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

MINUTE, HOUR, DAY = 60, 3600, 86_400
STEPS = ((MINUTE, 1, "s"), (HOUR, MINUTE, "min"), (2 * DAY, HOUR, "h"), (14 * DAY, DAY, "d"))
"""(below so many seconds, divided by this, in this unit)."""
BIDI = "\u202a-\u202e\u2066-\u2069"
LEFT_OUT = re.compile(rf"[\ufeff{BIDI}]")
SURROGATE = re.compile("[\ud800-\udfff]")
MASK = "***"
SHORTEST_SECRET = 4
"""A shorter text is not a secret: masking it would mask words."""
SHORTEST_IN_BODIES = 8
"""A shorter key may be a word of the JSON."""
SHORTEST_PART = 6
"""Parts of a secret URL from this length on are masked by themselves, too."""
LONGEST_MASKED = 20_000
"""Characters of a message that are shown."""
WORDS_OF_PATHS = frozenset({"services", "webhook", "webhooks", "workflows", "triggers", "incoming", "alerts"})
WITH_PASSWORD = frozenset({"mongodb", "mongodb+srv", "smtp", "smtps"})
"""Schemes of URLs of which only the user's part is secret."""
FORMULA = re.compile(r'^(?=[\t\r\n])|(?:^|(?<=[;\t\r\n]))(?=[ "\x0b\x0c\xa0\u200b]*[=+\-@＝＋－＠])')
"""Where a spreadsheet would run a cell, or what becomes a cell when it takes `;` or a tab for the delimiter."""
FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Invisible characters that Unicode counts as letters or marks."""


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


def iso(moment: datetime) -> str:
    """A moment in UTC, as ISO 8601 with Z. One without an offset is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def json_text(value: object, *, ascii_only: bool = False, indent: int | None = None) -> str:
    """A value as JSON: times as ISO 8601, spans in seconds, values by their fields; NaN and infinity are null."""
    from pydantic_core import PydanticSerializationError, to_json  # not at the start of every command

    def write(value: object) -> str:
        return to_json(
            value,
            indent=indent,
            ensure_ascii=ascii_only,
            timedelta_mode="float",
            inf_nan_mode="null",
            fallback=lambda other: dict(other) if isinstance(other, Mapping) else str(other),
        ).decode()

    try:
        return write(value)
    except PydanticSerializationError:
        return write(_without_surrogates(value))


def _without_surrogates(value: object) -> Any:
    """Half of a cut character, as in odd file names, is refused by strict parsers."""
    if isinstance(value, str | PurePath):
        return SURROGATE.sub("\ufffd", str(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        names = {name: _without_surrogates(name) for name in value}
        return {names[name]: _without_surrogates(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_without_surrogates(entry) for entry in value]
    if is_dataclass(value):
        return {entry.name: _without_surrogates(getattr(value, entry.name)) for entry in fields(value)}
    return value


class Mask:
    """Replaces secrets in a text, as they are and URL-encoded."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
        forms = {form for secret in known for form in (secret, quote(secret), quote(secret, safe=""))}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None
        self._encoded = [form.encode() for form in longest_first if len(form) >= SHORTEST_IN_BODIES]

    def __call__(self, message: str) -> str:
        """A message without the secrets, and without invisible marks, which may stand inside one."""
        message = LEFT_OUT.sub("", message[:LONGEST_MASKED])
        return self._pattern.sub(MASK, message) if self._pattern else message

    def body(self, body: bytes) -> bytes:
        """An answer without the secrets: whatever is stored of it."""
        for secret in self._encoded:
            body = body.replace(secret, MASK.encode())
        return body


def secrets_of(text: str) -> tuple[str, ...]:
    """What of a secret must not be shown: of a URL its login, or its path and every long part of it."""
    try:
        url = urlsplit(text)
        password = url.password or ""
    except ValueError:
        return (text,)
    login = url.netloc.rpartition("@")[0]
    if not url.scheme:
        return (text, text.removeprefix("whsec_"))
    if url.scheme in WITH_PASSWORD:
        return tuple(part for part in dict.fromkeys((login, password, unquote(password))) if part)
    target = url.path + (f"?{url.query}" if url.query else "")
    pieces = re.split(r"[/?&=;:@#]", f"{login}/{target}/{url.fragment}")
    parts = [text, text.partition("://")[2], target, url.path, url.path.strip("/")]
    parts += (piece for piece in pieces if len(piece) >= SHORTEST_PART and piece not in WORDS_OF_PATHS)
    return tuple(
        part for part in dict.fromkeys(sorted((*parts, *map(unquote, parts)), key=len, reverse=True)) if part
    )


def visible(text: str) -> str:
    """Text without what nobody sees: zero-width, bidirectional and other formatting characters, blanks around."""
    if text.isascii():
        return text.strip()
    kept = (c for c in text if c not in FILLERS and unicodedata.category(c) != "Cf" and not _is_selector(c))
    return "".join(kept).strip()


def _is_selector(character: str) -> bool:
    """Variation selectors, which choose between pictures of the character before them."""
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"
