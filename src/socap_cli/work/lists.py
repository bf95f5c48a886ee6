"""A list unit: passes over one list of one tweet, page by page; data first, then state."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from socap_cli.client.metered import ListRequest
from socap_cli.errors import CursorRefused, LeaseLost, MalformedAnswer, OutOfPages
from socap_cli.model.account import Page
from socap_cli.model.engagement import StoredItem
from socap_cli.model.links import snowflake_time
from socap_cli.model.list_state import SCANS_A_HOLD, ListState, Pass, Phase, StoredCounts, Window
from socap_cli.model.queue import Outcome, Result, Unit
from socap_cli.store import engagements, jobs, worker_state
from socap_cli.work import delta, windows
from socap_cli.work.context import UnitResult, WorkContext
from socap_cli.work.delta import Advance, PassKind, PassTracker, Step
from socap_cli.work.windows import WindowReader
from socap_cli.work.writer import SeenPage

WAIT_FOR_METRICS = 20.0
WAITS_A_LEASE = 24
"""How often, in the time for which a list is held, somebody else asks for it again."""
PASSES_PER_JOB = 3
KNOWN_BESIDE = 3
"""Known items that a page is asked for beside new ones: one of them ends the pass."""


@dataclass
class ListCollector:
    """One unit's work on one list that it holds."""

    context: WorkContext
    unit: Unit
    state: ListState
    released: bool = False
    _pages: int = 0
    _restarts: int = 0
    _scans: int = 0

    def __post_init__(self) -> None:
        self._counts: StoredCounts | None = None
        self._collected = 0
        provider = self.context.client.provider
        self._by_time = self.unit.kind in provider.lists_with_times
        self._in_windows = self.unit.kind in provider.lists_in_windows
        self._source = PageSource(self.context, self.unit)
        self._deadline = time.monotonic() + self.context.writer.list_lease * 0.9

    def run(self) -> Result:
        """Pass after pass until none is due."""
        due = self._due(last_cycle=any(job.last_cycle for job in self.unit.jobs))
        result = Result.UNCHANGED if due is PassKind.NONE else Result.COLLECTED
        for _ in range(PASSES_PER_JOB):
            if due is PassKind.NONE:
                break
            due = self._one_pass(due)
        return result

    def _due(self, *, last_cycle: bool) -> PassKind:
        return delta.pass_due(
            self.state, last_cycle=last_cycle, now=self.context.now(), policy=self.context.policy
        )

    def _one_pass(self, due: PassKind) -> PassKind:
        """Read to a boundary; return the pass that is due after it."""
        policy = self.context.policy
        tracker = PassTracker(policy.boundary_run, policy.empty_pages)
        current, self._collected = self._begin(due)
        while True:
            advance = self._read_windows(current) if current.windows else self._one_page(current, tracker)
            current = advance.current
            step = delta.next_step(
                self.state, current, collected=self._collected, ended=advance.ended, policy=policy
            )
            if step is not Step.CONTINUE and advance.gave_up:
                self._believe_only_twice(current, self._collected)
            if step is Step.COMPLETE:
                return self._finish(current)
            if step is Step.OLDER:
                current = replace(current, phase=Phase.OLDER, cursor=None, known_run=0)
            self._save(current)

    def _one_page(self, current: Pass, tracker: PassTracker) -> Advance:
        """Read and store a page; what is left of a long list goes on in windows."""
        page, current = self._fetch(current, tracker)
        found = current.pages * len(page.items) if current.full else self._collected + self.state.deficit
        left = (current.counter or 0) - found - len(page.items)
        long = self._in_windows and windows.is_long(
            current, page, left=left, long_list=self.context.policy.long_list
        )
        if not long and self._pages < self.context.policy.pages_per_job:
            self._source.read_ahead(current, page)
        stored = self._store((page,), current)
        known = tracker.known_items(page.items, stored, self.state)
        advance = tracker.advance(current, page, known)
        after = replace(advance.current, cursor=page.next_cursor)
        if long and not advance.ended:
            rest = windows.rest_after(page, since=current.since, left=left)
            after = replace(after, cursor=None, windows=(rest,))
        return replace(advance, current=after)

    def _read_windows(self, current: Pass) -> Advance:
        """Read what is left of a long list, side by side."""
        context, policy = self.context, self.context.policy
        side_by_side = context.client.max_in_flight

        def keep(pages: Sequence[Page], after: Pass) -> None:
            self._store(pages, after)
            self._save(after)

        reader = WindowReader(
            context.ahead,
            self._source.window,
            keep,
            partial(PassTracker, policy.boundary_run, policy.empty_pages),
            side_by_side=side_by_side,
            page_limit=policy.pages_per_job * side_by_side,
            posted_at=snowflake_time(self.state.tweet_id),
            worth=policy.long_list // 3,
        )
        after = reader.read(current)
        return Advance(after, ended=True, gave_up=not after.proven)

    def _begin(self, due: PassKind) -> tuple[Pass, int]:
        """The pass to go on with, and how many engagements of the list are stored."""
        current = delta.open_pass(self.state, due, by_time=self._by_time, now=self.context.now())
        if current is self.state.open_pass:
            return current, self._count().present
        return self._from_the_top(current), self.state.collected

    def _from_the_top(self, current: Pass) -> Pass:
        """Number a scan: what an earlier one saw, and did not live to close, is not seen by this one."""
        self._scans += 1
        return replace(current, scan=self.state.epoch * SCANS_A_HOLD + self._scans)

    def _fetch(self, current: Pass, tracker: PassTracker) -> tuple[Page, Pass]:
        """The next page; a refused cursor starts the pass at the top again."""
        if self._pages >= self.context.policy.pages_per_job:
            raise OutOfPages
        self._pages += 1
        while True:
            try:
                left = (current.counter or 0) - self.state.deficit - self._collected
                return self._source.page(current, left=left), current
            except CursorRefused:
                current = self._from_the_top(delta.restarted(current, state=self.state))
                self._save(current)
                tracker.restart()
                self._restarts += 1
                if self._restarts > delta.RESTARTS:
                    raise

    def _store(self, pages: Sequence[Page], current: Pass) -> Mapping[str, StoredItem]:
        """Store pages and count what is new or back; returns what was known of each item before."""
        self._check_lease()
        items = [item for page in pages for item in page.items]
        last = any(page.next_cursor is None for page in pages) and not current.windows
        seen = SeenPage(self.state, current, items, last=last, now=self.context.now())
        stored = self.context.writer.store(seen)
        self._counts = stored.counts
        self._collected += stored.added + stored.back
        self.context.client.counts.add(engagements_new=stored.added)
        return stored.stored

    def _count(self) -> StoredCounts:
        return self.context.writer.count((self.state.tweet_id, self.state.kind))

    def _write(self, change: worker_state.ListChange) -> None:
        if not self.context.writer.write(change):
            engagements.note_changed(self.context.db, [self.state.tweet_id])  # its pages may have come late
            raise LeaseLost(f"{self.state.kind} of tweet {self.state.tweet_id} is held by another worker now")

    def _save(self, current: Pass) -> None:
        lease = self.context.writer.list_lease
        sent = time.monotonic()
        self._write(worker_state.pass_saved(self.state, current, lease=lease))
        self.state = replace(self.state, open_pass=current)
        self._deadline = sent + lease * 0.9

    def _check_lease(self) -> None:
        """A worker that stalled and woke up must not write what would count as known."""
        if time.monotonic() > self._deadline:
            raise LeaseLost(f"{self.unit.kind} of tweet {self.state.tweet_id}: held for too long")

    def _finish(self, current: Pass) -> PassKind:
        """Mark what a full pass did not find, then close the pass: only now its items count as known."""
        self._check_lease()
        now = self.context.now()
        counts = self._counts or self._count()
        proves = current.full and current.proven
        gone = mark_removed(self.context, self.state, current, counts) if proves else 0
        after = delta.after_pass(
            self.state, current, collected=counts.present - gone, removed=counts.removed + gone, now=now
        )
        due = delta.pass_due(after, last_cycle=False, now=now, policy=self.context.policy)
        if due is PassKind.DELTA and after.counter is None:
            due = PassKind.NONE  # nothing tells whether more came meanwhile; the next cycle looks again
        self.released = due is PassKind.NONE
        self._write(worker_state.pass_finished(self.state, after, release=self.released))
        self.state = after
        return due

    def _believe_only_twice(self, current: Pass, collected: int) -> None:
        """A list that ended in circles or blanks is read again, unless the counter or a second look agrees."""
        looked_before = any(job.attempts > 0 for job in self.unit.jobs)
        if delta.accounted(self.state, current, collected) or looked_before:
            return
        self._save(self._from_the_top(delta.restarted(replace(current, proven=True), state=self.state)))
        raise MalformedAnswer(
            "the list ended in repeated or empty pages",
            endpoint=self.context.client.provider.endpoint(self.unit.kind),
        )


