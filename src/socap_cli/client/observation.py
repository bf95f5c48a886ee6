"""What a look at a tweet's counters tells beside what was known. Pure rules over values."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from socap_cli.model.kinds import Counters, Kind
from socap_cli.model.list_state import ListState, Observation, TweetState
from socap_cli.model.velocity import velocity_after

HOUR = timedelta(hours=1)


def observe(
    before: TweetState, counters: Counters | None, *, now: datetime, gap_after: timedelta | None = None
) -> Observation:
    """What these counters tell: a lower one is data, not an error, and a reason for a full pass.

    `gap_after` is how long a tweet may be unread; None when nothing was promised.
    """
    if counters is None:
        return Observation(before.tweet_id, None)
    fell, empty = [], []
    for kind, known in before.lists.items():
        new, old = counters.get(kind), known.counter
        if new is not None and old is not None and new < old:
            fell.append(kind)
        if new == 0 and known.completed_passes == 0 and known.open_pass is None:
            empty.append(kind)
    last = before.checked_at
    late = last is not None and gap_after is not None and now - last > gap_after
    hours = (now - last) / HOUR if last else 0.0
    velocity = velocity_after(before.velocity, before.counters, counters, hours=hours)
    unread_since = last if late else None
    moved = any(counters.get(kind) != before.counters.get(kind) for kind in before.lists)
    moved = moved or before.moved_at is None
    return Observation(before.tweet_id, counters, tuple(fell), tuple(empty), unread_since, velocity, moved)


def lists_after(before: TweetState, seen: Observation, *, now: datetime) -> dict[Kind, ListState]:
    """A tweet's lists after an observation, as far as it tells whether they must be read."""
    after = {}
    for kind, known in before.lists.items():
        new = (seen.counters or {}).get(kind)
        changes: dict[str, Any] = {"counter": known.counter if new is None else new}
        if kind in seen.fell:
            changes["fell"] = True
        if kind in seen.empty:
            changes |= {"completed_passes": 1, "counter_at_pass": 0, "last_pass_at": now, "last_full_at": now}
        after[kind] = replace(known, **changes)
    return after
