"""alert_queue (what is to be told), alert_history (a row per message, channel and receiver), channels.

An alert's id is made of campaign and engagement, so planning twice writes once. A message is formed by
sealing the first due alert of a group with the ids of all it tells; a unique index on those ids lets an
alert stand in one message only, whoever forms it and whenever it dies.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument, UpdateOne, WriteConcern
from pymongo.errors import DuplicateKeyError

from socap_cli.model import DeliveryStatus, Engagement
from socap_cli.store import engagements
from socap_cli.store.connect import Db

PENDING, SEALED, DISPATCHED, MERGED = "pending", "sealed", "dispatched", "merged"
JOURNALED = WriteConcern(w="majority", j=True)
OPEN_DELIVERIES = (DeliveryStatus.PENDING.value, DeliveryStatus.FAILED.value, DeliveryStatus.UNKNOWN.value)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one receiver over one channel, claimed for sending."""

    delivery_id: str
    alert_id: str
    campaign_id: str
    channel: str
    receiver: str
    attempts: int
    token: str
    may_have_arrived: bool


def put(db: Db, rows: Iterable[dict[str, Any]]) -> int:
    """Queue alerts, each under its `_id`; return how many were not there before."""
    operations = [
        UpdateOne(
            {"_id": row["_id"]},
            {"$setOnInsert": {**{k: v for k, v in row.items() if k != "_id"}, "state": PENDING}},
            upsert=True,
        )
        for row in rows
    ]
    return db.alert_queue.bulk_write(operations, ordered=False).upserted_count if operations else 0


def due(db: Db, *, now: datetime) -> list[dict[str, Any]]:
    """Pending alerts whose time has come, earliest first."""
    return list(
        db.alert_queue.find({"state": PENDING, "scheduled_at": {"$lte": now}}).sort(
            [("scheduled_at", 1), ("_id", 1)]
        )
    )


def waiting(db: Db, *, now: datetime) -> int:
    """Pending alerts whose time has not come."""
    return db.alert_queue.count_documents({"state": PENDING, "scheduled_at": {"$gt": now}})


def pending_of_group(db: Db, group_key: str) -> list[dict[str, Any]]:
    return list(
        db.alert_queue.find({"group_key": group_key, "state": PENDING}).sort(
            [("scheduled_at", 1), ("_id", 1)]
        )
    )


def put_off(db: Db, alert_ids: Sequence[str], until: datetime) -> None:
    db.alert_queue.update_many(
        {"_id": {"$in": list(alert_ids)}, "state": PENDING}, {"$set": {"scheduled_at": until, "held": True}}
    )


def seal(db: Db, leader: str, members: Sequence[str], *, now: datetime) -> bool:
    """Make one message of these alerts, the leader among them. False when another message has one of them."""
    try:
        sealed = db.alert_queue.update_one(
            {"_id": leader, "state": PENDING},
            {"$set": {"state": SEALED, "items": list(members), "sealed_at": now}},
        )
    except DuplicateKeyError:
        return False
    return sealed.modified_count == 1


def mark_merged(db: Db, leader: str, members: Sequence[str]) -> None:
    db.alert_queue.update_many(
        {"_id": {"$in": [member for member in members if member != leader]}, "state": PENDING},
        {"$set": {"state": MERGED, "merged_into": leader}},
    )


def message_with(db: Db, alert_id: str) -> dict[str, Any] | None:
    """The message that already tells an alert."""
    return db.alert_queue.find_one({"items": alert_id})


def sealed(db: Db) -> list[dict[str, Any]]:
    """Messages whose deliveries may not all be written yet."""
    return list(db.alert_queue.find({"state": SEALED}).sort([("scheduled_at", 1), ("_id", 1)]))


def message(db: Db, alert_id: str) -> dict[str, Any] | None:
    return db.alert_queue.find_one({"_id": alert_id})


def dispatched(db: Db, alert_id: str) -> None:
    db.alert_queue.update_one({"_id": alert_id, "state": SEALED}, {"$set": {"state": DISPATCHED}})


