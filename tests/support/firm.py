"""A firm's own collections as they may be, and what they are to the last value, type and index."""

from __future__ import annotations

from typing import Any

from socap_cli.store import Db

ODD_ENTRIES: list[dict[str, Any]] = [
    {
        "followed_user_id": 9001, "followed_username": "GraceByron", "mine": True,
        "followed_by": [{"username": "Boss", "weight": None, "x": 1}],
    },
    {"followed_username": "@Mixed", "followed_by": [{"username": "a", "weight": "3"}], "importance_score": 99},
    {"followed_user_id": "9003", "followed_by": "nobody"},
    {
        "followed_user_id": "9004", "followed_username": None, "importance_score": 4,
        "followed_by": [{"weight": float("nan")}],
    },
    {"something": "else"},
]  # fmt: skip
ODD_PEOPLE: list[dict[str, Any]] = [
    {"username": "Boss", "weight": None, "tags": ["x"]},
    {"username": None, "weight": 3},
    {"user_id": 7},
]


def snapshot(db: Db) -> str:
    """The firm's collections and their indexes, to the last value and type."""
    names = ("following_index", "important_people")
    return repr([(list(db[name].find().sort("_id", 1)), list(db[name].list_indexes())) for name in names])


def insert_odd(db: Db) -> None:
    """What a firm may have: ids as numbers, handles in any case, null weights, and worse."""
    db.following_index.insert_many([dict(row) for row in ODD_ENTRIES])
    db.important_people.insert_many([dict(row) for row in ODD_PEOPLE])


def index_in_its_own_way(db: Db) -> None:
    """Indexes under other names, unique ones, and over other fields than socap would make."""
    db.following_index.create_index("followed_user_id", name="firm_uid")
    db.following_index.create_index("followed_username", unique=True, sparse=True)
    db.important_people.create_index([("weight", -1), ("username", 1)])
