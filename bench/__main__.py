"""Run every benchmark once and print its ratios."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lab import Lab, campaign
from pymongo import UpdateMany

from socap_cli.enqueue import enqueue
from socap_cli.model import LISTS, CampaignTweet, Category, Kind
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import World
from socap_cli.store import Db, campaigns, indexes, jobs, leases, open_database
from socap_cli.store.embedded import Embedded
from socap_cli.store.leases import Settled

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="socap-bench-") as folder:
        embedded = Embedded(Path(folder))
        embedded.start()
        try:
            for bench in (startup, cost, bad_days, memory, cycles, queue, large_enqueue):
                print(f"\n{(bench.__doc__ or '').splitlines()[0]}")
                bench(embedded.uri)
        finally:
            embedded.stop()


@contextmanager
def database(uri: str) -> Iterator[Db]:
    with open_database(uri, f"b{uuid.uuid4().hex[:10]}") as db:
        indexes.ensure(db)
        yield db
        db.client.drop_database(db.name)


def row(name: str, value: str, beside: str) -> None:
    print(f"  {name:<44}{value:>16}   {beside}")


def timed(call: Callable[[], Any]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def startup(uri: str) -> None:
    """Starting a command, beside the import that it cannot do without"""

    def median(*command: str) -> float:
        run = lambda: subprocess.run(command, capture_output=True, check=False)  # noqa: E731
        return statistics.median(timed(run) for _ in range(7))

    python = sys.executable
    typer, pymongo = (median(python, "-c", f"import {name}") for name in ("typer", "pymongo"))
    version = median(python, "-m", "socap_cli", "--version")
    row("socap --version", f"{version / typer:.2f} ×", f"import typer ({typer * 1000:.0f} ms); aim 1.5")
    with database(uri) as db:
        script = (
            "import os,sys;os.environ.update(MONGODB_URI=sys.argv[1],SOCAP_DATABASE__NAME=sys.argv[2]);"
            "from socap_cli.cli.app import main;main(['enqueue'])"
        )
        empty = median(python, "-c", script, uri, db.name)
    row(
        "socap enqueue, empty database",
        f"{empty / pymongo:.2f} ×",
        f"import pymongo ({pymongo * 1000:.0f} ms); aim 2",
    )


def cost(uri: str) -> None:
    """What 300 tweets cost, beside the least that a correct collector must pay"""
    world = World(start=START, tweets=300, engagements=60.0, accounts=6000, removed=0.0, hours=48)
    with database(uri) as db, Simulator(world) as simulator:
        lab = Lab(db, simulator)
        lab.cycle(seats=50)
        ledger = simulator.ledger
        asked, paid = sum(ledger.requests.values()), ledger.credits
        lab.cycle(seats=50)
        requests = sum(ledger.requests.values()) - asked
        row("a quiet cycle, requests", str(requests), "ideal 6")
        row("a quiet cycle, credits", f"{ledger.credits - paid:,.0f}", "ideal 4,500")
        known = set(lab.stored())
        lab.advance(hours=4)
        paid = ledger.credits
        result = lab.cycle(seats=50)
        least = least_cost(lab, known)
        spent = ledger.credits - paid
        row(
            f"a busy cycle, {result.engagements_new:,} new, cost",
            f"{spent / least:.3f} ×",
            f"least {least:,.0f}; at most 1.1",
        )
        lab.close()


def least_cost(lab: Lab, known: set[tuple[str, str, str]]) -> float:
    """Whole retweeter pages down to the first known one, new posts only, the metrics batches."""
    total = 15.0 * len(lab.tweet_ids)
    moment = lab.now().timestamp()
    for tweet_id in lab.tweet_ids:
        for kind in LISTS:
            items = list(lab.world.tweets[tweet_id].lists[kind].newest_first(moment))
            seen = [(tweet_id, kind.action_type.value, item.source_id) in known for item in items]
            new = sum(not s and not i.nested for s, i in zip(seen, items, strict=True))
            if new and kind is not Kind.RETWEETS:
                total += max(15, 15 * new)
            elif new:
                first = seen.index(True) if True in seen else len(items) - 1
                total += 18 * len(items[: 20 * (first // 20 + 1)])
    return total


def cycles(uri: str) -> None:
    """A full cycle of 300 tweets at concurrency 50: wall time over requests × latency ÷ 50"""
    for latency in (0.1, 0.25, 0.5):
        world = World(start=START, tweets=300, engagements=25.0, accounts=3000)
        with database(uri) as db, Simulator(world) as simulator:
            simulator.faults.latency = latency
            lab = Lab(db, simulator)
            lab.provider = type(lab.provider)("k", url=simulator.url, timeout=30)
            lab.enqueue()
            wall = timed(lambda lab=lab: lab.work(seats=50))  # type: ignore[misc]
            requests = sum(simulator.ledger.requests.values())
            ideal = requests * latency / 50
            row(
                f"{latency * 1000:.0f} ms a request, {requests} requests",
                f"{wall / ideal:.2f} ×",
                f"ideal {ideal:.1f} s; at most 1.25",
            )
            lab.close()


def queue(uri: str) -> None:
    """No-op jobs: claimed and settled in batches, beside the raw driver doing the same two writes in bulk"""
    for count in (1_200, 12_000, 120_000):
        with database(uri) as db:
            fill(db, count)
            raw = count / timed(lambda db=db: drain_raw(db))  # type: ignore[misc]
            db.jobs.drop()
            indexes.ensure(db)
            fill(db, count)
            ours = count / timed(lambda db=db: drain(db))  # type: ignore[misc]
        row(
            f"{count:,} jobs, one process",
            f"{ours:,.0f} jobs/s",
            f"{ours / raw:.2f} × the raw driver ({raw:,.0f}); at least 2,300",
        )


def fill(db: Db, count: int) -> None:
    tweets = [str(n) for n in range(1, count // 4 + 1)]
    jobs.arm(db, "c", tweets, last_cycle=False, max_attempts=3)
    db.jobs.update_many(
        {"gated": True}, [{"$set": {"gated": False, "due": {"$subtract": ["$due", 7_200_000]}}}]
    )


def drain(db: Db) -> None:
    while units := leases.claim(db, list(Kind), seats=100, batch=50, worker="bench", lease=60).units:
        leases.settle(db, [Settled(job) for unit in units for job in unit.jobs])


def drain_raw(db: Db) -> None:
    while ids := [r["_id"] for r in db.jobs.find({"status": "pending"}, {"_id": 1}).limit(100)]:
        token = uuid.uuid4().hex
        claim = {"$set": {"status": "running", "lease_token": token}}
        db.jobs.update_many({"_id": {"$in": ids}, "status": "pending"}, claim)
        done = UpdateMany(
            {"_id": {"$in": ids}, "lease_token": token},
            {"$set": {"status": "completed", "lease_token": None}},
        )
        db.jobs.bulk_write([done])


def bad_days(uri: str) -> None:
    """Bad days, in counts: a viral tweet, a failing provider, one key for four processes"""
    world = World(start=START, tweets=1, engagements=0.0, accounts=6000)
    with database(uri) as db, Simulator(world, page=100) as simulator:
        lab = Lab(db, simulator)
        lab.cycle()
        lab.advance(minutes=30)
        for number, account in enumerate(world.accounts[:5000]):
            moment = lab.now() - timedelta(milliseconds=200 * number)
            world.engage(lab.tweet_ids[0], Kind.RETWEETS, moment, account=account)
        result = lab.cycle()
        row("5,000 new retweeters on one tweet, stored", f"{result.engagements_new:,}", "5,000")
        lab.close()
    world = World(start=START, tweets=60, engagements=25.0)
    with database(uri) as db, Simulator(world) as simulator:
        simulator.faults.errors = 0.2
        lab = Lab(db, simulator)
        lab.cycle(seats=50)
        missing = len(lab.truth() - set(lab.stored()))
        used = db.jobs.count_documents({"attempts": {"$gt": 0}})
        row("a fifth of all requests fails, missing", str(missing), f"0; attempts used up: {used}, 0")
        lab.close()
    world = World(start=START, tweets=400, engagements=12.0)
    with database(uri) as db, Simulator(world) as simulator:
        lab = Lab(db, simulator)
        lab.enqueue()
        command = [sys.executable, "-m", "socap_cli", "-q", "work", "--processes", "4", "--concurrency", "15"]
        subprocess.run(
            command,
            env={**os.environ, **settings(uri, db, simulator), "SOCAP_PROVIDER__RATE": "20"},
            check=True,
        )
        times = sorted(simulator.ledger.times["/twitter/tweet/retweeters"])
        busiest = max(sum(start <= moment < start + 1 for moment in times) for start in times)
        middle = times[len(times) // 10 : -len(times) // 10]
        average = (len(middle) - 1) / (middle[-1] - middle[0])
        row(
            "four processes at 20/s, busiest second",
            str(busiest),
            f"at most 20; average {average:.2f}, at least 19",
        )
        lab.close()


def settings(uri: str, db: Db, simulator: Simulator) -> dict[str, str]:
    return {
        "MONGODB_URI": uri,
        "SOCAP_DATABASE__NAME": db.name,
        "TWITTER_API_URL": simulator.url,
        "TWITTER_API_KEY": "k",
        "SOCAP_PROVIDER__RATE": "0",
    }


def memory(uri: str) -> None:
    """Memory of a worker process at its largest, over a first cycle of 300 tweets at concurrency 50"""
    world = World(start=START, tweets=300, engagements=25.0, accounts=3000)
    with database(uri) as db, Simulator(world) as simulator:
        lab = Lab(db, simulator)
        lab.enqueue()
        script = (
            "import resource;from socap_cli.cli.app import execute;execute(['-q','work','--concurrency','50']);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        command = [sys.executable, "-c", script]
        done = subprocess.run(
            command,
            env={**os.environ, **settings(uri, db, simulator)},
            capture_output=True,
            text=True,
            check=True,
        )
        row("a worker", f"{int(done.stdout.split()[-1]) // 1024} MB", "at most 150")
        lab.close()


def large_enqueue(uri: str) -> None:
    """Enqueue of 30,000 tweets: 120,000 jobs"""
    with database(uri) as db:
        campaigns.insert(db, campaign("large", at=START))
        tweets = [CampaignTweet("large", str(n), Category.CLIENT, "", START) for n in range(1, 30_001)]
        campaigns.add_tweets(db, tweets)
        first = timed(lambda: enqueue(db, now=START))
        db.jobs.update_many({}, {"$set": {"status": "completed"}})
        again = timed(lambda: enqueue(db, now=START + timedelta(minutes=30)))
        row("first time", f"{120_000 / first:,.0f} jobs/s", f"{first:.1f} s")
        row("again, all finished", f"{120_000 / again:,.0f} jobs/s", f"{again:.1f} s")


if __name__ == "__main__":
    main()
