"""Every collection with its indexes, in one table."""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from socap_cli.errors import LockHeld, SchemaMismatch
from socap_cli.store.connect import Db, heartbeat, open_database

UP, DOWN = ASCENDING, DESCENDING


@dataclass(frozen=True, slots=True)
class Index:
    """The fields of an index with their directions, and what else the server is told of it."""

    keys: tuple[tuple[str, int], ...]
    options: dict[str, Any] = field(default_factory=dict)

    def model(self) -> IndexModel:
        """As the driver takes it."""
        return IndexModel(list(self.keys), **self.options)


def up(*names: str, **options: Any) -> Index:
    """An index whose fields all ascend."""
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
        up("status", "message_id"),
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


VERSION = hashlib.sha256(repr(INDEXES).encode()).hexdigest()[:12]
"""Changes with the table, so that a new version makes its new indexes at its first command."""


SCHEMA = 1


NAME = "schema"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What had to be done."""

    is_new: bool
    """The database was not there."""
    ended: str | None
    """What became of a restore that was interrupted."""


RESTORE_ID = "restore"


LEASE = 60.0
"""Seconds."""


UNTIL = {"$add": ["$$NOW", int(LEASE * 1000)]}


class Step(StrEnum):
    """How far a restore is. What is undone when it is interrupted comes before what is completed."""

    LOADING = "loading"
    """Collections are loaded beside the old ones."""
    PAUSING = "pausing"
    """The queue is taken away, so that no worker gets anything from it."""
    SWITCHING = "switching"
    """All is loaded and whole; the new collections take the places of the old ones."""


@dataclass(frozen=True, slots=True)
class Record:
    """A restore that somebody began."""

    token: str
    """Known to its holder alone; another one takes it over by writing its own."""
    staged: str
    """How the names begin under which the new collections are loaded."""
    absent: tuple[str, ...]
    """Collections of ours that the backup lacks, and that go when it takes their place."""
    step: Step
    holder: str
    pid: int
    live: bool
    """Whether its lease has not run out."""


MOST = 1000


@dataclass(frozen=True, slots=True)
class Size:
    """Of all collections, with their indexes."""

    documents: int
    bytes: int


def ensure(db: Db) -> int:
    """Create what is missing; return how many indexes there are. Repeating it changes nothing.

    The firm's own collections are no part of it: see `firm_check`.
    """
    for name, indexes in INDEXES.items():
        if indexes:
            db[name].create_indexes([index.model() for index in indexes])
    remember_version(db)
    remember(db)
    return sum(len(indexes) for indexes in INDEXES.values())


def missing(db: Db) -> list[str]:
    """The indexes that somebody dropped, as `collection.name`."""
    wanted = {name: {index.model().document["name"] for index in rows} for name, rows in INDEXES.items()}
    return [
        f"{collection}.{name}"
        for collection, names in wanted.items()
        for name in sorted(names - {index["name"] for index in db[collection].list_indexes()})
    ]


def present(db: Db) -> bool:
    """Whether the indexes were made by this version of the table; one cheap read."""
    row = db.locks.find_one({"_id": "indexes"})
    return row is not None and row.get("version") == VERSION


def remember(db: Db) -> None:
    """Say that the indexes were made by this version of the table."""
    db.locks.update_one({"_id": "indexes"}, {"$set": {"version": VERSION}}, upsert=True)


def check(db: Db) -> None:
    """Refuse a database whose documents have another form. Raises SchemaMismatch."""
    row = db.locks.find_one({"_id": NAME})
    found = SCHEMA if row is None else row.get("version")
    if found == SCHEMA:
        return
    is_newer = isinstance(found, int) and found > SCHEMA
    raise SchemaMismatch(
        f"the documents of this database have version {found!r}, this program knows {SCHEMA}",
        hint="install the socap that wrote it"
        if is_newer
        else "use another [database] name, or that version",
    )


def remember_version(db: Db) -> None:
    """Say of a database that its documents have our form, unless it says something itself."""
    db.locks.update_one({"_id": NAME}, {"$setOnInsert": {"version": SCHEMA}}, upsert=True)


def prepare(db: Db) -> Prepared:
    """Make a database ready; three cheap reads when it is.

    Raises SchemaMismatch, and LockHeld while a restore is under way.
    """
    check(db)
    ended = _end_interrupted_restore(db)
    if present(db):
        return Prepared(is_new=False, ended=ended)
    is_new = not db.list_collection_names()
    ensure(db)
    return Prepared(is_new, ended)


def _end_interrupted_restore(db: Db) -> str | None:
    if find(db) is None:
        return None
    from socap_cli.store.backup import end_interrupted  # all that a restore needs, for this rare case

    return end_interrupted(db)


def find(db: Db) -> Record | None:
    """The restore that is under way, or was interrupted; None for none."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"_id": RESTORE_ID}},
        {"$set": {"live": {"$gt": ["$until", "$$NOW"]}}},
    ]
    for row in db.locks.aggregate(pipeline):
        absent = tuple(row.get("absent", ()))
        return Record(
            row["token"], row["staged"], absent, Step(row["step"]), row["holder"], row["pid"], row["live"]
        )
    return None


