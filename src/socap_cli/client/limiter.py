"""Turns at the provider, shared by every process with the same key; threads of one process reserve together."""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal

from socap_cli.errors import EndpointClosed, ProviderError, Stopping, TurnTooFar
from socap_cli.model.account import RateWindow
from socap_cli.providers import AllowedRate
from socap_cli.store import Db, rate_limits
from socap_cli.store.rate_limits import GroupCommit, Turn

log = logging.getLogger("socap.client")

FAILURES_TO_CLOSE = 6
"""So many requests in a row without an answer close a scope."""
WINDOW, TOO_MANY = 20, 6
"""So many refusals among the last answers say that the rate is too high; fewer may concern single requests only."""
FIRST_BLOCK = 0.5
"""Seconds for which nothing is asked when there is no limit of ours that could be lowered."""
UNTOLD_BLOCK = 60.0
"""Seconds for which nothing is asked when a window is used up and the provider does not say until when."""
AUTO = "auto"
FALLBACK_RATE = 3.0
"""Requests a second when the provider does not say what it allows."""
LOOK_AGAIN, ASK_AGAIN = 600.0, 2.0
"""Seconds after which the provider is asked again what it allows: once it answered, and when it did not."""


@dataclass
class Scope:
    """What this process knows of one limit scope."""

    ceiling: float = 0.0
    at_once: int = 0
    """Requests that may be sent at once in a window; 0: they lie apart by the ceiling."""
    ceiling_until: float = 0.0
    refused: int = 0
    """Refusals of all processes: what was reserved before the last one is void."""
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))
    """Whether the last answers were refusals."""
    failures: int = 0
    """Requests in a row without an answer."""
    failing_since: float | None = None
    failing: set[str] = field(default_factory=set)
    """What was asked about without an answer since the last one."""
    has_answered: bool = False


