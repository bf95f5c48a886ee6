"""How large the database is."""

from __future__ import annotations

from dataclasses import dataclass

from socap_cli.store.connect import Db


@dataclass(frozen=True, slots=True)
class Size:
    """Of all collections, with their indexes."""

    documents: int
    bytes: int


def size_of(db: Db) -> Size:
    """Ask the server."""
    stats = db.command("dbStats")
    return Size(int(stats["objects"]), int(stats["dataSize"] + stats["indexSize"]))