def last_told(db: Db, group_key: str) -> datetime | None:
    """When a group was last told something."""
    row = db.alert_windows.find_one({"_id": group_key})
    return row["told_at"] if row else None


def told(db: Db, group_key: str, at: datetime) -> None:
    db.alert_windows.update_one({"_id": group_key}, {"$max": {"told_at": at}}, upsert=True)


def engagements_of(db: Db, alert_ids: Sequence[str]) -> list[Engagement]:
    """The engagements that a message tells."""
    rows = db.alert_queue.find({"_id": {"$in": list(alert_ids)}}, {"engagement_id": 1})
    return engagements.of_ids(db, [row["engagement_id"] for row in rows])


def delivery_id(alert_id: str, channel: str, receiver: str) -> str:
    """Names a delivery without telling the receiver, whose address may be a secret."""
    return f"{alert_id}|{channel}|{hashlib.sha256(receiver.encode()).hexdigest()[:10]}"


def open_delivery(
    db: Db, *, alert_id: str, campaign_id: str, channel: str, receiver: str, shown_as: str, now: datetime
) -> None:
    """Write a delivery's row unless it is there. `receiver` itself is stored for e-mail only."""
    db.alert_history.update_one(
        {"_id": delivery_id(alert_id, channel, receiver)},
        {
            "$setOnInsert": {
                "alert_id": alert_id,
                "campaign_id": campaign_id,
                "channel": channel,
                "receiver": shown_as,
                "receiver_mark": channel_id(channel, receiver),
                "state": DeliveryStatus.PENDING.value,
                "due": now,
                "attempts": 0,
                "created_at": now,
            }
        },
        upsert=True,
    )


def expire_sending(db: Db) -> int:
    """Deliveries whose sender died while sending: they may have arrived."""
    return db.alert_history.update_many(
        {"state": DeliveryStatus.SENDING.value, "$expr": {"$lte": ["$lease_expires_at", "$$NOW"]}},
        {
            "$set": {
                "state": DeliveryStatus.UNKNOWN.value,
                "may_have_arrived": True,
                "last_error": "the sender died before it heard the answer",
            }
        },
    ).modified_count


def claim_delivery(
    db: Db, *, now: datetime, resend_unknown: bool, skip: Sequence[str], lease: float
) -> Delivery | None:
    """Take the next due delivery; `skip` names channel marks that must rest now."""
    token = secrets.token_hex(8)
    states = [s for s in OPEN_DELIVERIES if resend_unknown or s != DeliveryStatus.UNKNOWN.value]
    # Journaled before anything is sent: a database that dies must not forget that it may have arrived.
    row = db.alert_history.with_options(write_concern=JOURNALED).find_one_and_update(
        {"state": {"$in": states}, "due": {"$lte": now}, "receiver_mark": {"$nin": list(skip)}},
        [
            {
                "$set": {
                    "state": DeliveryStatus.SENDING.value,
                    "token": token,
                    "lease_expires_at": {"$add": ["$$NOW", int(lease * 1000)]},
                    "attempts": {"$add": ["$attempts", 1]},
                }
            }
        ],
        sort=[("due", 1), ("_id", 1)],
        return_document=ReturnDocument.AFTER,
    )
    if row is None:
        return None
    return Delivery(
        delivery_id=row["_id"],
        alert_id=row["alert_id"],
        campaign_id=row["campaign_id"],
        channel=row["channel"],
        receiver=row["receiver"],
        attempts=row["attempts"],
        token=token,
        may_have_arrived=bool(row.get("may_have_arrived")),
    )


