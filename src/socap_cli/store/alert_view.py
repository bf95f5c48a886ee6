"""Looking at alerts. Nothing here changes one."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from socap_cli.model import cleaning
from socap_cli.model.alert import AlertStatus, DeliveryStatus, HoldReason
from socap_cli.model.alert_listing import AlertListing, AlertTotals, Attempt, DeliveryRecord, MessageRecord
from socap_cli.store.alert_queue import OPEN, alert_of
from socap_cli.store.connect import Db
from socap_cli.store.engagements import read_rows

log = logging.getLogger("socap.store")

Row = dict[str, Any]
UNSENT = [DeliveryStatus.PENDING.value, DeliveryStatus.FAILED.value]


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts: only such as the fields say."""

    campaign_id: str | None = None
    status: AlertStatus | None = None
    username: str | None = None
    action_type: str | None = None
    tweet_id: str | None = None
    min_importance: float | None = None
    reason: HoldReason | None = None
    """Why it waits."""
    channel: str | None = None

    def query(self) -> Row:
        """The filter without its channel, which deliveries know."""
        wanted: Row = {}
        if self.campaign_id:
            wanted["campaign_id"] = self.campaign_id
        if self.status:
            wanted["status"] = self.status.value
        if self.action_type:
            wanted["action_type"] = self.action_type
        if self.tweet_id:
            wanted["tweet_id"] = self.tweet_id
        if self.min_importance is not None:
            wanted["importance_score"] = {"$gte": self.min_importance}
        if self.reason:
            wanted["hold.reason"] = self.reason.value
        if self.username:
            wanted["username"] = re.compile(f"^{re.escape(self.username)}$", re.IGNORECASE)
        return wanted


def listed(db: Db, wanted: AlertFilter, *, limit: int) -> list[AlertListing]:
    """Alerts, the latest planned first."""
    pipeline: list[Row] = [
        {"$match": wanted.query()},
        {"$sort": {"planned_at": -1, "_id": 1}},
        {"$lookup": {"from": "alert_history", "localField": "_id", "foreignField": "alert_id", "as": "rows"}},
        *([{"$match": {"rows.channel": wanted.channel}}] if wanted.channel else []),
        {"$limit": limit},
        {
            "$lookup": {
                "from": "engagements",
                "localField": "engagement_id",
                "foreignField": "_id",
                "as": "about",
            }
        },
    ]
    found = list(db.alert_queue.aggregate(pipeline))
    due = _due_of(db, found)
    return [listing for row in found if (listing := _readable(row, wanted.channel, due)) is not None]


def _readable(row: Row, channel: str | None, due: Mapping[str, datetime]) -> AlertListing | None:
    """An alert; None, with a word in the log, for a document that is none."""
    try:
        return _listing(row, channel, due)
    except (KeyError, TypeError, ValueError, AttributeError):
        log.warning("alert %s: its document cannot be read", cleaning.sample(row["_id"]))
        return None


def _due_of(db: Db, found: Sequence[Row]) -> dict[str, datetime]:
    """When the messages of these alerts are tried next."""
    ids = list({row["message_id"] for alert in found for row in alert["rows"] if row.get("message_id")})
    waits = {"_id": {"$in": ids}, "due": {"$ne": None}}
    return {row["_id"]: row["due"] for row in db.alert_messages.find(waits, {"due": 1})}


def _listing(row: Row, channel: str | None, due: Mapping[str, datetime]) -> AlertListing:
    about, _ = read_rows(row.pop("about"))
    rows = [one for one in row.pop("rows") if channel in (None, one["channel"])]
    deliveries = tuple(_delivery(one, due.get(one.get("message_id"))) for one in rows)
    return AlertListing(alert_of(row), about[0] if about else None, deliveries)


def _delivery(row: Row, due: datetime | None) -> DeliveryRecord:
    return DeliveryRecord(
        row["channel"],
        row["receiver"],
        DeliveryStatus(row["status"]),
        row["created_at"],
        row.get("sent_at"),
        row.get("last_error"),
        row.get("message_id"),
        due,
    )


def find(db: Db, alert_id: str) -> AlertListing | None:
    """One alert."""
    found = db.alert_queue.find_one({"_id": alert_id})
    if found is None:
        return None
    found["rows"] = list(db.alert_history.find({"alert_id": alert_id}).sort("_id", 1))
    found["about"] = list(db.engagements.find({"_id": found["engagement_id"]}))
    return _listing(found, None, _due_of(db, [found]))


