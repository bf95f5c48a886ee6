"""What is known of each tweet and list: counters, passes, coverage. One document a tweet, one part a list.

A list's part is held like a lease (`lease_until`) and fenced by an epoch that only grows: whoever lost
it writes nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo import UpdateOne

from socap_cli.model import COUNTERS, LISTS, Counters, Kind
from socap_cli.store.connect import Db, literal

GAPS_KEPT = 50
MISSES_TO_BELIEVE = 2


@dataclass(frozen=True, slots=True)
class Pass:
    """An unfinished reading of a list: where it stands and what bounds it."""

    number: int
    full: bool
    """Whether it goes to the end of the list, and so finds what is gone."""
    phase: str
    """`whole`: from the top; `fresh`: only what is newer than `since`; `older`: below that."""
    started_at: datetime
    counter: int | None
    cursor: str | None = None
    known_run: int = 0
    pages: int = 0
    since: datetime | None = None
    newest: datetime | None = None
    """The newest engagement that this pass saw: the next pass's `since`."""
    proven: bool = True
    """False once the list ended in a way that proves nothing."""
    reading: int = 0
    """The start at the top from which it goes on; later starts have larger numbers, whatever became of them."""


@dataclass(frozen=True, slots=True)
class ListState:
    """What is known of one list of one tweet."""

    tweet_id: str
    kind: Kind
    epoch: int = 0
    completed_passes: int = 0
    counter: int | None = None
    counter_at_pass: int | None = None
    collected: int = 0
    removed: int = 0
    deficit: int = 0
    """Counter minus collected after the last pass: what it could not find, or (negative) what is gone."""
    full_deficit: int = 0
    """The same after the last full reading: what cannot be read at all."""
    fell: bool = False
    """Whether the counter fell since the last full reading."""
    since: datetime | None = None
    open_pass: Pass | None = None
    last_pass_at: datetime | None = None
    last_full_at: datetime | None = None
    verify: bool = False
    put_off: dict[str, Any] | None = None
    """{since, reason} while a reading that was due is not done: the gap that it will have been."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A time for which nobody looked: what happened in it was found later, or is not known."""

    kind: str
    begins_at: datetime
    ends_at: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class TweetState:
    tweet_id: str
    counters: Counters = field(default_factory=dict)
    checked_at: datetime | None = None
    metrics_at: datetime | None = None
    """When the counters were read, by the database's clock."""
    misses: int = 0
    """How often in a row the provider did not know the tweet."""
    lists: Mapping[Kind, ListState] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    """When it was not read though it should have been, the latest last."""

    @property
    def vanished(self) -> bool:
        """Not in the answer once is no proof that a tweet is gone; twice is believed."""
        return self.misses >= MISSES_TO_BELIEVE


def load(db: Db, tweet_ids: Iterable[str]) -> dict[str, TweetState]:
    """The states of these tweets; a tweet never seen has an empty one."""
    wanted = list(tweet_ids)
    found = {row["_id"]: row for row in db.worker_state.find({"_id": {"$in": wanted}})}
    return {tweet_id: _tweet_state(tweet_id, found.get(tweet_id, {})) for tweet_id in wanted}


def _tweet_state(tweet_id: str, row: dict[str, Any]) -> TweetState:
    counters = row.get("counters", {})
    return TweetState(
        tweet_id=tweet_id,
        counters=counters,
        checked_at=row.get("checked_at"),
        metrics_at=row.get("metrics_at"),
        misses=row.get("misses", 0),
        lists={kind: _list_state(tweet_id, kind, row) for kind in LISTS},
        gaps=tuple(Gap(**gap) for gap in row.get("gaps", ())),
    )


def _list_state(tweet_id: str, kind: Kind, row: dict[str, Any]) -> ListState:
    part = row.get(kind.value, {})
    known = {name: part[name] for name in ListState.__dataclass_fields__ if name in part}
    known["open_pass"] = Pass(**part["open_pass"]) if part.get("open_pass") else None
    known["counter"] = row.get("counters", {}).get(kind.value)
    return ListState(**{**known, "tweet_id": tweet_id, "kind": kind})


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a tweet's counters told; `counters` is None when the provider did not know the tweet."""

    tweet_id: str
    counters: Counters | None
    fell: tuple[Kind, ...] = ()
    """Lists whose counter is lower than it was."""
    empty: tuple[Kind, ...] = ()
    """Lists that are empty at their first look: they need no reading, and what comes from now on is new."""
    unread_since: datetime | None = None
    """When the counters were read last, if that is too long ago."""


