"""Open the database and make it ready; translate its errors, wait while it is unreachable; locks and clocks."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel, MongoClient, errors
from pymongo.collection import Collection
from pymongo.database import Database

from socap_cli.errors import (
    ConfigError,
    DatabaseRefused,
    DatabaseUnreachable,
    LockHeld,
    SchemaMismatch,
    StoreError,
)

Db = Database[dict[str, Any]]
Result = TypeVar("Result")
Value = TypeVar("Value")

WAYS_OUT = "set MONGODB_URI to a running MongoDB, or unset it to use the embedded one (see: socap db status)"
ELECTION = 30.0  # seconds that one operation waits for a primary; an election takes about 12
# What a URI does not set.
DEFAULTS: dict[str, Any] = {
    # A write counts once it would survive an election; on a standalone server, once it is in the journal.
    "w": "majority",
    # A server that is cut off, rather than closed, is noticed within the sum of these two.
    "connectTimeoutMS": 5000,
    "heartbeatFrequencyMS": 5000,
    "maxPoolSize": 128,
}
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18
DUPLICATE_KEY = 11000
# Codes of a server that is stopping, stepping down or not the primary.
GONE = frozenset({91, 189, 10107, 11600, 11602, 13435, 13436})


@contextmanager
def open_database(
    uri: str,
    name: str,
    *,
    patience: float = 5.0,
    election: float = ELECTION,
) -> Iterator[Db]:
    """Yield the database and close the client afterwards; MongoDB's errors leave as StoreError.

    The server is waited for `patience` seconds at first, and later `election` seconds by each operation, since a
    replica set needs time to elect another primary.
    """
    defaults = {**DEFAULTS, "serverSelectionTimeoutMS": int(election * 1000)}
    options = {key: value for key, value in defaults.items() if f"{key.lower()}=" not in uri.lower()}
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(uri, tz_aware=True, appname="socap", **options)
    except (errors.PyMongoError, ValueError) as error:
        raise ConfigError(
            f"invalid database URI: {_without_credentials(str(error), uri)}",
            hint="expected: mongodb://user:password@host:27017/",
        ) from None
    try:
        _ping(client, patience)
        yield client[name]
    except errors.PyMongoError as error:
        raise translate_error(error, uri=uri) or error from error
    finally:
        client.close()


def _ping(client: MongoClient[dict[str, Any]], patience: float) -> None:
    """Wait until the server answers; retry once if it goes away meanwhile, since it may be restarting."""
    for may_retry in (True, False):
        try:
            with pymongo.timeout(patience):
                client.admin.command("ping")
            return
        except errors.AutoReconnect as error:
            if isinstance(error, errors.ServerSelectionTimeoutError) or not may_retry:
                raise


def translate_error(error: BaseException, *, uri: str = "") -> StoreError | None:
    """MongoDB's error as one of ours, None for any other. DatabaseUnreachable is worth waiting for."""
    if isinstance(error, StoreError):
        return error
    if not isinstance(error, errors.PyMongoError):
        return None
    message = _without_credentials(
        str(error).split(", Timeout:")[0].split("(configured timeouts")[0].split(", full error")[0].strip(),
        uri,
    )
    if _is_outage(error):
        return DatabaseUnreachable(f"the database cannot be reached: {message}", hint=WAYS_OUT)
    if isinstance(error, errors.OperationFailure) and error.code == AUTHENTICATION_FAILED:
        return DatabaseRefused(
            f"the database refused this user: {message}",
            hint="check user, password and authSource in MONGODB_URI",
        )
    if isinstance(error, errors.OperationFailure) and error.code == UNAUTHORIZED:
        named = re.search(r"not authorized on (\S+) to execute command \{ (\w+):", message)
        what = f"{named[2]} on the database {named[1]}" if named else message
        role = "dbAdmin" if "bypassDocumentValidation" in message else "readWrite"
        return DatabaseRefused(
            f"the user of MONGODB_URI is not allowed to run {what}",
            hint=f"grant it the role {role} on {f'the database {named[1]}' if named else 'the database'}",
        )
    return StoreError(f"the database refused an operation: {message}")


