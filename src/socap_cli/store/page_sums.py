"""What report pages cache: each list's engagements as columns of a few bytes, in `engagement_columns`.

A cached list is good while its epoch (it grows with each hold) and the time of the last change outside a hold are the
same. After a later hold what was added is read by its scan; when the count then differs from what that hold collected,
something was removed and the list is read whole. While anybody may be writing a list it is read whole and not cached.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymongo import InsertOne

from socap_cli.model.engagement import BACKFILL, TIMED, EngagementColumns
from socap_cli.model.kinds import LISTS
from socap_cli.model.list_state import SCANS_A_HOLD
from socap_cli.store.connect import Db, write_new

Numbers = NDArray[Any]
ListKey = tuple[str, str]

COLUMNS = np.dtype(
    [("source", "<i8"), ("user", "<i8"), ("labels", "<u8"), ("score", "<f4"), ("at", "<u4"), ("flags", "u1")]
)
"""One engagement: `score` is NaN when unknown, `labels` a bit for each label, `at` seconds since 1970."""

MOST_LABELS = 64
MOST_CACHED = 300_000
"""Engagements of one list that fit into one document with room to spare."""
AT_ONCE = 50
"""Lists that are read together: few round trips, and few documents in memory."""
SETTLED = timedelta(minutes=10)
"""Whoever notes a change outside a hold has written it within this time."""

STATE_FIELDS = ("epoch", "collected", "lease_until", "open_pass.number")
FIELDS = dict.fromkeys(
    ("tweet_id", "action_type", "source_id", "user_id", "importance_score", "categories", "engaged_at",
     "first_seen_at", "backfill"), 1,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListVersion:
    """A list as its state describes it; of a quiet list equal versions mean equal engagements."""

    epoch: int
    collected: int
    changed_at: datetime | None
    """The last change outside a hold: a rescoring, an erasure."""
    is_quiet: bool
    """Whether nobody holds it, no pass is open and the last change outside a hold is over."""


@dataclass
class _List:
    rows: Numbers = field(default_factory=lambda: np.empty(0, COLUMNS))
    label_names: list[str] = field(default_factory=list)
    texts: dict[int, str] = field(default_factory=dict)

    def add(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Take in engagements that are not in it, and put all in the order of their sources."""
        known = set(self.rows["source"].tolist())
        found = [row for row in map(self._row, documents) if row[0] not in known]
        rows = np.concatenate([self.rows, np.array(found, COLUMNS)])
        self.rows = rows[np.argsort(rows["source"], kind="stable")]

    def _row(self, document: Mapping[str, Any]) -> tuple[Any, ...]:
        engaged_at, score = document.get("engaged_at"), document.get("importance_score")
        at = (engaged_at or document["first_seen_at"]).timestamp()
        flags = BACKFILL * bool(document.get("backfill")) | TIMED * (engaged_at is not None)
        labels = 0
        for name in document.get("categories") or ():
            if name not in self.label_names:
                self.label_names.append(name)
            place = self.label_names.index(name)
            labels |= 1 << place if place < MOST_LABELS else 0
        source, user = self._number(document["source_id"]), self._number(document["user_id"])
        seconds = min(max(int(at), 0), 2**32 - 1)
        return source, user, labels, np.nan if score is None else score, seconds, flags

    def _number(self, text: str) -> int:
        number = number_of(text)
        if number < 0:
            self.texts[number] = text
        return number


def read(db: Db, tweet_ids: Sequence[str], *, now: datetime) -> EngagementColumns:
    """All present engagements of these tweets."""
    wanted, lists = versions(db, tweet_ids, now=now), dict[ListKey, _List]()
    keys = list(wanted)
    for start in range(0, len(keys), AT_ONCE):
        lists |= _load(db, {key: wanted[key] for key in keys[start : start + AT_ONCE]})
    return _joined({key: one for key, one in lists.items() if len(one.rows)})


def versions(db: Db, tweet_ids: Sequence[str], *, now: datetime) -> dict[ListKey, ListVersion]:
    """Every list of these tweets; none of them has an engagement read for it."""
    ids = list(tweet_ids)
    noted = {
        row["_id"]: row["changed_at"]
        for row in db.engagement_columns.find({"_id": {"$in": ids}}, {"changed_at": 1})
    }
    fields = {f"{kind}.{name}": 1 for kind in LISTS for name in STATE_FIELDS}
    states = {row["_id"]: row for row in db.worker_state.find({"_id": {"$in": ids}}, fields)}
    found = {}
    for tweet in ids:
        changed_at = noted.get(tweet)
        is_settled = changed_at is None or changed_at <= now - SETTLED
        for name, kind in LISTS.items():
            part = states.get(tweet, {}).get(name) or {}
            is_free = part.get("lease_until") is None and not part.get("open_pass")
            epoch, collected = part.get("epoch") or 0, part.get("collected") or 0
            found[tweet, kind.action_type] = ListVersion(epoch, collected, changed_at, is_free and is_settled)
    return found


