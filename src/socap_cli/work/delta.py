"""When a list needs a pass, and when the pass may stop. Pure rules over values.

Lists are newest first. A pass starts at the top and ends at a *proven boundary*: K items in a row that an
earlier completed pass stored, or the end of the list, or, cheaper, a known item once the counter says
that everything new has been seen. What an unfinished pass stored proves nothing.

Replies and quotes can be asked for by time, so a pass reads what is *fresh* (since the newest item of the
last completed pass) to its end, and goes on to *older* ones only when the counter still misses some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from socap_cli.model.account import ListItem, Page
from socap_cli.model.engagement import StoredItem
from socap_cli.model.list_state import ListState, Pass, Phase
from socap_cli.settings import CollectionSettings

LATE = timedelta(minutes=1)
"""By which a list may show an item later than a newer one: so far back is looked while the last pass missed some."""
MUCH_MISSING = 5
"""Of a list of up to 25; of a longer one a fifth."""
RESTARTS = 2
"""How often one run of a list, or of one of its windows, starts at the top because its cursor was refused."""
FEW_GONE = 2
"""So many of a list are believed to be gone whatever its counter says; of a long one a tenth."""


class PassKind(StrEnum):
    """Which pass a list needs."""

    NONE = "none"
    DELTA = "delta"
    """Down to what is known."""
    FULL = "full"
    """To the end of the list."""


class Step(StrEnum):
    """What a pass does after a page."""

    CONTINUE = "continue"
    OLDER = "older"
    COMPLETE = "complete"


CLOCKS_DIFFER = timedelta(hours=1)
"""By which an engagement may lie ahead of this host's clock."""
STALE_PAGES = 3
"""Pages in a row without one item that this pass has not seen: the cursor goes in circles."""
FOREIGN_PAGES = 50
"""Pages in a row that hold rows, and none of concern: a thousand replies to a reply, or a cursor without an end."""


@dataclass(frozen=True, slots=True)
class Advance:
    """A pass after a page: where it stands, and whether its list ended there."""

    current: Pass
    ended: bool
    gave_up: bool
    """Whether it ended in circles, in blanks or in the middle, which proves nothing."""


@dataclass
class PassTracker:
    """Follows one pass since it last began at the top, or was resumed."""

    boundary_run: int
    empty_pages: int
    _seen: set[str] = field(default_factory=set)
    _stale: int = 0
    _blank: int = 0
    _foreign: int = 0

    def restart(self) -> None:
        """The pass begins at the top again: nothing was seen by it yet."""
        self._seen.clear()
        self._stale = 0

    def known_items(
        self, items: Sequence[ListItem], stored: Mapping[str, StoredItem], state: ListState
    ) -> list[bool]:
        """For each item that this pass sees for the first time: does it prove a boundary?

        It does when an earlier completed pass stored it. One that comes again proves nothing a second time.
        """
        return [
            source in stored
            and not stored[source].removed
            and stored[source].first_pass <= state.completed_passes
            for source in (item.source_id for item in items)
            if source not in self._seen
        ]

    def advance(self, current: Pass, page: Page, known: Sequence[bool]) -> Advance:
        """Take a page in."""
        ids = _ids(page)
        self._stale = self._stale + 1 if ids and self._seen.issuperset(ids) else 0
        # It goes on behind rows of no concern; behind nothing it hardly does, unless the provider says so.
        foreign = not ids and (page.billed_items > 0 or page.blank_is_normal)
        self._foreign = self._foreign + 1 if foreign else 0
        self._blank = 0 if ids or foreign else self._blank + 1
        self._seen.update(ids)
        more = page.next_cursor is not None
        circling = more and (page.next_cursor == current.cursor or self._stale >= STALE_PAGES)
        endless = more and (self._blank > self.empty_pages or self._foreign > FOREIGN_PAGES)
        gave_up = circling or page.cut_off or endless
        after = replace(
            current,
            known_run=run_of_known(current.known_run, known, self.boundary_run),
            pages=current.pages + 1,
            newest=_newest(current, page),
            proven=current.proven and not gave_up,
        )
        return Advance(after, ended=gave_up or not more, gave_up=gave_up)


def pass_due(state: ListState, *, last_cycle: bool, now: datetime, policy: CollectionSettings) -> PassKind:
    """The pass that a list needs now that its tweet's counters are fresh."""
    if state.verify or state.completed_passes == 0:
        return PassKind.FULL
    if state.open_pass is not None:
        return PassKind.FULL if state.open_pass.full else PassKind.DELTA
    if _is_off(state, policy) and _full_allowed(state, now, policy):
        return PassKind.FULL
    moved = state.counter is None or state.counter != state.counter_at_pass
    return PassKind.DELTA if moved or last_cycle else PassKind.NONE