def _is_outage(error: errors.PyMongoError) -> bool:
    """Whether the server is unreachable for now, so that the same operation can work later."""
    codes = {getattr(error, "code", None)}
    if isinstance(error, errors.BulkWriteError):
        details = error.details or {}
        failed = (*details.get("writeErrors", ()), *details.get("writeConcernErrors", ()))
        codes = {row.get("code") for row in failed}
    # The last is the driver's error for a server that went away between two attempts.
    is_gone = isinstance(error, errors.ConnectionFailure) or error.timeout or bool(codes & GONE)
    return is_gone or "does not support retryable writes" in str(error)


def retry_until_available(
    call: Callable[[], Result],
    *,
    patience: float,
    stop: threading.Event | None = None,
    restart: Callable[[], None] = lambda: None,
) -> Result:
    """Repeat an idempotent call until the database answers; raise its last error after `patience` seconds.

    `restart` is called between two attempts and may start the server. A stop ends the waiting, not the call.
    """
    try:
        return call()
    except Exception as error:
        if not _is_unreachable(error):
            raise
    import tenacity  # not at the start of every command

    waiting = stop or threading.Event()

    def try_restart(_state: object = None) -> None:
        with suppress(StoreError):  # a failed start is retried within the patience
            restart()

    try_restart()
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_unreachable),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=2.0),
        stop=lambda state: waiting.is_set() or tenacity.stop_after_delay(patience)(state),
        sleep=tenacity.sleep_using_event(waiting),
        before_sleep=try_restart,
        reraise=True,
    )
    return retrying(call)


def _is_unreachable(error: BaseException) -> bool:
    return isinstance(translate_error(error), DatabaseUnreachable)


def literal(value: Any) -> Any:
    """A value that a pipeline must not read as an expression."""
    return {"$literal": value}


def _without_credentials(text: str, uri: str) -> str:
    if "@" in uri and "//" in uri:
        credentials = uri.split("//", 1)[1].rsplit("@", 1)[0]
        text = text.replace(credentials, "***")
        for part in credentials.split(":"):
            if len(part) > 3:
                text = text.replace(part, "***")
    return text


def value_of(kind: type[Value], row: Mapping[str, Any], /, **values: Any) -> Value:
    """A document as a value of a dataclass: its fields of the same names, and those given."""
    stored = {one.name: row[one.name] for one in fields(kind) if one.name in row}  # type: ignore[arg-type]
    return kind(**stored | values)


def write_new(collection: Collection[dict[str, Any]], operations: Sequence[Any]) -> set[int]:
    """Write what can be written; return the positions of what a unique index refused."""
    try:
        if operations:
            collection.bulk_write(operations, ordered=False)
    except errors.BulkWriteError as error:
        failed = error.details["writeErrors"]
        if any(one["code"] != DUPLICATE_KEY for one in failed) or error.details["writeConcernErrors"]:
            raise
        return {one["index"] for one in failed}
    return set()


def clock_offset(db: Db) -> timedelta:
    """How far the server's clock is ahead of this host's."""
    at: datetime = db.command("hello")["localTime"]
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)


def clock(db: Db) -> Callable[[], datetime]:
    """A clock that is set by the server's once and then runs by itself, whatever the host's own shows."""
    began = time.monotonic()
    at = datetime.now(UTC) + clock_offset(db)
    return lambda: at + timedelta(seconds=time.monotonic() - began)