def _load(db: Db, wanted: Mapping[ListKey, ListVersion]) -> dict[ListKey, _List]:
    """These lists as they are, cached for the next time."""
    rows = db.engagement_columns.find({"_id": {"$in": [":".join(key) for key in wanted]}})
    cached = {(row["tweet_id"], row["action_type"]): row for row in rows}
    lists, grown = dict[ListKey, _List](), dict[ListKey, int]()
    for key, version in wanted.items():
        row = cached.get(key)
        if row and "rows" in row and version.is_quiet and row["changed_at"] == version.changed_at:
            texts = {int(number): text for number, text in row["texts"].items()}
            lists[key] = _List(np.frombuffer(row["rows"], COLUMNS), list(row["label_names"]), texts)
            if row["epoch"] != version.epoch:
                grown[key] = (row["epoch"] + 1) * SCANS_A_HOLD
    _add(db, {key: lists[key] for key in grown}, grown)
    whole = {
        key: _List()
        for key, version in wanted.items()
        if key not in lists or (key in grown and len(lists[key].rows) != version.collected)
    }
    _add(db, whole, {})
    lists |= whole
    _cache(db, {key: (wanted[key], lists[key]) for key in (*grown, *whole) if wanted[key].is_quiet})
    return lists


def _add(db: Db, lists: Mapping[ListKey, _List], scans: Mapping[ListKey, int]) -> None:
    """Add what is stored and not in these lists, from a scan on where one is given."""
    if not lists:
        return
    queries = [
        {"tweet_id": tweet, "action_type": action, "removed_at": None}
        | ({"last_scan": {"$gte": scans[tweet, action]}} if (tweet, action) in scans else {})
        for tweet, action in lists
    ]
    found: dict[ListKey, list[Mapping[str, Any]]] = {}
    for row in db.engagements.find({"$or": queries}, FIELDS):
        found.setdefault((row["tweet_id"], row["action_type"]), []).append(row)
    for key, documents in found.items():
        lists[key].add(documents)


def _cache(db: Db, fresh: Mapping[ListKey, tuple[ListVersion, _List]]) -> None:
    """Of two runs that cache a list at once either may win, and a loss costs a reading."""
    documents = [
        {
            "_id": ":".join(key),
            "tweet_id": key[0],
            "action_type": key[1],
            "epoch": version.epoch,
            "changed_at": version.changed_at,
            "label_names": one.label_names,
            "texts": {str(number): text for number, text in one.texts.items()},
            "rows": one.rows.tobytes(),
        }
        for key, (version, one) in fresh.items()
        if version.epoch and 0 < len(one.rows) <= MOST_CACHED
    ]
    if documents:
        db.engagement_columns.delete_many({"_id": {"$in": [row["_id"] for row in documents]}})
        write_new(db.engagement_columns, [InsertOne(row) for row in documents])


def _joined(lists: Mapping[ListKey, _List]) -> EngagementColumns:
    tweets = tuple(dict.fromkeys(tweet for tweet, _ in lists))
    actions = tuple(dict.fromkeys(action for _, action in lists))
    labels = tuple(dict.fromkeys(name for one in lists.values() for name in one.label_names))[:MOST_LABELS]
    places, sizes = {name: n for n, name in enumerate(labels)}, [len(one.rows) for one in lists.values()]
    tweet_at = {name: n for n, name in enumerate(tweets)}
    columns = {name: np.empty(sum(sizes), COLUMNS[name]) for name in COLUMNS.names or ()}
    begin = 0
    for one, size in zip(lists.values(), sizes, strict=True):
        for name, values in columns.items():
            values[begin : begin + size] = _relabelled(one, places) if name == "labels" else one.rows[name]
        begin += size
    return EngagementColumns(
        tweets,
        actions,
        labels,
        tweet=np.repeat(np.array([tweet_at[tweet] for tweet, _ in lists], np.uint32), sizes),
        action=np.repeat(np.array([actions.index(action) for _, action in lists], np.uint8), sizes),
        **columns,
        texts={number: text for one in lists.values() for number, text in one.texts.items()},
    )


def _relabelled(one: _List, places: Mapping[str, int]) -> Numbers:
    """A list's label bits under the numbers of all lists together."""
    masks, which = np.unique(one.rows["labels"], return_inverse=True)
    renamed = [
        sum(
            1 << places[name]
            for bit, name in enumerate(one.label_names)
            if mask >> bit & 1 and name in places
        )
        for mask in masks.tolist()
    ]
    return np.array(renamed, np.uint64)[which]


def number_of(text: str) -> int:
    """An id as a number that gives it back, or, for what is no plain number, a negative one made of it."""
    if text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and int(text) < 2**63:
        return int(text)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return -1 - (int.from_bytes(digest) >> 1)
