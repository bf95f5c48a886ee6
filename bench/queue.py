"""The queue alone: jobs that do nothing, and arming many."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import uuid
from datetime import timedelta

from pymongo import UpdateMany
from support.lab import campaign

from bench.measure import START, database, row, timed
from socap_cli.enqueue import enqueue
from socap_cli.model.campaign import CampaignTweet, TweetCategory
from socap_cli.model.kinds import LISTS
from socap_cli.store import Db, campaigns, jobs
from socap_cli.store.connect import ensure_indexes

SIZES = {1_200: 5, 12_000: 3, 120_000: 1}
"""Queued jobs, and how often each is measured: the median counts."""
PROCESSES = (1, 2, 4)
THREADS = 150
RAW_BATCH = 100


def queue(uri: str) -> None:
    """No-op jobs through the pool, beside the raw driver doing the same two writes in bulk"""
    cost: dict[int, list[float]] = {processes: [] for processes in PROCESSES}
    for count, rounds in SIZES.items():
        with database(uri) as db:
            raw = statistics.median(_raw_rate(db, count) for _ in range(rounds))
            for processes in PROCESSES:
                rate = statistics.median(_rate(uri, db, count, processes) for _ in range(rounds))
                cost[processes].append(1 / rate)
                row(
                    f"{count:,} jobs, {processes} {'process' if processes == 1 else 'processes'}",
                    f"{rate:,.0f} jobs/s",
                    f"{rate / raw:.2f} × the raw driver ({raw:,.0f}); at least 2,300, aim 4,400",
                )
    for processes, costs in cost.items():
        name = f"cost of a job at 120,000 over at 1,200, {processes} p."
        row(name, f"{costs[-1] / costs[0]:.2f} ×", "at most 1.2")


def _rate(uri: str, db: Db, count: int, processes: int) -> float:
    """Jobs a second, from the moment at which all workers are ready to the last one's end."""
    _fill(db, count)
    command = [sys.executable, "-m", "bench.noop", uri, db.name, str(THREADS)]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    started = time.time()
    ends, done = [], 0
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        out, _ = worker.communicate()
        end, jobs_done = out.split()
        ends.append(float(end))
        done += int(jobs_done)
    assert done == count
    return count / (max(ends) - started)


def _raw_rate(db: Db, count: int) -> float:
    _fill(db, count)
    return count / timed(lambda: _drain_raw(db))


def _fill(db: Db, count: int) -> None:
    db.jobs.drop()
    ensure_indexes(db)
    tweets = [str(n) for n in range(1, count // 4 + 1)]
    jobs.arm(db, "c", tweets, asked_at=START, max_attempts=3)
    for at in range(0, len(tweets), 5000):
        jobs.release_lists(db, [(tweet, kind) for tweet in tweets[at : at + 5000] for kind in LISTS], [])


def _drain_raw(db: Db) -> None:
    while ids := [r["_id"] for r in db.jobs.find({"status": "pending"}, {"_id": 1}).limit(RAW_BATCH)]:
        token = uuid.uuid4().hex
        claim = {"$set": {"status": "processing", "lease_token": token}}
        db.jobs.update_many({"_id": {"$in": ids}, "status": "pending"}, claim)
        done = {"$set": {"status": "completed", "lease_token": None}}
        db.jobs.bulk_write([UpdateMany({"_id": {"$in": ids}, "lease_token": token}, done)])


def large_enqueue(uri: str) -> None:
    """Enqueue of 30,000 tweets: 120,000 jobs"""
    with database(uri) as db:
        campaigns.insert(db, campaign("large", at=START))
        tweets = [CampaignTweet("large", str(n), TweetCategory.MAIN, "", START) for n in range(1, 30_001)]
        campaigns.add_tweets(db, tweets)
        first = timed(lambda: enqueue(db, now=START))
        again_open = timed(lambda: enqueue(db, now=START + timedelta(minutes=30)))
        db.jobs.update_many({}, {"$set": {"status": "completed"}})
        again = timed(lambda: enqueue(db, now=START + timedelta(minutes=60)))
        size = db.command("collStats", "jobs")
        row("first time", f"{120_000 / first:,.0f} jobs/s", f"{first:.1f} s")
        row(
            "again, all still open",
            f"{120_000 / again_open:,.0f} jobs/s",
            f"{again_open:.1f} s, nothing changes",
        )
        row("again, all finished", f"{120_000 / again:,.0f} jobs/s", f"{again:.1f} s")
        each = (size["size"] + size["totalIndexSize"]) / 120_000
        row("a job in the database", f"{each:,.0f} bytes", "document and indexes, before compression")
