"""alert_messages: a message for one receiver, claimed before it is sent, with every attempt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument, UpdateOne, WriteConcern

from socap_cli.model.alert import ClaimedMessage, DeliveryStatus, OutgoingMessage, Settlement
from socap_cli.model.message import MessageKind
from socap_cli.store.connect import Db, literal

Row = dict[str, Any]
JOURNALED = WriteConcern(w="majority", j=True)
OPEN = [DeliveryStatus.PENDING.value, DeliveryStatus.FAILED.value, DeliveryStatus.UNKNOWN.value]
UNTAKEN: Row = {
    "status": {"$in": [DeliveryStatus.PENDING.value, DeliveryStatus.FAILED.value]},
    "repeats": 0,
}
ATTEMPTS_KEPT = 30
SENDER_DIED = "the sender died before it heard the answer"


def put(db: Db, messages: Iterable[OutgoingMessage], *, now: datetime) -> None:
    """Write messages, due now; one that is there stays as it is."""
    operations = [
        UpdateOne({"_id": message.message_id}, {"$setOnInsert": _document(message, now)}, upsert=True)
        for message in messages
    ]
    if operations:
        db.alert_messages.bulk_write(operations, ordered=False)


def _document(message: OutgoingMessage, now: datetime) -> Row:
    return {
        "campaign_id": message.campaign_id,
        "channel": message.channel,
        "address_id": message.address_id,
        "receiver": message.receiver,
        "kind": message.kind.value,
        "is_vip": message.is_vip,
        "importance_score": message.importance_score,
        "status": DeliveryStatus.PENDING.value,
        "due": now,
        "created_at": now,
        "attempts": 0,
        "repeats": int(message.may_be_repeated),
        "log": [],
    }


def known(db: Db, message_ids: Sequence[str]) -> set[str]:
    """Which of these are written."""
    return {row["_id"] for row in db.alert_messages.find({"_id": {"$in": list(message_ids)}}, {"_id": 1})}


def _due(now: datetime, campaign_id: str | None) -> Row:
    query: Row = {"status": {"$in": OPEN}, "due": {"$lte": now}}
    return {**query, "campaign_id": campaign_id} if campaign_id else query


def due_addresses(db: Db, *, now: datetime, campaign_id: str | None = None) -> list[str]:
    """The address ids that messages are due for: of VIPs first, then where nothing was tried in vain."""
    found = db.alert_messages.aggregate(
        [
            {"$match": _due(now, campaign_id)},
            {
                "$group": {
                    "_id": "$address_id",
                    "is_vip": {"$max": "$is_vip"},
                    "attempts": {"$max": "$attempts"},
                }
            },
            {"$sort": {"is_vip": -1, "attempts": 1, "_id": 1}},
        ]
    )
    return [row["_id"] for row in found]


def due_of(
    db: Db, *, now: datetime, campaign_id: str | None = None, most_repeats: int | None = None
) -> dict[str, str]:
    """The messages that are due, each with the address id that it goes to.

    With `most_repeats` also those whose sender died, as long as they are sent again.
    """
    died = {
        "status": DeliveryStatus.SENDING.value,
        "lease_expires_at": {"$lte": now},
        "repeats": {"$lt": most_repeats or 0},
    }
    query = {"$or": [_due(now, None), died], **({"campaign_id": campaign_id} if campaign_id else {})}
    return {row["_id"]: row["address_id"] for row in db.alert_messages.find(query, {"address_id": 1})}


def is_due(db: Db, address_id: str, *, now: datetime, campaign_id: str | None = None) -> bool:
    """Whether a message is due for an address."""
    query = {**_due(now, campaign_id), "address_id": address_id}
    return db.alert_messages.find_one(query, {"_id": 1}) is not None


def claim(
    db: Db, address_id: str, *, token: str, now: datetime, lease: float, campaign_id: str | None = None
) -> ClaimedMessage | None:
    """Take the next due message of an address for `lease` seconds: VIPs first, then the most important."""
    # Journaled before anything is sent: a database that dies must not forget that it may have arrived.
    row = db.alert_messages.with_options(write_concern=JOURNALED).find_one_and_update(
        {**_due(now, campaign_id), "address_id": address_id},
        {
            "$set": {
                "status": DeliveryStatus.SENDING.value,
                "token": token,
                "lease_expires_at": now + timedelta(seconds=lease),
            },
            "$inc": {"attempts": 1},
        },
        sort=[("is_vip", -1), ("importance_score", -1), ("due", 1), ("_id", 1)],
        return_document=ReturnDocument.AFTER,
    )
    return _claimed(row, token) if row else None


def _claimed(row: Row, token: str) -> ClaimedMessage:
    return ClaimedMessage(
        message_id=row["_id"],
        campaign_id=row["campaign_id"],
        channel=row["channel"],
        address_id=row["address_id"],
        kind=MessageKind(row["kind"]),
        is_vip=row["is_vip"],
        created_at=row["created_at"],
        attempts=row["attempts"],
        repeats=row["repeats"],
        token=token,
    )


def open_of(db: Db, campaign_id: str) -> dict[str, str]:
    """A campaign's open messages, each with the address id that it goes to."""
    rows = db.alert_messages.find({"campaign_id": campaign_id, "status": {"$in": OPEN}}, {"address_id": 1})
    return {row["_id"]: row["address_id"] for row in rows}


