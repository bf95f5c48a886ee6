"""Values as JSON: the one place where a program's numbers, times and texts become what any parser reads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any

SURROGATE = re.compile("[\ud800-\udfff]")


def json_text(value: object, *, ascii_only: bool = False, indent: int | None = None) -> str:
    """A value as JSON: times in UTC with Z, spans in seconds, values by their fields; NaN and infinity are null.

    Nothing that a value holds makes it fail, and every strict parser reads it. Compact unless `indent` says how far
    each level goes in.
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(
        plain(value), ensure_ascii=ascii_only, allow_nan=False, separators=separators, indent=indent
    )


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


def iso(moment: datetime) -> str:
    """A moment in UTC, as ISO 8601 with Z. One without an offset is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        aware = aware.astimezone(UTC)
    except OverflowError:  # at the calendar's edge
        return aware.isoformat()
    return aware.isoformat().replace("+00:00", "Z")


def _text(text: str) -> str:
    """Half of a cut character (a lone surrogate) is no text: strict parsers refuse it, escaped too."""
    return text if text.isascii() else SURROGATE.sub("\ufffd", text)


def _object(value: Mapping[object, object]) -> dict[str, Any]:
    return {_key(name): plain(entry) for name, entry in value.items()}


def _key(name: object) -> str:
    key = plain(name)
    return key if isinstance(key, str) else json.dumps(key)


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