def _is_off(state: ListState, policy: CollectionSettings) -> bool:
    """The counter fell, or disagrees with what is collected by more than could not be read before."""
    if state.fell:
        return True
    if state.counter is None or state.counter != state.counter_at_pass:
        return False
    drift = abs(state.counter - state.collected - state.full_deficit)
    return drift > max(2.0, policy.tolerance * state.counter)


def _full_allowed(state: ListState, now: datetime, policy: CollectionSettings) -> bool:
    return state.last_full_at is None or now - state.last_full_at >= timedelta(
        hours=policy.verify_every_hours
    )


def open_pass(state: ListState, wanted: PassKind, *, by_time: bool, now: datetime) -> Pass:
    """The pass to go on with: the one left open, or a new one from the top."""
    full = wanted is PassKind.FULL
    if state.open_pass is not None and state.open_pass.full >= full:
        return state.open_pass
    # From the second after the newest known item, so that it is not paid for again; another item of that
    # same second is missed by the counter's reckoning, and then looked for below.
    # What the last pass missed, and the full one before it did not, may be late: then a minute is paid again.
    missed = state.deficit > state.full_deficit
    margin = -LATE if missed else timedelta(seconds=1)
    since = state.since + margin if by_time and not full and state.since else None
    return Pass(
        number=state.completed_passes + 1,
        full=full,
        phase=Phase.FRESH if since else Phase.WHOLE,
        started_at=now,
        counter=state.counter,
        since=since,
        newest=state.since,
    )


def restarted(current: Pass, *, state: ListState) -> Pass:
    """The same pass from the top, after its cursor was refused."""
    phase = Phase.FRESH if current.since is not None else Phase.WHOLE
    return replace(current, phase=phase, cursor=None, windows=(), known_run=0, counter=state.counter)


def run_of_known(run: int, known: Sequence[bool], boundary_run: int) -> int:
    """The run of known items after a page; it stops counting once it proves the boundary."""
    for is_known in known:
        run = run + 1 if is_known else 0
        if run >= boundary_run:
            break
    return run


def accounted(state: ListState, current: Pass, collected: int) -> bool:
    """Whether at least as many were found as the counter rose by since the last pass.

    That pass left `deficit` uncollected (protected accounts), or collected more than was counted (negative:
    some of it was taken back), and neither is found by reading on.
    """
    if current.counter is None or state.fell:
        return False
    return collected >= current.counter - state.deficit


def next_step(
    state: ListState, current: Pass, *, collected: int, ended: bool, policy: CollectionSettings
) -> Step:
    """What a pass does after a page, `current` holding its run of known items. Full passes go to the end."""
    if current.full:
        return Step.COMPLETE if ended else Step.CONTINUE
    if current.known_run >= policy.boundary_run:
        return Step.COMPLETE
    satisfied = accounted(state, current, collected)
    if ended:
        return Step.OLDER if current.phase is Phase.FRESH and not satisfied else Step.COMPLETE
    if satisfied and current.known_run >= 1 and current.phase is not Phase.FRESH:
        return Step.COMPLETE
    return Step.CONTINUE


def after_pass(state: ListState, current: Pass, *, collected: int, removed: int, now: datetime) -> ListState:
    """The list's state once a pass is complete."""
    deficit = (current.counter or 0) - collected
    whole = current.full and current.proven
    return replace(
        state,
        completed_passes=current.number,
        counter_at_pass=current.counter,
        collected=collected,
        removed=removed,
        deficit=deficit,
        deferred=None,
        full_deficit=_unreadable(state, current, deficit) if whole else state.full_deficit,
        fell=state.fell and not whole,
        since=current.newest,
        open_pass=None,
        last_pass_at=now,
        last_full_at=now if current.full else state.last_full_at,
        verify=False if current.full else state.verify,
    )


def _unreadable(state: ListState, current: Pass, deficit: int) -> int:
    """What a proven full pass missed cannot be read at all. Much of it is believed only of a second one.

    The provider may have cut the list short as if it ended there; the next full pass tells.
    """
    is_much = deficit > max(MUCH_MISSING, (current.counter or 0) // 5)
    return state.full_deficit if is_much and deficit > 2 * state.deficit else max(0, deficit)


def vanishing_is_plausible(*, stored: int, unseen: int, counter: int | None, deficit: int) -> bool:
    """Whether a full pass may mark what it did not see; a list cut short by the provider may not.

    More than a few gone are believed only when the counter confirms it: a list may be answered short, or empty.
    """
    if unseen <= max(FEW_GONE, stored // 10):
        return True
    left = stored - unseen
    return counter is not None and counter - deficit <= left + max(FEW_GONE, left // 10)


def _ids(page: Page) -> list[str]:
    return [item.source_id for item in page.items]


def _newest(current: Pass, page: Page) -> datetime | None:
    """The newest time so far. One that lies ahead is not believed: nothing would be newer for a long time."""
    latest = current.started_at + CLOCKS_DIFFER
    times = (current.newest, *(item.engaged_at for item in page.items))
    return max((moment for moment in times if moment is not None and moment <= latest), default=None)
