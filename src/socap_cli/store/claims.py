"""Claiming: lease the jobs that come next, in order, as units that one request serves."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from socap_cli.model.kinds import LISTS, METRICS, Kind
from socap_cli.model.queue import Job, JobStatus, Unit
from socap_cli.store.connect import Db, literal
from socap_cli.store.jobs import LIST_INDEX, NEXT_FIRST, NOW_DUE

LARGEST_CLAIM = 2000
"""Jobs of one kind in one claim."""
JOB_FIELDS = [
    "campaign_id", "tweet_id", "job_type", "lease_token", "attempts", "max_attempts", "failures",
    "waits_for_metrics", "last_cycle", "due", "look_due_at",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claim:
    """What to claim: up to `units` of work of these kinds, for a worker, leased for so many seconds."""

    kinds: Sequence[Kind]
    units: int
    batch: int
    worker: str
    lease: float


def claim(db: Db, wanted: Claim) -> list[Unit]:
    """Lease due jobs in order, each with all the others that its request serves."""
    chosen = _choose(db, wanted)
    if not chosen:
        return []
    token = secrets.token_hex(12)
    these = {"$or": [{"job_type": kind, "tweet_id": {"$in": ids}} for kind, ids in chosen.items()]}
    free = {**these, "status": JobStatus.PENDING.value, **NOW_DUE}
    taken = db.jobs.update_many(free, _lease(token, wanted), hint=LIST_INDEX)
    mine = {**these, "lease_token": token}
    held = db.jobs.find(mine, JOB_FIELDS, hint=LIST_INDEX) if taken.matched_count else ()
    return _units([_job(row) for row in held], wanted.batch)


def _lease(token: str, wanted: Claim) -> list[dict[str, Any]]:
    fields = {
        "status": JobStatus.PROCESSING.value,
        "lease_token": token,
        "lease_expires_at": {"$add": ["$$NOW", int(wanted.lease * 1000)]},
        "claimed_by": literal(wanted.worker),
        "claimed_at": "$$NOW",
        "updated_at": "$$NOW",
        "epoch": {"$add": [{"$ifNull": ["$epoch", 0]}, 1]},
    }
    return [{"$set": fields}]


def _choose(db: Db, wanted: Claim) -> dict[Kind, list[str]]:
    """Tweets to claim of each kind: those of the first due jobs, whatever their campaign, that fill the units."""
    rows: list[dict[str, Any]] = []
    for group, limit in (([METRICS], wanted.units * wanted.batch), (list(LISTS), wanted.units)):
        kinds = [kind for kind in group if kind in wanted.kinds]
        rows.extend(_head(db, kinds, limit=min(limit, LARGEST_CLAIM)))
    rows.sort(key=lambda row: (row["due"], row["_id"]))
    chosen: dict[Kind, dict[str, None]] = {}
    used = 0
    for row in rows:
        kind, tweet_id = Kind(row["job_type"]), row["tweet_id"]
        tweets = chosen.setdefault(kind, {})
        if tweet_id in tweets:
            continue
        starts_unit = kind != METRICS or len(tweets) % wanted.batch == 0
        if starts_unit and used == wanted.units:
            continue
        used += starts_unit
        tweets[tweet_id] = None
    return {kind: list(tweets) for kind, tweets in chosen.items() if tweets}


def _head(db: Db, kinds: Sequence[Kind], *, limit: int) -> list[dict[str, Any]]:
    """The first due jobs of these kinds, from the index alone."""
    if not kinds or limit <= 0:
        return []
    query = {"status": JobStatus.PENDING.value, "job_type": {"$in": list(kinds)}, **NOW_DUE}
    found = db.jobs.find(query, {"_id": 1, "job_type": 1, "tweet_id": 1, "due": 1}).sort(NEXT_FIRST)
    return list(found.limit(limit))


def _job(row: dict[str, Any]) -> Job:
    fields = {name: row[name] for name in JOB_FIELDS if name not in ("job_type", "look_due_at")}
    fields["look_due_at"] = row.get("look_due_at")
    return Job(job_id=row["_id"], kind=Kind(row["job_type"]), **fields)


def _units(jobs: list[Job], batch: int) -> list[Unit]:
    """The requests that these jobs need, the first due first."""
    lists: dict[tuple[Kind, str], list[Job]] = {}
    metrics: dict[str, list[Job]] = {}
    for job in sorted(jobs, key=lambda job: (job.due, job.job_id)):
        if job.kind == METRICS:
            metrics.setdefault(job.tweet_id, []).append(job)
        else:
            lists.setdefault((job.kind, job.tweet_id), []).append(job)
    tweets = list(metrics.values())
    chunks = [tweets[at : at + batch] for at in range(0, len(tweets), batch)]
    units = [Unit(METRICS, tuple(job for tweet in chunk for job in tweet)) for chunk in chunks]
    return units + [Unit(kind, tuple(group)) for (kind, _), group in lists.items()]
