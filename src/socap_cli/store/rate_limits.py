"""One limiter for every process that shares a key: a reservation GCRA for each limit scope, by the database's clock.

A caller reserves the next free moment and sleeps until then by itself. `tat` is the theoretical arrival
time of the generic cell rate algorithm (ITU-T I.371, annex A). The same document says when a scope is
blocked (`blocked_until`: the provider said so) or closed (`closed_since`: it does not answer; then one
request at a time is let through, to find out when it does).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import ReturnDocument

from socap_cli.model import ClosedEndpoint
from socap_cli.store.connect import Db, literal

SAFETY = 0.96
"""Part of the configured rate that is used, since sleepers do not wake to the microsecond."""
PROBE_EVERY = 2.0
"""Seconds between two requests to a scope that does not answer."""
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
NOW_MS = {"$toDouble": {"$toLong": "$$NOW"}}
"""Milliseconds: a date would round an interval to whole ones."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A reserved moment: whether it was granted, and the seconds until it or, refused, until one is free."""

    granted: bool
    wait: float
    closed: bool = False
    """Whether the scope does not answer, so that this is a probe."""


def limiter_id(key: str, scope: str) -> str:
    """Names a key and limit scope without telling the key."""
    return f"{hashlib.sha256(key.encode()).hexdigest()[:8]}:{scope}"


def reserve(db: Db, limiter: str, *, rate: float, max_wait: float, turns: int = 1) -> list[Turn]:
    """Reserve the next turns at once; `rate` is in requests a second, and 0 only heeds blocks.

    A turn further away than `max_wait` seconds is refused, and leaves the limiter as it was.
    """
    interval = 1000 / (rate * SAFETY) if rate else 0.0
    row = db.rate_limits.find_one_and_update(
        {"_id": limiter},
        _reservation(interval, int(max_wait * 1000), turns),
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    assert row is not None  # it was upserted
    granted, closed, spacing = row["granted"], row["closed"], row["spacing"]
    free_in = (row["wait"] + granted * spacing) / 1000
    return [
        Turn(
            number < granted, (row["wait"] + number * spacing) / 1000 if number < granted else free_in, closed
        )
        for number in range(turns)
    ]


def _reservation(interval: float, max_wait: int, turns: int) -> list[dict[str, Any]]:
    start = {"$max": [NOW_MS, "$tat", {"$toDouble": {"$toLong": "$blocked_until"}}]}
    left = {"$subtract": [max_wait, "$wait"]}
    within = {"$add": [1, {"$floor": {"$divide": [left, interval]}}]} if interval else turns
    open_turns = {"$cond": [{"$gte": [left, 0]}, {"$min": [turns, within]}, 0]}
    probe = {"$cond": [{"$lte": ["$wait", 0]}, 1, 0]}
    moved = {"$add": ["$start", {"$multiply": ["$granted", "$spacing"]}]}
    return [
        {
            "$set": {
                "start": start,
                "wait": {"$subtract": [start, NOW_MS]},
                "closed": {"$gt": ["$closed_since", None]},
            }
        },
        {
            "$set": {
                "granted": {"$cond": ["$closed", probe, open_turns]},
                "spacing": {"$cond": ["$closed", PROBE_EVERY * 1000, interval]},
            }
        },
        {"$set": {"tat": {"$cond": [{"$gt": ["$granted", 0]}, moved, "$tat"]}}},
        {"$unset": "start"},
    ]


def block(db: Db, limiter: str, seconds: float) -> None:
    """Let nothing through for so many seconds from now, whoever asks; never shortens a block."""
    until = {"$add": ["$$NOW", int(seconds * 1000)]}
    fields = {
        "blocked_until": {"$max": ["$blocked_until", until]},
        "limited": {"$add": [{"$ifNull": ["$limited", 0]}, 1]},
    }
    db.rate_limits.update_one({"_id": limiter}, [{"$set": fields}], upsert=True)


def close(db: Db, limiter: str, *, reason: str) -> bool:
    """The scope does not answer: from now on only a probe now and then. True when it was open before."""
    fields = {
        "closed_since": {"$ifNull": ["$closed_since", "$$NOW"]},
        "closed_reason": literal(reason),
        "tat": {"$add": [NOW_MS, PROBE_EVERY * 1000]},
    }
    before = db.rate_limits.find_one_and_update(
        {"_id": limiter}, [{"$set": fields}], upsert=True, return_document=ReturnDocument.BEFORE
    )
    return before is None or before.get("closed_since") is None


def reopen(db: Db, limiter: str) -> None:
    """The scope answers again: everything goes on at once."""
    fields = {"closed_since": None, "closed_reason": None, "tat": NOW_MS}
    db.rate_limits.update_one({"_id": limiter, "closed_since": {"$gt": LONG_AGO}}, [{"$set": fields}])


def closed(db: Db) -> list[ClosedEndpoint]:
    """Limit scopes that take no requests right now, and why."""
    rows = db.rate_limits.aggregate(
        [
            {
                "$match": {
                    "$or": [
                        {"$expr": {"$gt": ["$blocked_until", "$$NOW"]}},
                        {"closed_since": {"$gt": LONG_AGO}},
                    ]
                }
            },
            {
                "$project": {
                    "left": {"$max": [0, {"$subtract": ["$blocked_until", "$$NOW"]}]},
                    "for": {"$subtract": ["$$NOW", "$closed_since"]},
                    "closed_reason": 1,
                }
            },
        ]
    )
    return [_closed(row) for row in rows]


def _closed(row: dict[str, Any]) -> ClosedEndpoint:
    scope = row["_id"].split(":", 1)[1]
    if row.get("for") is None:
        return ClosedEndpoint(scope, row["left"] / 1000, "the provider limits it")
    return ClosedEndpoint(
        scope, PROBE_EVERY, f"no answer for {row['for'] / 1000:.0f} s: {row.get('closed_reason') or '?'}"
    )
