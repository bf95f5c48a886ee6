"""What a run did, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from socap_cli.model import Kind


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
    engagements_new: int
    snapshots: int
    seconds: float
    stopped: bool = False
    """Whether it ended before the queue was dry."""
    over_budget: int = 0
    """Jobs ended without a request, since what may be spent was spent."""
    last_error: str | None = None
    """The last trouble that put a job back."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A run at one moment: what it did, the jobs it ended of each kind, and the units that run."""

    done: WorkResult
    by_kind: Mapping[Kind, int]
    running: int
    left: int
    """Jobs that were open when they were last counted."""
