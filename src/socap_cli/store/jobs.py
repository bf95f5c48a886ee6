"""The queue: which jobs are armed, in which order they run, and their leases.

`due` is both the moment from which a pending job may be claimed and its place in the order. A job that may
run at once is due at its `rank`, a moment of the queue's own clock, far in the past, which only serves to
compare. Arming a campaign gives its jobs the ranks that follow the one that is served just then, a
millisecond each, metrics first. So campaigns alternate whatever their size and whenever they were armed,
priorities hold within a campaign, and what is left of an earlier cycle continues while a new one begins
(start-time fair queueing: Goyal, Vin and Cheng, 1996). A job that waits is due when its wait is over, by
the database's clock (`$$NOW`), and `promote_due` then gives it its rank back.

A claim is a conditional update that writes a lease token. Every outcome carries the token, and changes nothing
once the lease is lost.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo import InsertOne, UpdateMany, UpdateOne

from socap_cli.model.cadence import Look
from socap_cli.model.kinds import LISTS, METRICS, Kind, kinds, priority_of
from socap_cli.model.queue import Job, JobRecord, JobStatus, Outcome, Result, Unit
from socap_cli.store.connect import Db, literal, value_of, write_new

# All ranks lie between these two: 300 thousand million.
FIRST_RANK, LAST_RANK = datetime(2000, 1, 1, tzinfo=UTC), datetime(2010, 1, 1, tzinfo=UTC)
METRICS_WAIT_MS = 120_000  # how long a list job waits for its tweet's metrics before it runs without them
MAX_LOST_LEASES = 3
LARGEST_CLAIM = 2000  # jobs of one kind
LONGEST_ERROR, LONGEST_TRACEBACK = 500, 8000

OPEN = (JobStatus.PENDING, JobStatus.PROCESSING)
ENDED = (JobStatus.COMPLETED, JobStatus.FAILED)
# A document that is not a job of ours, whoever wrote it, is neither claimed nor waited for.
# Ranges, which hold one type only: unlike $type they are answered from the index.
SOUND: dict[str, Any] = {"due": {"$gte": datetime(1, 1, 1, tzinfo=UTC)}, "tweet_id": {"$gte": ""}}
NOW_DUE: dict[str, Any] = {**SOUND, "$expr": {"$lte": ["$due", "$$NOW"]}}
_PENDING = {"status": JobStatus.PENDING, "job_type": {"$in": kinds()}, **SOUND}
NEXT_FIRST = [("due", 1), ("_id", 1)]
CLAIM_INDEX = "status_1_job_type_1_due_1__id_1_tweet_id_1"
LIST_INDEX = "tweet_id_1_job_type_1"
JOB_FIELDS = [
    "campaign_id", "tweet_id", "lease_token", "attempts", "max_attempts", "failures",
    "waits_for_metrics", "last_cycle", "due", "look_due_at",
]  # fmt: skip

# Parts of update pipelines: what ends a lease, what puts a job back, what makes it new.
NO_LEASE: dict[str, Any] = {
    "lease_token": None, "lease_expires_at": None, "claimed_by": None, "claimed_at": None, "updated_at": "$$NOW",
}  # fmt: skip
BACK: dict[str, Any] = {**NO_LEASE, "status": JobStatus.PENDING, "due": "$rank"}
UNTRIED: dict[str, Any] = {"attempts": 0, "failures": 0, "lost_leases": 0, "finished_at": None}


def arm(
    db: Db,
    campaign_id: str,
    tweet_ids: Sequence[str],
    *,
    asked_at: datetime,
    last_cycle: bool = False,
    max_attempts: int = 5,
    looks: Mapping[str, Look] | None = None,
) -> tuple[int, int]:
    """Arm the jobs of every tweet, or those of these looks; return (armed, already open).

    Open jobs are left alone. New jobs are inserted as ended ones and armed by the same update as the others, so
    two runs at the same time arm each job once. Jobs of tweets that left the campaign are deleted. `asked_at` is
    by the caller's clock.
    """
    jobs = {
        f"{campaign_id}:{tweet_id}:{kind}": (tweet_id, kind, number)
        for kind in kinds()
        for number, tweet_id in enumerate(tweet_ids)
    }
    known = {row["_id"] for row in db.jobs.find({"campaign_id": campaign_id}, {"_id": 1})}
    if orphans := known - jobs.keys():
        db.jobs.delete_many({"_id": {"$in": list(orphans)}, "status": {"$ne": JobStatus.PROCESSING}})
    new = [
        InsertOne(
            {
                "_id": job_id,
                "campaign_id": campaign_id,
                "tweet_id": tweet_id,
                "job_type": kind,
                "priority": priority_of(kind),
                "tweet_rank": number,
                "status": JobStatus.COMPLETED,
            }
        )
        for job_id, (tweet_id, kind, number) in jobs.items()
        if job_id not in known
    ]
    write_new(db.jobs, new)  # another run may insert some of them at the same time
    parts: list[tuple[dict[str, Any], int | str, datetime | None]] = [({}, "$tweet_rank", None)]
    tweets, count = len(tweet_ids), len(jobs)
    if looks is not None:  # they follow each other in the order like the jobs of a campaign of as many tweets
        parts = [
            ({"tweet_id": tweet_id, "job_type": {"$in": [METRICS, *look.lists]}}, number, look.at)
            for number, (tweet_id, look) in enumerate(looks.items())
        ]
        tweets, count = len(looks), sum(1 + len(look.lists) for look in looks.values())
    if not count:
        return 0, 0
    may_run = {"status": JobStatus.PENDING, "job_type": {"$in": kinds()}, "due": {"$lt": LAST_RANK}}
    first = db.jobs.find_one(may_run, {"_id": 0, "due": 1}, sort=NEXT_FIRST)
    current = FIRST_RANK if first is None else max(FIRST_RANK, first["due"])  # the rank that is being served
    ended = {"campaign_id": campaign_id, "status": {"$in": list(ENDED)}}
    fixed = {"asked_at": asked_at, "last_cycle": last_cycle, "max_attempts": max_attempts}
    operations = [
        UpdateMany({**ended, **which}, _armed(current, tweets, number, {**fixed, "look_due_at": due_at}))
        for which, number, due_at in parts
    ]
    armed = db.jobs.bulk_write(operations, ordered=False).modified_count
    return armed, max(0, count - armed)


def _armed(current: datetime, tweets: int, number: int | str, fixed: dict[str, Any]) -> list[dict[str, Any]]:
    """What arming sets. A job's offset in its campaign is its kind's, then its tweet's `number`."""
    is_metrics = {"$eq": ["$job_type", METRICS]}
    offset = {"$add": [{"$multiply": [{"$indexOfArray": [list(kinds()), "$job_type"]}, tweets]}, number]}
    fields = {
        **NO_LEASE,
        **fixed,
        "status": JobStatus.PENDING,
        "created_at": {"$ifNull": ["$created_at", "$$NOW"]},
        "armed_at": "$$NOW",
        "waits_for_metrics": {"$not": [is_metrics]},
        "due": {"$cond": [is_metrics, "$rank", {"$add": ["$$NOW", METRICS_WAIT_MS]}]},
        "outcome": None,
        "last_error": None,
        **UNTRIED,
    }
    return [{"$set": {"rank": {"$add": [current, offset]}}}, {"$set": fields}]


