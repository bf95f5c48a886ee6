"""Every collection with its indexes, in one table."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from socap_cli.store import schema
from socap_cli.store.connect import Db

UP, DOWN = ASCENDING, DESCENDING


@dataclass(frozen=True, slots=True)
class Index:
    """The fields of an index with their directions, and what else the server is told of it."""

    keys: tuple[tuple[str, int], ...]
    options: dict[str, Any] = field(default_factory=dict)

    def model(self) -> IndexModel:
        """As the driver takes it."""
        return IndexModel(list(self.keys), **self.options)


def up(*names: str, **options: Any) -> Index:
    """An index whose fields all ascend."""
    return Index(tuple((name, UP) for name in names), options)


INDEXES: dict[str, tuple[Index, ...]] = {
    "campaigns": (up("status"),),
    "tweets": (up("campaign_id", "tweet_id", unique=True), up("tweet_id")),
    "jobs": (
        up("campaign_id", "tweet_id", "job_type", unique=True),
        # The claim: equality, equality (one point a kind), then the sort, so that no plan needs a SORT; the
        # tweet, so that it is answered from the index. The only index that follows every change of state.
        up("status", "job_type", "due", "_id", "tweet_id"),
        up("tweet_id", "job_type"),
        up("lease_expires_at", partialFilterExpression={"status": "processing"}),
    ),
    "worker_state": (),
    "engagements": (
        up("tweet_id", "action_type", "source_id", unique=True),
        up("tweet_id", "action_type", "removed_at", "last_scan"),
        up("needs_planning", partialFilterExpression={"needs_planning": True}),
        Index((("tweet_id", UP), ("importance_score", DOWN))),
    ),
    "engagement_columns": (up("tweet_id"),),
    "report_sums": (),
    "erased_people": (up("handle"),),
    "metric_snapshots": (up("tweet_id", "captured_at"),),
    "alert_queue": (
        up("campaign_id", "status", "hold.reason"),
        up("status", "scheduled_send_time"),
        up("status", "hold.reason"),
        Index((("planned_at", DOWN), ("_id", UP))),
    ),
    "alert_history": (
        up("status", "message_id"),
        up("message_id"),
        up("alert_id"),
        up("campaign_id", "user_id", "action_type", "sent_at"),
        up("campaign_id", "created_at"),
        up("campaign_id", "status"),
    ),
    "alert_messages": (
        # The claim: what is open for an address; its sort is over what waits there.
        up("address_id", "status", "due"),
        up("status", "due"),
        up("is_recorded", partialFilterExpression={"is_recorded": False}),
    ),
    "alert_plans": (),
    "silences": (up("until"),),
    "channels": (up("off_since"),),
    "api_usage": (up("day"), up("campaign_id", "day")),
    "rate_limits": (up("blocked_until"), up("closed_since")),
    "final_reports": (up("campaign_id"),),
    "importance_state": (),
    "importance_builds": (),
    "locks": (),
    "runs": (
        Index((("command", UP), ("started_at", DOWN))),
        up("started_at", expireAfterSeconds=90 * 86_400),
    ),
}


VERSION = hashlib.sha256(repr(INDEXES).encode()).hexdigest()[:12]
"""Changes with the table, so that a new version makes its new indexes at its first command."""


def ensure(db: Db) -> int:
    """Create what is missing; return how many indexes there are. Repeating it changes nothing.

    The firm's own collections are no part of it: see `firm_check`.
    """
    for name, indexes in INDEXES.items():
        if indexes:
            db[name].create_indexes([index.model() for index in indexes])
    schema.remember(db)
    remember(db)
    return sum(len(indexes) for indexes in INDEXES.values())


def missing(db: Db) -> list[str]:
    """The indexes that somebody dropped, as `collection.name`."""
    wanted = {name: {index.model().document["name"] for index in rows} for name, rows in INDEXES.items()}
    return [
        f"{collection}.{name}"
        for collection, names in wanted.items()
        for name in sorted(names - {index["name"] for index in db[collection].list_indexes()})
    ]


def present(db: Db) -> bool:
    """Whether the indexes were made by this version of the table; one cheap read."""
    row = db.locks.find_one({"_id": "indexes"})
    return row is not None and row.get("version") == VERSION


def remember(db: Db) -> None:
    """Say that the indexes were made by this version of the table."""
    db.locks.update_one({"_id": "indexes"}, {"$set": {"version": VERSION}}, upsert=True)
