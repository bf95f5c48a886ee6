"""Engagements as columns, kept per list so that sums read what is new rather than everything.

A list's document is good as long as its mark holds (`list_marks`). What was added since is read by its scan; if the
count does not come out right, the list is read anew. So nobody who writes engagements has to keep a sum.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pymongo.errors import BulkWriteError

from socap_cli.model.columns import MOST_LABELS, EngagementColumns, bits_of, number_of
from socap_cli.store.connect import Db
from socap_cli.store.list_columns import FIELDS, ListColumns, unpacked
from socap_cli.store.list_marks import Key, Mark, Watched, marks

MOST_KEPT = 300_000
"""Rows of one list that fit into one document with room to spare; a longer list is read each time."""
DUPLICATE_KEY = 11000
AT_ONCE = 50
"""Lists that are read and kept together: few round trips, and few documents in memory."""
Lists = dict[Key, ListColumns]


def read(db: Db, tweet_ids: Sequence[str], *, now: datetime) -> EngagementColumns:
    """All present engagements of these tweets."""
    wanted = marks(db, tweet_ids, now=now)
    keys, lists = list(wanted), Lists()
    for start in range(0, len(keys), AT_ONCE):
        lists |= _current(db, {key: wanted[key] for key in keys[start : start + AT_ONCE]})
    for key in [key for key, columns in lists.items() if not len(columns)]:
        del lists[key]
    return _joined(lists)


def _current(db: Db, wanted: Mapping[Key, Watched]) -> Lists:
    """These lists as they are, and kept so for the next time."""
    found = db.engagement_columns.find({"_id": {"$in": [":".join(key) for key in wanted]}})
    kept = {(row["tweet_id"], row["action_type"]): row for row in found}
    lists, before = Lists(), dict[Key, Mark | None]()
    for key, watched in wanted.items():
        row = kept.pop(key, None)
        mark = _mark_of(row) if row else None
        if row is None or mark is None or mark.changed_at != watched.mark.changed_at:
            lists[key], before[key] = ListColumns(), None
            continue
        lists[key] = unpacked(row)
        if mark != watched.mark or not watched.is_free:
            before[key] = mark
    _add(db, {key: lists[key] for key in before})
    partly = [
        key for key, mark in before.items() if mark and not wanted[key].is_met_by(len(lists[key]), mark)
    ]
    whole: Lists = {key: ListColumns() for key in partly}
    _add(db, whole)
    lists |= whole
    for key in before:
        lists[key].sort()
    _keep(db, [(key, wanted[key], lists[key]) for key in before if wanted[key].is_settled])
    return lists


def _mark_of(row: Mapping[str, Any]) -> Mark:
    return Mark(*(row[name] for name in ("epoch", "passes", "collected", "removed", "changed_at")))


def _add(db: Db, lists: Lists) -> None:
    """Add to these columns what is stored and not in them."""
    if not lists:
        return
    there = {key: set(columns.rows["source"]) for key, columns in lists.items()}
    wanted = [_added_to(key, columns) for key, columns in lists.items()]
    for row in db.engagements.find({"$or": wanted}, FIELDS):
        key = (row["tweet_id"], row["action_type"])
        if number_of(row["source_id"]) not in there[key]:
            lists[key].add(row)


def _added_to(key: Key, columns: ListColumns) -> dict[str, Any]:
    present = {"tweet_id": key[0], "action_type": key[1], "removed_at": None}
    return present if columns.scan is None else {**present, "last_scan": {"$gte": columns.scan}}


def _keep(db: Db, fresh: Sequence[tuple[Key, Watched, ListColumns]]) -> None:
    """Keep columns for the next time. Of two runs that do so at once either may win, and a loss costs a reading."""
    documents = [
        {
            "_id": ":".join(key),
            "tweet_id": key[0],
            "action_type": key[1],
            **asdict(watched.mark),
            **columns.packed(watched.next_scan(columns.scan or 0)),
        }
        for key, watched, columns in fresh
        if 0 < len(columns) <= MOST_KEPT
    ]
    if not documents:
        return
    db.engagement_columns.delete_many({"_id": {"$in": [row["_id"] for row in documents]}})
    try:
        db.engagement_columns.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(row["code"] != DUPLICATE_KEY for row in error.details["writeErrors"]):
            raise


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
