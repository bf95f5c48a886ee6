"""Load a backup's collections beside those that are there, with their indexes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.errors import PyMongoError

from socap_cli.errors import NotABackup, StoreError
from socap_cli.store.backup import RAW
from socap_cli.store.backup_format import Metadata
from socap_cli.store.backup_reading import Sink
from socap_cli.store.connect import Db, translate_error
from socap_cli.store.indexes import INDEXES

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
