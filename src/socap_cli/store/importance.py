"""The customer's two collections, how far a build has read, and the scores that engagements carry.

`following_index` and `important_people` are read as they are and merged into when asked; no index is required or made
there. Look-ups by id use the customer's index if there is one; look-ups by handle ignore case.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from heapq import nsmallest
from itertools import chain
from typing import Any

from bson import Decimal128, ObjectId
from pymongo import InsertOne, UpdateOne
from pymongo.collation import Collation

from socap_cli.model import cleaning
from socap_cli.model.account import Profile
from socap_cli.model.engagement import Engagement, Importance
from socap_cli.model.important import (
    DEFAULT_WEIGHT,
    HEAVIEST,
    EntryUpdate,
    Follower,
    ImportantPerson,
    IndexEntry,
    PersonUpdate,
    Unreadable,
    account_of,
    flag_of,
    fold_handle,
    id_of,
    tags_of,
    text_of,
    weight_of,
)
from socap_cli.store.connect import Db, value_of, write_new
from socap_cli.store.engagements import importance_fields, note_changed, read_rows

Row = Mapping[str, Any]

ABSENT = Importance(0.0)
CREATED_BY = "socap"
REASONS_KEPT = 5
"""Followers that an engagement keeps as reasons, the heaviest."""
SAMPLES = 5
STATE = "rescoring"
WITHOUT_CASE = Collation("en", strength=2)
FIELDS = ("followed_user_id", "followed_username", "followed_by", "importance_score", "updated_at")


@dataclass(frozen=True, slots=True)
class ImportanceCollections:
    following_index: str = "following_index"
    important_people: str = "important_people"


@dataclass(frozen=True, slots=True)
class BuildState:
    """How far one important person's followings are read."""

    username: str
    """Folded."""
    started_at: datetime | None = None
    """When the unfinished reading began; None when none is unfinished."""
    cursor: str | None = None
    accounts: int = 0
    """Accounts read so far, or by the last reading."""
    read_at: datetime | None = None
    """When the last reading ended."""
    whole_since: datetime | None = None
    """When the last reading began that reached the end of the list."""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class RescoringState:
    """Until when changes of the index were applied, and under which rules."""

    index_until: datetime | None = None
    rules: str | None = None
    removed: tuple[str, ...] = ()
    """Handles and ids of accounts that were taken out of the index since."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The customer's collections as they are."""

    entries: int
    people: int
    unreadable: int
    """Documents of which something could not be read."""
    samples: tuple[str, ...]
    missing_indexes: tuple[str, ...]
    """Fields of the index that look-ups use and no index serves."""


def look_up(db: Db, names: ImportanceCollections, profiles: Iterable[Profile]) -> dict[str, Importance]:
    """Importance by user id; an account that is not in the index scores 0."""
    handles = {profile.user_id: profile.username for profile in profiles}
    scores = {}
    for user_id, entry in zip(handles, find(db, names, list(handles.items())), strict=True):
        if entry is None:
            scores[user_id] = ABSENT
            continue
        reasons = tuple((f.username, f.weight) for f in entry.heaviest[:REASONS_KEPT])
        scores[user_id] = Importance(entry.score, reasons, len(entry.followers))
    return scores


def find(
    db: Db, names: ImportanceCollections, accounts: Sequence[tuple[str | None, str | None]]
) -> list[IndexEntry | None]:
    """The entry of each (user id, handle): by id, else by handle; of several the one with the highest score.

    Handles are given up and taken by others: one that the index holds with another id matches no entry.
    """
    by_id, by_handle = defaultdict[str, list[IndexEntry]](list), defaultdict[str, list[IndexEntry]](list)
    for entry in _with_ids(db, names, {user_id for user_id, _ in accounts if user_id}):
        by_id[entry.user_id or ""].append(entry)
    rest = {fold_handle(name) for user_id, name in accounts if name and user_id not in by_id}
    for entry in _with_handles(db, names, rest):
        by_handle[fold_handle(entry.username or "")].append(entry)
    entries = []
    for user_id, name in accounts:
        same = by_id.get(user_id or "") or by_handle.get(fold_handle(name or ""), [])
        if user_id and any(entry.user_id not in (None, user_id) for entry in same):
            same = []
        entries.append(max(same, key=lambda entry: entry.score, default=None))
    return entries