def look(
    before: TweetState, counters: Counters | None, *, now: datetime, gap_after: timedelta | None = None
) -> Look:
    """What these counters tell beside what was known: a lower one is data, not an error, and a reason to look."""
    if counters is None:
        return Look(before.tweet_id, None)
    fell, empty = [], []
    for kind, known in before.lists.items():
        new, old = counters.get(kind.value), known.counter
        if new is not None and old is not None and new < old:
            fell.append(kind)
        if new == 0 and known.completed_passes == 0 and known.open_pass is None:
            empty.append(kind)
    last = before.checked_at
    late = last is not None and gap_after is not None and now - last > gap_after
    return Look(before.tweet_id, counters, tuple(fell), tuple(empty), last if late else None)


def record_looks(db: Db, looks: Iterable[Look], *, now: datetime) -> None:
    """Keep what was seen, in one round trip. An unknown counter leaves the last known value as it is."""
    operations = [operation for look in looks for operation in _operations(look, now)]
    if operations:
        db.worker_state.bulk_write(operations)


def _operations(look: Look, now: datetime) -> Iterator[UpdateOne]:
    if look.counters is None:
        yield UpdateOne({"_id": look.tweet_id}, _missed(now), upsert=True)
        return
    known = {
        f"counters.{name}": look.counters[name] for name in COUNTERS if look.counters.get(name) is not None
    }
    flags = {f"{kind.value}.fell": True for kind in look.fell}
    since = look.unread_since
    gap = _push_gap(Gap(Kind.METRICS.value, since, now, "not read")) if since is not None else {}
    seen = {
        "$set": {**known, **flags, "checked_at": now, "misses": 0},
        "$currentDate": {"metrics_at": True},
        "$unset": {"missing_since": ""},
    }
    yield UpdateOne({"_id": look.tweet_id}, {**seen, **gap}, upsert=True)
    for kind in look.empty:
        unread = {"_id": look.tweet_id, f"{kind.value}.completed_passes": {"$in": [None, 0]}}
        values = {f"{kind.value}.{name}": value for name, value in EMPTY_LIST.items()}
        times = {f"{kind.value}.{name}": now for name in ("last_pass_at", "last_full_at")}
        yield UpdateOne(unread, {"$set": {**values, **times}})


EMPTY_LIST = {"completed_passes": 1, "counter_at_pass": 0}
"""The state of a list that needed no reading."""


def _missed(now: datetime) -> list[dict[str, Any]]:
    """Count once more that the provider did not know a tweet."""
    fields = {
        "misses": {"$add": [{"$ifNull": ["$misses", 0]}, 1]},
        "missing_since": {"$ifNull": ["$missing_since", now]},
        "checked_at": now,
        "metrics_at": "$$NOW",
    }
    return [{"$set": fields}]


def note_put_off(db: Db, tweet_id: str, kind: Kind, *, reason: str, now: datetime) -> None:
    """Remember that a list's reading was due and not done; the pass that does it closes the gap."""
    part = kind.value
    since = {"$ifNull": [f"${part}.last_pass_at", now]}
    first = {"since": since, "reason": literal(reason)}
    db.worker_state.update_one(
        {"_id": tweet_id},
        [{"$set": {f"{part}.put_off": {"$ifNull": [f"${part}.put_off", first]}}}],
        upsert=True,
    )


def _push_gap(gap: Gap) -> dict[str, Any]:
    return {"$push": {"gaps": {"$each": [asdict(gap)], "$slice": -GAPS_KEPT}}}


def ask_full_reading(db: Db, tweet_ids: Iterable[str]) -> None:
    """Ask for a full reading, from the top, of every list of these tweets."""
    flags = {
        f"{kind.value}.{name}": value
        for kind in LISTS
        for name, value in (("verify", True), ("open_pass", None))
    }
    operations = [UpdateOne({"_id": tweet_id}, {"$set": flags}, upsert=True) for tweet_id in tweet_ids]
    if operations:
        db.worker_state.bulk_write(operations, ordered=False)


