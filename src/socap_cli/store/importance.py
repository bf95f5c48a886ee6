"""The firm's own collections: who is important, and whom they follow. Fields are read as they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model import Importance, Profile
from socap_cli.store.connect import Db

ABSENT = Importance(0.0)


@dataclass(frozen=True, slots=True)
class FirmCollections:
    """The names of the two collections."""

    following_index: str = "following_index"
    important_people: str = "important_people"


def look_up(db: Db, names: FirmCollections, profiles: Iterable[Profile]) -> dict[str, Importance]:
    """Importance by user id; an account found by neither id nor username scores 0."""
    people = {profile.user_id: profile for profile in profiles}
    if not people:
        return {}
    index = db[names.following_index]
    wanted = {"followed_user_id": 1, "followed_username": 1, "followed_by": 1, "importance_score": 1}
    found = {
        row["followed_user_id"]: _importance(row)
        for row in index.find({"followed_user_id": {"$in": list(people)}}, wanted)
    }
    rest = {p.username: p.user_id for p in people.values() if p.user_id not in found and p.username}
    if rest:
        for row in index.find({"followed_username": {"$in": list(rest)}}, wanted):
            found.setdefault(rest[row["followed_username"]], _importance(row))
    return {user_id: found.get(user_id, ABSENT) for user_id in people}


def _importance(row: dict[str, Any]) -> Importance:
    followers = [
        (str(f.get("username", "?")), float(f.get("weight", 1))) for f in row.get("followed_by") or ()
    ]
    score = row.get("importance_score")
    total = float(score) if score is not None else sum(weight for _, weight in followers)
    return Importance(total, tuple(sorted(followers, key=lambda f: (-f[1], f[0]))[:5]))


def put_index(db: Db, names: FirmCollections, rows: Iterable[dict[str, Any]], *, now: datetime) -> int:
    """Write entries of the following index, each replacing its account's; return how many."""
    operations = []
    for row in rows:
        followers = row["followed_by"]
        document = {
            "followed_username": row["followed_username"],
            "followed_by": followers,
            "importance_score": sum(float(f.get("weight", 1)) for f in followers),
            "updated_at": now,
        }
        operations.append(
            UpdateOne({"followed_user_id": str(row["followed_user_id"])}, {"$set": document}, upsert=True)
        )
    if operations:
        db[names.following_index].bulk_write(operations, ordered=False)
    return len(operations)


def put_people(db: Db, names: FirmCollections, rows: Iterable[dict[str, Any]], *, now: datetime) -> int:
    """Write important people, each under its username; return how many."""
    operations = []
    for row in rows:
        known = {key: row[key] for key in ("user_id", "name", "tags", "organisation") if row.get(key)}
        document = {**known, "weight": float(row.get("weight") or 1), "is_active": True, "updated_at": now}
        operations.append(
            UpdateOne(
                {"username": row["username"]},
                {"$set": document, "$setOnInsert": {"created_at": now}},
                upsert=True,
            )
        )
    if operations:
        db[names.important_people].bulk_write(operations, ordered=False)
    return len(operations)


def people(db: Db, names: FirmCollections) -> list[dict[str, Any]]:
    return list(db[names.important_people].find({"is_active": {"$ne": False}}).sort("username", 1))


def find_by_username(db: Db, names: FirmCollections, username: str) -> Importance | None:
    row = db[names.following_index].find_one({"followed_username": username})
    return _importance(row) if row else None
