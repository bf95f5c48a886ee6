"""The firm's following index: accounts that important people follow. Its documents are read as they are.

No index is demanded, made or altered here. Look-ups by id use the firm's own index when it has one; by handle
they compare without case, which any index of plain strings cannot help.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from itertools import chain
from typing import Any

from pymongo import InsertOne, UpdateOne
from pymongo.collation import Collation
from pymongo.errors import BulkWriteError

from socap_cli.model.account import Profile
from socap_cli.model.engagement import Importance
from socap_cli.model.important import (
    HEAVIEST,
    EntryUpdate,
    IndexEntry,
    fold_handle,
)
from socap_cli.store.connect import Db
from socap_cli.store.index_documents import CREATED_BY, entry_of, new_document, update_of

ABSENT = Importance(0.0)
WITHOUT_CASE = Collation("en", strength=2)
REASONS_KEPT = 5
"""Followers that an engagement keeps as reasons, the heaviest."""
DUPLICATE_KEY = 11000
FIELDS = {
    "followed_user_id": 1,
    "followed_username": 1,
    "followed_by": 1,
    "importance_score": 1,
    "updated_at": 1,
}


@dataclass(frozen=True, slots=True)
class ImportanceCollections:
    """The names of the two collections."""

    following_index: str = "following_index"
    important_people: str = "important_people"


def look_up(db: Db, names: ImportanceCollections, profiles: Iterable[Profile]) -> dict[str, Importance]:
    """Importance by user id; an account found by neither id nor handle scores 0."""
    people = {profile.user_id: profile for profile in profiles}
    found = find(db, names, [(profile.user_id, profile.username) for profile in people.values()])
    scores = (_importance(entry) if entry else ABSENT for entry in found)
    return dict(zip(people, scores, strict=True))


def find(
    db: Db, names: ImportanceCollections, accounts: Sequence[tuple[str | None, str | None]]
) -> list[IndexEntry | None]:
    """The entry of each (user id, handle): by id, else by handle; of several the one with the highest score."""
    ids = {user_id for user_id, _ in accounts if user_id}
    by_id = _best(_with_ids(db, names, ids), lambda entry: entry.user_id)
    rest = {fold_handle(name) for user_id, name in accounts if name and user_id not in by_id}
    by_name = _best(_with_handles(db, names, rest), lambda entry: fold_handle(entry.username or ""))
    return [
        by_id.get(user_id or "") or (by_name.get(fold_handle(name)) if name else None)
        for user_id, name in accounts
    ]


def all_of(db: Db, names: ImportanceCollections, entry: IndexEntry) -> list[IndexEntry]:
    """Every document of an account: those of its id, and those of its handle in any case."""
    found = [entry]
    found.extend(_with_ids(db, names, [entry.user_id] if entry.user_id else []))
    found.extend(_with_handles(db, names, [fold_handle(entry.username)] if entry.username else []))
    return list({str(one.key): one for one in found}.values())


def _best(entries: Iterable[IndexEntry], key_of: Any) -> dict[str, IndexEntry]:
    best: dict[str, IndexEntry] = {}
    for entry in entries:
        key = key_of(entry)
        if key and (key not in best or entry.score > best[key].score):
            best[key] = entry
    return best


def _with_ids(db: Db, names: ImportanceCollections, ids: Iterable[str]) -> Iterator[IndexEntry]:
    """Entries with these ids, kept as text or as numbers."""
    wanted: list[Any] = list(ids)
    wanted.extend(int(user_id) for user_id in ids if user_id.isdigit() and int(user_id) < 2**63)
    if wanted:
        yield from map(
            entry_of, db[names.following_index].find({"followed_user_id": {"$in": wanted}}, FIELDS)
        )


def _with_handles(db: Db, names: ImportanceCollections, handles: Iterable[str]) -> Iterator[IndexEntry]:
    wanted = [spelling for handle in handles for spelling in (handle, f"@{handle}")]
    if wanted:
        query = {"followed_username": {"$in": wanted}}
        yield from map(entry_of, db[names.following_index].find(query, FIELDS, collation=WITHOUT_CASE))


def _importance(entry: IndexEntry) -> Importance:
    heaviest = sorted(
        entry.followers, key=lambda follower: (-follower.weight, fold_handle(follower.username))
    )
    return Importance(entry.score, tuple((f.username, f.weight) for f in heaviest[:REASONS_KEPT]))


def entries(db: Db, names: ImportanceCollections, *, since: datetime | None = None) -> Iterator[IndexEntry]:
    """Every entry that can be read in part at least, or those written from a time on."""
    query = {"updated_at": {"$gte": since}} if since else {}
    yield from map(entry_of, db[names.following_index].find(query, FIELDS))


def highest(db: Db, names: ImportanceCollections, *, limit: int) -> list[IndexEntry]:
    """The entries with the highest scores, however these are kept: as a number, as text, or as weights alone."""
    collection = db[names.following_index]
    stated = {"importance_score": {"$gte": 0, "$lte": HEAVIEST}}
    numbers = collection.find(stated, FIELDS).sort([("importance_score", -1), ("_id", 1)]).limit(limit)
    others = collection.find({"$nor": [stated]}, FIELDS)

    def by_score(entry: IndexEntry) -> tuple[float, str]:
        return -entry.score, fold_handle(entry.username or "")

    return nsmallest(limit, map(entry_of, chain(numbers, others)), key=by_score)


def followed_by(db: Db, names: ImportanceCollections, username: str) -> Iterator[IndexEntry]:
    """The entries that name this important person among their followers."""
    spellings = {"$in": [fold_handle(username), f"@{fold_handle(username)}"]}
    query = {"$or": [{"followed_by.username": spellings}, {"followed_by": spellings}]}
    yield from map(entry_of, db[names.following_index].find(query, FIELDS, collation=WITHOUT_CASE))


def size(db: Db, names: ImportanceCollections) -> int:
    """About how many entries there are."""
    return db[names.following_index].estimated_document_count()


def apply_updates(
    db: Db, names: ImportanceCollections, updates: Sequence[EntryUpdate], *, now: datetime
) -> list[EntryUpdate]:
    """Write updates; return those whose entry was changed by somebody else meanwhile, to be decided again.

    Fields and followers that no update names stay as they are. An account that another document holds under a
    unique index of the firm's is returned as well.
    """
    collection = db[names.following_index]
    stored = {update.before.key for update in updates if update.before}
    rows = {row["_id"]: row for row in collection.find({"_id": {"$in": list(stored)}})} if stored else {}
    lost: list[EntryUpdate] = []
    operations: list[tuple[EntryUpdate, InsertOne[dict[str, Any]] | UpdateOne]] = []
    for update in updates:
        if update.before is None:
            operations.append((update, InsertOne(new_document(update, now))))
            continue
        row = rows.get(update.before.key)
        if row is None or entry_of(row) != update.before:
            lost.append(update)
        else:
            operations.append((update, update_of(row, update, now)))
    in_the_way = write_all(collection, [operation for _, operation in operations])
    lost.extend(operations[position][0] for position in in_the_way)
    written = [update for position, (update, _) in enumerate(operations) if position not in in_the_way]
    return [*lost, *_overtaken(collection, written, now)]


def write_all(collection: Any, operations: Sequence[Any]) -> set[int]:
    """Write what can be written; return the positions of what a unique index refused."""
    if not operations:
        return set()
    try:
        collection.bulk_write(operations, ordered=False)
    except BulkWriteError as error:
        failed = error.details["writeErrors"]
        if any(entry["code"] != DUPLICATE_KEY for entry in failed) or error.details["writeConcernErrors"]:
            raise
        return {entry["index"] for entry in failed}
    return set()


def _overtaken(collection: Any, updates: Sequence[EntryUpdate], now: datetime) -> list[EntryUpdate]:
    """Those that somebody else's write between our reading and ours kept from being written."""
    keys = [update.before.key for update in updates if update.before]
    late = {
        row["_id"] for row in collection.find({"_id": {"$in": keys}, "updated_at": {"$ne": now}}, {"_id": 1})
    }
    return [update for update in updates if update.before and update.before.key in late]


def written_by(db: Db, names: ImportanceCollections, source: str) -> Iterator[IndexEntry]:
    """The entries that hold a follower of this source."""
    yield from map(entry_of, db[names.following_index].find({"followed_by.source": source}, FIELDS))


def without_followers(db: Db, names: ImportanceCollections) -> list[IndexEntry]:
    """Entries that this program made and that nobody follows any more."""
    query = {"created_by": CREATED_BY, "followed_by": {"$size": 0}, "importance_score": 0}
    return [entry_of(row) for row in db[names.following_index].find(query, FIELDS)]


def remove(db: Db, names: ImportanceCollections, entries_to_remove: Iterable[IndexEntry]) -> int:
    """Delete these entries; return how many there were."""
    keys = [entry.key for entry in entries_to_remove]
    return db[names.following_index].delete_many({"_id": {"$in": keys}}).deleted_count if keys else 0
