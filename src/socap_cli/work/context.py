"""What every unit of work needs, built once a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from socap_cli.client.metered import MeteredClient
from socap_cli.model.queue import Outcome, Result, Unit
from socap_cli.settings import CollectionSettings
from socap_cli.store import Db, retry_until_available
from socap_cli.work.writer import EngagementWriter

Answer = TypeVar("Answer")


class _Ahead(ThreadPoolExecutor):
    """Threads whose log lines are about the job of whoever asks them."""

    def submit(self, call: Callable[..., Answer], /, *args: Any, **named: Any) -> Future[Answer]:
        return super().submit(copy_context().run, call, *args, **named)


@dataclass
class WorkContext:
    """The database, the provider, the rules and the clock of one run."""

    db: Db
    client: MeteredClient
    writer: EngagementWriter
    now: Callable[[], datetime]
    policy: CollectionSettings = field(default_factory=CollectionSettings)
    patience: float = 60.0
    """Seconds for which a database that went away is waited for."""
    provider_patience: float = 120.0
    """Seconds after which a run ends whose provider does not answer."""
    restart: Callable[[], None] = lambda: None
    """What may bring the database back."""
    ahead: Executor = field(default_factory=partial(_Ahead, 64, thread_name_prefix="ahead"))
    """Threads that ask for the next page while those of units store one."""

    def until_available(self, call: Callable[[], Answer]) -> Answer:
        """Do what can be repeated, waiting for the database while it is away and no stop is asked for."""
        return retry_until_available(
            call, patience=self.patience, stop=self.client.stop, restart=self.restart
        )


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

    completed: int = 0
    unchanged: int = 0
    requeued: int = 0
    failed: int = 0
    requests: int = 0
    items: int = 0
    cost: float = 0.0
    """Credits."""
    engagements_new: int = 0
    snapshots: int = 0
    seconds: float = 0.0
    stopped: bool = False
    """Whether it ended before the queue was dry."""
    over_budget: int = 0
    """Jobs ended without a request, since what may be spent was spent."""
    rows_unreadable: int = 0
    """Rows of answers that could not be read and were left out."""
    last_error: str | None = None
    """The last trouble that put a job back or failed it."""
