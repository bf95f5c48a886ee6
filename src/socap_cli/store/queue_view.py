"""Looking at the queue: how much there is, what is next, how late it is. Nothing here changes a job."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from socap_cli.model.kinds import METRICS, Kind, kinds
from socap_cli.model.queue import JobRecord, JobStatus
from socap_cli.store.connect import Db
from socap_cli.store.jobs import CLAIM_INDEX, LAST_RANK, NEXT_FIRST, NOW_DUE, OPEN


def seconds_to_next(db: Db) -> float | None:
    """Seconds until the next pending job is due, 0 when one is; None when none is pending."""
    seconds = _of_next(db, {"$subtract": ["$due", "$$NOW"]})
    return None if seconds is None else max(0.0, seconds)


def lag(db: Db) -> float:
    """Seconds since the next job that may run was armed; 0 when none may run."""
    return _of_next(db, {"$subtract": ["$$NOW", "$armed_at"]}, **NOW_DUE) or 0.0


def _of_next(db: Db, milliseconds: dict[str, Any], **conditions: Any) -> float | None:
    """A time of the first pending job, in seconds; None when there is none."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"status": JobStatus.PENDING.value, "job_type": {"$in": kinds()}, **conditions}},
        {"$sort": dict(NEXT_FIRST)},
        {"$limit": 1},
        {"$project": {"time": milliseconds}},
    ]
    row = next(iter(db.jobs.aggregate(pipeline)), None)
    return None if row is None else row["time"] / 1000


def asked_at(db: Db, campaign_id: str) -> dict[str, datetime]:
    """When a look at each tweet of a campaign was armed last, by the clock of whoever armed it."""
    rows = db.jobs.find({"campaign_id": campaign_id, "job_type": METRICS}, {"tweet_id": 1, "asked_at": 1})
    return {row["tweet_id"]: row["asked_at"] for row in rows if row.get("asked_at") is not None}


def count_processing(db: Db) -> int:
    """How many jobs are leased."""
    return db.jobs.count_documents({"status": JobStatus.PROCESSING.value})


def count_open(db: Db, campaign_id: str | None = None) -> int:
    """How many jobs, of all or of one campaign, are pending or processing."""
    of = {"campaign_id": campaign_id} if campaign_id else {}
    return db.jobs.count_documents({**of, "status": {"$in": list(OPEN)}})


def count_by_status(db: Db) -> dict[str, dict[str, int]]:
    """{kind: {status: jobs}}, from the index alone."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"status": {"$in": [status.value for status in JobStatus]}}},
        {"$group": {"_id": {"kind": "$job_type", "status": "$status"}, "n": {"$sum": 1}}},
    ]
    counts: dict[str, dict[str, int]] = {kind: {} for kind in kinds()}
    for row in db.jobs.aggregate(pipeline, hint=CLAIM_INDEX):
        counts.setdefault(row["_id"]["kind"], {})[row["_id"]["status"]] = row["n"]
    return counts


def listed(db: Db, *, status: JobStatus | None, campaign_id: str | None, limit: int) -> list[JobRecord]:
    """Jobs, the next first."""
    statuses = [status.value] if status else [one.value for one in JobStatus]
    query: dict[str, Any] = {"status": {"$in": statuses}, "job_type": {"$in": kinds()}}
    if campaign_id:
        query["campaign_id"] = campaign_id
    return [_record(row) for row in db.jobs.find(query).sort(NEXT_FIRST).limit(limit)]


def find(db: Db, job_id: str) -> JobRecord | None:
    """One job; None when there is none of that id."""
    row = db.jobs.find_one({"_id": job_id})
    return None if row is None else _record(row)


def _record(row: dict[str, Any]) -> JobRecord:
    due = row.get("due")
    error = row.get("last_error") or {}
    return JobRecord(
        job_id=row["_id"],
        campaign_id=row["campaign_id"],
        tweet_id=row["tweet_id"],
        job_type=Kind(row["job_type"]),
        priority=row.get("priority", 0),
        status=JobStatus(row["status"]),
        due=due if due is not None and due >= LAST_RANK else None,
        attempts=row.get("attempts", 0),
        max_attempts=row.get("max_attempts", 0),
        outcome=row.get("outcome"),
        last_error=error.get("message"),
        last_error_at=error.get("at"),
        traceback=error.get("traceback"),
        **{
            name: row.get(name)
            for name in ("claimed_by", "claimed_at", "created_at", "updated_at", "finished_at")
        },
    )
