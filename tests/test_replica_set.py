"""A real replica set: its primary dies or steps down while jobs are worked, and the run ends by itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.lab import KEY, START, Lab
from support.replica_set import ReplicaSet
from support.waiting import answer, wait_until

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db, open_database, usage
from socap_cli.store.connect import ensure_indexes
from socap_cli.store.embedded import find_mongod

pytestmark = pytest.mark.server


@pytest.fixture
def replica_set(tmp_path: Path) -> Iterator[ReplicaSet]:
    find_mongod()
    with ReplicaSet(tmp_path / "rs") as started:
        yield started


def worker(uri: str, simulator: Simulator, *options: str, **settings: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        **settings,
        "MONGODB_URI": uri,
        "TWITTER_API_URL": simulator.url,
        "TWITTER_API_KEY": KEY,
        "SOCAP_PROVIDER__RATE": "0",
    }
    command = [sys.executable, "-m", "socap_cli", "--json", "work", "--concurrency", "20", *options]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def assert_all_done(db: Db, lab: Lab) -> None:
    assert db.jobs.distinct("status") == ["completed"]
    assert db.jobs.count_documents({"lease_token": {"$ne": None}}) == 0
    assert db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    lab.assert_exact()


@pytest.mark.parametrize("event", ["killed", "stepped down"])
def test_a_run_outlives_its_primary_in_the_middle_of_1200_jobs(
    replica_set: ReplicaSet, simulate: Callable[..., Simulator], event: str
) -> None:
    simulator = simulate(tweets=300, engagements=12.0, removed=0.0, start=START)
    simulator.faults.latency = 0.05
    with open_database(replica_set.uri, "socap") as db:
        ensure_indexes(db)
        lab = Lab(db, simulator)
        assert lab.enqueue().jobs_armed == 1200
        running = worker(replica_set.uri, simulator)
        wait_until(lambda: db.jobs.count_documents({"status": "completed"}) > 500)
        before = replica_set.primary()
        if event == "killed":
            replica_set.kill_primary()
        else:
            replica_set.step_down()
        done = answer(running)
        assert replica_set.primary() != before
        assert_all_done(db, lab)
        assert done["failed"] == 0
        told = usage.summed(db)[0].requests
        asked = sum(simulator.ledger.requests.values())
        # A request whose answer was there when its unit fell with the database is asked, and metered, again.
        assert told == done["requests"] == asked
        lab.close()


def test_a_database_that_stays_away_ends_the_run_with_a_reason(
    tmp_path: Path, simulate: Callable[..., Simulator]
) -> None:
    simulator = simulate(tweets=30, engagements=12.0, start=START)
    simulator.faults.latency = 0.2
    with ReplicaSet(tmp_path / "rs", members=1) as alone, open_database(alone.uri, "socap") as db:
        ensure_indexes(db)
        lab = Lab(db, simulator)
        lab.enqueue()
        running = worker(alone.uri, simulator, SOCAP_DATABASE__PATIENCE="1")
        wait_until(lambda: db.jobs.count_documents({"status": "completed"}) > 0)
        alone.kill_primary()
        out, err = running.communicate(timeout=60)
        lab.close()
    assert running.returncode == 7
    assert json.loads(out.splitlines()[-1])["error"]["type"] == "DatabaseUnreachable"
    assert "Traceback" not in err
