"""Back up a database into one .tar.gz, check such a file, and restore it: all of it or nothing.

The archive has mongodump's layout, `DATABASE/COLLECTION.metadata.json` and `.bson`, and ends with a manifest of
counts and checksums. A restore loads every collection beside the present ones, under names that begin with
`restoring.`, and then renames them into place. Until all of it is loaded a failed or killed restore is rolled
back, from then on it is completed: by itself, or by the next command (`end_interrupted`). A record in the
database says which of both.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import secrets
import socket
import tarfile
import tempfile
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO
from urllib.parse import quote, unquote

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.errors import DuplicateKeyError, OperationFailure, PyMongoError

from socap_cli import __version__
from socap_cli.errors import LockHeld, NotABackup, StoreError
from socap_cli.files import STDIN, display_name, open_stdin
from socap_cli.store.connect import (
    INDEXES,
    RESTORE_RECORD,
    RESTORING,
    Db,
    heartbeat,
    remember_indexes,
    translate_error,
)  # fmt: skip

FORMAT, MANIFEST = "socap backup 1", "socap-backup.json"
DATA, METADATA = ".bson", ".metadata.json"
# Written against the flow of data: what says that something was stored is read before it, so a backup that is
# taken while workers run may hold more than it says, never less.
FIRST, LAST = ("worker_state", "jobs"), ("engagements", "alert_queue", "alert_history")

RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
# Dates that Python cannot represent are valid BSON.
LENIENT: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
COLLECTION_NAME = re.compile(r"(?!system\.)[^$\x00-\x1f\x7f.][^$\x00-\x1f\x7f]{0,199}")
MONGODUMP_SAFE = "$&+=:@-_.~"

MEBIBYTE = 1024**2
LARGEST_JSON = 16 * MEBIBYTE
IDS_COMPARED = 500_000  # the server compares the rest when they are loaded
BATCH = 500

UNCHANGED = "nothing was changed"
QUEUE, QUEUE_ASIDE = "jobs", "(paused)"
LEASE = 60.0
UNTIL = {"$add": ["$$NOW", int(LEASE * 1000)]}
NO_SUCH_COLLECTION = 26

Load = Callable[[str, dict[str, Any], Iterable[RawBSONDocument]], object]
"""Takes a collection: its name, its options and indexes as the server described them, its documents."""


@dataclass(frozen=True, slots=True)
class Entry:
    documents: int
    bytes: int
    sha256: str
    metadata_sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    database: str
    created_at: str
    program: str
    collections: dict[str, Entry]

    @property
    def documents(self) -> int:
        return sum(entry.documents for entry in self.collections.values())


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore loaded, and the collections it left alone: neither socap's nor in the backup."""

    manifest: Manifest
    left: tuple[str, ...]


def write(db: Db, stream: BinaryIO, *, now: datetime) -> Manifest:
    """Write all collections. Raises StoreError, and what the stream raises."""
    entries: dict[str, Entry] = {}
    with (
        gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=int(now.timestamp())) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as archive,
    ):

        def add(path: str, content: IO[bytes]) -> None:
            member = tarfile.TarInfo(path)
            member.size, member.mode, member.mtime = content.seek(0, io.SEEK_END), 0o600, int(now.timestamp())
            content.seek(0)
            archive.addfile(member, content)

        for collection in _plain_collections(db):
            name, info = collection["name"], collection.get("info", {})
            described = {
                "options": collection.get("options", {}),
                "indexes": [dict(index) for index in db[name].list_indexes()],
                "uuid": info["uuid"].hex() if "uuid" in info else "",
                "collectionName": name,
                "type": "collection",
            }
            metadata = json_util.dumps(described, json_options=json_util.CANONICAL_JSON_OPTIONS).encode()
            add(_path(db.name, name, METADATA), io.BytesIO(metadata))
            with tempfile.SpooledTemporaryFile(max_size=8 * MEBIBYTE) as spool:  # tar needs the size first
                digest, count = hashlib.sha256(), 0
                documents: Iterable[Any] = db.get_collection(name, codec_options=RAW).find()
                for count, document in enumerate(documents, start=1):  # noqa: B007
                    spool.write(document.raw)
                    digest.update(document.raw)
                size = spool.tell()
                add(_path(db.name, name, DATA), spool)
            entries[name] = Entry(count, size, digest.hexdigest(), hashlib.sha256(metadata).hexdigest())
        manifest = Manifest(db.name, now.isoformat(timespec="seconds"), __version__, entries)
        tree = {"format": FORMAT, **asdict(manifest)}
        sealed = json.dumps({**tree, "checksum": checksum(tree)}, indent=1).encode()
        add(MANIFEST, io.BytesIO(sealed))
    return manifest