@contextmanager
def held(db: Db, staged: str) -> Iterator[str]:
    """Begin a restore; yield its token. Raises LockHeld when another one is under way.

    The record outlives the block: `forget` takes it away when nothing is left to be done.
    """
    token = secrets.token_hex(8)
    mine = {"_id": RESTORE_ID, "token": token}
    row = {"staged": staged, "step": Step.LOADING.value, "until": UNTIL, **_holder()}
    try:
        db.locks.update_one(mine, [{"$set": row}], upsert=True)
    except DuplicateKeyError:
        raise LockHeld("another restore is under way", hint="wait for its end") from None
    with heartbeat(lambda: db.locks.update_one(mine, [{"$set": {"until": UNTIL}}]), every=LEASE / 6):
        yield token


def take_over(db: Db, record: Record) -> str:
    """Become the holder of an abandoned restore; return the new token. Raises LockHeld when another was faster."""
    token = secrets.token_hex(8)
    theirs = {"_id": RESTORE_ID, "token": record.token}
    if not db.locks.update_one(
        theirs, [{"$set": {"token": token, "until": UNTIL, **_holder()}}]
    ).matched_count:
        raise LockHeld("a restore that was interrupted is being ended", hint="try again in a moment")
    return token


def advance(db: Db, token: str, step: Step, *, absent: Iterable[str] = ()) -> None:
    """Write down that this step begins. Raises LockHeld when somebody else took the restore for dead."""
    row = {"step": step.value, "until": UNTIL, "absent": list(absent)}
    moved = db.locks.update_one({"_id": RESTORE_ID, "token": token}, [{"$set": row}])
    if not moved.matched_count:
        raise LockHeld("this restore was taken for dead and undone", hint="run it again")


def forget(db: Db, token: str) -> None:
    """Nothing of this restore is left to be done."""
    db.locks.delete_one({"_id": RESTORE_ID, "token": token})


def is_abandoned(record: Record) -> bool:
    """Whether nobody carries this restore on any more."""
    if record.holder != _here():
        return not record.live
    try:
        os.kill(record.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return not record.live or _is_zombie(record.pid)


def _is_zombie(pid: int) -> bool:
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return False


def _holder() -> dict[str, Any]:
    return {"holder": _here(), "pid": os.getpid()}


@cache
def _here() -> str:
    """What processes that see each other's ids have in common: the boot of the host, and the space of the ids."""
    if sys.platform == "linux":
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    return socket.gethostname()


def slugs_at(uri: str, name: str, *, within: float) -> list[str]:
    """The slugs of the campaigns of a database. Raises StoreError when it does not answer within so many seconds."""
    with open_database(uri, name, patience=within, election=within) as db, pymongo.timeout(within):
        return [str(row["_id"]) for row in db.campaigns.find({}, {"_id": 1}).sort("_id", 1).limit(MOST)]


def size_of(db: Db) -> Size:
    """Ask the server."""
    stats = db.command("dbStats")
    return Size(int(stats["objects"]), int(stats["dataSize"] + stats["indexSize"]))
