"""The cache of pages: as good as reading every document, whatever was written, killed or done by hand between."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.documents import Documents, options, reasons
from support.lab import SLUG, Lab

from socap_cli.model.campaign import Campaign
from socap_cli.model.kinds import RETWEETS
from socap_cli.report.gather import gather
from socap_cli.report.values import CampaignReport
from socap_cli.store import Db, campaigns, engagements, page_sums, worker_state

STEPS = ("cycle", "verify", "engage", "withdraw", "rescore", "killed", "page")


def found(db: Db) -> Campaign:
    one = campaigns.find(db, SLUG)
    assert one is not None
    return one


def report(one: Lab) -> CampaignReport:
    return gather(one.db, found(one.db), options(), now=datetime.now(UTC) + timedelta(hours=1))


def forgotten(one: Lab) -> CampaignReport:
    """The same report, with nothing kept to lean on."""
    one.db.engagement_columns.delete_many({"epoch": {"$exists": True}})
    return report(one)


def step(one: Lab, name: str) -> None:
    retweets = one.world.tweets[one.tweet_ids[0]].lists[RETWEETS]
    if name in ("cycle", "verify"):
        one.advance(minutes=30)
        one.cycle(verify=name == "verify")
    elif name == "engage":
        one.engage(RETWEETS, 2)
    elif name == "withdraw":
        there = [item.source_id for item in retweets.newest_first(one.now().timestamp())]
        if there:
            one.withdraw(RETWEETS, there[0])
    elif name == "rescore":
        engagements.note_changed(one.db, one.tweet_ids)
        one.db.engagements.update_many({"tweet_id": one.tweet_ids[0]}, {"$set": {"importance_score": 77.0}})
    elif name == "killed":
        worker_state.acquire(one.db, [(one.tweet_ids[0], RETWEETS)], lease=0.0)
        first = {"tweet_id": one.tweet_ids[0], "action_type": "retweet"}
        one.db.engagements.update_one(first, {"$set": {"removed_at": one.now()}})
    else:
        report(one)


@pytest.mark.parametrize("seed", range(4))
def test_a_page_from_the_cache_is_the_page_from_all_documents(lab: Callable[..., Lab], seed: int) -> None:
    one, rng = lab(tweets=2, engagements=8.0), random.Random(seed)
    one.cycle()
    for name in rng.choices(STEPS, k=7):
        step(one, name)
        kept = report(one)
        anew = forgotten(one)
        differs = [key for key in CampaignReport.__slots__ if getattr(kept, key) != getattr(anew, key)]
        assert differs == [], name


def test_while_a_list_is_held_nothing_of_it_is_cached(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=1, engagements=60.0)
    one.cycle()
    worker_state.acquire(one.db, [(one.tweet_ids[0], RETWEETS)], lease=3600.0)
    one.db.engagement_columns.drop()
    page_sums.read(one.db, one.tweet_ids, now=datetime.now(UTC))
    assert one.db.engagement_columns.count_documents({"action_type": "retweet"}) == 0
    assert one.db.engagement_columns.count_documents({"epoch": {"$gt": 0}}) > 0


def explained(db: Db, one: Callable[[], Any]) -> list[dict[str, Any]]:
    """What the server did for each query of a call, by its profiler."""
    db.command("profile", 2)
    try:
        one()
    finally:
        db.command("profile", 0)
    done = list(db.system.profile.find({"ns": {"$not": {"$regex": "system.profile"}}}))
    db.system.profile.drop()
    return [row for row in done if row["op"] in ("query", "command", "getmore")]


def test_a_report_looks_at_no_engagement_that_it_does_not_show(
    lab: Callable[..., Lab],
) -> None:
    one = lab(tweets=6, engagements=160.0)
    one.cycle()
    few = options(rows=10)
    gather(one.db, found(one.db), few, now=datetime.now(UTC) + timedelta(hours=1))
    done = explained(
        one.db, lambda: gather(one.db, found(one.db), few, now=datetime.now(UTC) + timedelta(hours=1))
    )
    assert [row["planSummary"] for row in done if "COLLSCAN" in row.get("planSummary", "")] == []
    looked = sum(row.get("docsExamined", 0) for row in done if row["ns"].endswith(".engagements"))
    sums = gather(one.db, found(one.db), few, now=datetime.now(UTC) + timedelta(hours=1))
    shown = {*sums.rows, *(row for person in sums.people for row in person.engagements)}
    assert 0 < looked <= len(shown) + 50 < one.db.engagements.count_documents({})


def test_lists_that_were_never_held_are_counted() -> None:
    one = Documents()
    one.tweet("11")
    one.engage("11", **reasons(("ada", 12)))
    assert one.report().collected == 1
    one.engage("11", "reply")
    assert one.report().collected == 2
    one.db.engagements.delete_many({"action_type": "reply"})
    assert one.report().collected == 1
