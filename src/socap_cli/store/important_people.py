"""The firm's important people. Documents are read as they are; only the fields that an import names are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import InsertOne, UpdateOne

from socap_cli.model.important import (
    ImportantPerson,
    PersonUpdate,
    account_of,
    fold_handle,
    id_of,
)
from socap_cli.store.connect import Db
from socap_cli.store.importance import WITHOUT_CASE, ImportanceCollections, write_all
from socap_cli.store.index_documents import CREATED_BY, document_id, number_of, reader_of

Row = Mapping[str, Any]


def listed(db: Db, names: ImportanceCollections, *, active: bool | None = None) -> Iterator[ImportantPerson]:
    """Everybody by handle; with `active` those only whom the firm has not switched off."""
    query = {"is_active": {"$ne": False}} if active else {}
    rows = db[names.important_people].find(query).sort("username", 1)
    yield from map(person_of, rows)


def find(db: Db, names: ImportanceCollections, usernames: Sequence[str]) -> dict[str, ImportantPerson]:
    """These people by folded handle; who is not there is absent. Of several documents the first counts."""
    found: dict[str, ImportantPerson] = {}
    for person in all_of(db, names, usernames):
        found.setdefault(fold_handle(person.username), person)
    return found


def all_of(db: Db, names: ImportanceCollections, usernames: Sequence[str]) -> list[ImportantPerson]:
    """Every document of these people, their handles in any case, in the order of `listed`."""
    wanted = [spelling for name in usernames for spelling in (fold_handle(name), f"@{fold_handle(name)}")]
    rows = db[names.important_people].find({"username": {"$in": wanted}}, collation=WITHOUT_CASE)
    return [person_of(row) for row in sorted(rows, key=lambda row: str(row["username"]))]


def members_of(db: Db, names: ImportanceCollections, organisation: str) -> list[str]:
    """The folded handles of an organisation's people."""
    rows = db[names.important_people].find({"organisation": organisation}, {"username": 1})
    return sorted(fold_handle(row["username"]) for row in rows if isinstance(row.get("username"), str))


def person_of(row: Row) -> ImportantPerson:
    """A document as a value. What no rule can read is left out of it and named in `problems`."""
    problems: list[str] = []
    read = reader_of(row, problems)
    username = read("username", account_of)
    if username is None and not problems:
        problems.append("no username")
    tags, count = row.get("tags"), row.get("following_count")
    return ImportantPerson(
        username or "",
        read("weight", number_of),
        read("user_id", id_of),
        _text(row.get("name")),
        _text(row.get("organisation")),
        tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        row["is_active"] if isinstance(row.get("is_active"), bool) else None,
        int(count)
        if isinstance(count, (int, float)) and not isinstance(count, bool) and 0 <= count < 1e9
        else None,
        tuple(problems),
        key=row.get("_id"),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def apply_updates(
    db: Db, names: ImportanceCollections, updates: Sequence[PersonUpdate], *, now: datetime
) -> list[PersonUpdate]:
    """Write updates; return those that another document stands in the way of."""
    in_the_way = write_all(db[names.important_people], [_operation(update, now) for update in updates])
    return [updates[position] for position in sorted(in_the_way)]


def _operation(update: PersonUpdate, now: datetime) -> InsertOne[dict[str, Any]] | UpdateOne:
    values = {**update.values, "updated_at": now}
    if update.before is not None:
        return UpdateOne({"_id": update.before.key}, {"$set": values})
    fresh = {"weight": 1.0, "is_active": True, **values, "created_at": now, "created_by": CREATED_BY}
    return InsertOne({"_id": document_id(fold_handle(update.username)), "username": update.username, **fresh})


def remove(db: Db, names: ImportanceCollections, people: Sequence[ImportantPerson]) -> int:
    """Delete these people; return how many there were."""
    keys = [person.key for person in people]
    return db[names.important_people].delete_many({"_id": {"$in": keys}}).deleted_count if keys else 0
