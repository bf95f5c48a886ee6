"""alert_queue: what each campaign is owed, an alert for each engagement under an id that repeats."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from pymongo import UpdateOne

from socap_cli.model import cleaning
from socap_cli.model.alert import (
    OPEN_ALERTS,
    Alert,
    AlertListing,
    AlertStatus,
    AlertTotals,
    Attempt,
    DeliveryRecord,
    DeliveryStatus,
    Hold,
    HoldReason,
    MessageRecord,
    Silence,
)
from socap_cli.store.connect import Db
from socap_cli.store.engagements import read_rows

Row = dict[str, Any]


OPEN = [status.value for status in OPEN_ALERTS]


IN_MESSAGES = [
    status.value for status in (AlertStatus.SENDING, AlertStatus.SENT, AlertStatus.DEAD, AlertStatus.UNKNOWN)
]


ALERT_FIELDS = frozenset(field.name for field in fields(Alert))


@dataclass(frozen=True, slots=True)
class LastPlan:
    """The settings, as a short text that differs with them, and the time."""

    fingerprint: str
    considered_until: datetime


SILENCE_FIELDS = frozenset(field.name for field in fields(Silence))


SCOPE = ("campaign_id", "username", "category", "action_type")


log = logging.getLogger("socap.store")


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


@dataclass(frozen=True, slots=True)
class AlertsTold:
    """A campaign's alerts as they went out."""

    alerts: int = 0
    """Alerts of which at least one delivery arrived."""
    deliveries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Deliveries by channel and status."""
    times: tuple[datetime, ...] = ()
    """When each alert arrived first."""


def put(db: Db, alerts: Sequence[Alert]) -> int:
    """Queue alerts; returns how many were not there before. One that still waits is as important as today."""
    if not alerts:
        return 0
    fresh = [
        UpdateOne({"_id": alert.alert_id}, {"$setOnInsert": _document(alert)}, upsert=True)
        for alert in alerts
    ]
    today = [
        UpdateOne(
            {"_id": alert.alert_id, "status": {"$in": OPEN}},
            {"$set": {"importance_score": alert.importance_score, "is_vip": alert.is_vip}},
        )
        for alert in alerts
    ]
    return db.alert_queue.bulk_write([*fresh, *today]).upserted_count


def known(db: Db, alert_ids: Iterable[str]) -> set[str]:
    """Which of these are queued already."""
    return {row["_id"] for row in db.alert_queue.find({"_id": {"$in": list(alert_ids)}}, {"_id": 1})}


def campaigns_with_open(db: Db) -> list[str]:
    """The campaigns that have alerts which are not in messages yet."""
    return sorted(map(str, db.alert_queue.distinct("campaign_id", {"status": {"$in": OPEN}})))


def open_of(db: Db, campaign_id: str) -> list[Alert]:
    """A campaign's alerts that are not in messages yet, the most important first."""
    rows = db.alert_queue.find({"campaign_id": campaign_id, "status": {"$in": OPEN}})
    return sorted(map(alert_of, rows), key=lambda alert: (-(alert.importance_score or 0.0), alert.alert_id))


def of_ids(db: Db, alert_ids: Iterable[str]) -> list[Alert]:
    """These alerts."""
    return [alert_of(row) for row in db.alert_queue.find({"_id": {"$in": list(alert_ids)}})]


def find(db: Db, alert_id: str) -> Alert | None:
    """One alert."""
    row = db.alert_queue.find_one({"_id": alert_id})
    return alert_of(row) if row else None


def write_holds(db: Db, held: Iterable[tuple[Alert, Hold]]) -> None:
    """Note why alerts wait; what is noted already is not written again."""
    operations = [
        UpdateOne(
            {"_id": alert.alert_id, "status": {"$in": OPEN}},
            {
                "$set": {
                    "status": AlertStatus.HELD.value,
                    "hold": asdict(hold),
                    "importance_score": alert.importance_score,
                }
            },
        )
        for alert, hold in held
        if (alert.status, alert.hold) != (AlertStatus.HELD, hold)
    ]
    if operations:
        db.alert_queue.bulk_write(operations, ordered=False)


def mark_sending(db: Db, alert_ids: Sequence[str]) -> None:
    """All deliveries of these alerts are written."""
    db.alert_queue.update_many(
        {"_id": {"$in": list(alert_ids)}, "status": {"$in": OPEN}},
        {"$set": {"status": AlertStatus.SENDING.value, "waits_for": []}, "$unset": {"hold": ""}},
    )


