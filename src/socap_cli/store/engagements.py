"""Who retweeted, replied and quoted: one document for each, written under a key that repeats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model import Importance, Kind, ListItem
from socap_cli.store.connect import Db

MARK_NEW = "new"
SEEN_INDEX = "tweet_id_1_action_type_1_removed_at_1_last_reading_1"


@dataclass(frozen=True, slots=True)
class Known:
    """What was stored of an item before its page was read."""

    first_pass: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Found:
    """An item as a page showed it, enriched: what is stored when it is new."""

    tweet_id: str
    kind: Kind
    item: ListItem
    importance: Importance
    categories: Sequence[str]
    pass_number: int
    reading: int
    backfill: bool
    now: datetime

    @property
    def engagement_id(self) -> str:
        return engagement_id(self.tweet_id, self.kind, self.item.source_id)


def engagement_id(tweet_id: str, kind: Kind, source_id: str) -> str:
    return f"{tweet_id}:{kind.action_type}:{source_id}"


def known(db: Db, ids: Iterable[str]) -> dict[str, Known]:
    """Which of these engagements are stored, and by which pass."""
    rows = db.engagements.find({"_id": {"$in": list(ids)}}, {"first_pass": 1, "removed_at": 1})
    return {row["_id"]: Known(row["first_pass"], row["removed_at"] is not None) for row in rows}


def record(db: Db, found: Sequence[Found]) -> set[str]:
    """Store engagements with their mark "not yet considered"; return the ids that were not there before."""
    operations = []
    for one in found:
        fresh = {
            **_document(one),
            "first_pass": one.pass_number,
            "first_seen_at": one.now,
            "backfill": one.backfill,
            "alert_mark": MARK_NEW,
        }
        seen = {"last_reading": one.reading, "last_seen_at": one.now, "removed_at": None}
        operations.append(
            UpdateOne({"_id": one.engagement_id}, {"$setOnInsert": fresh, "$set": seen}, upsert=True)
        )
    if not operations:
        return set()
    return set((db.engagements.bulk_write(operations, ordered=False).upserted_ids or {}).values())


def _document(found: Found) -> dict[str, Any]:
    profile, importance = found.item.profile, found.importance
    return {
        "tweet_id": found.tweet_id,
        "action_type": found.kind.action_type.value,
        "source_id": found.item.source_id,
        "user_id": profile.user_id,
        "username": profile.username,
        "name": profile.name,
        "bio": profile.bio,
        "followers": profile.followers,
        "verified": profile.verified,
        "engaged_at": found.item.engaged_at,
        "text": found.item.text,
        "importance_score": importance.score,
        "importance_reasons": [{"username": who, "weight": weight} for who, weight in importance.reasons],
        "categories": list(found.categories),
    }


def see_again(db: Db, ids: Sequence[str], *, reading: int, now: datetime) -> None:
    """Note that stored engagements are still there; one that had been taken back is there again."""
    db.engagements.update_many(
        {"_id": {"$in": list(ids)}},
        {"$set": {"last_reading": reading, "last_seen_at": now, "removed_at": None}},
    )


def mark_removed(db: Db, tweet_id: str, kind: Kind, *, before: int, now: datetime) -> int:
    """Mark what a full reading did not find any more; return how many. Nothing is deleted."""
    unseen = {
        "tweet_id": tweet_id,
        "action_type": kind.action_type.value,
        "removed_at": None,
        "last_reading": {"$lt": before},
    }
    return db.engagements.update_many(unseen, {"$set": {"removed_at": now}}).modified_count


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of one list are stored: present, by the reading that saw them last, and removed."""

    seen: Mapping[int, int]
    removed: int

    @property
    def present(self) -> int:
        return sum(self.seen.values())

    def unseen(self, *, before: int) -> int:
        """Present ones that no reading from this one on has seen."""
        return sum(count for number, count in self.seen.items() if number < before)


def tallies(db: Db, lists: Sequence[tuple[str, Kind]]) -> list[Tally]:
    """Count what is stored of each of these lists, from the index."""
    pipeline: list[dict[str, Any]] = [
        {
            "$match": {
                "tweet_id": {"$in": list({tweet_id for tweet_id, _ in lists})},
                "action_type": {"$in": list({kind.action_type.value for _, kind in lists})},
            }
        },
        {
            "$group": {
                "_id": {
                    "list": ["$tweet_id", "$action_type"],
                    "removed": {"$gt": ["$removed_at", None]},
                    "last_reading": "$last_reading",
                },
                "n": {"$sum": 1},
            }
        },
    ]
    seen: dict[tuple[str, str], dict[int, int]] = {}
    removed: dict[tuple[str, str], int] = {}
    for row in db.engagements.aggregate(pipeline, hint=SEEN_INDEX):
        key = (row["_id"]["list"][0], row["_id"]["list"][1])
        if row["_id"]["removed"]:
            removed[key] = removed.get(key, 0) + row["n"]
        else:
            seen.setdefault(key, {})[row["_id"]["last_reading"]] = row["n"]
    keys = [(tweet_id, kind.action_type.value) for tweet_id, kind in lists]
    return [Tally(seen.get(key, {}), removed.get(key, 0)) for key in keys]


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
