"""Open the database, translate its errors, wait for it while it is unreachable; locks and the server's clock."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pymongo
from pymongo import MongoClient, errors
from pymongo.database import Database

from socap_cli.errors import ConfigError, DatabaseRefused, DatabaseUnreachable, LockHeld, StoreError

Db = Database[dict[str, Any]]
Result = TypeVar("Result")

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
        return True  # the driver's error for a server that went away between two attempts
    return isinstance(error, errors.OperationFailure) and error.code in GONE


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
    from tenacity import (
        Retrying,
        retry_if_exception,
        sleep_using_event,
        stop_after_delay,
        wait_random_exponential,
    )

    waiting = stop or threading.Event()

    def try_restart(_state: object = None) -> None:
        with suppress(StoreError):  # a failed start is retried within the patience
            restart()

    try_restart()
    retrying = Retrying(
        retry=retry_if_exception(_is_unreachable),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        stop=lambda state: waiting.is_set() or stop_after_delay(patience)(state),
        sleep=sleep_using_event(waiting),
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


def clock_offset(db: Db) -> timedelta:
    """How far the server's clock is ahead of this host's."""
    at: datetime = db.command("hello")["localTime"]
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)


def clock(db: Db) -> Callable[[], datetime]:
    """A clock that is set by the server's once and then runs by itself, whatever the host's own shows."""
    began = time.monotonic()
    at: datetime = db.command("hello")["localTime"]
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return lambda: aware + timedelta(seconds=time.monotonic() - began)


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
