"""Engagements as columns, kept per list so that sums read what is new rather than everything.

A list's document is good as long as its mark holds (`list_marks`). What was added since is read by its scan; if the
count does not come out right, the list is read anew. So nobody who writes engagements has to keep a sum.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from socap_cli.model.engagement import (
    BACKFILL,
    MOST_LABELS,
    TIMED,
    TYPES,
    EngagementColumns,
    bits_of,
    number_of,
)
from socap_cli.model.kinds import LISTS
from socap_cli.model.list_state import SCANS_A_HOLD
from socap_cli.store.connect import Db

MOST_KEPT = 300_000
"""Rows of one list that fit into one document with room to spare; a longer list is read each time."""


DUPLICATE_KEY = 11000


AT_ONCE = 50
"""Lists that are read and kept together: few round trips, and few documents in memory."""


Key = tuple[str, str]
"""A list: its tweet and its action."""


PER_ROW = tuple(name for name in TYPES if name not in ("tweet", "action"))


@dataclass
class ListColumns:
    """The rows of one list."""

    scan: int | None = None
    """The newest scan among them, or the lowest that can add to them; None before anything was read."""
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
        self.scan = max(self.scan or 0, row.get("last_scan") or 0)

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

    def sort(self) -> None:
        """Put the rows in the order of their sources, so that equal engagements are equal columns."""
        import numpy as np  # only where a page is summed up: most commands import this module

        order = np.argsort(np.frombuffer(self.rows["source"], np.int64), kind="stable")
        for name, values in self.rows.items():
            put = np.frombuffer(values, values.typecode)[order]
            self.rows[name] = array(values.typecode, put.tobytes())

    def packed(self, next_scan: int) -> dict[str, Any]:
        """As fields of a document; `next_scan` is the lowest that can add anything."""
        return {
            "next_scan": next_scan,
            "label_names": self.label_names,
            "strange": {str(number): text for number, text in self.strange.items()},
            **{name: self.rows[name].tobytes() for name in PER_ROW},
        }


Lists = dict[Key, ListColumns]


FIELDS = dict.fromkeys(
    ("tweet_id", "action_type", "source_id", "user_id", "importance_score", "categories", "engaged_at",
     "first_seen_at", "backfill", "last_scan"), 1,
)  # fmt: skip
"""What is read of an engagement's document."""


SETTLED = timedelta(minutes=10)
"""Whoever noted a tweet, or lost a list, has written what there was to write within this time."""


SCAN_INDEX = "tweet_id_1_action_type_1_removed_at_1_last_scan_1"
"""The index that answers a count by itself."""


COUNTED_FIELDS = ("epoch", "completed_passes", "collected", "removed")


STATE_FIELDS = (*COUNTED_FIELDS, "lease_until", "open_pass.number")


@dataclass(frozen=True, slots=True)
class Mark:
    """A list as it was last written: equal marks, equal engagements."""

    epoch: int = 0
    passes: int = 0
    collected: int = 0
    removed: int = 0
    changed_at: datetime | None = None
    """When its tweet was last noted."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A list's mark, and what may be going on."""

    mark: Mark
    is_settled: bool = True
    """Whether nobody may be writing."""
    is_closed: bool = True
    """Whether no pass is open, so that `collected` is how many there are."""
    is_free: bool = True
    """Whether its last hold was given back; a holder that died may have taken engagements away and not told."""

    def next_scan(self, newest: int) -> int:
        """The lowest scan that can add anything to a list of which `newest` was the last scan that was seen.

        An open pass goes on under its own number, and so may whoever else writes a list that was never held.
        """
        return (self.mark.epoch + 1) * SCANS_A_HOLD if self.is_closed and self.mark.epoch else newest

    def is_met_by(self, size: int, kept: Mark) -> bool:
        """Whether columns that were kept, with what was added since, are whole.

        Only the end of a pass takes engagements away, and tells how many are left.
        """
        if not self.is_free:
            return False
        return size == self.mark.collected if self.is_closed else self.mark.passes == kept.passes


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


