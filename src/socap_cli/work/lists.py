"""A list unit: passes over one list of one tweet, page by page; data first, then state."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import datetime

from socap_cli.errors import CursorRefused, LeaseLost, MalformedAnswer
from socap_cli.model import Page, Unit
from socap_cli.store import engagements, jobs, worker_state
from socap_cli.store.engagements import Tally
from socap_cli.store.leases import Settled
from socap_cli.store.worker_state import Change, ListState, Pass
from socap_cli.work import delta
from socap_cli.work.delta import Reading, Step
from socap_cli.work.desk import Desk
from socap_cli.work.records import SeenPage

WAIT_FOR_METRICS = 20.0
WAITS_A_LEASE = 24
"""How often, in the time for which a list is held, somebody else asks for it again."""
PASSES_PER_JOB = 3
RESTARTS = 2
"""How often one job starts a list at the top again because its cursor was refused."""
STARTS_A_HOLD = 1000
"""More than one holder of a list ever makes."""
STALE_PAGES = 3
"""Pages in a row without one item that this pass has not seen: the cursor goes in circles."""


class OutOfPages(Exception):
    """The job read as many pages as one job may; it goes on in its next turn."""


def run(desk: Desk, unit: Unit) -> list[Settled]:
    """Read the unit's list as far as its state says. Raises ProviderError, Stopping, LeaseLost."""
    tweet_id, kind = unit.jobs[0].tweet_id, unit.kind
    if any(job.gated for job in unit.jobs) and jobs.metrics_open(desk.db, tweet_id):
        return [
            Settled(job, delay=WAIT_FOR_METRICS, error="waits for its tweet's metrics") for job in unit.jobs
        ]
    held = desk.records.hold((tweet_id, kind))
    if held is None:
        wait = desk.list_lease / WAITS_A_LEASE
        return [Settled(job, delay=wait, error="another worker reads this list") for job in unit.jobs]
    reading = _ListReading(desk, unit, held)
    try:
        return reading.run()
    finally:
        if not reading.let_go:
            desk.insist(lambda: desk.records.change(worker_state.let_go(held)))


