"""The leases of jobs: claimed in batches, kept, and settled in bulk by whoever still holds them.

A claim takes the jobs that one request serves: up to a batch of tweets for their metrics, and for a list
every campaign's job on it. Each claim draws a token, every job's epoch grows with it, and whatever is
written about a job later names the token: a lost lease changes nothing. While a job is pending, `due` is
when it may be claimed; expired leases are taken over by `sweep`, never by a claim.

Every clock that decides is the database's (`$$NOW`). Every write here can be repeated.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import UpdateMany, UpdateOne

from socap_cli.model import LISTS, Job, JobState, Kind, Unit
from socap_cli.store.connect import Db, literal
from socap_cli.store.jobs import LIST_INDEX, NEXT_FIRST, NO_LEASE, NOW_DUE

MAX_LOST_LEASES = 3
CROWD = 4
"""Into how many parts the head of the queue is split while several claimers meet there."""
LARGEST_CLAIM = 2000
"""Jobs of one kind in one claim."""


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


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim got: units of work, and whether other claimers wanted the same jobs."""

    units: list[Unit]
    crowded: bool = False


def claim(
    db: Db,
    kinds: Iterable[Kind],
    *,
    seats: int,
    batch: int,
    worker: str,
    lease: float,
    crowded: bool = False,
    rng: random.Random | None = None,
) -> Claim:
    """Lease up to `seats` units of due jobs, in order, each the jobs that one request serves.

    In a crowd the head of the queue is split, and a claimer takes one part of it at random.
    """
    spread = CROWD if crowded else 1
    wanted = _choose(db, list(kinds), seats=seats, batch=batch, part=(rng or random).randrange(spread))
    if not wanted:
        return Claim([])
    token = secrets.token_hex(12)
    these = {"$or": [{"job_type": kind.value, "tweet_id": {"$in": ids}} for kind, ids in wanted.items()]}
    free = {**these, "status": JobState.PENDING.value, **NOW_DUE}
    taken = db.jobs.update_many(free, _lease(token, worker, lease), hint=LIST_INDEX)
    mine = {**these, "lease_token": token}
    held = db.jobs.find(mine, JOB_FIELDS, hint=LIST_INDEX) if taken.matched_count else ()
    asked = sum(len(ids) for ids in wanted.values())
    return Claim(_units([_job(row) for row in held], batch), crowded=taken.matched_count * 2 < asked)


def _lease(token: str, worker: str, lease: float) -> list[dict[str, Any]]:
    return [
        {
            "$set": {
                "status": JobState.RUNNING.value,
                "lease_token": token,
                "lease_expires_at": {"$add": ["$$NOW", int(lease * 1000)]},
                "claimed_by": literal(worker),
                "claimed_at": "$$NOW",
                "epoch": {"$add": [{"$ifNull": ["$epoch", 0]}, 1]},
            }
        }
    ]


def _choose(db: Db, kinds: list[Kind], *, seats: int, batch: int, part: int) -> dict[Kind, list[str]]:
    """Tweets to claim of each kind: those of the first due jobs, whatever their campaign, that fill the seats."""
    rows: list[dict[str, Any]] = []
    for group, limit in (([Kind.METRICS], seats * batch), (LISTS, seats)):
        limit = min(limit, LARGEST_CLAIM)
        rows.extend(_head(db, [kind for kind in group if kind in kinds], skip=part * limit, limit=limit))
    rows.sort(key=lambda row: (row["due"], row["_id"]))
    chosen: dict[Kind, dict[str, None]] = {}
    used = 0
    for row in rows:
        kind, tweet_id = Kind(row["job_type"]), row["tweet_id"]
        tweets = chosen.setdefault(kind, {})
        if tweet_id in tweets:
            continue
        needs_seat = kind is not Kind.METRICS or len(tweets) % batch == 0
        if needs_seat and used == seats:
            continue
        used += needs_seat
        tweets[tweet_id] = None
    return {kind: list(tweets) for kind, tweets in chosen.items() if tweets}


