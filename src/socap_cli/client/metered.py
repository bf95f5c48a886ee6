"""Ask the provider: within limit and budget, metered, and again at once when an answer is lost."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from socap_cli.client.address import AddressCheck, KeyCheck
from socap_cli.client.budget import Budget
from socap_cli.client.counts import RunCounts
from socap_cli.client.limiter import Limiter
from socap_cli.client.meter import Meter
from socap_cli.client.parts import ask_in_parts
from socap_cli.errors import (
    OverBudget,
    ProviderError,
    Stopping,
)
from socap_cli.model.account import Page, TweetsAnswer
from socap_cli.model.kinds import METRICS, Kind
from socap_cli.model.run import MeteredRequest
from socap_cli.providers import FOLLOWINGS, Provider

log = logging.getLogger("socap.client")
Answer = TypeVar("Answer", TweetsAnswer, Page)

TRIES = 3
"""How often one request is sent before its job goes back to the queue."""
FIRST_PAUSE = 0.1
"""Seconds before the second try, doubled for the third, give or take half."""

ROWS_LOGGED = 5
"""Rows of one answer that could not be read and are logged as samples."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One page of a list: from a cursor, bounded by times where the provider takes them."""

    kind: Kind
    tweet_id: str
    campaigns: Sequence[str]
    cursor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass
class MeteredClient:
    """The one way to the provider. Threads share it."""

    provider: Provider
    limiter: Limiter
    meter: Meter
    budget: Budget
    now: Callable[[], datetime]
    max_in_flight: int = 50
    """Requests in flight at most, those included that sleep for their turn."""
    counts: RunCounts = field(default_factory=RunCounts)

    def __post_init__(self) -> None:
        self._slots = threading.BoundedSemaphore(self.max_in_flight)
        self._rng = random.Random()
        self._address = AddressCheck(lambda: self.provider.credits_left())
        self._key = KeyCheck(lambda: self.provider.credits_left())

    @property
    def stop(self) -> threading.Event:
        """Set when the run is to end: nothing more is asked then."""
        return self.limiter.stop

    def tweets(self, tweet_ids: Sequence[str], campaigns: Sequence[str]) -> TweetsAnswer:
        """Tweets with their counters, at most `provider.batch` of them.

        Raises ProviderError, OverBudget, BudgetReached, Stopping.
        """
        self.budget.check(METRICS, campaigns, self.now())

        def ask(part: Sequence[str]) -> TweetsAnswer:
            return self._ask(METRICS, part[0], campaigns, lambda: self.provider.tweets(part))

        return self._tell_unreadable(METRICS, ask_in_parts(tweet_ids, ask))

    def page(self, wanted: ListRequest) -> Page:
        """One page of a list, newest first. Raises as `tweets` does, and CursorRefused."""
        self.budget.check(wanted.kind, wanted.campaigns, self.now())
        page = self._ask(
            wanted.kind,
            wanted.tweet_id,
            wanted.campaigns,
            lambda: self.provider.page(
                wanted.kind, wanted.tweet_id, cursor=wanted.cursor, since=wanted.since, until=wanted.until
            ),
        )
        return self._tell_unreadable(wanted.kind, page)

    def followings(self, username: str, *, cursor: str | None = None) -> Page:
        """One page of whom an account follows, paid by no campaign. Raises as `page` does."""
        self.budget.check(Kind(FOLLOWINGS), (), self.now())
        page = self._ask(
            FOLLOWINGS, username, ("-",), lambda: self.provider.followings(username, cursor=cursor)
        )
        return self._tell_unreadable(FOLLOWINGS, page)

    def _ask(
        self, operation: str, about: str, campaigns: Sequence[str], send: Callable[[], Answer]
    ) -> Answer:
        """Send, and send again when an answer is lost: most losses do not come twice."""
        for number in range(1, TRIES + 1):
            try:
                return self._ask_once(operation, about, campaigns, send)
            except ProviderError as error:
                told_when = error.retry_after is not None
                if number == TRIES or told_when or not error.again_at_once:
                    raise
                pause = FIRST_PAUSE * 2.0 ** (number - 1) * self._rng.uniform(0.5, 1.5)
            if self.stop.wait(pause):
                raise Stopping
        raise AssertionError("the last try returns or raises")

    def _ask_once(
        self, operation: str, about: str, campaigns: Sequence[str], send: Callable[[], Answer]
    ) -> Answer:
        scope, endpoint = self.provider.limit_scope(operation), self.provider.endpoint(operation)
        if not self.limiter.spaced:  # turns that are not spaced are no part of what is in flight
            probe = self.limiter.wait(scope, endpoint)
        with self._slots:
            if self.limiter.spaced:
                probe = self.limiter.wait(scope, endpoint)
            self._may_still_pay(operation, campaigns)
            begin = time.monotonic()
            try:
                answer = send()
            except ProviderError as error:
                log.debug("%s: %s", endpoint, error.message)
                if error.is_limit or error.is_unanswered:
                    error.concerns_one = self.limiter.concerns_one(scope, about)
                self._note_failure(operation, campaigns, error, probe=probe)
                raise
        log.debug("%s: %d items in %.0f ms", endpoint, answer.billed_items, (time.monotonic() - begin) * 1000)
        self.limiter.answered(scope, probe=probe)
        price = self.provider.price(operation, answer.billed_items)
        self._count(endpoint, campaigns, answer.billed_items, price)
        self._address.answered()
        return answer

    def _may_still_pay(self, operation: str, campaigns: Sequence[str]) -> None:
        """Others spent while this one waited for its turn; a request of several goes on while one of them may pay."""
        payers = () if operation == FOLLOWINGS else campaigns
        if not self.budget.admitted(Kind(operation), payers, self.now()) and payers:
            raise OverBudget

    def _tell_unreadable(self, operation: str, answer: Answer) -> Answer:
        """Count the rows that were left out, and log some of them."""
        left_out, endpoint = answer.unreadable, self.provider.endpoint(operation)
        for row in left_out[:ROWS_LOGGED]:
            log.warning("%s: a row could not be read: %s: %s", endpoint, row.reason, row.sample)
        if len(left_out) > ROWS_LOGGED:
            log.warning("%s: and %d more rows of that answer", endpoint, len(left_out) - ROWS_LOGGED)
        self.counts.add(rows_unreadable=len(left_out))
        return answer

    def _note_failure(
        self, operation: str, campaigns: Sequence[str], error: ProviderError, *, probe: bool
    ) -> None:
        scope = self.provider.limit_scope(operation)
        if error.is_limit:
            self.limiter.limited(scope, error.retry_after)
        elif error.is_unanswered:
            self.limiter.failed(scope, error)
        else:
            self.limiter.answered(scope, probe=probe)
        price = self.provider.price(operation, 0) if error.is_billed else 0.0
        self._count(self.provider.endpoint(operation), campaigns, 0, price, failed=True)
        self._address.failed(error)
        self._key.failed(error)

    def _count(
        self, endpoint: str, campaigns: Sequence[str], items: int, cost: float, *, failed: bool = False
    ) -> None:
        self.counts.add(requests=1, items=items, cost=cost)
        self.budget.add(campaigns, cost)
        self.meter.add(MeteredRequest(endpoint, campaigns, items, cost, failed, self.now()))
