"""Four worker processes share one key: the provider never sees more than the limit in any second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable

from conftest import START
from lab import KEY, Lab

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

LIMIT = 20


def test_four_processes_stay_within_the_limit_and_use_it(
    db: Db, mongod: str, simulate: Callable[..., Simulator]
) -> None:
    simulator = simulate(tweets=400, engagements=12.0, start=START)
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
    times = sorted(simulator.ledger.times["/twitter/tweet/retweeters"])
    busiest = max(sum(start <= moment < start + 1 for moment in times) for start in times)
    assert len(times) > 200
    assert busiest <= LIMIT
    while_there_is_work = times[int(len(times) * 0.1) : int(len(times) * 0.9)]
    average = (len(while_there_is_work) - 1) / (while_there_is_work[-1] - while_there_is_work[0])
    assert average >= 19
    assert db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    assert not lab.truth() - set(lab.stored())
    lab.close()
