"""Restore a backup: load it beside, then switch. Killed at any moment, the next command ends it one way or the other.

1. The collections are loaded under other names, with their indexes. Nothing that was there is touched.
2. The queue is taken away, so that workers find no work; when a worker holds a lease it is put back, and the restore
   refused. A worker that holds none finds the new queue in its next look.
3. Each new collection takes the place of the old one, the queue last.

Whoever finds an interrupted restore undoes the first two steps, or completes the third.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from socap_cli.errors import LockHeld, NotABackup, StoreError
from socap_cli.store import restore_record
from socap_cli.store.backup import STAGED, judged, opened, plain_collections
from socap_cli.store.backup_format import Manifest
from socap_cli.store.backup_reading import Sink
from socap_cli.store.connect import Db
from socap_cli.store.indexes import INDEXES, remember
from socap_cli.store.restore_loading import Loading
from socap_cli.store.restore_record import Step

PAUSED = "(paused)"
"""Where the old queue waits."""
NO_SUCH_COLLECTION = 26
QUEUE, LOCKS = "jobs", "locks"
UNCHANGED = "nothing was changed"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore put in place, and the collections that it left as they were, being neither ours nor in it."""

    manifest: Manifest
    left: tuple[str, ...]


def restore(db: Db, source: str) -> Restored:
    """Replace the database by a backup, whole or not at all.

    The file is read to its end once before the database is asked anything. Raises NotABackup, LockHeld when a
    worker or another command is at work, and StoreError; the database is as it was then.
    """
    with opened(source) as stream:
        _expect_a_database(source, judged(source, stream, Sink()), db)
        staged = f"{STAGED}{secrets.token_hex(4)}."
        with restore_record.held(db, staged) as token:
            with _undone_on_failure(db, token, staged):
                _expect_nobody(db)
                loading = Loading(db, staged)
                manifest = judged(source, stream, loading)
                absent = set(loading.complete()) - {LOCKS}
                _pause(db, token, staged)
                restore_record.advance(db, token, Step.SWITCHING, absent=absent)
            _switch(db, token, staged, absent)
    left = {row["name"] for row in plain_collections(db)} - INDEXES.keys() - manifest.collections.keys()
    return Restored(manifest, tuple(sorted(left)))


def end_interrupted(db: Db) -> str | None:
    """Undo or complete a restore whose process is gone; return what was done. Raises LockHeld while one runs."""
    record = restore_record.find(db)
    if record is None:
        return None
    if not restore_record.is_abandoned(record):
        raise LockHeld("a restore is under way", hint="wait for its end")
    token = restore_record.take_over(db, record)
    if record.step is Step.SWITCHING:
        _switch(db, token, record.staged, record.absent)
        return "completed a restore that was interrupted"
    _undo(db, token, record.staged)
    return "undid a restore that was interrupted; the database is as it was before it"


def _expect_a_database(source: str, manifest: Manifest, db: Db) -> None:
    """Raise NotABackup for a backup that would leave less than a database of this program."""
    campaigns = manifest.collections.get("campaigns")
    if campaigns is None:
        raise NotABackup(f"{source} holds no campaigns: it is of another program", hint=UNCHANGED)
    if not campaigns.documents and db.campaigns.find_one({}, {"_id": 1}):
        raise NotABackup(
            f"{source} holds no campaign, and this database does", hint=f"{UNCHANGED}; is it the right file?"
        )


def _expect_nobody(db: Db) -> None:
    """Raise LockHeld while a command that must not be disturbed holds a lease."""
    if db[QUEUE].find_one(_leased()):
        raise _worker_at_work()
    others = {"_id": {"$ne": restore_record.NAME}, "token": {"$ne": None}, **_after_now("$until")}
    if row := db[LOCKS].find_one(others):
        raise LockHeld(f"a run of `{row['_id']}` is at work", hint=f"{UNCHANGED}; wait for its end")


def _leased() -> dict[str, Any]:
    return {"lease_token": {"$ne": None}, **_after_now("$lease_expires_at")}


def _after_now(field: str) -> dict[str, Any]:
    return {"$expr": {"$gt": [field, "$$NOW"]}}


def _worker_at_work() -> LockHeld:
    return LockHeld("a worker is at work", hint=f"{UNCHANGED}; stop it, or wait for its end")


@contextmanager
def _undone_on_failure(db: Db, token: str, staged: str) -> Iterator[None]:
    """What cannot be undone now, since the database is away, is undone by the next command."""
    try:
        yield
    except BaseException:
        with suppress(PyMongoError, StoreError):
            _undo(db, token, staged)
        raise


def _pause(db: Db, token: str, staged: str) -> None:
    """Take the queue away, whole. Raises LockHeld when a worker has something from it."""
    restore_record.advance(db, token, Step.PAUSING)
    _rename(db, QUEUE, staged + PAUSED)
    if db[staged + PAUSED].find_one(_leased()):
        raise _worker_at_work()


def _undo(db: Db, token: str, staged: str) -> None:
    """Bring the queue back, and drop what was loaded. Can be repeated."""
    _rename(db, staged + PAUSED, QUEUE)
    for name in _loaded(db, staged):
        db.drop_collection(staged + name)
    restore_record.forget(db, token)


def _switch(db: Db, token: str, staged: str, absent: Iterable[str]) -> None:
    """Put every loaded collection in its place, the queue last. Can be repeated, and goes on where it stopped."""
    loaded = _loaded(db, staged)
    for name in absent:
        db.drop_collection(name)
    for name in sorted(loaded - {QUEUE, LOCKS, PAUSED}):
        _rename(db, staged + name, name)
    _put_locks(db, staged + LOCKS)
    _rename(db, staged + QUEUE, QUEUE)
    db.drop_collection(staged + PAUSED)
    restore_record.forget(db, token)


def _loaded(db: Db, staged: str) -> set[str]:
    names = db.list_collection_names(filter={"type": "collection"})
    return {name.removeprefix(staged) for name in names if name.startswith(staged)}


def _rename(db: Db, old: str, new: str) -> None:
    """Let a collection take the place of another; one that is not there has taken it already."""
    try:
        db[old].rename(new, dropTarget=True)
    except OperationFailure as error:
        if error.code != NO_SUCH_COLLECTION:
            raise


def _put_locks(db: Db, loaded: str) -> None:
    """The collection of locks holds the record of this restore, so its rows are put in one by one."""
    rows = list(db[loaded].find({"_id": {"$ne": restore_record.NAME}}))
    for row in rows:
        db[LOCKS].replace_one({"_id": row["_id"]}, row, upsert=True)
    if rows:
        kept = [restore_record.NAME, *(row["_id"] for row in rows)]
        db[LOCKS].delete_many({"_id": {"$nin": kept}})
        remember(db)
    db.drop_collection(loaded)
