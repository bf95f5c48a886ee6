"""Who is important to the firm, whom they follow, and the rules by which documents about them are read.

The documents are the firm's own and may be older than this program: ids as numbers, handles in any case or with
@, weights as text or null. What a rule can read is read; what it cannot is left out and told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from socap_cli.model import cleaning

DEFAULT_WEIGHT = 1.0
HEAVIEST = 1e9
WHOLE_DOUBLES = 2**53
"""Below it a number of a document that is kept as a double has lost no digit."""


class Unreadable(ValueError):
    """A value that no rule can read; says which and why."""


@dataclass(frozen=True, slots=True)
class Follower:
    """An important person who follows an account, as an entry of the index names them."""

    username: str
    weight: float = DEFAULT_WEIGHT
    user_id: str | None = None
    name: str | None = None
    source: str | None = None
    """Who wrote it: `import` or `build`; None when it was there already."""
    seen_at: datetime | None = None
    """When the source last said so."""


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An account that is followed by at least one important person."""

    username: str | None
    user_id: str | None
    followers: tuple[Follower, ...] = ()
    stated_score: float | None = None
    """What the document says; None when it says nothing that can be read."""
    updated_at: datetime | None = None
    problems: tuple[str, ...] = ()
    """What in it could not be read."""
    key: object = None
    """The document's own id; None while it is not stored."""

    @property
    def score(self) -> float:
        """The stated score, else the sum of the weights of its followers."""
        return self.stated_score if self.stated_score is not None else weights_of(self.followers)

    @property
    def display_name(self) -> str:
        """What a person calls the account."""
        return f"@{self.username}" if self.username else f"id {self.user_id}"


@dataclass(frozen=True, slots=True)
class ImportantPerson:
    """Somebody whose following makes an account important. None: not said."""

    username: str
    weight: float | None = None
    user_id: str | None = None
    name: str | None = None
    organisation: str | None = None
    tags: tuple[str, ...] = ()
    is_active: bool | None = None
    following_count: int | None = None
    problems: tuple[str, ...] = ()
    """What in its document could not be read."""
    key: object = None
    """The document's own id; None while it is not stored."""

    @property
    def effective_weight(self) -> float:
        """1 when none is stated."""
        return DEFAULT_WEIGHT if self.weight is None else self.weight


@dataclass(frozen=True, slots=True)
class EntryUpdate:
    """What is to be written to one entry of the index, and what it was when that was decided."""

    before: IndexEntry | None
    """None for an account that is not in the index."""
    username: str | None
    user_id: str | None
    put: tuple[Follower, ...]
    """Followers that are new or say something new."""
    drop: tuple[str, ...]
    """Folded handles of followers to take out."""
    score: float


@dataclass(frozen=True, slots=True)
class PersonUpdate:
    """What is to be written to one important person; only these fields."""

    before: ImportantPerson | None
    username: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Change:
    """What writing does, or would do, to one document."""

    collection: str
    username: str
    is_new: bool
    differences: tuple[tuple[str, object, object], ...]
    """(field, before, after); none when nothing changes."""


def weights_of(followers: Sequence[Follower]) -> float:
    """The score that these followers give: the sum of their weights."""
    return math.fsum(follower.weight for follower in followers)


def fold_handle(username: str) -> str:
    """A handle as it is compared: handles have no case."""
    return username.strip().removeprefix("@").lower()


def account_of(value: object) -> str | None:
    """A handle as it is written, without @; None for null or blank. Raises Unreadable."""
    if _is_blank(value) or value == "@":
        return None
    if (name := cleaning.handle(value)) is None:
        raise Unreadable(f"{_shown(value)} is no handle")
    return name


def id_of(value: object) -> str | None:
    """An id as digits, from text or a whole number of any type; None for null or blank. Raises Unreadable."""
    if _is_blank(value):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < WHOLE_DOUBLES:
        value = int(value)
    if (found := cleaning.user_id(value)) is None:
        raise Unreadable(f"{_shown(value)} is no id (digits, at most 19)")
    return found


def weight_of(value: object) -> float | None:
    """A weight or score: a finite number from 0 on, also as text; None for null or blank. Raises Unreadable."""
    if _is_blank(value):
        return None
    number = cleaning.real(value)
    if number is None:
        raise Unreadable(f"{_shown(value)} is no finite number")
    if not 0 <= number <= HEAVIEST:
        raise Unreadable(f"{_shown(value)} is not between 0 and {HEAVIEST:,.0f}")
    return number


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _shown(value: object) -> str:
    text = ascii(value) if not isinstance(value, int) or abs(value) < 10**40 else "a number of many digits"
    return text if len(text) <= 60 else f"{text[:59]}…"