def unpacked(row: Mapping[str, Any]) -> ListColumns:
    """The columns that a document keeps."""
    strange = {int(number): text for number, text in row["strange"].items()}
    columns = ListColumns(row["next_scan"], list(row["label_names"]), strange)
    for name in PER_ROW:
        columns.rows[name].frombytes(row[name])
    return columns


def marks(db: Db, tweet_ids: Sequence[str], *, now: datetime) -> dict[Key, Watched]:
    """Every list of these tweets that may hold something."""
    ids = list(tweet_ids)
    noted = {row["_id"]: row["changed_at"] for row in db.engagement_columns.find({"_id": {"$in": ids}})}
    fields = {f"{kind}.{name}": 1 for kind in LISTS for name in STATE_FIELDS}
    states = {row["_id"]: row for row in db.worker_state.find({"_id": {"$in": ids}}, fields)}
    never = [tweet for tweet in ids if not any(_part(states, tweet, kind).get("epoch") for kind in LISTS)]
    found = {
        (tweet, kind.action_type): _watched(_part(states, tweet, name), noted.get(tweet), now)
        for tweet in sorted(set(ids) - set(never))
        for name, kind in LISTS.items()
        if _part(states, tweet, name)
    }
    return found | dict(_counted(db, never, noted, now))


def _part(states: Mapping[str, Any], tweet: str, kind: str) -> dict[str, Any]:
    return states.get(tweet, {}).get(kind) or {}


def _watched(part: Mapping[str, Any], noted: datetime | None, now: datetime) -> Watched:
    epoch, passes, collected, removed = (part.get(name) or 0 for name in COUNTED_FIELDS)
    return Watched(
        Mark(epoch, passes, collected, removed, noted),
        is_settled=_is_past(part.get("lease_until"), now) and _is_past(noted, now),
        is_closed=not part.get("open_pass"),
        is_free=part.get("lease_until") is None,
    )


def _is_past(moment: datetime | None, now: datetime) -> bool:
    return moment is None or moment <= now - SETTLED


def _counted(
    db: Db, ids: Sequence[str], noted: Mapping[str, datetime], now: datetime
) -> Iterator[tuple[Key, Watched]]:
    """Marks by the engagements themselves, present and removed, with the newest scan instead of a number of passes."""
    if not ids:
        return
    removed = {"$cond": [{"$gt": ["$removed_at", None]}, 1, 0]}
    group = {
        "_id": {"tweet": "$tweet_id", "action": "$action_type"},
        "n": {"$sum": 1},
        "removed": {"$sum": removed},
        "scan": {"$max": "$last_scan"},
    }
    pipeline: list[dict[str, Any]] = [{"$match": {"tweet_id": {"$in": list(ids)}}}, {"$group": group}]
    for row in db.engagements.aggregate(pipeline, hint=SCAN_INDEX):
        key = (row["_id"]["tweet"], row["_id"]["action"])
        mark = Mark(0, row["scan"] or 0, row["n"] - row["removed"], row["removed"], noted.get(key[0]))
        yield key, Watched(mark, is_settled=_is_past(mark.changed_at, now))


def note_changed(db: Db, tweet_ids: Iterable[str]) -> None:
    """Say that engagements of these tweets are about to be changed, or were, outside a hold of their lists."""
    operations = [
        UpdateOne({"_id": tweet_id}, {"$currentDate": {"changed_at": True}}, upsert=True)
        for tweet_id in set(tweet_ids)
    ]
    if operations:
        db.engagement_columns.bulk_write(operations, ordered=False)


def find(db: Db, slug: str, key: str) -> bytes | None:
    """What was kept under a key that names everything it was made of; None when that is not so any more."""
    row = db.report_sums.find_one({"_id": slug, "key": key})
    return bytes(row["content"]) if row else None


def keep(db: Db, slug: str, key: str, content: bytes) -> None:
    """Keep a campaign's sums in the place of what was there."""
    db.report_sums.replace_one({"_id": slug}, {"key": key, "content": content}, upsert=True)
