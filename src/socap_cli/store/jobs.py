"""The queue: a job is armed, claimed under a lease, and settled by whoever still holds that lease.

`due` is both the moment from which a job may be claimed and its place in the order. A job that may run
at once is due an hour ago plus a millisecond per rank, so that campaigns take turns whatever their
size, priorities hold within a campaign, and yesterday's leftovers still go before today's jobs.

Every clock that decides is the database's (`$$NOW`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateMany, UpdateOne

from socap_cli.model import LISTS, Job, JobState, Kind, Unit
from socap_cli.store.connect import Db

HEAD_START_MS = 3_600_000
GATE_MS = 120_000
"""How long a list job waits for its tweet's metrics before it runs without them."""
MAX_LOST_LEASES = 3
OPEN = (JobState.PENDING.value, JobState.RUNNING.value)
ENDED = (JobState.COMPLETED.value, JobState.FAILED.value)
AT_ONCE = {"$add": ["$armed_at", {"$subtract": ["$rank", HEAD_START_MS]}]}
NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_expires_at": None, "claimed_by": None}
IS_METRICS = {"$eq": ["$job_type", Kind.METRICS.value]}
_ARMED: dict[str, Any] = {
    "status": JobState.PENDING.value,
    "armed_at": "$$NOW",
    "gated": {"$not": [IS_METRICS]},
    "due": {"$add": ["$$NOW", "$rank", {"$cond": [IS_METRICS, -HEAD_START_MS, GATE_MS]}]},
    "attempts": 0,
    "snoozes": 0,
    "lost_leases": 0,
    "outcome": None,
    "last_error": None,
    "finished_at": None,
    **NO_LEASE,
}
"""What arming sets, as a pipeline stage after the job's identity."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A job's outcome. With `delay` it goes back to pending; `error` names what went wrong."""

    job: Job
    outcome: str = "collected"
    delay: float | None = None
    error: str | None = None
    counts: bool = False
    """Whether an attempt is used up."""
    final: bool = False
    """Whether it failed for good."""


def arm(
    db: Db, campaign_id: str, tweet_ids: Sequence[str], *, last_cycle: bool, max_attempts: int
) -> tuple[int, int]:
    """Arm the four jobs of every tweet; return (armed, already open). Open jobs are left alone.

    A job's rank is its place in its campaign, given once; jobs of tweets that left the campaign go.
    """
    wanted = {f"{campaign_id}:{tweet_id}:{kind}": (tweet_id, kind) for kind in Kind for tweet_id in tweet_ids}
    here = {row["_id"] for row in db.jobs.find({"campaign_id": campaign_id}, {"_id": 1})}
    if orphans := here - wanted.keys():
        db.jobs.delete_many({"_id": {"$in": list(orphans)}, "status": {"$ne": JobState.RUNNING.value}})
    fresh = {"last_cycle": last_cycle, "max_attempts": max_attempts, **_ARMED}
    rearmed = db.jobs.update_many(
        {"campaign_id": campaign_id, "status": {"$in": list(ENDED)}}, [{"$set": fresh}]
    ).modified_count
    operations = [
        UpdateOne(
            {"_id": job_id},
            [{"$set": _identity(campaign_id, *wanted[job_id], rank)}, _once(fresh)],
            upsert=True,
        )
        for rank, job_id in enumerate(wanted, start=len(here))
        if job_id not in here
    ]
    added = db.jobs.bulk_write(operations, ordered=False).upserted_count if operations else 0
    return rearmed + added, len(wanted) - rearmed - added


def _identity(campaign_id: str, tweet_id: str, kind: Kind, rank: int) -> dict[str, Any]:
    names = {"campaign_id": campaign_id, "tweet_id": tweet_id, "job_type": kind.value}
    return {**{key: _literal(value) for key, value in names.items()}, "priority": kind.priority, "rank": rank}


def _once(fresh: dict[str, Any]) -> dict[str, Any]:
    """Arm a job that was just made, but leave one alone that another run made meanwhile."""
    return {
        "$set": {
            name: {"$cond": [{"$lte": ["$status", None]}, value, f"${name}"]} for name, value in fresh.items()
        }
    }


def _literal(value: Any) -> Any:
    return {"$literal": value}