def promote_due(db: Db) -> int:
    """Give jobs whose wait is over their rank back, so that they go before what was armed after them."""
    pending = {"status": JobStatus.PENDING, "job_type": {"$in": kinds()}}
    waited = {**pending, **NOW_DUE, "due": {"$gte": LAST_RANK}}
    return db.jobs.update_many(waited, [{"$set": {"due": "$rank"}}]).modified_count


def release_lists(db: Db, release: Iterable[tuple[str, Kind]], close: Iterable[tuple[str, Kind]]) -> int:
    """After a tweet's metrics: let the lists run that moved, end those that did not. Returns how many ended."""
    if released := _waiting(release, {"due": "$rank", "waits_for_metrics": False}):
        db.jobs.bulk_write(released, ordered=False)
    ends = {
        "status": JobStatus.COMPLETED,
        "outcome": Result.UNCHANGED,
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
    waiting = {"status": JobStatus.PENDING, "waits_for_metrics": True}
    return [
        UpdateMany({"tweet_id": {"$in": ids}, "job_type": kind, **waiting}, [{"$set": changes}])
        for kind, ids in by_kind.items()
    ]


def metrics_open(db: Db, tweet_id: str) -> bool:
    """Whether a tweet's metrics are still to come in this cycle."""
    query = {"tweet_id": tweet_id, "status": {"$in": list(OPEN)}, "job_type": METRICS}
    return db.jobs.find_one(query, {"_id": 1}) is not None


def retry_failed(
    db: Db, job_ids: Sequence[str], *, campaign_id: str | None = None, dry_run: bool = False
) -> int:
    """Arm failed jobs again: those named, else all (of a campaign); return how many."""
    ids = {"_id": {"$in": list(job_ids)}} if job_ids else {}
    query = {"status": JobStatus.FAILED, **ids, **({"campaign_id": campaign_id} if campaign_id else {})}
    if dry_run:
        return db.jobs.count_documents(query)
    again = {**UNTRIED, **BACK, "waits_for_metrics": False}
    return db.jobs.update_many(query, [{"$set": again}]).modified_count


def delete(db: Db, campaign_id: str, tweet_id: str | None = None) -> int:
    """Delete the jobs of a campaign, or of one of its tweets; return how many there were."""
    query = {"campaign_id": campaign_id, **({"tweet_id": tweet_id} if tweet_id else {})}
    return db.jobs.delete_many(query).deleted_count


def claim(db: Db, wanted: Sequence[Kind], *, units: int, batch: int, worker: str, lease: float) -> list[Unit]:
    """Lease due jobs of these kinds in order, each with all the others that its request serves.

    At most so many units, a metrics unit of at most `batch` tweets; the lease is in seconds.
    """
    chosen = _choose(db, wanted, units, batch)
    if not chosen:
        return []
    token = secrets.token_hex(12)
    these = {"$or": [{"job_type": kind, "tweet_id": {"$in": ids}} for kind, ids in chosen.items()]}
    fields = {
        "status": JobStatus.PROCESSING,
        "lease_token": token,
        "lease_expires_at": {"$add": ["$$NOW", int(lease * 1000)]},
        "claimed_by": literal(worker),
        "claimed_at": "$$NOW",
        "updated_at": "$$NOW",
        "epoch": {"$add": [{"$ifNull": ["$epoch", 0]}, 1]},
    }
    free = {"$and": [these, {"status": JobStatus.PENDING, **NOW_DUE}]}
    if not db.jobs.update_many(free, [{"$set": fields}], hint=LIST_INDEX).matched_count:
        return []
    rows = db.jobs.find({**these, "lease_token": token}, ["job_type", *JOB_FIELDS], hint=LIST_INDEX)
    jobs = []
    for row in rows:
        stored: dict[str, Any] = {name: row.get(name) for name in JOB_FIELDS}
        jobs.append(Job(job_id=row["_id"], kind=row["job_type"], **stored))
    return _units(jobs, batch)


def _choose(db: Db, wanted: Sequence[Kind], units: int, batch: int) -> dict[Kind, list[str]]:
    """Tweets to claim of each kind: those of the first due jobs, whatever their campaign, that fill the units."""
    rows: list[dict[str, Any]] = []
    for group, limit in (([METRICS], units * batch), (list(LISTS), units)):
        kinds = [kind for kind in group if kind in wanted]
        if kinds and limit > 0:
            query = {"status": JobStatus.PENDING, "job_type": {"$in": kinds}, **NOW_DUE}
            first = db.jobs.find(query, dict.fromkeys(("_id", "job_type", "tweet_id", "due"), 1)).sort(
                NEXT_FIRST
            )
            rows.extend(first.limit(min(limit, LARGEST_CLAIM)))  # from the index alone
    rows.sort(key=lambda row: (row["due"], str(row["_id"])))
    chosen: dict[Kind, dict[str, None]] = {}
    used = 0
    for row in rows:
        kind, tweet_id = Kind(row["job_type"]), row["tweet_id"]
        tweets = chosen.setdefault(kind, {})
        if tweet_id in tweets:
            continue
        starts_unit = kind != METRICS or len(tweets) % batch == 0
        if starts_unit and used == units:
            continue
        used += starts_unit
        tweets[tweet_id] = None
    return {kind: list(tweets) for kind, tweets in chosen.items() if tweets}


def _units(jobs: list[Job], batch: int) -> list[Unit]:
    """The requests that these jobs need, the first due first."""
    lists: dict[tuple[Kind, str], list[Job]] = {}
    metrics: dict[str, list[Job]] = {}
    for job in sorted(jobs, key=lambda job: (job.due, str(job.job_id))):
        if job.kind == METRICS:
            metrics.setdefault(job.tweet_id, []).append(job)
        else:
            lists.setdefault((job.kind, job.tweet_id), []).append(job)
    tweets = list(metrics.values())
    chunks = [tweets[at : at + batch] for at in range(0, len(tweets), batch)]
    units = [Unit(METRICS, tuple(job for tweet in chunk for job in tweet)) for chunk in chunks]
    return units + [Unit(kind, tuple(group)) for (kind, _), group in lists.items()]


def settle(db: Db, outcomes: Sequence[Outcome]) -> int:
    """Write outcomes in bulk, each under its lease; return how many counted. A lost lease changes nothing."""
    ended: dict[tuple[str, Result], list[str]] = {}
    operations: list[UpdateOne | UpdateMany] = []
    for outcome in outcomes:
        if outcome.delay is None and not outcome.final:
            ended.setdefault((outcome.job.lease_token, outcome.result), []).append(outcome.job.job_id)
        else:
            operations.append(_put_back(outcome))
    for (token, result), ids in ended.items():
        done = {
            "status": JobStatus.COMPLETED,
            "outcome": literal(result),
            "finished_at": "$$NOW",
            "last_error": None,
        }
        operations.append(UpdateMany(_held(ids, token), [{"$set": {**NO_LEASE, **done}}]))
    return db.jobs.bulk_write(operations, ordered=False).modified_count if operations else 0


def _held(ids: list[str], token: str) -> dict[str, Any]:
    return {"_id": {"$in": ids}, "lease_token": token, "status": JobStatus.PROCESSING}


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
        "status": JobStatus.FAILED if outcome.failed else JobStatus.PENDING,
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
        "status": JobStatus.PROCESSING,
    }