def hold(db: Db, lists: Sequence[tuple[str, Kind]], *, lease: float) -> list[ListState | None]:
    """Take lists for one pass each, under a new epoch. None for one that somebody else holds."""
    tokens = [secrets.token_hex(8) for _ in lists]
    operations = []
    for (tweet_id, kind), token in zip(lists, tokens, strict=True):
        part = kind.value
        free = {"$lte": [{"$ifNull": [f"${part}.lease_until", "$$NOW"]}, "$$NOW"]}
        taken = {
            "epoch": {"$add": [{"$ifNull": [f"${part}.epoch", 0]}, 1]},
            "lease_until": {"$add": ["$$NOW", int(lease * 1000)]},
            "holder": token,
        }
        # The condition stands in the update: in the filter of an upsert it would make a second document.
        changes = {
            f"{part}.{name}": {"$cond": [free, value, f"${part}.{name}"]} for name, value in taken.items()
        }
        operations.append(UpdateOne({"_id": tweet_id}, [{"$set": changes}], upsert=True))
    db.worker_state.bulk_write(operations, ordered=False)
    found = {row["_id"]: row for row in db.worker_state.find({"_id": {"$in": [t for t, _ in lists]}})}
    return [
        _list_state(tweet_id, kind, row) if row.get(kind.value, {}).get("holder") == token else None
        for (tweet_id, kind), token in zip(lists, tokens, strict=True)
        for row in [found.get(tweet_id, {})]
    ]


@dataclass(frozen=True, slots=True)
class Change:
    """What the holder of a list writes about it."""

    state: ListState
    update: dict[str, Any] | list[dict[str, Any]]

    @property
    def key(self) -> tuple[str, Kind, int]:
        return self.state.tweet_id, self.state.kind, self.state.epoch


def write(db: Db, changes: Sequence[Change]) -> list[bool]:
    """Write each change if its list is still held; tell for each whether it was."""
    operations = [
        UpdateOne(
            {"_id": change.state.tweet_id, f"{change.state.kind.value}.epoch": change.state.epoch},
            change.update,
        )
        for change in changes
    ]
    if db.worker_state.bulk_write(operations, ordered=False).matched_count == len(changes):
        return [True] * len(changes)
    parts = {f"{kind.value}.epoch": 1 for kind in LISTS}
    ids = [change.state.tweet_id for change in changes]
    held = {
        (row["_id"], kind, row.get(kind.value, {}).get("epoch"))
        for row in db.worker_state.find({"_id": {"$in": ids}}, parts)
        for kind in LISTS
    }
    return [change.key in held for change in changes]


def pass_saved(state: ListState, open_pass: Pass, *, lease: float) -> Change:
    """Remember how far a pass has come, after its items were written, and keep the list held."""
    part = state.kind.value
    kept = {name: literal(value) for name, value in asdict(open_pass).items()}
    changes = {
        f"{part}.open_pass": kept,
        f"{part}.lease_until": {"$add": ["$$NOW", int(lease * 1000)]},
    }
    return Change(state, [{"$set": changes}])


def pass_finished(state: ListState, after: ListState, *, let_go: bool) -> Change:
    """Close a pass: only now its items count as known. `after` holds the new values."""
    part = state.kind.value
    names = [
        "completed_passes", "counter_at_pass", "collected", "removed", "deficit", "full_deficit", "since",
        "last_pass_at", "last_full_at",
    ]  # fmt: skip
    # Flags that others raise meanwhile are lowered only by a pass that knew of them.
    names += [flag for flag in ("fell", "verify") if getattr(state, flag) and not getattr(after, flag)]
    changes: dict[str, Any] = {f"{part}.{name}": getattr(after, name) for name in names}
    if let_go:
        changes[f"{part}.lease_until"] = None
    changes |= {f"{part}.open_pass": None, f"{part}.put_off": None}
    late = state.put_off
    gap = _push_gap(Gap(part, late["since"], after.last_pass_at, late["reason"])) if late else {}
    return Change(state, {"$set": changes, **gap})


def let_go(state: ListState) -> Change:
    """Free the list for the next holder; harmless when it was lost."""
    return Change(state, {"$set": {f"{state.kind.value}.lease_until": None}})


def coverage(states: Iterable[TweetState]) -> dict[str, dict[str, Any]]:
    """Per kind: the sums of counter, collected and removed, and the oldest last pass."""
    sums: dict[str, dict[str, Any]] = {
        kind.value: {"counter": 0, "collected": 0, "removed": 0, "unread": 0, "oldest_pass_at": None}
        for kind in LISTS
    }
    for state in states:
        for kind, known in state.lists.items():
            row = sums[kind.value]
            row["counter"] += known.counter or 0
            row["collected"] += known.collected
            row["removed"] += known.removed
            if known.last_pass_at is None:
                row["unread"] += 1
            elif row["oldest_pass_at"] is None or known.last_pass_at < row["oldest_pass_at"]:
                row["oldest_pass_at"] = known.last_pass_at
    return sums
