"""Write what a list says into the firm's collections, merged with what stands there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from socap_cli.importance.merging import IMPORT, entry_change, merge_entry, merge_person, person_change
from socap_cli.importance.rows import Listed
from socap_cli.model.important import Change, EntryUpdate, ImportantPerson, IndexEntry, fold_handle
from socap_cli.store import Db, importance, important_people
from socap_cli.store.importance import ImportanceCollections

BATCH = 500
"""Accounts that are looked up and written in one round trip."""
ROUNDS = 6
"""How often an account is decided anew when somebody else writes it at the same time."""
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What was changed, or would be."""

    changes: tuple[Change, ...]
    unchanged: int
    refused: tuple[str, ...] = ()
    """Accounts that another document stands in the way of, under a unique index of the firm's."""

    def count(self, collection: str) -> int:
        """Documents of a collection that were changed."""
        return sum(change.collection == collection for change in self.changes)


def import_list(
    db: Db, names: ImportanceCollections, listed: Listed, *, now: datetime, dry_run: bool = False
) -> MergeResult:
    """Merge people and entries; with `dry_run` only say what that would change. Repeating it changes nothing."""
    people = import_people(db, names, list(listed.people.values()), now=now, dry_run=dry_run)
    index = merge_entries(db, names, listed.entries, source=IMPORT, now=now, dry_run=dry_run)
    return MergeResult(
        people.changes + index.changes, people.unchanged + index.unchanged, people.refused + index.refused
    )


def import_people(
    db: Db,
    names: ImportanceCollections,
    wanted: Sequence[ImportantPerson],
    *,
    now: datetime,
    dry_run: bool = False,
) -> MergeResult:
    """Merge important people by handle, field by field."""
    changes: list[Change] = []
    refused: list[str] = []
    for chunk in _chunks(wanted):
        known = important_people.find(db, names, [person.username for person in chunk])
        updates = [
            update
            for person in chunk
            if (update := merge_person(known.get(fold_handle(person.username)), person)) is not None
        ]
        in_the_way = [] if dry_run else important_people.apply_updates(db, names, updates, now=now)
        refused.extend(f"@{update.username}" for update in in_the_way)
        done = {id(update) for update in updates} - {id(update) for update in in_the_way}
        changes.extend(
            person_change(names.important_people, update) for update in updates if id(update) in done
        )
    return MergeResult(tuple(changes), len(wanted) - len(changes) - len(refused), tuple(refused))


def merge_entries(
    db: Db,
    names: ImportanceCollections,
    wanted: Sequence[IndexEntry],
    *,
    source: str,
    now: datetime,
    dry_run: bool = False,
) -> MergeResult:
    """Merge entries of the index, follower by follower."""
    changes: list[Change] = []
    refused: list[str] = []
    for chunk in _chunks(wanted):
        update = _Merge(db, names, source, now, dry_run)
        changes.extend(update.run(chunk))
        refused.extend(update.refused)
    return MergeResult(tuple(changes), len(wanted) - len(changes) - len(refused), tuple(refused))


class _Merge:
    """One chunk of entries, decided and written in rounds until nobody else's write is in the way."""

    def __init__(
        self, db: Db, names: ImportanceCollections, source: str, now: datetime, dry_run: bool
    ) -> None:
        self._db, self._names, self._source, self._now, self._dry_run = db, names, source, now, dry_run
        self.refused: tuple[str, ...] = ()

    def run(self, wanted: Sequence[IndexEntry]) -> Iterator[Change]:
        """Write; yields the changes that were made."""
        rest = list(wanted)
        for _ in range(ROUNDS):
            decided, rest = self._decide(rest)
            if not self._dry_run and decided:
                late = importance.apply_updates(
                    self._db, self._names, [update for _, update in decided], now=self._now
                )
                lost = {id(update) for update in late}
                rest.extend(entry for entry, update in decided if id(update) in lost)
                decided = [(entry, update) for entry, update in decided if id(update) not in lost]
            yield from (entry_change(self._names.following_index, update) for _, update in decided)
            if not rest:
                return
        self.refused = tuple(entry.display_name for entry in rest)

    def _decide(
        self, wanted: Sequence[IndexEntry]
    ) -> tuple[list[tuple[IndexEntry, EntryUpdate]], list[IndexEntry]]:
        """The updates of this round, one a document, and the entries that wait for the next."""
        known = importance.find(self._db, self._names, [(entry.user_id, entry.username) for entry in wanted])
        decided, later, taken = [], [], set()
        for entry, before in zip(wanted, known, strict=True):
            if before and before.user_id and entry.user_id not in (None, before.user_id):
                before = None  # the handle has moved on to another account
            name = str(before.key) if before else entry.user_id or fold_handle(entry.username or "")
            if name in taken:
                later.append(entry)
                continue
            taken.add(name)
            if (update := merge_entry(before, entry, source=self._source, now=self._now)) is not None:
                decided.append((entry, update))
        return decided, later


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for at in range(0, len(items), BATCH):
        yield items[at : at + BATCH]