@dataclass
class _ListReading:
    """One job's work on one list that it holds."""

    desk: Desk
    unit: Unit
    state: ListState
    pages: int = 0
    restarts: int = 0
    let_go: bool = False
    starts: int = 0
    """How often it began at the top."""

    def __post_init__(self) -> None:
        self._stored: Tally | None = None
        self._deadline = time.monotonic() + self.desk.list_lease * 0.9

    def run(self) -> list[Settled]:
        due = self._due(last_cycle=any(job.last_cycle for job in self.unit.jobs))
        outcome = "unchanged" if due is Reading.NONE else "collected"
        for _ in range(PASSES_PER_JOB):
            if due is Reading.NONE:
                break
            try:
                due = self._one_pass(due)
            except OutOfPages:
                return [Settled(job, delay=0.0, error="more pages to come") for job in self.unit.jobs]
        return [Settled(job, outcome) for job in self.unit.jobs]

    def _due(self, *, last_cycle: bool) -> Reading:
        return delta.reading_due(
            self.state, last_cycle=last_cycle, now=self.desk.now(), policy=self.desk.policy
        )

    def _one_pass(self, due: Reading) -> Reading:
        """Read to a boundary; return what is due after it."""
        desk, kind = self.desk, self.unit.kind
        by_time = kind in desk.calls.provider.since_kinds
        current = delta.open_pass(self.state, due, by_time=by_time, now=desk.now())
        resumed = current is self.state.open_pass
        if not resumed:
            current = self._from_the_top(current)
        collected = self._tally().present if resumed else self.state.collected
        seen: set[str] = set()
        stale = blank = 0
        while True:
            restarts = self.restarts
            page, current = self._fetch(current)
            if self.restarts != restarts:
                seen.clear()
                stale = 0
            added, known = self._record(page, current, seen)
            collected += added
            stale = stale + 1 if page.items and seen.issuperset(_ids(page)) else 0
            blank = 0 if page.items else blank + 1
            seen.update(_ids(page))
            run = delta.run_of_known(current.known_run, known, desk.policy.boundary_run)
            current = replace(current, known_run=run, pages=current.pages + 1, newest=_newest(current, page))
            circling = page.next_cursor is not None and (
                page.next_cursor == current.cursor or stale >= STALE_PAGES
            )
            gave_up = circling or (page.next_cursor is not None and blank > desk.policy.empty_pages)
            current = replace(current, proven=current.proven and not gave_up)
            ended = page.next_cursor is None or gave_up
            step = delta.next_step(self.state, current, collected=collected, ended=ended, policy=desk.policy)
            if step is not Step.CONTINUE and gave_up:
                self._believe_only_twice(current, collected)
            if step is Step.COMPLETE:
                return self._finish(current)
            if step is Step.OLDER:
                current = replace(current, phase="older", cursor=None, known_run=0)
            else:
                current = replace(current, cursor=page.next_cursor)
            self._save(current)

    def _from_the_top(self, current: Pass) -> Pass:
        """Number a start: what an earlier one saw, and did not live to close, does not count as seen by this one."""
        self.starts += 1
        return replace(current, reading=self.state.epoch * STARTS_A_HOLD + self.starts)

    def _fetch(self, current: Pass) -> tuple[Page, Pass]:
        """The next page; a refused cursor starts the pass at the top again."""
        if self.pages >= self.desk.policy.pages_per_job:
            raise OutOfPages
        self.pages += 1
        while True:
            try:
                page = self.desk.calls.page(
                    self.unit.kind,
                    self.state.tweet_id,
                    self.unit.campaigns,
                    cursor=current.cursor,
                    since=current.since if current.phase == "fresh" else None,
                    until=current.since if current.phase == "older" else None,
                )
                return page, current
            except CursorRefused:
                current = self._from_the_top(delta.restarted(current, state=self.state))
                self._save(current)
                self.restarts += 1
                if self.restarts > RESTARTS:
                    raise

    def _record(self, page: Page, current: Pass, seen: set[str]) -> tuple[int, list[bool]]:
        """Store a page; return how many of its items are new or back, and which prove a boundary.

        An item that comes again on a later page proves nothing a second time.
        """
        self._check_lease()
        state, desk = self.state, self.desk
        recorded = desk.records.store(
            SeenPage(
                state,
                page.items,
                pass_number=current.number,
                reading=current.reading,
                full=current.full,
                last=page.next_cursor is None,
                now=desk.now(),
            )
        )
        self._stored = recorded.tally
        desk.calls.tally.add(engagements_new=recorded.added)
        stored = recorded.stored
        known = [
            source in stored
            and not stored[source].removed
            and stored[source].first_pass <= state.completed_passes
            for source in _ids(page)
            if source not in seen
        ]
        return recorded.added + recorded.back, known

    def _tally(self) -> Tally:
        return self.desk.records.tally((self.state.tweet_id, self.state.kind))

    def _change(self, change: Change) -> None:
        if not self.desk.records.change(change):
            raise LeaseLost(f"{self.state.kind} of tweet {self.state.tweet_id} is held by another worker now")

    def _save(self, current: Pass) -> None:
        sent = time.monotonic()
        self._change(worker_state.pass_saved(self.state, current, lease=self.desk.list_lease))
        self.state = replace(self.state, open_pass=current)
        self._deadline = sent + self.desk.list_lease * 0.9

    def _check_lease(self) -> None:
        """A worker that stalled and woke up must not write what would count as known."""
        if time.monotonic() > self._deadline:
            raise LeaseLost(f"{self.unit.kind} of tweet {self.state.tweet_id}: held for too long")

    def _finish(self, current: Pass) -> Reading:
        """Mark what a full reading did not find, then close the pass: only now its items count as known."""
        self._check_lease()
        state, now = self.state, self.desk.now()
        tally = self._stored or self._tally()
        gone = self._mark_removed(current, tally, now) if current.full and current.proven else 0
        after = delta.after_pass(
            state,
            current,
            collected=tally.present - gone,
            removed=tally.removed + gone,
            now=now,
            proven=current.proven,
        )
        due = delta.reading_due(after, last_cycle=False, now=now, policy=self.desk.policy)
        if due is Reading.DELTA and after.counter is None:
            due = Reading.NONE  # nothing tells whether more came meanwhile; the next cycle looks again
        self.let_go = due is Reading.NONE
        self._change(worker_state.pass_finished(state, after, let_go=self.let_go))
        self.state = after
        return due

    def _mark_removed(self, current: Pass, tally: Tally, now: datetime) -> int:
        state = self.state
        unseen = tally.unseen(before=current.reading)
        if not unseen or not delta.vanishing_is_plausible(
            stored=tally.present, unseen=unseen, counter=current.counter, deficit=state.full_deficit
        ):
            return 0
        return engagements.mark_removed(
            self.desk.db, state.tweet_id, state.kind, before=current.reading, now=now
        )

    def _believe_only_twice(self, current: Pass, collected: int) -> None:
        """A list that ended in circles or blanks is read again, unless the counter or a second look agrees."""
        looked_before = any(job.attempts > 0 for job in self.unit.jobs)
        if delta.accounted(self.state, current, collected) or looked_before:
            return
        self._save(self._from_the_top(delta.restarted(replace(current, proven=True), state=self.state)))
        raise MalformedAnswer(
            "the list ended in repeated or empty pages",
            endpoint=self.desk.calls.provider.endpoint(self.unit.kind),
        )


def _ids(page: Page) -> list[str]:
    return [item.source_id for item in page.items]


def _newest(current: Pass, page: Page) -> datetime | None:
    times = [item.engaged_at for item in page.items if item.engaged_at is not None]
    known = [current.newest] if current.newest is not None else []
    return max(times + known, default=None)
