"""Which completed campaigns were sent their last report, and to whom. A row is claimed before anything is sent."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from socap_cli.store.connect import Db

LEASE = timedelta(minutes=10)
"""Whoever claimed a report and did not say that it was sent within this time has died; it is sent again."""


def claim(db: Db, slug: str, completed_at: datetime, receiver: str, *, now: datetime) -> str | None:
    """Take on the sending of a campaign's last report to one receiver; a token, or None when it is done or taken.

    A campaign that was opened again and completed later has another last report.
    """
    token = secrets.token_hex(8)
    free = {"sent_at": None, "claimed_at": {"$not": {"$gt": now - LEASE}}}
    fresh = {"campaign_id": slug, "completed_at": completed_at}
    try:
        row = db.final_reports.find_one_and_update(
            {"_id": _key(slug, completed_at, receiver), **free},
            {"$set": {"claimed_at": now, "token": token}, "$setOnInsert": fresh},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:  # it is there, and not free
        return None
    return token if row is not None else None


def is_free(db: Db, slug: str, completed_at: datetime, receiver: str, *, now: datetime) -> bool:
    """Whether `claim` would take it on."""
    row = db.final_reports.find_one({"_id": _key(slug, completed_at, receiver)}) or {}
    claimed = row.get("claimed_at")
    return row.get("sent_at") is None and (claimed is None or claimed <= now - LEASE)


def note_sent(db: Db, slug: str, completed_at: datetime, receiver: str, token: str, *, now: datetime) -> None:
    """It was sent."""
    db.final_reports.update_one(
        {"_id": _key(slug, completed_at, receiver), "token": token}, {"$set": {"sent_at": now}}
    )


def release(db: Db, slug: str, completed_at: datetime, receiver: str, token: str) -> None:
    """It was not sent: the next run may try at once."""
    db.final_reports.update_one(
        {"_id": _key(slug, completed_at, receiver), "token": token}, {"$set": {"claimed_at": None}}
    )


def _key(slug: str, completed_at: datetime, receiver: str) -> str:
    """Names a sending without telling the receiver."""
    mark = hashlib.sha256(receiver.encode("utf-8", "replace")).hexdigest()[:10]
    return f"{slug}|{completed_at:%Y%m%dT%H%M%S}|{mark}"
