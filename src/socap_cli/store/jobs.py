"""The queue: what is armed, in which order it is worked, what waits for its counters, what there is.

`due` is both the moment from which a pending job may be claimed and its place in the order. A job that may
run at once is due at its `turn`, a moment of the queue's own clock, far in the past, which only serves to
compare: arming starts a campaign at the turn that is served just then and gives its jobs the next ones, a
millisecond each, metrics first. So campaigns take turns whatever their size and whenever they were armed,
priorities hold within a campaign, and what is left of an earlier cycle goes on while a new one begins
(start-time fair queueing: Goyal, Vin and Cheng, 1996). A job that waits is due when its wait is over, by
the database's clock (`$$NOW`), and `call_up` then gives it its turn back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import UpdateMany
from pymongo.errors import BulkWriteError

from socap_cli.model import JobState, Kind
from socap_cli.store.connect import Db

FIRST_TURN = datetime(2000, 1, 1, tzinfo=UTC)
LAST_TURN = datetime(2010, 1, 1, tzinfo=UTC)
"""Between them lie all turns: 300 thousand million."""
GATE_MS = 120_000
"""How long a list job waits for its tweet's metrics before it runs without them."""
OPEN = (JobState.PENDING.value, JobState.RUNNING.value)
ENDED = (JobState.COMPLETED.value, JobState.FAILED.value)
ALL_KINDS = [kind.value for kind in Kind]
NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_expires_at": None, "claimed_by": None}
NOW_DUE: dict[str, Any] = {"$expr": {"$lte": ["$due", "$$NOW"]}}
DUPLICATE = 11000
CLAIM_INDEX = "status_1_job_type_1_due_1__id_1_tweet_id_1"
LIST_INDEX = "tweet_id_1_job_type_1"
NEXT_FIRST = [("due", 1), ("_id", 1)]


def arm(
    db: Db, campaign_id: str, tweet_ids: Sequence[str], *, last_cycle: bool, max_attempts: int
) -> tuple[int, int]:
    """Arm the four jobs of every tweet; return (armed, already open). Open jobs are left alone.

    Jobs are made as ended ones and armed like them, by one update, so whoever else does the same meanwhile
    arms each job once in all. Jobs of tweets that left the campaign go.
    """
    wanted = {
        f"{campaign_id}:{tweet_id}:{kind}": (tweet_id, kind, place)
        for kind in Kind
        for place, tweet_id in enumerate(tweet_ids)
    }
    here = {row["_id"] for row in db.jobs.find({"campaign_id": campaign_id}, {"_id": 1})}
    if orphans := here - wanted.keys():
        db.jobs.delete_many({"_id": {"$in": list(orphans)}, "status": {"$ne": JobState.RUNNING.value}})
    _make(db, [_made(job_id, campaign_id, *wanted[job_id]) for job_id in wanted if job_id not in here])
    armed = db.jobs.update_many(
        {"campaign_id": campaign_id, "status": {"$in": list(ENDED)}},
        _armed(_turn_now(db), tweets=len(tweet_ids), last_cycle=last_cycle, max_attempts=max_attempts),
    ).modified_count
    return armed, max(0, len(wanted) - armed)


def _made(job_id: str, campaign_id: str, tweet_id: str, kind: Kind, place: int) -> dict[str, Any]:
    return {
        "_id": job_id,
        "campaign_id": campaign_id,
        "tweet_id": tweet_id,
        "job_type": kind.value,
        "priority": kind.priority,
        "place": place,
        "status": JobState.COMPLETED.value,
        **NO_LEASE,
    }


def _make(db: Db, rows: Sequence[dict[str, Any]]) -> None:
    """Insert jobs that were never armed; another run may make some of them at the same time."""
    if not rows:
        return
    try:
        db.jobs.insert_many(rows, ordered=False)
    except BulkWriteError as error:
        if any(failed["code"] != DUPLICATE for failed in error.details["writeErrors"]):
            raise


def _turn_now(db: Db) -> datetime:
    """The turn that is being served: the first among the jobs that may run at once."""
    query = {"status": JobState.PENDING.value, "job_type": {"$in": ALL_KINDS}, "due": {"$lt": LAST_TURN}}
    first = db.jobs.find_one(query, {"_id": 0, "due": 1}, sort=NEXT_FIRST)
    return FIRST_TURN if first is None else max(FIRST_TURN, first["due"])


def _armed(turn: datetime, *, tweets: int, last_cycle: bool, max_attempts: int) -> list[dict[str, Any]]:
    """What arming sets. A job's rank in its campaign is its kind's, then its tweet's place."""
    is_metrics = {"$eq": ["$job_type", Kind.METRICS.value]}
    rank = {"$add": [{"$multiply": [{"$indexOfArray": [ALL_KINDS, "$job_type"]}, tweets]}, "$place"]}
    fields = {
        "status": JobState.PENDING.value,
        "armed_at": "$$NOW",
        "gated": {"$not": [is_metrics]},
        "due": {"$cond": [is_metrics, "$turn", {"$add": ["$$NOW", GATE_MS]}]},
        "last_cycle": last_cycle,
        "max_attempts": max_attempts,
        "attempts": 0,
        "snoozes": 0,
        "lost_leases": 0,
        "outcome": None,
        "last_error": None,
        "finished_at": None,
        **NO_LEASE,
    }
    return [{"$set": {"turn": {"$add": [turn, rank]}}}, {"$set": fields}]


