"""The index's documents as values, and values as documents: every rule of reading and writing them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import Decimal128, ObjectId
from pymongo import UpdateOne

from socap_cli.model.important import (
    EntryUpdate,
    Follower,
    IndexEntry,
    Unreadable,
    account_of,
    fold_handle,
    id_of,
    weight_of,
)

CREATED_BY = "socap"
Row = Mapping[str, Any]


def number_of(value: Any) -> float | None:
    """A weight or score of a document, of any of the database's numbers. Raises Unreadable."""
    return weight_of(float(value.to_decimal()) if isinstance(value, Decimal128) else value)


def reader_of(row: Row, problems: list[str]) -> Callable[[str, Callable[[Any], Any]], Any]:
    """Reads a field of a document by a rule; what the rule cannot read is None, and one of the problems."""

    def read(name: str, rule: Callable[[Any], Any]) -> Any:
        try:
            return rule(row.get(name))
        except Unreadable as reason:
            problems.append(f"{name}: {reason}")
            return None

    return read


def entry_of(row: Row) -> IndexEntry:
    """A document as a value. What no rule can read is left out of it and named in `problems`."""
    problems: list[str] = []
    read = reader_of(row, problems)
    username, user_id = read("followed_username", account_of), read("followed_user_id", id_of)
    stated = read("importance_score", number_of)
    if not username and not user_id and not problems:
        problems.append("neither followed_username nor followed_user_id")
    followers: dict[str, Follower] = {}
    for number, follower in enumerate(_followers(row, problems), start=1):
        try:
            one = follower_of(follower)
            followers.setdefault(fold_handle(one.username), one)
        except Unreadable as reason:
            problems.append(f"followed_by {number}: {reason}")
    changed = row.get("updated_at")
    updated_at = changed if isinstance(changed, datetime) else None
    return IndexEntry(
        username, user_id, tuple(followers.values()), stated, updated_at, tuple(problems), key=row.get("_id")
    )


def _followers(row: Row, problems: list[str]) -> Sequence[Any]:
    found = row.get("followed_by")
    if isinstance(found, list) or found is None:
        return found or ()
    problems.append("followed_by: no list")
    return ()


def follower_of(row: Any) -> Follower:
    """An element of `followed_by`: an object, or a handle alone. A weight that is null or absent is 1.

    One without a handle goes by its name or id. Raises Unreadable.
    """
    if isinstance(row, str):
        row = {"username": row}
    if not isinstance(row, Mapping):
        raise Unreadable("neither an object nor a handle")
    user_id = id_of(row.get("user_id"))
    name = row.get("name") if isinstance(row.get("name"), str) else None
    username = account_of(row.get("username")) or name or user_id
    if not username:
        raise Unreadable("no username")
    weight = number_of(row.get("weight"))
    source, seen_at = row.get("source"), row.get("seen_at")
    return Follower(
        username,
        1.0 if weight is None else weight,
        user_id,
        name,
        source if isinstance(source, str) else None,
        seen_at if isinstance(seen_at, datetime) else None,
    )


def new_document(update: EntryUpdate, now: datetime) -> dict[str, Any]:
    """The document of an account that is not in the index yet."""
    named = {"followed_username": update.username, "followed_user_id": update.user_id}
    return {
        "_id": document_id(update.user_id or fold_handle(update.username or "")),
        **{field: value for field, value in named.items() if value is not None},
        "followed_by": [_follower_document({}, follower) for follower in update.put],
        "importance_score": update.score,
        "created_by": CREATED_BY,
        "updated_at": now,
    }


def document_id(name: str) -> ObjectId:
    """The id of a document that we add: the same for whoever adds it, so that two at once make one."""
    return ObjectId(hashlib.sha256(f"{CREATED_BY}:{name}".encode()).digest()[:12])


def update_of(row: Row, update: EntryUpdate, now: datetime) -> UpdateOne:
    """Write only where the followers are what they were when the update was decided."""
    before = row.get("followed_by")
    put = {fold_handle(follower.username): follower for follower in update.put}
    after = []
    for one in before if isinstance(before, list) else ():
        name = _name_in(one)
        if name in put:
            after.append(_follower_document(one, put.pop(name)))
        elif name not in update.drop:
            after.append(one)
    after.extend(_follower_document({}, follower) for follower in put.values())
    changes: dict[str, Any] = {"followed_by": after, "importance_score": update.score, "updated_at": now}
    if update.user_id and not row.get("followed_user_id"):
        changes["followed_user_id"] = update.user_id
    same = {"followed_by": before} if "followed_by" in row else {"followed_by": {"$exists": False}}
    return UpdateOne({"_id": row["_id"], **same}, {"$set": changes})


def _name_in(row: Any) -> str | None:
    """The folded handle of an element of `followed_by`; None when it cannot be read."""
    try:
        return fold_handle(follower_of(row).username)
    except Unreadable:
        return None


def _follower_document(row: Any, follower: Follower) -> dict[str, Any]:
    """A follower's fields over those that were there; a handle and an id that are there stay as written."""
    known = row if isinstance(row, dict) else {"username": row} if isinstance(row, str) else {}
    said = {
        "weight": follower.weight, "name": follower.name, "source": follower.source, "seen_at": follower.seen_at,
    }  # fmt: skip
    kept = {"username": follower.username, "user_id": follower.user_id}
    return {
        **{field: value for field, value in kept.items() if value is not None},
        **known,
        **{field: value for field, value in said.items() if value is not None},
    }