def release_unacknowledged(db: Db, worker: str, *, held: Iterable[Unit]) -> int:
    """Give back what a worker claimed without having heard so, when the answer to its claim was lost."""
    tokens = list({job.lease_token for unit in held for job in unit.jobs})
    unheard = {"status": JobStatus.PROCESSING, "claimed_by": worker, "lease_token": {"$nin": tokens}}
    return db.jobs.update_many(unheard, [{"$set": BACK}]).modified_count


def sweep(db: Db) -> int:
    """Take over expired leases: back to pending, or failed when it happened too often."""
    lost = {"$add": ["$lost_leases", 1]}
    too_often = {"$gte": [lost, MAX_LOST_LEASES]}
    reason = {"message": f"its worker died {MAX_LOST_LEASES} times", "at": "$$NOW"}
    expired = {"status": JobStatus.PROCESSING, "$expr": {"$lte": ["$lease_expires_at", "$$NOW"]}}
    fields = {
        **BACK,
        "lost_leases": lost,
        "status": {"$cond": [too_often, JobStatus.FAILED, JobStatus.PENDING]},
        "finished_at": {"$cond": [too_often, "$$NOW", None]},
        "last_error": {"$cond": [too_often, reason, "$last_error"]},
    }
    return db.jobs.update_many(expired, [{"$set": fields}]).modified_count


