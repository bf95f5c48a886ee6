"""Engagements as columns, kept per list so that a report reads what is new rather than everything.

A list's document is good as long as its mark holds: how many are present and removed, the newest scan among them
(all three from an index), and when its tweet was last rescored. What was added since is read by its scan; if the
count does not come out right, the list is read anew. So nobody who writes engagements has to keep a sum.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from socap_cli.model.columns import (
    BACKFILL,
    MOST_LABELS,
    TIMED,
    TYPES,
    EngagementColumns,
    bits_of,
    number_of,
)
from socap_cli.store.connect import Db

SETTLED = timedelta(minutes=10)
"""A rescoring notes its tweets first and is done within this time; until then nothing of them is kept."""
MOST_KEPT = 300_000
"""Rows of one list that fit into one document with room to spare; a longer list is read each time."""
DUPLICATE_KEY = 11000
SCAN_INDEX = "tweet_id_1_action_type_1_removed_at_1_last_scan_1"
"""The index that answers for all marks by itself."""
AT_ONCE = 50
"""Lists that are kept together, so that few documents are in memory."""
Key = tuple[str, str]
"""A list: its tweet and its action."""
FIELDS = dict.fromkeys(
    ("source_id", "user_id", "importance_score", "categories", "engaged_at", "first_seen_at", "backfill"), 1
)
PER_ROW = tuple(name for name in TYPES if name not in ("tweet", "action"))


@dataclass(frozen=True, slots=True)
class Mark:
    """What a list's columns were made of."""

    present: int
    removed: int
    scan: int
    rescored_at: datetime | None = None


@dataclass
class ListColumns:
    """The rows of one list."""

    label_names: list[str] = field(default_factory=list)
    strange: dict[int, str] = field(default_factory=dict)
    rows: dict[str, array[Any]] = field(
        default_factory=lambda: {name: array(TYPES[name]) for name in PER_ROW}
    )

    def __len__(self) -> int:
        return len(self.rows["user"])

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in one engagement's document."""
        timed = row.get("engaged_at") is not None
        at = row["engaged_at"] if timed else row["first_seen_at"]
        score = row.get("importance_score")
        flags = (BACKFILL if row.get("backfill") else 0) | (TIMED if timed else 0)
        values = {
            "source": self._number(row["source_id"]),
            "user": self._number(row["user_id"]),
            "score": float("nan") if score is None else score,
            "labels": self._mask(row.get("categories") or ()),
            "at": min(max(int(at.timestamp()), 0), 2**32 - 1),
            "flags": flags,
        }
        for name, value in values.items():
            self.rows[name].append(value)

    def _number(self, text: str) -> int:
        number = number_of(text)
        if number < 0:
            self.strange[number] = text
        return number

    def _mask(self, labels: Iterable[str]) -> int:
        mask = 0
        for label in labels:
            if label not in self.label_names:
                self.label_names.append(label)
            place = self.label_names.index(label)
            mask |= 1 << place if place < MOST_LABELS else 0
        return mask


def read(db: Db, tweet_ids: Sequence[str], *, now: datetime) -> EngagementColumns:
    """All present engagements of these tweets."""
    marks = _marks(db, tweet_ids)
    kept = {(row["tweet_id"], row["action_type"]): row for row in _kept(db, tweet_ids)}
    lists: dict[Key, ListColumns] = {}
    fresh: list[tuple[Key, Mark, ListColumns]] = []
    for key, mark in marks.items():
        row = kept.pop(key, None)
        known = _usable(db, key, row, mark)
        lists[key] = known if known is not None else _read_list(db, key)
        unsettled = mark.rescored_at is not None and mark.rescored_at > now - SETTLED
        changed = row is None or known is None or _mark_of(row) != mark
        if changed and not unsettled and len(lists[key]) == mark.present <= MOST_KEPT:
            fresh.append((key, mark, lists[key]))
        if len(fresh) == AT_ONCE:
            _keep(db, fresh)
            fresh.clear()
    _keep(db, fresh)
    fresh.clear()
    return _joined(lists)


def note_rescored(db: Db, tweet_ids: Iterable[str]) -> None:
    """Say that importances or categories of these tweets' engagements are about to be written anew."""
    operations = [
        UpdateOne({"_id": tweet_id}, {"$currentDate": {"rescored_at": True}}, upsert=True)
        for tweet_id in set(tweet_ids)
    ]
    if operations:
        db.engagement_columns.bulk_write(operations, ordered=False)


