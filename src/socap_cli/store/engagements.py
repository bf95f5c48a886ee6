"""Who retweeted, replied and quoted: one document for each, written under a key that repeats."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from pymongo import UpdateOne

from socap_cli.model.account import Profile
from socap_cli.model.alert import DeliveryStatus
from socap_cli.model.engagement import (
    Delay,
    Detection,
    Engagement,
    FoundEngagement,
    Importance,
    StoredItem,
    delay_of,
)
from socap_cli.model.kinds import LISTS, Kind
from socap_cli.model.list_state import StoredCounts
from socap_cli.store.connect import Db

Row = dict[str, Any]
Order = Literal["importance_score", "timestamp"]
ORDERS: dict[Order, list[tuple[str, int]]] = {
    "importance_score": [("importance_score", -1), ("first_seen_at", -1), ("_id", 1)],
    "timestamp": [("first_seen_at", -1), ("_id", 1)],
}
SCAN_INDEX = "tweet_id_1_action_type_1_removed_at_1_last_scan_1"
"""The index that answers a count by itself."""
POSTS = [kind.action_type for kind in LISTS.values() if kind.is_post]
MOST = 20_000
"""Engagements whose delays are compared."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which engagements: those with these tweets, and only such as the other fields say."""

    tweet_ids: Sequence[str]
    action_type: str | None = None
    category: str | None = None
    min_importance: float | None = None
    present: bool = False
    """Whether those that were taken back are left out."""

    def query(self) -> Row:
        filters: Row = {"action_type": self.action_type, "categories": self.category}
        query: Row = {name: value for name, value in filters.items() if value}
        if self.min_importance is not None:
            query["importance_score"] = {"$gte": self.min_importance}
        if self.present:
            query["removed_at"] = None
        return {"tweet_id": {"$in": list(self.tweet_ids)}, **query}


def known(db: Db, ids: Iterable[str]) -> dict[str, StoredItem]:
    """Which of these engagements are stored, and by which pass."""
    rows = db.engagements.find({"_id": {"$in": list(ids)}}, {"first_pass": 1, "removed_at": 1})
    return {row["_id"]: StoredItem(row["first_pass"], row["removed_at"] is not None) for row in rows}


def record(db: Db, found: Sequence[FoundEngagement]) -> set[str]:
    """Store engagements with their mark "needs planning"; return the ids that were not there before."""
    operations = []
    for one in found:
        fresh = {
            "tweet_id": one.tweet_id,
            "action_type": LISTS[one.kind].action_type,
            "source_id": one.item.source_id,
            **asdict(one.item.profile),
            "engaged_at": one.item.engaged_at,
            "text": one.item.text,
            **importance_fields(one.importance),
            "categories": list(one.categories),
            "organisations": list(one.organisations),
            "first_pass": one.pass_number,
            "first_seen_at": one.now,
            "backfill": one.backfill,
            "needs_planning": True,
        }
        seen = {"last_scan": one.scan, "last_seen_at": one.now, "removed_at": None}
        operations.append(
            UpdateOne({"_id": one.engagement_id}, {"$setOnInsert": fresh, "$set": seen}, upsert=True)
        )
    upserted = db.engagements.bulk_write(operations, ordered=False).upserted_ids if operations else None
    return set((upserted or {}).values())


def importance_fields(importance: Importance) -> Row:
    return {
        "importance_score": importance.score,
        "importance_reasons": [{"username": who, "weight": weight} for who, weight in importance.reasons],
        "important_followers": max(importance.followers, len(importance.reasons)),
    }


def engagement(row: Mapping[str, Any]) -> Engagement:
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
        importance=Importance(
            row["importance_score"], reasons, max(row.get("important_followers") or 0, len(reasons))
        ),
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
    seen = {"last_scan": scan, "last_seen_at": now, "removed_at": None}
    db.engagements.update_many({"_id": {"$in": list(ids)}}, {"$set": seen})


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
    rows = db.engagements.find(query, {"importance_score": 1})
    return {row["_id"]: row["importance_score"] for row in rows}


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


def note_changed(db: Db, tweet_ids: Iterable[str]) -> None:
    """Say that engagements of these tweets are about to be changed outside a hold of their lists: pages cache them."""
    operations = [
        UpdateOne({"_id": tweet_id}, {"$currentDate": {"changed_at": True}}, upsert=True)
        for tweet_id in set(tweet_ids)
    ]
    if operations:
        db.engagement_columns.bulk_write(operations, ordered=False)


