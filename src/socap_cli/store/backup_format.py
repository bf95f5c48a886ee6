"""The format of a backup: a tar.gz in mongodump's layout, with a manifest that proves that it is whole.

    socap/<collection>.metadata.json   options and indexes, as mongodump writes them
    socap/<collection>.bson            the documents, one behind the other
    socap-backup.json                  last: how many documents each has, and checksums

`mongorestore` reads the unpacked folder and passes over the manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from bson import json_util
from bson.errors import BSONError

from socap_cli.errors import NotABackup

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