def all_of(db: Db, names: ImportanceCollections, entry: IndexEntry) -> list[IndexEntry]:
    """Every document of an account: those with its id, and those with its handle that have no other id."""
    same = [entry, *_with_ids(db, names, {entry.user_id} if entry.user_id else ())]
    for one in _with_handles(db, names, {fold_handle(entry.username)} if entry.username else ()):
        if entry.user_id is None or one.user_id in (None, entry.user_id):
            same.append(one)
    return list({str(one.document["_id"]): one for one in same}.values())


def _with_ids(db: Db, names: ImportanceCollections, ids: Collection[str]) -> Iterator[IndexEntry]:
    """Entries with these ids, stored as text or as numbers."""
    numbers = [int(user_id) for user_id in ids if user_id.isdigit() and int(user_id) < 2**63]
    if ids:
        query = {"followed_user_id": {"$in": [*ids, *numbers]}}
        yield from map(entry_of, db[names.following_index].find(query, FIELDS))


def _with_handles(db: Db, names: ImportanceCollections, handles: Collection[str]) -> Iterator[IndexEntry]:
    if handles:
        query = {"followed_username": _spellings(handles)}
        yield from map(entry_of, db[names.following_index].find(query, FIELDS, collation=WITHOUT_CASE))


def _spellings(handles: Iterable[str]) -> Row:
    return {"$in": [spelling for handle in handles for spelling in (handle, f"@{handle}")]}


def index_entries(
    db: Db, names: ImportanceCollections, *, since: datetime | None = None
) -> Iterator[IndexEntry]:
    """Every entry, or those that were written since then."""
    query = {"updated_at": {"$gte": since}} if since else {}
    yield from map(entry_of, db[names.following_index].find(query, FIELDS))


def highest(db: Db, names: ImportanceCollections, *, limit: int) -> list[IndexEntry]:
    """The entries with the highest scores, whether stored as a number, as text, or as weights alone."""
    collection = db[names.following_index]
    stated = {"importance_score": {"$gte": 0, "$lte": HEAVIEST}}
    numbers = collection.find(stated, FIELDS).sort([("importance_score", -1), ("_id", 1)]).limit(limit)
    entries = map(entry_of, chain(numbers, collection.find({"$nor": [stated]}, FIELDS)))
    return nsmallest(limit, entries, key=lambda entry: (-entry.score, fold_handle(entry.username or "")))


def followed_by(db: Db, names: ImportanceCollections, username: str) -> Iterator[IndexEntry]:
    """The entries that name this important person among their followers."""
    spellings = _spellings([fold_handle(username)])
    query = {"$or": [{"followed_by.username": spellings}, {"followed_by": spellings}]}
    yield from map(entry_of, db[names.following_index].find(query, FIELDS, collation=WITHOUT_CASE))


def written_by(db: Db, names: ImportanceCollections, source: str) -> Iterator[IndexEntry]:
    """The entries that hold a follower of this source."""
    yield from map(entry_of, db[names.following_index].find({"followed_by.source": source}, FIELDS))


def without_followers(db: Db, names: ImportanceCollections) -> list[IndexEntry]:
    """Entries that this program made and that have no follower left."""
    query = {"created_by": CREATED_BY, "followed_by": {"$size": 0}, "importance_score": 0}
    return [entry_of(row) for row in db[names.following_index].find(query, FIELDS)]


def remove(db: Db, names: ImportanceCollections, entries: Iterable[IndexEntry]) -> int:
    keys = [entry.document["_id"] for entry in entries]
    return db[names.following_index].delete_many({"_id": {"$in": keys}}).deleted_count if keys else 0


