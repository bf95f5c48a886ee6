"""Signals, stalls and copies: a worker ends in time, changes nothing that it lost, and two of it do no harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lab import KEY, START, Lab
from support.waiting import answer, wait_until

from socap_cli.model.kinds import LISTS
from socap_cli.simulator.server import Simulator
from socap_cli.store import Db, open_database
from socap_cli.store.connect import ensure_indexes
from socap_cli.store.embedded import Embedded

IN_TIME = 4.0
MARGIN = 1.0
"""Seconds for a busy machine to notice."""


class Host:
    """Starts commands against one database and one simulator."""

    def __init__(self, uri: str, name: str, simulator: Simulator) -> None:
        self._environment = {
            **os.environ,
            "MONGODB_URI": uri,
            "SOCAP_DATABASE__NAME": name,
            "TWITTER_API_URL": simulator.url,
            "TWITTER_API_KEY": KEY,
            "SOCAP_PROVIDER__RATE": "0",
            "SOCAP_ALERT_SLACK_WEBHOOK": f"{simulator.url}/sim/slack",
            "SOCAP_ALERTS__WEBHOOK_HOSTS": simulator.url.removeprefix("http://"),
        }

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "socap_cli", "--json", *words]
        environment = {**self._environment, **settings}
        return subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def slow(db: Db, simulate: Callable[..., Simulator]) -> Iterator[Lab]:
    """Jobs of 40 tweets at a provider that takes its time."""
    lab = Lab(db, simulate(tweets=40, engagements=15.0, removed=0.0, start=START))
    lab.enqueue()
    lab.simulator.faults.latency = 0.3
    yield lab
    lab.close()


def at_work(db: Db) -> bool:
    return db.jobs.count_documents({"status": "processing", "job_type": {"$ne": "metrics"}}) > 5


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_gives_back_what_is_not_finished(
    slow: Lab, mongod: str, number: signal.Signals, processes: str
) -> None:
    slow.simulator.faults.latency = 0.3
    worker = Host(mongod, slow.db.name, slow.simulator).start("work", "--processes", processes)
    wait_until(lambda: at_work(slow.db))
    slow.simulator.faults.latency = 20.0
    time.sleep(0.5)
    asked = time.monotonic()
    os.killpg(worker.pid, number)  # as a terminal does
    out, _ = worker.communicate(timeout=30)
    assert time.monotonic() - asked < IN_TIME + MARGIN
    assert slow.db.jobs.count_documents({"status": "processing"}) == 0
    assert slow.db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    assert json.loads(out.splitlines()[-1])["result"]["stopped"]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_second_interrupt_ends_at_once(slow: Lab, mongod: str, processes: str) -> None:
    worker = Host(mongod, slow.db.name, slow.simulator).start("work", "--processes", processes)
    wait_until(lambda: at_work(slow.db))
    slow.simulator.faults.latency = 20.0
    time.sleep(0.5)
    os.killpg(worker.pid, signal.SIGINT)
    time.sleep(0.3)
    asked = time.monotonic()
    os.killpg(worker.pid, signal.SIGINT)
    worker.communicate(timeout=30)
    assert time.monotonic() - asked < MARGIN
    assert worker.returncode == 130


@pytest.mark.slow
def test_a_worker_ends_in_time_though_its_database_hangs(
    tmp_path: Path, simulate: Callable[..., Simulator]
) -> None:
    own = Embedded(tmp_path / "data")
    own.start()
    pid = own.pid()
    assert pid is not None
    try:
        with open_database(own.uri, "socap") as db:
            ensure_indexes(db)
            lab = Lab(db, simulate(tweets=20, engagements=15.0, start=START))
            lab.simulator.faults.latency = 0.2
            lab.enqueue()
            worker = Host(own.uri, "socap", lab.simulator).start("work")
            wait_until(lambda: at_work(db))
            os.kill(pid, signal.SIGSTOP)
            asked = time.monotonic()
            worker.send_signal(signal.SIGTERM)
            out, _ = worker.communicate(timeout=30)
            assert time.monotonic() - asked < IN_TIME + MARGIN
            os.kill(pid, signal.SIGCONT)
            assert worker.returncode == 1
            assert "its leases run out" in json.loads(out.splitlines()[-1])["error"]["hint"]
            lab.close()
    finally:
        os.kill(pid, signal.SIGCONT)
        own.stop()


def test_a_worker_that_stalled_and_woke_up_changes_nothing(slow: Lab, mongod: str) -> None:
    """It sleeps for several leases in the middle of its lists; another does its jobs; then it wakes."""
    db, host = slow.db, Host(mongod, slow.db.name, slow.simulator)
    stalled = host.start("work", "--concurrency", "4", SOCAP_WORKER__LEASE="1")
    wait_until(lambda: at_work(db))
    stalled.send_signal(signal.SIGSTOP)
    mine = {"claimed_by": {"$regex": f":{stalled.pid}:"}}
    assert db.jobs.count_documents(mine) > 0
    other = host.start("work", "--concurrency", "8", SOCAP_WORKER__LEASE="1")
    answer(other)
    before = list(db.jobs.find().sort("_id", 1))
    states = known(db)
    assert {row["status"] for row in before} == {"completed"}
    stalled.send_signal(signal.SIGCONT)
    answer(stalled)
    assert list(db.jobs.find().sort("_id", 1)) == before
    assert known(db) == states
    slow.assert_exact()


def known(db: Db) -> list[dict[str, Any]]:
    """What is known of the tweets. A unit that had not begun may hold its list for a look, and let it go."""
    rows = list(db.worker_state.find().sort("_id", 1))
    for row in rows:
        for kind in LISTS:
            for name in ("epoch", "holder", "lease_until"):
                row.get(kind, {}).pop(name, None)
    return rows


def test_two_copies_of_every_command_at_once_do_no_harm(slow: Lab, mongod: str, tmp_path: Path) -> None:
    slow.simulator.faults.latency = 0.02
    db, host = slow.db, Host(mongod, slow.db.name, slow.simulator)
    db.jobs.delete_many({})
    db.campaigns.update_one(
        {"_id": "launch"},
        {"$set": {"alert_preferences.channels": ["slack"], "alert_preferences.threshold": 1.0}},
    )
    index = [{**row, "_id": row["followed_user_id"]} for row in slow.world.following_index]
    db.following_index.insert_many(index)
    for words in (
        ("init",),
        ("enqueue",),
        ("work",),
        ("report", "render", "--out", str(tmp_path / "report")),
        ("enqueue", "--verify"),
        ("work", "--processes", "2"),
        ("alerts", "send"),
    ):
        copies = [host.start(*words) for _ in range(2)]
        told = [(copy.communicate(timeout=120), copy.returncode) for copy in copies]
        assert {code for _, code in told} <= {0, 5}, told
        assert any(code == 0 for _, code in told), told
        if words == ("enqueue",):
            armed = [json.loads(out.splitlines()[-1])["result"]["jobs_armed"] for (out, _), _ in told]
            assert sum(armed) == 160
    slow.assert_exact()
    assert db.jobs.distinct("status") == ["completed"]
    sent = db.alert_messages.count_documents({"status": "sent"})
    assert len(slow.simulator.slack.messages) == sent > 0


def test_a_worker_process_that_dies_fails_the_run_and_the_next_one_does_its_jobs(
    slow: Lab, mongod: str
) -> None:
    db, host = slow.db, Host(mongod, slow.db.name, slow.simulator)
    crew = host.start("work", "--processes", "2", "--concurrency", "4", SOCAP_WORKER__LEASE="1")
    wait_until(lambda: at_work(db))
    row = db.jobs.find_one({"status": "processing", "claimed_by": {"$ne": None}})
    assert row is not None
    os.kill(int(row["claimed_by"].split(":")[1]), signal.SIGKILL)
    slow.simulator.faults.latency = 0.0
    out, err = crew.communicate(timeout=120)
    assert crew.returncode == 1, err
    assert json.loads(out.splitlines()[-1])["error"]["message"] == "a worker process was killed by signal 9"
    done = answer(host.start("work", "--processes", "2"))
    assert set(done["run_ids"]) < set(db.runs.distinct("_id", {"command": "work"}))
    assert db.jobs.distinct("status") == ["completed"]
    slow.assert_exact()
