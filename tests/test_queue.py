"""The queue on a real mongod: exclusive claims, leases, fairness, plans without scans."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from socap_cli.model.kinds import LISTS, METRICS, QUOTES, REPLIES, RETWEETS, Kind, kinds
from socap_cli.model.queue import Job, Outcome, Unit
from socap_cli.store import Db, jobs

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def arm(db: Db, slug: str = "c", tweets: int = 3) -> tuple[int, int]:
    return jobs.arm(db, slug, [str(n) for n in range(1, tweets + 1)], asked_at=AT, max_attempts=3)


def claim(db: Db, units: int = 100, *, batch: int = 50, only: list[Kind] | None = None) -> list[Unit]:
    return jobs.claim(db, only or kinds(), units=units, batch=batch, worker="w", lease=60)


def claimed(db: Db, units: int = 100, **options: Any) -> list[Job]:
    return [job for unit in claim(db, units, **options) for job in unit.jobs]


def release_all_lists(db: Db) -> None:
    waiting = {"waits_for_metrics": True}
    db.jobs.update_many(waiting, [{"$set": {"waits_for_metrics": False, "due": "$rank"}}])


def states(db: Db) -> Counter[str]:
    return Counter(str(row["status"]) for row in db.jobs.find())


def test_arming_twice_arms_nothing_new(db: Db) -> None:
    assert arm(db) == (12, 0)
    assert arm(db) == (0, 12)


def test_only_what_is_finished_is_armed_again(db: Db) -> None:
    arm(db)
    (unit,) = claim(db)
    jobs.settle(db, [Outcome(job) for job in unit.jobs[:2]])
    assert arm(db) == (2, 10)


def test_sixteen_concurrent_runs_arm_each_job_once(db: Db) -> None:
    totals: list[int] = []
    threads = [threading.Thread(target=lambda: totals.append(arm(db, tweets=40)[0])) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(totals), db.jobs.count_documents({})) == (160, 160)


def test_list_jobs_wait_for_their_tweets_metrics(db: Db) -> None:
    arm(db)
    assert {job.kind for job in claimed(db)} == {METRICS}
    assert claim(db) == []
    jobs.release_lists(db, [("1", REPLIES)], [("1", QUOTES)])
    assert [(job.tweet_id, job.kind) for job in claimed(db)] == [("1", REPLIES)]
    row = jobs.find(db, "c:1:quotes")
    assert row is not None
    assert (row.status, row.outcome) == ("completed", "unchanged")


def test_a_unit_of_metrics_is_a_batch_of_tweets_however_many_campaigns_hold_them(db: Db) -> None:
    arm(db, "a", 120)
    arm(db, "b", 120)
    units = claim(db, 10)
    assert [len(unit.tweet_ids) for unit in units] == [50, 50, 20]
    assert all(len(unit.jobs) == 2 * len(unit.tweet_ids) for unit in units)


def test_a_unit_of_a_list_holds_every_campaigns_job_on_it(db: Db) -> None:
    arm(db, "a", 1)
    arm(db, "b", 1)
    release_all_lists(db)
    units = claim(db, only=[RETWEETS])
    assert [sorted(job.campaign_id for job in unit.jobs) for unit in units] == [["a", "b"]]


def test_fifty_claimers_get_every_job_once(db: Db) -> None:
    arm(db, tweets=150)
    release_all_lists(db)
    got: list[str] = []

    def drain() -> None:
        while mine := claimed(db, 3, batch=5):
            got.extend(job.job_id for job in mine)

    threads = [threading.Thread(target=drain) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got.extend(job.job_id for job in claimed(db, 1000))
    assert Counter(got) == Counter({row["_id"]: 1 for row in db.jobs.find()})


def test_whoever_lost_a_lease_changes_nothing(db: Db) -> None:
    arm(db, tweets=1)
    (mine,) = claimed(db)
    db.jobs.update_many({}, {"$set": {"lease_expires_at": datetime.fromtimestamp(0, UTC)}})
    assert jobs.sweep(db) == 1
    (theirs,) = claimed(db)
    late = [Outcome(mine), Outcome(mine, delay=9.0), Outcome(mine, final=True, error="no")]
    assert [jobs.settle(db, [outcome]) for outcome in late] == [0, 0, 0]
    assert jobs.release(db, [Unit(mine.kind, (mine,))]) == 0
    assert jobs.settle(db, [Outcome(theirs)]) == 1


def test_a_job_whose_worker_dies_three_times_is_failed_with_the_reason(db: Db) -> None:
    arm(db, tweets=1)
    for _ in range(3):
        claimed(db, only=[METRICS])
        db.jobs.update_many({}, {"$set": {"lease_expires_at": datetime.fromtimestamp(0, UTC)}})
        jobs.sweep(db)
    row = jobs.find(db, "c:1:metrics")
    assert row is not None
    assert (row.status, row.last_error) == ("failed", "its worker died 3 times")


def test_renewing_keeps_a_lease(db: Db) -> None:
    arm(db, tweets=1)
    (job,) = claimed(db)
    db.jobs.update_many({}, {"$set": {"lease_expires_at": datetime.fromtimestamp(0, UTC)}})
    jobs.renew(db, [Unit(job.kind, (job,))], lease=60)
    assert jobs.sweep(db) == 0


@pytest.mark.parametrize(("counts", "rounds", "expected"), [(True, 3, "failed"), (False, 9, "pending")])
def test_attempts_are_capped_and_waits_are_not_attempts(
    db: Db, counts: bool, rounds: int, expected: str
) -> None:
    arm(db, tweets=1)
    for _ in range(rounds):
        (job,) = claimed(db, only=[METRICS])
        jobs.settle(db, [Outcome(job, delay=0.0, error="nope", counts_attempt=counts)])
    row = jobs.find(db, "c:1:metrics")
    assert row is not None
    assert row.status == expected
    assert row.attempts == (rounds if counts else 0)


def test_nothing_starts_before_it_is_due(db: Db) -> None:
    arm(db, tweets=1)
    (job,) = claimed(db, only=[METRICS])
    jobs.settle(db, [Outcome(job, delay=3600.0, error="wait")])
    assert claim(db) == []
    wait = jobs.seconds_to_next(db)
    assert wait is not None
    assert 100 < wait <= 120  # the lists come due without their metrics


def test_a_large_campaign_does_not_starve_a_small_one(db: Db) -> None:
    arm(db, "large", 2000)
    arm(db, "small", 5)
    first = claimed(db, 10, batch=10)
    assert {job.campaign_id for job in first} == {"large", "small"}
    assert sum(job.campaign_id == "small" for job in first) == 5


def test_a_small_campaign_that_is_armed_later_does_not_wait_for_what_a_large_one_has_left(db: Db) -> None:
    arm(db, "large", 3000)
    done = claimed(db, 20, batch=50)
    jobs.settle(db, [Outcome(job) for job in done])
    arm(db, "small", 10)
    first = claimed(db, 4, batch=10)
    assert sum(job.campaign_id == "small" for job in first) == 10
    assert {job.campaign_id for job in first} == {"large", "small"}


def test_what_is_left_of_a_cycle_goes_on_while_the_next_one_begins(db: Db) -> None:
    """Overload: the last kind of a large campaign is not overtaken for ever by its own first kind."""
    arm(db, tweets=100)
    release_all_lists(db)
    done = claimed(db, 320, batch=1)
    jobs.settle(db, [Outcome(job) for job in done])
    left = db.jobs.count_documents({"status": "pending"})
    arm(db, tweets=100)
    jobs.release_lists(db, [(str(n), kind) for n in range(1, 101) for kind in LISTS], [])
    mixed = claimed(db, 2 * left, batch=1)
    assert sum(job.kind == QUOTES for job in mixed) >= left // 2


def test_priorities_hold_within_a_campaign_for_tweets_added_later_too(db: Db) -> None:
    arm(db, tweets=20)
    jobs.settle(db, [Outcome(job) for job in claimed(db)])
    jobs.release_lists(db, [], [(str(n), kind) for n in range(1, 21) for kind in LISTS])
    arm(db, tweets=22)
    jobs.release_lists(db, [(str(n), kind) for n in range(1, 23) for kind in LISTS], [])
    order = [job.kind for _ in range(88) for job in claimed(db, 1, batch=1)]
    assert order == [kind for kind in kinds() for _ in range(22)]


def test_a_job_whose_wait_is_over_has_its_rank_back(db: Db) -> None:
    arm(db, "first", 2)
    (waits, _) = claimed(db, only=[METRICS])
    jobs.settle(db, [Outcome(waits, delay=0.05, error="wait")])
    arm(db, "second", 50)
    time.sleep(0.06)
    assert jobs.promote_due(db) == 1
    assert claimed(db, 1, batch=1)[0].job_id == waits.job_id


def test_failed_jobs_can_be_armed_again_by_a_person(db: Db) -> None:
    arm(db, tweets=1)
    (job,) = claimed(db, only=[METRICS])
    jobs.settle(db, [Outcome(job, final=True, error="refused")])
    assert states(db)["failed"] == 1
    assert jobs.retry_failed(db, []) == 1
    assert states(db)["failed"] == 0


def test_jobs_of_a_tweet_that_left_the_campaign_go(db: Db) -> None:
    arm(db, tweets=3)
    arm(db, tweets=2)
    assert db.jobs.count_documents({"tweet_id": "3"}) == 0


def test_a_claim_reads_the_index_in_order_and_no_more_than_it_needs(db: Db) -> None:
    arm(db, "done", 1500)
    db.jobs.update_many({}, {"$set": {"status": "completed"}})
    arm(db, "later", 500)
    arm(db, "now", 50)
    release_all_lists(db)
    query = {
        "status": "pending",
        "job_type": {"$in": ["retweets", "replies", "quotes"]},
        **jobs.NOW_DUE,
    }
    plan = db.command(
        "explain",
        {"find": "jobs", "filter": query, "sort": {"due": 1, "_id": 1}, "limit": 5},
        verbosity="executionStats",
    )
    stats = plan["executionStats"]
    assert "COLLSCAN" not in str(plan["queryPlanner"]["winningPlan"])
    assert "'SORT'" not in str(plan["queryPlanner"]["winningPlan"])
    assert stats["totalKeysExamined"] <= 10


@pytest.mark.parametrize(
    ("outcome", "is_lag"),
    [
        ({"delay": 600.0, "error": "its next turn is in 600 s"}, True),
        ({"delay": 600.0, "error": "HTTP 500", "is_failure": True}, False),
        ({}, False),
    ],
    ids=["rate limit", "failure", "done"],
)
def test_what_waits_for_its_rate_limit_is_lag(db: Db, outcome: dict[str, Any], is_lag: bool) -> None:
    arm(db, tweets=1)
    db.jobs.update_many({}, [{"$set": {"armed_at": {"$subtract": ["$$NOW", 3_600_000]}}}])
    release_all_lists(db)
    jobs.settle(db, [Outcome(job, **outcome) for job in claimed(db)])
    assert jobs.lag(db) == pytest.approx(3600.0 if is_lag else 0.0, abs=60.0)


def test_a_stray_document_stops_no_claim_and_is_not_waited_for(db: Db) -> None:
    arm(db, tweets=2)
    strays: list[dict[str, Any]] = [
        {"_id": 7, "status": "pending", "job_type": "metrics"},
        {"status": "pending", "job_type": "retweets", "tweet_id": "1", "due": "soon"},
        {"status": "pending", "job_type": "metrics", "tweet_id": 5, "campaign_id": "c", "due": AT},
        {"status": "pending"},
    ]
    db.jobs.insert_many(strays)
    assert sorted(job.tweet_id for job in claimed(db) if job.kind == METRICS) == ["1", "2"]
    release_all_lists(db)
    assert len(claimed(db)) == 2 * len(LISTS)
    assert (jobs.seconds_to_next(db), jobs.lag(db)) == (None, 0.0)
    assert jobs.count_by_status(db)["quotes"] == {"processing": 2}
    assert len(jobs.listed(db, status=None, campaign_id=None, limit=99)[0]) == 8 + 3
