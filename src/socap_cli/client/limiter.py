"""Turns at the provider, shared by every process with the same key; threads of one process reserve together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from socap_cli.errors import EndpointClosed, ProviderError, RateLimited, Stopping
from socap_cli.store import Db, rate_limits
from socap_cli.store.group_commit import GroupCommit
from socap_cli.store.rate_limits import Turn

FAILURES_TO_CLOSE = 6
"""So many answers in a row that never came close a scope."""
LIMITED_TO_BLOCK = 2
"""So many refusals in a row without a time block a scope; one alone only concerns its own request."""
FIRST_BLOCK, LONGEST_BLOCK = 0.5, 30.0


@dataclass
class Limiter:
    """Waits for turns, and closes a scope for everybody when it limits or does not answer."""

    db: Db
    key: str = field(repr=False)
    rate: float
    """Requests a second for each limit scope; 0 sets no limit of ours."""
    stop: threading.Event
    max_wait: float = 3.0
    """Seconds that a request may sleep for its turn; beyond that the job goes back to the queue."""

    def __post_init__(self) -> None:
        self._reserve_together = GroupCommit[str, Turn](self._reserve)
        self._failures: dict[str, int] = {}
        self._limited: dict[str, int] = {}
        self._failing_since: dict[str, float] = {}
        self._lock = threading.Lock()

    def wait(self, scope: str, endpoint: str) -> bool:
        """Sleep until the next turn; True when it is a probe of a scope that did not answer.

        Raises Stopping, RateLimited when the turn is too far away, EndpointClosed when only probes pass.
        """
        if self.stop.is_set():
            raise Stopping
        turn = self._reserve_together(rate_limits.limiter_id(self.key, scope))
        wait = turn.wait - time.monotonic()
        if not turn.granted and turn.closed:
            raise EndpointClosed("it does not answer for now", endpoint=endpoint, closed_for=max(0.0, wait))
        if not turn.granted:
            said = f"its next turn is in {max(0.0, wait):.0f} s"
            raise RateLimited(said, endpoint=endpoint, retry_after=max(0.0, wait))
        if wait > 0 and self.stop.wait(wait):
            raise Stopping
        return turn.closed

    def _reserve(self, limiters: Sequence[str]) -> list[Turn]:
        """A turn for each, those of one limiter in one reservation; `wait` is a moment of this host's clock.

        A moment, not a wait: who wakes late from the reservation sleeps so much less for the turn.
        """
        turns: dict[str, Iterator[Turn]] = {}
        for limiter in dict.fromkeys(limiters):
            reserved = rate_limits.reserve(
                self.db, limiter, rate=self.rate, max_wait=self.max_wait, turns=limiters.count(limiter)
            )
            now = time.monotonic()
            turns[limiter] = iter([replace(turn, wait=now + turn.wait) for turn in reserved])
        return [next(turns[limiter]) for limiter in limiters]

    def answered(self, scope: str, *, probe: bool) -> None:
        """A request was answered: whatever was closed here is open again."""
        with self._lock:
            self._failures[scope] = self._limited[scope] = 0
            self._failing_since.pop(scope, None)
        if probe:
            rate_limits.reopen(self.db, rate_limits.limiter_id(self.key, scope))

    def failed(self, scope: str, error: ProviderError) -> None:
        """A request was not answered; after several in a row the scope is closed for everybody."""
        with self._lock:
            self._failures[scope] = self._failures.get(scope, 0) + 1
            self._failing_since.setdefault(scope, time.monotonic())
            several = self._failures[scope] >= FAILURES_TO_CLOSE
        if several:
            rate_limits.close(self.db, rate_limits.limiter_id(self.key, scope), reason=error.message[:200])

    def limited(self, scope: str, retry_after: float | None) -> None:
        """A request was refused for its rate: block the scope as told, or shortly when that goes on."""
        with self._lock:
            self._limited[scope] = run = self._limited.get(scope, 0) + 1
        if retry_after is None and run < LIMITED_TO_BLOCK:
            return
        seconds = retry_after or min(LONGEST_BLOCK, FIRST_BLOCK * 2.0 ** min(run - LIMITED_TO_BLOCK, 8))
        rate_limits.block(self.db, rate_limits.limiter_id(self.key, scope), seconds)

    def silent_for(self) -> float:
        """Seconds since the first of the failures in a row that no answer has ended; 0 when it answers."""
        with self._lock:
            begun = list(self._failing_since.values())
        return time.monotonic() - min(begun) if begun else 0.0
