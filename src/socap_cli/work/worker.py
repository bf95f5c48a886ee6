"""One worker process: claim what its free threads can hold, run it, settle in bulk.

Everything about the queue itself is done by one thread, in batches, and waits while the database is away.
The other threads only work units; what they could not write they put back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from socap_cli.errors import DatabaseUnreachable, ProviderUnavailable
from socap_cli.model.kinds import METRICS
from socap_cli.model.queue import Unit
from socap_cli.store import Db, jobs, leases, queue_view, translate_error
from socap_cli.store.heartbeat import heartbeat
from socap_cli.work.claimer import Claimer
from socap_cli.work.context import WorkContext
from socap_cli.work.periodic import Periodic
from socap_cli.work.result import Progress, UnitResult, WorkResult
from socap_cli.work.settler import Settler
from socap_cli.work.threads import UnitThreads
from socap_cli.work.unit import work_unit

Answer = TypeVar("Answer")

GRACE = 2.5
"""Seconds that running units get after a stop was asked for."""
IDLE_MAX = 1.0
SWEEPS_A_LEASE = 6
BEATS_A_LEASE = 3
PROMOTE_EVERY = 1.0
COUNT_EVERY = 3.0
THREADS_PER_REQUEST = 4
"""Threads for each request that may be in flight: while one waits for the provider, another reads or writes."""

WorkUnit = Callable[[WorkContext, Unit, random.Random], UnitResult]


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works. Times are in seconds."""

    threads: int = THREADS_PER_REQUEST * 50
    lease: float = 60.0
    max_runtime: float = 1500.0
    idle_timeout: float = 60.0
    """How long a dry queue is waited for when jobs are due within it."""
    forever: bool = False