def check(source: str) -> Manifest:
    """Read a backup to its end, `-` for stdin, without a database. Raises NotABackup, and StoreError."""
    return _read(source, lambda _name, _metadata, documents: deque(documents, maxlen=0))


def restore(db: Db, source: str) -> Restored:
    """Replace the database by a backup.

    Raises NotABackup, LockHeld while a worker or another command is running, and StoreError. The database is as
    it was then.
    """
    with _restoring(db) as (token, prefix):
        try:
            _expect_idle(db, QUEUE)
            manifest = _read(source, lambda *collection: _load(db, prefix, *collection))
            _expect_a_database(source, manifest, db)
            missing = INDEXES.keys() - manifest.collections.keys()
            for name in missing:
                if INDEXES[name]:
                    _create(db, prefix, name, {})
            # Without a queue no worker claims anything more; one that holds a lease now ends the restore.
            _rename(db, QUEUE, prefix + QUEUE_ASIDE)
            _expect_idle(db, prefix + QUEUE_ASIDE)
            dropped = sorted(name for name in missing if not INDEXES[name])
            _extend(db, token, dropped=dropped)
        except BaseException:
            with suppress(PyMongoError, StoreError):  # while it is unreachable, the next command does it
                _roll_back(db, token, prefix)
            raise
        _switch(db, token, prefix, dropped)
    names = {collection["name"] for collection in _plain_collections(db)}
    return Restored(manifest, tuple(sorted(names - INDEXES.keys() - manifest.collections.keys())))


def end_interrupted(db: Db) -> str | None:
    """Roll back or complete a restore whose process died, and say which. Raises LockHeld while one runs."""
    rows = db[RESTORE_RECORD].aggregate([{"$set": {"live": {"$gt": ["$until", "$$NOW"]}}}])
    row = next(iter(rows), None)
    if row is None:
        return None
    if row["live"] and not (row["host"] == socket.gethostname() and _is_dead(row["pid"])):
        raise LockHeld("a restore is running", hint="wait until it ends")
    token = secrets.token_hex(8)
    if not _extend(db, row["token"], token=token, **_process()):
        raise LockHeld("another command is cleaning up after an interrupted restore", hint="try again")
    if row["dropped"] is not None:
        _switch(db, token, row["prefix"], row["dropped"])
        return "completed an interrupted restore"
    _roll_back(db, token, row["prefix"])
    return "rolled back an interrupted restore; the database is as it was before"


# Reading


def _read(source: str, load: Load) -> Manifest:
    """Read a backup to its end; `load` consumes each collection. Raises NotABackup and StoreError with its name."""
    name = display_name(source)
    try:
        with (
            open_stdin() if source == STDIN else Path(source).open("rb") as stream,
            gzip.GzipFile(fileobj=stream) as unpacked,
            tarfile.open(fileobj=unpacked, mode="r|") as archive,
        ):
            manifest = _read_members(archive, load)
            _expect_end(archive, unpacked)
            return manifest
    except NotABackup as error:
        reason = error.message
    except gzip.BadGzipFile:
        reason = "it is not a .tar.gz file, or its compressed data is damaged"
    except (tarfile.TarError, EOFError, zlib.error) as error:
        reason = f"it is damaged or cut off: {error}"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"cannot read {name}: {reason}", hint=UNCHANGED) from None
    raise NotABackup(f"{name} is not a backup that can be restored: {reason}", hint=UNCHANGED)


def _read_members(archive: tarfile.TarFile, load: Load) -> Manifest:
    entries: dict[str, Entry] = {}
    database = ""
    while (member := archive.next()) is not None and member.name != MANIFEST:
        folder, _, file = member.name.partition("/")
        name = unquote(file.removesuffix(METADATA))
        database = database or folder
        if member.name != _path(database, name, METADATA) or not COLLECTION_NAME.fullmatch(name):
            raise NotABackup(f"unexpected member {member.name[:80]!r}")
        if name in entries:
            raise NotABackup(f"{name} occurs twice")
        text = _file(archive, member, largest=LARGEST_JSON).read()
        try:
            metadata: dict[str, Any] = json_util.loads(text.decode("utf-8"))
            if metadata["collectionName"] != name or not all(
                i["key"] and i["name"] for i in metadata["indexes"]
            ):
                raise NotABackup(f"the metadata of {name} belongs to another collection")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BSONError):
            raise NotABackup(f"the metadata of {name} cannot be parsed") from None
        member = archive.next()
        if member is None or member.name != _path(database, name, DATA):
            raise NotABackup(f"the documents of {name} are missing or out of order")
        documents = _Documents(_file(archive, member), name)
        load(name, metadata, documents)
        entries[name] = documents.entry(hashlib.sha256(text).hexdigest())
    if member is None:
        raise NotABackup("its end is missing")
    manifest = _parse_manifest(_file(archive, member, largest=LARGEST_JSON).read())
    for name in sorted(manifest.collections.keys() | entries.keys()):
        if manifest.collections.get(name) != entries.get(name):
            raise NotABackup(f"{name} is not what it was when the backup was made")
    if database not in ("", manifest.database):
        raise NotABackup("its manifest is that of another database")
    return manifest


