"""Who retweeted, replied and quoted: one document for each, written under a key that repeats."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.account import Profile
from socap_cli.model.engagement import Engagement, FoundEngagement, Importance, StoredItem
from socap_cli.model.kinds import LISTS, Kind
from socap_cli.model.list_state import StoredCounts
from socap_cli.store import list_marks
from socap_cli.store.connect import Db
from socap_cli.store.list_marks import SCAN_INDEX

Row = dict[str, Any]


def known(db: Db, ids: Iterable[str]) -> dict[str, StoredItem]:
    """Which of these engagements are stored, and by which pass."""
    rows = db.engagements.find({"_id": {"$in": list(ids)}}, {"first_pass": 1, "removed_at": 1})
    return {row["_id"]: StoredItem(row["first_pass"], row["removed_at"] is not None) for row in rows}


def record(db: Db, found: Sequence[FoundEngagement]) -> set[str]:
    """Store engagements with their mark "needs planning"; return the ids that were not there before."""
    operations = []
    for one in found:
        fresh = {
            **_document(one),
            "first_pass": one.pass_number,
            "first_seen_at": one.now,
            "backfill": one.backfill,
            "needs_planning": True,
        }
        seen = {"last_scan": one.scan, "last_seen_at": one.now, "removed_at": None}
        operations.append(
            UpdateOne({"_id": one.engagement_id}, {"$setOnInsert": fresh, "$set": seen}, upsert=True)
        )
    if not operations:
        return set()
    return set((db.engagements.bulk_write(operations, ordered=False).upserted_ids or {}).values())


def _document(found: FoundEngagement) -> Row:
    profile = found.item.profile
    return {
        "tweet_id": found.tweet_id,
        "action_type": LISTS[found.kind].action_type,
        "source_id": found.item.source_id,
        "user_id": profile.user_id,
        "username": profile.username,
        "name": profile.name,
        "bio": profile.bio,
        "followers": profile.followers,
        "verified": profile.verified,
        "engaged_at": found.item.engaged_at,
        "text": found.item.text,
        **importance_fields(found.importance),
        "categories": list(found.categories),
        "organisations": list(found.organisations),
    }


def importance_fields(importance: Importance) -> Row:
    """An importance as an engagement's document keeps it."""
    return {
        "importance_score": importance.score,
        "importance_reasons": [{"username": who, "weight": weight} for who, weight in importance.reasons],
    }


def engagement(row: Mapping[str, Any]) -> Engagement:
    """An engagement's document as a value."""
    reasons = tuple((r["username"], r["weight"]) for r in row.get("importance_reasons") or ())
    return Engagement(
        engagement_id=row["_id"],
        tweet_id=row["tweet_id"],
        action_type=row["action_type"],
        source_id=row["source_id"],
        profile=Profile(
            user_id=row["user_id"],
            username=row["username"],
            name=row["name"],
            bio=row.get("bio") or "",
            followers=row.get("followers"),
            verified=bool(row.get("verified")),
        ),
        importance=Importance(row["importance_score"], reasons),
        categories=tuple(row["categories"]),
        organisations=tuple(row.get("organisations") or ()),
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
        backfill=row["backfill"],
        engaged_at=row.get("engaged_at"),
        text=row.get("text"),
        removed_at=row.get("removed_at"),
    )


def see_again(db: Db, ids: Sequence[str], *, scan: int, now: datetime) -> None:
    """Note that stored engagements are still there; one that had been taken back is there again."""
    db.engagements.update_many(
        {"_id": {"$in": list(ids)}},
        {"$set": {"last_scan": scan, "last_seen_at": now, "removed_at": None}},
    )


def count_unseen(db: Db, tweet_id: str, kind: Kind, *, before: int, since: datetime) -> int:
    """How many from a time on no scan from `before` on has seen."""
    return db.engagements.count_documents(_unseen(tweet_id, kind, before, since))


def mark_removed(
    db: Db, tweet_id: str, kind: Kind, *, before: int, now: datetime, since: datetime | None = None
) -> int:
    """Mark what no scan from `before` on has seen, of what is newer than `since`; return how many.

    Nothing is deleted.
    """
    unseen = _unseen(tweet_id, kind, before, since)
    return db.engagements.update_many(unseen, {"$set": {"removed_at": now}}).modified_count


def _unseen(tweet_id: str, kind: Kind, before: int, since: datetime | None) -> Row:
    query: Row = {
        "tweet_id": tweet_id,
        "action_type": LISTS[kind].action_type,
        "removed_at": None,
        "last_scan": {"$lt": before},
    }
    return query if since is None else {**query, "engaged_at": {"$gte": since}}


