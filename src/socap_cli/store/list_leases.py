"""Holding a list for one pass, and writing how far the pass has come, under the epoch of the hold."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.kinds import LISTS, Kind
from socap_cli.model.list_state import Gap, ListState, Pass
from socap_cli.store.connect import Db, literal
from socap_cli.store.worker_state import list_state, push_gap

FINISHED_FIELDS = (
    "completed_passes", "counter_at_pass", "collected", "removed", "deficit", "full_deficit", "since", "last_full_at",
)  # fmt: skip


def acquire(db: Db, lists: Sequence[tuple[str, Kind]], *, lease: float) -> list[ListState | None]:
    """Take lists for one pass each, under a new epoch. None for one that somebody else holds."""
    tokens = [secrets.token_hex(8) for _ in lists]
    operations = []
    for (tweet_id, kind), token in zip(lists, tokens, strict=True):
        free = {"$lte": [{"$ifNull": [f"${kind}.lease_until", "$$NOW"]}, "$$NOW"]}
        taken = {
            "epoch": {"$add": [{"$ifNull": [f"${kind}.epoch", 0]}, 1]},
            "lease_until": {"$add": ["$$NOW", int(lease * 1000)]},
            "holder": token,
        }
        # The condition stands in the update: in the filter of an upsert it would make a second document.
        changes = {
            f"{kind}.{name}": {"$cond": [free, value, f"${kind}.{name}"]} for name, value in taken.items()
        }
        operations.append(UpdateOne({"_id": tweet_id}, [{"$set": changes}], upsert=True))
    db.worker_state.bulk_write(operations, ordered=False)
    found = {row["_id"]: row for row in db.worker_state.find({"_id": {"$in": [t for t, _ in lists]}})}
    return [
        list_state(tweet_id, kind, row) if row.get(kind, {}).get("holder") == token else None
        for (tweet_id, kind), token in zip(lists, tokens, strict=True)
        for row in [found.get(tweet_id, {})]
    ]


@dataclass(frozen=True, slots=True)
class ListChange:
    """What the holder of a list writes about it."""

    state: ListState
    update: dict[str, Any] | list[dict[str, Any]]

    @property
    def key(self) -> tuple[str, Kind, int]:
        """What must still hold for the change to count."""
        return self.state.tweet_id, self.state.kind, self.state.epoch


def write(db: Db, changes: Sequence[ListChange]) -> list[bool]:
    """Write each change if its list is still held; tell for each whether it was."""
    operations = [
        UpdateOne(
            {"_id": change.state.tweet_id, f"{change.state.kind}.epoch": change.state.epoch}, change.update
        )
        for change in changes
    ]
    if db.worker_state.bulk_write(operations, ordered=False).matched_count == len(changes):
        return [True] * len(changes)
    parts = {f"{kind}.epoch": 1 for kind in LISTS}
    ids = [change.state.tweet_id for change in changes]
    held = {
        (row["_id"], kind, row.get(kind, {}).get("epoch"))
        for row in db.worker_state.find({"_id": {"$in": ids}}, parts)
        for kind in LISTS
    }
    return [change.key in held for change in changes]


def pass_saved(state: ListState, open_pass: Pass, *, lease: float) -> ListChange:
    """Remember how far a pass has come, after its items were written, and keep the list held."""
    kept = {name: literal(value) for name, value in asdict(open_pass).items()}
    changes = {
        f"{state.kind}.open_pass": kept,
        f"{state.kind}.lease_until": {"$add": ["$$NOW", int(lease * 1000)]},
    }
    return ListChange(state, [{"$set": changes}])


def pass_finished(state: ListState, after: ListState, *, release: bool) -> ListChange:
    """Close a pass: only now its items count as known. `after` holds the new values."""
    part = state.kind
    # Flags that others raise meanwhile are lowered only by a pass that knew of them.
    lowered = [flag for flag in ("fell", "verify") if getattr(state, flag) and not getattr(after, flag)]
    changes: dict[str, Any] = {
        f"{part}.{name}": getattr(after, name) for name in (*FINISHED_FIELDS, *lowered)
    }
    changes |= {
        f"{part}.last_success": after.last_pass_at,
        f"{part}.open_pass": None,
        f"{part}.deferred": None,
    }
    if release:
        changes[f"{part}.lease_until"] = None
    late = state.deferred
    gap = push_gap(Gap(part, late.since, after.last_pass_at, late.reason)) if late else {}
    return ListChange(state, {"$set": changes, **gap})


def released(state: ListState) -> ListChange:
    """Free the list for the next holder; harmless when it was lost."""
    return ListChange(state, {"$set": {f"{state.kind}.lease_until": None}})
