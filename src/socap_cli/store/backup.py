"""Backups: a tar.gz of one BSON file a collection, as mongodump writes them."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bson import decode_file_iter
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from socap_cli.errors import SocapError
from socap_cli.store.connect import Db

RAW: CodecOptions[Any] = CodecOptions(document_class=RawBSONDocument)
BATCH = 1000


def write(db: Db, path: Path) -> int:
    """Write all collections; the file appears only when it is whole. Returns how many documents it holds."""
    total = 0
    partial = path.with_name(f".{path.name}.part")
    try:
        with tarfile.open(partial, "w:gz") as archive:
            for name in sorted(db.list_collection_names()):
                with tempfile.TemporaryFile() as spool:
                    documents: Iterable[Any] = db.get_collection(name, codec_options=RAW).find()
                    for document in documents:
                        spool.write(document.raw)
                        total += 1
                    entry = tarfile.TarInfo(f"{db.name}/{name}.bson")
                    entry.size, entry.mode = spool.tell(), 0o600
                    spool.seek(0)
                    archive.addfile(entry, spool)
        partial.chmod(0o600)
        partial.replace(path)
    except OSError as error:
        raise SocapError(f"cannot write {path}: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)
    return total


def read(db: Db, path: Path) -> int:
    """Replace all collections by those of a backup. The file is read to its end once before anything is dropped."""
    total = sum(1 for _ in _documents(path))
    for name in db.list_collection_names():
        db[name].drop()
    waiting: dict[str, list[Any]] = {}
    for name, document in _documents(path):
        batch = waiting.setdefault(name, [])
        batch.append(document)
        if len(batch) >= BATCH:
            db.get_collection(name, codec_options=RAW).insert_many(batch)
            batch.clear()
    for name, batch in waiting.items():
        if batch:
            db.get_collection(name, codec_options=RAW).insert_many(batch)
    return total


def _documents(path: Path) -> Iterator[tuple[str, RawBSONDocument]]:
    try:
        with tarfile.open(path, "r:gz") as archive:
            for entry in archive:
                file = archive.extractfile(entry)
                if file is None or not entry.name.endswith(".bson"):
                    continue
                for document in decode_file_iter(io.BytesIO(file.read()), RAW):
                    yield Path(entry.name).stem, document
    except (OSError, tarfile.TarError, BSONError, EOFError) as error:
        raise SocapError(
            f"{path} is no backup that can be read: {error}", hint="nothing was changed"
        ) from error
