"""One worker process: claim what its free threads can hold, run it, settle in bulk.

Everything about the queue itself is done by one thread, in batches, and waits while the database is away.
The other threads only work units; what they could not write they put back.
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
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from socap_cli.errors import DatabaseUnreachable, OverBudget, ProviderUnavailable, RateLimited, SocapError
from socap_cli.logs import about_job
from socap_cli.model.kinds import LISTS, METRICS, Kind, kinds
from socap_cli.model.queue import Job, Outcome, Result, Unit
from socap_cli.store import Db, jobs, translate_error, worker_state
from socap_cli.store.connect import heartbeat
from socap_cli.store.jobs import Claim
from socap_cli.work import lists, metrics
from socap_cli.work.context import Progress, UnitResult, WorkContext, WorkResult, back_off, outcome_after

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


def work_unit(context: WorkContext, unit: Unit, rng: random.Random) -> UnitResult:
    """Do what a unit asks for. Outcomes are returned, not written: the caller settles them in bulk."""
    with about_job(", ".join(job.job_id for job in unit.jobs[:JOBS_NAMED])):
        try:
            done = _work(context, unit)
        except Exception as error:
            try:
                done = _after_error(context, unit, error, rng)
            except Exception as second:  # what it wanted to note could not be written: the unit comes again
                done = _after_bug(unit, second, rng)
        _tell(done)
        return done


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
            (self.options.lease / SWEEPS_A_LEASE, jobs.sweep),
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
        jobs.renew(self.context.db, held, lease=self.options.lease)
        jobs.release_unacknowledged(self.context.db, self._claimer.worker, held=held)

    def _renew(self) -> None:
        if held := self._threads.units():
            jobs.renew(self.context.db, held, lease=self.options.lease)

    def _seconds_to_more(self) -> float | None:
        """How long until there may be something to claim; None when the queue is dry.

        What another worker runs may release lists at any moment, so that is waited for.
        """
        wait = jobs.seconds_to_next(self.context.db)
        if (wait is None or wait > IDLE_MAX) and jobs.count_processing(self.context.db) > 0:
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
            self._settler.counts["requeued"] += jobs.release(self.context.db, held)
        return fatal

    def _count_open(self, db: Db) -> None:
        self._open = jobs.count_open(db)

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


IDLE_MIN, CLAIM_IDLE_MAX = 0.02, 1.0


class Claimer:
    """Claims for one worker."""

    def __init__(self, context: WorkContext, lease: float, rng: random.Random) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._context, self._lease, self._rng = context, lease, rng
        self._closed: dict[Kind, float] = {}
        self._probing = False
        self._idle = IDLE_MIN
        self._next_at = 0.0

    def claim(self, units: int) -> list[Unit]:
        """Up to so many units; none, without asking, while the pause after an empty claim lasts."""
        now = time.monotonic()
        if now < self._next_at:
            return []
        wanted = Claim(
            kinds=[kind for kind in kinds() if self._closed.get(kind, 0.0) <= now],
            units=1 if self._probing else units,
            batch=self._context.client.provider.batch,
            worker=self.worker,
            lease=self._lease,
        )
        units_claimed = jobs.claim(self._context.db, wanted)
        self._idle = IDLE_MIN if units_claimed else min(CLAIM_IDLE_MAX, self._idle * 2)
        self._next_at = 0.0 if units_claimed else now + self._idle * self._rng.uniform(0.5, 1.5)
        return units_claimed

    def claim_at_once(self) -> None:
        """There may be more now: the next claim asks."""
        self._next_at = 0.0

    def seconds_to_next(self) -> float:
        """Until the next claim asks."""
        return max(0.0, self._next_at - time.monotonic())

    def close(self, kind: Kind, seconds: float) -> None:
        """The endpoint of this kind takes no requests for so many seconds, and then one that finds out."""
        self._closed[kind] = time.monotonic() + seconds
        self._probing = True

    def answered(self) -> None:
        """The provider answers: as much as there is room for is claimed again."""
        self._probing = False

    def closed_for(self) -> float:
        """Seconds for which nothing at all can be claimed; 0 when some kind can."""
        now = time.monotonic()
        return max(0.0, min(self._closed.get(kind, 0.0) - now for kind in kinds()))


log = logging.getLogger("socap.work")


GATHER = 0.02
"""Seconds for which a finished unit waits for others to be settled with."""


class UnitThreads:
    """Runs units; their results are gathered, and a unit counts as running until it is forgotten."""

    def __init__(self, threads: int, work: Callable[[Unit], UnitResult]) -> None:
        self._work = work
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="unit")
        self._done: queue.SimpleQueue[UnitResult] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self.running: dict[int, Unit] = {}
        """Units that were started and not forgotten, by identity."""

    def start(self, unit: Unit) -> None:
        """Work a unit as soon as a thread is free."""
        with self._lock:
            self.running[id(unit)] = unit
        self._pool.submit(self._run, unit)

    def _run(self, unit: Unit) -> None:
        try:
            done = self._work(unit)
        except Exception as error:  # its jobs come back when their lease ends
            log.exception("%s of %s: a bug", unit.kind, ", ".join(unit.tweet_ids[:3]))
            done = UnitResult(unit, (), bug=error)
        self._done.put(done)

    def finished(self, timeout: float) -> list[UnitResult]:
        """Units that finished; those that follow the first one shortly are waited for."""
        finished: list[UnitResult] = []
        with suppress(queue.Empty):
            finished.append(self._done.get(timeout=max(0.001, timeout)))
            until = time.monotonic() + GATHER
            while len(finished) < len(self.running):
                if self._done.empty():  # a look now and then: waking for each would cost more than it brings
                    if time.monotonic() >= until:
                        break
                    time.sleep(GATHER / 20)
                else:
                    finished.append(self._done.get_nowait())
        return finished

    def forget(self, finished: Sequence[UnitResult]) -> None:
        """These are settled."""
        with self._lock:
            for done in finished:
                self.running.pop(id(done.unit), None)

    def units(self) -> list[Unit]:
        """What runs."""
        with self._lock:
            return list(self.running.values())

    def close(self) -> None:
        """Start nothing more, and wait for nothing: what still runs was given back."""
        self._pool.shutdown(wait=False, cancel_futures=True)


Task = Callable[[Db], object]


class Periodic:
    """Tells which tasks are due. Intervals vary by a fifth, so that workers do not meet."""

    def __init__(self, rng: random.Random, tasks: Sequence[tuple[float, Task]]) -> None:
        self._rng, self._tasks = rng, tasks
        self._next = [0.0] * len(tasks)

    def due(self, now: float) -> Iterator[Task]:
        """The tasks whose time has come, by a clock in seconds."""
        for number, (every, task) in enumerate(self._tasks):
            if now >= self._next[number]:
                self._next[number] = now + every * self._rng.uniform(0.8, 1.2)
                yield task


BUGS_TO_END = 25
"""So many unforeseen errors in a row, and no unit that worked among them, concern more than single units."""


COLUMNS = {Result.UNCHANGED: "unchanged", Result.OVER_BUDGET: "over_budget"}


Lists = list[tuple[str, Kind]]


Retry = Callable[[Callable[[], Any]], Any]


class Settler:
    """Settles for one worker."""

    def __init__(self, context: WorkContext) -> None:
        self._context = context
        self._bugs = 0
        self.counts = dict.fromkeys(("completed", "unchanged", "requeued", "failed", "over_budget"), 0)
        """Jobs by what became of them."""
        self.by_kind: dict[Kind, int] = dict.fromkeys(kinds(), 0)
        """Jobs that ended, by kind."""
        self.last_error: str | None = None

    def settle(self, finished: Sequence[UnitResult], until_available: Retry) -> BaseException | None:
        """Write the outcomes of these units; return what must end the run."""
        outcomes = [outcome for done in finished for outcome in done.outcomes]
        db, client = self._context.db, self._context.client
        until_available(client.meter.write)
        until_available(partial(jobs.settle, db, outcomes))
        if given_up := [one.job.tweet_id for one in outcomes if _gave_up_metrics(one)]:
            until_available(partial(jobs.release_lists, db, *_lists_of(given_up, client.provider.lists)))
        self.counts["unchanged"] += sum(done.lists_unchanged for done in finished)
        for outcome in outcomes:
            self._count(outcome)
        return self._fatal(finished)

    def _count(self, outcome: Outcome) -> None:
        column = _column(outcome)
        self.counts[column] += 1
        self.by_kind[outcome.job.kind] += column != "requeued"
        if outcome.error and not outcome.waits:
            self.last_error = outcome.error

    def _fatal(self, finished: Sequence[UnitResult]) -> BaseException | None:
        for done in finished:
            self._bugs = self._bugs + 1 if done.bug else 0
            if done.fatal or self._bugs >= BUGS_TO_END:
                return done.fatal or done.bug
        return None


JOBS_NAMED = 3
"""Jobs of one unit that its log lines name."""


def _lists_of(tweet_ids: Sequence[str], served: Collection[Kind]) -> tuple[Lists, Lists]:
    """The lists of tweets whose counters will not come: (those to read without them, those that nobody serves)."""
    lists = [(tweet_id, kind) for kind in LISTS for tweet_id in tweet_ids]
    return [one for one in lists if one[1] in served], [one for one in lists if one[1] not in served]


def _gave_up_metrics(outcome: Outcome) -> bool:
    """Whether a tweet's counters will not come in this cycle, so that its lists must go without them."""
    return outcome.job.kind == METRICS and (outcome.failed or outcome.result is Result.OVER_BUDGET)


