"""Write a backup, and check one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import stat
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import bson
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure, PyMongoError

from socap_cli import __version__
from socap_cli.errors import LockHeld, NotABackup, StoreError
from socap_cli.files import STDIN, display_name, open_stdin
from socap_cli.store import indexes
from socap_cli.store.connect import Db, translate_error
from socap_cli.store.indexes import INDEXES, Step, remember

RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)


STAGED = "restoring."
"""How the names of collections begin that a restore has not put in place."""


FIRST = ("worker_state", "jobs")


LAST = ("engagements", "alert_queue", "alert_history")
"""Written against the flow: what says that something was stored is read before it, so that a backup under running
workers may hold more than it says, and never less."""


IN_MEMORY = 8 * 1024**2
"""Bytes of one collection; a larger one waits in a temporary file, as tar wants its size first."""


FORMAT = "socap backup 1"


MANIFEST = "socap-backup.json"


DATA, METADATA = ".bson", ".metadata.json"


COLLECTION_NAME = re.compile(r"(?!system\.)[^$\x00-\x1f\x7f.][^$\x00-\x1f\x7f]{0,199}")


GO_SAFE = "$&+=:@-_.~"
"""What mongodump leaves as it is in a file's name."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One collection of a backup."""

    documents: int
    bytes: int
    sha256: str
    metadata_sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    database: str
    created_at: str
    program: str
    collections: dict[str, Entry] = field(default_factory=dict)

    @property
    def documents(self) -> int:
        """In all collections."""
        return sum(entry.documents for entry in self.collections.values())

    def to_bytes(self) -> bytes:
        """As JSON, with a checksum over itself."""
        tree = {"format": FORMAT, **asdict(self)}
        return json.dumps({**tree, "checksum": _checksum(tree)}, indent=1).encode()


@dataclass(frozen=True, slots=True)
class Metadata:
    """How a collection was made, and its indexes as the server describes them."""

    options: dict[str, Any]
    indexes: list[dict[str, Any]]

    def to_bytes(self, name: str, uuid: str) -> bytes:
        """As mongodump writes it."""
        tree = {
            "options": self.options, "indexes": self.indexes, "uuid": uuid, "collectionName": name,
            "type": "collection",
        }  # fmt: skip
        return json_util.dumps(tree, json_options=json_util.CANONICAL_JSON_OPTIONS).encode()


LARGEST_DOCUMENT = 16 * 1024**2 + 16 * 1024
"""Bytes; what a server takes, with what it keeps for its own commands."""


IDS_REMEMBERED = 500_000
"""Document ids of one collection that are compared here; the database compares all when they are loaded."""


LENIENT: CodecOptions[Any] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
"""Dates that Python cannot hold are no damage."""


class Sink:
    """Takes what is read of a backup, in its order. This one takes nothing: the backup is only checked."""

    def begin(self, name: str, metadata: Metadata) -> None:
        """A collection begins."""

    def document(self, raw: bytes) -> None:
        """One of its documents, valid BSON."""

    def end(self) -> None:
        """The collection is whole."""


