"""alert_messages: the outbox. A message holds the alerts it brings to one recipient, and is claimed before it is sent.

The state of a delivery is stored here and only here. `record` copies it to where other tools read it: a row for
each alert and recipient in alert_history, and the status of each alert in alert_queue.
A unique index on (alert, address) keeps an alert from standing in two messages to one address.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pymongo import InsertOne, ReturnDocument, UpdateOne, WriteConcern

from socap_cli.model.alert import (
    AlertStatus,
    ClaimedMessage,
    DeliveryStatus,
    OpenMessage,
    OutgoingMessage,
    Settlement,
)
from socap_cli.model.message import MessageKind
from socap_cli.store.connect import Db, literal, value_of, write_new

Row = dict[str, Any]

JOURNALED = WriteConcern(w="majority", j=True)
ATTEMPTS_KEPT = 30
SENDER_DIED = "the sender died before it read the response"

OPEN = [DeliveryStatus.PENDING, DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN]
UNTAKEN: Row = {
    "status": {"$in": [DeliveryStatus.PENDING, DeliveryStatus.FAILED]},
    "repeats": 0,
}
"""Nothing of such a message can have arrived."""
ENDED = [DeliveryStatus.DEAD, DeliveryStatus.UNKNOWN]
IN_MESSAGES = [AlertStatus.SENDING, AlertStatus.SENT, AlertStatus.DEAD, AlertStatus.UNKNOWN]
WORST_FIRST = (
    ((DeliveryStatus.PENDING, DeliveryStatus.SENDING, DeliveryStatus.FAILED), AlertStatus.SENDING),
    ((DeliveryStatus.DEAD,), AlertStatus.DEAD),
    ((DeliveryStatus.UNKNOWN,), AlertStatus.UNKNOWN),
    ((DeliveryStatus.SENT,), AlertStatus.SENT),
)
"""Which delivery decides the status of its alert."""
OF_THE_ALERT = (
    "alert_id", "engagement_id", "user_id", "action_type", "importance_score", "is_vip", "is_backlog", "run_batch",
)  # fmt: skip


def put(db: Db, messages: Sequence[OutgoingMessage], *, now: datetime) -> set[str]:
    """Store messages, due now. Returns the alerts of those refused because a message has one of them already."""
    refused = write_new(db.alert_messages, [InsertOne(_document(one, now)) for one in messages])
    return {delivery.alert.alert_id for place in refused for delivery in messages[place].deliveries}


def _document(message: OutgoingMessage, now: datetime) -> Row:
    first = message.deliveries[0]
    rows = [
        {
            **{name: getattr(one.alert, name) for name in OF_THE_ALERT},
            "is_gathered": one.is_gathered,
            "may_have_arrived": one.may_have_arrived,
        }
        for one in message.deliveries
    ]
    return {
        "_id": message.message_id,
        "campaign_id": message.campaign_id,
        "channel": first.channel,
        "address_id": first.address_id,
        "receiver": first.receiver,
        "kind": message.kind,
        "is_vip": message.is_vip,
        "importance_score": max(row["importance_score"] or 0.0 for row in rows),
        "rows": rows,
        "status": DeliveryStatus.PENDING,
        "due": now,
        "created_at": now,
        "attempts": 0,
        "repeats": int(any(one.may_have_arrived for one in message.deliveries)),
        "revision": 1,
        "is_recorded": False,
        "settled_at": now,
        "log": [],
    }


def deliveries_of(db: Db, alert_ids: Collection[str], *, without: Collection[str] = ()) -> dict[str, str]:
    """The deliveries of these alerts that stand in messages, each with its alert; without those of some messages."""
    ids = set(alert_ids)
    query = {"rows.alert_id": {"$in": list(ids)}, "_id": {"$nin": list(without)}}
    found = db.alert_messages.find(query, {"address_id": 1, "rows.alert_id": 1})
    return {
        f"{row['alert_id']}|{message['address_id']}": row["alert_id"]
        for message in found
        for row in message["rows"]
        if row["alert_id"] in ids
    }


def may_have_arrived(db: Db, delivery_ids: Iterable[str]) -> set[str]:
    """Those that stood in an earlier message whose response was lost."""
    query = {"_id": {"$in": list(delivery_ids)}, "may_have_arrived": True}
    return {row["_id"] for row in db.alert_history.find(query, {"_id": 1})}


def last_notified(
    db: Db, campaign_id: str, *, since: datetime, without: Collection[str] = ()
) -> dict[tuple[str, str], datetime]:
    """When each (user, action) was alerted last, by messages made or sent since then. One that never arrived
    does not count, nor do those in `without`."""
    never_arrived = [DeliveryStatus.DROPPED, DeliveryStatus.DEAD]
    match = {
        "campaign_id": campaign_id,
        "status": {"$nin": never_arrived},
        "message_id": {"$nin": list(without)},
        "$or": [{"created_at": {"$gte": since}}, {"sent_at": {"$gte": since}}],
    }
    key = {"user": "$user_id", "action": "$action_type"}
    latest = {"$max": {"$max": ["$created_at", "$sent_at"]}}
    rows = db.alert_history.aggregate([{"$match": match}, {"$group": {"_id": key, "at": latest}}])
    return {(row["_id"]["user"], row["_id"]["action"]): row["at"] for row in rows}


def open_messages(db: Db, *, now: datetime, most_repeats: int = 0) -> list[OpenMessage]:
    """Messages that may still be sent. With `most_repeats` those count whose sender died, as `expire` reopens them."""
    expired = {"status": DeliveryStatus.SENDING, "lease_expires_at": {"$lte": now}}
    fields = {"campaign_id": 1, "address_id": 1, "rows.alert_id": 1, "status": 1, "due": 1, "repeats": 1}
    found = []
    for row in db.alert_messages.find({"$or": [{"status": {"$in": OPEN}}, expired]}, fields):
        is_expired = row["status"] == DeliveryStatus.SENDING
        due = row.get("due") is not None and row["due"] <= now
        found.append(
            OpenMessage(
                row["_id"],
                row["campaign_id"],
                row["address_id"],
                tuple(one["alert_id"] for one in row.get("rows", ())),
                is_due=row["repeats"] < most_repeats if is_expired else due,
                may_have_arrived=row["repeats"] > 0 or row["status"] not in UNTAKEN["status"]["$in"],
            )
        )
    return found


def withdraw(db: Db, reasons: Mapping[str, str], *, now: datetime, whatever: Collection[str]) -> None:
    """Take back messages that nobody took, each for its reason; their rows are free for other messages.

    For a reason in `whatever` those that may have arrived are taken back as well.
    """
    by_reason: dict[str, list[str]] = {}
    for message_id, reason in reasons.items():
        by_reason.setdefault(reason, []).append(message_id)
    for reason, ids in by_reason.items():
        query = {"_id": {"$in": ids}, **({"status": {"$in": OPEN}} if reason in whatever else UNTAKEN)}
        moved = {"withdrawn_rows": "$rows", "rows": "$$REMOVE"}
        fields = {"status": DeliveryStatus.DROPPED, "last_error": literal(reason), "due": None}
        _change(db, query, {**fields, **moved}, now=now)


def _change(db: Db, query: Row, fields: Row, *, now: datetime) -> int:
    """Set fields, which may be expressions, and note that the messages are to be recorded."""
    changed = {"is_recorded": False, "settled_at": now, "revision": {"$add": ["$revision", 1]}}
    return db.alert_messages.update_many(query, [{"$set": {**fields, **changed}}]).modified_count


def due_addresses(db: Db, *, now: datetime, campaign_id: str | None = None) -> list[str]:
    """The address ids that messages are due for: VIPs first, then those without failed attempts."""
    key = {"_id": "$address_id", "is_vip": {"$max": "$is_vip"}, "attempts": {"$max": "$attempts"}}
    order = {"is_vip": -1, "attempts": 1, "_id": 1}
    pipeline: list[Row] = [{"$match": _due(now, campaign_id)}, {"$group": key}, {"$sort": order}]
    return [row["_id"] for row in db.alert_messages.aggregate(pipeline)]


def _due(now: datetime, campaign_id: str | None) -> Row:
    query: Row = {"status": {"$in": OPEN}, "due": {"$lte": now}}
    return {**query, "campaign_id": campaign_id} if campaign_id else query


def is_due(db: Db, address_id: str, *, now: datetime, campaign_id: str | None = None) -> bool:
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
                "status": DeliveryStatus.SENDING,
                "token": token,
                "lease_expires_at": now + timedelta(seconds=lease),
            },
            "$inc": {"attempts": 1},
        },
        sort=[("is_vip", -1), ("importance_score", -1), ("due", 1), ("_id", 1)],
        return_document=ReturnDocument.AFTER,
    )
    if row is None:
        return None
    about = {one["alert_id"]: one["engagement_id"] for one in row["rows"] if "status" not in one}
    kind = MessageKind(row["kind"])
    return value_of(ClaimedMessage, row, message_id=row["_id"], kind=kind, engagements=about)


def leave_out(db: Db, message_id: str, alert_ids: Sequence[str], status: DeliveryStatus, error: str) -> None:
    """These alerts of a message cannot be delivered; the others can."""
    db.alert_messages.update_one(
        {"_id": message_id},
        {"$set": {"rows.$[row].status": status, "rows.$[row].last_error": error}},
        array_filters=[{"row.alert_id": {"$in": list(alert_ids)}}],
    )


def settle(db: Db, message: ClaimedMessage, settlement: Settlement, *, now: datetime) -> None:
    """Write the outcome of an attempt, unless somebody else has the message by now."""
    entry = {"at": now, "status": settlement.status, "said": settlement.error}
    update: Row = {
        "$set": {
            "status": settlement.status,
            "last_error": settlement.error,
            "traceback": settlement.traceback,
            "due": settlement.due,
            "token": None,
            "is_recorded": False,
            "settled_at": now,
        },
        "$push": {"log": {"$each": [entry], "$slice": -ATTEMPTS_KEPT}},
        "$inc": {"repeats": int(settlement.may_have_arrived), "revision": 1},
    }
    db.alert_messages.update_one({"_id": message.message_id, "token": message.token}, update)
    record(db, [message.message_id])


def expire(db: Db, *, now: datetime, resend_unknown: bool, most_repeats: int) -> None:
    """Messages whose sender died while sending may have arrived."""
    again: Row = {"$cond": [{"$lt": ["$repeats", most_repeats]}, literal(now), None]}
    query = {"status": DeliveryStatus.SENDING, "lease_expires_at": {"$lte": now}}
    entry = {"at": now, "status": DeliveryStatus.UNKNOWN, "said": SENDER_DIED}
    fields = {
        "due": again if resend_unknown else None,
        "status": DeliveryStatus.UNKNOWN,
        "repeats": {"$add": ["$repeats", 1]},
        "last_error": SENDER_DIED,
        "token": None,
        "log": {"$slice": [{"$concatArrays": ["$log", [literal(entry)]]}, -ATTEMPTS_KEPT]},
    }
    _change(db, query, fields, now=now)


def end_address(db: Db, address_id: str, *, reason: str, now: datetime) -> None:
    """Everything open for a dead address is dead too, until `retry`."""
    query = {"address_id": address_id, "status": {"$in": OPEN}}
    fields = {"status": DeliveryStatus.DEAD, "last_error": literal(reason), "due": None}
    _change(db, query, fields, now=now)
    record(db)


def retry(
    db: Db, *, now: datetime, campaign_id: str | None = None, message_ids: Sequence[str] | None = None
) -> int:
    """Try dead messages, and those that may have arrived, again as if for the first time; returns how many."""
    fields = {"status": DeliveryStatus.FAILED, "due": now, "attempts": 0, "traceback": None}
    count = _change(db, _ended(campaign_id, message_ids), fields, now=now)
    record(db)
    return count


def ended(
    db: Db, *, campaign_id: str | None = None, message_ids: Sequence[str] | None = None
) -> dict[str, str]:
    """The messages that `retry` would try again, with their address ids."""
    rows = db.alert_messages.find(_ended(campaign_id, message_ids), {"address_id": 1})
    return {row["_id"]: row["address_id"] for row in rows}


def waiting_for(db: Db, address_ids: Collection[str], *, campaign_id: str | None = None) -> int:
    """How many messages wait for these addresses, until they are sent or retried."""
    query = {"address_id": {"$in": list(address_ids)}, "status": {"$in": [*OPEN, DeliveryStatus.DEAD]}}
    of: Row = {"campaign_id": campaign_id} if campaign_id else {}
    return db.alert_messages.count_documents({**query, **of}) if address_ids else 0


def _ended(campaign_id: str | None, message_ids: Sequence[str] | None) -> Row:
    query: Row = {"status": {"$in": ENDED}}
    if campaign_id:
        query["campaign_id"] = campaign_id
    if message_ids is not None:
        query["_id"] = {"$in": list(message_ids)}
    return query


def record(db: Db, message_ids: Collection[str] | None = None) -> None:
    """Copy what became of messages to alert_history and alert_queue; without ids, of all that a killed run left.

    When one changed while it was copied, all are copied again, with the others of their alerts.
    """
    query: Row = {"is_recorded": False}
    if message_ids is not None:
        query["_id"] = {"$in": list(message_ids)}
    while messages := list(db.alert_messages.find(query)):
        if rows := [write for one in messages for write in _history(one)]:
            db.alert_history.bulk_write(rows, ordered=False)
        alert_ids = {row["alert_id"] for one in messages for row in _rows(one)}
        write_statuses(db, alert_ids)
        done = [
            UpdateOne(
                {"_id": one["_id"], "revision": one["revision"]},
                {"$unset": {"is_recorded": "", "withdrawn_rows": ""}},
            )
            for one in messages
        ]
        if db.alert_messages.bulk_write(done, ordered=False).matched_count == len(messages):
            return
        ids = [one["_id"] for one in messages]
        again = {"$or": [{"_id": {"$in": ids}}, {"rows.alert_id": {"$in": list(alert_ids)}}]}
        db.alert_messages.update_many(again, {"$set": {"is_recorded": False}})
        query = {"is_recorded": False, **again}


def _rows(message: Row) -> list[Row]:
    rows: list[Row] = message.get("rows") or message.get("withdrawn_rows") or []
    return rows


def _history(message: Row) -> list[UpdateOne]:
    rows = _rows(message)
    was_unknown = message["repeats"] > int(any(row["may_have_arrived"] for row in rows))
    is_withdrawn = "rows" not in message
    writes = []
    for row in rows:
        key = {"_id": f"{row['alert_id']}|{message['address_id']}"}
        values = {
            "status": row.get("status") or message["status"],
            "last_error": row.get("last_error") or message.get("last_error"),
            "may_have_arrived": was_unknown or row["may_have_arrived"],
        }
        if is_withdrawn:  # by now the row may stand in another message
            writes.append(UpdateOne({**key, "message_id": message["_id"]}, {"$set": values}))
            continue
        if values["status"] == DeliveryStatus.SENT:
            values["sent_at"] = message["settled_at"]
        values |= {name: row[name] for name in (*OF_THE_ALERT, "is_gathered")}
        values |= {
            name: message[name] for name in ("campaign_id", "channel", "address_id", "receiver", "created_at")
        }
        values |= {"message_id": message["_id"], "message_kind": message["kind"]}
        fresh = {} if "sent_at" in values else {"$setOnInsert": {"sent_at": None}}
        writes.append(UpdateOne(key, {"$set": values, **fresh}, upsert=True))
    return writes


def write_statuses(db: Db, alert_ids: Collection[str]) -> None:
    """Write the status of alerts in messages, the worst of their deliveries, to alert_queue.

    Read again after writing: another process may have settled a message in between, and written before us.
    """
    ids = list(alert_ids)
    pipeline: list[Row] = [
        {"$match": {"rows.alert_id": {"$in": ids}}},
        {"$unwind": "$rows"},
        {"$match": {"rows.alert_id": {"$in": ids}}},
        {"$group": {"_id": "$rows.alert_id", "all": {"$addToSet": {"$ifNull": ["$rows.status", "$status"]}}}},
    ]
    written: dict[str, str] = {}
    while True:
        statuses = {row["_id"]: _worst(set(row["all"])) for row in db.alert_messages.aggregate(pipeline)}
        if statuses == written:
            return
        db.alert_queue.bulk_write(
            [
                UpdateOne({"_id": alert_id, "status": {"$in": IN_MESSAGES}}, {"$set": {"status": status}})
                for alert_id, status in statuses.items()
            ],
            ordered=False,
        )
        written = statuses


def _worst(statuses: set[str]) -> str:
    for deciding, status in WORST_FIRST:
        if statuses & set(deciding):
            return status
    return AlertStatus.DROPPED