def _seconds(later: str, earlier: str) -> dict[str, Any]:
    return {"$divide": [{"$subtract": [later, earlier]}, 1000]}


def seconds_to_next(db: Db) -> float | None:
    """Seconds until the next pending job is due, 0 when one is; None when none is pending."""
    row = db.jobs.find_one(_PENDING, {"seconds": _seconds("$due", "$$NOW")}, sort=NEXT_FIRST)
    return None if row is None else max(0.0, row["seconds"])


def lag(db: Db) -> float:
    """Seconds since the oldest job was queued that waits for a worker or for its rate limit; 0 without one.

    Jobs that wait after a failure do not count.
    """
    waits = {"$or": [NOW_DUE, {"attempts": 0, "failures": 0, "waits_for_metrics": {"$ne": True}}]}
    oldest = {"$group": {"_id": None, "armed_at": {"$min": "$armed_at"}}}
    rows = db.jobs.aggregate(
        [{"$match": {**_PENDING, **waits}}, oldest, {"$project": {"seconds": _seconds("$$NOW", "$armed_at")}}]
    )
    return max(0.0, next((row["seconds"] or 0.0 for row in rows), 0.0))


def asked_at(db: Db, campaign_id: str) -> dict[str, datetime]:
    """When a look at each tweet of a campaign was armed last, by the clock of whoever armed it."""
    rows = db.jobs.find({"campaign_id": campaign_id, "job_type": METRICS}, {"tweet_id": 1, "asked_at": 1})
    return {row["tweet_id"]: row["asked_at"] for row in rows if row.get("asked_at") is not None}


