"""Keep what a look at tweets' counters told: a snapshot each, and the state that decides about their lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.client.observation import observe
from socap_cli.model.account import Tweet
from socap_cli.model.list_state import Observation, TweetState
from socap_cli.store import Db, snapshots, worker_state


@dataclass(frozen=True, slots=True)
class Recorded:
    """What was told of each tweet, and how many snapshots are new."""

    observations: tuple[Observation, ...]
    snapshots: int


def record_counters(
    db: Db,
    before: Mapping[str, TweetState],
    tweets: Mapping[str, Tweet],
    *,
    now: datetime,
    gap_after: Mapping[str, timedelta] | None = None,
) -> Recorded:
    """Store the counters of these tweets; one of `before` that is not among them was not known to the provider.

    `gap_after` says of tweets after what time unread they have a gap.
    """
    counters = {tweet_id: tweet.counters for tweet_id, tweet in tweets.items()}
    seen = [
        observe(state, counters.get(tweet_id), now=now, gap_after=(gap_after or {}).get(tweet_id))
        for tweet_id, state in before.items()
    ]
    added = snapshots.record(db, counters, now=now)
    worker_state.record_observations(db, seen, now=now)
    return Recorded(tuple(seen), added)