def settle_delivery(
    db: Db,
    delivery: Delivery,
    state: DeliveryStatus,
    *,
    now: datetime,
    due: datetime | None = None,
    error: str | None = None,
    counts: bool = True,
) -> bool:
    """Write a delivery's outcome under its token; False when somebody else has it by now."""
    changes: dict[str, Any] = {"state": state.value, "last_error": error, "token": None, "due": due or now}
    if state is DeliveryStatus.SENT:
        changes["sent_at"] = now
    if state is DeliveryStatus.UNKNOWN:
        changes["may_have_arrived"] = True
    update: dict[str, Any] = {"$set": changes}
    if not counts:
        update["$inc"] = {"attempts": -1}
    return (
        db.alert_history.update_one(
            {"_id": delivery.delivery_id, "token": delivery.token}, update
        ).modified_count
        == 1
    )


def kill_channel_deliveries(db: Db, mark: str, *, error: str) -> int:
    """Everything still open for a dead channel is dead too, and needs a person."""
    return db.alert_history.update_many(
        {"receiver_mark": mark, "state": {"$in": list(OPEN_DELIVERIES)}},
        {"$set": {"state": DeliveryStatus.DEAD.value, "last_error": error}},
    ).modified_count


def retry_dead(db: Db, *, campaign_id: str | None, now: datetime) -> int:
    """Let dead and unknown deliveries try again, and switch their channels on."""
    query: dict[str, Any] = {"state": {"$in": [DeliveryStatus.DEAD.value, DeliveryStatus.UNKNOWN.value]}}
    if campaign_id:
        query["campaign_id"] = campaign_id
    marks = db.alert_history.distinct("receiver_mark", query)
    db.channels.delete_many({"_id": {"$in": marks}})
    again = {"state": DeliveryStatus.FAILED.value, "due": now, "attempts": 0}
    return db.alert_history.update_many(query, {"$set": again}).modified_count


def channel_id(channel: str, receiver: str) -> str:
    return f"{channel}:{hashlib.sha256(receiver.encode()).hexdigest()[:10]}"


def switch_off(db: Db, mark: str, *, reason: str, now: datetime) -> bool:
    """Switch a channel off; True the first time."""
    result = db.channels.update_one(
        {"_id": mark}, {"$setOnInsert": {"reason": reason, "off_since": now}}, upsert=True
    )
    return result.upserted_id is not None


def switched_off(db: Db) -> dict[str, str]:
    return {row["_id"]: row["reason"] for row in db.channels.find({"off_since": {"$exists": True}})}


def reserve_channel(db: Db, mark: str, *, interval: float) -> float:
    """Seconds to wait before the next message to a channel, shared by all processes: one each `interval`."""
    row = db.rate_limits.find_one_and_update(
        {"_id": f"channel:{mark}"},
        [
            {"$set": {"start": {"$max": ["$$NOW", "$tat"]}}},
            {
                "$set": {
                    "wait": {"$subtract": ["$start", "$$NOW"]},
                    "tat": {"$add": ["$start", int(interval * 1000)]},
                }
            },
            {"$unset": "start"},
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None  # it was upserted
    return float(row["wait"]) / 1000


def drop_campaign(db: Db, campaign_id: str) -> int:
    """Let go of what a deleted campaign had still to be told."""
    return db.alert_queue.update_many(
        {"campaign_id": campaign_id, "state": {"$in": [PENDING, SEALED]}}, {"$set": {"state": "dropped"}}
    ).modified_count


def listed(db: Db, *, campaign_id: str | None, state: str | None, limit: int) -> list[dict[str, Any]]:
    """Deliveries, latest first."""
    query: dict[str, Any] = {}
    if campaign_id:
        query["campaign_id"] = campaign_id
    query["state"] = state or {"$in": [s.value for s in DeliveryStatus]}
    return list(db.alert_history.find(query).sort("created_at", -1).limit(limit))


def counts(db: Db, campaign_id: str | None = None) -> dict[str, int]:
    """Deliveries by state."""
    of = (
        {"campaign_id": campaign_id} if campaign_id else {"state": {"$in": [s.value for s in DeliveryStatus]}}
    )
    rows = db.alert_history.aggregate([{"$match": of}, {"$group": {"_id": "$state", "n": {"$sum": 1}}}])
    return {row["_id"]: row["n"] for row in rows}
