"""Ask the provider: within limit and budget, metered, and again at once when an answer is lost."""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from math import inf
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)

from socap_cli.client.limiter import Limiter
from socap_cli.errors import (
    BudgetReached,
    Forbidden,
    KeyRefused,
    MalformedAnswer,
    NotFound,
    OverBudget,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RequestRefused,
    Stopping,
    WrongAddress,
)
from socap_cli.model.account import Page, Tweet, TweetsAnswer, UnreadableRow
from socap_cli.model.kinds import METRICS, Kind
from socap_cli.model.queue import MeteredRequest, UsageBatch
from socap_cli.providers import FOLLOWINGS, Provider
from socap_cli.settings import BudgetSettings
from socap_cli.store import Db, translate_error, usage

log = logging.getLogger("socap.client")
Answer = TypeVar("Answer", TweetsAnswer, Page)
TRIES = 3
"""How often one request is sent before its job goes back to the queue."""
FIRST_PAUSE = 0.1
"""Seconds before the second try, doubled for the third, and up to as much again at random."""
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
    size: int | None = None
    """How many items are expected; None: all."""


@dataclass
class Budget:
    """Keeps count for one run. Safe to share between threads."""

    db: Db
    limits: BudgetSettings = field(default_factory=BudgetSettings)
    _spent: dict[str, float] = field(default_factory=dict)
    _day: str = ""
    _read_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def admitted(self, kind: Kind, campaigns: Iterable[str], now: datetime) -> frozenset[str]:
        """The campaigns that may still pay for this kind. Raises BudgetReached when nothing may be asked today."""
        wanted = frozenset(campaigns)
        limits = self.limits
        if limits == BudgetSettings():
            return wanted
        with self._lock:
            self._refresh(now)
            day = level(sum(self._spent.values()), limits.day_soft, limits.day_hard)
            own = {
                campaign: level(self._spent.get(campaign, 0.0), limits.campaign_soft, limits.campaign_hard)
                for campaign in wanted
            }
        allowed = Level.COUNTERS if kind == METRICS else Level.OPEN
        if day is Level.CLOSED or (not wanted and day > allowed):  # what no campaign pays, the day pays
            name = "day_hard" if day is Level.CLOSED else "day_soft"
            raise BudgetReached(
                f"the day's budget of {getattr(limits, name):,.0f} credits is spent",
                hint=f"raise [budget] {name}, or wait",
            )
        return frozenset(campaign for campaign in wanted if max(day, own[campaign]) <= allowed)

    def check(self, kind: Kind, campaigns: Sequence[str], now: datetime) -> None:
        """Raise BudgetReached when nothing may be asked today, OverBudget when one of these may not pay."""
        if self.admitted(kind, campaigns, now) != frozenset(campaigns):
            raise OverBudget

    def add(self, campaigns: Sequence[str], cost: float) -> None:
        """Count what this run just spent, before it is written."""
        with self._lock:
            for campaign, jobs in Counter(campaigns).items():
                self._spent[campaign] = self._spent.get(campaign, 0.0) + cost * jobs / len(campaigns)

    def _refresh(self, now: datetime) -> None:
        day = f"{now:%Y-%m-%d}"
        if day == self._day and time.monotonic() - self._read_at < REFRESH:
            return
        stored = usage.spent(self.db, day)
        if day == self._day:  # what this run spent may not be written yet
            stored = {c: max(stored.get(c, 0.0), self._spent.get(c, 0.0)) for c in {*stored, *self._spent}}
        self._spent = stored
        self._day, self._read_at = day, time.monotonic()


