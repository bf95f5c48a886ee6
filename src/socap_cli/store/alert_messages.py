"""alert_messages: a message for one receiver, claimed before it is sent, with every attempt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from pymongo import ReturnDocument, UpdateOne, WriteConcern

from socap_cli.model.alert import (
    AlertStatus,
    ClaimedMessage,
    Delivery,
    DeliveryStatus,
    OutgoingMessage,
    Settlement,
)
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


DELIVERY_FIELDS = frozenset(field.name for field in fields(Delivery))


WORST_FIRST = (
    ((DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.FAILED), AlertStatus.SENDING),
    ((DeliveryStatus.DEAD,), AlertStatus.DEAD),
    ((DeliveryStatus.UNKNOWN,), AlertStatus.UNKNOWN),
    ((DeliveryStatus.SENT,), AlertStatus.SENT),
)
"""Which delivery decides about its alert."""


ENDED = [DeliveryStatus.DEAD.value, DeliveryStatus.UNKNOWN.value]


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


def put_deliveries(db: Db, deliveries: Sequence[Delivery]) -> None:
    """Write rows under ids of alert and receiver; one that is there stays, and one that was let go is open again."""
    operations = [
        UpdateOne({"_id": delivery.delivery_id}, {"$setOnInsert": _delivery_document(delivery)}, upsert=True)
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


def _delivery_document(delivery: Delivery) -> Row:
    row = asdict(delivery)
    del row["delivery_id"]
    return {**row, "status": DeliveryStatus.PENDING.value, "sent_at": None, "last_error": None}


def delivery_of(row: Row) -> Delivery:
    """A row as a value."""
    return Delivery(
        **{name: value for name, value in row.items() if name in DELIVERY_FIELDS}, delivery_id=row["_id"]
    )


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
