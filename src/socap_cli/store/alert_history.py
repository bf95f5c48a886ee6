"""alert_history: a row for each alert and receiver, with what became of it. A row stands in one message only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.alert import AlertStatus, Delivery, DeliveryStatus, OutgoingMessage, Settlement
from socap_cli.model.message import MessageKind
from socap_cli.store.connect import Db

Row = dict[str, Any]
NAMES = frozenset(field.name for field in fields(Delivery))
WORST_FIRST = (
    ((DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.FAILED), AlertStatus.SENDING),
    ((DeliveryStatus.DEAD,), AlertStatus.DEAD),
    ((DeliveryStatus.UNKNOWN,), AlertStatus.UNKNOWN),
    ((DeliveryStatus.SENT,), AlertStatus.SENT),
)
"""Which delivery decides about its alert."""


def put(db: Db, deliveries: Sequence[Delivery]) -> None:
    """Write rows under ids of alert and receiver; one that is there stays, and one that was let go is open again."""
    operations = [
        UpdateOne({"_id": delivery.delivery_id}, {"$setOnInsert": _document(delivery)}, upsert=True)
        for delivery in deliveries
    ]
    if not operations:
        return
    db.alert_history.bulk_write(operations, ordered=False)
    again = {"$set": {"status": DeliveryStatus.PENDING.value, "message_id": None, "last_error": None}}
    ids = [delivery.delivery_id for delivery in deliveries]
    db.alert_history.update_many({"_id": {"$in": ids}, "status": DeliveryStatus.DROPPED.value}, again)


def with_rows(db: Db, alert_ids: Collection[str]) -> set[str]:
    """Which of these alerts have rows that were not let go: a run that died had begun to tell them."""
    return set(rows_of(db, alert_ids).values())


def rows_of(db: Db, alert_ids: Collection[str], *, but: Collection[str] = ()) -> dict[str, str]:
    """The rows of these alerts, each with its alert, that were not let go; without those of some messages."""
    query = {
        "alert_id": {"$in": list(alert_ids)},
        "status": {"$ne": DeliveryStatus.DROPPED.value},
        **({"message_id": {"$nin": list(but)}} if but else {}),
    }
    return {row["_id"]: row["alert_id"] for row in db.alert_history.find(query, {"alert_id": 1})}


def last_notified(
    db: Db, campaign_id: str, *, since: datetime, but: Collection[str] = ()
) -> dict[tuple[str, str, str], datetime]:
    """When each (campaign, user, action) was told last, by messages made or sent since then, but for some."""
    recent = {"$or": [{"created_at": {"$gte": since}}, {"sent_at": {"$gte": since}}]}
    rows = db.alert_history.aggregate(
        [
            {
                "$match": {
                    "campaign_id": campaign_id,
                    "status": {"$ne": DeliveryStatus.DROPPED.value},
                    "message_id": {"$nin": list(but)},
                    **recent,
                }
            },
            {
                "$group": {
                    "_id": {"user": "$user_id", "action": "$action_type"},
                    "at": {"$max": {"$max": ["$created_at", "$sent_at"]}},
                }
            },
        ]
    )
    return {(campaign_id, row["_id"]["user"], row["_id"]["action"]): row["at"] for row in rows}


def ungrouped(db: Db, campaign_ids: Sequence[str] | None = None) -> list[Delivery]:
    """Rows that stand in no message yet."""
    query: Row = {"status": DeliveryStatus.PENDING.value, "message_id": None}
    if campaign_ids is not None:
        query["campaign_id"] = {"$in": list(campaign_ids)}
    return [delivery_of(row) for row in db.alert_history.find(query).sort("_id", 1)]


def unsent(db: Db, campaign_id: str) -> list[Delivery]:
    """A campaign's rows in messages that nobody took yet, and of which none may have arrived."""
    query = {
        "campaign_id": campaign_id,
        "status": {"$in": [DeliveryStatus.PENDING.value, DeliveryStatus.FAILED.value]},
        "message_id": {"$ne": None},
        "may_have_arrived": {"$ne": True},
    }
    return [delivery_of(row) for row in db.alert_history.find(query).sort("_id", 1)]


