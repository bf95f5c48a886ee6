"""How late an engagement is found and told: the rule, what is measured, where it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.lab import SLUG, START, Lab, change
from support.terminal import Cli

from socap_cli.model.engagement import Delay, Detection, delay_of
from socap_cli.model.kinds import QUOTES, REPLIES, RETWEETS
from socap_cli.simulator.server import Simulator
from socap_cli.simulator.world import World
from socap_cli.store import Db
from socap_cli.store.engagements import detection


@given(st.lists(st.floats(-1e6, 1e9), min_size=1))
def test_half_are_within_the_median_and_nine_of_ten_within_the_other(seconds: list[float]) -> None:
    found = delay_of(seconds)
    assert found is not None
    assert found.count == len(seconds)
    assert 0 <= found.median <= found.ninety
    assert sum(one <= found.median for one in seconds) * 2 >= len(seconds)
    assert sum(one <= found.ninety for one in seconds) * 10 >= 9 * len(seconds)


def test_nothing_has_no_delay() -> None:
    assert delay_of([]) is None


@pytest.fixture
def one(db: Db) -> Iterator[Lab]:
    world = World(start=START, tweets=1, engagements=0.0, accounts=100, seed=3)
    with Simulator(world) as simulator:
        lab = Lab(db, simulator)
        yield lab
        lab.close()


def test_replies_and_quotes_that_came_while_it_was_watched_are_measured(one: Lab) -> None:
    one.engage(REPLIES, 5)  # found by the first pass: there before
    one.enqueue()
    one.work_by_hand()
    one.engage(REPLIES, 1)
    one.engage(RETWEETS, 4)  # nobody knows when
    one.advance(minutes=10)
    one.engage(QUOTES, 1)
    one.advance(minutes=20)
    one.enqueue()
    one.work_by_hand()
    found = detection(one.db, [SLUG], one.tweet_ids, since=START)
    assert found == Detection(Delay(2, 1200.0, 1800.0), None)
    assert detection(one.db, [SLUG], one.tweet_ids, since=one.now() + timedelta(seconds=1)) == Detection()


def test_the_time_until_somebody_is_told_counts_from_the_engagement(one: Lab) -> None:
    one.enqueue()
    one.work_by_hand()
    one.engage(REPLIES, 2)
    one.advance(minutes=30)
    one.enqueue()
    one.work_by_hand()
    for number, row in enumerate(one.db.engagements.find().sort("engaged_at", 1)):
        for minutes in (5, 50):  # to two addresses: the first counts
            one.db.alert_history.insert_one(
                {
                    "_id": f"{row['_id']}|{minutes}", "campaign_id": SLUG, "engagement_id": row["_id"],
                    "action_type": "reply", "status": "sent" if number == 0 else "failed", "is_backlog": False,
                    "created_at": one.now(), "sent_at": row["engaged_at"] + timedelta(minutes=minutes),
                }
            )  # fmt: skip
    assert detection(one.db, [SLUG], one.tweet_ids, since=START).told == Delay(1, 300.0, 300.0)


def test_status_says_how_late_engagements_are_found(cli: Cli, one: Lab) -> None:
    one.enqueue()
    one.work_by_hand()
    one.engage(REPLIES, 3)
    one.advance(minutes=7)
    one.enqueue()
    one.work_by_hand()
    ahead = {"$set": {"first_seen_at": one.db.command("hello")["localTime"]}}
    one.db.engagements.update_many({}, ahead)
    found = cli("status")["result"]["detection"]
    assert found["stored"]["count"] == 3
    assert found["told"] is None
    assert "3 replies and quotes of the last 24 hours" in cli.text("status")[0]


def test_the_operators_page_says_how_late_and_when_next_and_the_clients_does_not(
    cli: Cli, one: Lab, tmp_path: Path
) -> None:
    for _ in range(2):
        one.enqueue()
        one.work_by_hand()
        one.advance(minutes=30)
        one.engage(REPLIES, 3)
    change(one.db, SLUG, cadence="adaptive")
    one.enqueue()
    one.work_by_hand()
    pages = {}
    for edition in ("operator", "client"):
        cli("report", "render", "--out", str(tmp_path / edition), "--edition", edition)
        (page,) = (tmp_path / edition).rglob(f"{SLUG}.html")
        pages[edition] = page.read_text(encoding="utf-8")
    for words in ("Time to detect", "Next poll", "adaptive"):
        assert words in pages["operator"], words
    assert "Time to detect" not in pages["client"]
    assert "Next poll" not in pages["client"]
