"""Who retweeted, replied and quoted: one document for each, written under a key that repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model import ActionType, Importance, Kind, ListItem
from socap_cli.store.connect import Db

MARK_NEW = "new"


@dataclass(frozen=True, slots=True)
class Known:
    """What was stored of an item before its page was read."""

    first_pass: int
    removed: bool


def known(db: Db, tweet_id: str, kind: Kind, source_ids: Sequence[str]) -> dict[str, Known]:
    """Which of these items are stored, and by which pass."""
    ids = [engagement_id(tweet_id, kind.action_type, source) for source in source_ids]
    rows = db.engagements.find({"_id": {"$in": ids}}, {"source_id": 1, "first_pass": 1, "removed_at": 1})
    return {row["source_id"]: Known(row["first_pass"], row["removed_at"] is not None) for row in rows}


def engagement_id(tweet_id: str, action: ActionType, source_id: str) -> str:
    return f"{tweet_id}:{action}:{source_id}"


def record(
    db: Db,
    tweet_id: str,
    kind: Kind,
    items: Iterable[tuple[ListItem, Importance, Sequence[str]]],
    *,
    pass_number: int,
    backfill: bool,
    now: datetime,
) -> int:
    """Store new engagements with their mark "not yet considered"; return how many were not there before."""
    operations = []
    for item, importance, categories in items:
        document = _document(tweet_id, kind.action_type, item, importance, categories)
        fresh = {
            **document,
            "first_pass": pass_number,
            "first_seen_at": now,
            "backfill": backfill,
            "alert_mark": MARK_NEW,
        }
        key = engagement_id(tweet_id, kind.action_type, item.source_id)
        seen = {"last_pass": pass_number, "last_seen_at": now, "removed_at": None}
        operations.append(UpdateOne({"_id": key}, {"$setOnInsert": fresh, "$set": seen}, upsert=True))
    if not operations:
        return 0
    return db.engagements.bulk_write(operations, ordered=False).upserted_count


def _document(
    tweet_id: str, action: ActionType, item: ListItem, importance: Importance, categories: Sequence[str]
) -> dict[str, Any]:
    profile = item.profile
    return {
        "tweet_id": tweet_id,
        "action_type": action.value,
        "source_id": item.source_id,
        "user_id": profile.user_id,
        "username": profile.username,
        "name": profile.name,
        "bio": profile.bio,
        "followers": profile.followers,
        "verified": profile.verified,
        "engaged_at": item.engaged_at,
        "text": item.text,
        "importance_score": importance.score,
        "importance_reasons": [{"username": who, "weight": weight} for who, weight in importance.reasons],
        "categories": list(categories),
    }


def see_again(
    db: Db, tweet_id: str, kind: Kind, source_ids: Sequence[str], *, pass_number: int, now: datetime
) -> None:
    """Note that stored engagements are still there; one that had been taken back is there again."""
    if source_ids:
        ids = [engagement_id(tweet_id, kind.action_type, source) for source in source_ids]
        db.engagements.update_many(
            {"_id": {"$in": ids}},
            {"$set": {"last_pass": pass_number, "last_seen_at": now, "removed_at": None}},
        )


def unseen_count(db: Db, tweet_id: str, kind: Kind, *, before_pass: int) -> int:
    return db.engagements.count_documents(_unseen(tweet_id, kind, before_pass))


def mark_removed(db: Db, tweet_id: str, kind: Kind, *, before_pass: int, now: datetime) -> int:
    """Mark what a full reading did not find any more. Nothing is deleted."""
    return db.engagements.update_many(
        _unseen(tweet_id, kind, before_pass), {"$set": {"removed_at": now}}
    ).modified_count


def _unseen(tweet_id: str, kind: Kind, before_pass: int) -> dict[str, Any]:
    return {
        "tweet_id": tweet_id,
        "action_type": kind.action_type.value,
        "removed_at": None,
        "last_pass": {"$lt": before_pass},
    }


def count(db: Db, tweet_id: str, kind: Kind, *, removed: bool = False) -> int:
    """How many of one list are stored and present, or removed; from the index."""
    query = {"tweet_id": tweet_id, "action_type": kind.action_type.value}
    return db.engagements.count_documents({**query, "removed_at": {"$type": "date"} if removed else None})


def unconsidered(db: Db, *, batch: int) -> list[dict[str, Any]]:
    """Engagements that alert planning has not looked at yet, oldest id first."""
    return list(db.engagements.find({"alert_mark": MARK_NEW}).sort("_id", 1).limit(batch))


def clear_marks(db: Db, ids: Sequence[str]) -> None:
    db.engagements.update_many({"_id": {"$in": list(ids)}}, {"$unset": {"alert_mark": ""}})


def rescore(db: Db, scores: Mapping[str, Importance]) -> None:
    """Write importances that could not be looked up when their engagements were stored."""
    operations = [
        UpdateOne(
            {"_id": key},
            {
                "$set": {
                    "importance_score": importance.score,
                    "importance_reasons": [{"username": w, "weight": n} for w, n in importance.reasons],
                }
            },
        )
        for key, importance in scores.items()
    ]
    if operations:
        db.engagements.bulk_write(operations, ordered=False)


def listed(
    db: Db,
    tweet_ids: Sequence[str],
    *,
    sort: str = "importance_score",
    limit: int | None = None,
    offset: int = 0,
    filters: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Engagements of these tweets, most important or newest first."""
    fields = {
        "importance_score": [("importance_score", -1), ("first_seen_at", -1), ("_id", 1)],
        "timestamp": [("first_seen_at", -1), ("_id", 1)],
    }[sort]
    cursor = (
        db.engagements.find({"tweet_id": {"$in": list(tweet_ids)}, **(filters or {})})
        .sort(fields)
        .skip(offset)
    )
    yield from cursor.limit(limit) if limit else cursor


def stored_ids(db: Db, *, present: bool) -> Iterator[tuple[str, str, str]]:
    """(tweet, action, source) of every stored engagement, present or removed."""
    query = {"removed_at": None} if present else {"removed_at": {"$ne": None}}
    for row in db.engagements.find(query, {"tweet_id": 1, "action_type": 1, "source_id": 1}):
        yield row["tweet_id"], row["action_type"], row["source_id"]


def tally(db: Db, tweet_ids: Sequence[str], by: str) -> dict[str, int]:
    """How many present engagements there are for each value of a field."""
    unwind: list[dict[str, Any]] = [{"$unwind": "$categories"}] if by == "categories" else []
    pipeline: list[dict[str, Any]] = [
        {"$match": {"tweet_id": {"$in": list(tweet_ids)}, "removed_at": None}},
        *unwind,
        {"$group": {"_id": f"${by}", "n": {"$sum": 1}}},
        {"$sort": {"n": -1, "_id": 1}},
    ]
    return {row["_id"]: row["n"] for row in db.engagements.aggregate(pipeline)}


def people(db: Db, tweet_ids: Sequence[str]) -> int:
    """How many different accounts engaged."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"tweet_id": {"$in": list(tweet_ids)}, "removed_at": None}},
        {"$group": {"_id": "$user_id"}},
        {"$count": "n"},
    ]
    return next((row["n"] for row in db.engagements.aggregate(pipeline)), 0)


def count_important(db: Db, tweet_ids: Sequence[str], threshold: float) -> int:
    """How many present engagements are by accounts at or over a threshold."""
    query = {
        "tweet_id": {"$in": list(tweet_ids)},
        "importance_score": {"$gte": threshold},
        "removed_at": None,
    }
    return db.engagements.count_documents(query)