def _head(db: Db, kinds: Sequence[Kind], *, skip: int, limit: int) -> list[dict[str, Any]]:
    """The first due jobs of these kinds, from the index alone; a part that is empty gives way to the first."""
    if not kinds or limit <= 0:
        return []
    query = {"status": JobState.PENDING.value, "job_type": {"$in": [kind.value for kind in kinds]}, **NOW_DUE}
    found = db.jobs.find(query, {"_id": 1, "job_type": 1, "tweet_id": 1, "due": 1}).sort(NEXT_FIRST)
    rows = list(found.clone().skip(skip).limit(limit))
    return rows if rows or not skip else list(found.limit(limit))


JOB_FIELDS = [
    "campaign_id", "tweet_id", "job_type", "lease_token", "attempts", "snoozes", "armed_at", "gated", "last_cycle",
    "due",
]  # fmt: skip


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
        due=row["due"],
        gated=row["gated"],
        last_cycle=row["last_cycle"],
    )


def _units(jobs: list[Job], batch: int) -> list[Unit]:
    """The requests that these jobs need, the first due first."""
    lists: dict[tuple[Kind, str], list[Job]] = {}
    metrics: dict[str, list[Job]] = {}
    for job in sorted(jobs, key=lambda job: (job.due, job.job_id)):
        if job.kind is Kind.METRICS:
            metrics.setdefault(job.tweet_id, []).append(job)
        else:
            lists.setdefault((job.kind, job.tweet_id), []).append(job)
    tweets = list(metrics.values())
    chunks = [tweets[at : at + batch] for at in range(0, len(tweets), batch)]
    units = [Unit(Kind.METRICS, tuple(job for tweet in chunk for job in tweet)) for chunk in chunks]
    return units + [Unit(kind, tuple(group)) for (kind, _), group in lists.items()]


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
            "outcome": literal(outcome),
            "finished_at": "$$NOW",
            "last_error": None,
        }
        operations.append(UpdateMany(_held(ids, token), [{"$set": {**done, **NO_LEASE}}]))
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
        "due": {"$cond": [spent, "$due", {"$add": ["$$NOW", delay]} if delay else "$turn"]},
        "finished_at": {"$cond": [spent, "$$NOW", None]},
        "last_error": {"message": literal((settled.error or "")[:500]), "at": "$$NOW"}
        if settled.error
        else "$last_error",
        **NO_LEASE,
    }
    return UpdateOne(_held([settled.job.job_id], settled.job.lease_token), [{"$set": fields}])


_BACK: dict[str, Any] = {"status": JobState.PENDING.value, "due": "$turn", **NO_LEASE}


def renew(db: Db, units: Iterable[Unit], *, lease: float) -> int:
    """Extend the leases that are still held; return how many were."""
    return db.jobs.update_many(
        _all_held(units), [{"$set": {"lease_expires_at": {"$add": ["$$NOW", int(lease * 1000)]}}}]
    ).matched_count


def release(db: Db, units: Iterable[Unit]) -> int:
    """Give back what is still held, at no cost of an attempt."""
    return db.jobs.update_many(_all_held(units), [{"$set": _BACK}]).modified_count


def _all_held(units: Iterable[Unit]) -> dict[str, Any]:
    jobs = [job for unit in units for job in unit.jobs]
    return {
        "_id": {"$in": [job.job_id for job in jobs]},
        "lease_token": {"$in": list({job.lease_token for job in jobs})},
        "status": JobState.RUNNING.value,
    }


def disown(db: Db, worker: str, *, held: Iterable[Unit]) -> int:
    """Give back what a worker claimed without having heard so, when the answer to its claim was lost."""
    tokens = list({job.lease_token for unit in held for job in unit.jobs})
    unheard = {"status": JobState.RUNNING.value, "claimed_by": worker, "lease_token": {"$nin": tokens}}
    return db.jobs.update_many(unheard, [{"$set": _BACK}]).modified_count


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
                    "due": "$turn",
                    **NO_LEASE,
                }
            }
        ],
    ).modified_count
