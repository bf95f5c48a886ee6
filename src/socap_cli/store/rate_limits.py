"""One limiter for every process that shares a key: a reservation GCRA a endpoint, by the database's clock.

A caller reserves the next free moment and sleeps until then by itself. `tat` is the theoretical arrival
time of the generic cell rate algorithm (ITU-T I.371, annex A).
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

from pymongo import ReturnDocument

from socap_cli.store.connect import Db

SAFETY = 0.96
"""Part of the configured rate that is used, since sleepers do not wake to the microsecond."""


def limiter_id(key: str, endpoint: str) -> str:
    """Names a key and endpoint without telling the key."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:8]}:{endpoint}"


def reserve(
    db: Db, limiter: str, *, rate: float, max_wait: float, turns: int = 1
) -> list[tuple[bool, float]]:
    """Reserve the next turns at once: for each, (granted, seconds to wait).

    A turn further away than `max_wait` is refused, with the time until it, and leaves the limiter as it was.
    `rate` 0 only heeds blocks.
    """
    interval = 1000 / (rate * SAFETY) if rate else 0.0
    now = {"$toDouble": {"$toLong": "$$NOW"}}  # milliseconds: a date would round the interval to whole ones
    start = {"$max": [now, "$tat", {"$toDouble": {"$toLong": "$blocked_until"}}]}
    left = {"$subtract": [int(max_wait * 1000), "$wait"]}
    within = {"$add": [1, {"$floor": {"$divide": [left, interval]}}]} if interval else turns
    granted = {"$cond": [{"$gte": [left, 0]}, {"$min": [turns, within]}, 0]}
    row = db.rate_limits.find_one_and_update(
        {"_id": limiter},
        [
            {"$set": {"wait": {"$subtract": [start, now]}, "start": start}},
            {"$set": {"granted": granted}},
            {
                "$set": {
                    "tat": {
                        "$cond": [
                            "$granted",
                            {"$add": ["$start", {"$multiply": ["$granted", interval]}]},
                            "$tat",
                        ]
                    }
                }
            },
            {"$unset": "start"},
        ],
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None  # it was upserted
    waits = [(row["wait"] + number * interval) / 1000 for number in range(turns)]
    next_free = (row["wait"] + row["granted"] * interval) / 1000
    return [
        (True, wait) if number < row["granted"] else (False, next_free) for number, wait in enumerate(waits)
    ]


def block(db: Db, limiter: str, seconds: float) -> None:
    """Close the endpoint for everybody who shares the key, from now; never shortens a block."""
    until = {"$add": ["$$NOW", int(seconds * 1000)]}
    db.rate_limits.update_one(
        {"_id": limiter},
        [
            {
                "$set": {
                    "blocked_until": {"$max": ["$blocked_until", until]},
                    "limited": {"$add": [{"$ifNull": ["$limited", 0]}, 1]},
                }
            }
        ],
        upsert=True,
    )


def blocked(db: Db) -> list[dict[str, Any]]:
    """Endpoints that are closed right now: {endpoint, seconds}."""
    rows = db.rate_limits.aggregate(
        [
            {"$match": {"$expr": {"$gt": ["$blocked_until", "$$NOW"]}}},
            {"$project": {"left": {"$subtract": ["$blocked_until", "$$NOW"]}}},
        ]
    )
    return [
        {
            "endpoint": row["_id"].split(":", 1)[1],
            "seconds": timedelta(milliseconds=row["left"]).total_seconds(),
        }
        for row in rows
    ]
