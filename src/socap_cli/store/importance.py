"""The firm's following index: accounts that important people follow. Its documents are read as they are.

No index is demanded, made or altered here. Look-ups by id use the firm's own index when it has one; by handle
they compare without case, which any index of plain strings cannot help.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nsmallest
from itertools import chain
from typing import Any

from bson import Decimal128, ObjectId
from pymongo import ASCENDING, DESCENDING, IndexModel, InsertOne, UpdateOne
from pymongo.collation import Collation
from pymongo.errors import BulkWriteError, OperationFailure

from socap_cli.model.account import Profile
from socap_cli.model.engagement import Engagement, Importance
from socap_cli.model.important import (
    HEAVIEST,
    EntryUpdate,
    Follower,
    ImportantPerson,
    IndexEntry,
    PersonUpdate,
    Unreadable,
    account_of,
    fold_handle,
    id_of,
    weight_of,
)
from socap_cli.store.connect import Db
from socap_cli.store.engagements import importance_fields, note_changed, read_rows

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


CREATED_BY = "socap"


Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BuildState:
    """One important person's followings: the reading that is open, and the last that came to its end."""

    username: str
    """Folded."""
    started_at: datetime | None = None
    """When the open reading began; None when none is open."""
    cursor: str | None = None
    """Where it goes on."""
    accounts: int = 0
    """Accounts read so far, or by the last reading."""
    read_at: datetime | None = None
    """When the last reading ended."""
    whole_since: datetime | None = None
    """When the last reading began that came to the end of the list."""
    problem: str | None = None
    """Why the last reading failed."""


STATE = "rescoring"


@dataclass(frozen=True, slots=True)
class Rescored:
    """What an engagement's account is worth now."""

    engagement_id: str
    importance: Importance
    categories: tuple[str, ...]
    organisations: tuple[str, ...]
    is_higher: bool
    """Whether alerts must consider it again."""


@dataclass(frozen=True, slots=True)
class RescoringState:
    """Up to when changes of the index were applied, and under which rules."""

    index_until: datetime | None = None
    rules: str | None = None
    removed: tuple[str, ...] = ()
    """Handles and ids of accounts that were taken out of the index since."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which engagements are decided anew; None: all of them."""

    ids: Collection[str] | None = None
    """Accounts, by id."""
    usernames: Collection[str] = ()
    """The same accounts by folded handle, compared without case."""
    tweet_ids: Collection[str] | None = None

    def query(self) -> dict[str, Any]:
        """The scope as a filter."""
        wanted: dict[str, Any] = {}
        if self.ids is not None:
            names = [spelling for name in self.usernames for spelling in (name, f"@{name}")]
            wanted = {"$or": [{"user_id": {"$in": list(self.ids)}}, {"username": {"$in": names}}]}
        if self.tweet_ids is not None:
            wanted["tweet_id"] = {"$in": list(self.tweet_ids)}
        return wanted


SHOWN = 5


@dataclass(frozen=True, slots=True)
class UnreadableDocument:
    """A document of which something cannot be read: which, and why."""

    collection: str
    key: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirmSurvey:
    """The firm's collections as they are."""

    entries: int
    people: int
    unreadable: int
    """Documents of which something could not be read."""
    samples: tuple[UnreadableDocument, ...]
    missing_indexes: tuple[str, ...]
    """Indexes that would make look-ups faster; none is needed."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    collection: str
    field: str
    direction: int
    without_case: bool = False

    @property
    def name(self) -> str:
        return f"socap_{self.field}"

    @property
    def display_name(self) -> str:
        return f"{self.collection}.{self.field}{' (without case)' if self.without_case else ''}"

    def model(self) -> IndexModel:
        collation = {"collation": WITHOUT_CASE} if self.without_case else {}
        return IndexModel([(self.field, self.direction)], name=self.name, **collation)


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
    reasons = tuple((f.username, f.weight) for f in heaviest[:REASONS_KEPT])
    return Importance(entry.score, reasons, len(heaviest))


def index_entries(
    db: Db, names: ImportanceCollections, *, since: datetime | None = None
) -> Iterator[IndexEntry]:
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


def number_of(value: Any) -> float | None:
    """A weight or score of a document, of any of the database's numbers. Raises Unreadable."""
    return weight_of(float(value.to_decimal()) if isinstance(value, Decimal128) else value)


