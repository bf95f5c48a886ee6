"""Locks for commands that must not run twice at once: a lease by the database's clock."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pymongo import ReturnDocument

from socap_cli.errors import LockHeld
from socap_cli.store.connect import Db
from socap_cli.store.heartbeat import heartbeat


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