def apply_updates(
    db: Db, names: ImportanceCollections, updates: Sequence[EntryUpdate], *, now: datetime
) -> list[EntryUpdate]:
    """Write updates; return those to be decided again, because somebody else changed or holds the entry.

    Fields and followers that no update names stay as they are. An update is written only where followers and score
    are still what it was decided from; a unique index of the customer's may refuse a new entry.
    """
    if not updates:
        return []
    collection = db[names.following_index]
    refused = write_new(collection, [_operation(update, now) for update in updates])
    keys = [update.before.document["_id"] for update in updates if update.before]
    written = {row["_id"] for row in collection.find({"_id": {"$in": keys}, "updated_at": now}, {"_id": 1})}
    return [
        update
        for position, update in enumerate(updates)
        if position in refused or (update.before and update.before.document["_id"] not in written)
    ]


def _operation(update: EntryUpdate, now: datetime) -> InsertOne[dict[str, Any]] | UpdateOne:
    if update.before is None:
        account = {"followed_username": update.username, "followed_user_id": update.user_id}
        document = {
            "_id": _document_id(update.user_id or fold_handle(update.username or "")),
            **{name: value for name, value in account.items() if value is not None},
            "followed_by": [_follower_document({}, follower) for follower in update.put],
            "importance_score": update.score,
            "created_by": CREATED_BY,
            "updated_at": now,
        }
        return InsertOne(document)
    row = update.before.document
    put = {fold_handle(follower.username): follower for follower in update.put}
    after = []
    for one in row["followed_by"] if isinstance(row.get("followed_by"), list) else ():
        try:
            name = fold_handle(follower_of(one).username)
        except Unreadable:
            name = ""
        if name in put:
            after.append(_follower_document(one, put.pop(name)))
        elif name not in update.drop:
            after.append(one)
    after.extend(_follower_document({}, follower) for follower in put.values())
    changes: dict[str, Any] = {"followed_by": after, "importance_score": update.score, "updated_at": now}
    if update.user_id and not row.get("followed_user_id"):
        changes["followed_user_id"] = update.user_id
    same = {
        name: {"$eq": row[name]} if name in row else {"$exists": False}
        for name in ("followed_by", "importance_score")
    }
    return UpdateOne({"_id": row["_id"], **same}, {"$set": changes})


def _document_id(name: str) -> ObjectId:
    """The same for whoever adds the document, so that two at once make one."""
    return ObjectId(hashlib.sha256(f"{CREATED_BY}:{name}".encode()).digest()[:12])


def _follower_document(row: Any, follower: Follower) -> dict[str, Any]:
    """A follower's fields over those that are stored; a stored handle and id stay as they are written."""
    stored = row if isinstance(row, dict) else {"username": row} if isinstance(row, str) else {}
    new = {name: value for name, value in asdict(follower).items() if value is not None}
    return {**new, **stored, **{name: new[name] for name in new.keys() - {"username", "user_id"}}}


def entry_of(row: Row) -> IndexEntry:
    """A document, or a row of a file, as a value. What no rule can read is left out and named in `problems`."""
    read, problems = _reader(row)
    username, user_id = read("followed_username", account_of), read("followed_user_id", id_of)
    stated = read("importance_score", _number_of)
    if not username and not user_id and not problems:
        problems.append("followed_username and followed_user_id are both missing")
    followers: dict[str, Follower] = {}
    rows = row.get("followed_by") or ()
    if not isinstance(rows, (list, tuple)):
        problems.append("followed_by: not a list")
        rows = ()
    for number, one in enumerate(rows, start=1):
        try:
            follower = follower_of(one)
            followers.setdefault(fold_handle(follower.username), follower)
        except Unreadable as reason:
            problems.append(f"followed_by {number}: {reason}")
    changed = row.get("updated_at")
    updated_at = changed if isinstance(changed, datetime) else None
    return IndexEntry(
        username, user_id, tuple(followers.values()), stated, updated_at, tuple(problems), document=row
    )


