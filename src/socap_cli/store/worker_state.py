"""What is known of each tweet: its counters, and one part for each of its lists. One document a tweet.

A list's part is held like a lease (`lease_until`) and fenced by an epoch that only grows: who lost it writes
nothing.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pymongo import UpdateOne

from socap_cli.model.engagement import Velocity
from socap_cli.model.kinds import LISTS, METRICS, Kind, counter_names
from socap_cli.model.list_state import Deferral, Gap, ListState, Observation, Pass, Phase, TweetState, Window
from socap_cli.store.connect import Db, literal, value_of

log = logging.getLogger("socap.store")
GAPS_KEPT = 50
EMPTY_LIST = {"completed_passes": 1, "counter_at_pass": 0}  # the state of a list that needed no pass
# What closing a pass writes.
FINISHED_FIELDS = (
    "completed_passes", "counter_at_pass", "collected", "removed", "deficit", "full_deficit", "since", "last_full_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListChange:
    """What the holder of a list writes about it."""

    state: ListState
    update: dict[str, Any] | list[dict[str, Any]]


def load(db: Db, tweet_ids: Iterable[str]) -> dict[str, TweetState]:
    """The states of these tweets; a tweet never read has an empty one."""
    ids = list(tweet_ids)
    rows = {row["_id"]: row for row in db.worker_state.find({"_id": {"$in": ids}})}
    return {tweet_id: _state(tweet_id, rows.get(tweet_id, {})) for tweet_id in ids}


def _state(tweet_id: str, row: dict[str, Any]) -> TweetState:
    try:
        return value_of(
            TweetState,
            row,
            tweet_id=tweet_id,
            lists={kind: list_state(tweet_id, kind, row) for kind in LISTS},
            counters=dict(row.get("counters", {})),
            gaps=tuple(Gap(**gap) for gap in row.get("gaps", ())),
            velocity=value_of(Velocity, row.get("velocity", {})),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        log.warning("worker_state %s cannot be read and counts as not read yet: %s", tweet_id, error)
        return _state(tweet_id, {})


def list_state(tweet_id: str, kind: Kind, row: dict[str, Any]) -> ListState:
    """The state of one list in a tweet's document."""
    part = row.get(kind, {})
    current, deferred, open_pass = part.get("open_pass"), part.get("deferred"), None
    if current:
        windows = tuple(Window(**window) for window in current.get("windows", ()))
        open_pass = Pass(**{**current, "phase": Phase(current["phase"]), "windows": windows})
    return value_of(
        ListState,
        part,
        tweet_id=tweet_id,
        kind=kind,
        counter=row.get("counters", {}).get(kind),
        last_pass_at=part.get("last_success"),
        open_pass=open_pass,
        deferred=Deferral(**deferred) if deferred else None,
    )


def record_observations(db: Db, observations: Iterable[Observation], *, now: datetime) -> None:
    """Store readings in one round trip. An unknown counter leaves the last known value."""
    operations = [operation for one in observations for operation in _operations(one, now)]
    if operations:
        db.worker_state.bulk_write(operations)


def _operations(seen: Observation, now: datetime) -> Iterator[UpdateOne]:
    if seen.counters is None:
        missed = {
            "misses": {"$add": [{"$ifNull": ["$misses", 0]}, 1]},
            "missing_since": {"$ifNull": ["$missing_since", now]},
            "checked_at": now,
            "metrics_at": "$$NOW",
        }
        yield UpdateOne({"_id": seen.tweet_id}, [{"$set": missed}], upsert=True)
        return
    names = [name for name in counter_names() if seen.counters.get(name) is not None]
    known = {f"counters.{name}": seen.counters[name] for name in names}
    flags = {f"{kind}.fell": True for kind in seen.fell}
    since = seen.unread_since
    gap = push_gap(Gap(METRICS, since, now, "not read")) if since is not None else {}
    update = {
        "$set": {
            **known,
            **flags,
            "checked_at": now,
            "last_success": now,
            "blocked_until": None,
            "misses": 0,
            **({"velocity": asdict(seen.velocity)} if seen.velocity else {}),
            **({"moved_at": now} if seen.moved else {}),
        },
        "$currentDate": {"metrics_at": True},
        "$unset": {"missing_since": ""},
    }
    yield UpdateOne({"_id": seen.tweet_id}, {**update, **gap}, upsert=True)
    for kind in seen.empty:
        unread = {"_id": seen.tweet_id, f"{kind}.completed_passes": {"$in": [None, 0]}}
        values = {f"{kind}.{name}": value for name, value in EMPTY_LIST.items()}
        times = {f"{kind}.{name}": now for name in ("last_success", "last_full_at")}
        yield UpdateOne(unread, {"$set": {**values, **times}})


def note_deferred(db: Db, tweet_id: str, kind: Kind, *, reason: str, now: datetime) -> None:
    """Note that a list's pass was due and not done; the pass that does it closes the gap."""
    since = {"$ifNull": [f"${kind}.last_success", now]}
    first = {"since": since, "reason": literal(reason)}
    db.worker_state.update_one(
        {"_id": tweet_id},
        [{"$set": {f"{kind}.deferred": {"$ifNull": [f"${kind}.deferred", first]}}}],
        upsert=True,
    )


def note_blocked(db: Db, tweet_ids: Sequence[str], *, seconds: float) -> None:
    """Note until when the provider refuses requests about these tweets."""
    until = {"$add": ["$$NOW", int(seconds * 1000)]}
    db.worker_state.update_many({"_id": {"$in": list(tweet_ids)}}, [{"$set": {"blocked_until": until}}])


def push_gap(gap: Gap) -> dict[str, Any]:
    """An update that adds a gap and keeps the last ones."""
    return {"$push": {"gaps": {"$each": [asdict(gap)], "$slice": -GAPS_KEPT}}}


def ask_full_pass(db: Db, tweet_ids: Iterable[str]) -> None:
    """Ask for a full pass, from the top, over every list of these tweets."""
    flags = {
        f"{kind}.{name}": value for kind in LISTS for name, value in (("verify", True), ("open_pass", None))
    }
    operations = [UpdateOne({"_id": tweet_id}, {"$set": flags}, upsert=True) for tweet_id in tweet_ids]
    if operations:
        db.worker_state.bulk_write(operations, ordered=False)


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


def write(db: Db, changes: Sequence[ListChange]) -> list[bool]:
    """Write each change if its list is still held; return for each whether it was."""
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
    return [(change.state.tweet_id, change.state.kind, change.state.epoch) in held for change in changes]


def pass_saved(state: ListState, open_pass: Pass, *, lease: float) -> ListChange:
    """Store how far a pass has come, after its items were written, and extend the lease."""
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