class _Reader:
    """Judges the members, and gives them to the sink."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._found: dict[str, Entry] = {}
        self._metadata: dict[str, str] = {}
        self._database: str | None = None
        self._manifest: Manifest | None = None

    def take(self, name: str, member: Member) -> None:
        """Read the next file. Raises NotABackup."""
        if self._manifest is not None:
            raise NotABackup(f"{name[:80]!r} follows its end")
        if name == MANIFEST:
            self._manifest = read_manifest(member.text())
        elif name.endswith(METADATA):
            self._begin(self._collection(name, METADATA), member)
        elif name.endswith(DATA):
            self._documents(self._collection(name, DATA), member)
        else:
            raise NotABackup(f"{name[:80]!r} does not belong into a backup")

    def manifest(self) -> Manifest:
        """What the backup says that it holds, which is what was read. Raises NotABackup."""
        manifest = self._manifest
        if manifest is None:
            raise NotABackup("its end is missing")
        for name in sorted(manifest.collections.keys() | self._found.keys() | self._metadata.keys()):
            if manifest.collections.get(name) != self._found.get(name):
                raise NotABackup(f"{name} is not what it was when the backup was made")
        if self._database not in (None, manifest.database):
            raise NotABackup("its manifest is that of another database")
        return manifest

    def _collection(self, path: str, kind: str) -> str:
        database, collection = collection_of(path, kind)
        self._database = self._database or database
        if database != self._database:
            raise NotABackup("it holds more than one database")
        return collection

    def _begin(self, name: str, member: Member) -> None:
        if name in self._metadata:
            raise NotABackup(f"{name} is in it twice")
        metadata = read_metadata(member.text(), name)
        self._metadata[name] = member.sha256
        self._sink.begin(name, metadata)

    def _documents(self, name: str, member: Member) -> None:
        if name in self._found or [*self._metadata][-1:] != [name]:
            raise NotABackup(f"the documents of {name} stand at a wrong place")
        seen: set[bytes] = set()
        count = 0
        for count, raw in enumerate(_split(member), start=1):
            self._judge(raw, f"document {count} of {name}", seen)
            self._sink.document(raw)
        self._sink.end()
        self._found[name] = Entry(count, member.size, member.sha256, self._metadata[name])

    @staticmethod
    def _judge(raw: bytes, place: str, seen: set[bytes]) -> None:
        """Raise NotABackup for a document that is no valid BSON, has no id, or the id of another one."""
        try:
            tree = bson.decode(raw, LENIENT)
            key = bson.encode({"": tree["_id"]}, codec_options=LENIENT)
        except (BSONError, ValueError, OverflowError, RecursionError) as error:
            raise NotABackup(f"{place} is no valid document: {error}") from None
        except KeyError:
            raise NotABackup(f"{place} has no _id") from None
        mark = hashlib.blake2b(key, digest_size=16).digest()
        if mark in seen:
            raise NotABackup(f"{place} has the _id of another one")
        if len(seen) < IDS_REMEMBERED:
            seen.add(mark)


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


BATCH_DOCUMENTS, BATCH_BYTES = 1000, 8 * 1024**2


OPTIONS = frozenset(
    {"capped", "size", "max", "validator", "validationLevel", "validationAction", "collation", "storageEngine",
     "changeStreamPreAndPostImages", "indexOptionDefaults"}
)  # fmt: skip
"""What a plain collection may have been made with."""


class Loading(Sink):
    """Loads what is read under names of its own."""

    def __init__(self, db: Db, staged: str) -> None:
        self._db = db
        self._prefix = staged
        self._waiting: list[RawBSONDocument] = []
        self._bytes = 0
        self._name = ""
        self._made: set[str] = set()

    def begin(self, name: str, metadata: Metadata) -> None:
        """Make the collection, and remember what indexes it had."""
        self._name = name
        self._make(name, metadata)

    def document(self, raw: bytes) -> None:
        """Keep it until there are enough for one write."""
        self._waiting.append(RawBSONDocument(raw))
        self._bytes += len(raw)
        if len(self._waiting) >= BATCH_DOCUMENTS or self._bytes >= BATCH_BYTES:
            self.end()

    def end(self) -> None:
        """Write what waits. Raises NotABackup for what the database does not take."""
        if self._waiting:
            with _refusals(self._name):
                self._db.get_collection(self._prefix + self._name, codec_options=RAW).insert_many(
                    self._waiting, bypass_document_validation=True
                )
        self._waiting, self._bytes = [], 0

    def complete(self) -> tuple[str, ...]:
        """Make the collections of this program that the backup lacks and that have indexes; return the others."""
        missing = INDEXES.keys() - self._made
        for name in missing:
            if INDEXES[name]:
                self._make(name, Metadata({}, []))
        return tuple(sorted(name for name in missing if not INDEXES[name]))

    def _make(self, name: str, metadata: Metadata) -> None:
        """Make a collection with its indexes; of two of one name, or with the same keys, ours is made."""
        if foreign := metadata.options.keys() - OPTIONS:
            raise NotABackup(f"{name} is no plain collection: {', '.join(sorted(foreign))[:80]}")
        self._made.add(name)
        collection = self._db[self._prefix + name]
        with _refusals(name):
            self._db.command({"create": collection.name, **metadata.options})
            if ours := [index.model() for index in INDEXES.get(name, ())]:
                collection.create_indexes(ours)
            taken = {mark for index in collection.list_indexes() for mark in _marks(index)}
            theirs = [index for index in metadata.indexes if not taken & _marks(index)]
            if theirs:
                self._db.command({"createIndexes": collection.name, "indexes": theirs})


BLOCK = 512


LARGEST_TEXT = 16 * 1024**2
"""Bytes."""


LONGEST_PADDING = 1024**2


CHUNK = 1024**2


class Member:
    """One file in the tar stream, and the checksum of what was read of it."""

    def __init__(self, stream: gzip.GzipFile, size: int) -> None:
        if size < 0:
            raise NotABackup("a file in it has a size below nothing")
        self._stream = stream
        self._left = size
        self.size = size
        self._sum = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """So many bytes. Raises NotABackup when there are not as many."""
        if size > self._left:
            raise NotABackup("a document goes on after its file")
        data = _exactly(self._stream, size)
        self._left -= size
        self._sum.update(data)
        return data

    def text(self) -> bytes:
        """All of it. Raises NotABackup when that is too much for a text."""
        if self.size > LARGEST_TEXT:
            raise NotABackup("a text in it is too long")
        return self.read(self._left)

    @property
    def left(self) -> int:
        """Bytes that are still to be read."""
        return self._left

    def finish(self) -> None:
        """Go to the next header. Raises NotABackup when something was left unread."""
        if self._left:
            raise NotABackup("a file in it is longer than it should be")
        _exactly(self._stream, -self.size % BLOCK)

    @property
    def sha256(self) -> str:
        """Of all that was read, in hexadecimal."""
        return self._sum.hexdigest()


def write(db: Db, stream: BinaryIO, *, now: datetime) -> Manifest:
    """Write all collections; return what was written. Raises StoreError, and what the stream raises."""
    entries: dict[str, Entry] = {}
    with (
        gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=int(now.timestamp())) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.GNU_FORMAT) as archive,
    ):
        for found in plain_collections(db):
            entries[found["name"]] = _add_collection(archive, db, found, now)
        manifest = Manifest(db.name, now.isoformat(timespec="seconds"), __version__, entries)
        _add(archive, MANIFEST, io.BytesIO(manifest.to_bytes()), now)
    return manifest


def check(source: str) -> Manifest:
    """Read a backup to its end, `-` for stdin; return what it holds. Raises NotABackup, and StoreError."""
    with opened(source) as stream:
        return judged(source, stream, Sink())


@contextmanager
def opened(source: str) -> Iterator[BinaryIO]:
    """Yield a backup's file; what can be read only once is kept in a temporary file. Raises StoreError."""
    name = display_name(source)
    try:
        given = open_stdin() if source == STDIN else Path(source).open("rb")  # noqa: SIM115
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from None
    with given:
        if stat.S_ISREG(os.fstat(given.fileno()).st_mode):
            yield given
            return
        with _temporary_file() as kept:
            shutil.copyfileobj(given, kept, 1 << 20)
            yield kept


