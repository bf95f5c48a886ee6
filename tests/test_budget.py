"""Budgets: counters are the last to go, and nothing is lost when there is money again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.lab import SLUG, Lab, campaign

from socap_cli.client.metered import Budget, Level, level
from socap_cli.errors import BudgetReached
from socap_cli.model.kinds import METRICS, REPLIES
from socap_cli.model.list_state import gaps_of
from socap_cli.model.queue import MeteredRequest, Usage, UsageBatch
from socap_cli.settings import BudgetSettings
from socap_cli.store import Db, usage, worker_state
from socap_cli.work.context import WorkResult
from socap_cli.work.worker import Worker, WorkerOptions


@pytest.mark.parametrize(
    ("spent", "soft", "hard", "expected"),
    [
        (0, 0, 0, Level.OPEN),
        (1e9, 0, 0, Level.OPEN),
        (99, 100, 200, Level.OPEN),
        (100, 100, 200, Level.COUNTERS),
        (200, 100, 200, Level.CLOSED),
        (200, 0, 200, Level.CLOSED),
        (100, 100, 0, Level.COUNTERS),
    ],
)
def test_what_may_be_asked_after_so_much_was_spent(
    spent: float, soft: float, hard: float, expected: Level
) -> None:
    assert level(spent, soft, hard) is expected


class BudgetLab:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def work(self, **limits: float) -> WorkResult:
        self.lab.enqueue()
        context = self.lab.context()
        context.client.budget = Budget(self.lab.db, BudgetSettings(**limits))
        return Worker(context, WorkerOptions(threads=4)).run()


@pytest.fixture
def broke(lab: Callable[..., Lab]) -> BudgetLab:
    return BudgetLab(lab(tweets=6, engagements=25.0))


def test_from_the_soft_budget_on_only_counters_are_read(broke: BudgetLab) -> None:
    result = broke.work(day_soft=1.0)
    assert dict(broke.lab.simulator.ledger.requests) == {"/twitter/tweets": 1}
    assert result.over_budget > 10
    broke.work()
    broke.lab.assert_exact()


def test_at_the_days_hard_budget_the_run_ends_and_every_job_waits(broke: BudgetLab) -> None:
    with pytest.raises(BudgetReached, match="budget of 500 credits is spent"):
        broke.work(day_hard=500.0)
    (row,) = usage.summed(broke.lab.db)
    assert row.cost < 500 + 4 * 20 * 18  # what four threads had asked already
    assert broke.lab.db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    broke.work()
    broke.lab.assert_exact()


def test_a_campaign_that_spent_its_own_leaves_the_others_be(broke: BudgetLab) -> None:
    lab = broke.lab
    usage.record(lab.db, UsageBatch("b", [MeteredRequest("/x", [SLUG], 0, 900.0, False, lab.now())]))
    first, *others = lab.tweet_ids
    lab.add_campaign(campaign("other", at=lab.now()), [first])
    result = broke.work(campaign_hard=800.0)
    assert {key[0] for key in lab.stored()} == {first}
    assert result.over_budget >= len(others)


def test_no_budget_costs_no_query(db: Db, lab: Callable[..., Lab]) -> None:
    one = lab()
    budget: Any = Budget(None, BudgetSettings())  # type: ignore[arg-type]
    budget.check(METRICS, [SLUG], one.now())


def test_what_was_deferred_is_a_gap_until_it_is_read(broke: BudgetLab) -> None:
    lab = broke.lab
    broke.work()
    lab.advance(minutes=30)
    lab.engage(REPLIES, 2)
    broke.work(day_soft=1.0)
    state = worker_state.load(lab.db, lab.tweet_ids[:1])[lab.tweet_ids[0]].lists[REPLIES]
    assert state.deferred is not None
    assert state.deferred.reason == "over budget"
    lab.advance(minutes=30)
    broke.work()
    after = worker_state.load(lab.db, lab.tweet_ids[:1])[lab.tweet_ids[0]]
    assert after.lists[REPLIES].deferred is None
    (gap,) = [gap for gap in after.gaps if gap.kind == "replies"]
    assert (gap.ends_at, gap.reason) == (lab.now(), "over budget")


def test_downtime_is_a_gap_of_every_tweet(broke: BudgetLab) -> None:
    lab = broke.lab
    began = lab.now()
    broke.work()
    lab.advance(minutes=44)
    broke.work()
    lab.advance(hours=5)
    broke.work()
    (row,) = gaps_of(worker_state.load(lab.db, lab.tweet_ids).values())
    assert (row.kind, row.tweets, row.reason) == ("metrics", 6, "not read")
    assert (row.begins_at - began, row.ends_at) == (timedelta(minutes=44), lab.now())


def test_requests_that_are_written_again_count_once(db: Db) -> None:
    request = MeteredRequest("/x", ["a", "a", "b"], 6, 90.0, False, datetime(2026, 3, 2, tzinfo=UTC))
    for name in ("first", "first", "second", "first"):
        usage.record(db, UsageBatch(name, [request]))
    assert usage.summed(db) == [Usage(None, requests=2, items=12, cost=180.0, failed=0)]
    assert [row.cost for row in usage.summed(db, "campaign")] == [120.0, 60.0]


def test_what_no_campaign_pays_stops_at_the_soft_budget(broke: BudgetLab) -> None:
    broke.lab.cycle()
    client = broke.lab.context().client
    client.budget = Budget(broke.lab.db, BudgetSettings(day_soft=1.0))
    with pytest.raises(BudgetReached, match="day's budget of 1 credits"):
        client.followings("someone")


def test_what_waits_for_its_turn_is_not_asked_once_the_budget_is_spent(lab: Callable[..., Lab]) -> None:
    one = lab(tweets=60, engagements=60.0)
    one.enqueue()
    context = one.context()
    dearest = 20 * 18.0
    context.client = replace(
        context.client, max_in_flight=3, budget=Budget(one.db, BudgetSettings(day_hard=1500.0))
    )
    one.simulator.faults.latency = 0.15
    with pytest.raises(BudgetReached):
        Worker(context, WorkerOptions(threads=12)).run()
    assert 1500.0 <= one.simulator.ledger.credits <= 1500.0 + 3 * dearest
