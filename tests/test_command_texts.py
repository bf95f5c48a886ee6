"""What commands print for people, whole, at 80 and 120 columns, on values made here: no server is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from support.documents import plain_campaign
from support.texts import assert_text
from support.values import NOW, TWEET, engagement, job, profile

from socap_cli.campaigns.adding import CampaignTotals
from socap_cli.campaigns.estimate import CadenceEstimate, Estimate, Range
from socap_cli.cli.alerts import show_list as show_alerts
from socap_cli.cli.alerts import show_one as show_alert
from socap_cli.cli.alerts import show_silences
from socap_cli.cli.app import execute
from socap_cli.cli.campaign import show_campaign, show_estimate
from socap_cli.cli.campaign import show_list as show_campaigns
from socap_cli.cli.engagements import show_engagements
from socap_cli.cli.importance import show_account, show_entries, show_people
from socap_cli.cli.jobs import enqueued_line, show_job, show_jobs
from socap_cli.cli.metrics import show as show_coverage
from socap_cli.cli.metrics import show_series
from socap_cli.cli.report import show_compared
from socap_cli.cli.run import Run
from socap_cli.cli.status import show_status, show_usage
from socap_cli.cli.work import progress_line, work_warnings, worked_line
from socap_cli.enqueue import EnqueueResult
from socap_cli.importance.accounts import Account
from socap_cli.model.alert import (
    Alert,
    AlertListing,
    AlertStatus,
    AlertTotals,
    Attempt,
    DeliveryRecord,
    DeliveryStatus,
    Hold,
    HoldReason,
    MessageRecord,
    Silence,
)
from socap_cli.model.cadence import Cadence
from socap_cli.model.campaign import CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.engagement import Importance
from socap_cli.model.important import Follower, ImportantPerson, IndexEntry
from socap_cli.model.kinds import Kind, counter_names
from socap_cli.model.list_state import Coverage, GapRow, TweetState
from socap_cli.model.queue import JobStatus, LimitState, RunRecord
from socap_cli.report.analytics import CoverageRow, Interval
from socap_cli.status import Status
from socap_cli.work.context import WorkResult

JOBS = [
    job(status=JobStatus.PENDING, outcome=None),
    job(
        job_id=f"a-much-longer-campaign:{TWEET}:metrics",
        status=JobStatus.PENDING,
        outcome=None,
        due=NOW + timedelta(minutes=3),
        last_error="/twitter/tweets: HTTP 503, tried again after its back-off",
    ),
    job(
        job_id=f"launch:{TWEET}:quotes",
        status=JobStatus.FAILED,
        outcome=None,
        attempts=5,
        last_error="a bug: ZeroDivisionError: division by zero",
        last_error_at=NOW - timedelta(hours=30),
        traceback="Traceback (most recent call last):\n  …\nZeroDivisionError: division by zero\n",
    ),
    job(),
]
ENGAGEMENTS = [
    engagement(),
    engagement(
        profile=profile("a_fifteen_chars", name="日本語の名前がとても長い人です、本当に", followers=None),
        importance=Importance(None),
        action_type="retweet",
        engaged_at=None,
        categories=("vcs", "media"),
        removed_at=NOW,
    ),
    engagement(profile=profile("bob", name="Bob\x1b[31m\nred"), importance=Importance(0.0), categories=()),
]
ALERT = Alert(
    alert_id="launch:1996518988151706001:reply:1996600000000000001",
    campaign_id="launch",
    engagement_id="1996518988151706001:reply:1996600000000000001",
    tweet_id="1996518988151706001",
    user_id="7",
    username="ann",
    action_type="reply",
    importance_score=31.0,
    is_vip=False,
    is_backlog=False,
    scheduled_send_time=NOW + timedelta(minutes=7),
    run_batch="2026-03-02T12:00Z",
    planned_at=NOW,
)
HOLD = Hold(HoldReason.QUIET_HOURS, "quiet hours 22:00-07:00 Europe/Berlin", NOW + timedelta(hours=9))
ALERTS = [
    AlertListing(ALERT, engagement(), ()),
    AlertListing(replace(ALERT, status=AlertStatus.HELD, hold=HOLD, is_vip=True), None, ()),
    AlertListing(
        replace(ALERT, status=AlertStatus.DEAD),
        engagement(),
        (
            DeliveryRecord(
                "slack", "webhook at hooks.slack.com", DeliveryStatus.DEAD, NOW, None, "HTTP 404 no_service"
            ),
            DeliveryRecord("email", "team@agency.example", DeliveryStatus.SENT, NOW, NOW),
        ),
    ),
]
MESSAGES = [
    MessageRecord(
        "launch-4f0c", "person", "slack", "webhook at hooks.slack.com", DeliveryStatus.DEAD, 2, 0, None,
        (Attempt(NOW, DeliveryStatus.FAILED, "HTTP 503"), Attempt(NOW, DeliveryStatus.DEAD, "HTTP 404 no_service")),
    ),
]  # fmt: skip
DONE = WorkResult(
    completed=1, unchanged=3, requeued=0, failed=1, requests=1, items=20, cost=300.0, engagements_new=1,
    snapshots=1, seconds=4.5, stopped=True, over_budget=2, rows_unreadable=1, last_error="HTTP 503",
)  # fmt: skip
STATUS = Status(
    campaigns_active=1,
    campaigns_unreadable={"broken": "cadence is 'sometimes'"},
    tweets=300,
    jobs={
        "metrics": {"pending": 3, "completed": 297},
        "retweets": {"failed": 1},
        "replies": {},
        "quotes": {},
    },
    lag_seconds=125.4,
    coverage={
        Kind("retweets"): Coverage(Kind("retweets"), 5121, 5100, 3, 1, NOW - timedelta(minutes=31)),
        Kind("replies"): Coverage(Kind("replies")),
    },
    gaps=(
        GapRow("metrics", NOW - timedelta(hours=9), None, "the provider does not answer", 1),
        GapRow("replies", NOW - timedelta(hours=19), NOW - timedelta(hours=18), "over budget", 12),
    ),
    limits=(
        LimitState("twitterapi.io account", 2.75, "the balance", 1412, 0.0, None, None),
        LimitState("x tweets", None, None, 0, 340.0, 75.0, "HTTP 503"),
    ),
    channels_off={"slack": "HTTP 404: no_service"},
    alerts=AlertTotals({"sent": 40, "dead": 2, "held": 3}, {"quiet hours": 3}, {"sent": 80, "dead": 2}),
    last_runs={
        "enqueue": RunRecord("r", "enqueue", NOW - timedelta(minutes=2), 0.0, {}),
        "work": RunRecord("r", "work", NOW - timedelta(seconds=100), 4.52, {}),
    },
    rows_unreadable=1,
)
USAGE = {"requests": 1260, "items": 20_000, "cost": 300_000.5, "usd": 3.0, "failed": 412}

CAMPAIGN = plain_campaign(vips=("ada",), threshold=12.5, ends_at=NOW + timedelta(days=5))
TOTALS = [
    CampaignTotals(CAMPAIGN, 300, 5121, 68, 1_234_567, 40),
    CampaignTotals(
        plain_campaign("a-much-longer-slug", name="A name that is long enough to be cut", ends_at=None),
        1,
        0,
        0,
        None,
        0,
    ),
]
TWEETS = [
    CampaignTweet(
        "launch", TWEET, TweetCategory.INFLUENCER, "https://x.com/i/status/1", NOW, "a_fifteen_chars", None,
        "We launched! A year of work, out today, and here is what it does.", NOW - timedelta(hours=9),
    ),
    CampaignTweet("launch", "1996518988151706111", TweetCategory.MAIN, "https://x.com/i/status/2", NOW),
]  # fmt: skip
COUNTED: dict[str, int | None] = {
    Kind("retweets"): 73,
    Kind("replies"): 12,
    Kind("quotes"): 4,
    "likes": 1234,
    "views": 491_231,
}
STATES = {
    TWEET: TweetState(TWEET, COUNTED),
    "1996518988151706111": TweetState("1996518988151706111"),
}
FOLLOWERS = tuple(
    Follower(f"somebody_{n}", 6.0 - n, name=f"Some Body {n}", source="build", seen_at=NOW - timedelta(days=n))
    for n in range(6)
)
ENTRIES = [IndexEntry("a_fifteen_chars", "7", FOLLOWERS), IndexEntry(None, "1234567890", FOLLOWERS[:1])]
PEOPLE = [
    ImportantPerson(
        "ada", 5.0, "7", "Ada Lovelace", "Fund Z, with a name as long as funds have", ("ai", "infra")
    ),
    ImportantPerson("a_fifteen_chars", None, None, None, None),
]
SILENCES = [Silence("s", NOW + timedelta(hours=2), NOW, "ops", "the party " * 9, "launch", "ada")]

COVERAGE = [
    CoverageRow(NOW - timedelta(hours=hours), kind, counter, collected, share, gaps, gaps * 30.0)
    for hours, kind, counter, collected, share, gaps in (
        (2, "retweets", 5_121, 5_100, 0.9959, 0),
        (2, "quotes", None, 0, None, 0),
        (1, "retweets", 5_121, 5_100, 0.9959, 300),
    )
]
INTERVALS = [
    Interval(
        NOW.replace(minute=0) - timedelta(hours=3 - n),
        {**dict.fromkeys(counter_names(), 1_234 * (n + 1)), "views": None},
        {**dict.fromkeys(counter_names(), 1_234 if n else 0), "views": None},
    )
    for n in range(3)
]
ESTIMATE = Estimate(
    300, Cadence.FIXED, NOW + timedelta(days=7), True, 1_500.0,
    {
        cadence: CadenceEstimate(Range(90_000, 120_000, 210_000), Range(400_000, 612_345, 1_000_000), 1_440.0)
        for cadence in Cadence
    },
    "the counters of 300 tweets, and what 2 campaigns here did",
)  # fmt: skip
GROWN = {name: count or 0 for name, count in COUNTED.items()}
AGES = {timedelta(hours=1): GROWN, timedelta(hours=24): None}
COMPARED = [
    (CAMPAIGN, AGES),
    (replace(CAMPAIGN, slug="a-much-longer-slug"), AGES),
]

SHOWN: dict[str, Callable[[Run], object]] = {
    "metrics coverage": lambda run: show_coverage(run, COVERAGE),
    "metrics series": lambda run: show_series(run, {"all": INTERVALS, "influencer": INTERVALS[1:]}),
    "campaign estimate": lambda _: show_estimate(ESTIMATE, 0.00001),
    "report compare": lambda run: show_compared(run, COMPARED),
    "importance show": lambda run: show_account(run, Account("ada", ENTRIES[0], PEOPLE[0]), now=NOW),
    "jobs list": lambda run: show_jobs(run, JOBS, now=NOW),
    "jobs show": lambda run: show_job(run, JOBS[2], now=NOW),
    "engagements list": lambda run: show_engagements(
        run, ENGAGEMENTS, {one.tweet_id: one for one in TWEETS}, now=NOW
    ),
    "status": lambda run: show_status(STATUS, now=NOW),
    "alerts list": lambda run: show_alerts(run, ALERTS, now=NOW),
    "alerts show": lambda run: show_alert(run, ALERTS[2], MESSAGES, now=NOW),
    "campaign list": lambda run: show_campaigns(run, TOTALS, now=NOW),
    "campaign show": lambda run: show_campaign(CAMPAIGN, TWEETS, STATES, looks={}, now=NOW),
    "importance list": lambda run: show_people(run, PEOPLE),
    "importance list index": lambda run: show_entries(run, ENTRIES),
    "alerts silence": lambda run: show_silences(run, SILENCES, now=NOW),
    "usage": lambda run: show_usage({**USAGE, "budget_left": None}, ""),
    "usage by campaign": lambda run: show_usage(
        {**USAGE, "budget_left": 1000.0, "rows": [{"campaign": "launch", **USAGE}]}, "campaign"
    ),
}


@pytest.mark.parametrize("width", ["80", "120"])
@pytest.mark.parametrize("name", SHOWN)
def test_what_a_table_command_prints(
    name: str, width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    SHOWN[name](Run())
    out, err = capsys.readouterr()
    assert err == ""
    assert max(len(line) for line in out.splitlines()) <= int(width)
    assert_text(f"{name.replace(' ', '-')}.{width}", out)


def test_a_campaign_that_was_completed_before_its_time_has_no_end_ahead(
    capsys: pytest.CaptureFixture[str],
) -> None:
    early = replace(CAMPAIGN, status=CampaignStatus.COMPLETED, ends_at=NOW + timedelta(days=3))
    show_campaigns(Run(), [CampaignTotals(early, 1, 0, 0, None, 0)], now=NOW)
    assert "in 3 d" not in capsys.readouterr().out


@pytest.mark.parametrize("width", ["20", "40", "60", "80"])
def test_a_narrow_window_keeps_whole_what_identifies_a_row(
    width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    show_jobs(Run(), JOBS, now=NOW)
    show_engagements(Run(), ENGAGEMENTS, {}, now=NOW)
    show_campaigns(Run(), TOTALS, now=NOW)
    show_campaign(CAMPAIGN, TWEETS, STATES, looks={}, now=NOW)
    show_people(Run(), PEOPLE)
    show_entries(Run(), ENTRIES)
    words = capsys.readouterr().out.split()
    assert {one.job_id for one in JOBS} <= set(words)
    assert {f"@{one.profile.username}" for one in ENGAGEMENTS} | {TWEET} <= set(words)
    assert {one.campaign.slug for one in TOTALS} | {one.tweet_id for one in TWEETS} <= set(words)
    assert {f"@{one.username}" for one in PEOPLE} | {"1234567890"} <= set(words)


def test_a_pipe_gets_every_column_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    show_jobs(Run(), [replace(JOBS[1], last_error="x" * 3000)], now=NOW)
    assert "x" * 3000 in capsys.readouterr().out


def test_what_is_not_there_is_told_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    show_jobs(Run(), [], now=NOW)
    show_engagements(Run(), [], {}, now=NOW)
    assert capsys.readouterr() == ("", "no matching jobs\nno matching engagements\n")


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (EnqueueResult(1, 1, 0, 0), "1 campaign: 1 job queued, 0 already queued"),
        (
            EnqueueResult(2, 1200, 1, 1),
            "2 campaigns: 1,200 jobs queued, 1 already queued, 1 campaign completed",
        ),
        (EnqueueResult(0, 0, 0, 2), "0 campaigns: 0 jobs queued, 0 already queued, 2 campaigns completed"),
    ],
)
def test_what_enqueue_says(done: EnqueueResult, text: str) -> None:
    assert enqueued_line(done) == text


def test_what_enqueue_would_do_is_said_as_such() -> None:
    said = enqueued_line(EnqueueResult(2, 1200, 1, 1), dry_run=True)
    assert said == "2 campaigns: would queue 1,200 jobs, 1 already queued, would complete 1 campaign"


def test_what_work_says() -> None:
    from dataclasses import asdict

    assert worked_line(asdict(DONE)) == (
        "1 job completed, 3 unchanged, 0 requeued, 1 failed in 4.5 s: 1 new engagement, 1 snapshot, 1 request"
    )
    assert list(work_warnings(asdict(DONE), early=True)) == [
        "1 job failed; see: socap jobs list --status failed",
        "2 jobs skipped, over budget; see: socap usage --by campaign",
        "1 row of responses skipped: could not be parsed; see the log",
        "stopped before the queue was empty; the next run continues (last error: HTTP 503)",
    ]
    assert list(work_warnings(asdict(WorkResult()), early=False)) == []


def test_what_a_worker_shows_while_it_works() -> None:
    assert progress_line(DONE) == "1 new engagement, 1 request, 300 credits, last error: HTTP 503"


@pytest.mark.parametrize(
    "command", ["", "work", "enqueue", "status", "usage", "jobs list", "jobs show", "jobs retry"]
)
def test_what_help_says(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert execute([*command.split(), "--help"]) == 0
    assert_text(f"help-{command.replace(' ', '-') or 'socap'}", capsys.readouterr().out)