@dataclass
class Limiter:
    """Waits for turns, and closes a scope for everybody when it limits or does not answer."""

    db: Db
    key: str = field(repr=False)
    rate: float | Literal["auto"]
    """Requests a second for each limit scope; 0 sets no limit of ours, `auto` asks the provider."""
    stop: threading.Event
    allowed_rate: Callable[[str], AllowedRate | None] = lambda _: None
    """Asks the provider what it allows now in a scope."""
    max_wait: float = 3.0
    """Seconds that a request may sleep for its turn; beyond that the job goes back to the queue."""

    def __post_init__(self) -> None:
        self._reserve_together = GroupCommit[str, Turn](self._reserve)
        self._scopes: defaultdict[str, Scope] = defaultdict(Scope)
        self._asking = threading.Lock()
        self._answered_at = 0.0
        self._lock = threading.Lock()

    @property
    def spaced(self) -> bool:
        """Whether turns lie apart, so that a request sleeps for its own."""
        return self.rate != 0

    def wait(self, scope: str, endpoint: str) -> bool:
        """Sleep until the next turn; True when it is a probe of a scope that did not answer.

        A turn is void when the scope refused somebody in the meantime. Raises Stopping, TurnTooFar when the turn is too
        far away, EndpointClosed when only probes pass.
        """
        while True:
            if self.stop.is_set():
                raise Stopping
            self._ceiling(scope)
            turn = self._reserve_together(scope)
            wait = max(0.0, turn.wait - time.monotonic())
            if not turn.granted and turn.closed:
                why = f": {turn.reason.removeprefix(f'{endpoint}: ')}" if turn.reason else ""
                raise EndpointClosed(f"no answer at present{why}", endpoint=endpoint, closed_for=wait)
            if not turn.granted:
                error = TurnTooFar(f"its next turn is in {wait:.0f} s", endpoint=endpoint, retry_after=wait)
                if self._scopes[scope].at_once:
                    error.closed_for = 0.0  # another endpoint may serve the next list of that kind
                raise error
            if wait > 0 and self.stop.wait(wait):
                raise Stopping
            if turn.refused == self._scopes[scope].refused:
                return turn.closed

    def _ceiling(self, scope: str) -> float:
        """The rate that may not be passed; asked for again now and then by one thread, while others go on."""
        if not self.spaced:
            return 0.0
        known = self._scopes[scope]
        good_until = known.ceiling_until
        if time.monotonic() >= good_until:
            with self._asking:
                if known.ceiling_until == good_until:
                    known.ceiling, known.at_once, good_for = self._find_ceiling(scope, known)
                    known.ceiling_until = time.monotonic() + good_for
        return known.ceiling

    def _find_ceiling(self, scope: str, known: Scope) -> tuple[float, int, float]:
        """What another process learned lately, or what the provider says now; and for how many seconds it is good."""
        limiter = self._id(scope)
        if self.rate != AUTO:
            rate_limits.remember_ceiling(self.db, limiter, rate=float(self.rate), source="the configuration")
            return float(self.rate), 0, inf
        if (stored := rate_limits.ceiling(self.db, limiter, younger_than=LOOK_AGAIN)) is not None:
            return *stored, LOOK_AGAIN
        try:
            allowed = self.allowed_rate(scope) or AllowedRate(FALLBACK_RATE, "the provider does not say")
        except ProviderError as error:
            log.info("what the provider allows could not be asked: %s", error.message)
            return known.ceiling or FALLBACK_RATE, known.at_once, ASK_AGAIN
        rate, at_once = allowed.rate, allowed.at_once
        rate_limits.remember_ceiling(self.db, limiter, rate=rate, source=allowed.source, at_once=at_once)
        return rate, at_once, LOOK_AGAIN

    def _reserve(self, scopes: Sequence[str]) -> list[Turn]:
        """A turn for each, those of one scope in one reservation; `wait` becomes a moment of this host's clock.

        A moment, so that a late wake-up from the reservation adds no delay.
        """
        turns: dict[str, Iterator[Turn]] = {}
        for scope in dict.fromkeys(scopes):
            known = self._scopes[scope]
            before = known.refused
            reserved = rate_limits.reserve(
                self.db.rate_limits,
                self._id(scope),
                rate=self._ceiling(scope),
                max_wait=self.max_wait,
                turns=scopes.count(scope),
                at_once=known.at_once,
            )
            now, refused = time.monotonic(), reserved[0].refused
            # Counts only grow: one below what was known before belongs to another document, since a restore, say.
            known.refused = refused if refused < before else max(known.refused, refused)
            turns[scope] = iter([replace(turn, wait=now + turn.wait) for turn in reserved])
        return [next(turns[scope]) for scope in scopes]

    def _id(self, scope: str) -> str:
        return rate_limits.limiter_id(self.key, scope)

    def answered(self, scope: str, *, probe: bool, window: RateWindow | None = None) -> None:
        """A request was answered: whatever was closed here is open again. `window` is what the provider says of it."""
        with self._lock:
            self._answered_at = time.monotonic()
            known = self._scopes[scope]
            known.failures, known.failing_since, known.has_answered = 0, None, True
            known.failing.clear()
            known.recent.append(False)
        if probe:
            rate_limits.reopen(self.db, self._id(scope))
        if window is not None and known.at_once:
            rate_limits.keep_in_step(self.db, self._id(scope), left=window.left, seconds=window.seconds)

    def concerns_one(self, scope: str, about: str) -> bool:
        """Note that a request about this failed: whether others were answered, and nothing else failed since."""
        with self._lock:
            known = self._scopes[scope]
            known.failing.add(about)
            return len(known.failing) == 1 and known.has_answered

    def failed(self, scope: str, error: ProviderError) -> None:
        """A request was not answered; after several in a row the scope is closed for everybody.

        One thing that is never answered closes nothing while the others are.
        """
        if error.concerns_one:
            return
        with self._lock:
            known = self._scopes[scope]
            known.failures += 1
            known.failing_since = known.failing_since or time.monotonic()
            several = known.failures >= FAILURES_TO_CLOSE
        if several:
            rate_limits.close(self.db, self._id(scope), reason=error.message[:200])

    def close_failing(self, reason: str) -> None:
        """Close each scope that failed last: a run gives up, `status` reports the outage, the next run probes first."""
        for scope in [name for name, known in list(self._scopes.items()) if known.failing_since]:
            rate_limits.close(self.db, self._id(scope), reason=reason[:200])

    def limited(self, scope: str, retry_after: float | None) -> None:
        """A request was refused for its rate: wait as asked, and go on more slowly when that happens again."""
        known = self._scopes[scope]
        with self._lock:
            self._answered_at = time.monotonic()
            known.recent.append(True)
            too_many = sum(known.recent) >= TOO_MANY
            if too_many:
                known.recent.clear()
        if known.at_once:
            retry_after = UNTOLD_BLOCK if retry_after is None else retry_after
        elif too_many and self.spaced:
            known.refused = rate_limits.cut(self.db, self._id(scope), rate=self._ceiling(scope))
        elif too_many and retry_after is None:
            retry_after = FIRST_BLOCK
        if retry_after is not None:
            known.refused = rate_limits.block(self.db.rate_limits, self._id(scope), retry_after)

    def silent_for(self) -> float:
        """Seconds since the first of the failures in a row that no answer has ended; 0 when it answers."""
        with self._lock:
            begun = [scope.failing_since for scope in list(self._scopes.values()) if scope.failing_since]
        return time.monotonic() - min(begun) if begun else 0.0

    def unheard_for(self) -> float:
        """The same of scopes that are closed, but 0 when any was answered since: then the provider is not down."""
        with self._lock:
            closed = [scope for scope in list(self._scopes.values()) if scope.failures >= FAILURES_TO_CLOSE]
            begun = [scope.failing_since for scope in closed if scope.failing_since]
            return time.monotonic() - max(min(begun), self._answered_at) if begun else 0.0
