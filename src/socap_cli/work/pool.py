"""A pool of threads with one claimer: claim what the free seats can hold, run it, settle in bulk."""

from __future__ import annotations

import os
import queue
import random
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from socap_cli.errors import DatabaseUnreachable
from socap_cli.model import Kind, Unit
from socap_cli.store import Db, explain, jobs, leases
from socap_cli.store.leases import Settled
from socap_cli.work.desk import Desk
from socap_cli.work.result import Progress, WorkResult
from socap_cli.work.unit import OVER_BUDGET, Done, work_unit

Result = TypeVar("Result")

GRACE = 2.5
"""Seconds that running units get after a stop was asked for."""
IDLE_MIN, IDLE_MAX = 0.02, 1.0
SWEEPS_A_LEASE = 4
SETTLE_AFTER = 0.02
"""Seconds for which a finished unit waits for others to be settled with."""
CALL_UP_EVERY = 1.0
COUNT_EVERY = 3.0
SEATS_A_REQUEST = 4
"""Seats for each request that may be in flight: while one waits for the provider, another reads or writes."""


class Rounds:
    """Chores that come round every so many seconds, give or take a fifth, so that workers do not meet."""

    def __init__(self, rng: random.Random, chores: Sequence[tuple[float, Callable[[Db], object]]]) -> None:
        self._rng, self._chores = rng, chores
        self._next = [0.0] * len(chores)

    def due(self, now: float) -> Iterator[Callable[[Db], object]]:
        for number, (every, chore) in enumerate(self._chores):
            if now >= self._next[number]:
                self._next[number] = now + every * self._rng.uniform(0.8, 1.2)
                yield chore


