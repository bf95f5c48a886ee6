"""Every request, metered: requests, items and price per day, campaign and endpoint."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pymongo import UpdateOne

from socap_cli.model.queue import RunRecord, Usage, UsageBatch
from socap_cli.store.connect import Db, clock_offset, literal

BATCHES_KEPT = 128
"""How many batches a sum remembers: more than all workers write while one of them tries again."""
SUMMED = ("requests", "items", "cost", "failed")
By = Literal["campaign", "endpoint", "day"]
FIELDS: dict[By, str] = {"campaign": "$campaign_id", "endpoint": "$endpoint", "day": "$day"}


def record(db: Db, batch: UsageBatch) -> None:
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


def summed(db: Db, by: By | None = None, **only: str) -> list[Usage]:
    """Sums of all time: one in all, or one per campaign, endpoint or day. Costs are in credits."""
    group = {"_id": FIELDS[by] if by else None, **{name: {"$sum": f"${name}"} for name in SUMMED}}
    pipeline: list[dict[str, Any]] = [
        {"$match": {"day": {"$gt": ""}, **only}},
        {"$group": group},
        {"$sort": {"_id": 1}},
    ]
    return [
        Usage(
            row["_id"],
            requests=round(row["requests"]),
            items=round(row["items"]),
            cost=round(row["cost"], 2),
            failed=round(row["failed"]),
        )
        for row in db.api_usage.aggregate(pipeline)
    ]


def first_read(db: Db, resources: Iterable[str], *, account: str, now: datetime) -> set[str]:
    """Those that no process read before on this UTC day; from now on they are known, until the day is over.

    What is kept is a hash. A repeated call with the same resources finds none of them.
    """
    day, reader = f"{now.astimezone(UTC):%Y-%m-%d}", secrets.token_hex(6)
    names = {
        hashlib.sha256(f"{account} {day} {resource}".encode()).hexdigest()[:20]: resource
        for resource in resources
    }
    if not names:
        return set()
    known = {"first_read_by": reader, "written_at": datetime.now(UTC)}
    operations = [UpdateOne({"_id": name}, {"$setOnInsert": known}, upsert=True) for name in names]
    db.read_today.bulk_write(operations, ordered=False)
    rows = db.read_today.find({"_id": {"$in": list(names)}, "first_read_by": reader}, {"_id": 1})
    return {names[row["_id"]] for row in rows}


def of_campaign(db: Db, campaign_id: str, **only: str) -> Usage:
    """The sums of one campaign; with `endpoint` those of its requests there."""
    rows = summed(db, "campaign", campaign_id=campaign_id, **only)
    return rows[0] if rows else Usage(campaign_id)


def spent(db: Db, day: str) -> dict[str, float]:
    """Credits of each campaign on one day (ISO date)."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"day": day}},
        {"$group": {"_id": "$campaign_id", "cost": {"$sum": "$cost"}}},
    ]
    return {row["_id"]: row["cost"] for row in db.api_usage.aggregate(pipeline)}


def record_run(db: Db, run: RunRecord) -> None:
    """Keep a run's result under its id, so that a repeated write keeps one.

    When it started is told by the database's clock: a host whose own is ahead would hide the runs that are missed.
    """
    row: dict[str, Any] = {
        "command": run.command,
        "started_at": run.started_at + clock_offset(db),
        "seconds": round(run.seconds, 3),
        "result": run.result,
    }
    db.runs.replace_one({"_id": run.run_id}, row, upsert=True)


def last(db: Db, command: str) -> RunRecord | None:
    """The latest run of a command; None when there was none."""
    row = db.runs.find_one({"command": command}, sort=[("started_at", -1)])
    if row is None:
        return None
    return RunRecord(row["_id"], row["command"], row["started_at"], row["seconds"], row["result"])
