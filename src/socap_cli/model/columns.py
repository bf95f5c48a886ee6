"""Engagements as columns: what sums over very many of them need, in a few bytes each."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

BACKFILL, TIMED = 1, 2
"""Flags: it was there before its tweet was watched; it carries a time of its own."""
LARGEST = 2**63
MOST_LABELS = 64
TYPES = {
    "tweet": "I", "action": "B", "source": "q", "user": "q", "score": "f", "labels": "Q", "at": "I", "flags": "B",
}  # fmt: skip
"""The columns and the `array` type of each."""


@dataclass(frozen=True, slots=True)
class EngagementColumns:
    """Present engagements of some tweets, a row each; texts are numbers that point into the tuples."""

    tweets: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    label_names: tuple[str, ...] = ()
    tweet: array[int] = field(default_factory=lambda: array("I"))
    action: array[int] = field(default_factory=lambda: array("B"))
    source: array[int] = field(default_factory=lambda: array("q"))
    user: array[int] = field(default_factory=lambda: array("q"))
    score: array[float] = field(default_factory=lambda: array("f"))
    """Importance; not a number when it could not be looked up."""
    labels: array[int] = field(default_factory=lambda: array("Q"))
    """Bit n is set for the label `label_names[n]`."""
    at: array[int] = field(default_factory=lambda: array("I"))
    """Seconds since 1970: when it happened, or was seen first."""
    flags: array[int] = field(default_factory=lambda: array("B"))
    strange: dict[int, str] = field(default_factory=dict)
    """Ids that are no plain numbers, by the number that stands for them."""

    def __len__(self) -> int:
        return len(self.user)

    def engagement_id(self, row: int) -> str:
        """The id of a row's engagement."""
        number = self.source[row]
        source = self.strange.get(number, str(number))
        return f"{self.tweets[self.tweet[row]]}:{self.actions[self.action[row]]}:{source}"


def number_of(text: str) -> int:
    """An id as a number that gives it back: itself, or for what is no plain number a negative one made of it."""
    if text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and int(text) < LARGEST:
        return int(text)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return -1 - (int.from_bytes(digest) >> 1)


def bits_of(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
