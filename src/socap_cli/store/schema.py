"""The version of the documents' form. A database of another one is refused before anything is written.

There is no way from one version to the next yet. A change that older programs cannot read, or whose absence newer
ones cannot stand, takes the next number, and an explicit command that leads there.
"""

from __future__ import annotations

from socap_cli.errors import SchemaMismatch
from socap_cli.store.connect import Db

SCHEMA = 1
NAME = "schema"


def check(db: Db) -> None:
    """Refuse a database whose documents have another form. Raises SchemaMismatch."""
    row = db.locks.find_one({"_id": NAME})
    found = SCHEMA if row is None else row.get("version")
    if found == SCHEMA:
        return
    is_newer = isinstance(found, int) and found > SCHEMA
    raise SchemaMismatch(
        f"the documents of this database have version {found!r}, this program knows {SCHEMA}",
        hint="install the socap that wrote it"
        if is_newer
        else "use another [database] name, or that version",
    )


def remember(db: Db) -> None:
    """Say of a database that its documents have our form, unless it says something itself."""
    db.locks.update_one({"_id": NAME}, {"$setOnInsert": {"version": SCHEMA}}, upsert=True)
