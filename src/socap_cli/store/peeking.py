"""A look at a database that must not take long: nothing is written, and one that does not answer has nothing."""

from __future__ import annotations

import pymongo

from socap_cli.store.connect import open_database

MOST = 1000


def slugs_at(uri: str, name: str, *, within: float) -> list[str]:
    """The slugs of the campaigns of a database. Raises StoreError when it does not answer within so many seconds."""
    with open_database(uri, name, patience=within, election=within) as db, pymongo.timeout(within):
        return [str(row["_id"]) for row in db.campaigns.find({}, {"_id": 1}).sort("_id", 1).limit(MOST)]
