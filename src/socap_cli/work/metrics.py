"""A metrics unit: one request for a batch of tweets; then each list is let run or ended, as its counter says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.model import LISTS, Counters, Kind, Unit
from socap_cli.store import jobs, snapshots, worker_state
from socap_cli.store.jobs import Settled
from socap_cli.store.worker_state import TweetState
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
    missing = [tweet_id for tweet_id in unit.tweet_ids if tweet_id not in readings]
    desk.calls.tally.add(snapshots=snapshots.record(desk.db, readings, now=now))
    worker_state.record_counters(desk.db, readings, now=now, fell=fallen(before, readings))
    worker_state.note_gaps(
        desk.db, unread_for_long(before, readings, now=now, after=desk.policy.gap_after), now=now
    )
    worker_state.record_missing(desk.db, missing, now=now)
    worker_state.note_empty_lists(desk.db, before, readings, now=now)
    closed = _judge_lists(desk, unit, readings)
    return MetricsDone([Settled(job, _outcome(job.tweet_id, missing)) for job in unit.jobs], closed)


def fallen(before: Mapping[str, TweetState], readings: Mapping[str, Counters]) -> list[tuple[str, Kind]]:
    """Lists whose counter is lower than it was: data, not an error, and a reason to look."""
    return [
        (tweet_id, kind)
        for tweet_id, counters in readings.items()
        for kind in LISTS
        if (new := counters.get(kind.value)) is not None
        and (old := before[tweet_id].counters.get(kind.value)) is not None
        and new < old
    ]


def unread_for_long(
    before: Mapping[str, TweetState], readings: Mapping[str, Counters], *, now: datetime, after: timedelta
) -> dict[str, datetime]:
    """Tweets whose last reading is longer ago than that, with its time."""
    return {
        tweet_id: last
        for tweet_id in readings
        if (last := before[tweet_id].checked_at) is not None and now - last > after
    }


def _outcome(tweet_id: str, missing: list[str]) -> str:
    return "missing" if tweet_id in missing else "collected"


def _judge_lists(desk: Desk, unit: Unit, readings: Mapping[str, Counters]) -> int:
    states = worker_state.load(desk.db, unit.tweet_ids)
    last_cycle = {job.tweet_id for job in unit.jobs if job.last_cycle}
    release: list[tuple[str, Kind]] = []
    close: list[tuple[str, Kind]] = []
    for tweet_id in unit.tweet_ids:
        for kind, state in states[tweet_id].lists.items():
            due = delta.Reading.NONE
            if tweet_id in readings:
                due = delta.reading_due(
                    state, last_cycle=tweet_id in last_cycle, now=desk.now(), policy=desk.policy
                )
            (close if due is delta.Reading.NONE else release).append((tweet_id, kind))
    return jobs.open_gate(desk.db, release, close)
