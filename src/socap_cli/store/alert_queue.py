"""alert_queue: what each campaign is owed, with its silences and what was planned under which settings.

An alert has an id of campaign and engagement. Once all its messages are in alert_messages, its status follows theirs.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
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
from socap_cli.store.alert_messages import IN_MESSAGES, OF_THE_ALERT
from socap_cli.store.connect import Db, value_of
from socap_cli.store.engagements import read_rows

Row = dict[str, Any]

OPEN = list(OPEN_ALERTS)
UNSENT = [DeliveryStatus.PENDING, DeliveryStatus.FAILED]
SCOPE = ("campaign_id", "username", "category", "action_type")

log = logging.getLogger("socap.store")


@dataclass(frozen=True, slots=True)
class LastPlan:
    """The settings under which a campaign was planned, as a fingerprint, and when."""

    fingerprint: str
    considered_until: datetime


@dataclass(frozen=True, slots=True)
class AlertFilter:
    campaign_id: str | None = None
    status: AlertStatus | None = None
    username: str | None = None

    def query(self) -> Row:
        values = {
            "campaign_id": self.campaign_id,
            "status": self.status,
            "username": _any_case(self.username) if self.username else None,
        }
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class AlertOutcomes:
    """What became of a campaign's alerts: how many arrived, deliveries by channel and status, first arrivals."""

    alerts: int = 0
    deliveries: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    times: tuple[datetime, ...] = ()


def put(db: Db, alerts: Sequence[Alert]) -> int:
    """Queue alerts; returns how many are new. Those that still wait take today's importance."""
    if not alerts:
        return 0
    operations = []
    for alert in alerts:
        row = asdict(alert)
        key = {"_id": row.pop("alert_id")}
        del row["hold"]
        today = {"importance_score": alert.importance_score, "is_vip": alert.is_vip}
        operations.append(UpdateOne(key, {"$setOnInsert": row}, upsert=True))
        operations.append(UpdateOne({**key, "status": {"$in": OPEN}}, {"$set": today}))
    return db.alert_queue.bulk_write(operations).upserted_count


def known(db: Db, alert_ids: Iterable[str]) -> set[str]:
    return {row["_id"] for row in db.alert_queue.find({"_id": {"$in": list(alert_ids)}}, {"_id": 1})}


def campaigns_with_open(db: Db) -> list[str]:
    return sorted(map(str, db.alert_queue.distinct("campaign_id", {"status": {"$in": OPEN}})))


def open_of(db: Db, campaign_id: str) -> list[Alert]:
    query = {"campaign_id": campaign_id, "status": {"$in": OPEN}}
    return [alert_of(row) for row in db.alert_queue.find(query)]


def of_ids(db: Db, alert_ids: Iterable[str]) -> list[Alert]:
    return [alert_of(row) for row in db.alert_queue.find({"_id": {"$in": list(alert_ids)}})]


def write_holds(db: Db, held: Iterable[tuple[Alert, Hold]]) -> None:
    """Note why alerts wait; what is noted already is not written again."""
    operations = []
    for alert, hold in held:
        if not alert.waits_for and (alert.status, alert.hold) == (AlertStatus.HELD, hold):
            continue
        fields = {
            "status": AlertStatus.HELD,
            "hold": {"reason": hold.reason, "said": hold.text, "until": hold.until},
            "importance_score": alert.importance_score,
            "waits_for": alert.waits_for,
        }
        operations.append(UpdateOne({"_id": alert.alert_id, "status": {"$in": OPEN}}, {"$set": fields}))
    if operations:
        db.alert_queue.bulk_write(operations, ordered=False)


def mark_in_messages(db: Db, alert_ids: Iterable[str]) -> None:
    """All recipients of these alerts have their messages."""
    db.alert_queue.update_many(
        {"_id": {"$in": list(alert_ids)}, "status": {"$in": OPEN}},
        {"$set": {"status": AlertStatus.SENDING, "waits_for": []}, "$unset": {"hold": ""}},
    )