def claim(db: Db, kinds: Iterable[Kind], *, seats: int, batch: int, worker: str, lease: float) -> list[Unit]:
    """Lease up to `seats` units of due jobs, in order, each the jobs that one request serves."""
    wanted = list(kinds)
    if seats <= 0 or not wanted:
        return []
    chosen = _choose(db, wanted, seats=seats, batch=batch)
    if not chosen:
        return []
    token = secrets.token_hex(12)
    db.jobs.update_many(
        {"_id": {"$in": chosen}, "status": JobState.PENDING.value},
        [
            {
                "$set": {
                    "status": JobState.RUNNING.value,
                    "lease_token": token,
                    "lease_expires_at": {"$add": ["$$NOW", int(lease * 1000)]},
                    "claimed_by": worker,
                    "claimed_at": "$$NOW",
                    "epoch": {"$add": [{"$ifNull": ["$epoch", 0]}, 1]},
                }
            }
        ],
    )
    held = db.jobs.find({"lease_token": token, "status": JobState.RUNNING.value}).sort("due", 1)
    return _units([_job(document) for document in held], batch)


def _choose(db: Db, kinds: list[Kind], *, seats: int, batch: int) -> list[str]:
    """Ids to claim: the first due jobs that fill the seats, and every other campaign's job on those lists."""
    now_due = {"$expr": {"$lte": ["$due", "$$NOW"]}}
    fields = {"tweet_id": 1, "job_type": 1, "due": 1}
    rows: list[dict[str, Any]] = []
    for group, limit in (([Kind.METRICS], seats * batch), ([k for k in kinds if k in LISTS], seats)):
        group = [kind for kind in group if kind in kinds]
        if group:
            query = {"status": JobState.PENDING.value, "job_type": {"$in": group}, **now_due}
            rows.extend(db.jobs.find(query, fields).sort([("due", 1), ("_id", 1)]).limit(min(limit, 2000)))
    rows.sort(key=lambda row: (row["due"], row["_id"]))
    units: dict[tuple[str, ...], set[str]] = {}
    filling: set[str] = set()
    batches = 0
    for row in rows:
        if row["job_type"] == Kind.METRICS.value:
            if row["tweet_id"] not in filling and len(filling) == batch:
                filling, batches = set(), batches + 1
            key: tuple[str, ...] = (Kind.METRICS.value, str(batches))
        else:
            key = (row["job_type"], row["tweet_id"])
        if key not in units and len(units) >= seats:
            continue
        units.setdefault(key, set()).add(row["tweet_id"])
        if row["job_type"] == Kind.METRICS.value:
            filling.add(row["tweet_id"])
    wanted = {(key[0], tweet_id) for key, tweets in units.items() for tweet_id in tweets}
    siblings = db.jobs.find(
        {
            "tweet_id": {"$in": list({tweet for _, tweet in wanted})},
            "status": JobState.PENDING.value,
            **now_due,
        },
        fields,
    )
    return [row["_id"] for row in siblings if (row["job_type"], row["tweet_id"]) in wanted]


def _units(jobs: list[Job], batch: int) -> list[Unit]:
    lists: dict[tuple[Kind, str], list[Job]] = {}
    metrics: dict[str, list[Job]] = {}
    for job in jobs:
        if job.kind is Kind.METRICS:
            metrics.setdefault(job.tweet_id, []).append(job)
        else:
            lists.setdefault((job.kind, job.tweet_id), []).append(job)
    tweets = list(metrics.values())
    chunks = [tweets[at : at + batch] for at in range(0, len(tweets), batch)]
    units = [Unit(Kind.METRICS, tuple(job for tweet in chunk for job in tweet)) for chunk in chunks]
    return units + [Unit(kind, tuple(group)) for (kind, _), group in lists.items()]


def _job(row: dict[str, Any]) -> Job:
    return Job(
        job_id=row["_id"],
        campaign_id=row["campaign_id"],
        tweet_id=row["tweet_id"],
        kind=Kind(row["job_type"]),
        lease_token=row["lease_token"],
        attempts=row["attempts"],
        snoozes=row["snoozes"],
        armed_at=row["armed_at"],
        gated=row["gated"],
        last_cycle=row["last_cycle"],
    )


