"""Open the database, translate what it complains about, and wait for it when it goes away."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pymongo
from pymongo import MongoClient, ReturnDocument, errors
from pymongo.database import Database
from pymongo.monitoring import ServerHeartbeatListener

from socap_cli.errors import ConfigError, DatabaseRefused, DatabaseUnreachable, LockHeld, StoreError

Db = Database[dict[str, Any]]


Result = TypeVar("Result")


WAYS_OUT = "set MONGODB_URI to a running MongoDB, or unset it to use the embedded one (socap db status tells its state)"


ELECTION = 30.0
"""Seconds that one operation waits for a server to choose; an election takes about 12."""


DEFAULTS: dict[str, Any] = {
    # An outcome counts once it would survive an election; on a standalone server: once it is in the journal.
    "w": "majority",
    # A server that was cut off, rather than closed, is noticed within the sum of these two.
    "connectTimeoutMS": 5000,
    "heartbeatFrequencyMS": 5000,
    "maxPoolSize": 128,
}
"""What a URI does not say."""


GONE = frozenset({91, 189, 10107, 11600, 11602, 13435, 13436})
"""Codes of a server that is stopping, stepping down or no primary: another will do it."""


@contextmanager
def open_database(
    uri: str,
    name: str,
    *,
    patience: float = 5.0,
    election: float = ELECTION,
    listeners: Sequence[ServerHeartbeatListener] = (),
) -> Iterator[Db]:
    """Yield the database and close the client afterwards; MongoDB's errors leave as StoreError.

    `patience` is how many seconds an unreachable server is waited for at first. One that goes away later is
    waited for `election` seconds by each operation, since a replica set needs some to choose another primary.
    """
    given = uri.lower()
    wanted = {**DEFAULTS, "serverSelectionTimeoutMS": int(election * 1000)}
    options = {key: value for key, value in wanted.items() if f"{key.lower()}=" not in given}
    try:
        client: MongoClient[dict[str, Any]] = MongoClient(
            uri, tz_aware=True, appname="socap", event_listeners=list(listeners), **options
        )
    except (errors.PyMongoError, ValueError) as error:
        raise ConfigError(
            f"the database URI is not usable: {_without_credentials(str(error), uri)}",
            hint="it looks like mongodb://user:password@host:27017/",
        ) from None
    try:
        _ping(client, patience)
        yield client[name]
    except errors.PyMongoError as error:
        raise translate_error(error, uri=uri) or error from error
    finally:
        client.close()


def _ping(client: MongoClient[dict[str, Any]], patience: float) -> None:
    """Wait until it answers. One that went away while it answered is asked again: it may be starting anew."""
    for may_ask_again in (True, False):
        try:
            with pymongo.timeout(patience):
                client.admin.command("ping")
            return
        except errors.AutoReconnect as error:
            if isinstance(error, errors.ServerSelectionTimeoutError) or not may_ask_again:
                raise


def translate_error(error: BaseException, *, uri: str = "") -> StoreError | None:
    """The error as ours, or None when it is not MongoDB's. DatabaseUnreachable is worth waiting for."""
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
    if isinstance(error, errors.OperationFailure) and error.code in (13, 18):
        return DatabaseRefused(
            f"the database refused this user: {message}",
            hint="check user, password and authSource in MONGODB_URI",
        )
    return StoreError(f"the database refused an operation: {message}")


def _is_outage(error: errors.PyMongoError) -> bool:
    """Whether the server is away for now, so that the same operation can work later."""
    if isinstance(error, errors.ConnectionFailure) or error.timeout:
        return True
    if isinstance(error, errors.BulkWriteError):
        details = error.details or {}
        codes = {
            row.get("code")
            for row in (*details.get("writeErrors", ()), *details.get("writeConcernErrors", ()))
        }
        return bool(codes & GONE)
    if "does not support retryable writes" in str(error):
        return True  # what the driver makes of a server that went away between two tries
    return isinstance(error, errors.OperationFailure) and error.code in GONE


def retry_until_available(
    call: Callable[[], Result],
    *,
    patience: float,
    stop: threading.Event | None = None,
    restart: Callable[[], None] = lambda: None,
) -> Result:
    """Do what can be repeated until the database answers; raise its last error after `patience` seconds.

    `restart` is called between two tries and may bring it back. A stop ends the waiting, not the call.
    """
    try:
        return call()
    except Exception as error:
        if not _may_pass(error):
            raise
    from tenacity import (
        Retrying,
        retry_if_exception,
        sleep_using_event,
        stop_after_delay,
        wait_random_exponential,
    )

    waiting = stop or threading.Event()

    def try_restart(_state: object = None) -> None:
        with suppress(StoreError):  # a start that fails once is tried again within the patience
            restart()

    try_restart()
    retrying = Retrying(
        retry=retry_if_exception(_may_pass),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        stop=lambda state: waiting.is_set() or stop_after_delay(patience)(state),
        sleep=sleep_using_event(waiting),
        before_sleep=try_restart,
        reraise=True,
    )
    return retrying(call)


def _may_pass(error: BaseException) -> bool:
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


def clock(db: Db) -> Callable[[], datetime]:
    """A clock that was set by the database's once and goes on by itself, whatever the host's own says."""
    began = time.monotonic()
    at: datetime = db.command("hello")["localTime"]
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return lambda: aware + timedelta(seconds=time.monotonic() - began)


@contextmanager
def heartbeat(renew: Callable[[], object], *, every: float) -> Iterator[None]:
    """Call `renew` every so many seconds until the block ends.

    A database that is away leaves it to the next beat, and then to whoever takes the lease over.
    """
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
    """Hold a lock for the block, renewed from a thread. Raises LockHeld when another run has it."""
    token = secrets.token_hex(8)
    mine = {"_id": name, "token": token}
    until = {"$add": ["$$NOW", int(lease * 1000)]}
    if not _take(db, name, token, until):
        raise LockHeld(
            f"another run of `{name}` is at work", hint="wait for it, or for its lease to end within a minute"
        )
    try:
        with heartbeat(lambda: db.locks.update_one(mine, [{"$set": {"until": until}}]), every=lease / 3):
            yield
    finally:
        db.locks.update_one(mine, {"$set": {"token": None}})


def _take(db: Db, name: str, token: str, until: dict[str, Any]) -> bool:
    """Write our token if the lock is free or its lease has run out; True when it is ours now."""
    free = {"$or": [{"$lte": ["$token", None]}, {"$lte": [{"$ifNull": ["$until", "$$NOW"]}, "$$NOW"]}]}
    taken = {
        "token": {"$cond": ["$free", token, "$token"]},
        "until": {"$cond": ["$free", until, "$until"]},
    }
    row = db.locks.find_one_and_update(
        {"_id": name},
        [{"$set": {"free": free}}, {"$set": taken}, {"$unset": "free"}],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return row is not None and row["token"] == token
