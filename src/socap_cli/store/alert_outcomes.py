"""What became of messages and is not written to the rows of their alerts yet."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from socap_cli.model.alert import DeliveryStatus, Settlement
from socap_cli.store.connect import Db


def unrecorded(db: Db, message_id: str | None = None) -> list[tuple[str, Settlement, datetime]]:
    """Outcomes that are not written to their rows yet, of one message or of all: (message, outcome, when)."""
    query: dict[str, Any] = {"is_recorded": False} | ({"_id": message_id} if message_id else {})
    return [
        (row["_id"], Settlement(DeliveryStatus(row["status"]), row.get("last_error")), row["settled_at"])
        for row in db.alert_messages.find(query)
    ]


def note_recorded(db: Db, message_id: str, *, settled_at: datetime) -> None:
    """The outcome of that moment is written to its rows; a later one, maybe overwritten by it, is not any more."""
    query = {"_id": message_id, "settled_at": settled_at}
    if db.alert_messages.update_one(query, {"$unset": {"is_recorded": ""}}).matched_count == 0:
        later = {
            "_id": message_id,
            "settled_at": {"$gt": settled_at},
            "status": {"$ne": DeliveryStatus.SENDING.value},
        }
        db.alert_messages.update_one(later, {"$set": {"is_recorded": False}})