def settle(db: Db, outcomes: Sequence[Settled]) -> int:
    """Write outcomes in bulk, each under its lease; return how many counted. A lost lease changes nothing."""
    finished: dict[tuple[str, str], list[str]] = {}
    operations: list[UpdateOne | UpdateMany] = []
    for settled in outcomes:
        if settled.delay is None and not settled.final:
            finished.setdefault((settled.job.lease_token, settled.outcome), []).append(settled.job.job_id)
        else:
            operations.append(_put_back(settled))
    for (token, outcome), ids in finished.items():
        done = {
            "status": JobState.COMPLETED.value,
            "outcome": outcome,
            "finished_at": "$$NOW",
            "last_error": None,
        }
        update = [{"$set": {**{k: _literal(v) for k, v in done.items()}, **NO_LEASE}}]
        operations.append(UpdateMany(_held(ids, token), update))
    return db.jobs.bulk_write(operations, ordered=False).modified_count if operations else 0


def _held(ids: list[str], token: str) -> dict[str, Any]:
    return {"_id": {"$in": ids}, "lease_token": token, "status": JobState.RUNNING.value}


def _put_back(settled: Settled) -> UpdateOne:
    attempts: dict[str, Any] = {"$add": ["$attempts", 1 if settled.counts else 0]}
    spent = {"$or": [settled.final, {"$and": [settled.counts, {"$gte": [attempts, "$max_attempts"]}]}]}
    delay = int((settled.delay or 0) * 1000)
    fields = {
        "attempts": attempts,
        "snoozes": {"$add": ["$snoozes", 0 if settled.counts or settled.final else 1]},
        "status": {"$cond": [spent, JobState.FAILED.value, JobState.PENDING.value]},
        "due": {"$cond": [spent, "$due", {"$add": ["$$NOW", delay]}]},
        "finished_at": {"$cond": [spent, "$$NOW", None]},
        "last_error": {"message": {"$literal": (settled.error or "")[:500]}, "at": "$$NOW"}
        if settled.error
        else "$last_error",
        **NO_LEASE,
    }
    return UpdateOne(_held([settled.job.job_id], settled.job.lease_token), [{"$set": fields}])


def open_gate(db: Db, release: Iterable[tuple[str, Kind]], close: Iterable[tuple[str, Kind]]) -> int:
    """After a tweet's metrics: let the lists run that moved, end those that did not. Returns how many ended."""
    operations = []
    for pairs, update in (
        (release, {"due": AT_ONCE, "gated": False}),
        (
            close,
            {
                "status": JobState.COMPLETED.value,
                "outcome": "unchanged",
                "finished_at": "$$NOW",
                "gated": False,
            },
        ),
    ):
        by_kind: dict[Kind, list[str]] = {}
        for tweet_id, kind in pairs:
            by_kind.setdefault(kind, []).append(tweet_id)
        for kind, tweet_ids in by_kind.items():
            waiting = {
                "tweet_id": {"$in": tweet_ids},
                "status": JobState.PENDING.value,
                "job_type": kind.value,
                "gated": True,
            }
            operations.append((bool(update.get("status")), UpdateMany(waiting, [{"$set": update}])))
    ended = 0
    for closing, operation in operations:
        result = db.jobs.bulk_write([operation])
        ended += result.modified_count if closing else 0
    return ended


def renew(db: Db, tokens: Iterable[str], *, lease: float) -> None:
    """Extend the leases of every job still held under these tokens."""
    db.jobs.update_many(
        {"lease_token": {"$in": list(tokens)}, "status": JobState.RUNNING.value},
        [{"$set": {"lease_expires_at": {"$add": ["$$NOW", int(lease * 1000)]}}}],
    )


def release(db: Db, tokens: Iterable[str]) -> int:
    """Give back everything held under these tokens, at no cost of an attempt."""
    return db.jobs.update_many(
        {"lease_token": {"$in": list(tokens)}, "status": JobState.RUNNING.value},
        [{"$set": {"status": JobState.PENDING.value, "due": "$$NOW", **NO_LEASE}}],
    ).modified_count


def sweep(db: Db) -> int:
    """Take over expired leases: back to pending, or failed when it happened too often."""
    lost = {"$add": ["$lost_leases", 1]}
    too_often = {"$gte": [lost, MAX_LOST_LEASES]}
    reason = {"message": f"its worker died {MAX_LOST_LEASES} times", "at": "$$NOW"}
    return db.jobs.update_many(
        {"status": JobState.RUNNING.value, "$expr": {"$lte": ["$lease_expires_at", "$$NOW"]}},
        [
            {
                "$set": {
                    "lost_leases": lost,
                    "status": {"$cond": [too_often, JobState.FAILED.value, JobState.PENDING.value]},
                    "finished_at": {"$cond": [too_often, "$$NOW", None]},
                    "last_error": {"$cond": [too_often, reason, "$last_error"]},
                    "due": "$$NOW",
                    **NO_LEASE,
                }
            }
        ],
    ).modified_count


