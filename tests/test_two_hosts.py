"""Two worker hosts, each a network namespace; one is cut off for longer than a lease and comes back.

A third namespace holds the database, the provider and this file's `main`, which tells what it saw as JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.server

HUB = "10.77.0.1"
LEASE = 2.0


def ip(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


@contextmanager
def hosts() -> Iterator[tuple[str, str, str]]:
    """A hub and two hosts behind it, joined by a bridge in the hub; their names."""
    mark = uuid.uuid4().hex[:6]
    hub, first, second = names = tuple(f"{role}-{mark}" for role in ("hub", "one", "two"))
    try:
        for name in names:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", hub, "link", "add", "br0", "type", "bridge")
        ip("-n", hub, "addr", "add", f"{HUB}/24", "dev", "br0")
        ip("-n", hub, "link", "set", "br0", "up")
        for number, name in enumerate((first, second), start=2):
            ip("-n", hub, "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", hub, "link", "set", f"to-{name}", "master", "br0", "up")
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
        yield hub, first, second
    finally:
        for name in names:
            ip("netns", "del", name, check=False)


def test_a_host_that_was_cut_off_for_longer_than_a_lease_changes_nothing_and_goes_on() -> None:
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2 to make network namespaces")
    if ip("netns", "add", probe := f"probe-{uuid.uuid4().hex[:6]}", check=False).returncode != 0:
        pytest.skip("this machine allows no network namespaces")
    ip("netns", "del", probe)
    with hosts() as (hub, first, second):
        command = ["ip", "netns", "exec", hub, sys.executable, __file__, hub, first, second]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["held_by_the_lost_host"] > 0
    assert told["taken_over_while_it_was_away"] == told["held_by_the_lost_host"]
    assert told["exit_codes"] == [0, 0]
    assert told["states"] == ["completed"]
    assert (told["missing"], told["invented"]) == (0, 0)


def main(hub: str, first: str, second: str) -> None:
    from support.lab import START, Lab
    from support.replica_set import ReplicaSet
    from support.waiting import wait_until

    from socap_cli.simulator.server import Simulator
    from socap_cli.simulator.world import World
    from socap_cli.store import open_database
    from socap_cli.store.connect import ensure_indexes

    world = World(start=START, tweets=120, engagements=40.0, removed=0.0, accounts=2000)
    with (
        tempfile.TemporaryDirectory() as folder,
        ReplicaSet(Path(folder), members=1, host=HUB) as database,
        Simulator(world, host=HUB) as simulator,
        open_database(database.uri, "socap") as db,
    ):
        ensure_indexes(db)
        simulator.faults.latency = 0.25
        lab = Lab(db, simulator)
        lab.enqueue()
        workers = [worker(name, database.uri, simulator.url) for name in (first, second)]
        lost = workers[1].pid
        of_lost = {"claimed_by": {"$regex": f":{lost}:"}, "status": "processing"}
        wait_until(lambda: db.jobs.count_documents({**of_lost, "job_type": {"$ne": "metrics"}}) > 0)
        ip("-n", hub, "link", "set", f"to-{second}", "down")
        held = [row["_id"] for row in db.jobs.find(of_lost)]
        wait_until(lambda: db.jobs.count_documents({"_id": {"$in": held}, **of_lost}) == 0)
        taken = db.jobs.count_documents(
            {"_id": {"$in": held}, "claimed_by": {"$not": {"$regex": f":{lost}:"}}}
        )
        ip("-n", hub, "link", "set", f"to-{second}", "up")
        exit_codes = [one.wait(timeout=200) for one in workers]
        stored, truth = lab.stored(), sorted(lab.truth())
        lab.close()
        told = {
            "held_by_the_lost_host": len(held),
            "taken_over_while_it_was_away": taken,
            "exit_codes": exit_codes,
            "states": db.jobs.distinct("status"),
            "missing": len(set(truth) - set(stored)),
            "invented": len(set(stored) - set(truth)) + len(stored) - len(set(stored)),
        }
    sys.stdout.write(json.dumps(told) + "\n")


def worker(host: str, uri: str, provider: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "MONGODB_URI": uri,
        "TWITTER_API_URL": provider,
        "TWITTER_API_KEY": "k",
        "SOCAP_PROVIDER__RATE": "0",
        "SOCAP_PROVIDER__TIMEOUT": "3",
        "SOCAP_WORKER__LEASE": str(LEASE),
    }
    command = [
        "ip",
        "netns",
        "exec",
        host,
        sys.executable,
        "-m",
        "socap_cli",
        "-q",
        "work",
        "--concurrency",
        "8",
    ]
    return subprocess.Popen(command, env=environment, stdout=sys.stderr)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(*sys.argv[1:])
