"""Locks for commands that must not run twice at once: a lease by the database's clock."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from socap_cli.errors import LockHeld
from socap_cli.store.connect import Db


@contextmanager
def held(db: Db, name: str, *, lease: float = 60.0) -> Iterator[None]:
    """Hold a lock for the block, renewed from a thread. Raises LockHeld when another run has it."""
    token = secrets.token_hex(8)
    until = {"$add": ["$$NOW", int(lease * 1000)]}
    free = {"$or": [{"$lte": ["$token", None]}, {"$lte": [{"$ifNull": ["$until", "$$NOW"]}, "$$NOW"]}]}
    row = db.locks.find_one_and_update(
        {"_id": name},
        [
            {"$set": {"free": free}},
            {
                "$set": {
                    "token": {"$cond": ["$free", token, "$token"]},
                    "until": {"$cond": ["$free", until, "$until"]},
                }
            },
            {"$unset": "free"},
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    if row is None or row["token"] != token:
        raise LockHeld(
            f"another run of `{name}` is at work", hint="wait for it, or for its lease to end within a minute"
        )
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease / 3):
            with suppress(PyMongoError):  # away for now: the next round renews it, if it is still ours
                db.locks.update_one({"_id": name, "token": token}, [{"$set": {"until": until}}])

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(1.0)
        db.locks.update_one({"_id": name, "token": token}, {"$set": {"token": None}})