class Meter:
    """Requests that are not written yet. Threads add to it; one thread writes."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._unwritten: queue.SimpleQueue[MeteredRequest] = queue.SimpleQueue()
        self._batch: UsageBatch | None = None

    def add(self, request: MeteredRequest) -> None:
        """Keep a request until the next `write`."""
        self._unwritten.put(request)

    def write(self) -> None:
        """Write what was added since the last time. What could not be written stays, under the same name."""
        if self._batch is None:
            requests: list[MeteredRequest] = []
            with suppress(queue.Empty):
                while True:
                    requests.append(self._unwritten.get_nowait())
            if not requests:
                return
            self._batch = UsageBatch(secrets.token_hex(6), requests)
        usage.record(self._db, self._batch)
        self._batch = None


@dataclass
class RunCounts:
    """Sums of one run; threads add to them."""

    requests: int = 0
    items: int = 0
    cost: float = 0.0
    """Credits."""
    engagements_new: int = 0
    snapshots: int = 0
    rows_unreadable: int = 0
    """Rows of answers that could not be read and were left out."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, **amounts: float) -> None:
        """Add to the sums by name."""
        with self._lock:
            for name, amount in amounts.items():
                setattr(self, name, getattr(self, name) + amount)


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
        self._account = AccountCheck(lambda: self.provider.credits_left())

    @property
    def stop(self) -> threading.Event:
        """Set when the run is to end: nothing more is asked then."""
        return self.limiter.stop

    def tweets(
        self, tweet_ids: Sequence[str], campaigns: Sequence[str], *, with_authors: bool = True
    ) -> TweetsAnswer:
        """Tweets with their counters, at most `provider.batch` of them.

        Raises ProviderError, OverBudget, BudgetReached, Stopping.
        """
        self.budget.check(METRICS, campaigns, self.now())

        def ask(part: Sequence[str]) -> TweetsAnswer:
            return self._ask(
                METRICS, part[0], campaigns, lambda: self.provider.tweets(part, with_authors=with_authors)
            )

        return self._tell_unreadable(METRICS, ask_in_parts(tweet_ids, ask))

    def page(self, wanted: ListRequest) -> Page:
        """One page of a list, newest first. Raises as `tweets` does, and CursorRefused."""
        self.budget.check(wanted.kind, wanted.campaigns, self.now())
        times = {"since": wanted.since, "until": wanted.until}
        page = self._ask(
            self.provider.operation(wanted.kind, wanted.tweet_id, **times),
            wanted.tweet_id,
            wanted.campaigns,
            lambda: self.provider.page(
                wanted.kind, wanted.tweet_id, cursor=wanted.cursor, size=wanted.size, **times
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
        retrying = Retrying(
            retry=retry_if_exception(_is_lost),
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(FIRST_PAUSE) + wait_random(0, FIRST_PAUSE),
            sleep=self._pause,
            reraise=True,
        )
        answer: Answer = retrying(self._ask_once, operation, about, campaigns, send)
        return answer

    def _pause(self, seconds: float) -> None:
        if self.stop.wait(seconds):
            raise Stopping

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
        self.limiter.answered(scope, probe=probe, window=answer.window)
        price = self._cost(operation, answer)
        self._count(endpoint, campaigns, answer.billed_items, price)
        self._account.answered()
        return answer

    def _cost(self, operation: str, answer: TweetsAnswer | Page) -> float:
        """Credits; what any process read before on this UTC day may not be billed again."""
        if not answer.billed:
            return self.provider.price(operation, answer.billed_items)
        fresh: Iterable[str] = answer.billed
        if self.provider.bills_once_a_day:
            try:
                fresh = usage.first_read(self.budget.db, fresh, account=self.limiter.key, now=self.now())
            except Exception as error:  # then all of it is counted: rather too much than too little
                if translate_error(error) is None:
                    raise
        return sum(answer.billed[resource] for resource in fresh)

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
        self._account.failed(error)

    def _count(
        self, endpoint: str, campaigns: Sequence[str], items: int, cost: float, *, failed: bool = False
    ) -> None:
        self.counts.add(requests=1, items=items, cost=cost)
        self.budget.add(campaigns, cost)
        self.meter.add(MeteredRequest(endpoint, campaigns, items, cost, failed, self.now()))


MOST_REFUSALS = 8
"""Refused in a row without one answer, it is not some tweet in a hundred but the request itself that is wrong."""
DOUBTS_TO_ASK = 3
"""So many answers of *not found*, and no other, are reason to ask for what is there at every right address."""
PROVEN_FOR = 60.0
"""Seconds for which an account that answers proves its key."""


class AccountCheck:
    """Asks for what is about no tweet, and free, when it may be the key or the address that is wrong.

    Threads share it.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        """What `ask` returns is None when nothing was told of the account."""
        self._ask = ask
        self._key_proven_at = -inf
        self._address_proven = False
        self._doubts = 0
        self._lock = threading.Lock()

    def answered(self) -> None:
        """Something was answered well: the address is right, whatever single tweets are told."""
        self._address_proven = True

    def failed(self, error: ProviderError) -> None:
        """Take an error in.

        Raises KeyRefused for a 403 unless the account answers with the same key, and WrongAddress when everything so
        far was answered by *not found*.
        """
        with self._lock:
            if isinstance(error, Forbidden) and time.monotonic() - self._key_proven_at >= PROVEN_FOR:
                told = None
                with suppress(ProviderError):
                    told = self._ask()
                if told is None:
                    raise KeyRefused(f"the key was refused: {error.message}", hint=error.hint) from None
                self._key_proven_at = time.monotonic()
            if not error.doubts_address or self._address_proven:
                return
            self._doubts += 1
            if self._doubts < DOUBTS_TO_ASK:
                return
            try:
                self._ask()
            except NotFound as second:
                raise WrongAddress(second.message, hint="check TWITTER_API_URL") from None
            except ProviderUnavailable:
                return
            except ProviderError:
                pass
            self._address_proven = True


def _is_lost(error: BaseException) -> bool:
    """Whether the same request is worth sending again at once; not when the provider said when."""
    return isinstance(error, ProviderError) and error.again_at_once and error.retry_after is None


PATIENCE = 60.0
"""Seconds for which a person waits at most, when the provider says how long."""
LOOKUP_TRIES = 4
"""What does not answer is asked so often, in 7 seconds and what the requests take: then a person is told."""
REFRESH = 10.0


class Level(IntEnum):
    """What may still be asked."""

    OPEN = 0
    COUNTERS = 1
    CLOSED = 2


def ask_in_parts(tweet_ids: Sequence[str], ask: Callable[[Sequence[str]], TweetsAnswer]) -> TweetsAnswer:
    """Ask for all; then, as long as parts are refused, for halves of them, down to a single tweet.

    A tweet that is refused by itself is left out and told among the rows that could not be read. Raises what `ask`
    raises, and RequestRefused when nothing is answered.
    """
    waiting: list[Sequence[str]] = [tweet_ids]
    answers: list[TweetsAnswer] = []
    refused: list[UnreadableRow] = []
    refusals = 0
    while waiting:
        part = waiting.pop()
        try:
            answers.append(ask(part))
        except RequestRefused as error:
            refusals += 1
            if not answers and (refusals > MOST_REFUSALS or not (waiting or len(part) > 1)):
                raise
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]] if middle else []
            refused += [] if middle else [UnreadableRow(error.message, part[0])]
    return _joined(answers, refused)


def _joined(answers: Sequence[TweetsAnswer], refused: Sequence[UnreadableRow]) -> TweetsAnswer:
    return TweetsAnswer(
        {tweet_id: tweet for answer in answers for tweet_id, tweet in answer.tweets.items()},
        sum(answer.billed_items for answer in answers),
        (*(row for answer in answers for row in answer.unreadable), *refused),
    )


def fetch_tweets(
    client: MeteredClient,
    tweet_ids: Sequence[str],
    campaign: str,
    *,
    inform: Callable[[str], None] = lambda _: None,
) -> dict[str, Tweet]:
    """The tweets that the provider knows. What is absent is asked for twice before it counts as unknown.

    `inform` is told what is waited for.

    Raises ProviderError, OverBudget, BudgetReached; what was asked is metered also then.
    """
    found: dict[str, Tweet] = {}
    size = client.provider.batch
    try:
        for _ in range(2):
            missing = [tweet_id for tweet_id in tweet_ids if tweet_id not in found]
            for at in range(0, len(missing), size):
                found |= patiently(inform)(client.tweets, missing[at : at + size], [campaign]).tweets
    finally:
        client.meter.write()
    return found


def patiently(inform: Callable[[str], None], *, tries: int = LOOKUP_TRIES) -> Retrying:
    """Call again while the provider is away for a moment: somebody waits for the answer, and is told why."""

    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        inform(f"{error}; trying again in {state.upcoming_sleep:.0f} s")

    return Retrying(
        retry=retry_if_exception_type((ProviderUnavailable, RateLimited, MalformedAnswer)),
        wait=_wait,
        stop=stop_after_attempt(tries) | stop_after_delay(PATIENCE),
        before_sleep=say,
        reraise=True,
    )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, RateLimited) and error.retry_after is not None:
        return min(error.retry_after, PATIENCE)
    return min(8.0, 0.5 * 2.0**state.attempt_number)


def level(spent: float, soft: float, hard: float) -> Level:
    """What may still be asked after so many credits were spent; a limit of 0 is none."""
    if hard and spent >= hard:
        return Level.CLOSED
    return Level.COUNTERS if soft and spent >= soft else Level.OPEN