def _marks(db: Db, tweet_ids: Sequence[str]) -> dict[Key, Mark]:
    """Per list that holds something, its mark as it is now."""
    ids = list(tweet_ids)
    rescored = {row["_id"]: row["rescored_at"] for row in db.engagement_columns.find({"_id": {"$in": ids}})}
    group = {
        "_id": {"tweet": "$tweet_id", "action": "$action_type", "removed": {"$gt": ["$removed_at", None]}},
        "n": {"$sum": 1},
        "scan": {"$max": "$last_scan"},
    }
    found: dict[Key, Mark] = {}
    pipeline: list[dict[str, Any]] = [{"$match": {"tweet_id": {"$in": ids}}}, {"$group": group}]
    for row in db.engagements.aggregate(pipeline, hint=SCAN_INDEX):
        key = (row["_id"]["tweet"], row["_id"]["action"])
        mark = found.get(key) or Mark(0, 0, 0, rescored.get(key[0]))
        name = "removed" if row["_id"]["removed"] else "present"
        found[key] = replace(mark, **{name: row["n"]}, scan=max(mark.scan, row["scan"] or 0))
    return dict(sorted(found.items()))


def _kept(db: Db, tweet_ids: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    return db.engagement_columns.find({"tweet_id": {"$in": list(tweet_ids)}})


def _mark_of(row: Mapping[str, Any]) -> Mark:
    return Mark(row["present"], row["removed"], row["scan"], row.get("rescored_at"))


def _usable(db: Db, key: Key, row: Mapping[str, Any] | None, mark: Mark) -> ListColumns | None:
    """The kept columns of a list, with what was added since; None when they cannot be completed."""
    if row is None or row.get("rescored_at") != mark.rescored_at or row["removed"] != mark.removed:
        return None
    columns = ListColumns(list(row["label_names"]), {int(k): v for k, v in row["strange"].items()})
    for name in PER_ROW:
        columns.rows[name].frombytes(row[name])
    if _mark_of(row) == mark:
        return columns
    there = set(columns.rows["source"])
    since = {"last_scan": {"$gte": row["scan"]}}
    for added in db.engagements.find({**_present(key), **since}, FIELDS):
        if number_of(added["source_id"]) not in there:
            columns.add(added)
    return columns if len(columns) == mark.present else None


def _present(key: Key) -> dict[str, Any]:
    return {"tweet_id": key[0], "action_type": key[1], "removed_at": None}


def _read_list(db: Db, key: Key) -> ListColumns:
    columns = ListColumns()
    for row in db.engagements.find(_present(key), FIELDS):
        columns.add(row)
    return columns


def _keep(db: Db, fresh: Sequence[tuple[Key, Mark, ListColumns]]) -> None:
    """Keep columns for the next time. Of two runs that do so at once either may win, and a loss costs a reading."""
    if not fresh:
        return
    documents = [_document(*one) for one in fresh]
    db.engagement_columns.delete_many({"_id": {"$in": [row["_id"] for row in documents]}})
    try:
        db.engagement_columns.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(row["code"] != DUPLICATE_KEY for row in error.details["writeErrors"]):
            raise


def _document(key: Key, mark: Mark, columns: ListColumns) -> dict[str, Any]:
    return {
        "_id": ":".join(key),
        "tweet_id": key[0],
        "action_type": key[1],
        "present": mark.present,
        "removed": mark.removed,
        "scan": mark.scan,
        "rescored_at": mark.rescored_at,
        "label_names": columns.label_names,
        "strange": {str(number): text for number, text in columns.strange.items()},
        **{name: columns.rows[name].tobytes() for name in PER_ROW},
    }


def _joined(lists: dict[Key, ListColumns]) -> EngagementColumns:
    """One set of columns of many lists, which are taken out as they are copied: there may be a million rows."""
    tweets = list(dict.fromkeys(tweet for tweet, _ in lists))
    actions = list(dict.fromkeys(action for _, action in lists))
    labels = list(dict.fromkeys(name for one in lists.values() for name in one.label_names))[:MOST_LABELS]
    whole = EngagementColumns(tuple(tweets), tuple(actions), tuple(labels))
    places = {name: n for n, name in enumerate(labels)}
    tweet_at = {name: n for n, name in enumerate(tweets)}
    for tweet, action in list(lists):
        one = lists.pop((tweet, action))
        whole.tweet.extend([tweet_at[tweet]] * len(one))
        whole.action.extend([actions.index(action)] * len(one))
        for name in ("source", "user", "score", "at", "flags"):
            getattr(whole, name).extend(one.rows[name])
        whole.labels.extend(_relabelled(one, places))
        whole.strange.update(one.strange)
    return whole


def _relabelled(one: ListColumns, places: Mapping[str, int]) -> array[int]:
    """A list's label bits under the numbers of all lists together."""
    masks = {
        mask: sum(
            1 << places[one.label_names[bit]] for bit in bits_of(mask) if one.label_names[bit] in places
        )
        for mask in set(one.rows["labels"])
    }
    return array("Q", [masks[mask] for mask in one.rows["labels"]])


def fingerprint(db: Db, tweet_ids: Sequence[str]) -> tuple[tuple[str, str, Mark], ...]:
    """What differs as soon as an engagement of these tweets is added, taken back, or scored anew."""
    return tuple((*key, mark) for key, mark in _marks(db, tweet_ids).items())
