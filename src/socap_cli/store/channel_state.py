"""channels: what is known of each address that alerts go to, under a name that does not tell it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument

from socap_cli.store.connect import Db

Row = dict[str, Any]
LONGEST_REST = 3600.0
"""Seconds that an address may ask to be left alone."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOW_MS: Row = {"$toDouble": {"$toLong": "$$NOW"}}


@dataclass(frozen=True, slots=True)
class SwitchedOff:
    """An address that takes nothing any more."""

    address_id: str
    channel: str
    campaign_id: str
    receiver: str
    reason: str
    off_since: datetime
    is_reported: bool


def reserve(db: Db, address_id: str, *, interval: float, max_wait: float) -> float:
    """Reserve the next moment at which a message may go to an address, all processes together.

    Returns the seconds until then, by the database's clock; a rest that the address asked for counts. A moment
    further away than `max_wait` is not reserved.
    """
    next_at = _heeded("$next_at", max_wait + interval)
    start = {"$max": [NOW_MS, next_at, _heeded("$rests_until", LONGEST_REST)]}
    taken = {
        "$cond": [{"$lte": ["$wait", max_wait * 1000]}, {"$add": ["$start", interval * 1000]}, "$next_at"]
    }
    row = db.channels.find_one_and_update(
        {"_id": address_id},
        [
            {"$set": {"start": start}},
            {"$set": {"wait": {"$subtract": ["$start", NOW_MS]}}},
            {"$set": {"next_at": taken}},
            {"$unset": "start"},
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None  # it was upserted
    return max(0.0, float(row["wait"]) / 1000)


def _heeded(moment: str, longest: float) -> Row:
    """A moment, unless it is further away than one can be that was noted by the clock as it is now."""
    return {"$cond": [{"$lte": [moment, {"$add": [NOW_MS, longest * 1000]}]}, moment, None]}


def rest(db: Db, address_id: str, *, seconds: float) -> None:
    """Let nothing through for so many seconds from now, whoever asks; never shortens a rest."""
    asked = {"$add": [NOW_MS, min(seconds, LONGEST_REST) * 1000]}
    until = {"$max": [_heeded("$rests_until", LONGEST_REST), asked]}
    db.channels.update_one(
        {"_id": address_id}, [{"$set": {"rests_until": until, "next_at": NOW_MS}}], upsert=True
    )


def switch_off(db: Db, off: SwitchedOff) -> None:
    """Switch an address off; the first reason stays."""
    fields = {
        "channel": off.channel,
        "campaign_id": off.campaign_id,
        "receiver": off.receiver,
        "reason": off.reason,
        "off_since": off.off_since,
        "is_reported": off.is_reported,
    }
    kept = {"$set": fields}
    db.channels.update_one({"_id": off.address_id}, {"$setOnInsert": {"next_at": 0.0}}, upsert=True)
    db.channels.update_one({"_id": off.address_id, "off_since": None}, kept)


def switched_off(db: Db) -> dict[str, SwitchedOff]:
    """Addresses that are switched off, by their ids."""
    rows = db.channels.find({"off_since": {"$gt": LONG_AGO}}).sort("off_since", 1)
    return {
        row["_id"]: SwitchedOff(
            row["_id"], row["channel"], row["campaign_id"], row["receiver"], row["reason"], row["off_since"],
            row["is_reported"],
        )
        for row in rows
    }  # fmt: skip


def claim_report(db: Db, address_id: str, *, lease: float) -> bool:
    """Whether this process may report that an address is off: nobody did, and nobody else is about to."""
    free = {"$or": [{"reporting_until": None}, {"$expr": {"$lte": ["$reporting_until", NOW_MS]}}]}
    claimed = db.channels.update_one(
        {"_id": address_id, "is_reported": False, **free},
        [{"$set": {"reporting_until": {"$add": [NOW_MS, lease * 1000]}}}],
    )
    return claimed.modified_count == 1


def note_reported(db: Db, address_id: str, *, is_reported: bool) -> None:
    """Whether somebody could be told that an address is off; else the next run tries again."""
    fields = {"is_reported": is_reported, "reporting_until": None}
    db.channels.update_one({"_id": address_id}, {"$set": fields})


def switch_on(db: Db, address_ids: Collection[str]) -> None:
    """Let messages go to these addresses again, at once."""
    db.channels.delete_many({"_id": {"$in": list(address_ids)}})
