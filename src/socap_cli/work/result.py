"""What became of a unit, what a run did, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from socap_cli.model.kinds import Kind
from socap_cli.model.queue import Outcome, Result, Unit


@dataclass(frozen=True, slots=True)
class UnitResult:
    """A unit's outcomes, to be written in bulk by whoever ran it."""

    unit: Unit
    outcomes: Sequence[Outcome]
    lists_unchanged: int = 0
    """Jobs of lists that a metrics unit ended, since their counters did not move."""
    closed_for: float = 0.0
    """Seconds for which its endpoint takes no more requests."""
    fatal: BaseException | None = None
    """What must end the whole run."""
    bug: BaseException | None = None
    """What nobody foresaw: it fails this unit, and ends the run only when it goes on and on."""

    @property
    def is_answered(self) -> bool:
        """Whether the provider answered what it was asked."""
        return any(outcome.result in (Result.COLLECTED, Result.MISSING) for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class WorkResult:
    """What a run did, in jobs, requests and documents."""

    completed: int
    unchanged: int
    requeued: int
    failed: int
    requests: int
    items: int
    cost: float
    """Credits."""
    engagements_new: int
    snapshots: int
    seconds: float
    stopped: bool = False
    """Whether it ended before the queue was dry."""
    over_budget: int = 0
    """Jobs ended without a request, since what may be spent was spent."""
    rows_unreadable: int = 0
    """Rows of answers that could not be read and were left out."""
    last_error: str | None = None
    """The last trouble that put a job back or failed it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A run at one moment: what it did, the jobs it ended of each kind, and the units that run."""

    done: WorkResult
    by_kind: Mapping[Kind, int]
    running: int
    left: int
    """Jobs that were open when they were last counted."""
