"""Make a database ready for a command: what a killed restore left is ended, and missing indexes are made."""

from __future__ import annotations

from dataclasses import dataclass

from socap_cli.store import indexes, schema
from socap_cli.store.connect import Db
from socap_cli.store.restore import end_interrupted


@dataclass(frozen=True, slots=True)
class Prepared:
    """What had to be done."""

    is_new: bool
    """The database was not there."""
    ended: str | None
    """What became of a restore that was interrupted."""


def prepare(db: Db) -> Prepared:
    """Make a database ready; three cheap reads when it is.

    Raises SchemaMismatch, and LockHeld while a restore is under way.
    """
    schema.check(db)
    ended = end_interrupted(db)
    if indexes.present(db):
        return Prepared(is_new=False, ended=ended)
    is_new = not db.list_collection_names()
    indexes.ensure(db)
    return Prepared(is_new, ended)
