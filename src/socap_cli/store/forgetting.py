"""Deleting what was collected, for good: engagements with their alerts, everything of a tweet, what a campaign told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.important import fold_handle
from socap_cli.store.connect import Db
from socap_cli.store.engagements import note_changed
from socap_cli.store.importance import WITHOUT_CASE

BATCH = 500
BY_SLUG = ("alert_plans",)
OF_A_TWEET = ("worker_state", "engagement_columns")
OF_A_CAMPAIGN = ("jobs", "alert_queue", "alert_history", "alert_messages", "silences", "final_reports")
Row = dict[str, Any]


def engagements(db: Db, wanted: Row, *, dry_run: bool = False) -> Forgotten:
    """Delete the engagements of a filter, their alerts first, so that a killed run can be repeated."""
    campaigns = db.alert_queue.distinct("campaign_id")
    found, alerts, tweets = 0, 0, set[str]()
    last = ""
    while rows := list(
        db.engagements.find({**wanted, "_id": {"$gt": last}}, {"tweet_id": 1}).sort("_id", 1).limit(BATCH)
    ):
        ids = [row["_id"] for row in rows]
        last = ids[-1]
        owed = [f"{slug}:{key}" for slug in campaigns for key in ids]
        alerts += db.alert_queue.count_documents({"_id": {"$in": owed}})
        found += len(ids)
        tweets |= {row["tweet_id"] for row in rows}
        if dry_run:
            continue
        lists = {key.rpartition(":")[0] for key in ids}
        note_changed(db, (key.partition(":")[0] for key in lists))
        of_them = {"alert_id": {"$in": owed}}
        db.alert_messages.update_many({"rows.alert_id": {"$in": owed}}, {"$pull": {"rows": of_them}})
        db.alert_history.delete_many(of_them)
        db.alert_queue.delete_many({"_id": {"$in": owed}})
        db.engagement_columns.delete_many({"_id": {"$in": list(lists)}})
        db.engagements.delete_many({"_id": {"$in": ids}})
    return Forgotten(found, alerts, tweets)


@dataclass(frozen=True, slots=True)
class Forgotten:
    engagements: int = 0
    alerts: int = 0
    tweets: set[str] = field(default_factory=set)


def user_ids(db: Db, username: str) -> list[str]:
    """The accounts of which something is stored under this handle, in any case."""
    return sorted(db.engagements.distinct("user_id", {"username": username}, collation=WITHOUT_CASE))


def of_people(ids: Sequence[str]) -> Row:
    """A filter for all that these accounts did."""
    return {"user_id": {"$in": list(ids)}}


def taken_back(before: datetime) -> Row:
    """A filter for engagements that were found to be gone before this moment."""
    return {"removed_at": {"$lt": before}}


def silences_of(db: Db, username: str, *, dry_run: bool = False) -> int:
    """Delete the silences that name somebody; return how many there were."""
    rows = db.silences.find({"username": username}, {"_id": 1}, collation=WITHOUT_CASE)
    ids = [row["_id"] for row in rows]
    if not dry_run:
        db.silences.delete_many({"_id": {"$in": ids}})
    return len(ids)


def completed_before(db: Db, moment: datetime) -> list[str]:
    query = {"status": CampaignStatus.COMPLETED, "completed_at": {"$lt": moment}}
    return sorted(str(row["_id"]) for row in db.campaigns.find(query, {"_id": 1}))


def campaign(db: Db, slug: str, moment: datetime) -> bool:
    """Delete a campaign that is still completed since before then, with all that is its own; what it spent stays."""
    query = {"_id": slug, "status": CampaignStatus.COMPLETED, "completed_at": {"$lt": moment}}
    if db.campaigns.find_one(query, {"_id": 1}) is None:
        return False
    for name in OF_A_CAMPAIGN:
        db[name].delete_many({"campaign_id": slug})
    for name in BY_SLUG:
        db[name].delete_one({"_id": slug})
    db.tweets.delete_many({"campaign_id": slug})
    return db.campaigns.delete_one(query).deleted_count == 1


def tweets_of_nobody(db: Db, *, without: Sequence[str] = (), before: datetime) -> list[str]:
    """Tweets of which something is stored, in no campaign but `without`, and not looked at since `before`."""
    watched = set(db.tweets.distinct("tweet_id", {"campaign_id": {"$nin": list(without)}}))
    group: list[Row] = [{"$group": {"_id": "$tweet_id"}}]
    known = {row["_id"] for name in ("engagements", "metric_snapshots") for row in db[name].aggregate(group)}
    states = {row["_id"]: row.get("checked_at") for row in db.worker_state.find({}, {"checked_at": 1})}
    late = {tweet for tweet, seen in states.items() if isinstance(seen, datetime) and seen >= before}
    return sorted((known | set(states)) - watched - late)


def tweet(db: Db, tweet_id: str, *, dry_run: bool = False) -> tuple[Forgotten, int]:
    """Delete everything that was collected of a tweet; what of its engagements, and how many readings of counters."""
    done = engagements(db, {"tweet_id": tweet_id}, dry_run=dry_run)
    query = {"tweet_id": tweet_id}
    if dry_run:
        return done, db.metric_snapshots.count_documents(query)
    readings = db.metric_snapshots.delete_many(query).deleted_count
    db.engagement_columns.delete_many(query)
    for name in OF_A_TWEET:
        db[name].delete_one({"_id": tweet_id})
    return done, readings


def digest(word: str) -> str:
    """What stands for an id or a handle; handles are folded first."""
    return hashlib.sha256(f"socap erased {word}".encode("utf-8", "replace")).hexdigest()[:32]


def note(db: Db, username: str, user_ids: Iterable[str], *, now: datetime) -> None:
    """Keep these accounts out from now on; one that is noted stays as it is."""
    row = {"handle": digest(fold_handle(username)), "erased_at": now}
    operations = [UpdateOne({"_id": digest(one)}, {"$setOnInsert": row}, upsert=True) for one in user_ids]
    if operations:
        db.erased_people.bulk_write(operations, ordered=False)


def among(db: Db, user_ids: Iterable[str]) -> set[str]:
    """Which of these accounts are to be kept out."""
    digests = {digest(one): one for one in user_ids}
    return {digests[row["_id"]] for row in db.erased_people.find({"_id": {"$in": list(digests)}})}


def erased_at(db: Db, username: str) -> datetime | None:
    """When whoever had this handle was erased; None: nobody was."""
    row = db.erased_people.find_one({"handle": digest(fold_handle(username))}, sort=[("erased_at", -1)])
    found = row.get("erased_at") if row else None
    return found if isinstance(found, datetime) else None
