"""alert_queue: what each campaign is owed, an alert for each engagement under an id that repeats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.alert import OPEN_ALERTS, Alert, AlertStatus, Hold, HoldReason
from socap_cli.store.connect import Db

Row = dict[str, Any]
OPEN = [status.value for status in OPEN_ALERTS]
IN_MESSAGES = [
    status.value for status in (AlertStatus.SENDING, AlertStatus.SENT, AlertStatus.DEAD, AlertStatus.UNKNOWN)
]
NAMES = frozenset(field.name for field in fields(Alert))


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
    known_fields = {name: value for name, value in row.items() if name in NAMES}
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
