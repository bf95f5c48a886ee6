"""A metrics unit: one request for a batch of tweets; then each list is released or ended, as its counter says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from socap_cli.client.looks import lists_after, record_counters
from socap_cli.model.cadence import CYCLE
from socap_cli.model.kinds import Kind
from socap_cli.model.list_state import MISSES_TO_BELIEVE, Observation, TweetState
from socap_cli.model.queue import Outcome, Result, Unit
from socap_cli.store import jobs, worker_state
from socap_cli.work import delta
from socap_cli.work.context import UnitResult, WorkContext
from socap_cli.work.delta import PassKind

Lists = list[tuple[str, Kind]]
ABSENT = TweetState("", misses=MISSES_TO_BELIEVE)
"""Stands for a tweet of which nothing was told: rows beside it could not be read."""
ASK_AGAIN = 5.0
"""Seconds until a tweet is asked for once more in its campaign's last cycle."""


def run(context: WorkContext, unit: Unit) -> UnitResult:
    """Read the counters of a unit's tweets, store them, and release or end the jobs of their lists.

    Raises ProviderError, OverBudget, BudgetReached, Stopping.
    """
    before = worker_state.load(context.db, unit.tweet_ids)
    answer = context.client.tweets(unit.tweet_ids, unit.campaigns, with_authors=False)
    tweets = answer.tweets
    # A tweet that is absent beside rows that could not be read may be one of them: that proves nothing.
    told = {
        tweet_id: state for tweet_id, state in before.items() if tweet_id in tweets or not answer.unreadable
    }
    gap_after = _gap_after(unit, before, timedelta(minutes=context.policy.gap_after_minutes))
    recorded = record_counters(context.db, told, tweets, now=context.now(), gap_after=gap_after)
    context.client.counts.add(snapshots=recorded.snapshots)
    last_cycle = frozenset(job.tweet_id for job in unit.jobs if job.last_cycle)
    # Absent once proves nothing, and no later cycle makes good what the last one does not read.
    again = {tweet_id for tweet_id in last_cycle - tweets.keys() if told.get(tweet_id, ABSENT).misses == 0}
    seen = [one for one in recorded.observations if one.tweet_id not in again]
    release, end = _decide(context, told, seen, last_cycle)
    end += [(tweet_id, kind) for tweet_id in before.keys() - told.keys() for kind in before[tweet_id].lists]
    ended = jobs.release_lists(context.db, release, end)
    found = {True: Result.COLLECTED, False: Result.MISSING}
    outcomes = [
        Outcome(job, delay=ASK_AGAIN, error="not in the answer: asked for once more", waits=True)
        if job.tweet_id in again
        else Outcome(job, found[job.tweet_id in tweets])
        for job in unit.jobs
    ]
    return UnitResult(unit, outcomes, lists_unchanged=ended)


def _gap_after(unit: Unit, before: Mapping[str, TweetState], plain: timedelta) -> dict[str, timedelta]:
    """After what time unread each tweet has a gap: later where the cadence meant to look later."""
    found: dict[str, timedelta] = {}
    for job in unit.jobs:
        last = before[job.tweet_id].checked_at
        meant = job.look_due_at - last if job.look_due_at and last else CYCLE
        after = plain + max(timedelta(), meant - CYCLE)
        found[job.tweet_id] = min(found.get(job.tweet_id, after), after)
    return found


def _decide(
    context: WorkContext,
    before: Mapping[str, TweetState],
    seen: Sequence[Observation],
    last_cycle: frozenset[str],
) -> tuple[Lists, Lists]:
    """(lists to read, lists to end). What changes meanwhile is seen when a list is read."""
    release: Lists = []
    end: Lists = []
    now, served = context.now(), context.client.provider.lists
    for one in seen:
        last = one.tweet_id in last_cycle
        for kind, state in lists_after(before[one.tweet_id], one, now=now).items():
            due = delta.pass_due(state, last_cycle=last, now=now, policy=context.policy)
            wanted = kind in served and one.counters is not None and due is not PassKind.NONE
            (release if wanted else end).append((one.tweet_id, kind))
    return release, end
