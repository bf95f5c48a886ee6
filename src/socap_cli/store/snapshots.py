"""Metric snapshots: every counter of a tweet at one moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from pymongo import UpdateOne

from socap_cli.model import cleaning
from socap_cli.model.engagement import Snapshot
from socap_cli.model.kinds import Counters, counter_names
from socap_cli.store.connect import Db

Step = Literal["hour", "day"]


def record(db: Db, counters_of: Mapping[str, Counters], *, now: datetime) -> int:
    """Store a snapshot a tweet; one minute holds one, so that a retry adds nothing. Returns how many are new."""
    minute = now.replace(second=0, microsecond=0)
    operations = [
        UpdateOne(
            {"_id": f"{tweet_id}:{minute:%Y%m%dT%H%MZ}"},
            {
                "$set": {name: counters[name] for name in counter_names() if counters.get(name) is not None},
                "$setOnInsert": {"tweet_id": tweet_id, "captured_at": minute},
            },
            upsert=True,
        )
        for tweet_id, counters in counters_of.items()
    ]
    return db.metric_snapshots.bulk_write(operations, ordered=False).upserted_count if operations else 0


def series(
    db: Db, tweet_ids: Sequence[str], *, since: datetime | None = None, until: datetime | None = None
) -> list[Snapshot]:
    """Snapshots of these tweets, by tweet and time; `since` inclusive, `until` exclusive."""
    bounds = {**({"$gte": since} if since else {}), **({"$lt": until} if until else {})}
    query: dict[str, Any] = {"tweet_id": {"$in": list(tweet_ids)}}
    if bounds:
        query["captured_at"] = bounds
    names = counter_names()
    rows = db.metric_snapshots.find(query, {"_id": 0}).sort([("tweet_id", 1), ("captured_at", 1)])
    return [
        Snapshot(row["tweet_id"], row["captured_at"], {name: _count(row.get(name)) for name in names})
        for row in rows
        if isinstance(row.get("captured_at"), datetime)
    ]


def _count(value: Any) -> int | None:
    """A counter; what is none is unknown."""
    return value if value is None or type(value) is int else cleaning.number(value)


def first(db: Db, tweet_ids: Sequence[str]) -> datetime | None:
    """The earliest snapshot of any of these tweets."""
    group: dict[str, Any] = {"_id": "$tweet_id", "first": {"$min": "$captured_at"}}
    pipeline: list[dict[str, Any]] = [{"$match": {"tweet_id": {"$in": list(tweet_ids)}}}, {"$group": group}]
    return min((row["first"] for row in db.metric_snapshots.aggregate(pipeline)), default=None)


def changes(db: Db, tweet_ids: Sequence[str], step: Step) -> Iterator[tuple[str, datetime, int]]:
    """(action, start of an interval in UTC, by how much the engagements that are stored and present grew in it)."""
    for moment, sign in (("first_seen_at", 1), ("removed_at", -1)):
        pipeline = [
            {"$match": {"tweet_id": {"$in": list(tweet_ids)}, moment: {"$type": "date"}}},
            {
                "$group": {
                    "_id": {
                        "action": "$action_type",
                        "starts_at": {"$dateTrunc": {"date": f"${moment}", "unit": step}},
                    },
                    "n": {"$sum": sign},
                }
            },
        ]
        for row in db.engagements.aggregate(pipeline):
            yield row["_id"]["action"], row["_id"]["starts_at"], row["n"]
