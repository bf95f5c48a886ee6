"""A day of X's own API: what it bills, how often it refuses, and what is collected."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from support.lab import START, Lab

from socap_cli.client.looks import LookPolicy, look_prices
from socap_cli.model.cadence import Cadence
from socap_cli.providers.x_api import XApi
from socap_cli.store import usage
from socap_cli.work.worker import Worker, WorkerOptions

pytestmark = pytest.mark.server

MIDNIGHT = START.replace(hour=0)
POST, USER = 500, 1_000


def let_minutes_pass(one: Lab, minutes: int) -> None:
    """In the world, for the limits of rates, and for the jobs that wait for them."""
    one.advance(minutes=minutes)
    step = minutes * 60_000
    one.db.rate_limits.update_many({}, [{"$set": {"window_until": {"$subtract": ["$window_until", step]}}}])
    one.db.jobs.update_many(
        {"status": "pending", "due": {"$gt": MIDNIGHT}}, [{"$set": {"due": {"$subtract": ["$due", step]}}}]
    )


def work(one: Lab) -> None:
    context = one.context(threading.Event())
    context.client.limiter.rate = "auto"
    context.client.limiter.allowed_rate = one.provider.allowed_rate
    Worker(context, WorkerOptions(threads=16, idle_timeout=5.0)).run()


def least(one: Lab, *, authors: bool) -> float:
    """Each tweet, each engagement and, where they are billed, each account once."""
    rows = list(one.db.engagements.find({}, {"user_id": 1}))
    people = len({row["user_id"] for row in rows}) if authors else 0
    return (len(one.tweet_ids) + len(rows)) * POST + people * USER


@pytest.mark.parametrize("authors", [False, True])
@pytest.mark.parametrize(
    ("tweets", "minutes"),
    [
        (20, 30),
        pytest.param(300, 30, marks=pytest.mark.exhaustive),
        pytest.param(300, 5, marks=[pytest.mark.exhaustive, pytest.mark.timeout(1800)]),
    ],
)
def test_a_day_costs_hardly_more_than_the_least_and_is_metered_as_billed(
    lab: Callable[..., Lab], tweets: int, minutes: int, authors: bool
) -> None:
    one = lab(wire_format="x", tweets=tweets, engagements=20.0, start=MIDNIGHT, accounts=6000)
    one.simulator.faults.update({"includes_billed": authors})
    one.provider.close()
    provider = XApi("a-token", url=one.simulator.url, timeout=5.0)
    provider.bills_authors = authors
    provider.now = one.now
    one.provider = provider  # type: ignore[assignment]
    if minutes < 30:
        prices = look_prices(one.db, provider)
        one.looks = LookPolicy(Cadence.ADAPTIVE, prices=lambda: prices)
    for _ in range(24 * 60 // minutes):
        one.enqueue()
        work(one)
        let_minutes_pass(one, minutes)
    (used,) = usage.summed(one.db)
    billed = one.simulator.ledger.credits
    assert used.cost == billed
    assert billed <= 1.05 * least(one, authors=authors)
    windows = 24 * 4 * len(one.simulator.ledger.requests)
    assert one.simulator.ledger.statuses[429] <= windows
    visible = one.world.truth(one.now() - timedelta(minutes=minutes))
    missing = {
        (tweet_id, kind): ids
        for tweet_id, lists in visible.items()
        for kind, ids in lists.items()
        if ids
        - {row["source_id"] for row in one.db.engagements.find({"tweet_id": tweet_id}, {"source_id": 1})}
    }
    assert len(missing) <= tweets * 0.1