def seconds_to_next(db: Db) -> float | None:
    """Seconds until the next pending job is due, 0 when one is; None when none is pending."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"status": JobState.PENDING.value, "job_type": {"$in": [kind.value for kind in Kind]}}},
        {"$sort": {"due": 1, "_id": 1}},
        {"$limit": 1},
        {"$project": {"wait": {"$subtract": ["$due", "$$NOW"]}}},
    ]
    row = next(iter(db.jobs.aggregate(pipeline)), None)
    return None if row is None else max(0.0, row["wait"] / 1000)


def lag(db: Db) -> float:
    """Seconds since the oldest job that still waits for its turn was armed; 0 when none does."""
    pipeline: list[dict[str, Any]] = [
        {
            "$match": {
                "status": JobState.PENDING.value,
                "job_type": {"$in": [kind.value for kind in Kind]},
                "$expr": {"$lte": ["$due", "$$NOW"]},
            }
        },
        {"$sort": {"due": 1, "_id": 1}},
        {"$limit": 1},
        {"$project": {"age": {"$subtract": ["$$NOW", "$armed_at"]}}},
    ]
    row = next(iter(db.jobs.aggregate(pipeline)), None)
    return 0.0 if row is None else max(0.0, row["age"] / 1000)


def running(db: Db) -> int:
    return db.jobs.count_documents({"status": JobState.RUNNING.value})


def open_in(db: Db, campaign_id: str) -> int:
    """How many of a campaign's jobs are pending or running."""
    return db.jobs.count_documents({"campaign_id": campaign_id, "status": {"$in": list(OPEN)}})


def metrics_open(db: Db, tweet_id: str) -> bool:
    """Whether a tweet's metrics are still to come in this cycle."""
    query = {"tweet_id": tweet_id, "status": {"$in": list(OPEN)}, "job_type": Kind.METRICS.value}
    return db.jobs.find_one(query, {"_id": 1}) is not None


def count_by_state(db: Db) -> dict[str, dict[str, int]]:
    """{kind: {state: jobs}}, from the index alone."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"status": {"$in": [state.value for state in JobState]}}},
        {"$group": {"_id": {"kind": "$job_type", "state": "$status"}, "n": {"$sum": 1}}},
    ]
    counts: dict[str, dict[str, int]] = {kind.value: {} for kind in Kind}
    for row in db.jobs.aggregate(pipeline, hint="status_1_job_type_1_due_1__id_1"):
        counts[row["_id"]["kind"]][row["_id"]["state"]] = row["n"]
    return counts


def listed(db: Db, *, state: JobState | None, campaign_id: str | None, limit: int) -> list[dict[str, Any]]:
    query: dict[str, Any] = {}
    if campaign_id:
        query["campaign_id"] = campaign_id
    query["status"] = state.value if state else {"$in": [s.value for s in JobState]}
    return list(db.jobs.find(query).sort("due", 1).limit(limit))


def shown(db: Db, job_id: str) -> dict[str, Any] | None:
    return db.jobs.find_one({"_id": job_id})


def retry_failed(db: Db, job_ids: Sequence[str], *, campaign_id: str | None = None) -> int:
    """Arm failed jobs again: those named, else all (of a campaign)."""
    query: dict[str, Any] = {"status": JobState.FAILED.value}
    if job_ids:
        query["_id"] = {"$in": list(job_ids)}
    if campaign_id:
        query["campaign_id"] = campaign_id
    again = {
        "status": JobState.PENDING.value,
        "due": "$$NOW",
        "attempts": 0,
        "lost_leases": 0,
        "gated": False,
        "finished_at": None,
    }
    return db.jobs.update_many(query, [{"$set": again}]).modified_count


def delete(db: Db, campaign_id: str, tweet_id: str | None = None) -> int:
    query = {"campaign_id": campaign_id, **({"tweet_id": tweet_id} if tweet_id else {})}
    return db.jobs.delete_many(query).deleted_count
