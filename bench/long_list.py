"""One tweet that everybody answers: how long its first reading takes, and what it costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
from support.lab import Lab

from bench.collection import Elsewhere, work
from bench.measure import START, database, provider, row
from socap_cli.model.kinds import LISTS, QUOTES, REPLIES, RETWEETS
from socap_cli.simulator.world import Clock, World

LATENCY = 0.1
LATER = timedelta(hours=2)


def long_list(uri: str) -> None:
    """One tweet with 20,000 replies and quotes at 100 ms: wall time over requests × latency ÷ concurrency"""
    made: dict[str, Any] = {
        "tweets": 1,
        "engagements": 44_500.0,
        "accounts": 30_000,
        "removed": 0.0,
        "hours": 2.0,
    }
    world = World(start=START, **made)
    tweet = next(iter(world.tweets.values()))
    moment = (START + LATER).timestamp()
    size = sum(1 for kind in (REPLIES, QUOTES) for _ in tweet.lists[kind].newest_first(moment))
    for concurrency in (4, 10, 20):
        with database(uri) as db, provider(LATENCY, **made) as served:
            httpx.post(f"{served.url}/sim/advance", params={"minutes": LATER / timedelta(minutes=1)})
            lab = Lab(db, Elsewhere(world, served.url, Clock(START + LATER)))  # type: ignore[arg-type]
            lab.enqueue()
            db.jobs.delete_many({"job_type": RETWEETS})  # they take no times
            told = work(uri, db, served.url, concurrency=concurrency)
            spent = httpx.get(f"{served.url}/sim/state").json()["ledger"]["credits"]
            ideal = told["requests"] * LATENCY / concurrency
            true = {key for key in lab.truth() if key[1] != LISTS[RETWEETS].action_type}
            missing = len(true.symmetric_difference(lab.stored()))
            cost = spent / (15 + 15 * size)
            lab.close()
        row(
            f"{size:,} items, concurrency {concurrency}",
            f"{told['seconds'] / ideal:.2f} ×",
            f"ideal {ideal:.1f} s; at most 1.3; cost {cost:.3f} of the least; missing or wrong {missing}",
        )