def call_up(db: Db) -> int:
    """Give jobs whose wait is over their turn back, so that they go before what was armed after them."""
    waited = {
        "status": JobState.PENDING.value,
        "job_type": {"$in": ALL_KINDS},
        "due": {"$gte": LAST_TURN},
        **NOW_DUE,
    }
    return db.jobs.update_many(waited, [{"$set": {"due": "$turn"}}]).modified_count


def open_gate(db: Db, release: Iterable[tuple[str, Kind]], close: Iterable[tuple[str, Kind]]) -> int:
    """After a tweet's metrics: let the lists run that moved, end those that did not. Returns how many ended."""
    if opened := _gated(release, {"due": "$turn", "gated": False}):
        db.jobs.bulk_write(opened, ordered=False)
    ends = {
        "status": JobState.COMPLETED.value,
        "outcome": "unchanged",
        "finished_at": "$$NOW",
        "gated": False,
    }
    closed = _gated(close, ends)
    return db.jobs.bulk_write(closed, ordered=False).modified_count if closed else 0


def _gated(lists: Iterable[tuple[str, Kind]], changes: dict[str, Any]) -> list[UpdateMany]:
    by_kind: dict[Kind, list[str]] = {}
    for tweet_id, kind in lists:
        by_kind.setdefault(kind, []).append(tweet_id)
    waiting = {"status": JobState.PENDING.value, "gated": True}
    return [
        UpdateMany({"tweet_id": {"$in": ids}, "job_type": kind.value, **waiting}, [{"$set": changes}])
        for kind, ids in by_kind.items()
    ]


def seconds_to_next(db: Db) -> float | None:
    """Seconds until the next pending job is due, 0 when one is; None when none is pending."""
    seconds = _of_next(db, {"$subtract": ["$due", "$$NOW"]})
    return None if seconds is None else max(0.0, seconds)


def lag(db: Db) -> float:
    """Seconds since the job whose turn is next was armed; 0 when none may run."""
    return _of_next(db, {"$subtract": ["$$NOW", "$armed_at"]}, **NOW_DUE) or 0.0


def _of_next(db: Db, milliseconds: dict[str, Any], **conditions: Any) -> float | None:
    """A time of the first pending job, in seconds; None when there is none."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"status": JobState.PENDING.value, "job_type": {"$in": ALL_KINDS}, **conditions}},
        {"$sort": dict(NEXT_FIRST)},
        {"$limit": 1},
        {"$project": {"time": milliseconds}},
    ]
    row = next(iter(db.jobs.aggregate(pipeline)), None)
    return None if row is None else row["time"] / 1000


def running(db: Db) -> int:
    return db.jobs.count_documents({"status": JobState.RUNNING.value})


def open_jobs(db: Db) -> int:
    """How many jobs are pending or running."""
    return db.jobs.count_documents({"status": {"$in": list(OPEN)}})


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
    for row in db.jobs.aggregate(pipeline, hint=CLAIM_INDEX):
        counts[row["_id"]["kind"]][row["_id"]["state"]] = row["n"]
    return counts


def listed(db: Db, *, state: JobState | None, campaign_id: str | None, limit: int) -> list[dict[str, Any]]:
    """Jobs as they stand, the next first."""
    states = [state.value] if state else [one.value for one in JobState]
    query: dict[str, Any] = {"status": {"$in": states}, "job_type": {"$in": ALL_KINDS}}
    if campaign_id:
        query["campaign_id"] = campaign_id
    return [_shown(row) for row in db.jobs.find(query).sort(NEXT_FIRST).limit(limit)]


def shown(db: Db, job_id: str) -> dict[str, Any] | None:
    row = db.jobs.find_one({"_id": job_id})
    return None if row is None else _shown(row)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """A job for a person: `due` is a time, or None when only its turn is awaited."""
    hidden = ("turn", "place", "lease_token")
    due = row.get("due")
    return {
        **{name: value for name, value in row.items() if name not in hidden},
        "due": due if due is not None and due >= LAST_TURN else None,
    }


def retry_failed(db: Db, job_ids: Sequence[str], *, campaign_id: str | None = None) -> int:
    """Arm failed jobs again: those named, else all (of a campaign)."""
    query: dict[str, Any] = {"status": JobState.FAILED.value}
    if job_ids:
        query["_id"] = {"$in": list(job_ids)}
    if campaign_id:
        query["campaign_id"] = campaign_id
    again = {
        "status": JobState.PENDING.value,
        "due": "$turn",
        "attempts": 0,
        "lost_leases": 0,
        "gated": False,
        "finished_at": None,
    }
    return db.jobs.update_many(query, [{"$set": again}]).modified_count


def delete(db: Db, campaign_id: str, tweet_id: str | None = None) -> int:
    query = {"campaign_id": campaign_id, **({"tweet_id": tweet_id} if tweet_id else {})}
    return db.jobs.delete_many(query).deleted_count
