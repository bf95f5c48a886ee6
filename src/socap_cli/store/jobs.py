"""The queue: what is armed, in which order it is worked, what waits for its counters.

`due` is both the moment from which a pending job may be claimed and its place in the order. A job that may
run at once is due at its `rank`, a moment of the queue's own clock, far in the past, which only serves to
compare. Arming a campaign gives its jobs the ranks that follow the one that is served just then, a
millisecond each, metrics first. So campaigns alternate whatever their size and whenever they were armed,
priorities hold within a campaign, and what is left of an earlier cycle goes on while a new one begins
(start-time fair queueing: Goyal, Vin and Cheng, 1996). A job that waits is due when its wait is over, by
the database's clock (`$$NOW`), and `promote_due` then gives it its rank back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateMany
from pymongo.errors import BulkWriteError

from socap_cli.model.cadence import Look
from socap_cli.model.kinds import METRICS, Kind, kinds, priority_of
from socap_cli.model.queue import JobStatus, Result
from socap_cli.store.connect import Db

FIRST_RANK = datetime(2000, 1, 1, tzinfo=UTC)
LAST_RANK = datetime(2010, 1, 1, tzinfo=UTC)
"""Between them lie all ranks: 300 thousand million."""
METRICS_WAIT_MS = 120_000
"""How long a list job waits for its tweet's metrics before it runs without them."""
OPEN = (JobStatus.PENDING.value, JobStatus.PROCESSING.value)
ENDED = (JobStatus.COMPLETED.value, JobStatus.FAILED.value)
NO_LEASE: dict[str, Any] = {
    "lease_token": None,
    "lease_expires_at": None,
    "claimed_by": None,
    "claimed_at": None,
    "updated_at": "$$NOW",
}
"""What ends a lease, as part of an update pipeline."""
NOW_DUE: dict[str, Any] = {"$expr": {"$lte": ["$due", "$$NOW"]}}
DUPLICATE = 11000
CLAIM_INDEX = "status_1_job_type_1_due_1__id_1_tweet_id_1"
LIST_INDEX = "tweet_id_1_job_type_1"
NEXT_FIRST = [("due", 1), ("_id", 1)]


@dataclass(frozen=True, slots=True)
class Arming:
    """How jobs are armed, whichever they are."""

    asked_at: datetime
    """By the clock of whoever arms."""
    last_cycle: bool = False
    max_attempts: int = 5


def arm(
    db: Db,
    campaign_id: str,
    tweet_ids: Sequence[str],
    arming: Arming,
    *,
    looks: Mapping[str, Look] | None = None,
) -> tuple[int, int]:
    """Arm the jobs of every tweet, or those of these looks; return (armed, already open).

    Open jobs are left alone. Jobs are inserted as ended ones and armed like them, by one update, so whoever
    else does the same meanwhile arms each job once in all. Jobs of tweets that left the campaign are deleted.
    """
    wanted = {
        f"{campaign_id}:{tweet_id}:{kind}": (tweet_id, kind, number)
        for kind in kinds()
        for number, tweet_id in enumerate(tweet_ids)
    }
    here = {row["_id"] for row in db.jobs.find({"campaign_id": campaign_id}, {"_id": 1})}
    if orphans := here - wanted.keys():
        processing = JobStatus.PROCESSING.value
        db.jobs.delete_many({"_id": {"$in": list(orphans)}, "status": {"$ne": processing}})
    _insert(db, [_new_job(job_id, campaign_id, *wanted[job_id]) for job_id in wanted if job_id not in here])
    if looks is not None:
        return _arm_looks(db, campaign_id, looks, arming)
    armed = db.jobs.update_many(
        {"campaign_id": campaign_id, "status": {"$in": list(ENDED)}},
        _armed(_current_rank(db), arming, tweets=len(tweet_ids), number="$tweet_rank", look_due_at=None),
    ).modified_count
    return armed, max(0, len(wanted) - armed)


def _arm_looks(db: Db, campaign_id: str, looks: Mapping[str, Look], arming: Arming) -> tuple[int, int]:
    """Arm the jobs of these looks, which follow each other in the order like those of a campaign of as many."""
    if not looks:
        return 0, 0
    current = _current_rank(db)
    operations = [
        UpdateMany(
            {
                "campaign_id": campaign_id,
                "tweet_id": tweet_id,
                "job_type": {"$in": [METRICS, *look.lists]},
                "status": {"$in": list(ENDED)},
            },
            _armed(current, arming, tweets=len(looks), number=number, look_due_at=look.at),
        )
        for number, (tweet_id, look) in enumerate(looks.items())
    ]
    armed = db.jobs.bulk_write(operations, ordered=False).modified_count
    return armed, max(0, sum(1 + len(look.lists) for look in looks.values()) - armed)


def _new_job(job_id: str, campaign_id: str, tweet_id: str, kind: Kind, number: int) -> dict[str, Any]:
    return {
        "_id": job_id,
        "campaign_id": campaign_id,
        "tweet_id": tweet_id,
        "job_type": kind,
        "priority": priority_of(kind),
        "tweet_rank": number,
        "status": JobStatus.COMPLETED.value,
    }


