"""Turns at the provider, shared by every process with the same key; threads of one process reserve together."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal

from socap_cli.errors import EndpointClosed, ProviderError, Stopping, TurnTooFar
from socap_cli.providers import AllowedRate
from socap_cli.store import Db, rate_limits
from socap_cli.store.rate_limits import GroupCommit, Turn

log = logging.getLogger("socap.client")

FAILURES_TO_CLOSE = 6
"""So many answers in a row that never came close a scope."""
WINDOW = 20
"""So many answers are looked back at when one is refused for its rate."""
TOO_MANY = 6
"""So many refusals among them say that the rate is far too high; fewer may concern single requests only."""
CAREFUL_FOR = 120.0
"""Seconds after such a cut in which two refusals among ten answers are enough for a smaller one."""
FIRST_BLOCK = 0.5
"""Seconds for which nothing is asked when there is no limit of ours that could be lowered."""
AUTO = "auto"
FALLBACK_RATE = 3.0
"""Requests a second when the provider does not say what it allows."""
LOOK_AGAIN, ASK_AGAIN = 600.0, 2.0
"""Seconds after which the provider is asked again what it allows: once it said so, and when it did not answer."""


@dataclass
class Limiter:
    """Waits for turns, and closes a scope for everybody when it limits or does not answer."""

    db: Db
    key: str = field(repr=False)
    rate: float | Literal["auto"]
    """Requests a second for each limit scope; 0 sets no limit of ours, `auto` finds it."""
    stop: threading.Event
    allowed_rate: Callable[[str], AllowedRate | None] = lambda _: None
    """Asks the provider what it allows now in a scope."""
    max_wait: float = 3.0
    """Seconds that a request may sleep for its turn; beyond that the job goes back to the queue."""

    def __post_init__(self) -> None:
        self._reserve_together = GroupCommit[str, Turn](self._reserve)
        self._failures: dict[str, int] = {}
        self._recent: dict[str, deque[bool]] = {}
        self._ceilings: dict[str, tuple[float, float]] = {}
        self._refused: dict[str, int] = {}
        self._cut_at: dict[str, float] = {}
        self._looking = threading.Lock()
        self._failing_since: dict[str, float] = {}
        self._failing: dict[str, set[str]] = {}
        self._has_answered: set[str] = set()
        self._heard_at = 0.0
        self._lock = threading.Lock()

    @property
    def spaced(self) -> bool:
        """Whether turns lie apart, so that a request sleeps for its own."""
        return self.rate != 0

    def wait(self, scope: str, endpoint: str) -> bool:
        """Sleep until the next turn; True when it is a probe of a scope that did not answer.

        Raises Stopping, TurnTooFar when the turn is too far away, EndpointClosed when only probes pass.
        """
        while True:
            turn = self._next_turn(scope, endpoint)
            if turn.refused == self._refused.get(scope, 0):
                return turn.closed

    def _next_turn(self, scope: str, endpoint: str) -> Turn:
        """Reserve a turn and sleep until it. It is void when the scope refused somebody meanwhile."""
        if self.stop.is_set():
            raise Stopping
        self._ceiling(scope)
        turn = self._reserve_together(scope)
        wait = turn.wait - time.monotonic()
        if not turn.granted and turn.closed:
            why = f": {turn.reason.removeprefix(f'{endpoint}: ')}" if turn.reason else ""
            said = f"it does not answer for now{why}"
            raise EndpointClosed(said, endpoint=endpoint, closed_for=max(0.0, wait))
        if not turn.granted:
            said = f"its next turn is in {max(0.0, wait):.0f} s"
            raise TurnTooFar(said, endpoint=endpoint, retry_after=max(0.0, wait))
        if wait > 0 and self.stop.wait(wait):
            raise Stopping
        return turn

    def _ceiling(self, scope: str) -> float:
        """The rate that may not be passed; asked for again now and then by one thread, while others go on."""
        if not self.spaced:
            return 0.0
        known, good_until = self._ceilings.get(scope, (0.0, 0.0))
        if time.monotonic() < good_until:
            return known
        with self._looking:
            if self._ceilings.get(scope, (0.0, 0.0))[1] == good_until:
                rate, good_for = self._find_ceiling(scope, known)
                self._ceilings[scope] = rate, time.monotonic() + good_for
        return self._ceilings[scope][0]

    def _find_ceiling(self, scope: str, known: float) -> tuple[float, float]:
        """What another process found lately, or what the provider says now; and for how many seconds it is good."""
        limiter = rate_limits.limiter_id(self.key, scope)
        if self.rate != AUTO:
            rate_limits.remember_ceiling(self.db, limiter, rate=float(self.rate), source="the configuration")
            return float(self.rate), inf
        if (found := rate_limits.ceiling(self.db, limiter, younger_than=LOOK_AGAIN)) is not None:
            return found, LOOK_AGAIN
        try:
            allowed = self.allowed_rate(scope) or AllowedRate(FALLBACK_RATE, "the provider does not say")
        except ProviderError as error:
            log.info("what the provider allows could not be asked: %s", error.message)
            return known or FALLBACK_RATE, ASK_AGAIN
        rate_limits.remember_ceiling(self.db, limiter, rate=allowed.rate, source=allowed.source)
        return allowed.rate, LOOK_AGAIN

    def _reserve(self, scopes: Sequence[str]) -> list[Turn]:
        """A turn for each, those of one scope in one reservation; `wait` is a moment of this host's clock.

        A moment, not a wait: who wakes late from the reservation sleeps so much less for the turn.
        """
        turns: dict[str, Iterator[Turn]] = {}
        for scope in dict.fromkeys(scopes):
            limiter = rate_limits.limiter_id(self.key, scope)
            rate, count = self._ceiling(scope), scopes.count(scope)
            known = self._refused.get(scope, 0)
            reserved = rate_limits.reserve(self.db, limiter, rate=rate, max_wait=self.max_wait, turns=count)
            now = time.monotonic()
            refused = reserved[0].refused
            # Counts only grow: one below what was known before belongs to another document, since a restore, say.
            self._refused[scope] = refused if refused < known else max(self._refused.get(scope, 0), refused)
            turns[scope] = iter([replace(turn, wait=now + turn.wait) for turn in reserved])
        return [next(turns[scope]) for scope in scopes]

    def answered(self, scope: str, *, probe: bool) -> None:
        """A request was answered: whatever was closed here is open again."""
        with self._lock:
            self._heard_at = time.monotonic()
            self._failures[scope] = 0
            self._failing_since.pop(scope, None)
            self._failing.pop(scope, None)
            self._has_answered.add(scope)
            self._window(scope).append(False)
        if probe:
            rate_limits.reopen(self.db, rate_limits.limiter_id(self.key, scope))

    def concerns_one(self, scope: str, about: str) -> bool:
        """Take in that what is about this failed: whether others were answered, and nothing else failed since."""
        with self._lock:
            failing = self._failing.setdefault(scope, set())
            failing.add(about)
            return len(failing) == 1 and scope in self._has_answered

    def failed(self, scope: str, error: ProviderError) -> None:
        """A request was not answered; after several in a row the scope is closed for everybody.

        One thing that is never answered closes nothing while the others are.
        """
        if error.concerns_one:
            return
        with self._lock:
            self._failures[scope] = self._failures.get(scope, 0) + 1
            self._failing_since.setdefault(scope, time.monotonic())
            several = self._failures[scope] >= FAILURES_TO_CLOSE
        if several:
            rate_limits.close(self.db, rate_limits.limiter_id(self.key, scope), reason=error.message[:200])

    def limited(self, scope: str, retry_after: float | None) -> None:
        """A request was refused for its rate: wait as told, and go on more slowly when that happens again."""
        factor = self._factor(scope)
        limiter = rate_limits.limiter_id(self.key, scope)
        if factor < 1 and self.spaced:
            rate = self._ceiling(scope)
            self._refused[scope] = rate_limits.cut(self.db, limiter, rate=rate, factor=factor)
        elif factor < 1 and retry_after is None:
            retry_after = FIRST_BLOCK
        if retry_after is not None:
            self._refused[scope] = rate_limits.block(self.db, limiter, retry_after)

    def _factor(self, scope: str) -> float:
        """By how much the rate must fall after one more refusal; 1 when it need not."""
        with self._lock:
            recent = self._window(scope)
            recent.append(True)
            now = self._heard_at = time.monotonic()
            if sum(recent) >= TOO_MANY:
                self._cut_at[scope] = now
                factor = 0.5
            elif now - self._cut_at.get(scope, -CAREFUL_FOR) < CAREFUL_FOR and sum(list(recent)[-10:]) >= 2:
                factor = 0.85
            else:
                return 1.0
            recent.clear()
            return factor

    def _window(self, scope: str) -> deque[bool]:
        return self._recent.setdefault(scope, deque(maxlen=WINDOW))

    def silent_for(self) -> float:
        """Seconds since the first of the failures in a row that no answer has ended; 0 when it answers."""
        with self._lock:
            begun = list(self._failing_since.values())
        return time.monotonic() - min(begun) if begun else 0.0

    def unheard_for(self) -> float:
        """The same of scopes that are closed, but 0 when any was answered since: it is the provider that is away."""
        with self._lock:
            closed = [s for s, failures in self._failures.items() if failures >= FAILURES_TO_CLOSE]
            begun = [self._failing_since[scope] for scope in closed if scope in self._failing_since]
            return time.monotonic() - max(min(begun), self._heard_at) if begun else 0.0