class _Documents:
    """The documents of one collection; each is valid BSON with an _id of its own. Raises NotABackup while read."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name = file, name
        self._count = self._bytes = 0
        self._digest = hashlib.sha256()

    def __iter__(self) -> Iterator[RawBSONDocument]:
        ids: set[bytes] = set()
        rows = bson.decode_file_iter(self._file, RAW)
        while True:
            place = f"document {self._count + 1} of {self._name}"
            try:
                if (row := next(rows, None)) is None:
                    return
                tree = bson.decode(row.raw, LENIENT)
                key = bson.encode({"": tree["_id"]}, codec_options=LENIENT)
            except (BSONError, ValueError, OverflowError, RecursionError) as error:
                raise NotABackup(f"{place} is not valid BSON: {error}") from None
            except KeyError:
                raise NotABackup(f"{place} has no _id") from None
            mark = hashlib.blake2b(key, digest_size=16).digest()
            if mark in ids:
                raise NotABackup(f"{place} has the _id of another one")
            if len(ids) < IDS_COMPARED:
                ids.add(mark)
            self._count += 1
            self._bytes += len(row.raw)
            self._digest.update(row.raw)
            yield row

    def entry(self, metadata_sha256: str) -> Entry:
        return Entry(self._count, self._bytes, self._digest.hexdigest(), metadata_sha256)


def _expect_end(archive: tarfile.TarFile, unpacked: gzip.GzipFile) -> None:
    """Raise NotABackup when anything but padding follows; reading on also verifies the gzip checksum."""
    if archive.next() is not None or any(unpacked.read(MEBIBYTE)) or unpacked.read(1):
        raise NotABackup("something follows its end")


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo, *, largest: int | None = None) -> IO[bytes]:
    file = archive.extractfile(member) if member.isreg() else None
    if file is None or (largest and member.size > largest):
        raise NotABackup(f"{member.name[:80]!r} is not a regular file, or is too large")
    return file


def _parse_manifest(text: bytes) -> Manifest:
    try:
        tree = json.loads(text)
        if tree.pop("checksum") != checksum(tree):
            raise NotABackup("its manifest is damaged")
        if (form := tree.pop("format")) != FORMAT:
            raise NotABackup(f"unknown format {form!r}")
        entries = {name: Entry(**entry) for name, entry in tree.pop("collections").items()}
        return Manifest(**tree, collections=entries)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NotABackup("its manifest cannot be parsed") from None


def checksum(tree: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def _path(database: str, collection: str, kind: str) -> str:
    return f"{database}/{quote(collection, safe=MONGODUMP_SAFE)}{kind}"


def _plain_collections(db: Db) -> list[dict[str, Any]]:
    """In the order of a backup, without views and the server's own."""
    rows = db.list_collections(filter={"type": "collection"})
    plain = {row["name"]: dict(row) for row in rows if not row["name"].startswith(("system.", RESTORING))}
    middle = sorted(plain.keys() - {*FIRST, *LAST})
    return [plain[name] for name in (*FIRST, *middle, *LAST) if name in plain]


# Loading


def _load(
    db: Db, prefix: str, name: str, metadata: dict[str, Any], documents: Iterable[RawBSONDocument]
) -> None:
    _create(db, prefix, name, metadata)
    collection = db.get_collection(prefix + name, codec_options=RAW)
    bypass = "validator" in metadata.get(
        "options", ()
    )  # only then, since it needs a role of its own (dbAdmin)
    rows = iter(documents)
    while batch := list(islice(rows, BATCH)):
        with _refusals(name):
            collection.insert_many(batch, bypass_document_validation=bypass)


def _create(db: Db, prefix: str, name: str, metadata: dict[str, Any]) -> None:
    """Create a collection with its indexes. Of two with the same name or keys, ours is made."""
    options = metadata.get("options") or {}
    if options.keys() & {"viewOn", "timeseries"}:
        raise NotABackup(f"{name} is not a plain collection")
    collection = db[prefix + name]
    with _refusals(name):
        db.command({"create": collection.name, **options})
        if ours := INDEXES.get(name):
            collection.create_indexes(list(ours))
        present = [mark for index in collection.list_indexes() for mark in _identity(index)]
        theirs = [
            index for index in metadata.get("indexes", ()) if not any(m in present for m in _identity(index))
        ]
        if theirs:
            db.command({"createIndexes": collection.name, "indexes": theirs})


