"""The leases of jobs: claimed in batches, renewed, and ended in bulk by whoever still holds them.

A claim takes the jobs that one request serves: up to a batch of tweets for their metrics, and for a list
every campaign's job on it. Each claim draws a token, every job's epoch grows with it, and whatever is
written about a job later names the token: a lost lease changes nothing. While a job is pending, `due` is
when it may be claimed; expired leases are taken over by `sweep`, never by a claim.

Every clock that decides is the database's (`$$NOW`). Every write here can be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pymongo import UpdateMany, UpdateOne

from socap_cli.model.queue import JobStatus, Outcome, Unit
from socap_cli.store.connect import Db, literal
from socap_cli.store.jobs import NO_LEASE

MAX_LOST_LEASES = 3
LONGEST_ERROR, LONGEST_TRACEBACK = 500, 8000
BACK: dict[str, Any] = {**NO_LEASE, "status": JobStatus.PENDING.value, "due": "$rank"}


def settle(db: Db, outcomes: Sequence[Outcome]) -> int:
    """Write outcomes in bulk, each under its lease; return how many counted. A lost lease changes nothing."""
    ended: dict[tuple[str, str], list[str]] = {}
    operations: list[UpdateOne | UpdateMany] = []
    for outcome in outcomes:
        if outcome.delay is None and not outcome.final:
            ended.setdefault((outcome.job.lease_token, outcome.result.value), []).append(outcome.job.job_id)
        else:
            operations.append(_put_back(outcome))
    for (token, result), ids in ended.items():
        done = {
            "status": JobStatus.COMPLETED.value,
            "outcome": literal(result),
            "finished_at": "$$NOW",
            "last_error": None,
        }
        operations.append(UpdateMany(_held(ids, token), [{"$set": {**NO_LEASE, **done}}]))
    return db.jobs.bulk_write(operations, ordered=False).modified_count if operations else 0


def _held(ids: list[str], token: str) -> dict[str, Any]:
    return {"_id": {"$in": ids}, "lease_token": token, "status": JobStatus.PROCESSING.value}


def _put_back(outcome: Outcome) -> UpdateOne:
    attempts: dict[str, Any] = {"$add": ["$attempts", int(outcome.counts_attempt)]}
    delay = int((outcome.delay or 0) * 1000)
    error = {
        "message": literal((outcome.error or "")[:LONGEST_ERROR]),
        "at": "$$NOW",
        "traceback": literal(outcome.traceback and outcome.traceback[-LONGEST_TRACEBACK:]),
    }
    fields = {
        **NO_LEASE,
        "attempts": attempts,
        "failures": {"$add": ["$failures", 1]} if outcome.is_failure else 0,
        "status": JobStatus.FAILED.value if outcome.failed else JobStatus.PENDING.value,
        "finished_at": "$$NOW" if outcome.failed else None,
        "last_error": error if outcome.error else "$last_error",
    }
    if not outcome.failed:
        fields["due"] = {"$add": ["$$NOW", delay]} if delay else "$rank"
    return UpdateOne(_held([outcome.job.job_id], outcome.job.lease_token), [{"$set": fields}])


def renew(db: Db, units: Iterable[Unit], *, lease: float) -> int:
    """Extend the leases that are still held by `lease` seconds; return how many were."""
    until = {"$add": ["$$NOW", int(lease * 1000)]}
    return db.jobs.update_many(_all_held(units), [{"$set": {"lease_expires_at": until}}]).matched_count


def release(db: Db, units: Iterable[Unit]) -> int:
    """Give back what is still held, at no cost of an attempt."""
    return db.jobs.update_many(_all_held(units), [{"$set": BACK}]).modified_count


def _all_held(units: Iterable[Unit]) -> dict[str, Any]:
    jobs = [job for unit in units for job in unit.jobs]
    return {
        "_id": {"$in": [job.job_id for job in jobs]},
        "lease_token": {"$in": list({job.lease_token for job in jobs})},
        "status": JobStatus.PROCESSING.value,
    }


def release_unacknowledged(db: Db, worker: str, *, held: Iterable[Unit]) -> int:
    """Give back what a worker claimed without having heard so, when the answer to its claim was lost."""
    tokens = list({job.lease_token for unit in held for job in unit.jobs})
    unheard = {
        "status": JobStatus.PROCESSING.value,
        "claimed_by": worker,
        "lease_token": {"$nin": tokens},
    }
    return db.jobs.update_many(unheard, [{"$set": BACK}]).modified_count


def sweep(db: Db) -> int:
    """Take over expired leases: back to pending, or failed when it happened too often."""
    lost = {"$add": ["$lost_leases", 1]}
    too_often = {"$gte": [lost, MAX_LOST_LEASES]}
    reason = {"message": f"its worker died {MAX_LOST_LEASES} times", "at": "$$NOW"}
    return db.jobs.update_many(
        {"status": JobStatus.PROCESSING.value, "$expr": {"$lte": ["$lease_expires_at", "$$NOW"]}},
        [
            {
                "$set": {
                    **BACK,
                    "lost_leases": lost,
                    "status": {"$cond": [too_often, JobStatus.FAILED.value, JobStatus.PENDING.value]},
                    "finished_at": {"$cond": [too_often, "$$NOW", None]},
                    "last_error": {"$cond": [too_often, reason, "$last_error"]},
                }
            }
        ],
    ).modified_count