def follower_of(row: Any) -> Follower:
    """An element of `followed_by`: an object, or a handle alone. One without a handle goes by its name or id.

    Raises Unreadable.
    """
    if isinstance(row, str):
        row = {"username": row}
    if not isinstance(row, Mapping):
        raise Unreadable("not an object or a handle")
    user_id = id_of(row.get("user_id"))
    name = row["name"] if isinstance(row.get("name"), str) else None
    username = account_of(row.get("username")) or name or user_id
    if not username:
        raise Unreadable("no username")
    weight = _number_of(row.get("weight"))
    source, seen_at = row.get("source"), row.get("seen_at")
    return Follower(
        username,
        DEFAULT_WEIGHT if weight is None else weight,
        user_id,
        name,
        source if isinstance(source, str) else None,
        seen_at if isinstance(seen_at, datetime) else None,
    )


def person_of(row: Row) -> ImportantPerson:
    """A document, or a row of a file, as a value. What no rule can read is left out and named in `problems`."""
    read, problems = _reader(row)
    username = read("username", account_of)
    if username is None and not problems:
        problems.append("no username")
    count = cleaning.number(row.get("following_count"))
    return ImportantPerson(
        username or "",
        read("weight", _number_of),
        read("user_id", id_of),
        read("name", text_of),
        read("organisation", text_of),
        tags_of(row.get("tags")),
        read("is_active", flag_of),
        count if count is not None and count < 1e9 else None,
        tuple(problems),
        key=row.get("_id"),
    )


def _reader(row: Row) -> tuple[Callable[[str, Callable[[Any], Any]], Any], list[str]]:
    """A function that reads a field by a rule, and the list to which it adds what the rule cannot read."""
    problems: list[str] = []

    def read(name: str, rule: Callable[[Any], Any]) -> Any:
        try:
            return rule(row.get(name))
        except Unreadable as reason:
            problems.append(f"{name}: {reason}")
            return None

    return read, problems


def _number_of(value: Any) -> float | None:
    return weight_of(float(value.to_decimal()) if isinstance(value, Decimal128) else value)


def listed(db: Db, names: ImportanceCollections) -> Iterator[ImportantPerson]:
    yield from map(person_of, db[names.important_people].find().sort("username", 1))


def find_person(db: Db, names: ImportanceCollections, usernames: Sequence[str]) -> dict[str, ImportantPerson]:
    """These people by folded handle; who is not there is absent. Of several documents the first counts."""
    people: dict[str, ImportantPerson] = {}
    for person in all_people(db, names, usernames):
        people.setdefault(fold_handle(person.username), person)
    return people


def all_people(db: Db, names: ImportanceCollections, usernames: Sequence[str]) -> list[ImportantPerson]:
    """Every document of these people, in the order of `listed`."""
    query = {"username": _spellings(map(fold_handle, usernames))}
    rows = db[names.important_people].find(query, collation=WITHOUT_CASE)
    return [person_of(row) for row in sorted(rows, key=lambda row: str(row["username"]))]


def members_of(db: Db, names: ImportanceCollections, organisation: str) -> list[str]:
    """The folded handles of an organisation's people."""
    return [fold_handle(one.username) for one in listed(db, names) if one.organisation == organisation]


def update_people(
    db: Db, names: ImportanceCollections, updates: Sequence[PersonUpdate], *, now: datetime
) -> list[PersonUpdate]:
    """Write updates; return those that a unique index of the customer's refused."""
    operations: list[InsertOne[dict[str, Any]] | UpdateOne] = []
    for update in updates:
        values = {**update.values, "updated_at": now}
        if update.before:
            operations.append(UpdateOne({"_id": update.before.key}, {"$set": values}))
        else:
            key = {"_id": _document_id(fold_handle(update.username)), "username": update.username}
            new = {"weight": DEFAULT_WEIGHT, "is_active": True, "created_at": now, "created_by": CREATED_BY}
            operations.append(InsertOne({**key, **new, **values}))
    return [updates[place] for place in sorted(write_new(db[names.important_people], operations))]


