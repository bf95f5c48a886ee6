"""A metrics unit: one request for a batch of tweets; then each list is let run or ended, as its counter says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from socap_cli.model import Kind, Unit
from socap_cli.store import jobs, snapshots, worker_state
from socap_cli.store.leases import Settled
from socap_cli.store.worker_state import ListState, Look, TweetState
from socap_cli.work import delta
from socap_cli.work.desk import Desk


@dataclass(frozen=True, slots=True)
class MetricsDone:
    outcomes: list[Settled]
    gates_closed: int


def run(desk: Desk, unit: Unit) -> MetricsDone:
    """Read the counters of a unit's tweets, store them, and open or close the gates of their lists."""
    before = worker_state.load(desk.db, unit.tweet_ids)
    answer = desk.calls.tweets(unit.tweet_ids, unit.campaigns)
    now = desk.now()
    readings = {tweet_id: tweet.counters for tweet_id, tweet in answer.tweets.items()}
    gap_after = desk.policy.gap_after
    looks = [
        worker_state.look(before[i], readings.get(i), now=now, gap_after=gap_after) for i in unit.tweet_ids
    ]
    desk.calls.tally.add(snapshots=snapshots.record(desk.db, readings, now=now))
    worker_state.record_looks(desk.db, looks, now=now)
    last_cycle = {job.tweet_id for job in unit.jobs if job.last_cycle}
    release: list[tuple[str, Kind]] = []
    close: list[tuple[str, Kind]] = []
    for one in looks:
        last = one.tweet_id in last_cycle
        for kind, state in looked_at(before[one.tweet_id], one, now=now).items():
            known = one.counters is not None
            due = known and delta.reading_due(state, last_cycle=last, now=now, policy=desk.policy)
            (release if due and due is not delta.Reading.NONE else close).append((one.tweet_id, kind))
    closed = jobs.open_gate(desk.db, release, close)
    outcomes = [Settled(job, "collected" if job.tweet_id in readings else "missing") for job in unit.jobs]
    return MetricsDone(outcomes, closed)


def looked_at(before: TweetState, look: Look, *, now: datetime) -> dict[Kind, ListState]:
    """A tweet's lists after a look. What changed meanwhile is seen when a list is read: a gate only lets it run."""
    after = {}
    for kind, known in before.lists.items():
        new = (look.counters or {}).get(kind.value)
        changes: dict[str, Any] = {"counter": known.counter if new is None else new}
        if kind in look.fell:
            changes["fell"] = True
        if kind in look.empty:
            changes |= {**worker_state.EMPTY_LIST, "last_pass_at": now, "last_full_at": now}
        after[kind] = replace(known, **changes)
    return after
