"""One worker process: claim what its free threads can hold, run it, settle in bulk.

One thread does everything about the queue, in batches, and waits while the database is unreachable. The other
threads only run units; what they could not write, they give back.
"""

from __future__ import annotations

import logging
import os
import queue
import random
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from socap_cli.errors import DatabaseUnreachable, OverBudget, ProviderUnavailable, RateLimited, SocapError
from socap_cli.logs import about_job
from socap_cli.model.kinds import LISTS, METRICS, Kind, kinds
from socap_cli.model.queue import Job, Outcome, Result, Unit
from socap_cli.store import Db, jobs, translate_error, worker_state
from socap_cli.store.connect import heartbeat
from socap_cli.work import lists, metrics
from socap_cli.work.context import UnitResult, WorkContext, WorkResult

Answer = TypeVar("Answer")
WorkUnit = Callable[[WorkContext, Unit, random.Random], UnitResult]

THREADS_PER_REQUEST = 4
"""Threads for each request that may be in flight: while one waits for the provider, others read or write."""

GRACE = 2.0  # seconds that running units get after a stop was requested
IDLE_MIN, IDLE_MAX = 0.02, 1.0  # seconds between two claims that found nothing
STOP_CHECK = 0.25  # the longest wait for a unit, so that a stop is noticed
GATHER = 0.02  # seconds for which a finished unit waits for others to be settled with
SWEEPS_A_LEASE, BEATS_A_LEASE = 6, 3
PROMOTE_EVERY, COUNT_EVERY = 1.0, 3.0
BUGS_TO_END = 25  # so many in a row, without a unit that worked among them, concern more than single units
COLUMNS = {Result.UNCHANGED: "unchanged", Result.OVER_BUDGET: "over_budget"}

BACK_OFF_BASE, BACK_OFF_CAP = 1.0, 300.0
FREE_FAILURES = 3  # failures of one job that cost it no attempt, while others are answered
JITTER = 0.2