def messages_of(db: Db, listing: AlertListing) -> list[MessageRecord]:
    """The messages that tell an alert, with every attempt."""
    ids = [delivery.message_id for delivery in listing.deliveries if delivery.message_id]
    return [_message(row) for row in db.alert_messages.find({"_id": {"$in": ids}}).sort("_id", 1)]


def _message(row: Row) -> MessageRecord:
    return MessageRecord(
        row["_id"],
        row["kind"],
        row["channel"],
        row["receiver"],
        DeliveryStatus(row["status"]),
        row["attempts"],
        row["repeats"],
        row.get("due"),
        tuple(Attempt(one["at"], DeliveryStatus(one["status"]), one["said"]) for one in row["log"]),
        row.get("traceback"),
    )


@dataclass(frozen=True, slots=True)
class AlertsTold:
    """A campaign's alerts as they went out."""

    alerts: int = 0
    """Alerts of which at least one delivery arrived."""
    deliveries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Deliveries by channel and status."""
    times: tuple[datetime, ...] = ()
    """When each alert arrived first."""


def told(db: Db, campaign_id: str) -> AlertsTold:
    """What became of a campaign's alerts."""
    first: dict[str, datetime] = {}
    deliveries: dict[str, dict[str, int]] = {}
    wanted = {"alert_id": 1, "channel": 1, "status": 1, "sent_at": 1}
    for row in db.alert_history.find({"campaign_id": campaign_id}, wanted).sort("_id", 1):
        by_status = deliveries.setdefault(row["channel"], {})
        by_status[row["status"]] = by_status.get(row["status"], 0) + 1
        if row["status"] == DeliveryStatus.SENT.value and row.get("sent_at"):
            first[row["alert_id"]] = min(first.get(row["alert_id"], row["sent_at"]), row["sent_at"])
    return AlertsTold(len(first), deliveries, tuple(sorted(first.values())))


def totals(db: Db, campaign_id: str | None = None) -> AlertTotals:
    """How many alerts and deliveries there are, by status, and why alerts are held."""
    of: Row = {"campaign_id": campaign_id} if campaign_id else {}
    return AlertTotals(
        _count(db, "alert_queue", {**of, **_any(AlertStatus)}, "$status"),
        _count(db, "alert_queue", {**of, "status": AlertStatus.HELD.value}, "$hold.reason"),
        _count(db, "alert_history", {**of, **_any(DeliveryStatus)}, "$status"),
    )


def _any(statuses: type[StrEnum]) -> Row:
    """Whichever it is: said so that an index serves."""
    return {"status": {"$in": [status.value for status in statuses]}}


def _count(db: Db, collection: str, match: Row, field: str) -> dict[str, int]:
    pipeline = [{"$match": match}, {"$group": {"_id": field, "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
    return {str(row["_id"]): row["n"] for row in db[collection].aggregate(pipeline)}


def next_time(db: Db, *, after: datetime) -> datetime | None:
    """The earliest time to come at which something that waits may go out."""
    waits = {"status": {"$in": OPEN}}
    first = db.alert_queue.find_one(
        {**waits, "hold": None, "scheduled_send_time": {"$gt": after}}, sort=[("scheduled_send_time", 1)]
    )
    held = db.alert_queue.find_one({**waits, "hold.until": {"$gt": after}}, sort=[("hold.until", 1)])
    times = [*([first["scheduled_send_time"]] if first else []), *([held["hold"]["until"]] if held else [])]
    return min(times, default=None)


def due_since(db: Db, *, now: datetime) -> datetime | None:
    """When the oldest alert or message was due that waits for nothing but a sender; None when none is due."""
    waits = {"status": AlertStatus.PENDING.value, "hold": None, "scheduled_send_time": {"$lte": now}}
    alert = db.alert_queue.find_one(waits, sort=[("scheduled_send_time", 1)])
    unsent = {"status": {"$in": UNSENT}, "due": {"$lte": now}}
    message = db.alert_messages.find_one(unsent, sort=[("due", 1)])
    times = [*([alert["scheduled_send_time"]] if alert else []), *([message["due"]] if message else [])]
    return min(times, default=None)
