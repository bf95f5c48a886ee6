"""The database tells of every command that it ran: none of them scanned a collection."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.lab import START, Lab, campaign
from support.terminal import Cli

from socap_cli.simulator.server import Simulator
from socap_cli.store import Db

OURS = {"$not": {"$regex": r"\.system\."}}
PROFILE = 100_000_000
"""Bytes of profile kept: all of it."""
MEANT = (
    # Sums of all time read all there is to sum: one small document a day, campaign and endpoint.
    'api_usage: {"aggregate": "api_usage", "pipeline": [{"$group"',
    # Accounts whose importance changed are looked for in one pass: an index on them would cost every write.
    'engagements: {"find": "engagements", "filter": {"$or": [{"user_id"',
    # `init` and `doctor` try out whether the server knows collations; no lock has that name.
    'locks: {"find": "locks", "filter": {"_id": "no such lock"}}',
    # `doctor` reads the firm's documents once, to name those that cannot be read.
    'following_index: {"find": "following_index", "filter": {}}',
    'important_people: {"find": "important_people", "filter": {}}',
)


@pytest.fixture
def watched(db: Db) -> Iterator[Db]:
    """A database that keeps a profile of every operation."""
    db.create_collection("system.profile", capped=True, size=PROFILE)
    db.command("profile", 2)
    yield db
    db.command("profile", 0)


def scans(db: Db) -> list[str]:
    db.command("profile", 0)
    rows = db["system.profile"].find({"ns": OURS, "planSummary": {"$regex": "COLLSCAN"}})
    told = {f"{row['ns'].split('.', 1)[1]}: {_asked(row)}" for row in rows}
    return sorted(one for one in told if not one.startswith(MEANT))


def _asked(row: dict[str, Any]) -> str:
    command = row["command"]
    names = ("find", "aggregate", "count", "filter", "pipeline", "q")
    told = {name: command[name] for name in names if name in command}
    return json.dumps(told, default=str)[:300]


def test_no_command_scans_a_collection(
    cli: Cli, simulator: Simulator, watched: Db, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCAP_ALERT_SLACK_WEBHOOK", f"{simulator.url}/sim/slack")
    monkeypatch.setenv("SOCAP_ALERTS__WEBHOOK_HOSTS", simulator.url.removeprefix("http://"))
    monkeypatch.setenv("SOCAP_BUDGET__DAY_SOFT", "1e9")
    (tmp_path / "tweets.csv").write_text(simulator.tweets_csv())
    tree = {"following_index": simulator.world.following_index, "important_people": simulator.world.important}
    (tmp_path / "people.json").write_text(json.dumps(tree))
    some_tweet = next(iter(simulator.world.tweets))
    person = simulator.world.following_index[0]["followed_username"]
    without_case: dict[str, Any] = {"collation": {"locale": "en", "strength": 2}}
    for collection, field, options in (
        ("following_index", "followed_user_id", {}),
        ("following_index", "followed_username", without_case),
        ("following_index", "importance_score", {}),
        ("following_index", "updated_at", {}),
        ("important_people", "username", without_case),
    ):
        watched[collection].create_index(field, **options)
    for line in (
        "init",
        "doctor --offline",
        f"importance import {tmp_path / 'people.json'}",
        f"importance show @{person}",
        f"campaign add launch --from {tmp_path / 'tweets.csv'} --days 7 --threshold 5 --spacing 0",
        f"campaign add other --tweet {some_tweet} --no-verify",
        "campaign list",
        "campaign show launch",
        "campaign edit launch --threshold 4",
        "campaign pause other",
        "campaign resume other",
        "campaign estimate launch",
        "enqueue",
        "work",
        "jobs list",
        "jobs list --status failed --campaign launch",
        f"jobs show launch:{some_tweet}:metrics",
        "jobs retry",
        "status",
        "alerts send",
        "alerts list",
        "alerts retry",
        "alerts silence launch --minutes 1",
        f"report render --out {tmp_path / 'report'}",
        "metrics series launch --granularity hour",
        "metrics coverage launch",
        "engagements list launch",
        "engagements list launch --sort timestamp --category founders --min-importance 1",
        f"engagements export launch --format jsonl --out {tmp_path / 'e.jsonl'}",
        "usage",
        "usage --by day",
        "usage --by campaign",
        "enqueue --verify",
        "work",
        f"campaign remove-tweet launch {some_tweet}",
        "campaign complete other",
        "enqueue",
        "work",
        "campaign delete other --yes",
    ):
        cli(*line.split())
    found = scans(watched)
    assert not found, "\n".join(found)


def test_no_step_of_a_bad_day_scans_a_collection(watched: Db, simulate: Callable[..., Simulator]) -> None:
    lab = Lab(watched, simulate(tweets=40, engagements=20.0, start=START))
    lab.add_campaign(campaign("second", at=lab.now()), lab.tweet_ids[:7])
    bad_days: list[dict[str, object]] = [
        {"expired": 0.5, "repeats": 3},
        {"errors": 0.1, "expired": 0.0},
        {"errors": 0.0},
    ]
    for faults in bad_days:
        lab.simulator.faults.update(faults)
        lab.cycle(verify=bool(faults.get("expired")))
        lab.advance(minutes=60)
    lab.close()
    found = scans(watched)
    assert not found, "\n".join(found)
