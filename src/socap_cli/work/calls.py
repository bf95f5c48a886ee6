"""Ask the provider: reserved with the limiter, metered into api_usage, counted for the run's result."""

from __future__ import annotations

import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar

from socap_cli.errors import ProviderError, ProviderStop, ProviderUnavailable, RateLimited
from socap_cli.model import Kind, Page, Profile
from socap_cli.providers import FOLLOWINGS, TweetsAnswer, TwitterApiIo
from socap_cli.store import Db, rate_limits, usage
from socap_cli.work.budget import Budget
from socap_cli.work.together import Together

Answer = TypeVar("Answer", TweetsAnswer, Page)


class Stopping(Exception):
    """The run is being stopped: put the job back as it was."""


@dataclass
class Tally:
    """What a run did; threads add to it."""

    requests: int = 0
    items: int = 0
    cost: float = 0.0
    engagements_new: int = 0
    snapshots: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(
        self,
        *,
        requests: int = 0,
        items: int = 0,
        cost: float = 0.0,
        engagements_new: int = 0,
        snapshots: int = 0,
    ) -> None:
        with self._lock:
            self.requests += requests
            self.items += items
            self.cost += cost
            self.engagements_new += engagements_new
            self.snapshots += snapshots


@dataclass(frozen=True)
class Calls:
    """The one way to the provider for everything that works."""

    db: Db
    provider: TwitterApiIo
    key: str = field(repr=False)
    rate: float
    now: Callable[[], datetime]
    stop: threading.Event
    tally: Tally = field(default_factory=Tally)
    budget: Budget | None = None
    max_wait: float = 3.0
    """Seconds that a request may sleep for its turn; beyond that the job goes back to the queue."""
    at_once: int = 50
    """Requests in flight at most, those included that sleep for their turn."""
    _unwritten: queue.SimpleQueue[usage.Request] = field(default_factory=queue.SimpleQueue, repr=False)
    _batch: list[usage.Batch] = field(default_factory=list, repr=False)
    _slots: threading.Semaphore = field(init=False, repr=False)
    _turns: Together[str, tuple[bool, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slots", threading.BoundedSemaphore(self.at_once))
        object.__setattr__(self, "_turns", Together[str, tuple[bool, float]](self._reserve))

    def tweets(self, tweet_ids: Sequence[str], campaigns: Sequence[str]) -> TweetsAnswer:
        return self._call(Kind.METRICS, campaigns, lambda: self.provider.tweets(tweet_ids))

    def page(
        self,
        kind: Kind,
        tweet_id: str,
        campaigns: Sequence[str],
        *,
        cursor: str | None,
        since: datetime | None,
        until: datetime | None,
    ) -> Page:
        return self._call(
            kind,
            campaigns,
            lambda: self.provider.page(kind, tweet_id, cursor=cursor, since=since, until=until),
        )

    def followings(self, username: str, *, most: int) -> Iterator[Profile]:
        """Whom an account follows, newest first, up to `most`; pages are metered as they are read."""
        cursor: str | None = None
        seen: set[str] = set()
        while len(seen) < most:
            page = self._ask(
                FOLLOWINGS, ("-",), self._following_page(username, cursor), self.provider.prices.of_followings
            )
            fresh = [item.profile for item in page.items if item.source_id not in seen]
            seen.update(profile.user_id for profile in fresh)
            yield from fresh
            if page.next_cursor is None or not fresh:
                return
            cursor = page.next_cursor

    def _following_page(self, username: str, cursor: str | None) -> Callable[[], Page]:
        return lambda: self.provider.followings(username, cursor=cursor)

    def _call(self, kind: Kind, campaigns: Sequence[str], ask: Callable[[], Answer]) -> Answer:
        if self.budget is not None:
            self.budget.check(kind, campaigns, self.now())
        return self._ask(self.provider.endpoint(kind), campaigns, ask, partial(self.provider.prices.of, kind))

    def _ask(
        self,
        endpoint: str,
        campaigns: Sequence[str],
        ask: Callable[[], Answer],
        price_of: Callable[[int], float],
    ) -> Answer:
        limiter = rate_limits.limiter_id(self.key, endpoint)
        if not self.rate:  # turns that are not spaced are no part of what is in flight
            self._wait_for_turn(limiter, endpoint)
        with self._slots:
            if self.rate:
                self._wait_for_turn(limiter, endpoint)
            try:
                answer = ask()
            except ProviderError as error:
                if isinstance(error, RateLimited):
                    rate_limits.block(self.db, limiter, error.retry_after)
                answered = not isinstance(error, (RateLimited, ProviderUnavailable, ProviderStop))
                self._meter(
                    endpoint, campaigns, 0, self.provider.prices.minimum if answered else 0.0, failed=True
                )
                raise
        self._meter(endpoint, campaigns, answer.billed_items, price_of(answer.billed_items), failed=False)
        return answer

    def _wait_for_turn(self, limiter: str, endpoint: str) -> None:
        if self.stop.is_set():
            raise Stopping
        granted, turn = self._turns(limiter)
        wait = turn - time.monotonic()
        if not granted:
            raise RateLimited(
                f"its next turn is in {wait:.0f} s", endpoint=endpoint, retry_after=max(0.0, wait)
            )
        if wait > 0 and self.stop.wait(wait):
            raise Stopping

    def _reserve(self, limiters: Sequence[str]) -> list[tuple[bool, float]]:
        """A turn for each, the turns of one limiter in one reservation: (granted, when, on this host's clock).

        A moment, not a wait: who wakes late from the reservation sleeps so much less for the turn.
        """
        turns: dict[str, Iterator[tuple[bool, float]]] = {}
        for limiter in dict.fromkeys(limiters):
            count = limiters.count(limiter)
            reserved = rate_limits.reserve(
                self.db, limiter, rate=self.rate, max_wait=self.max_wait, turns=count
            )
            now = time.monotonic()
            turns[limiter] = iter([(granted, now + wait) for granted, wait in reserved])
        return [next(turns[limiter]) for limiter in limiters]

    def _meter(
        self, endpoint: str, campaigns: Sequence[str], items: int, cost: float, *, failed: bool
    ) -> None:
        self.tally.add(requests=1, items=items, cost=cost)
        if self.budget is not None:
            self.budget.add(campaigns, cost)
        self._unwritten.put(usage.Request(endpoint, campaigns, items, cost, failed, self.now()))

    def write_usage(self) -> None:
        """Write what was metered since the last time; the pool does so before it settles any job.

        What could not be written stays, under the same name, so that it counts once however often it is tried.
        """
        with suppress(queue.Empty):
            while not self._batch:
                requests = [self._unwritten.get_nowait()]
                with suppress(queue.Empty):
                    while True:
                        requests.append(self._unwritten.get_nowait())
                self._batch.append(usage.Batch(secrets.token_hex(6), requests))
        for batch in self._batch:
            usage.record(self.db, batch)
        self._batch.clear()
