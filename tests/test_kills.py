"""kill -9, for real: on workers, and on mongod itself, while cycles run. `make soak` does it hundreds of times."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.lab import START, Lab
from support.waiting import wait_until

from socap_cli.errors import NoMongod
from socap_cli.simulator.server import Simulator
from socap_cli.store import open_database
from socap_cli.store.connect import ensure_indexes
from socap_cli.store.embedded import Embedded, find_mongod

pytestmark = pytest.mark.server

KILLS = int(os.environ.get("SOCAP_SOAK", "6"))
MONGOD_EVERY = 4


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    try:
        find_mongod()
    except NoMongod as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"needs a mongod: {error.hint}")
    own = Embedded(tmp_path / "data")
    own.start()
    yield own
    own.stop()


def test_no_job_is_stuck_and_nothing_lost_or_doubled_however_often_things_are_killed(
    embedded: Embedded, simulate: Callable[..., Simulator], tmp_path: Path
) -> None:
    rng = random.Random(1)
    simulator = simulate(tweets=30, engagements=60.0, start=START)
    simulator.faults.update({"latency": 0.03})
    with open_database(embedded.uri, "socap") as db:
        ensure_indexes(db)
        Lab(db, simulator).close()
    environment = {
        **os.environ,
        "SOCAP_DATA_DIR": str(tmp_path / "data"),
        "SOCAP_WORKER__LEASE": "1",
        "SOCAP_PROVIDER__RATE": "0",
        "TWITTER_API_URL": simulator.url,
        "TWITTER_API_KEY": "k",
    }

    def start(*words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "socap_cli", "-q", *words]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    with open_database(embedded.uri, "socap", patience=20.0) as db:
        in_the_middle = 0
        for number in range(KILLS):
            start("enqueue", "--verify").communicate()
            workers = [start("work", "--concurrency", "5") for _ in range(2)]
            wait_until(lambda: db.jobs.count_documents({"status": "processing"}) > 0)
            time.sleep(rng.uniform(0.0, 0.5))  # how far they come is the point
            in_the_middle += db.jobs.count_documents({"status": {"$in": ["processing", "pending"]}}) > 0
            of_mongod = number % MONGOD_EVERY == MONGOD_EVERY - 1
            victim = embedded.pid() if of_mongod else rng.choice(workers).pid
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
            for worker in workers:
                said = worker.communicate()[1]
                assert worker.returncode in ((0,) if of_mongod else (0, -signal.SIGKILL)), said
            simulator.clock.advance(timedelta(minutes=20))
    assert in_the_middle > KILLS * 0.9
    for words in (("work",), ("enqueue", "--verify"), ("work",)):
        last = start(*words)
        assert last.communicate()[1] == ""
        assert last.returncode == 0
    with open_database(embedded.uri, "socap") as db:
        lab = Lab(db, simulator)
        lab.assert_exact()
        lab.close()
        assert db.jobs.distinct("status") == ["completed"]
        assert db.jobs.count_documents({"lease_token": {"$ne": None}}) == 0
