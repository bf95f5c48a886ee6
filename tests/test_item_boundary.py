"""One bad thing never costs another: what nobody foresaw fails its own unit, with its traceback kept."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.lab import SLUG, Lab, campaign
from support.terminal import Cli

from socap_cli.cli.app import execute
from socap_cli.client.metered import Budget
from socap_cli.model.kinds import RETWEETS, kinds
from socap_cli.model.queue import MeteredRequest, Outcome, Unit, UsageBatch
from socap_cli.settings import BudgetSettings
from socap_cli.store import campaigns, jobs, snapshots, usage
from socap_cli.work.context import UnitResult, WorkContext
from socap_cli.work.worker import BUGS_TO_END, Worker, WorkerOptions, work_unit

MakeLab = Callable[..., Lab]


def test_an_unforeseen_error_fails_one_list_and_keeps_its_traceback(lab: MakeLab) -> None:
    one = lab(tweets=3, engagements=20.0)
    bad = one.tweet_ids[0]
    one.enqueue()
    one.db.jobs.update_many({}, {"$set": {"max_attempts": 1}})
    broken = one.context()
    page = broken.client.provider.page

    def poisoned(kind: str, tweet_id: str, **bounds: object) -> object:
        if tweet_id == bad and kind == RETWEETS:
            raise ZeroDivisionError("nobody foresaw this")
        return page(kind, tweet_id, **bounds)  # type: ignore[arg-type]

    broken.client.provider = _Delegate(broken.client.provider, page=poisoned)  # type: ignore[assignment]
    result = Worker(broken, WorkerOptions(threads=8)).run()
    assert result.failed == 1
    job = jobs.find(one.db, f"launch:{bad}:retweets")
    assert job is not None
    assert job.last_error == "a bug: ZeroDivisionError: nobody foresaw this"
    assert "Traceback" in (job.traceback or "")
    assert {key for key in one.truth() if key[0] != bad or key[1] != "retweet"} == set(one.stored())


def test_what_escapes_a_unit_costs_no_other_and_its_jobs_come_back(lab: MakeLab) -> None:
    one = lab(tweets=2, engagements=10.0)
    one.enqueue()
    escaped: list[Unit] = []

    def escaping(context: WorkContext, unit: Unit, rng: random.Random) -> UnitResult:
        if unit.kind == RETWEETS and not escaped:
            escaped.append(unit)
            raise ZeroDivisionError("not even told")
        return work_unit(context, unit, rng)

    result = Worker(one.context(), WorkerOptions(threads=8, lease=1.0), work=escaping).run()
    assert (len(escaped), result.failed) == (1, 0)
    one.assert_exact()


class _Delegate:
    """A provider with one part of it replaced."""

    def __init__(self, provider: object, **parts: object) -> None:
        self._provider = provider
        self.__dict__.update(parts)

    def __getattr__(self, name: str) -> object:
        return getattr(self._provider, name)


def test_a_series_of_unforeseen_errors_ends_the_run(lab: MakeLab) -> None:
    one = lab(tweets=BUGS_TO_END * 2)
    one.enqueue()

    def always_broken(_context: WorkContext, unit: Unit, _rng: random.Random) -> UnitResult:
        outcomes = [Outcome(job, delay=0.0, error="a bug", counts_attempt=True) for job in unit.jobs]
        return UnitResult(unit, outcomes, bug=ZeroDivisionError())

    one.db.jobs.update_many({}, [{"$set": {"waits_for_metrics": False, "due": "$rank"}}])
    with pytest.raises(ZeroDivisionError):
        Worker(one.context(), WorkerOptions(threads=8), work=always_broken).run()
    assert one.db.jobs.count_documents({"status": "processing"}) == 0


def test_the_last_attempt_that_fails_is_counted_as_failed(lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(RETWEETS, 3)
    one.enqueue()
    one.db.jobs.update_many({}, {"$set": {"max_attempts": 1}})
    one.simulator.faults.update({"script": ["ok", "empty", "empty", "empty"]})
    result = one.work(threads=1)
    assert (result.failed, result.requeued) == (1, 0)
    assert one.db.jobs.count_documents({"status": "failed"}) == 1


def test_lists_behind_failed_metrics_are_read_without_counters(lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.engage(RETWEETS, 3)
    one.enqueue()
    one.db.jobs.update_many({}, {"$set": {"max_attempts": 1}})
    one.simulator.faults.update({"script": ["garble", "garble", "garble"]})
    result = one.work(threads=1)
    assert result.failed == 1
    assert one.db.jobs.count_documents({"status": "pending"}) == 0
    one.assert_exact()


def test_a_campaign_document_that_is_none_is_skipped_and_named(lab: MakeLab) -> None:
    one = lab(tweets=1)
    one.db.campaigns.insert_many(
        [{"_id": "no-window", "status": "active", "name": "x"}, {"_id": "odd", "status": "active", "name": 7}]
    )
    one.enqueue()
    one.work()
    assert [campaign.slug for campaign in campaigns.listed(one.db)] == ["launch"]
    assert campaigns.unreadable(one.db) == {
        "no-window": "monitor_window.starts_at is missing", "odd": "name is 7",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"cadence": "sometimes"}, "cadence is 'sometimes'"),
        ({"cadence": ["fixed"]}, "cadence is ['fixed']"),
        ({"stop_when_cold": "yes"}, "stop_when_cold is 'yes'"),
        ({"stop_when_cold": 1}, "stop_when_cold is 1"),
        ({"last_cycle_at": "2020-01-01"}, "last_cycle_at is '2020-01-01'"),
        ({"alert_preferences.slack_webhook": 7}, "alert_preferences.slack_webhook is invalid"),
    ],
)
def test_an_odd_value_in_a_campaign_document_costs_that_campaign_only(
    lab: MakeLab, cli: Cli, odd: dict[str, object], reason: str
) -> None:
    one = lab(tweets=1, engagements=5.0)
    one.add_campaign(campaign("other", at=one.now()), one.tweet_ids[:1])
    one.db.campaigns.update_one({"_id": "other"}, {"$set": odd})
    warning = f"campaign 'other' is skipped: {reason} in its document"
    queued = cli("enqueue")
    assert (queued["result"]["campaigns"], queued["warnings"]) == (1, [warning])
    one.work()
    assert warning in cli("alerts", "send")["warnings"]
    state = cli("status")["result"]
    assert (state["campaigns_active"], state["campaigns_unreadable"]) == (1, ["other"])
    assert reason in cli.text("status")[0]
    assert reason in cli("campaign", "show", "other", code=1)["error"]["message"]


MALFORMED: dict[str, list[dict[str, object]]] = {
    "alert_plans": [{}, {"fingerprint": 5, "considered_until": "x"}],
    "engagements": [{}, {"tweet_id": 5, "username": ["x"]}],
    "rate_limits": [{}, {"tat": "x", "wait": {}}],
    "tweets": [
        {"campaign_id": SLUG},
        {
            "campaign_id": SLUG,
            "tweet_id": "1",
            "category": "odd",
            "url": "x",
            "added_at": datetime(2026, 3, 2, tzinfo=UTC),
        },
        {"campaign_id": SLUG, "tweet_id": "2", "category": "main_twt"},
    ],
    "worker_state": [{}, {"counters": 5, "retweets": "x"}, {"checked_at": "x", "velocity": [1]}],
    "api_usage": [{}, {"day": 5, "cost": "x", "requests": []}, {"campaign_id": None, "endpoint": {}}],
    "alert_queue": [{}, {"status": "x"}, {"status": 5, "labels": 7}],
}
COMMANDS = (
    ("enqueue",), ("status",), ("alerts", "send"), ("alerts", "list"),
    ("usage",), ("usage", "--by", "day"), ("usage", "--by", "campaign"), ("report", "render", "--out", "pages"),
    ("importance", "rescore"), ("metrics", "series", SLUG), ("engagements", "list", SLUG), ("jobs", "list"),
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("collection", MALFORMED)
def test_a_document_that_is_none_costs_no_command(
    lab: MakeLab, cli: Cli, collection: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one = lab(tweets=2, engagements=5.0)
    one.cycle()
    one.db[collection].insert_many([{"_id": f"odd{n}", **odd} for n, odd in enumerate(MALFORMED[collection])])
    for words in COMMANDS:
        assert execute([*words, "--json"]) in (0, 4), words
    one.work()
    assert json.loads(cli.text("engagements", "export", SLUG, "--format", "jsonl")[0].splitlines()[0])


def test_a_snapshot_that_is_none_is_unknown_and_costs_no_other(lab: MakeLab) -> None:
    one = lab(tweets=1, engagements=5.0)
    one.cycle()
    tweet_id = one.tweet_ids[0]
    before = snapshots.series(one.db, one.tweet_ids)
    one.db.metric_snapshots.insert_many(
        [
            {"_id": "odd1", "tweet_id": tweet_id, "captured_at": "x"},
            {
                "_id": "odd2",
                "tweet_id": tweet_id,
                "captured_at": one.now(),
                "likes": [None],
                "views": "1,234",
            },
        ]
    )
    *kept, odd = snapshots.series(one.db, one.tweet_ids)
    assert kept == before
    assert (odd.counters["likes"], odd.counters["views"]) == (None, 1234)


def test_a_metrics_batch_of_two_campaigns_is_paid_by_the_one_that_may(lab: MakeLab) -> None:
    one = lab(tweets=4)
    one.add_campaign(campaign("other", at=one.now()), one.tweet_ids[:1])
    spent = MeteredRequest("/x", [SLUG], 0, 900.0, False, one.now())
    usage.record(one.db, UsageBatch("b", [spent]))
    context = one.context()
    context.client.budget = Budget(one.db, BudgetSettings(campaign_hard=800.0))
    one.enqueue()
    done = work_unit(context, _claimed(one), random.Random(0))
    context.client.meter.write()
    ended = {(outcome.job.campaign_id, str(outcome.result)) for outcome in done.outcomes}
    assert ended == {(SLUG, "over budget"), ("other", "collected")}
    assert usage.of_campaign(one.db, SLUG).cost == 900.0
    assert usage.of_campaign(one.db, "other").cost == 15.0


def _claimed(one: Lab) -> Unit:
    (unit,) = jobs.claim(one.db, kinds(), units=1, batch=50, worker="w", lease=60)
    return unit
