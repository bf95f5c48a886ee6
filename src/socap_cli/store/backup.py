"""Write a backup, and check one."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from socap_cli import __version__
from socap_cli.errors import NotABackup, StoreError
from socap_cli.files.reading import STDIN, display_name, open_stdin
from socap_cli.store.backup_format import DATA, MANIFEST, METADATA, Entry, Manifest, Metadata, file_name
from socap_cli.store.backup_reading import Sink, read
from socap_cli.store.connect import Db

RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
STAGED = "restoring."
"""How the names of collections begin that a restore has not put in place."""
FIRST = ("worker_state", "jobs")
LAST = ("engagements", "alert_queue", "alert_history")
"""Written against the flow: what says that something was stored is read before it, so that a backup under running
workers may hold more than it says, and never less."""
IN_MEMORY = 8 * 1024**2
"""Bytes of one collection; a larger one waits in a temporary file, as tar wants its size first."""


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
