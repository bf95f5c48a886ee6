"""What tells whether sums over a list's engagements still hold, without looking at the engagements.

A list is written under an epoch that grows with each hold, and a hold ends by giving the list back; a rescoring, an
erasure and a holder that came too late note the tweet first. So equal marks are equal engagements, as long as nobody
may be writing. A list that was never held, as in a database that somebody else filled, is counted by its index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.kinds import LISTS
from socap_cli.model.list_state import SCANS_A_HOLD
from socap_cli.store.connect import Db

SETTLED = timedelta(minutes=10)
"""Whoever noted a tweet, or lost a list, has written what there was to write within this time."""
SCAN_INDEX = "tweet_id_1_action_type_1_removed_at_1_last_scan_1"
"""The index that answers a count by itself."""
Key = tuple[str, str]
"""A list: its tweet and its action."""
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
