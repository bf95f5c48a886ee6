"""Every collection with its indexes, in one table; a database is made ready for use here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import OperationFailure

from socap_cli.errors import SchemaMismatch, StoreError
from socap_cli.store.connect import Db, open_database

UP, DOWN = ASCENDING, DESCENDING


@dataclass(frozen=True, slots=True)
class Index:
    keys: tuple[tuple[str, int], ...]
    options: dict[str, Any] = field(default_factory=dict)

    def model(self) -> IndexModel:
        return IndexModel(list(self.keys), **self.options)


def up(*names: str, **options: Any) -> Index:
    """An ascending index."""
    return Index(tuple((name, UP) for name in names), options)


INDEXES: dict[str, tuple[Index, ...]] = {
    "campaigns": (up("status"),),
    "tweets": (up("campaign_id", "tweet_id", unique=True), up("tweet_id")),
    "jobs": (
        up("campaign_id", "tweet_id", "job_type", unique=True),
        # The claim: equality, equality (one point a kind), then the sort, so that no plan needs a SORT; the
        # tweet, so that it is answered from the index. The only index that follows every change of state.
        up("status", "job_type", "due", "_id", "tweet_id"),
        up("tweet_id", "job_type"),
        up("lease_expires_at", partialFilterExpression={"status": "processing"}),
    ),
    "worker_state": (),
    "engagements": (
        up("tweet_id", "action_type", "source_id", unique=True),
        up("tweet_id", "action_type", "removed_at", "last_scan"),
        up("needs_planning", partialFilterExpression={"needs_planning": True}),
        Index((("tweet_id", UP), ("importance_score", DOWN))),
    ),
    "engagement_columns": (up("tweet_id"),),
    "erased_people": (up("handle"),),
    "metric_snapshots": (up("tweet_id", "captured_at"),),
    "alert_queue": (
        up("campaign_id", "status", "hold.reason"),
        up("status", "scheduled_send_time"),
        up("status", "hold.reason"),
        Index((("planned_at", DOWN), ("_id", UP))),
    ),
    "alert_history": (
        up("status"),
        up("message_id"),
        up("alert_id"),
        up("campaign_id", "user_id", "action_type", "sent_at"),
        up("campaign_id", "created_at"),
        up("campaign_id", "status"),
    ),
    "alert_messages": (
        # The claim: what is open for an address; its sort is over what waits there.
        up("address_id", "status", "due"),
        up("status", "due"),
        # No alert stands in two messages to one address.
        up(
            "rows.alert_id",
            "address_id",
            unique=True,
            partialFilterExpression={"rows.alert_id": {"$exists": True}},
        ),
        up("is_recorded", partialFilterExpression={"is_recorded": False}),
    ),
    "alert_plans": (),
    "silences": (up("until"),),
    "channels": (up("off_since"),),
    "api_usage": (up("day"), up("campaign_id", "day")),
    "rate_limits": (up("blocked_until"), up("closed_since")),
    "final_reports": (up("campaign_id"),),
    "importance_state": (),
    "importance_builds": (),
    "locks": (),
    "runs": (
        Index((("command", UP), ("started_at", DOWN))),
        up("started_at", expireAfterSeconds=90 * 86_400),
    ),
}


# Changes with the table, so that a new version creates its new indexes at its first command.
INDEXES_VERSION = hashlib.sha256(repr(INDEXES).encode()).hexdigest()[:12]
SCHEMA_VERSION = 1

RESTORING = "restoring."
"""How the collections of a restore are named until it puts them in place."""
RESTORE_RECORD = f"{RESTORING}record"

MOST_SLUGS = 1000
NOT_SUPPORTED = frozenset({2, 9, 14, 59, 72, 115, 238, 303, 304, 40324})  # of MongoDB and of its imitations


@dataclass(frozen=True, slots=True)
class Prepared:
    is_new: bool
    """Whether the database did not exist."""
    ended: str | None
    """What became of an interrupted restore."""


def prepare(db: Db) -> Prepared:
    """Make a database ready; two cheap reads when it is.

    Raises SchemaMismatch for documents of another version, and LockHeld while a restore is running.
    """
    versions = {
        row["_id"]: row.get("version") for row in db.locks.find({"_id": {"$in": ["schema", "indexes"]}})
    }
    found = versions.get("schema", SCHEMA_VERSION)
    if found != SCHEMA_VERSION:
        is_newer = isinstance(found, int) and found > SCHEMA_VERSION
        raise SchemaMismatch(
            f"the documents of this database have version {found!r}, this program needs {SCHEMA_VERSION}",
            hint="install the socap that wrote it"
            if is_newer
            else "use another [database] name, or that version",
        )
    ended = None
    if db[RESTORE_RECORD].find_one({}, {"_id": 1}):
        from socap_cli.store.backup import end_interrupted  # tar and gzip, for this rare case

        ended = end_interrupted(db)
    if versions.get("indexes") == INDEXES_VERSION:
        return Prepared(is_new=False, ended=ended)
    is_new = not db.list_collection_names()
    ensure(db)
    return Prepared(is_new, ended)


def ensure(db: Db) -> int:
    """Create the indexes that are missing; return how many there are. The customer's own collections have none."""
    for name, indexes in INDEXES.items():
        if indexes:
            db[name].create_indexes([index.model() for index in indexes])
    db.locks.update_one({"_id": "schema"}, {"$setOnInsert": {"version": SCHEMA_VERSION}}, upsert=True)
    remember(db)
    return sum(len(indexes) for indexes in INDEXES.values())


def remember(db: Db) -> None:
    """Note that the indexes are those of this version."""
    db.locks.update_one({"_id": "indexes"}, {"$set": {"version": INDEXES_VERSION}}, upsert=True)


def check_features(db: Db) -> None:
    """Try what the commands need of a server, without changing anything. Raises StoreError with the missing feature."""
    nothing: dict[str, Any] = {"_id": "no such lock"}
    ignoring_case = {"locale": "en", "strength": 2}
    features: dict[str, Callable[[], object]] = {
        "collation": lambda: db.locks.find_one(nothing, collation=ignoring_case),
        "updates with a pipeline": lambda: db.locks.update_one(nothing, [{"$set": {"until": "$$NOW"}}]),
    }
    for feature, attempt in features.items():
        try:
            attempt()
        except OperationFailure as error:
            if error.code not in NOT_SUPPORTED:
                raise
            raise StoreError(
                f"this database server lacks a feature that socap needs: {feature}",
                hint="use MongoDB 5.0 or newer; compatible services such as Amazon DocumentDB are not supported",
            ) from error


def missing(db: Db) -> list[str]:
    """The indexes that somebody dropped, as `collection.name`."""
    return [
        f"{collection}.{name}"
        for collection, indexes in INDEXES.items()
        for present in [{index["name"] for index in db[collection].list_indexes()}]
        for name in sorted({index.model().document["name"] for index in indexes} - present)
    ]


def slugs_at(uri: str, name: str, *, within: float) -> list[str]:
    """The slugs of a database's campaigns. Raises StoreError when it does not answer within so many seconds."""
    with open_database(uri, name, patience=within, election=within) as db, pymongo.timeout(within):
        return [str(row["_id"]) for row in db.campaigns.find({}, {"_id": 1}).sort("_id", 1).limit(MOST_SLUGS)]


def database_size(db: Db) -> dict[str, int]:
    """{documents, bytes} of all collections with their indexes."""
    stats = db.command("dbStats")
    return {"documents": int(stats["objects"]), "bytes": int(stats["dataSize"] + stats["indexSize"])}
