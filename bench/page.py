"""A campaign's page out of 10,000, 100,000 and 1,000,000 engagements: what it costs."""

from __future__ import annotations

import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from bench.measure import START, database, environment, row
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.kinds import LISTS
from socap_cli.store import Db, campaigns, open_database

TWEETS, READINGS = 300, 97
SIZES = (10_000, 100_000, 1_000_000)
LABELS = ("founders", "vcs", "c_level", "yc_alumni", "ai_creators", "others")
CATEGORIES = ("main_twt", "influencer_twt", "investor_twt")
HALF_HOUR = timedelta(minutes=30)
Row = dict[str, Any]


def page(uri: str) -> None:
    """A page: processor seconds of the renderer and of the database, memory, bytes without the island"""
    for size in SIZES:
        with database(uri) as db, tempfile.TemporaryDirectory() as folder:
            campaign_of(db, size)
            for what in ("nothing cached", "after a cycle"):
                told = rendered(uri, db, Path(folder))
                both = told["renderer"] + told["database"]
                row(
                    f"{size:,} engagements, {what}",
                    f"{both:.2f} s",
                    f"at most 3; database {told['database']:.2f} s",
                )
                row(
                    "",
                    f"{told['memory']:.0f} MB",
                    f"at most 150; page {told['page'] / 1000:.0f} KB, at most 500",
                )
                a_cycle(db, size)


def rendered(uri: str, db: Db, out: Path) -> dict[str, float]:
    """One run of `report render` in a process of its own, measured."""
    before, others = processor_seconds(uri), resource.getrusage(resource.RUSAGE_CHILDREN)
    script = (
        "from socap_cli.cli.app import execute;"
        f"execute(['-q','report','render','--out',{str(out)!r}]);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(uri, db, "http://127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    html = next(out.rglob("launch.html")).read_text(encoding="utf-8")
    island = html.partition('type="application/json"')[2].partition("</script>")[0]
    return {
        "renderer": after.ru_utime + after.ru_stime - others.ru_utime - others.ru_stime,
        "database": processor_seconds(uri) - before,
        "memory": int(done.stdout.split()[-1]) / 1024,
        "page": len(html.encode()) - len(island.encode()),
    }


def processor_seconds(uri: str) -> float:
    """What the server behind an address has used so far, by the kernel."""
    with open_database(uri, "admin") as db:
        pid = int(db.command("serverStatus")["pid"])
    used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(used[11]) + int(used[12])) / os.sysconf("SC_CLK_TCK")


def campaign_of(db: Db, size: int) -> None:
    """A campaign of two days with so many engagements, as collection leaves it."""
    rng = random.Random(7)
    ends_at = START + timedelta(days=7)
    campaigns.insert(
        db, Campaign("launch", "Launch week", CampaignStatus.ACTIVE, START, ends_at, 10.0, (), 20, 30, START)
    )
    db.tweets.insert_many(_tweet(n) for n in range(TWEETS))
    for n in range(TWEETS):
        db.metric_snapshots.insert_many(_snapshot(n, at, size) for at in range(READINGS))
    db.worker_state.insert_many(_state(n, size) for n in range(TWEETS))
    engagements = _engagements(rng, size, 0)
    while batch := list(islice(engagements, 10_000)):
        db.engagements.insert_many(batch, ordered=False)
    note_passes(db)


