"""A pool of threads with one claimer: claim what the free seats can hold, run it, settle in bulk."""

from __future__ import annotations

import os
import queue
import random
import socket
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from socap_cli.model import Kind, Unit
from socap_cli.store import explain, jobs
from socap_cli.store.jobs import Settled
from socap_cli.work.desk import Desk
from socap_cli.work.unit import OVER_BUDGET, Done, work_unit

GRACE = 2.5
"""Seconds that running units get after a stop was asked for."""
IDLE_MIN, IDLE_MAX = 0.02, 1.0
SWEEP_EVERY = 15.0


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


@dataclass
class Pool:
    """Works a queue. `stop` ends it early: no new claims, running units finish or are given back."""

    desk: Desk
    seats: int = 50
    lease: float = 60.0
    max_runtime: float = 1500.0
    linger: float = 60.0
    """Seconds that a dry queue is waited for when jobs are due within them."""
    forever: bool = False
    rng: random.Random = field(default_factory=random.Random)
    on_progress: Callable[[WorkResult, int], None] = lambda _result, _running: None

    def __post_init__(self) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}"
        self._todo: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._running: dict[int, Unit] = {}
        self._lock = threading.Lock()
        self._blocked: dict[Kind, float] = {}
        self._counts = dict.fromkeys(("completed", "unchanged", "requeued", "failed", "over_budget"), 0)
        self._last_error: str | None = None
        self._ended = threading.Event()

    @property
    def stop(self) -> threading.Event:
        return self.desk.calls.stop

    def run(self) -> WorkResult:
        """Work until the queue is dry, time is up or a stop is asked for. Raises what ends a run early."""
        self._started = time.monotonic()
        threads = [threading.Thread(target=self._seat, daemon=True) for _ in range(self.seats)]
        for thread in [*threads, threading.Thread(target=self._keep_leases, daemon=True)]:
            thread.start()
        try:
            fatal, dry = self._dispatch()
            self._wind_down()
        finally:
            self._ended.set()
            for _ in threads:
                self._todo.put(None)
        if fatal is not None:
            raise fatal
        return self._result(stopped=not dry)

    def _dispatch(self) -> tuple[BaseException | None, bool]:
        idle = IDLE_MIN
        next_claim = next_sweep = 0.0
        while not self.stop.is_set() and time.monotonic() - self._started < self.max_runtime:
            now = time.monotonic()
            if now >= next_sweep:
                jobs.sweep(self.desk.db)
                next_sweep = now + SWEEP_EVERY * self.rng.uniform(0.8, 1.2)
            free = self.seats - len(self._running)
            worth_it = free * 4 >= self.seats or not self._running
            if worth_it and now >= next_claim:
                claimed = self._claim(free)
                idle = IDLE_MIN if claimed else min(IDLE_MAX, idle * 2)
                next_claim = 0.0 if claimed else now + idle * self.rng.uniform(0.5, 1.5)
            if not self._running:
                wait = self._seconds_to_more()
                if wait is None:
                    return None, True
                if wait > self.linger and not self.forever:
                    return None, False
                self.stop.wait(min(max(wait, 0.0), IDLE_MAX))
                next_claim = 0.0
                continue
            finished = self._collect(timeout=max(0.001, next_claim - now) if free else IDLE_MAX)
            if finished:
                fatal = self._settle(finished)
                if fatal is not None:
                    return fatal, False
                next_claim = 0.0 if any(done.unit.kind is Kind.METRICS for done in finished) else next_claim
                self.on_progress(self._result(), len(self._running))
        return None, False

    def _claim(self, free: int) -> bool:
        now = time.monotonic()
        kinds = [kind for kind in Kind if self._blocked.get(kind, 0.0) <= now]
        batch = self.desk.calls.provider.batch
        units = jobs.claim(self.desk.db, kinds, seats=free, batch=batch, worker=self.worker, lease=self.lease)
        for unit in units:
            with self._lock:
                self._running[id(unit)] = unit
            self._todo.put(unit)
        return bool(units)

    def _seconds_to_more(self) -> float | None:
        """How long until there may be something to claim; None when the queue is dry.

        What another worker runs may open the gates of lists at any moment, so that is waited for.
        """
        wait = jobs.seconds_to_next(self.desk.db)
        if (wait is None or wait > IDLE_MAX) and jobs.running(self.desk.db) > 0:
            return IDLE_MAX
        if wait is None:
            return IDLE_MAX if self.forever else None
        blocked = [until - time.monotonic() for until in self._blocked.values()]
        return max([wait, *([min(blocked)] if len(blocked) == len(Kind) else [])])

    def _collect(self, *, timeout: float) -> list[Done]:
        finished = []
        try:
            finished.append(self._done.get(timeout=timeout))
            while True:
                finished.append(self._done.get_nowait())
        except queue.Empty:
            return finished

    def _settle(self, finished: Iterable[Done]) -> BaseException | None:
        outcomes: list[Settled] = []
        fatal: BaseException | None = None
        for done in finished:
            outcomes.extend(done.outcomes)
            fatal = fatal or done.fatal
            self._counts["unchanged"] += done.gates_closed
            if done.blocked_for:
                self._blocked[done.unit.kind] = time.monotonic() + done.blocked_for
        self.desk.calls.write_usage()
        jobs.settle(self.desk.db, outcomes)
        given_up = [
            s.job for s in outcomes if s.job.kind is Kind.METRICS and (s.final or s.outcome == OVER_BUDGET)
        ]
        if given_up:
            jobs.open_gate(self.desk.db, [(job.tweet_id, kind) for job in given_up for kind in Kind], [])
        with self._lock:
            for done in finished:
                self._running.pop(id(done.unit), None)
        for settled in outcomes:
            self._counts[self._column(settled)] += 1
            self._last_error = settled.error or self._last_error
        return fatal

    @staticmethod
    def _column(settled: Settled) -> str:
        if settled.final:
            return "failed"
        if settled.delay is not None:
            return "requeued"
        return {"unchanged": "unchanged", OVER_BUDGET: "over_budget"}.get(settled.outcome, "completed")

    def _seat(self) -> None:
        while (unit := self._todo.get()) is not None:
            self._done.put(work_unit(self.desk, unit, self.rng))

    def _keep_leases(self) -> None:
        while not self._ended.wait(self.lease / 3):
            try:
                if tokens := self._tokens():
                    jobs.renew(self.desk.db, tokens, lease=self.lease)
            except Exception as error:
                if explain(error) is None:
                    raise

    def _tokens(self) -> set[str]:
        with self._lock:
            return {job.lease_token for unit in self._running.values() for job in unit.jobs}

    def _wind_down(self) -> None:
        """Let running units finish for a moment, then give the rest back untouched."""
        self.stop.set()
        until = time.monotonic() + GRACE
        while self._running and time.monotonic() < until:
            self._settle(self._collect(timeout=0.1))
        if tokens := self._tokens():
            self._counts["requeued"] += jobs.release(self.desk.db, tokens)

    def _result(self, *, stopped: bool = False) -> WorkResult:
        tally = self.desk.calls.tally
        return WorkResult(
            **self._counts,
            requests=tally.requests,
            items=tally.items,
            cost=round(tally.cost, 2),
            engagements_new=tally.engagements_new,
            snapshots=tally.snapshots,
            seconds=round(time.monotonic() - self._started, 3),
            stopped=stopped,
            last_error=self._last_error,
        )
