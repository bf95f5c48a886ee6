"""What one run of a pass has seen, page by page: the run of known items, circles, blanks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from socap_cli.model.account import ListItem, Page
from socap_cli.model.engagement import StoredItem
from socap_cli.model.list_state import ListState, Pass
from socap_cli.work import delta

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
        foreign = not ids and page.billed_items > 0  # it goes on behind them; behind nothing it hardly does
        self._foreign = self._foreign + 1 if foreign else 0
        self._blank = 0 if ids or foreign else self._blank + 1
        self._seen.update(ids)
        more = page.next_cursor is not None
        circling = more and (page.next_cursor == current.cursor or self._stale >= STALE_PAGES)
        endless = more and (self._blank > self.empty_pages or self._foreign > FOREIGN_PAGES)
        gave_up = circling or page.cut_off or endless
        after = replace(
            current,
            known_run=delta.run_of_known(current.known_run, known, self.boundary_run),
            pages=current.pages + 1,
            newest=_newest(current, page),
            proven=current.proven and not gave_up,
        )
        return Advance(after, ended=gave_up or not more, gave_up=gave_up)


def _ids(page: Page) -> list[str]:
    return [item.source_id for item in page.items]


def _newest(current: Pass, page: Page) -> datetime | None:
    """The newest time so far. One that lies ahead is not believed: nothing would be newer for a long time."""
    latest = current.started_at + CLOCKS_DIFFER
    times = (current.newest, *(item.engaged_at for item in page.items))
    return max((moment for moment in times if moment is not None and moment <= latest), default=None)