log = logging.getLogger("socap.work")


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works. Times are in seconds."""

    threads: int = THREADS_PER_REQUEST * 50
    lease: float = 60.0
    max_runtime: float = 1500.0
    idle_timeout: float = 60.0
    """How long an empty queue is waited for when jobs are due within it."""
    forever: bool = False


def work_unit(context: WorkContext, unit: Unit, rng: random.Random) -> UnitResult:
    """Do what a unit asks for. Outcomes are returned, not written: the worker settles them in bulk."""
    with about_job(", ".join(job.job_id for job in unit.jobs[:3])):
        try:
            # The jobs whose campaigns may pay; the others end as over budget.
            admitted = context.client.budget.admitted(unit.kind, unit.campaigns, context.now())
            paying = tuple(job for job in unit.jobs if job.campaign_id in admitted)
            if not paying:
                raise OverBudget
            done = (metrics if unit.kind == METRICS else lists).run(context, Unit(unit.kind, paying))
            over = [_over_budget(job) for job in unit.jobs if job.campaign_id not in admitted]
            done = UnitResult(unit, [*done.outcomes, *over], done.lists_unchanged)
        except Exception as error:
            try:
                done = _after_error(context, unit, error, rng)
            except Exception as second:  # what it noted could not be written: the unit comes again
                done = _after_bug(unit, second, rng)
        results = sorted({outcome.error or outcome.result.value for outcome in done.outcomes})
        tweets = unit.tweet_ids[0] if len(unit.tweet_ids) == 1 else f"{len(unit.tweet_ids)} tweets"
        log.info("%s of %s: %s", unit.kind, tweets, ", ".join(results))
        return done


@dataclass
class Worker:
    """Works a queue until it is empty, time is up, or `context.client.stop` is set."""

    context: WorkContext
    options: WorkerOptions = field(default_factory=WorkerOptions)
    rng: random.Random = field(default_factory=random.Random)
    watch: Callable[[WorkResult, int], None] | None = None
    """Shows how far the run has come, with the jobs that were open when they were last counted."""
    work: WorkUnit = work_unit

    def __post_init__(self) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._pool = ThreadPoolExecutor(self.options.threads, thread_name_prefix="unit")
        self._finished: queue.SimpleQueue[UnitResult] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: dict[int, Unit] = {}  # by identity, from the start of a unit until it is settled
        self._closed: dict[Kind, float] = {}  # until when the endpoint of a kind takes no requests
        self._probing = False
        self._idle, self._next_claim = IDLE_MIN, 0.0
        self._counts = dict.fromkeys(("completed", "unchanged", "requeued", "failed", "over_budget"), 0)
        self._last_error: str | None = None
        self._bugs = 0
        self._open = 0
        self._started = time.monotonic()
        tasks: list[tuple[float, Callable[[Db], object]]] = [
            (self.options.lease / SWEEPS_A_LEASE, jobs.sweep),
            (PROMOTE_EVERY, jobs.promote_due),
        ]
        if self.watch:
            tasks.append((COUNT_EVERY, self._count_open))
        self._tasks = [(every, task, 0.0) for every, task in tasks]

    def run(self) -> WorkResult:
        """Claim units, run them on threads and settle them; then give back what is not finished.

        Raises what ends a run early: a refused key, an unreachable provider or database, a used-up budget, bugs.
        """
        stop, limiter = self.context.client.stop, self.context.client.limiter
        self._started = time.monotonic()
        fatal: BaseException | None = None
        is_dry = False
        try:
            with heartbeat(self._renew, every=self.options.lease / BEATS_A_LEASE):
                while fatal is None and not stop.is_set() and self._seconds() < self.options.max_runtime:
                    if self.watch:
                        self.watch(self._result(stopped=False), self._open)
                    self._run_tasks()
                    if self._has_room():
                        self._claim()
                    if self._running:
                        fatal = self._settle_next() or self._provider_down(limiter.unheard_for())
                        continue
                    wait = self._until_available(self._seconds_to_more)
                    if not self.options.forever:
                        is_dry = wait is None
                        fatal = None if is_dry else self._provider_down(limiter.silent_for())
                        if wait is None or fatal or wait > self.options.idle_timeout:
                            break
                    stop.wait(min(max(wait or 0.0, 0.0), IDLE_MAX))
                    self._next_claim = 0.0
                # Running units get a moment to finish; the rest goes back to the queue, at no cost of an attempt.
                stop.set()
                until = time.monotonic() + GRACE
                while self._running and time.monotonic() < until:
                    fatal = self._settle(self._gather(0.1)) or fatal
                if held := self._units():
                    self._counts["requeued"] += jobs.release(self.context.db, held)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self.context.ahead.shutdown(wait=False, cancel_futures=True)
        if fatal is not None:
            raise fatal
        return self._result(stopped=not is_dry)

    # Claiming

    def _has_room(self) -> bool:
        """Whether a quarter of the threads is free, so that claims stay few."""
        running = len(self._running)
        return (self.options.threads - running) * 4 >= self.options.threads or not running

    def _claim(self) -> None:
        """Claim for the free threads, unless the pause after an empty claim lasts."""
        now = time.monotonic()
        if now < self._next_claim:
            return
        free = self.options.threads - len(self._running)
        units = self._until_available(
            lambda: jobs.claim(
                self.context.db,
                [kind for kind in kinds() if self._closed.get(kind, 0.0) <= now],
                units=1 if self._probing else free,
                batch=self.context.client.provider.batch,
                worker=self.name,
                lease=self.options.lease,
            )
        )
        self._idle = IDLE_MIN if units else min(IDLE_MAX, self._idle * 2)
        self._next_claim = 0.0 if units else now + self._idle * self.rng.uniform(0.5, 1.5)
        for unit in units:
            with self._lock:
                self._running[id(unit)] = unit
            self._pool.submit(self._run_unit, unit)

    def _run_unit(self, unit: Unit) -> None:
        try:
            done = self.work(self.context, unit, self.rng)
        except Exception as error:  # its jobs come back when their lease ends
            log.exception("%s of %s: a bug", unit.kind, ", ".join(unit.tweet_ids[:3]))
            done = UnitResult(unit, (), bug=error)
        self._finished.put(done)

    # Settling

    def _settle_next(self) -> BaseException | None:
        """Wait for units that finish, and settle them; return what must end the run."""
        has_room = self._has_room()
        until_claim = self._next_claim - time.monotonic() if has_room else STOP_CHECK
        finished = self._gather(min(until_claim, STOP_CHECK))
        if has_room and any(done.unit.kind == METRICS for done in finished):
            self._next_claim = 0.0  # the lists that they released need not wait for the settling
            self._claim()
        return self._settle(finished)

    def _gather(self, timeout: float) -> list[UnitResult]:
        """Units that finished, with those that finish shortly after the first one."""
        finished: list[UnitResult] = []
        with suppress(queue.Empty):
            finished.append(self._finished.get(timeout=max(0.001, timeout)))
            until = time.monotonic() + GATHER
            while len(finished) < len(self._running):
                if self._finished.empty():  # polled: waking for each one costs more
                    if time.monotonic() >= until:
                        break
                    time.sleep(GATHER / 20)
                else:
                    finished.append(self._finished.get_nowait())
        return finished

    def _settle(self, finished: list[UnitResult]) -> BaseException | None:
        """Write the outcomes of these units; return what must end the run."""
        if not finished:
            return None
        db, client = self.context.db, self.context.client
        for done in finished:
            if done.closed_for:  # then one request finds out whether it answers again
                self._closed[done.unit.kind] = time.monotonic() + done.closed_for
                self._probing = True
            elif done.is_answered:
                self._probing = False
        outcomes = [outcome for done in finished for outcome in done.outcomes]
        self._until_available(client.meter.write)
        self._until_available(partial(jobs.settle, db, outcomes))
        # Tweets whose counters will not come in this cycle: their lists go without them.
        given_up = [
            outcome.job.tweet_id
            for outcome in outcomes
            if outcome.job.kind == METRICS and (outcome.failed or outcome.result is Result.OVER_BUDGET)
        ]
        if given_up:
            waiting = [(tweet_id, kind) for kind in LISTS for tweet_id in given_up]
            served = [row for row in waiting if row[1] in client.provider.lists]
            not_served = [row for row in waiting if row[1] not in client.provider.lists]
            self._until_available(partial(jobs.release_lists, db, served, not_served))
        for outcome in outcomes:
            if outcome.failed:
                self._counts["failed"] += 1
            elif outcome.delay is not None:
                self._counts["requeued"] += 1
            else:
                self._counts[COLUMNS.get(outcome.result, "completed")] += 1
            if outcome.error and not outcome.waits:
                self._last_error = outcome.error
        fatal = None
        for done in finished:
            self._counts["unchanged"] += done.lists_unchanged
            self._bugs = self._bugs + 1 if done.bug else 0
            if fatal is None and (done.fatal or self._bugs >= BUGS_TO_END):
                fatal = done.fatal or done.bug
        with self._lock:
            for done in finished:
                self._running.pop(id(done.unit), None)
        return fatal

    # Waiting

    def _seconds_to_more(self) -> float | None:
        """How long until there may be something to claim; None when the queue is empty.

        What another worker runs may release lists at any moment, so it is waited for.
        """
        wait = jobs.seconds_to_next(self.context.db)
        if (wait is None or wait > IDLE_MAX) and jobs.count_processing(self.context.db) > 0:
            return IDLE_MAX
        if wait is None:
            return IDLE_MAX if self.options.forever else None
        now = time.monotonic()
        return max(wait, min(self._closed.get(kind, 0.0) - now for kind in kinds()))

    def _provider_down(self, silent: float) -> ProviderUnavailable | None:
        """What ends a run whose provider was silent for so long, also while a probe of some endpoint always hangs."""
        if self.options.forever or silent <= self.context.provider_patience:
            return None
        self.context.client.limiter.close_failing(self._last_error or "no response")
        why = f"{self._last_error}; " if self._last_error else ""
        return ProviderUnavailable(
            f"the provider has not answered for {silent:.0f} s",
            hint=f"{why}nothing is lost; the next run continues",
        )

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
        """The database is back: keep what is still held, give back what was claimed without an answer."""
        held = self._units()
        jobs.renew(self.context.db, held, lease=self.options.lease)
        jobs.release_unacknowledged(self.context.db, self.name, held=held)

    # Housekeeping

    def _run_tasks(self) -> None:
        """What is due of the periodic tasks. Intervals vary by a fifth, so that workers do not meet."""
        now = time.monotonic()
        for number, (every, task, due) in enumerate(self._tasks):
            if now >= due:
                self._tasks[number] = (every, task, now + every * self.rng.uniform(0.8, 1.2))
                self._until_available(partial(task, self.context.db))

    def _renew(self) -> None:
        if held := self._units():
            jobs.renew(self.context.db, held, lease=self.options.lease)

    def _units(self) -> list[Unit]:
        with self._lock:
            return list(self._running.values())

    def _count_open(self, db: Db) -> None:
        self._open = jobs.count_open(db)

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _result(self, *, stopped: bool) -> WorkResult:
        counts = self.context.client.counts
        return WorkResult(
            **self._counts,
            requests=counts.requests,
            items=counts.items,
            cost=round(counts.cost, 2),
            engagements_new=counts.engagements_new,
            snapshots=counts.snapshots,
            rows_unreadable=counts.rows_unreadable,
            seconds=round(self._seconds(), 3),
            stopped=stopped,
            last_error=self._last_error,
        )


def _over_budget(job: Job) -> Outcome:
    return Outcome(job, Result.OVER_BUDGET, error=Result.OVER_BUDGET.value)


def _after_error(context: WorkContext, unit: Unit, error: Exception, rng: random.Random) -> UnitResult:
    """What an expected error means for a unit, by the facts that it carries; any other is a bug."""
    fault = error if isinstance(error, SocapError) else translate_error(error)
    if fault is None:
        return _after_bug(unit, error, rng)
    if isinstance(fault, OverBudget):
        _note_deferred(context, unit, Result.OVER_BUDGET.value)
        return UnitResult(unit, [_over_budget(job) for job in unit.jobs])
    if isinstance(fault, RateLimited) and fault.asked:
        worker_state.note_blocked(context.db, unit.tweet_ids, seconds=fault.retry_after or 0.0)
    outcomes = [outcome_after(job, fault, rng) for job in unit.jobs]
    if any(outcome.failed for outcome in outcomes):
        _note_deferred(context, unit, fault.message[:200])
    fatal = fault if fault.ends_run else None
    return UnitResult(unit, outcomes, closed_for=fault.closed_for, fatal=fatal)


def outcome_after(job: Job, error: SocapError, rng: random.Random) -> Outcome:
    """The job's outcome after an error. Limits and outages are not the job's fault and cost no attempt."""
    if error.final:
        return Outcome(job, error=error.message, final=True)
    delay, is_failure = error.retry_after, error.is_failure or error.concerns_one
    if delay is None:
        delay = back_off(job.failures if is_failure else job.attempts, rng)
    elif delay:
        delay += rng.uniform(0, JITTER)  # so that not all of them come back at once
    return Outcome(
        job,
        delay=delay,
        error=error.message,
        counts_attempt=error.counts_attempt or (error.concerns_one and job.failures >= FREE_FAILURES),
        is_failure=is_failure,
    )


def back_off(tries: int, rng: random.Random) -> float:
    """Seconds before try `tries` + 1: doubling from one second to five minutes, give or take a fifth."""
    return min(BACK_OFF_CAP, BACK_OFF_BASE * 2.0 ** min(tries, 10)) * rng.uniform(1 - JITTER, 1 + JITTER)


def _after_bug(unit: Unit, error: Exception, rng: random.Random) -> UnitResult:
    """A bug costs an attempt of this unit's jobs, and its traceback is kept with them."""
    log.exception("%s of %s: a bug", unit.kind, ", ".join(unit.tweet_ids[:3]), exc_info=error)
    text = "".join(traceback.format_exception(error))
    message = f"a bug: {type(error).__name__}: {error}"
    outcomes = [
        Outcome(job, delay=back_off(job.attempts, rng), error=message, traceback=text, counts_attempt=True)
        for job in unit.jobs
    ]
    return UnitResult(unit, outcomes, bug=error)


def _note_deferred(context: WorkContext, unit: Unit, reason: str) -> None:
    if unit.kind != METRICS:
        tweet_id = unit.jobs[0].tweet_id
        worker_state.note_deferred(context.db, tweet_id, unit.kind, reason=reason, now=context.now())