def reopen(db: Db, alert_ids: Iterable[str]) -> None:
    """A message of these alerts is withdrawn: whoever is a recipient now and has no other gets one."""
    db.alert_queue.update_many(
        {"_id": {"$in": list(alert_ids)}, "status": {"$in": [AlertStatus.HELD, *IN_MESSAGES]}},
        {"$set": {"status": AlertStatus.HELD, "waits_for": []}},
    )


def convert_old_messages(db: Db) -> None:
    """Give messages of versions before the outbox their rows, which only alert_history had. Safe to repeat.

    Rows that a killed run of such a version left without a message are free again, and their alerts open.
    """
    dropped = {"status": DeliveryStatus.DROPPED}
    operations = []
    for message in db.alert_messages.find({"revision": None}, {"status": 1}):
        names = (*OF_THE_ALERT, "is_gathered")
        rows = [
            {name: row[name] for name in names} | {"may_have_arrived": row.get("may_have_arrived", False)}
            for row in db.alert_history.find({"message_id": message["_id"]})
        ]
        # The alerts of a dropped one may be in other messages.
        fields = {"revision": 1, **({} if message["status"] == dropped["status"] else {"rows": rows})}
        operations.append(UpdateOne({"_id": message["_id"], "revision": None}, {"$set": fields}))
    if operations:
        db.alert_messages.bulk_write(operations, ordered=False)
    pending = {"status": DeliveryStatus.PENDING}
    waiting = list(db.alert_history.find(pending, {"alert_id": 1, "message_id": 1}))
    ids = {row["message_id"] for row in waiting}
    stored = {row["_id"] for row in db.alert_messages.find({"_id": {"$in": list(ids)}}, {"_id": 1})}
    if orphans := {row["_id"]: row["alert_id"] for row in waiting if row["message_id"] not in stored}:
        reopen(db, orphans.values())
        db.alert_history.update_many({"_id": {"$in": list(orphans)}, **pending}, {"$set": dropped})


def reopen_risen(db: Db, risen: Iterable[tuple[Alert, float]]) -> None:
    """Each alert that was sent when it counted for less than this, or about no VIP yet, has more recipients now."""
    operations = []
    for alert, minimum in risen:
        before: list[Row] = [{"importance_score": {"$lt": minimum}}]
        before += [{"is_vip": False}] if alert.is_vip else []
        today = {"importance_score": alert.importance_score, "is_vip": alert.is_vip}
        held: Row = {**today, "status": AlertStatus.HELD, "waits_for": []}
        query = {"_id": alert.alert_id, "status": {"$in": IN_MESSAGES}, "$or": before}
        operations.append(UpdateOne(query, {"$set": held}))
    if operations:
        db.alert_queue.bulk_write(operations, ordered=False)


def drop_campaign(db: Db, campaign_id: str) -> int:
    dropped = {"$set": {"status": AlertStatus.DROPPED}}
    query = {"campaign_id": campaign_id, "status": {"$in": [*OPEN, AlertStatus.SENDING]}}
    return db.alert_queue.update_many(query, dropped).modified_count


def alert_of(row: Row) -> Alert:
    hold = row.get("hold")
    return value_of(
        Alert,
        row,
        alert_id=row["_id"],
        status=AlertStatus(row["status"]),
        hold=Hold(HoldReason(hold["reason"]), hold["said"], hold["until"]) if hold else None,
        labels=tuple(row["labels"]),
        waits_for=tuple(row["waits_for"]),
    )


def last_plans(db: Db) -> dict[str, LastPlan]:
    """By campaign. An unreadable document counts as no plan: everything is considered once more."""
    query = {"_id": {"$gt": ""}, "fingerprint": {"$type": "string"}, "considered_until": {"$type": "date"}}
    rows = db.alert_plans.find(query)
    return {row["_id"]: LastPlan(row["fingerprint"], row["considered_until"]) for row in rows}


