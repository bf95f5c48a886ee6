"""Messages that ended without being told, and that a person lets be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from socap_cli.model.alert import DeliveryStatus
from socap_cli.store.connect import Db

Row = dict[str, Any]
ENDED = [DeliveryStatus.DEAD.value, DeliveryStatus.UNKNOWN.value]


def addresses(
    db: Db, *, campaign_id: str | None = None, message_ids: Sequence[str] | None = None
) -> list[str]:
    """The addresses of messages that `retry` would try again."""
    return db.alert_messages.distinct("address_id", _ended(campaign_id, message_ids))


def count(db: Db, *, campaign_id: str | None = None, message_ids: Sequence[str] | None = None) -> int:
    """How many messages `retry` would try again."""
    return db.alert_messages.count_documents(_ended(campaign_id, message_ids))


def retry(
    db: Db, *, now: datetime, campaign_id: str | None = None, message_ids: Sequence[str] | None = None
) -> int:
    """Let dead messages, and those that may have arrived, be tried again as if for the first time."""
    fields = {
        "status": DeliveryStatus.FAILED.value,
        "due": now,
        "attempts": 0,
        "traceback": None,
        "is_recorded": False,
        "settled_at": now,
    }
    return db.alert_messages.update_many(_ended(campaign_id, message_ids), {"$set": fields}).modified_count


def _ended(campaign_id: str | None, message_ids: Sequence[str] | None) -> Row:
    query: Row = {"status": {"$in": ENDED}}
    if campaign_id:
        query["campaign_id"] = campaign_id
    if message_ids is not None:
        query["_id"] = {"$in": list(message_ids)}
    return query
