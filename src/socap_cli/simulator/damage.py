"""Rows that no reader of sense can take as they are. Which items are hit follows from their ids alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

Row = dict[str, Any]
Spoil = Callable[[Row], Any]

ODD_TEXT = "cut emoji \ud83d, a bell \x07, a nul \x00, &lt;b&gt; &amp;amp;, \u202eturned"
BEYOND_64_BITS = 10**30
BEFORE_ALL_YEARS = "0001-01-01T00:00:00+14:00"


def is_hit(source_id: str, part: float, *, salt: str) -> bool:
    """Whether an item is among this part of all items."""
    return part > 0 and crc32(f"{salt}{source_id}".encode()) < part * 2**32


def is_unreadable(source_id: str, part: float) -> bool:
    """Whether an item's row cannot be read when this part of all cannot."""
    return is_hit(source_id, part, salt="unreadable")


def spoil(row: Row, source_id: str, *, unreadable: float, odd_values: float, ways: Ways) -> Any:
    """The row as a provider gives it on a bad day."""
    if is_hit(source_id, odd_values, salt="odd"):
        row = ways.odd(row)
    if is_unreadable(source_id, unreadable):
        return ways.unreadable[crc32(source_id.encode()) % len(ways.unreadable)](row)
    return row


class Ways:
    """How rows of one wire format are spoilt."""

    def __init__(self, odd: Spoil, unreadable: Sequence[Spoil]) -> None:
        self.odd = odd
        self.unreadable = tuple(unreadable)