def judged(source: str, stream: BinaryIO, sink: Sink) -> Manifest:
    """Read a backup from its beginning. Raises NotABackup that names the file."""
    name = display_name(source)
    try:
        stream.seek(0)
        return read(stream, sink)
    except NotABackup as error:
        raise NotABackup(
            f"{name} is no backup that can be restored: {error}", hint="nothing was changed"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot read {name}: {error.strerror}", hint="nothing was changed") from None


def plain_collections(db: Db) -> list[dict[str, Any]]:
    """Every plain collection, in the order in which they are to be read. Views and the server's own are left out."""
    found = db.list_collections(filter={"type": "collection"})
    plain = {row["name"]: dict(row) for row in found if not row["name"].startswith(("system.", STAGED))}
    middle = sorted(plain.keys() - {*FIRST, *LAST})
    return [plain[name] for name in (*FIRST, *middle, *LAST) if name in plain]


def _add_collection(archive: tarfile.TarFile, db: Db, found: Mapping[str, Any], now: datetime) -> Entry:
    name = found["name"]
    indexes = [dict(index) for index in db[name].list_indexes()]
    uuid = found["info"]["uuid"].hex() if "uuid" in found.get("info", {}) else ""
    metadata = Metadata(dict(found.get("options", {})), indexes).to_bytes(name, uuid)
    _add(archive, file_name(db.name, name, METADATA), io.BytesIO(metadata), now)
    with _temporary_file() as spool:
        digest, count = hashlib.sha256(), 0
        documents: Iterable[Any] = db.get_collection(name, codec_options=RAW).find()
        for document in documents:
            spool.write(document.raw)
            digest.update(document.raw)
            count += 1
        size = spool.tell()
        _add(archive, file_name(db.name, name, DATA), spool, now)
    return Entry(count, size, digest.hexdigest(), hashlib.sha256(metadata).hexdigest())


def _add(archive: tarfile.TarFile, name: str, content: BinaryIO, now: datetime) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = content.seek(0, io.SEEK_END), 0o600, int(now.timestamp())
    content.seek(0)
    archive.addfile(entry, content)


@contextmanager
def _temporary_file() -> Iterator[BinaryIO]:
    """Yield a file that is in memory while it is small. Raises StoreError when there is no room for it."""
    try:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY) as file:
            yield file  # type: ignore[misc]
    except OSError as error:
        raise StoreError(
            f"cannot write a temporary file: {error.strerror}",
            hint="make room, or name another folder with TMPDIR",
        ) from error