@dataclass
class Worker:
    """Works a queue until it is dry, time is up, or `context.client.stop` is set."""

    context: WorkContext
    options: WorkerOptions = field(default_factory=WorkerOptions)
    rng: random.Random = field(default_factory=random.Random)
    watch: Callable[[Progress], None] | None = None
    work: WorkUnit = work_unit

    def __post_init__(self) -> None:
        self._threads = UnitThreads(self.options.threads, self._work)
        self._claimer = Claimer(self.context, self.options.lease, self.rng)
        self._settler = Settler(self.context)
        self._open = 0
        self._started = time.monotonic()

    def run(self) -> WorkResult:
        """Work, then wind down. Raises what ends a run early."""
        self._started = time.monotonic()
        try:
            with heartbeat(self._renew, every=self.options.lease / BEATS_A_LEASE):
                fatal, dry = self._loop()
                late = self._wind_down()
        finally:
            self._threads.close()
            self.context.ahead.shutdown(wait=False, cancel_futures=True)
        if (error := fatal or late) is not None:
            raise error
        return self.result(stopped=not dry)

    def _loop(self) -> tuple[BaseException | None, bool]:
        """Until there is a reason to end: (what ended it, whether the queue is dry)."""
        periodic = Periodic(self.rng, self._tasks())
        while not self.context.client.stop.is_set() and self._seconds() < self.options.max_runtime:
            if self.watch:
                self.watch(self.progress())
            for task in periodic.due(time.monotonic()):
                self._until_available(partial(task, self.context.db))
            if self._worth_claiming():
                self._claim()
            if not self._threads.running:
                wait = self._until_available(self._seconds_to_more)
                ended = self._reason_to_end(wait)
                if ended is not None:
                    return ended
                self.context.client.stop.wait(min(max(wait or 0.0, 0.0), IDLE_MAX))
                self._claimer.claim_at_once()
                continue
            fatal = self._take_finished() or self._away(self.context.client.limiter.unheard_for())
            if fatal is not None:
                return fatal, False
        return None, False

    def _tasks(self) -> list[tuple[float, Callable[[Db], object]]]:
        tasks: list[tuple[float, Callable[[Db], object]]] = [
            (self.options.lease / SWEEPS_A_LEASE, leases.sweep),
            (PROMOTE_EVERY, jobs.promote_due),
        ]
        return [*tasks, (COUNT_EVERY, self._count_open)] if self.watch else tasks

    def _reason_to_end(self, wait: float | None) -> tuple[BaseException | None, bool] | None:
        """Why a worker that runs nothing ends, given the seconds to the next job; None while it goes on."""
        if self.options.forever:
            return None
        if wait is None:
            return None, True
        if away := self._away(self.context.client.limiter.silent_for()):
            return away, False
        return (None, False) if wait > self.options.idle_timeout else None

    def _away(self, silent: float) -> ProviderUnavailable | None:
        """What ends a run whose provider was silent for so long, also while a probe of some endpoint always hangs."""
        if self.options.forever or silent <= self.context.provider_patience:
            return None
        why = f"{self._settler.last_error}; " if self._settler.last_error else ""
        return ProviderUnavailable(
            f"the provider has not answered for {silent:.0f} s",
            hint=f"{why}nothing is lost; the next run goes on",
        )

    def _worth_claiming(self) -> bool:
        """Whether a quarter of the threads is free, so that claims stay few."""
        running = len(self._threads.running)
        return (self.options.threads - running) * 4 >= self.options.threads or not running

    def _claim(self, *, at_once: bool = False) -> None:
        """Claim for the free threads, unless a claim found nothing a moment ago."""
        if at_once:
            self._claimer.claim_at_once()
        free = self.options.threads - len(self._threads.running)
        for unit in self._until_available(partial(self._claimer.claim, free)):
            self._threads.start(unit)

    def _work(self, unit: Unit) -> UnitResult:
        return self.work(self.context, unit, self.rng)

    def _take_finished(self) -> BaseException | None:
        """Wait for units that finish, and settle them; return what must end the run."""
        worth_it = self._worth_claiming()
        finished = self._threads.finished(self._claimer.seconds_to_next() if worth_it else IDLE_MAX)
        if worth_it and any(done.unit.kind == METRICS for done in finished):
            self._claim(at_once=True)  # the lists that they released need not wait
        return self._settle(finished) if finished else None

    def _settle(self, finished: list[UnitResult]) -> BaseException | None:
        for done in finished:
            if done.closed_for:
                self._claimer.close(done.unit.kind, done.closed_for)
            elif done.is_answered:
                self._claimer.answered()
        fatal = self._settler.settle(finished, self._until_available)
        self._threads.forget(finished)
        return fatal

    def _until_available(self, call: Callable[[], Answer]) -> Answer:
        """Do what can be repeated, also when the database goes away for a while."""
        try:
            return call()
        except Exception as error:
            if not isinstance(translate_error(error), DatabaseUnreachable):
                raise
        self.context.until_available(self._recover)
        return self.context.until_available(call)

    def _recover(self) -> None:
        """The database is there again: keep what is still held, give back what was claimed without an answer."""
        held = self._threads.units()
        leases.renew(self.context.db, held, lease=self.options.lease)
        leases.release_unacknowledged(self.context.db, self._claimer.worker, held=held)

    def _renew(self) -> None:
        if held := self._threads.units():
            leases.renew(self.context.db, held, lease=self.options.lease)

    def _seconds_to_more(self) -> float | None:
        """How long until there may be something to claim; None when the queue is dry.

        What another worker runs may release lists at any moment, so that is waited for.
        """
        wait = queue_view.seconds_to_next(self.context.db)
        if (wait is None or wait > IDLE_MAX) and queue_view.count_processing(self.context.db) > 0:
            return IDLE_MAX
        if wait is None:
            return IDLE_MAX if self.options.forever else None
        return max(wait, self._claimer.closed_for())

    def _wind_down(self) -> BaseException | None:
        """Let running units finish for a moment, then give the rest back untouched."""
        self.context.client.stop.set()
        until = time.monotonic() + GRACE
        fatal: BaseException | None = None
        while self._threads.running and time.monotonic() < until:
            fatal = self._settle(self._threads.finished(0.1)) or fatal
        if held := self._threads.units():
            self._settler.counts["requeued"] += leases.release(self.context.db, held)
        return fatal

    def _count_open(self, db: Db) -> None:
        self._open = queue_view.count_open(db)

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def progress(self) -> Progress:
        """How far the run has come."""
        return Progress(self.result(), dict(self._settler.by_kind), len(self._threads.running), self._open)

    def result(self, *, stopped: bool = False) -> WorkResult:
        """What was done so far."""
        counts = self.context.client.counts
        return WorkResult(
            **self._settler.counts,
            requests=counts.requests,
            items=counts.items,
            cost=round(counts.cost, 2),
            engagements_new=counts.engagements_new,
            snapshots=counts.snapshots,
            rows_unreadable=counts.rows_unreadable,
            seconds=round(self._seconds(), 3),
            stopped=stopped,
            last_error=self._settler.last_error,
        )