def a_cycle(db: Db, size: int) -> None:
    """One in two hundred more, on a third of the tweets, and every counter read."""
    there = db.engagements.estimated_document_count()
    more = _engagements(random.Random(there), max(size // 200, 10), there, scan=int(time.time()))
    db.engagements.insert_many(more, ordered=False)
    note_passes(db)
    db.worker_state.update_many({}, [{"$set": {"checked_at": {"$add": ["$checked_at", 60_000]}}}])


def note_passes(db: Db) -> None:
    """Write to each list's state what a pass would."""
    group = {"_id": {"tweet": "$tweet_id", "action": "$action_type"}, "n": {"$sum": 1}}
    kinds = {kind.action_type: name for name, kind in LISTS.items()}
    for found in db.engagements.aggregate([{"$group": group}]):
        part = kinds[found["_id"]["action"]]
        db.worker_state.update_one(
            {"_id": found["_id"]["tweet"], f"{part}.collected": {"$ne": found["n"]}},
            {
                "$set": {f"{part}.collected": found["n"]},
                "$inc": {f"{part}.{name}": 1 for name in ("epoch", "completed_passes")},
            },
        )


def tweet_id(n: int) -> str:
    return str(1_900_000_000_000_000_000 + n)


def _tweet(n: int) -> Row:
    return {
        "_id": f"launch:{tweet_id(n)}", "campaign_id": "launch", "tweet_id": tweet_id(n), "category": CATEGORIES[n % 3],
        "url": f"https://x.com/a/status/{tweet_id(n)}", "added_at": START, "author_username": f"author{n}",
        "author_name": f"Author {n}", "text": f"What we made, part {n}. " * 8,
        "posted_at": START + n * timedelta(minutes=7),
    }  # fmt: skip


def counters(n: int, at: int, size: int) -> dict[str, int]:
    most = size // TWEETS // 2
    grown = int(most * (0.3 + 0.7 * at / READINGS))
    return {
        "retweets": grown, "replies": grown // 2, "quotes": grown // 4, "likes": 9 * grown + n,
        "views": 700 * grown + 9, "bookmarks": grown,
    }  # fmt: skip


def _snapshot(n: int, at: int, size: int) -> Row:
    moment = START + at * HALF_HOUR
    return {
        "_id": f"{tweet_id(n)}:{moment:%Y%m%dT%H%MZ}",
        "tweet_id": tweet_id(n),
        "captured_at": moment,
        **counters(n, at, size),
    }


def _state(n: int, size: int) -> Row:
    end = START + (READINGS - 1) * HALF_HOUR
    known = counters(n, READINGS - 1, size)
    part: Row = {"epoch": 1, "lease_until": None, "holder": "x", "last_success": end, "completed_passes": 1}
    lists = {
        str(kind): {**part, "collected": known[kind], "counter_at_pass": known[kind], "removed": 0}
        for kind in LISTS
    }
    return {"_id": tweet_id(n), "counters": known, "checked_at": end, "metrics_at": end, "gaps": [], **lists}


def _engagements(rng: random.Random, size: int, begin: int, scan: int = 1) -> Iterator[Row]:
    actions = [kind.action_type for kind in LISTS.values()]
    kinds = rng.choices(actions, [5, 3, 1], k=size)
    for n in range(begin, begin + size):
        action = kinds[n - begin]
        user = 10**9 + rng.randrange(max(size, 10_000) * 3 // 5)
        own = random.Random(user)
        tweet, source = tweet_id(rng.randrange(TWEETS if scan == 1 else TWEETS // 3)), str(2 * 10**18 + n)
        backfill = scan == 1 and rng.random() < 0.4
        at = START + timedelta(seconds=rng.randrange(48 * 3600))
        score = float(own.randrange(5, 90)) if own.random() < 0.02 else 0.0
        yield {
            "_id": f"{tweet}:{action}:{source}", "tweet_id": tweet, "action_type": action, "source_id": source,
            "user_id": str(user), "username": f"user{user}", "name": f"Name of {user}",
            "bio": "Builds things that people use. " * 3, "followers": own.randrange(100_000), "verified": False,
            "engaged_at": None if action == "retweet" else at,
            "text": None if action == "retweet" else "Well said, and I would add something. " * 3,
            "importance_score": score,
            "importance_reasons": [{"username": f"vip{own.randrange(90)}", "weight": 5.0}] * (3 if score else 0),
            "categories": [LABELS[own.randrange(6)]], "organisations": [], "first_pass": 1 + (scan > 1),
            "first_seen_at": at, "last_seen_at": at, "backfill": backfill, "last_scan": 1000 * scan + 1,
            "removed_at": None,
        }  # fmt: skip