def write_plan(db: Db, campaign_id: str, plan: LastPlan) -> None:
    """Everything stored until then was considered under these settings."""
    db.alert_plans.update_one({"_id": campaign_id}, {"$set": asdict(plan)}, upsert=True)


def consider_again(db: Db, tweet_ids: list[str]) -> None:
    """Let planning consider every engagement with these tweets once more."""
    query = {"tweet_id": {"$in": tweet_ids}, "needs_planning": {"$ne": True}}
    db.engagements.update_many(query, {"$set": {"needs_planning": True}})


def put_silence(db: Db, silence: Silence) -> None:
    """Store a silence; it replaces one of the same scope."""
    document = asdict(silence)
    document["_id"] = document.pop("silence_id")
    db.silences.delete_many({**_scope(silence), "_id": {"$ne": silence.silence_id}})
    db.silences.replace_one({"_id": silence.silence_id}, document, upsert=True)


def active(db: Db, *, now: datetime) -> list[Silence]:
    """Silences that are not over, the last to end first."""
    rows = db.silences.find({"until": {"$gt": now}}).sort("until", -1)
    return [value_of(Silence, row, silence_id=row["_id"]) for row in rows]


def end(db: Db, silence: Silence, *, dry_run: bool = False) -> int:
    """End the silences of this scope; returns how many there were."""
    if dry_run:
        return db.silences.count_documents(_scope(silence))
    return db.silences.delete_many(_scope(silence)).deleted_count


def _scope(silence: Silence) -> Row:
    scope: Row = {name: getattr(silence, name) for name in SCOPE}
    if silence.username is not None:
        scope["username"] = _any_case(silence.username)
    return scope


def _any_case(username: str) -> re.Pattern[str]:
    return re.compile(f"^{re.escape(username)}$", re.IGNORECASE)


def listed(db: Db, alerts: AlertFilter, *, limit: int) -> list[AlertListing]:
    """Alerts, the latest planned first."""
    history = {"from": "alert_history", "localField": "_id", "foreignField": "alert_id", "as": "rows"}
    about = {"from": "engagements", "localField": "engagement_id", "foreignField": "_id", "as": "about"}
    pipeline: list[Row] = [
        {"$match": alerts.query()},
        {"$sort": {"planned_at": -1, "_id": 1}},
        {"$limit": limit},
        {"$lookup": history},
        {"$lookup": about},
    ]
    rows = list(db.alert_queue.aggregate(pipeline))
    due = _due_of(db, rows)
    found = []
    for row in rows:
        try:
            found.append(_listing(row, due))
        except (KeyError, TypeError, ValueError, AttributeError):
            log.warning("alert %s: its document cannot be read", cleaning.sample(row["_id"]))
    return found


def count(db: Db, alerts: AlertFilter) -> int:
    """How many alerts `listed` has without its limit."""
    return db.alert_queue.count_documents(alerts.query() or _any(AlertStatus))


def find_alert(db: Db, alert_id: str) -> AlertListing | None:
    row = db.alert_queue.find_one({"_id": alert_id})
    if row is None:
        return None
    row["rows"] = list(db.alert_history.find({"alert_id": alert_id}).sort("_id", 1))
    row["about"] = list(db.engagements.find({"_id": row["engagement_id"]}))
    return _listing(row, _due_of(db, [row]))


def _due_of(db: Db, alerts: Sequence[Row]) -> dict[str, datetime]:
    """When the messages of these alerts are tried next."""
    ids = list({row["message_id"] for alert in alerts for row in alert["rows"] if row.get("message_id")})
    waiting = {"_id": {"$in": ids}, "due": {"$ne": None}}
    return {row["_id"]: row["due"] for row in db.alert_messages.find(waiting, {"due": 1})}


def _listing(row: Row, due: Mapping[str, datetime]) -> AlertListing:
    about, _ = read_rows(row["about"])
    deliveries = []
    for one in row["rows"]:
        said, tried = one.get("last_error"), due.get(one.get("message_id"))
        status = DeliveryStatus(one["status"])
        deliveries.append(value_of(DeliveryRecord, one, status=status, said=said, due=tried))
    return AlertListing(alert_of(row), about[0] if about else None, tuple(deliveries))


