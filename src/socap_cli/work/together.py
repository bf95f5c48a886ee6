"""Group commit: what many threads ask for at the same time is asked once.

The first caller serves itself and everybody who came meanwhile; those who come while it is at work are
served next, by the first of them. A lone caller waits for nobody; the busier it gets the larger the groups
(DeWitt et al., *Implementation techniques for main memory database systems*, 1984, on the commits of a log).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

LINGER = 0.004
"""Seconds for which more callers are waited for, while different ones follow each other within four times that."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class _Caller(Generic[Item, Result]):
    """Who waits: its item, and then its answer, or the turn to serve itself and others."""

    __slots__ = ("error", "item", "leads", "ready", "result")

    def __init__(self, item: Item) -> None:
        self.item = item
        self.leads = False
        self.result: Result | None = None
        self.error: BaseException | None = None
        self.ready = threading.Lock()
        self.ready.acquire()


class Together(Generic[Item, Result]):
    """Calls `serve` with the items of everybody who calls at the same time, at most `most` of them.

    `serve` returns a result for each item, in order; what it raises is raised at every caller.
    """

    def __init__(self, serve: Callable[[Sequence[Item]], Sequence[Result]], *, most: int = 64) -> None:
        self._serve = serve
        self._most = most
        self._lock = threading.Lock()
        self._queue: list[_Caller[Item, Result]] = []
        self._at_work = False
        self._last_caller = 0
        self._last_at = self._busy_until = 0.0

    def __call__(self, item: Item) -> Result:
        me = _Caller[Item, Result](item)
        with self._lock:
            self._note_caller()
            me.leads = not self._at_work
            self._at_work = True
            if not me.leads:
                self._queue.append(me)
        if not me.leads:
            me.ready.acquire()
        if me.leads:
            self._lead(me)
        if me.error is not None:
            raise me.error
        return me.result  # type: ignore[return-value]  # it was served without an error

    def _note_caller(self) -> None:
        now, caller = time.monotonic(), threading.get_ident()
        if caller != self._last_caller:
            self._busy_until = now + 4 * LINGER if now - self._last_at < 4 * LINGER else 0.0
        self._last_caller, self._last_at = caller, now

    def _lead(self, me: _Caller[Item, Result]) -> None:
        """Serve a group, wake its members, and hand the lead to the first of those who came meanwhile."""
        if time.monotonic() < self._busy_until:
            time.sleep(LINGER)
        with self._lock:
            others, self._queue = self._queue[: self._most - 1], self._queue[self._most - 1 :]
        group = [me, *others]
        try:
            for one, result in zip(group, self._serve([one.item for one in group]), strict=True):
                one.result = result
        except BaseException as error:  # a kill in tests included: whoever waits must hear of it
            for one in group:
                one.error = error
        with self._lock:
            following = self._queue.pop(0) if self._queue else None
            self._at_work = following is not None
        if following is not None:
            following.leads = True
            following.ready.release()
        for one in others:
            one.ready.release()
