"""Stored engagements whose importance or categories are decided anew, and until when that was done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.engagement import Engagement, Importance
from socap_cli.store import list_marks
from socap_cli.store.connect import Db
from socap_cli.store.engagements import importance_fields, read_rows
from socap_cli.store.importance import WITHOUT_CASE

STATE = "rescoring"


@dataclass(frozen=True, slots=True)
class Rescored:
    """What an engagement's account is worth now."""

    engagement_id: str
    importance: Importance
    categories: tuple[str, ...]
    organisations: tuple[str, ...]
    is_higher: bool
    """Whether alerts must consider it again."""


@dataclass(frozen=True, slots=True)
class RescoringState:
    """Up to when changes of the index were applied, and under which rules."""

    index_until: datetime | None = None
    rules: str | None = None
    removed: tuple[str, ...] = ()
    """Handles and ids of accounts that were taken out of the index since."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which engagements are decided anew; None: all of them."""

    ids: Collection[str] | None = None
    """Accounts, by id."""
    usernames: Collection[str] = ()
    """The same accounts by folded handle, compared without case."""
    tweet_ids: Collection[str] | None = None

    def query(self) -> dict[str, Any]:
        """The scope as a filter."""
        wanted: dict[str, Any] = {}
        if self.ids is not None:
            names = [spelling for name in self.usernames for spelling in (name, f"@{name}")]
            wanted = {"$or": [{"user_id": {"$in": list(self.ids)}}, {"username": {"$in": names}}]}
        if self.tweet_ids is not None:
            wanted["tweet_id"] = {"$in": list(self.tweet_ids)}
        return wanted


def read(db: Db, scope: Scope, *, batch: int = 1000) -> Iterator[list[Engagement]]:
    """Engagements of a scope, in batches by id; documents that are none are left out."""
    query, collation = scope.query(), WITHOUT_CASE if scope.ids is not None else None
    last = ""
    while True:
        wanted = {**query, "_id": {"$gt": last}} if last else query
        rows = list(db.engagements.find(wanted, collation=collation).sort("_id", 1).limit(batch))
        if not rows:
            return
        yield read_rows(rows)[0]
        last = rows[-1]["_id"]


def write(db: Db, changes: Sequence[Rescored]) -> None:
    """Write what changed; an engagement that rose is considered by the alerts again."""
    operations = [
        UpdateOne(
            {"_id": change.engagement_id},
            {
                "$set": {
                    **importance_fields(change.importance),
                    "categories": list(change.categories),
                    "organisations": list(change.organisations),
                    **({"needs_planning": True} if change.is_higher else {}),
                }
            },
        )
        for change in changes
    ]
    if operations:
        list_marks.note_changed(db, (change.engagement_id.partition(":")[0] for change in changes))
        db.engagements.bulk_write(operations, ordered=False)


def state(db: Db) -> RescoringState:
    """Up to when changes were applied."""
    row = db.importance_state.find_one({"_id": STATE}) or {}
    return RescoringState(row.get("index_until"), row.get("rules"), tuple(row.get("removed") or ()))


def note_removed(db: Db, accounts: Sequence[str]) -> None:
    """Remember accounts that were taken out of the index, for the next rescoring."""
    if accounts:
        db.importance_state.update_one(
            {"_id": STATE}, {"$addToSet": {"removed": {"$each": list(accounts)}}}, upsert=True
        )


def note_done(db: Db, before: RescoringState, *, index_until: datetime, rules: str) -> None:
    """Everything up to then is applied; accounts that were taken out meanwhile stay noted."""
    db.importance_state.update_one(
        {"_id": STATE},
        {
            "$set": {"index_until": index_until, "rules": rules},
            "$pull": {"removed": {"$in": list(before.removed)}},
        },
        upsert=True,
    )