@dataclass
class Pool:
    """Works a queue. `stop` ends it early: no new claims, running units finish or are given back.

    Everything about the queue itself is done by one thread, in batches, and insists while the database is
    away. Seats only work units; what they could not write they put back.
    """

    desk: Desk
    seats: int = SEATS_A_REQUEST * 50
    """Units at a time."""
    lease: float = 60.0
    max_runtime: float = 1500.0
    linger: float = 60.0
    """Seconds that a dry queue is waited for when jobs are due within them."""
    forever: bool = False
    rng: random.Random = field(default_factory=random.Random)
    watch: Callable[[Progress], None] | None = None
    do: Callable[[Desk, Unit, random.Random], Done] = work_unit

    def __post_init__(self) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._todo: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._running: dict[int, Unit] = {}
        self._lock = threading.Lock()
        self._blocked: dict[Kind, float] = {}
        self._counts = dict.fromkeys(("completed", "unchanged", "requeued", "failed", "over_budget"), 0)
        self._by_kind = dict.fromkeys(Kind, 0)
        self._last_error: str | None = None
        self._ended = threading.Event()
        self._crowded = False
        self._open = 0
        self._manned = 0
        """Seats that have a thread: as many as were ever needed at once."""

    @property
    def stop(self) -> threading.Event:
        return self.desk.calls.stop

    def run(self) -> WorkResult:
        """Work until the queue is dry, time is up or a stop is asked for. Raises what ends a run early."""
        self._started = time.monotonic()
        threading.Thread(target=self._keep_leases, daemon=True).start()
        try:
            fatal, dry = self._dispatch()
            self._wind_down()
        finally:
            self._ended.set()
            for _ in range(self._manned):
                self._todo.put(None)
        if fatal is not None:
            raise fatal
        return self.result(stopped=not dry)

    def _dispatch(self) -> tuple[BaseException | None, bool]:
        """Claim, hand out, settle, until there is a reason to end: (what ended it, whether the queue is dry)."""
        idle = IDLE_MIN
        next_claim = 0.0
        chores: list[tuple[float, Callable[[Db], object]]] = [
            (self.lease / SWEEPS_A_LEASE, leases.sweep),
            (CALL_UP_EVERY, jobs.call_up),
        ]
        if self.watch:
            chores.append((COUNT_EVERY, self._count_open))
        tend = Rounds(self.rng, chores)
        while not self.stop.is_set() and time.monotonic() - self._started < self.max_runtime:
            if self.watch:
                self.watch(self.progress())
            for chore in tend.due(time.monotonic()):
                self._insist(partial(chore, self.desk.db))
            now = time.monotonic()
            if self._worth_claiming() and now >= next_claim:
                claimed = self._claim(self.seats - len(self._running))
                idle = IDLE_MIN if claimed else min(IDLE_MAX, idle * 2)
                next_claim = 0.0 if claimed else now + idle * self.rng.uniform(0.5, 1.5)
            if not self._running:
                wait = self._insist(self._seconds_to_more)
                if wait is None:
                    return None, True
                if wait > self.linger and not self.forever:
                    return None, False
                self.stop.wait(min(max(wait, 0.0), IDLE_MAX))
                next_claim = 0.0
                continue
            finished = self._collect(timeout=next_claim - now if self._worth_claiming() else IDLE_MAX)
            if any(done.unit.kind is Kind.METRICS for done in finished) and self._worth_claiming():
                self._claim(self.seats - len(self._running))  # the lists that they let run need not wait
            if finished:
                fatal = self._settle(finished)
                if fatal is not None:
                    return fatal, False
        return None, False

    def _worth_claiming(self) -> bool:
        """Whether a quarter of the seats is free, so that claims stay few."""
        return (self.seats - len(self._running)) * 4 >= self.seats or not self._running

    def _insist(self, call: Callable[[], Result]) -> Result:
        """Do what can be repeated, also when the database goes away for a while."""
        try:
            return call()
        except Exception as error:
            if not isinstance(explain(error), DatabaseUnreachable):
                raise
        self.desk.insist(self._back)
        return self.desk.insist(call)

    def _back(self) -> None:
        """The database is there again: keep what is still held, give back what was claimed without an answer."""
        held = self._units()
        leases.renew(self.desk.db, held, lease=self.lease)
        leases.disown(self.desk.db, self.worker, held=held)

    def _claim(self, free: int) -> bool:
        now = time.monotonic()
        claim = self._insist(
            partial(
                leases.claim,
                self.desk.db,
                [kind for kind in Kind if self._blocked.get(kind, 0.0) <= now],
                seats=free,
                batch=self.desk.calls.provider.batch,
                worker=self.worker,
                lease=self.lease,
                crowded=self._crowded,
                rng=self.rng,
            )
        )
        self._crowded = claim.crowded
        for unit in claim.units:
            with self._lock:
                self._running[id(unit)] = unit
            if self._manned < len(self._running):
                threading.Thread(target=self._seat, daemon=True).start()
                self._manned += 1
            self._todo.put(unit)
        return bool(claim.units)

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
        """Units that finished, those that follow the first one shortly included, so that they are settled together."""
        finished: list[Done] = []
        with suppress(queue.Empty):
            finished.append(self._done.get(timeout=max(0.001, timeout)))
            until = time.monotonic() + SETTLE_AFTER
            while len(finished) < len(self._running):
                if self._done.empty():  # a look now and then: waking for each would cost more than it brings
                    if time.monotonic() >= until:
                        break
                    time.sleep(SETTLE_AFTER / 10)
                else:
                    finished.append(self._done.get_nowait())
        return finished

    def _settle(self, finished: Sequence[Done]) -> BaseException | None:
        """Write the outcomes of finished units; return what must end the run."""
        outcomes = [outcome for done in finished for outcome in done.outcomes]
        for done in finished:
            self._counts["unchanged"] += done.gates_closed
            if done.blocked_for:
                self._blocked[done.unit.kind] = time.monotonic() + done.blocked_for
        self._insist(self.desk.calls.write_usage)
        self._insist(partial(leases.settle, self.desk.db, outcomes))
        given_up = [
            s.job for s in outcomes if s.job.kind is Kind.METRICS and (s.final or s.outcome == OVER_BUDGET)
        ]
        if given_up:
            opened = [(job.tweet_id, kind) for job in given_up for kind in Kind]
            self._insist(partial(jobs.open_gate, self.desk.db, opened, []))
        with self._lock:
            for done in finished:
                self._running.pop(id(done.unit), None)
        for settled in outcomes:
            column = self._column(settled)
            self._counts[column] += 1
            self._by_kind[settled.job.kind] += column != "requeued"
            self._last_error = settled.error or self._last_error
        return next((done.fatal for done in finished if done.fatal), None)

    @staticmethod
    def _column(settled: Settled) -> str:
        if settled.final:
            return "failed"
        if settled.delay is not None:
            return "requeued"
        return {"unchanged": "unchanged", OVER_BUDGET: "over_budget"}.get(settled.outcome, "completed")

    def _seat(self) -> None:
        rng = random.Random(self.rng.random())
        while (unit := self._todo.get()) is not None:
            self._done.put(self.do(self.desk, unit, rng))

    def _keep_leases(self) -> None:
        while not self._ended.wait(self.lease / 3):
            try:
                if held := self._units():
                    leases.renew(self.desk.db, held, lease=self.lease)
            except Exception as error:
                if explain(error) is None:  # else: the next round decides, or another worker's sweep
                    raise

    def _units(self) -> list[Unit]:
        with self._lock:
            return list(self._running.values())

    def _wind_down(self) -> None:
        """Let running units finish for a moment, then give the rest back untouched."""
        self.stop.set()
        until = time.monotonic() + GRACE
        while self._running and time.monotonic() < until:
            self._settle(self._collect(timeout=0.1))
        if held := self._units():
            self._counts["requeued"] += leases.release(self.desk.db, held)

    def _count_open(self, db: Db) -> None:
        self._open = jobs.open_jobs(db)

    def progress(self) -> Progress:
        """How far the run has come."""
        return Progress(self.result(), dict(self._by_kind), len(self._running), self._open)

    def result(self, *, stopped: bool = False) -> WorkResult:
        """What was done so far."""
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