def wait_for_channels(db: Db, waiting: Mapping[str, tuple[Sequence[str], Hold]]) -> None:
    """These alerts have their deliveries, but for channels that reach nobody yet, or that tell it later."""
    operations = [
        UpdateOne(
            {"_id": alert_id, "status": {"$in": OPEN}},
            {
                "$set": {
                    "status": AlertStatus.HELD.value,
                    "hold": asdict(hold),
                    "waits_for": list(channels),
                }
            },
        )
        for alert_id, (channels, hold) in waiting.items()
    ]
    if operations:
        db.alert_queue.bulk_write(operations, ordered=False)


def set_statuses(db: Db, statuses: Mapping[str, AlertStatus]) -> None:
    """What became of alerts whose messages were sent, or were not."""
    operations = [
        UpdateOne({"_id": alert_id, "status": {"$in": IN_MESSAGES}}, {"$set": {"status": status.value}})
        for alert_id, status in statuses.items()
    ]
    if operations:
        db.alert_queue.bulk_write(operations, ordered=False)


def reopen(db: Db, alert_ids: Sequence[str]) -> None:
    """Some receiver of these alerts does not get its message: whoever is a receiver now, and has no row, gets one."""
    db.alert_queue.update_many(
        {"_id": {"$in": list(alert_ids)}, "status": {"$in": [AlertStatus.HELD.value, *IN_MESSAGES]}},
        {"$set": {"status": AlertStatus.HELD.value, "waits_for": []}},
    )


def reopen_risen(db: Db, risen: Sequence[tuple[Alert, float]]) -> None:
    """Each alert that was told when it counted for less than this, or of no VIP yet: more receivers want it now."""
    operations = []
    for alert, wanted in risen:
        before: list[Row] = [{"importance_score": {"$lt": wanted}}]
        if alert.is_vip:
            before.append({"is_vip": False})
        today = {"importance_score": alert.importance_score, "is_vip": alert.is_vip}
        operations.append(
            UpdateOne(
                {"_id": alert.alert_id, "status": {"$in": IN_MESSAGES}, "$or": before},
                {"$set": {**today, "status": AlertStatus.HELD.value, "waits_for": []}},
            )
        )
    if operations:
        db.alert_queue.bulk_write(operations, ordered=False)


def drop_campaign(db: Db, campaign_id: str) -> int:
    """Let go of what a deleted campaign had still to be told."""
    dropped = {"$set": {"status": AlertStatus.DROPPED.value}}
    query = {"campaign_id": campaign_id, "status": {"$in": [*OPEN, AlertStatus.SENDING.value]}}
    return db.alert_queue.update_many(query, dropped).modified_count


def _document(alert: Alert) -> Row:
    row = asdict(alert)
    del row["alert_id"], row["hold"]
    return {
        **row,
        "status": alert.status.value,
        "labels": list(alert.labels),
        "waits_for": list(alert.waits_for),
    }


def alert_of(row: Row) -> Alert:
    """An alert's document as a value."""
    known_fields = {name: value for name, value in row.items() if name in ALERT_FIELDS}
    hold = row.get("hold")
    return Alert(
        **{
            **known_fields,
            "alert_id": row["_id"],
            "status": AlertStatus(row["status"]),
            "hold": Hold(HoldReason(hold["reason"]), hold["said"], hold["until"]) if hold else None,
            "labels": tuple(row["labels"]),
            "waits_for": tuple(row["waits_for"]),
        }
    )


def read(db: Db) -> dict[str, LastPlan]:
    """By campaign. A document that is none counts as no plan: everything is considered once more."""
    wanted = {"_id": {"$gt": ""}, "fingerprint": {"$type": "string"}, "considered_until": {"$type": "date"}}
    rows = db.alert_plans.find(wanted)
    return {row["_id"]: LastPlan(row["fingerprint"], row["considered_until"]) for row in rows}


def write(db: Db, campaign_id: str, plan: LastPlan) -> None:
    """Note that everything stored until then was considered under these settings."""
    fields = {"fingerprint": plan.fingerprint, "considered_until": plan.considered_until}
    db.alert_plans.update_one({"_id": campaign_id}, {"$set": fields}, upsert=True)


def consider_again(db: Db, tweet_ids: list[str]) -> int:
    """Let planning look at every engagement with these tweets once more; returns how many."""
    query = {"tweet_id": {"$in": tweet_ids}, "needs_planning": {"$ne": True}}
    return db.engagements.update_many(query, {"$set": {"needs_planning": True}}).modified_count


def put_silence(db: Db, silence: Silence) -> None:
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
    return Silence(
        **{name: value for name, value in row.items() if name in SILENCE_FIELDS}, silence_id=row["_id"]
    )


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


def find_alerts(db: Db, alert_id: str) -> AlertListing | None:
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
