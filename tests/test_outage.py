"""An outage belongs to the provider, not to the jobs: noticed once, probed by one, over at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from support.lab import KEY, Lab

from socap_cli.errors import ProviderUnavailable
from socap_cli.model.kinds import LISTS
from socap_cli.model.queue import Unit
from socap_cli.providers.twitterapi_io import TwitterApiIo
from socap_cli.status import gather
from socap_cli.store import jobs, rate_limits
from socap_cli.work.worker import Worker, WorkerOptions

MakeLab = Callable[..., Lab]


def test_a_provider_that_is_away_is_asked_by_a_probe_now_and_then_and_told(lab: MakeLab) -> None:
    one = lab(tweets=60, engagements=4.0)
    one.enqueue()
    one.simulator.faults.update({"errors": 1.0})
    result = Worker(one.context(), WorkerOptions(threads=40, max_runtime=5.0)).run()
    assert result.requests < 40  # the first few, then one in two seconds
    assert one.db.jobs.count_documents({"attempts": {"$gt": 0}}) == 0
    assert one.db.jobs.count_documents({"status": "failed"}) == 0
    (state,) = gather(one.db).limits
    assert state.silent_for is not None
    assert "HTTP 50" in (state.reason or "")


def test_when_it_answers_again_everything_goes_on_at_once(lab: MakeLab) -> None:
    one = lab(tweets=60, engagements=4.0)
    one.enqueue()
    one.simulator.faults.update({"errors": 1.0})
    back = threading.Timer(4.0, one.simulator.faults.update, [{"errors": 0.0}])
    back.start()
    began = time.monotonic()
    result = Worker(one.context(), WorkerOptions(threads=40)).run()
    back.join()
    one.assert_exact()
    assert not result.stopped
    assert time.monotonic() - began < 4.0 + 10.0
    assert not [state for state in rate_limits.states(one.db) if state.is_closed]


def test_a_run_whose_provider_stays_away_ends_with_a_code_of_its_own(lab: MakeLab) -> None:
    one = lab(tweets=3)
    one.enqueue()
    one.simulator.faults.update({"errors": 1.0})
    context = one.context()
    context.provider_patience = 1.0
    with pytest.raises(ProviderUnavailable, match="has not answered for") as raised:
        Worker(context, WorkerOptions(threads=4)).run()
    assert raised.value.exit_code == 7
    assert "/twitter/tweets: " in str(raised.value.hint)
    assert "waits for" not in str(raised.value.hint)
    one.simulator.faults.update({"errors": 0.0})
    time.sleep(rate_limits.PROBE_EVERY)
    one.work()
    one.assert_exact()


def test_a_run_ends_though_a_probe_of_some_endpoint_always_hangs(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each endpoint has a limit of its own, as at X."""
    one = lab(tweets=60, engagements=10.0)
    one.provider = TwitterApiIo(one.simulator.key or KEY, url=one.simulator.url, timeout=3.0)
    monkeypatch.setattr(TwitterApiIo, "limit_scope", lambda _, operation: str(operation))
    one.enqueue()
    jobs.release_lists(one.db, [(tweet, kind) for tweet in one.tweet_ids for kind in LISTS], [])
    one.simulator.faults.update({"hangs": 1.0, "hang_seconds": 8.0})
    context = one.context()
    context.provider_patience = 5.0
    with pytest.raises(ProviderUnavailable, match="has not answered for"):
        Worker(context, WorkerOptions(threads=40, max_runtime=45.0)).run()


def test_a_single_lost_answer_is_asked_for_again_and_no_job_waits(lab: MakeLab) -> None:
    one = lab(tweets=4, engagements=20.0)
    one.enqueue()
    one.simulator.faults.update({"script": ["ok", "error", "ok", "garble", "drop"]})
    result = one.work()
    assert (result.requeued, result.failed) == (0, 0)
    one.assert_exact()


def test_a_rate_that_is_refused_is_left_and_what_was_reserved_at_it_is_void(lab: MakeLab) -> None:
    one = lab(tweets=1)
    limiter = rate_limits.limiter_id(KEY, "account")
    before = rate_limits.reserve(one.db.rate_limits, limiter, rate=20, max_wait=60, turns=20)[-1]
    refused = rate_limits.cut(one.db, limiter, rate=20)
    first, second = rate_limits.reserve(one.db.rate_limits, limiter, rate=20, max_wait=60, turns=2)
    assert (before.refused, first.refused, refused) == (0, 1, 1)
    assert second.wait - first.wait == pytest.approx(1 / (10 * rate_limits.SAFETY), rel=0.05)
    (state,) = rate_limits.states(one.db)
    assert state.refused == 1


def test_a_burst_of_refusals_cuts_once(lab: MakeLab) -> None:
    one = lab(tweets=1)
    limiter = rate_limits.limiter_id(KEY, "account")
    for _ in range(5):
        rate_limits.cut(one.db, limiter, rate=20)
    first, second = rate_limits.reserve(one.db.rate_limits, limiter, rate=20, max_wait=60, turns=2)
    assert second.wait - first.wait == pytest.approx(1 / (10 * rate_limits.SAFETY), rel=0.05)


def test_the_rate_is_found_from_the_balance_and_shared(lab: MakeLab) -> None:
    one = lab(tweets=2)
    one.simulator.faults.update({"credits": 12_000})
    context = one.context()
    context.client.limiter.rate = "auto"
    context.client.limiter.allowed_rate = one.provider.allowed_rate
    one.enqueue()
    Worker(context, WorkerOptions(threads=4)).run()
    (state,) = rate_limits.states(one.db)
    assert state.rate == pytest.approx(10 * rate_limits.SAFETY)
    assert state.source == "the balance of 12,000 credits"


def test_while_a_provider_is_away_jobs_are_claimed_one_at_a_time(
    lab: MakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = lab(tweets=60, engagements=4.0)
    one.enqueue()
    one.simulator.faults.update({"latency": 0.1})
    began, away, claimed = time.monotonic(), 1.0, Counter[int]()
    claim = jobs.claim

    def counted(*arguments: Any, **options: Any) -> list[Unit]:
        found = claim(*arguments, **options)
        claimed[int(time.monotonic() - began)] += len(found)
        return found

    monkeypatch.setattr(jobs, "claim", counted)
    threading.Timer(away, one.simulator.faults.update, [{"errors": 1.0}]).start()
    Worker(one.context(), WorkerOptions(threads=20, max_runtime=12.0)).run()
    settled = [count for second, count in claimed.items() if second >= 4]
    assert sum(settled) < 60, claimed


@pytest.mark.parametrize("fault", ["never_answered", "always_limited"])
def test_a_tweet_whose_lists_are_never_answered_fails_alone(lab: MakeLab, fault: str) -> None:
    one = lab(tweets=12, engagements=8.0)
    bad = one.tweet_ids[5]
    one.simulator.faults.update({fault: [bad], "retry_after": None})
    asked = 0
    for _ in range(12):
        one.enqueue()
        one.let_time_pass()
        asked += Worker(one.context(), WorkerOptions(threads=8, idle_timeout=1.0)).run().requests
        if one.db.jobs.count_documents({"status": "failed"}):
            break
    one.let_time_pass()
    Worker(one.context(), WorkerOptions(threads=8, idle_timeout=1.0)).run()
    assert asked < 200
    failed = list(one.db.jobs.find({"status": "failed"}))
    assert {row["tweet_id"] for row in failed} == {bad}
    assert {key for key in one.truth() if key[0] != bad} == {key for key in one.stored() if key[0] != bad}
    assert not [state for state in rate_limits.states(one.db) if state.is_closed]
