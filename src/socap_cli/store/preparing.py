"""Make a database ready for a command: what a killed restore left is ended, and missing indexes are made."""

from __future__ import annotations

from dataclasses import dataclass

from socap_cli.store import indexes, restore_record, schema
from socap_cli.store.connect import Db


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
    ended = _end_interrupted_restore(db)
    if indexes.present(db):
        return Prepared(is_new=False, ended=ended)
    is_new = not db.list_collection_names()
    indexes.ensure(db)
    return Prepared(is_new, ended)


def _end_interrupted_restore(db: Db) -> str | None:
    if restore_record.find(db) is None:
        return None
    from socap_cli.store.restore import end_interrupted  # all that a restore needs, for this rare case

    return end_interrupted(db)