def _insert(db: Db, rows: Sequence[dict[str, Any]]) -> None:
    """Insert jobs that were never armed; another run may insert some of them at the same time."""
    if not rows:
        return
    try:
        db.jobs.insert_many(rows, ordered=False)
    except BulkWriteError as error:
        if any(failed["code"] != DUPLICATE for failed in error.details["writeErrors"]):
            raise


def _current_rank(db: Db) -> datetime:
    """The rank that is being served: the first among the jobs that may run at once."""
    query = {"status": JobStatus.PENDING.value, "job_type": {"$in": kinds()}, "due": {"$lt": LAST_RANK}}
    first = db.jobs.find_one(query, {"_id": 0, "due": 1}, sort=NEXT_FIRST)
    return FIRST_RANK if first is None else max(FIRST_RANK, first["due"])


def _armed(
    current: datetime, arming: Arming, *, tweets: int, number: int | str, look_due_at: datetime | None
) -> list[dict[str, Any]]:
    """What arming sets. A job's offset in its campaign is its kind's, then its tweet's `number`."""
    is_metrics = {"$eq": ["$job_type", METRICS]}
    offset = {"$add": [{"$multiply": [{"$indexOfArray": [list(kinds()), "$job_type"]}, tweets]}, number]}
    fields = {
        **NO_LEASE,
        "status": JobStatus.PENDING.value,
        "created_at": {"$ifNull": ["$created_at", "$$NOW"]},
        "armed_at": "$$NOW",
        "waits_for_metrics": {"$not": [is_metrics]},
        "due": {"$cond": [is_metrics, "$rank", {"$add": ["$$NOW", METRICS_WAIT_MS]}]},
        "asked_at": arming.asked_at,
        "look_due_at": look_due_at,
        "last_cycle": arming.last_cycle,
        "max_attempts": arming.max_attempts,
        "attempts": 0,
        "failures": 0,
        "lost_leases": 0,
        "outcome": None,
        "last_error": None,
        "finished_at": None,
    }
    return [{"$set": {"rank": {"$add": [current, offset]}}}, {"$set": fields}]


def promote_due(db: Db) -> int:
    """Give jobs whose wait is over their rank back, so that they go before what was armed after them."""
    waited = {
        "status": JobStatus.PENDING.value,
        "job_type": {"$in": kinds()},
        "due": {"$gte": LAST_RANK},
        **NOW_DUE,
    }
    return db.jobs.update_many(waited, [{"$set": {"due": "$rank"}}]).modified_count


def release_lists(db: Db, release: Iterable[tuple[str, Kind]], close: Iterable[tuple[str, Kind]]) -> int:
    """After a tweet's metrics: let the lists run that moved, end those that did not. Returns how many ended."""
    if released := _waiting(release, {"due": "$rank", "waits_for_metrics": False}):
        db.jobs.bulk_write(released, ordered=False)
    ends = {
        "status": JobStatus.COMPLETED.value,
        "outcome": Result.UNCHANGED.value,
        "finished_at": "$$NOW",
        "updated_at": "$$NOW",
        "waits_for_metrics": False,
    }
    closed = _waiting(close, ends)
    return db.jobs.bulk_write(closed, ordered=False).modified_count if closed else 0


def _waiting(lists: Iterable[tuple[str, Kind]], changes: dict[str, Any]) -> list[UpdateMany]:
    by_kind: dict[Kind, list[str]] = {}
    for tweet_id, kind in lists:
        by_kind.setdefault(kind, []).append(tweet_id)
    waiting = {"status": JobStatus.PENDING.value, "waits_for_metrics": True}
    return [
        UpdateMany({"tweet_id": {"$in": ids}, "job_type": kind, **waiting}, [{"$set": changes}])
        for kind, ids in by_kind.items()
    ]


def metrics_open(db: Db, tweet_id: str) -> bool:
    """Whether a tweet's metrics are still to come in this cycle."""
    query = {"tweet_id": tweet_id, "status": {"$in": list(OPEN)}, "job_type": METRICS}
    return db.jobs.find_one(query, {"_id": 1}) is not None


def retry_failed(db: Db, job_ids: Sequence[str], *, campaign_id: str | None = None) -> int:
    """Arm failed jobs again: those named, else all (of a campaign)."""
    again = {
        "status": JobStatus.PENDING.value,
        "due": "$rank",
        "attempts": 0,
        "failures": 0,
        "lost_leases": 0,
        "waits_for_metrics": False,
        "finished_at": None,
        "updated_at": "$$NOW",
    }
    return db.jobs.update_many(_failed(job_ids, campaign_id), [{"$set": again}]).modified_count


def count_failed(db: Db, job_ids: Sequence[str], *, campaign_id: str | None = None) -> int:
    """How many jobs `retry_failed` would arm."""
    return db.jobs.count_documents(_failed(job_ids, campaign_id))


def _failed(job_ids: Sequence[str], campaign_id: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {"status": JobStatus.FAILED.value}
    if job_ids:
        query["_id"] = {"$in": list(job_ids)}
    if campaign_id:
        query["campaign_id"] = campaign_id
    return query


def delete(db: Db, campaign_id: str, tweet_id: str | None = None) -> int:
    """Delete the jobs of a campaign, or of one of its tweets; return how many there were."""
    query = {"campaign_id": campaign_id, **({"tweet_id": tweet_id} if tweet_id else {})}
    return db.jobs.delete_many(query).deleted_count