def _identity(index: Mapping[str, Any]) -> tuple[object, object]:
    return index["name"], list(index["key"].items())


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """What the database does not accept is the backup's fault, unless the database or this user's rights are."""
    try:
        yield
    except (PyMongoError, BSONError, ValueError, TypeError, OverflowError) as error:
        known = translate_error(error)
        if known is not None and type(known) is not StoreError:
            raise
        raise NotABackup(f"the database does not accept {name}: {known or error}") from error


def _expect_a_database(source: str, manifest: Manifest, db: Db) -> None:
    """Raise NotABackup for a backup that would leave less than a database of socap."""
    campaigns = manifest.collections.get("campaigns")
    name = display_name(source)
    if campaigns is None:
        raise NotABackup(f"{name} has no campaigns collection: it is of another program", hint=UNCHANGED)
    if not campaigns.documents and db.campaigns.find_one({}, {"_id": 1}):
        raise NotABackup(
            f"{name} holds no campaigns, and this database does",
            hint=f"{UNCHANGED}; check that this is the file you meant",
        )


def _expect_idle(db: Db, queue: str) -> None:
    """Raise LockHeld while anybody holds a lease, whose outcome would be written into another database."""
    held, is_leased = {"$ne": None}, {"$expr": {"$gt": ["$lease_expires_at", "$$NOW"]}}
    running = ""
    if row := db.locks.find_one({"token": held, "$expr": {"$gt": ["$until", "$$NOW"]}}):
        running = f"`socap {row['_id']}`"
    elif db.alert_messages.find_one({"status": "sending", **is_leased}, {"_id": 1}):
        running = "`socap alerts send`"
    elif db[queue].find_one({"lease_token": held, **is_leased}, {"_id": 1}):
        running = "a worker"
    if running:
        raise LockHeld(f"{running} is running", hint=f"{UNCHANGED}; stop it, or wait until it ends")


# Switching, and its record


@contextmanager
def _restoring(db: Db) -> Iterator[tuple[str, str]]:
    """Write the record of a restore, and keep its lease. Raises LockHeld when there is one already."""
    token = secrets.token_hex(8)
    prefix = f"{RESTORING}{token}."
    mine = {"_id": "restore", "token": token}
    row = {"prefix": prefix, "dropped": None, "until": UNTIL, **_process()}
    try:
        db[RESTORE_RECORD].update_one(mine, [{"$set": row}], upsert=True)
    except DuplicateKeyError:
        raise LockHeld("another restore is running", hint="wait until it ends") from None
    for name in db.list_collection_names():  # what a restore left that was rolled back while it was stalled
        if name.startswith(RESTORING) and name != RESTORE_RECORD:
            db.drop_collection(name)
    beat = [{"$set": {"until": UNTIL}}]
    with heartbeat(lambda: db[RESTORE_RECORD].update_one(mine, beat), every=LEASE / 6):
        yield token, prefix


def _process() -> dict[str, Any]:
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _is_dead(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


def _extend(db: Db, holder: str, **fields: Any) -> bool:
    """Change the record; False when somebody else took it over. Raises LockHeld then if this is the restore itself."""
    mine = {"_id": "restore", "token": holder}
    changed = db[RESTORE_RECORD].update_one(mine, [{"$set": {"until": UNTIL, **fields}}]).matched_count
    if not changed and "token" not in fields:
        raise LockHeld("the restore timed out and was rolled back", hint="run it again")
    return bool(changed)


def _roll_back(db: Db, token: str, prefix: str) -> None:
    """Bring the queue back, and drop what was loaded. Can be repeated."""
    _rename(db, prefix + QUEUE_ASIDE, QUEUE)
    for name in _loaded(db, prefix):
        db.drop_collection(prefix + name)
    _forget(db, token)


def _switch(db: Db, token: str, prefix: str, dropped: Iterable[str]) -> None:
    """Put every loaded collection in its place, the queue last. Can be repeated."""
    for name in dropped:
        db.drop_collection(name)
    for name in sorted(_loaded(db, prefix) - {QUEUE, QUEUE_ASIDE}):
        _rename(db, prefix + name, name)
    remember_indexes(db)
    db.locks.update_one({"_id": "restored"}, [{"$set": {"at": "$$NOW"}}], upsert=True)
    _rename(db, prefix + QUEUE, QUEUE)
    db.drop_collection(prefix + QUEUE_ASIDE)
    _forget(db, token)


def _loaded(db: Db, prefix: str) -> set[str]:
    names = db.list_collection_names(filter={"type": "collection"})
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def _rename(db: Db, old: str, new: str) -> None:
    """Put a collection in the place of another. One that is not there was renamed before."""
    try:
        db[old].rename(new, dropTarget=True)
    except OperationFailure as error:
        if error.code != NO_SUCH_COLLECTION:
            raise


def _forget(db: Db, token: str) -> None:
    if db[RESTORE_RECORD].find_one({"token": token}):
        db.drop_collection(RESTORE_RECORD)
