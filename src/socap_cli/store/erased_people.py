"""erased_people: who asked to be erased, so that they are not collected again.

Only digests are kept: whoever knows an account can look it up, and nobody can read a list of people.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from pymongo import UpdateOne

from socap_cli.model.important import fold_handle
from socap_cli.store.connect import Db


def digest(word: str) -> str:
    """What stands for an id or a handle; handles are folded first."""
    return hashlib.sha256(f"socap erased {word}".encode("utf-8", "replace")).hexdigest()[:32]


def note(db: Db, username: str, user_ids: Iterable[str], *, now: datetime) -> None:
    """Keep these accounts out from now on; one that is noted stays as it is."""
    row = {"handle": digest(fold_handle(username)), "erased_at": now}
    operations = [UpdateOne({"_id": digest(one)}, {"$setOnInsert": row}, upsert=True) for one in user_ids]
    if operations:
        db.erased_people.bulk_write(operations, ordered=False)


def among(db: Db, user_ids: Iterable[str]) -> set[str]:
    """Which of these accounts are to be kept out."""
    digests = {digest(one): one for one in user_ids}
    return {digests[row["_id"]] for row in db.erased_people.find({"_id": {"$in": list(digests)}})}


def erased_at(db: Db, username: str) -> datetime | None:
    """When whoever had this handle was erased; None: nobody was."""
    row = db.erased_people.find_one({"handle": digest(fold_handle(username))}, sort=[("erased_at", -1)])
    found = row.get("erased_at") if row else None
    return found if isinstance(found, datetime) else None