def listed(
    db: Db,
    wanted: Selection,
    *,
    order: Order = "importance_score",
    limit: int | None = None,
    offset: int = 0,
) -> Iterator[Engagement]:
    """Engagements, most important or newest first."""
    cursor = db.engagements.find(wanted.query()).sort(ORDERS[order]).skip(offset)
    yield from (engagement(row) for row in (cursor.limit(limit) if limit else cursor))


def count(db: Db, wanted: Selection) -> int:
    return db.engagements.count_documents(wanted.query())


def stored_ids(db: Db, *, present: bool) -> Iterator[tuple[str, str, str]]:
    """(tweet, action, source) of every stored engagement, present or removed."""
    query = {"removed_at": None} if present else {"removed_at": {"$ne": None}}
    for row in db.engagements.find(query, {"tweet_id": 1, "action_type": 1, "source_id": 1}):
        yield row["tweet_id"], row["action_type"], row["source_id"]


def order_of_organisation(
    db: Db, tweet_ids: Sequence[str], organisation: str, members: Sequence[str]
) -> list[str]:
    """The user ids of an organisation's people who engaged with these tweets, by when they were first seen.

    Its people are those whom the rules found, and `members`, folded handles.
    """
    of_it = [{"organisations": organisation}, {"$expr": {"$in": [{"$toLower": "$username"}, list(members)]}}]
    pipeline: list[dict[str, Any]] = [
        {"$match": {"tweet_id": {"$in": list(tweet_ids)}, "$or": of_it}},
        {"$group": {"_id": "$user_id", "first": {"$min": "$first_seen_at"}}},
        {"$sort": {"first": 1, "_id": 1}},
    ]
    return [str(row["_id"]) for row in db.engagements.aggregate(pipeline)]


def first_accounts(db: Db, tweet_ids: Sequence[str], handles: Sequence[str]) -> dict[str, str]:
    """The account that was first seen under each of these folded handles, of those with these tweets."""
    pipeline: list[dict[str, Any]] = [
        {"$match": {"tweet_id": {"$in": list(tweet_ids)}}},
        {"$set": {"handle": {"$toLower": "$username"}}},
        {"$match": {"handle": {"$in": list(handles)}}},
        {"$sort": {"first_seen_at": 1, "_id": 1}},
        {"$group": {"_id": "$handle", "user_id": {"$first": "$user_id"}}},
    ]
    return {row["_id"]: row["user_id"] for row in db.engagements.aggregate(pipeline)} if handles else {}


def detection(db: Db, campaign_ids: Iterable[str], tweet_ids: Sequence[str], *, since: datetime) -> Detection:
    """Of replies and quotes that were found from a moment on; what a first pass found is left out."""
    return Detection(_stored(db, tweet_ids, since), _told(db, list(campaign_ids), since))


def _stored(db: Db, tweet_ids: Sequence[str], since: datetime) -> Delay | None:
    query = {
        "tweet_id": {"$in": list(tweet_ids)},
        "action_type": {"$in": POSTS},
        "first_seen_at": {"$gte": since},
        "engaged_at": {"$ne": None},
        "backfill": False,
    }
    rows = db.engagements.find(query, {"_id": 0, "engaged_at": 1, "first_seen_at": 1}).limit(MOST)
    return delay_of((row["first_seen_at"] - row["engaged_at"]).total_seconds() for row in rows)


def _told(db: Db, campaign_ids: list[str], since: datetime) -> Delay | None:
    query = {
        "campaign_id": {"$in": campaign_ids},
        "created_at": {"$gte": since},
        "status": DeliveryStatus.SENT,
        "action_type": {"$in": POSTS},
        "is_backlog": False,
    }
    first: dict[str, datetime] = {}
    for row in db.alert_history.find(query, {"engagement_id": 1, "sent_at": 1}).limit(MOST):
        if at := row.get("sent_at"):
            first[row["engagement_id"]] = min(first.get(row["engagement_id"], at), at)
    engaged = {"_id": {"$in": list(first)}, "engaged_at": {"$ne": None}}
    rows = db.engagements.find(engaged, {"engaged_at": 1})
    return delay_of((first[row["_id"]] - row["engaged_at"]).total_seconds() for row in rows)