def remove_people(db: Db, names: ImportanceCollections, people: Sequence[ImportantPerson]) -> None:
    db[names.important_people].delete_many({"_id": {"$in": [person.key for person in people]}})


def survey(db: Db, names: ImportanceCollections) -> Survey:
    """Read every document once."""
    entries = ((names.following_index, e.document["_id"], e.problems) for e in index_entries(db, names))
    people = ((names.important_people, person.key, person.problems) for person in listed(db, names))
    counts, unreadable, samples = Counter[str](), 0, list[str]()
    for collection, key, problems in chain(entries, people):
        counts[collection] += 1
        unreadable += bool(problems)
        if problems and len(samples) < SAMPLES:
            samples.append(f"{collection} {key}: {'; '.join(problems)}")
    served = {
        (next(iter(index["key"])), index.get("collation", {}).get("strength"))
        for index in db[names.following_index].list_indexes()
        if "partialFilterExpression" not in index
    }
    needed = (("followed_user_id", None), ("followed_username", WITHOUT_CASE.document["strength"]))
    missing = tuple(field for field, strength in needed if (field, strength) not in served)
    return Survey(
        counts[names.following_index], counts[names.important_people], unreadable, tuple(samples), missing
    )


def load_builds(db: Db) -> dict[str, BuildState]:
    rows = db.importance_builds.find()
    return {row["_id"]: value_of(BuildState, row, username=row["_id"]) for row in rows}


def save_build(db: Db, state: BuildState) -> None:
    row = asdict(state)
    db.importance_builds.replace_one({"_id": row.pop("username")}, row, upsert=True)


def read_engagements(
    db: Db,
    *,
    accounts: Collection[str] | None = None,
    tweet_ids: Collection[str] | None = None,
    batch: int = 1000,
) -> Iterator[list[Engagement]]:
    """Engagements in batches by id: all, those of accounts (ids and folded handles), or those of tweets."""
    query: dict[str, Any] = {}
    if accounts is not None:
        query["$or"] = [{"user_id": {"$in": list(accounts)}}, {"username": _spellings(accounts)}]
    if tweet_ids is not None:
        query["tweet_id"] = {"$in": list(tweet_ids)}
    collation = WITHOUT_CASE if accounts is not None else None
    while rows := list(db.engagements.find(query, collation=collation).sort("_id", 1).limit(batch)):
        yield read_rows(rows)[0]
        query["_id"] = {"$gt": rows[-1]["_id"]}


def write_scores(db: Db, changes: Sequence[tuple[Engagement, Engagement]]) -> None:
    """Write scores and labels that changed, as (before, after). Alerts consider an engagement again that rose."""
    operations = []
    for before, after in changes:
        values = {
            **importance_fields(after.importance),
            "categories": list(after.categories),
            "organisations": list(after.organisations),
        }
        if (after.importance.score or 0.0) > (before.importance.score or 0.0):
            values["needs_planning"] = True
        operations.append(UpdateOne({"_id": after.engagement_id}, {"$set": values}))
    if operations:
        note_changed(db, (after.tweet_id for _, after in changes))
        db.engagements.bulk_write(operations, ordered=False)


def rescoring_state(db: Db) -> RescoringState:
    row = db.importance_state.find_one({"_id": STATE}) or {}
    return RescoringState(row.get("index_until"), row.get("rules"), tuple(row.get("removed") or ()))


def note_removed(db: Db, accounts: Sequence[str]) -> None:
    """Remember accounts that were taken out of the index, for the next rescoring."""
    if accounts:
        change = {"$addToSet": {"removed": {"$each": list(accounts)}}}
        db.importance_state.update_one({"_id": STATE}, change, upsert=True)


def note_rescored(db: Db, before: RescoringState, *, index_until: datetime, rules: str) -> None:
    """Everything until then is applied; accounts that were taken out meanwhile stay noted."""
    change = {
        "$set": {"index_until": index_until, "rules": rules},
        "$pull": {"removed": {"$in": list(before.removed)}},
    }
    db.importance_state.update_one({"_id": STATE}, change, upsert=True)