def count_processing(db: Db) -> int:
    return db.jobs.count_documents({"status": JobStatus.PROCESSING})


def count_open(db: Db, campaign_id: str | None = None) -> int:
    """How many jobs, of all or of one campaign, are pending or processing."""
    of = {"campaign_id": campaign_id} if campaign_id else {}
    return db.jobs.count_documents({**of, "status": {"$in": list(OPEN)}})


def count_by_status(db: Db) -> dict[str, dict[str, int]]:
    """{kind: {status: jobs}}, from the index alone."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"status": {"$in": list(JobStatus)}, "job_type": {"$in": kinds()}}},
        {"$group": {"_id": {"kind": "$job_type", "status": "$status"}, "n": {"$sum": 1}}},
    ]
    counts: dict[str, dict[str, int]] = {kind: {} for kind in kinds()}
    for row in db.jobs.aggregate(pipeline, hint=CLAIM_INDEX):
        counts[row["_id"]["kind"]][row["_id"]["status"]] = row["n"]
    return counts


def listed(
    db: Db, *, status: JobStatus | None, campaign_id: str | None, limit: int
) -> tuple[list[JobRecord], int]:
    """Jobs, the next first, and how many there are without the limit."""
    statuses = [status] if status else list(JobStatus)
    query: dict[str, Any] = {"status": {"$in": statuses}, "job_type": {"$in": kinds()}}
    if campaign_id:
        query["campaign_id"] = campaign_id
    found = [_record(row) for row in db.jobs.find(query).sort(NEXT_FIRST).limit(limit)]
    return found, db.jobs.count_documents(query)


def find(db: Db, job_id: str) -> JobRecord | None:
    row = db.jobs.find_one({"_id": job_id})
    return None if row is None else _record(row)


def _record(row: dict[str, Any]) -> JobRecord:
    due = row.get("due")
    error = row.get("last_error") or {}
    return value_of(
        JobRecord,
        row,
        job_id=row["_id"],
        campaign_id=str(row.get("campaign_id")),
        tweet_id=str(row.get("tweet_id")),
        status=JobStatus(row["status"]),
        due=due if isinstance(due, datetime) and due >= LAST_RANK else None,
        last_error=error.get("message"),
        last_error_at=error.get("at"),
        traceback=error.get("traceback"),
    )
