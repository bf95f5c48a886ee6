"""Whole cycles against the simulator: what they cost, how long they take, what they need."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from support.lab import Lab

from bench.measure import START, Provider, database, environment, provider, row, timed
from socap_cli.model.kinds import LISTS, RETWEETS
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import Clock, World
from socap_cli.store import Db

TWEETS = 300


def cost(uri: str) -> None:
    """What 300 tweets cost, beside the least that a correct collector must pay"""
    world = World(start=START, tweets=300, engagements=60.0, accounts=6000, removed=0.0, hours=48)
    with database(uri) as db, Simulator(world) as simulator:
        lab = Lab(db, simulator)
        lab.cycle(threads=50)
        ledger = simulator.ledger
        asked, paid = sum(ledger.requests.values()), ledger.credits
        lab.cycle(threads=50)
        requests = sum(ledger.requests.values()) - asked
        row("a quiet cycle, requests", str(requests), "ideal 6")
        row("a quiet cycle, credits", f"{ledger.credits - paid:,.0f}", "ideal 4,500")
        known = set(lab.stored())
        lab.advance(hours=4)
        paid = ledger.credits
        result = lab.cycle(threads=50)
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
            seen = [(tweet_id, LISTS[kind].action_type, item.source_id) in known for item in items]
            new = sum(not s and not i.nested for s, i in zip(seen, items, strict=True))
            if new and kind is not RETWEETS:
                total += max(15, 15 * new)
            elif new:
                first = seen.index(True) if True in seen else len(items) - 1
                total += 18 * len(items[: 20 * (first // 20 + 1)])
    return total


def bad_days(uri: str) -> None:
    """Bad days, in counts: a viral tweet, a failing provider, one key for four processes"""
    world = World(start=START, tweets=1, engagements=0.0, accounts=6000)
    with database(uri) as db, Simulator(world, page=100) as simulator:
        lab = Lab(db, simulator)
        lab.cycle()
        lab.advance(minutes=30)
        for number, account in enumerate(world.accounts[:5000]):
            moment = lab.now() - timedelta(milliseconds=200 * number)
            world.engage(lab.tweet_ids[0], RETWEETS, moment, account=account)
        result = lab.cycle()
        row("5,000 new retweeters on one tweet, stored", f"{result.engagements_new:,}", "5,000")
        lab.close()
    world = World(start=START, tweets=60, engagements=25.0)
    with database(uri) as db, Simulator(world) as simulator:
        simulator.faults.errors = 0.2
        lab = Lab(db, simulator)
        lab.cycle(threads=50)
        missing = len(lab.truth() - set(lab.stored()))
        used = db.jobs.count_documents({"attempts": {"$gt": 0}})
        row("a fifth of all requests fails, missing", str(missing), f"0; attempts used up: {used}, 0")
        lab.close()
    world = World(start=START, tweets=400, engagements=12.0)
    with database(uri) as db, Simulator(world) as simulator:
        simulator.ledger.keeps_times = True
        lab = Lab(db, simulator)
        lab.enqueue()
        command = [sys.executable, "-m", "socap_cli", "-q", "work", "--processes", "4", "--concurrency", "15"]
        subprocess.run(
            command,
            env=environment(uri, db, simulator.url, SOCAP_PROVIDER__RATE="20"),
            check=True,
        )
        times = sorted(moment for path in simulator.ledger.times.values() for moment in path)
        busiest = max(sum(start <= moment < start + 1 for moment in times) for start in times)
        middle = times[len(times) // 10 : -len(times) // 10]
        average = (len(middle) - 1) / (middle[-1] - middle[0])
        row(
            "four processes at 20/s, busiest second",
            str(busiest),
            f"at most 20; average {average:.2f}, at least 19",
        )
        lab.close()


@dataclass(frozen=True)
class Elsewhere:
    """What a lab needs to know of a simulator that runs in another process."""

    world: World
    url: str
    clock: Clock
    key: None = None


def cycles(uri: str) -> None:
    """A first cycle of 300 tweets, concurrency 50: wall time over requests × latency ÷ 50"""
    for latency in (0.1, 0.25, 0.5):
        with database(uri) as db, provider(latency, tweets=TWEETS) as served:
            _arm(db, served)
            told: dict[str, Any] = {}
            process = timed(lambda told=told, db=db, served=served: told.update(work(uri, db, served.url)))  # type: ignore[misc]
            requests = served.requests()
            ideal = requests * latency / 50
            row(
                f"{latency * 1000:.0f} ms a request, {requests} requests",
                f"{told['seconds'] / ideal:.2f} ×",
                f"ideal {ideal:.1f} s; at most 1.25; with the start of the program {process / ideal:.2f} ×",
            )


def large_cycle(uri: str) -> None:
    """A cycle of 6,000 tweets of which nothing new is known: 24,000 jobs, counters, snapshots and gates for real"""
    with database(uri) as db, provider(0.1, tweets=6000, engagements=0.05) as served:
        _arm(db, served, tweets=6000, engagements=0.05)
        told = work(uri, db, served.url)
        done = told["completed"] + told["unchanged"]
        row(
            f"{done:,} jobs, {told['requests']} requests",
            f"{done / told['seconds']:,.0f} jobs/s",
            "a million tweets in 30 minutes need 2,222",
        )


def _arm(db: Db, served: Provider, **world: Any) -> None:
    made = World(start=START, **{"tweets": TWEETS, **world})
    lab = Lab(db, Elsewhere(made, served.url, Clock(START)))  # type: ignore[arg-type]
    lab.enqueue()
    lab.close()


def work(uri: str, db: Db, url: str, *, concurrency: int = 50) -> dict[str, Any]:
    command = [sys.executable, "-m", "socap_cli", "--json", "work", "--concurrency", str(concurrency)]
    done = subprocess.run(command, env=environment(uri, db, url), capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)["result"]
    return result


def memory(uri: str) -> None:
    """Memory of a worker process at its largest, over a first cycle of 300 tweets at concurrency 50"""
    with database(uri) as db, provider(0.0, tweets=TWEETS) as served:
        _arm(db, served)
        script = (
            "from socap_cli.cli.app import execute;execute(['-q','work','--concurrency','50']);"
            "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment(uri, db, served.url),
            capture_output=True,
            text=True,
            check=True,
        )
        row("a worker", f"{int(done.stdout.split()[-1]) // 1024} MB", "at most 150")


def storage(uri: str) -> None:
    """What a day of 300 tweets leaves in the database, in bytes before compression"""
    world = World(start=START, tweets=TWEETS)
    with database(uri) as db, Simulator(world) as simulator:
        lab = Lab(db, simulator)
        lab.cycle(threads=150)
        first = _sizes(db)
        for _ in range(4):
            lab.advance(minutes=30)
            lab.cycle(threads=150)
        for name, (count, size) in _sizes(db).items():
            more = count - first.get(name, (0, 0))[0]
            if count:
                row(
                    name, f"{size / count:,.0f} bytes each", f"{more / 4 / TWEETS:.2f} more a tweet and cycle"
                )
        lab.close()


def _sizes(db: Db) -> dict[str, tuple[int, int]]:
    """Documents, and bytes of documents and indexes, of what grows."""
    found = {}
    for name in ("jobs", "worker_state", "engagements", "metric_snapshots", "api_usage"):
        told = db.command("collStats", name)
        found[name] = (told["count"], told["size"] + told["totalIndexSize"])
    return found