def _column(outcome: Outcome) -> str:
    if outcome.failed:
        return "failed"
    if outcome.delay is not None:
        return "requeued"
    return COLUMNS.get(outcome.result, "completed")


def _tell(done: UnitResult) -> None:
    """A line for whoever asked for more."""
    said = sorted({outcome.error or outcome.result.value for outcome in done.outcomes})
    tweets = f"{len(done.unit.tweet_ids)} tweets" if len(done.unit.tweet_ids) > 1 else done.unit.tweet_ids[0]
    log.info("%s of %s: %s", done.unit.kind, tweets, ", ".join(said))


def _work(context: WorkContext, unit: Unit) -> UnitResult:
    """Work the jobs whose campaigns may pay; the others end as over budget."""
    admitted = context.client.budget.admitted(unit.kind, unit.campaigns, context.now())
    paying = tuple(job for job in unit.jobs if job.campaign_id in admitted)
    refused = tuple(job for job in unit.jobs if job.campaign_id not in admitted)
    if not paying:
        raise OverBudget
    done = (metrics if unit.kind == METRICS else lists).run(context, Unit(unit.kind, paying))
    over = [_over_budget(job) for job in refused]
    return UnitResult(unit, [*done.outcomes, *over], done.lists_unchanged)


def _over_budget(job: Job) -> Outcome:
    return Outcome(job, Result.OVER_BUDGET, error=Result.OVER_BUDGET.value)


def _after_error(context: WorkContext, unit: Unit, error: Exception, rng: random.Random) -> UnitResult:
    """What a foreseen error means for a unit, by the facts that it carries; another one is a bug."""
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


def _after_bug(unit: Unit, error: Exception, rng: random.Random) -> UnitResult:
    """An unforeseen error costs an attempt of this unit's jobs, and its traceback is kept with them."""
    log.exception("%s of %s: a bug", unit.kind, ", ".join(unit.tweet_ids[:3]), exc_info=error)
    text = "".join(traceback.format_exception(error))
    said = f"a bug: {type(error).__name__}: {error}"
    outcomes = [
        Outcome(job, delay=back_off(job.attempts, rng), error=said, traceback=text, counts_attempt=True)
        for job in unit.jobs
    ]
    return UnitResult(unit, outcomes, bug=error)


def _note_deferred(context: WorkContext, unit: Unit, reason: str) -> None:
    if unit.kind != METRICS:
        tweet_id = unit.jobs[0].tweet_id
        worker_state.note_deferred(context.db, tweet_id, unit.kind, reason=reason, now=context.now())