class PageSource:
    """Asks for what one unit reads."""

    def __init__(self, context: WorkContext, unit: Unit) -> None:
        self._context, self._unit = context, unit
        self._ahead: tuple[ListRequest, Future[Page]] | None = None
        """The next page, asked for already."""

    def page(self, current: Pass, *, left: int) -> Page:
        """The page at which a pass stands; the counter says how many are left. Raises what the client raises."""
        wanted = self._next(current)
        if not current.full and wanted.since is None and wanted.cursor is None:
            # Down to what is known and no further: known items may be paid again.
            wanted = replace(wanted, size=max(left, 0) + KNOWN_BESIDE)
        asked, self._ahead = self._ahead, None
        if asked is not None and asked[0] == wanted:
            return asked[1].result()
        return self._context.client.page(wanted)

    def window(self, window: Window) -> Page:
        """The page at which a window stands; for several threads at once. Raises what the client raises."""
        return self._context.client.page(self._request(window.cursor, window.since, window.until))

    def read_ahead(self, current: Pass, page: Page) -> None:
        """Ask for the page after this one while this one is stored: a full pass reads it in any case."""
        more = page.next_cursor is not None and page.next_cursor != current.cursor
        if current.full and more and page.items:
            following = self._next(replace(current, cursor=page.next_cursor))
            self._ahead = following, self._context.ahead.submit(self._context.client.page, following)

    def _next(self, current: Pass) -> ListRequest:
        since, older = current.since, current.phase is Phase.OLDER
        return self._request(current.cursor, None if older else since, since if older else None)

    def _request(self, cursor: str | None, since: datetime | None, until: datetime | None) -> ListRequest:
        unit = self._unit
        return ListRequest(
            unit.kind, unit.jobs[0].tweet_id, unit.campaigns, cursor=cursor, since=since, until=until
        )


