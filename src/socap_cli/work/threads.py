"""The threads that work units: each is started when it is first needed."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from socap_cli.model.queue import Unit
from socap_cli.work.result import UnitResult

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
