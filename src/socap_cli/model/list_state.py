"""What is known of a tweet and of each of its lists: counters, passes, gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from socap_cli.model.engagement import Velocity
from socap_cli.model.kinds import LISTS, Counters, Kind

MISSES_TO_BELIEVE = 2


SCANS_A_HOLD = 1000
"""More than one holder of a list ever starts: the scans of the hold with epoch n are numbered from n times this."""


class Phase(StrEnum):
    """Which part of a list a pass reads."""

    WHOLE = "whole"
    """From the top."""
    FRESH = "fresh"
    """Only what is newer than `since`."""
    OLDER = "older"
    """What is below `since`."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a list by time that is read to its end by itself: `since` inclusive, `until` exclusive, None open."""

    since: datetime | None
    until: datetime | None
    cursor: str | None = None
    read: int = 0
    """Items read of it."""
    expected: int = 0
    """Items that are probably left in it."""
    oldest: datetime | None = None
    """Everything newer than this is read. None when the order of what was read does not tell."""


@dataclass(frozen=True, slots=True)
class Pass:
    """An unfinished pass over a list: where it stands and what bounds it."""

    number: int
    full: bool
    """Whether it goes to the end of the list, and so finds what is gone."""
    phase: Phase
    started_at: datetime
    counter: int | None
    cursor: str | None = None
    known_run: int = 0
    pages: int = 0
    since: datetime | None = None
    newest: datetime | None = None
    """The newest engagement that this pass saw: the next pass's `since`."""
    proven: bool = True
    """False once the list ended in a way that proves nothing."""
    scan: int = 0
    """The start at the top from which it goes on; later starts have larger numbers, whatever became of them."""
    windows: tuple[Window, ...] = ()
    """What is left of a long list that is read side by side; its cursors stand in them."""


@dataclass(frozen=True, slots=True)
class Deferral:
    """A pass that was due and is not done: the gap that it will have been."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ListState:
    """What is known of one list of one tweet."""

    tweet_id: str
    kind: Kind
    epoch: int = 0
    completed_passes: int = 0
    counter: int | None = None
    counter_at_pass: int | None = None
    collected: int = 0
    removed: int = 0
    deficit: int = 0
    """Counter minus collected after the last pass: what it could not find, or (negative) what is gone."""
    full_deficit: int = 0
    """The same after the last full pass: what cannot be read at all."""
    fell: bool = False
    """Whether the counter fell since the last full pass."""
    since: datetime | None = None
    open_pass: Pass | None = None
    last_pass_at: datetime | None = None
    last_full_at: datetime | None = None
    verify: bool = False
    deferred: Deferral | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """A time for which nobody looked: what happened in it was found later, or is not known."""

    kind: str
    begins_at: datetime
    ends_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class TweetState:
    """What is known of one tweet."""

    tweet_id: str
    counters: Counters = field(default_factory=dict)
    checked_at: datetime | None = None
    metrics_at: datetime | None = None
    """When the counters were read, by the database's clock."""
    misses: int = 0
    """How often in a row the provider did not know the tweet."""
    lists: Mapping[Kind, ListState] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    """When it was not read though it should have been, the latest last."""
    velocity: Velocity = field(default_factory=Velocity)
    """How fast its engagements came, as of `checked_at`."""
    moved_at: datetime | None = None
    """When the counter of one of its lists was last seen to move."""

    @property
    def vanished(self) -> bool:
        """Not in the answer once is no proof that a tweet is gone; twice is believed."""
        return self.misses >= MISSES_TO_BELIEVE


@dataclass(frozen=True, slots=True)
class Observation:
    """What one look at a tweet's counters told; `counters` is None when the provider did not know the tweet."""

    tweet_id: str
    counters: Counters | None
    fell: tuple[Kind, ...] = ()
    """Lists whose counter is lower than it was."""
    empty: tuple[Kind, ...] = ()
    """Lists that are empty when first observed: they need no pass, and what comes from now on is new."""
    unread_since: datetime | None = None
    """When the counters were read last, if that is too long ago."""
    velocity: Velocity | None = None
    """How fast engagements came, with this look."""
    moved: bool = False
    """Whether the counter of one of its lists did, or this was the first look."""


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """How many of one list are stored: present, by the scan that saw them last, and removed."""

    seen: Mapping[int, int]
    removed: int

    @property
    def present(self) -> int:
        """How many are there."""
        return sum(self.seen.values())

    def unseen(self, *, before: int) -> int:
        """Present ones that no scan from this one on has seen."""
        return sum(count for scan, count in self.seen.items() if scan < before)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what the counters say was collected, of one kind of list."""

    kind: Kind
    counter: int = 0
    collected: int = 0
    removed: int = 0
    unread: int = 0
    """Lists that no pass has read yet."""
    oldest_pass_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class GapRow:
    """A time for which some of the tweets were not looked at."""

    kind: str
    begins_at: datetime
    ends_at: datetime | None
    """None while it is still open."""
    reason: str
    tweets: int


def coverage_of(states: Iterable[TweetState]) -> dict[Kind, Coverage]:
    """Per kind of list: the sums of counter, collected and removed over tweets, and the oldest last pass."""
    sums = {kind: Coverage(kind) for kind in LISTS}
    for state in states:
        for kind, known in state.lists.items():
            row = sums[kind]
            passes = [at for at in (row.oldest_pass_at, known.last_pass_at) if at is not None]
            sums[kind] = replace(
                row,
                counter=row.counter + (known.counter or 0),
                collected=row.collected + known.collected,
                removed=row.removed + known.removed,
                unread=row.unread + (known.last_pass_at is None),
                oldest_pass_at=min(passes, default=None),
            )
    return sums


def gaps_of(states: Iterable[TweetState]) -> tuple[GapRow, ...]:
    """The gaps of all tweets, those of one time together, the latest first."""
    found: Counter[tuple[str, datetime, datetime | None, str]] = Counter()
    for state in states:
        for gap in state.gaps:
            end = _minute(gap.ends_at) if gap.ends_at else None
            found[gap.kind, _minute(gap.begins_at), end, gap.reason] += 1
        for kind, known in state.lists.items():
            if known.deferred:
                found[kind, _minute(known.deferred.since), None, known.deferred.reason] += 1
    rows = [GapRow(*key, tweets=count) for key, count in found.items()]
    return tuple(sorted(rows, key=lambda row: (row.begins_at, row.kind), reverse=True))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