@contextmanager
def heartbeat(renew: Callable[[], object], *, every: float) -> Iterator[None]:
    """Call `renew` every so many seconds until the block ends. A database error leaves it to the next beat."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(every):
            try:
                renew()
            except Exception as error:
                if translate_error(error) is None:
                    raise

    thread = threading.Thread(target=beat, daemon=True, name="heartbeat")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1.0)


@contextmanager
def held(db: Db, name: str, *, lease: float = 60.0) -> Iterator[None]:
    """Hold a lock for the block, renewed from a thread. Raises LockHeld when another run holds it."""
    token = secrets.token_hex(8)
    mine = {"_id": name, "token": token}
    until = {"$add": ["$$NOW", int(lease * 1000)]}
    db.locks.update_one({"_id": name}, {"$setOnInsert": {"token": None}}, upsert=True)
    free = {"_id": name, "$or": [{"token": None}, {"$expr": {"$lte": ["$until", "$$NOW"]}}]}
    if not db.locks.update_one(free, [{"$set": {"token": token, "until": until}}]).matched_count:
        raise LockHeld(
            f"another `socap {name}` is running", hint="wait for it, or for its lease to end within a minute"
        )
    try:
        with heartbeat(lambda: db.locks.update_one(mine, [{"$set": {"until": until}}]), every=lease / 3):
            yield
    finally:
        db.locks.update_one(mine, {"$set": {"token": None}})


# The collections and their indexes

UP, DOWN = ASCENDING, DESCENDING


def up(*names: str, **options: Any) -> IndexModel:
    return IndexModel([(name, UP) for name in names], **options)


INDEXES: dict[str, tuple[IndexModel, ...]] = {
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
        IndexModel([("tweet_id", UP), ("importance_score", DOWN)]),
    ),
    "engagement_columns": (up("tweet_id"),),
    "report_folders": (),
    "erased_people": (up("handle"),),
    "metric_snapshots": (up("tweet_id", "captured_at"),),
    "alert_queue": (
        up("campaign_id", "status", "hold.reason"),
        up("status", "scheduled_send_time"),
        up("status", "hold.reason"),
        IndexModel([("planned_at", DOWN), ("_id", UP)]),
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
        # Messages of versions before the outbox have none.
        up("revision"),
    ),
    "alert_plans": (),
    "silences": (up("until"),),
    "channels": (up("off_since"),),
    "api_usage": (up("day"), up("campaign_id", "day")),
    "read_today": (up("written_at", expireAfterSeconds=25 * 3600),),
    "rate_limits": (up("blocked_until"), up("closed_since")),
    "final_reports": (up("campaign_id"),),
    "importance_state": (),
    "importance_builds": (),
    "locks": (),
    "runs": (
        IndexModel([("command", UP), ("started_at", DOWN)]),
        up("started_at", expireAfterSeconds=90 * 86_400),
    ),
}


# Changes with the table, so that a new version creates its new indexes at its first command.
_TABLE = {name: [index.document for index in indexes] for name, indexes in INDEXES.items()}
INDEXES_VERSION = hashlib.sha256(repr(_TABLE).encode()).hexdigest()[:12]
SCHEMA_VERSION = 1

RESTORING = "restoring."
"""How the collections of a restore are named until it puts them in place."""
RESTORE_RECORD = f"{RESTORING}record"

NOT_SUPPORTED = frozenset({2, 9, 14, 59, 72, 115, 238, 303, 304, 40324})  # of MongoDB and of its imitations


def prepare(db: Db) -> tuple[bool, str | None]:
    """Make a database ready, with two cheap reads when it is: whether it is new, what an interrupted restore became.

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
        return False, ended
    is_new = not db.list_collection_names()
    ensure_indexes(db)
    return is_new, ended


def ensure_indexes(db: Db) -> int:
    """Create the indexes that are missing; return how many there are. The customer's own collections have none."""
    for name, indexes in INDEXES.items():
        if indexes:
            db[name].create_indexes(list(indexes))
    db.locks.update_one({"_id": "schema"}, {"$setOnInsert": {"version": SCHEMA_VERSION}}, upsert=True)
    remember_indexes(db)
    return sum(len(indexes) for indexes in INDEXES.values())


def remember_indexes(db: Db) -> None:
    db.locks.update_one({"_id": "indexes"}, {"$set": {"version": INDEXES_VERSION}}, upsert=True)


def restored_at(db: Db) -> datetime | None:
    row = db.locks.find_one({"_id": "restored", "at": {"$type": "date"}})
    return row["at"] if row else None


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
        except errors.OperationFailure as error:
            if error.code not in NOT_SUPPORTED:
                raise
            raise StoreError(
                f"this database server lacks a feature that socap needs: {feature}",
                hint="use MongoDB 5.0 or newer; compatible services such as Amazon DocumentDB are not supported",
            ) from error


def missing_indexes(db: Db) -> list[str]:
    """The indexes that somebody dropped, as `collection.name`."""
    return [
        f"{collection}.{name}"
        for collection, indexes in INDEXES.items()
        for present in [{index["name"] for index in db[collection].list_indexes()}]
        for name in sorted({index.document["name"] for index in indexes} - present)
    ]


def database_size(db: Db) -> dict[str, int]:
    """{documents, bytes} of all collections with their indexes."""
    stats = db.command("dbStats")
    return {"documents": int(stats["objects"]), "bytes": int(stats["dataSize"] + stats["indexSize"])}