def file_name(database: str, collection: str, kind: str) -> str:
    """Where a collection's file stands in a backup."""
    return f"{database}/{quote(collection, safe=GO_SAFE)}{kind}"


def collection_of(path: str, kind: str) -> tuple[str, str]:
    """The database and the collection whose file this is. Raises NotABackup."""
    database, _, file = path.partition("/")
    collection = unquote(file.removesuffix(kind))
    if not database or "/" in file or not COLLECTION_NAME.fullmatch(collection):
        raise NotABackup(f"{path[:80]!r} is no collection of it")
    return database, collection


def _checksum(tree: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def read_manifest(text: bytes) -> Manifest:
    try:
        tree = json.loads(text)
        checksum = tree.pop("checksum")
        if checksum != _checksum(tree):
            raise NotABackup("its manifest is damaged")
        if (form := tree.pop("format")) != FORMAT:
            raise NotABackup(f"it is of another form: {form!r}")
        entries = {name: Entry(**entry) for name, entry in tree.pop("collections").items()}
        return Manifest(**tree, collections=entries)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise NotABackup("its manifest cannot be read") from None


def read_metadata(text: bytes, name: str) -> Metadata:
    try:
        tree = json_util.loads(text.decode("utf-8"))
        metadata = Metadata(dict(tree.get("options") or {}), [dict(index) for index in tree["indexes"]])
        if tree["collectionName"] != name or any(not i["key"] or not i["name"] for i in metadata.indexes):
            raise NotABackup(f"the metadata of {name} are of another collection")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, BSONError):
        raise NotABackup(f"the metadata of {name} cannot be read") from None
    return metadata


def read(stream: BinaryIO, sink: Sink) -> Manifest:
    """Read a backup to its end; return its manifest. Raises NotABackup, with the place and what is wrong there."""
    reader = _Reader(sink)
    with members(stream) as found:
        for name, member in found:
            reader.take(name, member)
    return reader.manifest()


def _split(member: Member) -> Iterator[bytes]:
    """The documents that stand in a file one behind the other. Raises NotABackup."""
    while member.left:
        head = member.read(4)
        size = int.from_bytes(head, "little", signed=True)
        if not 5 <= size <= LARGEST_DOCUMENT:
            raise NotABackup(f"a document claims to have {size} bytes")
        yield head + member.read(size - 4)


def restore(db: Db, source: str) -> Restored:
    """Replace the database by a backup, whole or not at all.

    The file is read to its end once before the database is asked anything. Raises NotABackup, LockHeld when a
    worker or another command is at work, and StoreError; the database is as it was then.
    """
    with opened(source) as stream:
        _expect_a_database(source, judged(source, stream, Sink()), db)
        staged = f"{STAGED}{secrets.token_hex(4)}."
        with indexes.held(db, staged) as token:
            with _undone_on_failure(db, token, staged):
                _expect_nobody(db)
                loading = Loading(db, staged)
                manifest = judged(source, stream, loading)
                absent = set(loading.complete()) - {LOCKS}
                _pause(db, token, staged)
                indexes.advance(db, token, Step.SWITCHING, absent=absent)
            _switch(db, token, staged, absent)
    left = {row["name"] for row in plain_collections(db)} - INDEXES.keys() - manifest.collections.keys()
    return Restored(manifest, tuple(sorted(left)))