def reader_of(row: Row, problems: list[str]) -> Callable[[str, Callable[[Any], Any]], Any]:
    """Reads a field of a document by a rule; what the rule cannot read is None, and one of the problems."""

    def read(name: str, rule: Callable[[Any], Any]) -> Any:
        try:
            return rule(row.get(name))
        except Unreadable as reason:
            problems.append(f"{name}: {reason}")
            return None

    return read


def entry_of(row: Row) -> IndexEntry:
    """A document as a value. What no rule can read is left out of it and named in `problems`."""
    problems: list[str] = []
    read = reader_of(row, problems)
    username, user_id = read("followed_username", account_of), read("followed_user_id", id_of)
    stated = read("importance_score", number_of)
    if not username and not user_id and not problems:
        problems.append("neither followed_username nor followed_user_id")
    followers: dict[str, Follower] = {}
    for number, follower in enumerate(_followers(row, problems), start=1):
        try:
            one = follower_of(follower)
            followers.setdefault(fold_handle(one.username), one)
        except Unreadable as reason:
            problems.append(f"followed_by {number}: {reason}")
    changed = row.get("updated_at")
    updated_at = changed if isinstance(changed, datetime) else None
    return IndexEntry(
        username, user_id, tuple(followers.values()), stated, updated_at, tuple(problems), key=row.get("_id")
    )


def _followers(row: Row, problems: list[str]) -> Sequence[Any]:
    found = row.get("followed_by")
    if isinstance(found, list) or found is None:
        return found or ()
    problems.append("followed_by: no list")
    return ()


def follower_of(row: Any) -> Follower:
    """An element of `followed_by`: an object, or a handle alone. A weight that is null or absent is 1.

    One without a handle goes by its name or id. Raises Unreadable.
    """
    if isinstance(row, str):
        row = {"username": row}
    if not isinstance(row, Mapping):
        raise Unreadable("neither an object nor a handle")
    user_id = id_of(row.get("user_id"))
    name = row.get("name") if isinstance(row.get("name"), str) else None
    username = account_of(row.get("username")) or name or user_id
    if not username:
        raise Unreadable("no username")
    weight = number_of(row.get("weight"))
    source, seen_at = row.get("source"), row.get("seen_at")
    return Follower(
        username,
        1.0 if weight is None else weight,
        user_id,
        name,
        source if isinstance(source, str) else None,
        seen_at if isinstance(seen_at, datetime) else None,
    )


def new_document(update: EntryUpdate, now: datetime) -> dict[str, Any]:
    """The document of an account that is not in the index yet."""
    named = {"followed_username": update.username, "followed_user_id": update.user_id}
    return {
        "_id": document_id(update.user_id or fold_handle(update.username or "")),
        **{field: value for field, value in named.items() if value is not None},
        "followed_by": [_follower_document({}, follower) for follower in update.put],
        "importance_score": update.score,
        "created_by": CREATED_BY,
        "updated_at": now,
    }


def document_id(name: str) -> ObjectId:
    """The id of a document that we add: the same for whoever adds it, so that two at once make one."""
    return ObjectId(hashlib.sha256(f"{CREATED_BY}:{name}".encode()).digest()[:12])


def update_of(row: Row, update: EntryUpdate, now: datetime) -> UpdateOne:
    """Write only where the followers are what they were when the update was decided."""
    before = row.get("followed_by")
    put = {fold_handle(follower.username): follower for follower in update.put}
    after = []
    for one in before if isinstance(before, list) else ():
        name = _name_in(one)
        if name in put:
            after.append(_follower_document(one, put.pop(name)))
        elif name not in update.drop:
            after.append(one)
    after.extend(_follower_document({}, follower) for follower in put.values())
    changes: dict[str, Any] = {"followed_by": after, "importance_score": update.score, "updated_at": now}
    if update.user_id and not row.get("followed_user_id"):
        changes["followed_user_id"] = update.user_id
    same = {"followed_by": before} if "followed_by" in row else {"followed_by": {"$exists": False}}
    return UpdateOne({"_id": row["_id"], **same}, {"$set": changes})


def _name_in(row: Any) -> str | None:
    """The folded handle of an element of `followed_by`; None when it cannot be read."""
    try:
        return fold_handle(follower_of(row).username)
    except Unreadable:
        return None


