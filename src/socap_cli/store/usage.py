"""Every request, metered: requests, items and price per day, campaign and endpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.store.connect import Db, literal

BATCHES_KEPT = 128
"""How many batches a sum remembers: more than all workers write while one of them tries again."""
SUMMED = ("requests", "items", "cost", "failed")


@dataclass(frozen=True, slots=True)
class Request:
    """One request; what it cost is shared by the campaigns that it served, an entry a job."""

    endpoint: str
    campaigns: Sequence[str]
    items: int
    cost: float
    failed: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that are written together, under a name by which a repeated write is known."""

    name: str
    requests: Sequence[Request]


def record(db: Db, batch: Batch) -> None:
    """Add a batch of requests to their days' sums. Repeating it adds nothing."""
    sums: dict[tuple[str, str, str], dict[str, float]] = {}
    for request in batch.requests:
        shares = Counter(request.campaigns or ("-",))
        for campaign, jobs in shares.items():
            share = jobs / sum(shares.values())
            row = sums.setdefault(
                (f"{request.at:%Y-%m-%d}", campaign, request.endpoint), dict.fromkeys(SUMMED, 0.0)
            )
            for name, value in zip(SUMMED, (1, request.items, request.cost, request.failed), strict=True):
                row[name] += value * share
    operations = [
        UpdateOne({"_id": "|".join(key)}, _added(key, row, batch.name), upsert=True)
        for key, row in sums.items()
    ]
    if operations:
        db.api_usage.bulk_write(operations, ordered=False)


def _added(key: tuple[str, str, str], row: dict[str, float], batch: str) -> list[dict[str, Any]]:
    """Add sums unless this batch is among the last that were added."""
    lately = {"$ifNull": ["$batches", []]}
    is_new = {"$not": [{"$in": [batch, lately]}]}
    names = dict(zip(("day", "campaign_id", "endpoint"), key, strict=True))
    sums = {
        name: {"$add": [{"$ifNull": [f"${name}", 0]}, {"$cond": [is_new, value, 0]}]}
        for name, value in row.items()
    }
    batches = {"$cond": [is_new, {"$slice": [{"$concatArrays": [lately, [batch]]}, -BATCHES_KEPT]}, lately]}
    return [{"$set": {**{name: literal(value) for name, value in names.items()}, **sums, "batches": batches}}]


def summed(db: Db, by: str | None = None, *, days: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Sums of requests, items, cost (credits) and failed requests, in all or per campaign, endpoint or day."""
    field = {"campaign": "$campaign_id", "endpoint": "$endpoint", "day": "$day", None: None}[by]
    match: list[dict[str, Any]] = [{"$match": {"day": {"$in": list(days)}}}] if days else []
    pipeline: list[dict[str, Any]] = [
        *match,
        {
            "$group": {
                "_id": field,
                "requests": {"$sum": "$requests"},
                "items": {"$sum": "$items"},
                "cost": {"$sum": "$cost"},
                "failed": {"$sum": "$failed"},
            }
        },
        {"$sort": {"_id": 1}},
    ]
    return [
        {
            **({by: row["_id"]} if by else {}),
            "requests": round(row["requests"]),
            "items": round(row["items"]),
            "cost": round(row["cost"], 2),
            "failed": round(row["failed"]),
        }
        for row in db.api_usage.aggregate(pipeline)
    ]


def spent(db: Db, day: str) -> dict[str, float]:
    """Credits of each campaign on one day."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"day": day}},
        {"$group": {"_id": "$campaign_id", "cost": {"$sum": "$cost"}}},
    ]
    return {row["_id"]: row["cost"] for row in db.api_usage.aggregate(pipeline)}


def daily(db: Db, campaign_id: str) -> tuple[float, float] | None:
    """(requests, credits) of a campaign on its last day but one, the last that is whole; None before that."""
    days = sorted(db.api_usage.distinct("day", {"campaign_id": campaign_id}))
    if len(days) < 2:
        return None
    rows = list(db.api_usage.find({"campaign_id": campaign_id, "day": days[-2]}))
    return sum(row["requests"] for row in rows), sum(row["cost"] for row in rows)