def assign(db: Db, message: OutgoingMessage) -> None:
    """Put rows into a message, those that stand in no other."""
    db.alert_history.update_many(
        {"_id": {"$in": list(message.delivery_ids)}, "message_id": None},
        {"$set": {"message_id": message.message_id, "message_kind": message.kind.value}},
    )


def of_message(db: Db, message_id: str) -> list[Delivery]:
    """The rows of a message."""
    return [delivery_of(row) for row in db.alert_history.find({"message_id": message_id}).sort("_id", 1)]


def assigned(db: Db) -> list[OutgoingMessage]:
    """The messages that open rows stand in, made again from the rows: a run may have died before writing them."""
    query = {"status": DeliveryStatus.PENDING.value, "message_id": {"$ne": None}}
    found: dict[str, list[Row]] = {}
    for row in db.alert_history.find(query):
        found.setdefault(row["message_id"], []).append(row)
    return [_message(message_id, rows) for message_id, rows in found.items()]


def _message(message_id: str, rows: Sequence[Row]) -> OutgoingMessage:
    first = delivery_of(rows[0])
    return OutgoingMessage(
        message_id=message_id,
        campaign_id=first.campaign_id,
        channel=first.channel,
        address_id=first.address_id,
        receiver=first.receiver,
        kind=MessageKind(rows[0]["message_kind"]),
        is_vip=any(row["is_vip"] and not row["is_backlog"] for row in rows),
        importance_score=max(row["importance_score"] or 0.0 for row in rows),
        delivery_ids=tuple(row["_id"] for row in rows),
        may_be_repeated=any(row.get("may_have_arrived") for row in rows),
    )


def record(db: Db, message_id: str, settlement: Settlement, *, now: datetime) -> list[str]:
    """Write what became of a message to its rows; returns their alerts."""
    values: Row = {"status": settlement.status.value, "last_error": settlement.said}
    if settlement.status is DeliveryStatus.SENT:
        values["sent_at"] = now
    if settlement.status is DeliveryStatus.UNKNOWN:
        values["may_have_arrived"] = True
    db.alert_history.update_many({"message_id": message_id}, {"$set": values})
    return db.alert_history.distinct("alert_id", {"message_id": message_id})


def alerts_of(db: Db, message_ids: Collection[str]) -> list[str]:
    """The alerts that these messages tell."""
    return db.alert_history.distinct("alert_id", {"message_id": {"$in": list(message_ids)}})


def leave_out(db: Db, delivery_ids: Sequence[str], status: DeliveryStatus, said: str) -> None:
    """Take rows out of their message: what they tell is not there, or cannot be read."""
    values = {"status": status.value, "last_error": said, "message_id": None}
    db.alert_history.update_many({"_id": {"$in": list(delivery_ids)}}, {"$set": values})


def alerts_open_for(db: Db, campaign_id: str, address_id: str) -> list[str]:
    """The alerts that an address has not been told yet."""
    open_statuses = [
        DeliveryStatus.PENDING,
        DeliveryStatus.FAILED,
        DeliveryStatus.UNKNOWN,
        DeliveryStatus.SENDING,
    ]
    query = {
        "campaign_id": campaign_id,
        "address_id": address_id,
        "status": {"$in": [status.value for status in open_statuses]},
    }
    return db.alert_history.distinct("alert_id", query)


def statuses_of(db: Db, alert_ids: Sequence[str]) -> dict[str, AlertStatus]:
    """What the rows of each alert say together."""
    pipeline: list[Row] = [
        {"$match": {"alert_id": {"$in": list(alert_ids)}}},
        {"$group": {"_id": "$alert_id", "statuses": {"$addToSet": "$status"}}},
    ]
    return {row["_id"]: _worst(set(row["statuses"])) for row in db.alert_history.aggregate(pipeline)}


def _worst(statuses: set[str]) -> AlertStatus:
    for deciding, status in WORST_FIRST:
        if statuses & {one.value for one in deciding}:
            return status
    return AlertStatus.DROPPED


def _document(delivery: Delivery) -> Row:
    row = asdict(delivery)
    del row["delivery_id"]
    return {**row, "status": DeliveryStatus.PENDING.value, "sent_at": None, "last_error": None}


def delivery_of(row: Row) -> Delivery:
    """A row as a value."""
    return Delivery(**{name: value for name, value in row.items() if name in NAMES}, delivery_id=row["_id"])
