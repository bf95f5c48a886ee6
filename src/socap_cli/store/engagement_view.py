"""Looking at engagements: lists of them, and sums over them. Nothing here changes one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from socap_cli.model.engagement import Engagement
from socap_cli.store.connect import Db
from socap_cli.store.engagements import engagement

Order = Literal["importance_score", "timestamp"]
ORDERS: dict[Order, list[tuple[str, int]]] = {
    "importance_score": [("importance_score", -1), ("first_seen_at", -1), ("_id", 1)],
    "timestamp": [("first_seen_at", -1), ("_id", 1)],
}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which engagements: those with these tweets, and only such as the other fields say."""

    tweet_ids: Sequence[str]
    action_type: str | None = None
    category: str | None = None
    """An engager's category."""
    min_importance: float | None = None
    present: bool = False
    """Whether those that were taken back are left out."""

    def query(self) -> dict[str, Any]:
        """The selection as a filter."""
        wanted: dict[str, Any] = {"tweet_id": {"$in": list(self.tweet_ids)}}
        if self.action_type:
            wanted["action_type"] = self.action_type
        if self.category:
            wanted["categories"] = self.category
        if self.min_importance is not None:
            wanted["importance_score"] = {"$gte": self.min_importance}
        if self.present:
            wanted["removed_at"] = None
        return wanted


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


def stored_ids(db: Db, *, present: bool) -> Iterator[tuple[str, str, str]]:
    """(tweet, action, source) of every stored engagement, present or removed."""
    query = {"removed_at": None} if present else {"removed_at": {"$ne": None}}
    for row in db.engagements.find(query, {"tweet_id": 1, "action_type": 1, "source_id": 1}):
        yield row["tweet_id"], row["action_type"], row["source_id"]


def count_by(db: Db, tweet_ids: Sequence[str], field: str) -> dict[str, int]:
    """How many present engagements there are for each value of a field, the most first."""
    unwind: list[dict[str, Any]] = [{"$unwind": "$categories"}] if field == "categories" else []
    pipeline: list[dict[str, Any]] = [
        {"$match": Selection(tweet_ids, present=True).query()},
        *unwind,
        {"$group": {"_id": f"${field}", "n": {"$sum": 1}}},
        {"$sort": {"n": -1, "_id": 1}},
    ]
    return {row["_id"]: row["n"] for row in db.engagements.aggregate(pipeline)}


def count_important(db: Db, tweet_ids: Sequence[str], threshold: float) -> int:
    """How many present engagements are by accounts at or over a threshold."""
    wanted = Selection(tweet_ids, min_importance=threshold, present=True)
    return db.engagements.count_documents(wanted.query())


def of_ids(db: Db, ids: Sequence[str], *, batch: int = 1000) -> dict[str, Engagement]:
    """These engagements by id; one that is gone meanwhile is absent."""
    found: dict[str, Engagement] = {}
    for start in range(0, len(ids), batch):
        wanted = list(ids[start : start + batch])
        for row in db.engagements.find({"_id": {"$in": wanted}}):
            found[row["_id"]] = engagement(row)
    return found


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