def _follower_document(row: Any, follower: Follower) -> dict[str, Any]:
    """A follower's fields over those that were there; a handle and an id that are there stay as written."""
    known = row if isinstance(row, dict) else {"username": row} if isinstance(row, str) else {}
    said = {
        "weight": follower.weight, "name": follower.name, "source": follower.source, "seen_at": follower.seen_at,
    }  # fmt: skip
    kept = {"username": follower.username, "user_id": follower.user_id}
    return {
        **{field: value for field, value in kept.items() if value is not None},
        **known,
        **{field: value for field, value in said.items() if value is not None},
    }


def listed(db: Db, names: ImportanceCollections, *, active: bool | None = None) -> Iterator[ImportantPerson]:
    """Everybody by handle; with `active` those only whom the firm has not switched off."""
    query = {"is_active": {"$ne": False}} if active else {}
    rows = db[names.important_people].find(query).sort("username", 1)
    yield from map(person_of, rows)


def find_person(db: Db, names: ImportanceCollections, usernames: Sequence[str]) -> dict[str, ImportantPerson]:
    """These people by folded handle; who is not there is absent. Of several documents the first counts."""
    found: dict[str, ImportantPerson] = {}
    for person in all_people(db, names, usernames):
        found.setdefault(fold_handle(person.username), person)
    return found


def all_people(db: Db, names: ImportanceCollections, usernames: Sequence[str]) -> list[ImportantPerson]:
    """Every document of these people, their handles in any case, in the order of `listed`."""
    wanted = [spelling for name in usernames for spelling in (fold_handle(name), f"@{fold_handle(name)}")]
    rows = db[names.important_people].find({"username": {"$in": wanted}}, collation=WITHOUT_CASE)
    return [person_of(row) for row in sorted(rows, key=lambda row: str(row["username"]))]


def members_of(db: Db, names: ImportanceCollections, organisation: str) -> list[str]:
    """The folded handles of an organisation's people."""
    rows = db[names.important_people].find({"organisation": organisation}, {"username": 1})
    return sorted(fold_handle(row["username"]) for row in rows if isinstance(row.get("username"), str))


