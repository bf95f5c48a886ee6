"""Four worker processes share one key: the provider never sees more than the limit in any second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

from support.lab import KEY, START, Lab

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

LIMIT = 20
LEAST = 19


LATE = 2
"""Requests that may fall into a second because they were woken late: what was granted lies an interval apart."""
TRIES = 3
"""A busy machine wakes sleepers late, which bunches what was granted apart; the claim is about a calm one."""


def test_four_processes_stay_within_the_limit_and_use_it(
    db: Db, mongod: str, simulate: Callable[..., Simulator]
) -> None:
    measured = []
    for attempt in range(TRIES):
        simulator = simulate(tweets=400, engagements=12.0, start=START, seed=attempt)
        simulator.ledger.keeps_times = True
        measured.append(one_run(db, mongod, simulator))
        busiest, average = measured[-1]
        if busiest <= LIMIT + LATE and average >= LEAST:
            return
    raise AssertionError(measured)


def one_run(db: Db, mongod: str, simulator: Simulator) -> tuple[int, float]:
    """(requests in the busiest second, requests a second while there is work) of the account, at the provider."""
    db.jobs.delete_many({})
    db.tweets.delete_many({})
    lab = Lab(db, simulator)
    lab.enqueue()
    environment = {
        **os.environ,
        "MONGODB_URI": mongod,
        "SOCAP_DATABASE__NAME": db.name,
        "TWITTER_API_URL": simulator.url,
        "TWITTER_API_KEY": KEY,
        "SOCAP_PROVIDER__RATE": str(LIMIT),
    }
    command = [sys.executable, "-m", "socap_cli", "--json", "work", "--processes", "4", "--concurrency", "15"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["result"]["processes"] == 4
    assert db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    assert not lab.truth() - set(lab.stored())
    lab.close()
    times = sorted(moment for path in simulator.ledger.times.values() for moment in path)
    assert len(times) > 200
    busiest = max(sum(start <= moment < start + 1 for moment in times) for start in times)
    middle = times[len(times) // 10 : -len(times) // 10]
    return busiest, (len(middle) - 1) / (middle[-1] - middle[0])
