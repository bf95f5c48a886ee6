"""What the readings of lists look up and write, asked for together by all seats of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from socap_cli.model import Importance, Kind, ListItem
from socap_cli.store import Db, engagements, explain, importance, worker_state
from socap_cli.store.engagements import Found, Known, Tally
from socap_cli.store.importance import FirmCollections
from socap_cli.store.worker_state import Change, ListState
from socap_cli.work.enrich import Rules, categorize
from socap_cli.work.together import Together

UNKNOWN = Importance(None)
PAGES_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page to be stored, as one pass over one list saw it."""

    state: ListState
    items: Sequence[ListItem]
    pass_number: int
    reading: int
    full: bool
    last: bool
    """Whether it is the list's last page, so that a tally of the list is wanted with it."""
    now: datetime

    def ids(self) -> dict[str, ListItem]:
        """The page's items by engagement id."""
        name = partial(engagements.engagement_id, self.state.tweet_id, self.state.kind)
        return {name(item.source_id): item for item in self.items}


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a page: how many of its items were new or are back, and what was known of the others."""

    added: int
    back: int
    stored: Mapping[str, Known]
    """By source id, as it was before the page was stored."""
    tally: Tally | None
    """What is stored of the list now, after its last page."""


class Records:
    """One run's writer. Each call is a group commit: who calls at the same time shares the round trips."""

    def __init__(self, db: Db, firm: FirmCollections, rules: Rules, *, list_lease: float) -> None:
        self._db, self._firm, self._rules = db, firm, rules
        self.hold = Together[tuple[str, Kind], ListState | None](
            partial(worker_state.hold, db, lease=list_lease)
        )
        self.store = Together[SeenPage, Recorded](self._store, most=PAGES_AT_ONCE)
        self.tally = Together[tuple[str, Kind], Tally](partial(engagements.tallies, db))
        self.change = Together[Change, bool](partial(worker_state.write, db))

    def _store(self, pages: Sequence[SeenPage]) -> list[Recorded]:
        """Store pages; whatever is written here can be written again."""
        named = [page.ids() for page in pages]
        known = engagements.known(self._db, (key for ids in named for key in ids))
        for page, ids in zip(pages, named, strict=True):
            # A full reading notes whatever it sees; any other pass only what had been taken back.
            again = [key for key in ids if key in known and (page.full or known[key].removed)]
            if again:
                engagements.see_again(self._db, again, reading=page.reading, now=page.now)
        fresh = [
            (page, item)
            for page, ids in zip(pages, named, strict=True)
            for key, item in ids.items()
            if key not in known
        ]
        added = engagements.record(self._db, self._enriched(fresh))
        ended = [(page.state.tweet_id, page.state.kind) for page in pages if page.last]
        tallies = dict(zip(ended, engagements.tallies(self._db, ended), strict=True)) if ended else {}
        return [
            _recorded(ids, known, added, tallies.get((page.state.tweet_id, page.state.kind)))
            for page, ids in zip(pages, named, strict=True)
        ]

    def _enriched(self, fresh: Sequence[tuple[SeenPage, ListItem]]) -> list[Found]:
        scores = self._scores(item for _, item in fresh)
        return [
            Found(
                page.state.tweet_id,
                page.state.kind,
                item,
                scores.get(item.profile.user_id, UNKNOWN),
                categorize(item.profile, self._rules),
                pass_number=page.pass_number,
                reading=page.reading,
                backfill=page.state.completed_passes == 0,
                now=page.now,
            )
            for page, item in fresh
        ]

    def _scores(self, items: Iterable[ListItem]) -> dict[str, Importance]:
        """Importance by user id. What cannot be looked up is unknown: asked again before alerts, never 0."""
        try:
            return importance.look_up(self._db, self._firm, [item.profile for item in items])
        except Exception as error:
            if explain(error) is None:
                raise
            return {}


def _recorded(
    ids: Mapping[str, ListItem], known: Mapping[str, Known], added: set[str], tally: Tally | None
) -> Recorded:
    return Recorded(
        added=sum(key in added for key in ids),
        back=sum(key in known and known[key].removed for key in ids),
        stored={item.source_id: known[key] for key, item in ids.items() if key in known},
        tally=tally,
    )
