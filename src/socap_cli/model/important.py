"""Important people, the accounts they follow, and the rules that read single fields of them.

The documents are the customer's and may be older than this program: ids as numbers, handles in any case or with @,
weights as text or null. What a rule can read is read; the rest is left out and named.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from socap_cli.model import cleaning

Result = TypeVar("Result")

DEFAULT_WEIGHT = 1.0
HEAVIEST = 1e9
WHOLE_DOUBLES = 2**53
"""Below it a number that is stored as a double has lost no digit."""


class Unreadable(ValueError):
    """A value that no rule can read; the message names it and the reason."""


@dataclass(frozen=True, slots=True)
class Follower:
    """An important person who follows an account, as an entry of the index names them."""

    username: str
    weight: float = DEFAULT_WEIGHT
    user_id: str | None = None
    name: str | None = None
    source: str | None = None
    """`import` or `build`; None for what somebody else wrote."""
    seen_at: datetime | None = None
    """When the source last confirmed it."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An account that at least one important person follows."""

    username: str | None
    user_id: str | None
    followers: tuple[Follower, ...] = ()
    stated_score: float | None = None
    updated_at: datetime | None = None
    problems: tuple[str, ...] = ()
    """The fields that could not be read, with the reason."""
    document: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """As it is stored; empty for an account that is not in the index."""

    @property
    def score(self) -> float:
        """The stated score, else the sum of the weights of the followers."""
        return self.stated_score if self.stated_score is not None else weights_of(self.followers)

    @property
    def heaviest(self) -> list[Follower]:
        """The followers in the order in which they are shown."""
        return sorted(self.followers, key=lambda follower: (-follower.weight, fold_handle(follower.username)))

    @property
    def display_name(self) -> str:
        return f"@{self.username}" if self.username else f"id {self.user_id}"


@dataclass(frozen=True, slots=True)
class ImportantPerson:
    """Somebody whose following makes an account important. None: not stated."""

    username: str
    weight: float | None = None
    user_id: str | None = None
    name: str | None = None
    organisation: str | None = None
    tags: tuple[str, ...] = ()
    is_active: bool | None = None
    following_count: int | None = None
    problems: tuple[str, ...] = ()
    """The fields that could not be read, with the reason."""
    key: object = None
    """The document's `_id`."""

    @property
    def effective_weight(self) -> float:
        return DEFAULT_WEIGHT if self.weight is None else self.weight


@dataclass(frozen=True, slots=True)
class EntryUpdate:
    """What to write to one entry of the index, and the entry that this was decided from."""

    before: IndexEntry | None
    """None for an account that is not in the index."""
    username: str | None
    user_id: str | None
    put: tuple[Follower, ...]
    """New and changed followers."""
    drop: tuple[str, ...]
    """Folded handles of followers to take out."""
    score: float


@dataclass(frozen=True, slots=True)
class PersonUpdate:
    """The fields to write to one important person."""

    before: ImportantPerson | None
    username: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    collection: str
    username: str
    is_new: bool
    differences: tuple[tuple[str, object, object], ...]
    """(field, before, after)."""


def weights_of(followers: Sequence[Follower]) -> float:
    return math.fsum(follower.weight for follower in followers)


def fold_handle(username: str) -> str:
    """A handle for comparison: handles are case-insensitive."""
    return username.strip().removeprefix("@").lower()


def _rule(parse: Callable[[Any], Result | None], complaint: str) -> Callable[[object], Result | None]:
    """Reads a field: None for null or blank. Raises Unreadable for what `parse` cannot read."""

    def read(value: object) -> Result | None:
        if value is None or (isinstance(value, str) and value.strip() in ("", "@")):
            return None
        if (result := parse(value)) is None:
            raise Unreadable(f"{cleaning.sample(value, limit=60)} {complaint}")
        return result

    return read


account_of = _rule(cleaning.handle, "is not a handle")
"""A handle as it is written, without @."""
flag_of = _rule(cleaning.flag, "is not yes or no")
id_of = _rule(
    lambda value: cleaning.user_id(int(value) if _is_whole(value) else value),
    "is not an id (at most 19 digits)",
)
"""An id as digits, from text or a whole number of any type."""
_number_of = _rule(cleaning.real, "is not a finite number")


def _is_whole(value: object) -> bool:
    return isinstance(value, float) and value.is_integer() and abs(value) < WHOLE_DOUBLES


def weight_of(value: object) -> float | None:
    """A weight or score: a finite number from 0, also as text; None for null or blank. Raises Unreadable."""
    number = _number_of(value)
    if number is not None and not 0 <= number <= HEAVIEST:
        raise Unreadable(f"{cleaning.sample(value, limit=60)} is not between 0 and {HEAVIEST:,.0f}")
    return number


def text_of(value: object) -> str | None:
    """A name on one line; None for null or blank. Raises Unreadable."""
    if value is None or isinstance(value, str):
        return cleaning.one_line(value) or None
    raise Unreadable(f"{cleaning.sample(value, limit=60)} is not text")


def tags_of(value: object) -> tuple[str, ...]:
    """Tags from a list, or from text with commas, semicolons or bars between them."""
    words = re.split("[;,|]", value) if isinstance(value, str) else value if isinstance(value, list) else ()
    tags = (cleaning.one_line(word) for word in words if isinstance(word, str))
    return tuple(dict.fromkeys(tag for tag in tags if tag))
