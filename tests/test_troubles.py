"""What the state of the program tells somebody to look at: a table of states, one trouble or none each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from support.values import NOW

from socap_cli.model.alert import AlertTotals
from socap_cli.model.cadence import LookSummary
from socap_cli.model.kinds import Kind
from socap_cli.model.list_state import Coverage
from socap_cli.model.queue import LimitState, RunRecord
from socap_cli.settings import BudgetSettings, Settings
from socap_cli.status import RULES, Status, troubles
from socap_cli.status.prometheus import exposition

RETWEETS = Kind("retweets")


def ran(minutes: float) -> RunRecord:
    return RunRecord("r", "enqueue", NOW - timedelta(minutes=minutes), 1.0, {})


HEALTHY = Status(
    campaigns_active=1,
    campaigns_unreadable={},
    tweets=300,
    jobs={"metrics": {"completed": 300}},
    lag_seconds=0.0,
    coverage={RETWEETS: Coverage(RETWEETS, 1000, 990)},
    gaps=(),
    limits=(LimitState("account", 3.0, "the balance", 4, 0.0, None, None),),
    channels_off={},
    alerts=AlertTotals({"sent": 4}, {}, {"sent": 4}),
    last_runs={"enqueue": ran(29)},
    rows_unreadable=0,
)
SETTINGS = Settings(budget=BudgetSettings(day_soft=5000, day_hard=10_000))
ADAPTIVE = LookSummary("launch", "adaptive", 300, 0, NOW, "8.0 engagements an hour", NOW)
REFUSED = {
    "enqueue": ran(29),
    "work": replace(ran(28), command="work", result={"refused": "the key was refused"}),
}
CARRIED_OVER = {"enqueue": ran(29), "work": replace(ran(28), command="work")}
SILENT = LimitState("account", 3.0, "the balance", 0, 0.0, 7200.0, "HTTP 503")

CASES: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("nothing", {}, []),
    ("an outage", {"limits": (SILENT,)}, [("outage", "fail")]),
    ("an outage explains why jobs wait", {"limits": (SILENT,), "lag_seconds": 9000.0}, [("outage", "fail")]),
    ("a closed endpoint", {"limits": (replace(SILENT, silent_for=None, blocked_for=60.0),)}, [("outage", "warn")]),
    ("two odd campaigns", {"campaigns_unreadable": dict.fromkeys("xy", "name is 7")}, [("campaigns", "fail")] * 2),
    ("no run ever", {"last_runs": {}}, [("runs", "warn")]),
    ("the last run just in time", {"last_runs": {"enqueue": ran(44)}}, []),
    ("a missed run", {"last_runs": {"enqueue": ran(46)}}, [("runs", "fail")]),
    ("an adaptive campaign, looked at in time", {"looks": (ADAPTIVE,), "last_runs": {"enqueue": ran(14)}}, []),
    ("an adaptive campaign, looked at every half hour", {"looks": (ADAPTIVE,)}, [("runs", "warn")]),
    ("a fixed campaign", {"looks": (replace(ADAPTIVE, cadence="fixed"),)}, []),
    ("a refused key", {"last_runs": REFUSED}, [("outage", "fail")]),
    ("a refused key explains why jobs wait", {"last_runs": REFUSED, "lag_seconds": 9000.0}, [("outage", "fail")]),
    ("nothing is watched", {"tweets": 0, "last_runs": {}}, []),
    ("nobody works", {"lag_seconds": 2701.0}, [("runs", "fail")]),
    ("lists are carried over", {"lag_seconds": 9000.0, "last_runs": CARRIED_OVER}, [("runs", "warn")]),
    ("work is under way", {"lag_seconds": 2699.0}, []),
    ("failed jobs", {"jobs": {"metrics": {"failed": 2}, "quotes": {"failed": 1}}}, [("jobs", "warn")]),
    ("rows left out", {"rows_unreadable": 3}, [("jobs", "warn")]),
    ("a channel that is off", {"channels_off": {"slack": "HTTP 404"}}, [("alerts", "fail")]),
    ("dead deliveries", {"alerts": AlertTotals({}, {}, {"dead": 1})}, [("alerts", "fail")]),
    ("deliveries nobody knows of", {"alerts": AlertTotals({}, {}, {"unknown": 1})}, [("alerts", "warn")]),
    ("alerts that are late", {"alerts_due_since": NOW - timedelta(minutes=31)}, [("alerts", "fail")]),
    ("alerts on their way", {"alerts_due_since": NOW - timedelta(minutes=29)}, []),
    ("little is collected", {"coverage": {RETWEETS: Coverage(RETWEETS, 1000, 899)}}, [("coverage", "warn")]),
    ("as much as is usual", {"coverage": {RETWEETS: Coverage(RETWEETS, 1000, 900)}}, []),
    ("too few to tell", {"coverage": {RETWEETS: Coverage(RETWEETS, 49, 0)}}, []),
    ("not read yet", {"coverage": {RETWEETS: Coverage(RETWEETS, 1000, 0, unread=1)}}, []),
    ("the soft budget is spent", {"spent_today": 5000.0}, [("budget", "warn")]),
    ("the hard budget is spent", {"spent_today": 10_000.0}, [("budget", "fail")]),
    ("a pace that lasts", {"spent_today": 4900.0}, []),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "told"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_each_trouble_is_told_with_what_to_do(changes: dict[str, Any], told: list[tuple[str, str]]) -> None:
    found = troubles(replace(HEALTHY, **changes), wanted=SETTINGS, now=NOW)
    assert [(one.area, one.state) for one in found] == told
    assert all(one.message and one.hint for one in found)


def test_an_outage_says_since_when() -> None:
    (one,) = troubles(replace(HEALTHY, limits=(SILENT,)), wanted=SETTINGS, now=NOW)
    assert (
        one.message == f"account has not answered since {NOW - timedelta(hours=2):%Y-%m-%d %H:%M}Z: HTTP 503"
    )


def test_a_pace_that_will_not_last_says_until_when() -> None:
    at = NOW.replace(hour=6, minute=0, second=0)
    found = replace(HEALTHY, spent_today=4000.0, last_runs={"enqueue": replace(ran(0), started_at=at)})
    (one,) = troubles(found, wanted=SETTINGS, now=at)
    assert (one.area, one.state, one.message) == (
        "budget",
        "warn",
        "at this pace the day's 10,000 credits are spent at 15:00Z",
    )


def test_no_budget_is_no_trouble() -> None:
    assert troubles(replace(HEALTHY, spent_today=1e9), wanted=Settings(), now=NOW) == ()


def test_every_area_is_reached_by_a_case() -> None:
    assert {area for _, _, told in CASES for area, _ in told} == set(RULES)


def test_the_metrics_are_what_prometheus_reads() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    found = replace(HEALTHY, limits=(SILENT,))
    text = exposition(found, troubles(found, wanted=SETTINGS, now=NOW), now=NOW).decode()
    read = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    samples = {(one.name, *sorted(one.labels.values())): one.value for one in read}
    assert samples["socap_jobs", "completed", "metrics"] == 300
    assert samples["socap_provider_silent_seconds", "account"] == 7200
    assert samples["socap_troubles", "fail"] == 1
    assert samples["socap_collected", "retweets"] == 990
    assert samples["socap_last_run_timestamp_seconds", "enqueue"] == ran(29).started_at.timestamp()