def run(context: WorkContext, unit: Unit) -> UnitResult:
    """Read the unit's list as far as its state says.

    Raises ProviderError, OverBudget, BudgetReached, Stopping, LeaseLost, OutOfPages.
    """
    tweet_id, kind = unit.jobs[0].tweet_id, unit.kind
    if any(job.waits_for_metrics for job in unit.jobs) and jobs.metrics_open(context.db, tweet_id):
        return _put_back(unit, WAIT_FOR_METRICS, "waits for its tweet's metrics")
    held = context.writer.acquire((tweet_id, kind))
    if held is None:
        wait = context.writer.list_lease / WAITS_A_LEASE
        return _put_back(unit, wait, "another worker reads this list")
    collector = ListCollector(context, unit, held)
    try:
        result = collector.run()
    finally:
        if not collector.released:
            context.until_available(lambda: context.writer.write(worker_state.released(held)))
    return UnitResult(unit, [Outcome(job, result) for job in unit.jobs])


def _put_back(unit: Unit, delay: float, reason: str) -> UnitResult:
    return UnitResult(unit, [Outcome(job, delay=delay, error=reason, waits=True) for job in unit.jobs])


def mark_removed(context: WorkContext, state: ListState, current: Pass, counts: StoredCounts) -> int:
    """Mark what a proven full pass did not see; return how many. What is too old to be shown is left as it is."""
    unseen = counts.unseen(before=current.scan)
    if not unseen:
        return 0
    now, db = context.now(), context.db
    reach = context.client.provider.reaches_back(state.kind)
    since = now - reach if reach else None
    if since:
        unseen = engagements.count_unseen(db, state.tweet_id, state.kind, before=current.scan, since=since)
    if not delta.vanishing_is_plausible(
        stored=counts.present, unseen=unseen, counter=current.counter, deficit=state.full_deficit
    ):
        return 0
    return engagements.mark_removed(db, state.tweet_id, state.kind, before=current.scan, now=now, since=since)