def untaken_of(db: Db, campaign_id: str) -> set[str]:
    """A campaign's open messages of which nothing can have arrived."""
    return set(db.alert_messages.distinct("_id", {"campaign_id": campaign_id, **UNTAKEN}))


def campaigns_with_open(db: Db) -> list[str]:
    """The campaigns that have open messages."""
    return sorted(map(str, db.alert_messages.distinct("campaign_id", {"status": {"$in": OPEN}})))


def withdraw_for_address(db: Db, campaign_id: str, address_id: str, *, said: str, now: datetime) -> None:
    """A campaign's open messages for an address that is nobody's any more are not sent."""
    query = {"campaign_id": campaign_id, "address_id": address_id, "status": {"$in": OPEN}}
    _drop(db, query, said, now)


def withdraw(db: Db, message_id: str, *, said: str, now: datetime) -> None:
    """A message that nobody took, and that cannot have arrived, is not sent."""
    _drop(db, {"_id": message_id, **UNTAKEN}, said, now)


def _drop(db: Db, query: Row, said: str, now: datetime) -> None:
    db.alert_messages.update_many(query, _ended_as(DeliveryStatus.DROPPED, said, now))


def _ended_as(status: DeliveryStatus, said: str, now: datetime) -> Row:
    fields = {"status": status.value, "last_error": said, "due": None, "is_recorded": False}
    return {"$set": {**fields, "settled_at": now}}


def receiver_of(db: Db, message_id: str) -> str:
    """The receiver of a message as it may be shown."""
    row = db.alert_messages.find_one({"_id": message_id}, {"receiver": 1})
    return str(row["receiver"]) if row else ""


def settle(db: Db, message: ClaimedMessage, settlement: Settlement, *, now: datetime) -> bool:
    """Write an attempt's outcome under its token; False when somebody else has the message by now."""
    entry = {"at": now, "status": settlement.status.value, "said": settlement.said}
    update: Row = {
        "$set": {
            "status": settlement.status.value,
            "last_error": settlement.said,
            "traceback": settlement.traceback,
            "due": settlement.due,
            "token": None,
            "is_recorded": False,
            "settled_at": now,
        },
        "$push": {"log": {"$each": [entry], "$slice": -ATTEMPTS_KEPT}},
        "$inc": {"repeats": int(settlement.may_have_arrived)},
    }
    query = {"_id": message.message_id, "token": message.token}
    return db.alert_messages.update_one(query, update).modified_count == 1


def expire(db: Db, *, now: datetime, resend_unknown: bool, most_repeats: int) -> int:
    """Messages whose sender died while sending: they may have arrived. Returns how many there were."""
    again: Row = {"$cond": [{"$lt": ["$repeats", most_repeats]}, literal(now), None]}
    query = {"status": DeliveryStatus.SENDING.value, "lease_expires_at": {"$lte": now}}
    entry = {"at": now, "status": DeliveryStatus.UNKNOWN.value, "said": SENDER_DIED}
    fields = {
        "due": again if resend_unknown else None,
        "status": DeliveryStatus.UNKNOWN.value,
        "repeats": {"$add": ["$repeats", 1]},
        "last_error": SENDER_DIED,
        "token": None,
        "is_recorded": False,
        "settled_at": now,
        "log": {"$slice": [{"$concatArrays": ["$log", [literal(entry)]]}, -ATTEMPTS_KEPT]},
    }
    return db.alert_messages.update_many(query, [{"$set": fields}]).modified_count


def end_address(db: Db, address_id: str, *, said: str, now: datetime) -> int:
    """Everything still open for a dead address is dead too, and needs a person; returns how many."""
    query = {"address_id": address_id, "status": {"$in": OPEN}}
    return db.alert_messages.update_many(query, _ended_as(DeliveryStatus.DEAD, said, now)).modified_count
