"""What passes look up and write, group-committed: threads that ask at the same time share the round trips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from socap_cli.model.account import ListItem
from socap_cli.model.engagement import (
    FoundEngagement,
    Importance,
    LabelRules,
    StoredItem,
    categorize,
    engagement_id,
    organisations_of,
)
from socap_cli.model.kinds import Kind
from socap_cli.model.list_state import ListState, Pass, StoredCounts
from socap_cli.store import Db, engagements, forgetting, importance, translate_error, worker_state
from socap_cli.store.importance import ImportanceCollections
from socap_cli.store.rate_limits import GroupCommit
from socap_cli.store.worker_state import ListChange

UNKNOWN = Importance(None)
PAGES_AT_ONCE = 24
List = tuple[str, Kind]
"""A list: its tweet and its kind."""


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page to be stored, as one pass over one list saw it."""

    state: ListState
    current: Pass
    items: Sequence[ListItem]
    last: bool
    """Whether it is the list's last page, so that the list's counts are wanted with it."""
    now: datetime

    @property
    def list(self) -> List:
        """Which list it is of."""
        return self.state.tweet_id, self.state.kind

    def ids(self) -> dict[str, ListItem]:
        """The page's items by engagement id."""
        return {engagement_id(*self.list, item.source_id): item for item in self.items}


@dataclass(frozen=True, slots=True)
class StoredPage:
    """What became of a page: how many of its items were new or are back, and what was known of the others."""

    added: int
    back: int
    stored: Mapping[str, StoredItem]
    """By source id, as it was before the page was stored."""
    counts: StoredCounts | None
    """What is stored of the list now, after its last page."""


class EngagementWriter:
    """One run's writer. Whatever is written here can be written again."""

    def __init__(
        self, db: Db, firm: ImportanceCollections, rules: LabelRules, *, list_lease: float = 60.0
    ) -> None:
        self.list_lease = list_lease
        """Seconds for which a list is held between two pages."""
        self._db, self._firm, self._rules = db, firm, rules
        self._acquire = GroupCommit[List, ListState | None](
            partial(worker_state.acquire, db, lease=list_lease)
        )
        self._store = GroupCommit[SeenPage, StoredPage](self._store_pages, limit=PAGES_AT_ONCE)
        self._count = GroupCommit[List, StoredCounts](partial(engagements.count_stored, db))
        self._write = GroupCommit[ListChange, bool](partial(worker_state.write, db))

    def acquire(self, wanted: List) -> ListState | None:
        """Hold a list for one pass; None when somebody else holds it."""
        return self._acquire(wanted)

    def store(self, page: SeenPage) -> StoredPage:
        """Store a page's items, enriched."""
        return self._store(page)

    def count(self, wanted: List) -> StoredCounts:
        """What is stored of a list."""
        return self._count(wanted)

    def write(self, change: ListChange) -> bool:
        """Write what the holder of a list has to say; False when it does not hold it any more."""
        return self._write(change)

    def _store_pages(self, pages: Sequence[SeenPage]) -> list[StoredPage]:
        named = [page.ids() for page in pages]
        known = engagements.known(self._db, (key for ids in named for key in ids))
        for page, ids in zip(pages, named, strict=True):
            # A full pass notes whatever it sees; any other only what had been taken back.
            again = [key for key in ids if key in known and (page.current.full or known[key].removed)]
            if again:
                engagements.see_again(self._db, again, scan=page.current.scan, now=page.now)
        fresh = [
            (page, item)
            for page, ids in zip(pages, named, strict=True)
            for key, item in ids.items()
            if key not in known
        ]
        erased = forgetting.among(self._db, {item.profile.user_id for _, item in fresh}) if fresh else set()
        # Never stored again, but known, so that a pass ends where it would with them.
        known |= {
            engagement_id(*page.list, item.source_id): StoredItem(0, removed=False)
            for page, item in fresh
            if item.profile.user_id in erased
        }
        wanted = [(page, item) for page, item in fresh if item.profile.user_id not in erased]
        added = engagements.record(self._db, self._enriched(wanted))
        ended = [page.list for page in pages if page.last]
        counts = dict(zip(ended, engagements.count_stored(self._db, ended), strict=True)) if ended else {}
        return [
            _stored(ids, known, added, counts.get(page.list)) for page, ids in zip(pages, named, strict=True)
        ]

    def _enriched(self, fresh: Sequence[tuple[SeenPage, ListItem]]) -> list[FoundEngagement]:
        scores = self._scores(item for _, item in fresh)
        return [
            FoundEngagement(
                *page.list,
                item,
                scores.get(item.profile.user_id, UNKNOWN),
                categorize(item.profile, self._rules),
                pass_number=page.current.number,
                scan=page.current.scan,
                backfill=page.state.completed_passes == 0,
                now=page.now,
                organisations=organisations_of(item.profile, self._rules),
            )
            for page, item in fresh
        ]

    def _scores(self, items: Iterable[ListItem]) -> dict[str, Importance]:
        """Importance by user id. What cannot be looked up is unknown: asked again before alerts, never 0."""
        try:
            return importance.look_up(self._db, self._firm, [item.profile for item in items])
        except Exception as error:
            if translate_error(error) is None:
                raise
            return {}


def _stored(
    ids: Mapping[str, ListItem],
    known: Mapping[str, StoredItem],
    added: set[str],
    counts: StoredCounts | None,
) -> StoredPage:
    return StoredPage(
        added=sum(key in added for key in ids),
        back=sum(key in known and known[key].removed for key in ids),
        stored={item.source_id: known[key] for key, item in ids.items() if key in known},
        counts=counts,
    )