def end_interrupted(db: Db) -> str | None:
    """Undo or complete a restore whose process is gone; return what was done. Raises LockHeld while one runs."""
    record = indexes.find(db)
    if record is None:
        return None
    if not indexes.is_abandoned(record):
        raise LockHeld("a restore is under way", hint="wait for its end")
    token = indexes.take_over(db, record)
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
    others = {"_id": {"$ne": indexes.RESTORE_ID}, "token": {"$ne": None}, **_after_now("$until")}
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
    indexes.advance(db, token, Step.PAUSING)
    _rename(db, QUEUE, staged + PAUSED)
    if db[staged + PAUSED].find_one(_leased()):
        raise _worker_at_work()


def _undo(db: Db, token: str, staged: str) -> None:
    """Bring the queue back, and drop what was loaded. Can be repeated."""
    _rename(db, staged + PAUSED, QUEUE)
    for name in _loaded(db, staged):
        db.drop_collection(staged + name)
    indexes.forget(db, token)


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
    indexes.forget(db, token)


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
    rows = list(db[loaded].find({"_id": {"$ne": indexes.RESTORE_ID}}))
    for row in rows:
        db[LOCKS].replace_one({"_id": row["_id"]}, row, upsert=True)
    if rows:
        kept = [indexes.RESTORE_ID, *(row["_id"] for row in rows)]
        db[LOCKS].delete_many({"_id": {"$nin": kept}})
        remember(db)
    db.drop_collection(loaded)


def _marks(index: Mapping[str, Any]) -> set[str]:
    """What no two indexes of a collection may share, or need not: the name, the keys."""
    return {index["name"], repr(list(index["key"].items()))}


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """What the database does not take of a backup is the backup's fault, unless the database is away."""
    try:
        yield
    except (PyMongoError, BSONError, ValueError, TypeError, OverflowError) as error:
        known = translate_error(error)
        if known is not None and type(known) is not StoreError:
            raise
        raise NotABackup(f"the database does not take {name}: {known or error}") from error


@contextmanager
def members(stream: BinaryIO) -> Iterator[Iterator[tuple[str, Member]]]:
    """Yield the members of a tar.gz with their names; each is read before the next.

    Raises NotABackup for what is no such file, is damaged or cut, or goes on after its end.
    """
    with gzip.GzipFile(fileobj=stream, mode="rb") as unpacked:
        try:
            yield _members(unpacked)
        except gzip.BadGzipFile:
            raise NotABackup("it is no .tar.gz, or its compressed data are damaged") from None
        except (EOFError, zlib.error) as error:
            raise NotABackup(f"its compressed data are damaged: {error}") from None


def _members(stream: gzip.GzipFile) -> Iterator[tuple[str, Member]]:
    long_name = None
    while (header := _header(stream)) is not None:
        member = Member(stream, header.size)
        if header.type == tarfile.GNUTYPE_LONGNAME:
            long_name = member.text().rstrip(b"\0").decode("utf-8", "replace")
        elif header.type in (tarfile.REGTYPE, tarfile.AREGTYPE):
            yield long_name or header.name, member
            long_name = None
        else:
            raise NotABackup(f"{header.name[:80]!r} is no plain file")
        member.finish()
    _expect_end(stream)


def _header(stream: gzip.GzipFile) -> tarfile.TarInfo | None:
    """The next header; None at the end."""
    block = _exactly(stream, BLOCK)
    if not any(block):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except (tarfile.TarError, ValueError) as error:
        raise NotABackup(f"it is no tar archive, or damaged: {error}") from None


def _expect_end(stream: gzip.GzipFile) -> None:
    padding = 0
    while chunk := stream.read(CHUNK):
        padding += len(chunk)
        if any(chunk) or padding > LONGEST_PADDING:
            raise NotABackup("something follows its end")


def _exactly(stream: gzip.GzipFile, size: int) -> bytes:
    parts = []
    while size:
        part = stream.read(min(size, CHUNK))
        if not part:
            raise NotABackup("it is cut off")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
