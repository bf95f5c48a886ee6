"""Metric snapshots: every counter of a tweet at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model import COUNTERS, Counters
from socap_cli.store.connect import Db


def record(db: Db, readings: Mapping[str, Counters], *, now: datetime) -> int:
    """Store a snapshot a tweet; one minute holds one, so that a retry adds nothing. Returns how many are new."""
    minute = now.replace(second=0, microsecond=0)
    operations = [
        UpdateOne(
            {"_id": f"{tweet_id}:{minute:%Y%m%dT%H%MZ}"},
            {
                "$set": {name: counters[name] for name in COUNTERS if counters.get(name) is not None},
                "$setOnInsert": {"tweet_id": tweet_id, "captured_at": minute},
            },
            upsert=True,
        )
        for tweet_id, counters in readings.items()
    ]
    return db.metric_snapshots.bulk_write(operations, ordered=False).upserted_count if operations else 0


def series(
    db: Db, tweet_ids: Sequence[str], *, since: datetime | None = None, until: datetime | None = None
) -> list[dict[str, Any]]:
    """Snapshots of these tweets, oldest first: {tweet_id, captured_at, counters that are known}."""
    bounds = {**({"$gte": since} if since else {}), **({"$lt": until} if until else {})}
    query: dict[str, Any] = {"tweet_id": {"$in": list(tweet_ids)}}
    if bounds:
        query["captured_at"] = bounds
    return list(db.metric_snapshots.find(query, {"_id": 0}).sort([("tweet_id", 1), ("captured_at", 1)]))
