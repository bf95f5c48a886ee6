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
"""Stride of scan numbers per epoch; a holder of a list never starts as many scans."""


class Phase(StrEnum):
    """Which part of a list a pass reads: all, only what is newer than `since`, or what is older."""

    WHOLE = "whole"
    FRESH = "fresh"
    OLDER = "older"


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a list by time, read to its end by itself. `since` is inclusive, `until` exclusive, None is open."""

    since: datetime | None
    until: datetime | None
    cursor: str | None = None
    read: int = 0
    expected: int = 0
    """Items that are probably left."""
    oldest: datetime | None = None
    """Everything newer than this was read; None if the order of the items does not show it."""


@dataclass(frozen=True, slots=True)
class Pass:
    """An unfinished pass over a list: where it stands and what bounds it."""

    number: int
    full: bool
    """Whether it reads to the end of the list, and so finds what was removed."""
    phase: Phase
    started_at: datetime
    counter: int | None
    cursor: str | None = None
    known_run: int = 0
    pages: int = 0
    since: datetime | None = None
    newest: datetime | None = None
    """The newest engagement in this pass: the next pass's `since`."""
    proven: bool = True
    """False once the list ended in a way that proves nothing."""
    scan: int = 0
    """Number of its start at the top; later starts have larger numbers."""
    windows: tuple[Window, ...] = ()
    """What is left of a long list that is read in parallel; the cursors are in them."""


@dataclass(frozen=True, slots=True)
class Deferral:
    """A pass that was due and not done; the pass that does it records the gap."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ListState:
    tweet_id: str
    kind: Kind
    epoch: int = 0
    completed_passes: int = 0
    counter: int | None = None
    counter_at_pass: int | None = None
    collected: int = 0
    removed: int = 0
    deficit: int = 0
    """Counter minus collected after the last pass: what it did not find or, if negative, what was removed."""
    full_deficit: int = 0
    """The same after the last full pass: what cannot be read (protected accounts)."""
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
    """A period without readings."""

    kind: str
    begins_at: datetime
    ends_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class TweetState:
    tweet_id: str
    counters: Counters = field(default_factory=dict)
    checked_at: datetime | None = None
    metrics_at: datetime | None = None
    """When the counters were read, by the database's clock; `checked_at` is by the host's."""
    misses: int = 0
    """How often in a row the provider did not return the tweet."""
    lists: Mapping[Kind, ListState] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    velocity: Velocity = field(default_factory=Velocity)
    moved_at: datetime | None = None
    """When the counter of one of its lists moved last."""

    @property
    def vanished(self) -> bool:
        """Missing from one response proves nothing; missing twice in a row does."""
        return self.misses >= MISSES_TO_BELIEVE


@dataclass(frozen=True, slots=True)
class Observation:
    """One reading of a tweet's counters; None when the provider did not return the tweet."""

    tweet_id: str
    counters: Counters | None
    fell: tuple[Kind, ...] = ()
    """Lists whose counter fell."""
    empty: tuple[Kind, ...] = ()
    """Lists that are empty at the first reading: they need no pass, and what comes later is new."""
    unread_since: datetime | None = None
    """When the counters were read last, if that leaves a gap."""
    velocity: Velocity | None = None
    moved: bool = False
    """Whether the counter of one of its lists moved, or this is the first reading."""


@dataclass(frozen=True, slots=True)
class StoredCounts:
    """Stored engagements of one list: present, by the scan that saw them last, and removed."""

    seen: Mapping[int, int]
    removed: int

    @property
    def present(self) -> int:
        return sum(self.seen.values())

    def unseen(self, *, before: int) -> int:
        """Present ones that no scan since this one saw."""
        return sum(count for scan, count in self.seen.items() if scan < before)


@dataclass(frozen=True, slots=True)
class Coverage:
    kind: Kind
    counter: int = 0
    collected: int = 0
    removed: int = 0
    unread: int = 0
    """Lists without a completed pass."""
    oldest_pass_at: datetime | None = None
    excess: int = 0
    """Collected beyond the counter of a list, as after a fall: it does not make up for what another list lacks."""

    @property
    def matched(self) -> int:
        """Collected, of each list at most its counter."""
        return self.collected - self.excess


@dataclass(frozen=True, slots=True)
class GapRow(Gap):
    """A gap, and how many tweets share it."""

    tweets: int


def coverage_of(states: Iterable[TweetState]) -> dict[Kind, Coverage]:
    """Sums over tweets for each kind of list, and the oldest last pass."""
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
                excess=row.excess + max(0, known.collected - (known.counter or 0)),
                oldest_pass_at=min(passes, default=None),
            )
    return sums


def gaps_of(states: Iterable[TweetState]) -> tuple[GapRow, ...]:
    """The gaps of all tweets, equal ones together, the latest first; `ends_at` is None for an open one."""
    tweets_of: Counter[tuple[str, datetime, datetime | None, str]] = Counter()
    for state in states:
        for gap in state.gaps:
            end = _minute(gap.ends_at) if gap.ends_at else None
            tweets_of[gap.kind, _minute(gap.begins_at), end, gap.reason] += 1
        for kind, known in state.lists.items():
            if known.deferred:
                tweets_of[kind, _minute(known.deferred.since), None, known.deferred.reason] += 1
    rows = [GapRow(*key, tweets=count) for key, count in tweets_of.items()]
    return tuple(sorted(rows, key=lambda row: (row.begins_at, row.kind), reverse=True))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
