"""Read a backup to its end and judge all of it, a document at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError

from socap_cli.errors import NotABackup
from socap_cli.files.tar_members import Member, members
from socap_cli.store.backup_format import (
    DATA,
    MANIFEST,
    METADATA,
    Entry,
    Manifest,
    Metadata,
    collection_of,
    read_manifest,
    read_metadata,
)

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


def read(stream: BinaryIO, sink: Sink) -> Manifest:
    """Read a backup to its end; return its manifest. Raises NotABackup, with the place and what is wrong there."""
    reader = _Reader(sink)
    with members(stream) as found:
        for name, member in found:
            reader.take(name, member)
    return reader.manifest()


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


def _split(member: Member) -> Iterator[bytes]:
    """The documents that stand in a file one behind the other. Raises NotABackup."""
    while member.left:
        head = member.read(4)
        size = int.from_bytes(head, "little", signed=True)
        if not 5 <= size <= LARGEST_DOCUMENT:
            raise NotABackup(f"a document claims to have {size} bytes")
        yield head + member.read(size - 4)