def messages_of(db: Db, listing: AlertListing) -> list[MessageRecord]:
    """The messages of an alert, with every attempt."""
    ids = [delivery.message_id for delivery in listing.deliveries if delivery.message_id]
    found = []
    for row in db.alert_messages.find({"_id": {"$in": ids}}).sort("_id", 1):
        log = tuple(Attempt(one["at"], DeliveryStatus(one["status"]), one["said"]) for one in row["log"])
        status = DeliveryStatus(row["status"])
        found.append(value_of(MessageRecord, row, message_id=row["_id"], status=status, log=log))
    return found


def outcomes(db: Db, campaign_id: str) -> AlertOutcomes:
    first: dict[str, datetime] = {}
    deliveries: dict[str, dict[str, int]] = {}
    names = {"alert_id": 1, "channel": 1, "status": 1, "sent_at": 1}
    for row in db.alert_history.find({"campaign_id": campaign_id}, names).sort("_id", 1):
        by_status = deliveries.setdefault(row["channel"], {})
        by_status[row["status"]] = by_status.get(row["status"], 0) + 1
        if row["status"] == DeliveryStatus.SENT and row.get("sent_at"):
            first[row["alert_id"]] = min(first.get(row["alert_id"], row["sent_at"]), row["sent_at"])
    return AlertOutcomes(len(first), deliveries, tuple(sorted(first.values())))


def totals(db: Db, campaign_id: str | None = None) -> AlertTotals:
    """How many alerts and deliveries there are, by status, and why alerts are held."""
    of: Row = {"campaign_id": campaign_id} if campaign_id else {}
    return AlertTotals(
        _count(db, "alert_queue", {**of, **_any(AlertStatus)}, "$status"),
        _count(db, "alert_queue", {**of, "status": AlertStatus.HELD}, "$hold.reason"),
        _count(db, "alert_history", {**of, **_any(DeliveryStatus)}, "$status"),
    )


def _any(statuses: type[StrEnum]) -> Row:
    """Matches all, and lets an index serve the query."""
    return {"status": {"$in": list(statuses)}}


def _count(db: Db, collection: str, match: Row, field: str) -> dict[str, int]:
    pipeline = [{"$match": match}, {"$group": {"_id": field, "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]
    return {str(row["_id"]): row["n"] for row in db[collection].aggregate(pipeline)}


def due_later(db: Db, *, after: datetime, campaign_id: str | None = None) -> tuple[int, datetime | None]:
    """(how many alerts wait for a time to come, the earliest of these times)"""
    waits: Row = {"status": {"$in": OPEN}, **({"campaign_id": campaign_id} if campaign_id else {})}
    number, times = 0, []
    for query, name in (
        ({**waits, "hold": None, "scheduled_send_time": {"$gt": after}}, "scheduled_send_time"),
        ({**waits, "hold.until": {"$gt": after}}, "hold.until"),
    ):
        grouped = {"$group": {"_id": None, "n": {"$sum": 1}, "first": {"$min": f"${name}"}}}
        for row in db.alert_queue.aggregate([{"$match": query}, grouped]):
            number += row["n"]
            times.append(row["first"])
    return number, min(times, default=None)


def due_since(db: Db, *, now: datetime) -> datetime | None:
    """Since when the oldest alert or message waits for a sender only; None when none does."""
    waits = {"status": AlertStatus.PENDING, "hold": None, "scheduled_send_time": {"$lte": now}}
    alert = db.alert_queue.find_one(waits, sort=[("scheduled_send_time", 1)])
    unsent = {"status": {"$in": UNSENT}, "due": {"$lte": now}}
    message = db.alert_messages.find_one(unsent, sort=[("due", 1)])
    times = [*([alert["scheduled_send_time"]] if alert else []), *([message["due"]] if message else [])]
    return min(times, default=None)
