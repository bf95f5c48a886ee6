"""silences: what is not told for a while, by whom and why."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from socap_cli.model.alert import Silence
from socap_cli.store.connect import Db

NAMES = frozenset(field.name for field in fields(Silence))
SCOPE = ("campaign_id", "username", "category", "action_type")


def put(db: Db, silence: Silence) -> None:
    """Keep a silence, instead of one of the same scope."""
    document = asdict(silence)
    document["_id"] = document.pop("silence_id")
    db.silences.delete_many({**_scope(silence), "_id": {"$ne": silence.silence_id}})
    db.silences.replace_one({"_id": silence.silence_id}, document, upsert=True)


def active(db: Db, *, now: datetime) -> list[Silence]:
    """Silences that are not over, the last to end first."""
    return [_silence(row) for row in db.silences.find({"until": {"$gt": now}}).sort("until", -1)]


def count_like(db: Db, silence: Silence) -> int:
    """How many silences of this scope there are."""
    return db.silences.count_documents(_scope(silence))


def end(db: Db, silence: Silence) -> int:
    """End silences of this scope at once; returns how many there were."""
    return db.silences.delete_many(_scope(silence)).deleted_count


def _scope(silence: Silence) -> dict[str, Any]:
    """Handles have no case."""
    scope = {name: getattr(silence, name) for name in SCOPE}
    if silence.username is not None:
        scope["username"] = re.compile(f"^{re.escape(silence.username)}$", re.IGNORECASE)
    return scope


def _silence(row: dict[str, Any]) -> Silence:
    return Silence(**{name: value for name, value in row.items() if name in NAMES}, silence_id=row["_id"])