def person_of(row: Row) -> ImportantPerson:
    """A document as a value. What no rule can read is left out of it and named in `problems`."""
    problems: list[str] = []
    read = reader_of(row, problems)
    username = read("username", account_of)
    if username is None and not problems:
        problems.append("no username")
    tags, count = row.get("tags"), row.get("following_count")
    return ImportantPerson(
        username or "",
        read("weight", number_of),
        read("user_id", id_of),
        _text(row.get("name")),
        _text(row.get("organisation")),
        tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        row["is_active"] if isinstance(row.get("is_active"), bool) else None,
        int(count)
        if isinstance(count, (int, float)) and not isinstance(count, bool) and 0 <= count < 1e9
        else None,
        tuple(problems),
        key=row.get("_id"),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def update_people(
    db: Db, names: ImportanceCollections, updates: Sequence[PersonUpdate], *, now: datetime
) -> list[PersonUpdate]:
    """Write updates; return those that another document stands in the way of."""
    in_the_way = write_all(db[names.important_people], [_operation(update, now) for update in updates])
    return [updates[position] for position in sorted(in_the_way)]


def _operation(update: PersonUpdate, now: datetime) -> InsertOne[dict[str, Any]] | UpdateOne:
    values = {**update.values, "updated_at": now}
    if update.before is not None:
        return UpdateOne({"_id": update.before.key}, {"$set": values})
    fresh = {"weight": 1.0, "is_active": True, **values, "created_at": now, "created_by": CREATED_BY}
    return InsertOne({"_id": document_id(fold_handle(update.username)), "username": update.username, **fresh})


def remove_person(db: Db, names: ImportanceCollections, people: Sequence[ImportantPerson]) -> int:
    """Delete these people; return how many there were."""
    keys = [person.key for person in people]
    return db[names.important_people].delete_many({"_id": {"$in": keys}}).deleted_count if keys else 0


def load(db: Db) -> dict[str, BuildState]:
    """All states by folded handle."""
    names = BuildState.__dataclass_fields__
    return {
        row["_id"]: BuildState(username=row["_id"], **{k: v for k, v in row.items() if k in names})
        for row in db.importance_builds.find()
    }


def save(db: Db, state: BuildState) -> None:
    """Write how far a reading is; its page is stored before."""
    row = {name: getattr(state, name) for name in BuildState.__dataclass_fields__ if name != "username"}
    db.importance_builds.replace_one({"_id": state.username}, row, upsert=True)


def read(db: Db, scope: Scope, *, batch: int = 1000) -> Iterator[list[Engagement]]:
    """Engagements of a scope, in batches by id; documents that are none are left out."""
    query, collation = scope.query(), WITHOUT_CASE if scope.ids is not None else None
    last = ""
    while True:
        wanted = {**query, "_id": {"$gt": last}} if last else query
        rows = list(db.engagements.find(wanted, collation=collation).sort("_id", 1).limit(batch))
        if not rows:
            return
        yield read_rows(rows)[0]
        last = rows[-1]["_id"]


def write(db: Db, changes: Sequence[Rescored]) -> None:
    """Write what changed; an engagement that rose is considered by the alerts again."""
    operations = [
        UpdateOne(
            {"_id": change.engagement_id},
            {
                "$set": {
                    **importance_fields(change.importance),
                    "categories": list(change.categories),
                    "organisations": list(change.organisations),
                    **({"needs_planning": True} if change.is_higher else {}),
                }
            },
        )
        for change in changes
    ]
    if operations:
        note_changed(db, (change.engagement_id.partition(":")[0] for change in changes))
        db.engagements.bulk_write(operations, ordered=False)


def state(db: Db) -> RescoringState:
    """Up to when changes were applied."""
    row = db.importance_state.find_one({"_id": STATE}) or {}
    return RescoringState(row.get("index_until"), row.get("rules"), tuple(row.get("removed") or ()))


def note_removed(db: Db, accounts: Sequence[str]) -> None:
    """Remember accounts that were taken out of the index, for the next rescoring."""
    if accounts:
        db.importance_state.update_one(
            {"_id": STATE}, {"$addToSet": {"removed": {"$each": list(accounts)}}}, upsert=True
        )


def note_done(db: Db, before: RescoringState, *, index_until: datetime, rules: str) -> None:
    """Everything up to then is applied; accounts that were taken out meanwhile stay noted."""
    db.importance_state.update_one(
        {"_id": STATE},
        {
            "$set": {"index_until": index_until, "rules": rules},
            "$pull": {"removed": {"$in": list(before.removed)}},
        },
        upsert=True,
    )


def survey(db: Db, names: ImportanceCollections) -> FirmSurvey:
    """Read every document once."""
    entries = people = unreadable = 0
    samples: list[UnreadableDocument] = []

    def note(collection: str, document: IndexEntry | ImportantPerson) -> None:
        nonlocal unreadable
        unreadable += bool(document.problems)
        if document.problems and len(samples) < SHOWN:
            samples.append(UnreadableDocument(collection, str(document.key), document.problems))

    for entry in index_entries(db, names):
        entries += 1
        note(names.following_index, entry)
    for person in listed(db, names):
        people += 1
        note(names.important_people, person)
    missing = tuple(wanted.display_name for wanted in _missing(db, names))
    return FirmSurvey(entries, people, unreadable, tuple(samples), missing)


def create_indexes(db: Db, names: ImportanceCollections, *, dry_run: bool = False) -> list[str]:
    """Make the indexes that look-ups profit from, beside whatever the firm has; return which are new.

    None is unique: the firm's documents are not judged.
    """
    made = []
    for wanted in _missing(db, names):
        if not dry_run:
            db[wanted.collection].create_indexes([wanted.model()])
        made.append(wanted.display_name)
    return made


def _missing(db: Db, names: ImportanceCollections) -> Iterator[_Wanted]:
    for wanted in (
        _Wanted(names.following_index, "followed_user_id", ASCENDING),
        _Wanted(names.following_index, "followed_username", ASCENDING, without_case=True),
        _Wanted(names.following_index, "importance_score", DESCENDING),
        _Wanted(names.following_index, "updated_at", ASCENDING),
        _Wanted(names.important_people, "username", ASCENDING, without_case=True),
    ):
        if not any(_serves(index, wanted) for index in _indexes(db, wanted.collection)):
            yield wanted


def _indexes(db: Db, collection: str) -> list[dict[str, object]]:
    try:
        return [dict(index) for index in db[collection].list_indexes()]
    except OperationFailure:  # no such collection yet
        return []


def _serves(index: dict[str, object], wanted: _Wanted) -> bool:
    """Whether an index begins with the field and compares as look-ups do."""
    key = index.get("key")
    first = next(iter(key), None) if isinstance(key, dict) else None
    collation = index.get("collation")
    strength = collation.get("strength") if isinstance(collation, dict) else None
    partial = "partialFilterExpression" in index or index.get("sparse")
    return first == wanted.field and (strength == 2) is wanted.without_case and not partial
