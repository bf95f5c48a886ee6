"""The record of a restore that is under way: who does it, and how far it is.

It is a lock as well: while its holder lives, no other command opens the database. A holder that was killed on this
host is known at once, any other when its lease has run out; then whoever comes next ends what was begun.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from pymongo.errors import DuplicateKeyError

from socap_cli.errors import LockHeld
from socap_cli.store.connect import Db
from socap_cli.store.heartbeat import heartbeat

NAME = "restore"
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


def find(db: Db) -> Record | None:
    """The restore that is under way, or was interrupted; None for none."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"_id": NAME}},
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
    mine = {"_id": NAME, "token": token}
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
    theirs = {"_id": NAME, "token": record.token}
    if not db.locks.update_one(
        theirs, [{"$set": {"token": token, "until": UNTIL, **_holder()}}]
    ).matched_count:
        raise LockHeld("a restore that was interrupted is being ended", hint="try again in a moment")
    return token


def advance(db: Db, token: str, step: Step, *, absent: Iterable[str] = ()) -> None:
    """Write down that this step begins. Raises LockHeld when somebody else took the restore for dead."""
    row = {"step": step.value, "until": UNTIL, "absent": list(absent)}
    moved = db.locks.update_one({"_id": NAME, "token": token}, [{"$set": row}])
    if not moved.matched_count:
        raise LockHeld("this restore was taken for dead and undone", hint="run it again")


def forget(db: Db, token: str) -> None:
    """Nothing of this restore is left to be done."""
    db.locks.delete_one({"_id": NAME, "token": token})


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