def count_stored(db: Db, lists: Sequence[tuple[str, Kind]]) -> list[StoredCounts]:
    """Count what is stored of each of these lists, from the index."""
    actions = {kind: LISTS[kind].action_type for _, kind in lists}
    match = {
        "tweet_id": {"$in": list({tweet_id for tweet_id, _ in lists})},
        "action_type": {"$in": list(actions.values())},
    }
    group = {
        "list": ["$tweet_id", "$action_type"],
        "removed": {"$gt": ["$removed_at", None]},
        "last_scan": "$last_scan",
    }
    pipeline: list[Row] = [{"$match": match}, {"$group": {"_id": group, "n": {"$sum": 1}}}]
    seen: dict[tuple[str, str], dict[int, int]] = {}
    removed: dict[tuple[str, str], int] = {}
    for row in db.engagements.aggregate(pipeline, hint=SCAN_INDEX):
        key = (row["_id"]["list"][0], row["_id"]["list"][1])
        if row["_id"]["removed"]:
            removed[key] = removed.get(key, 0) + row["n"]
        else:
            seen.setdefault(key, {})[row["_id"]["last_scan"]] = row["n"]
    keys = [(tweet_id, actions[kind]) for tweet_id, kind in lists]
    return [StoredCounts(seen.get(key, {}), removed.get(key, 0)) for key in keys]


def of_ids(db: Db, ids: Sequence[str]) -> list[Engagement]:
    """These engagements; one that is not there, or cannot be read, is absent."""
    return read_rows(db.engagements.find({"_id": {"$in": list(ids)}}))[0]


def existing(db: Db, ids: Sequence[str]) -> set[str]:
    """Which of these are stored, readable or not."""
    return {row["_id"] for row in db.engagements.find({"_id": {"$in": list(ids)}}, {"_id": 1})}


def scores_of(db: Db, ids: Sequence[str]) -> dict[str, float]:
    """The importance of these, where it is known, by id."""
    query = {"_id": {"$in": list(ids)}, "importance_score": {"$type": "number"}}
    return {
        row["_id"]: row["importance_score"] for row in db.engagements.find(query, {"importance_score": 1})
    }


def needing_plan(
    db: Db, *, after: str, limit: int, also_of: Collection[str] = ()
) -> tuple[list[Engagement], list[str], str]:
    """Engagements that alert planning has not considered yet, in the order of their ids, from one on.

    With `also_of` all of these tweets' as well.
    Returns them, the ids of documents that are none, and the last id; "" when there are no more.
    """
    wanted: Row = {"needs_planning": True}
    if also_of:
        wanted = {"$or": [wanted, {"tweet_id": {"$in": list(also_of)}}]}
    rows = list(db.engagements.find({**wanted, "_id": {"$gt": after}}).sort("_id", 1).limit(limit))
    found, unreadable = read_rows(rows)
    return found, unreadable, str(rows[-1]["_id"]) if rows else ""


def read_rows(rows: Iterable[Row]) -> tuple[list[Engagement], list[str]]:
    """Documents as values, and the ids of those that are no engagement: a field is missing or of a wrong type."""
    found, unreadable = [], []
    for row in rows:
        try:
            one = engagement(row)
            if not isinstance(one.first_seen_at, datetime) or not isinstance(one.profile.username, str):
                raise TypeError("not an engagement")
            found.append(one)
        except (KeyError, TypeError, ValueError, AttributeError):
            unreadable.append(str(row["_id"]))
    return found, unreadable


def mark_planned(db: Db, considered: Iterable[Engagement]) -> None:
    """Alert planning has considered these; one that was scored anew meanwhile keeps its mark."""
    by_score: dict[float | None, list[str]] = {}
    for one in considered:
        by_score.setdefault(one.importance.score, []).append(one.engagement_id)
    for score, ids in by_score.items():
        db.engagements.update_many(
            {"_id": {"$in": ids}, "importance_score": score}, {"$unset": {"needs_planning": ""}}
        )


def rescore(db: Db, scores: Mapping[str, Importance]) -> None:
    """Write importances by engagement id."""
    operations = [
        UpdateOne({"_id": key}, {"$set": importance_fields(importance)}) for key, importance in scores.items()
    ]
    if operations:
        list_marks.note_changed(db, (key.partition(":")[0] for key in scores))
        db.engagements.bulk_write(operations, ordered=False)
