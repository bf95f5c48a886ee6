"""The state that `socap status` shows, and the rules that find problems in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from socap_cli.client.looks import LookPolicy, summarized
from socap_cli.model.alert import AlertTotals
from socap_cli.model.cadence import LookSummary
from socap_cli.model.campaign import CampaignStatus
from socap_cli.model.engagement import Detection
from socap_cli.model.kinds import Kind
from socap_cli.model.list_state import Coverage, GapRow, coverage_of, gaps_of
from socap_cli.model.queue import LimitState, RunRecord
from socap_cli.settings import Settings
from socap_cli.store import Db, alert_queue, campaigns, jobs, rate_limits, usage, worker_state
from socap_cli.store.connect import clock
from socap_cli.store.engagements import detection

COMMANDS = ("enqueue", "work", "alerts send", "report render")
MOST_GAPS = 20
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Status:
    """Everything that `status` shows, as of one moment."""

    campaigns_active: int
    campaigns_unreadable: Mapping[str, str]
    """By slug, why the document is invalid."""
    tweets: int
    jobs: Mapping[str, Mapping[str, int]]
    """{kind: {status: jobs}}."""
    lag_seconds: float
    coverage: Mapping[Kind, Coverage]
    gaps: tuple[GapRow, ...]
    limits: tuple[LimitState, ...]
    channels_off: Mapping[str, str]
    alerts: AlertTotals
    last_runs: Mapping[str, RunRecord]
    rows_unreadable: int
    """Rows of answers that the last run of `work` had to leave out."""
    alerts_due_since: datetime | None = None
    """When the oldest alert or message should have gone out that has not; None when nothing is late."""
    spent_today: float = 0.0
    """Credits, since midnight UTC."""
    detection: Detection = field(default_factory=Detection)
    """How late replies and quotes were found in the last 24 hours."""
    looks: tuple[LookSummary, ...] = ()
    """When the tweets of each campaign are looked at next."""

    @property
    def oldest_pass_at(self) -> datetime | None:
        """The oldest last pass of any list."""
        return min((row.oldest_pass_at for row in self.coverage.values() if row.oldest_pass_at), default=None)


DAY_SECONDS = 86_400.0
LEAST_COUNTED = 50
"""Engagements below which a share says nothing."""
LEAST_SHARE = 0.9
"""Of what the counters say: less than this that is collected is less than a provider usually shows."""
ADAPTIVE_LATE = timedelta(minutes=15)
"""How seldom `enqueue` may run where a tweet may be due every few minutes."""
ALERTS_LATE = timedelta(minutes=30)
PACE_AFTER = 0.1
"""Part of a day after which its pace is judged."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that somebody should look at."""

    area: str
    state: str
    """warn or fail."""
    message: str
    hint: str


Found = Iterator[tuple[str, str, str]]
"""State, message, hint."""


def _alerts(found: Status, _wanted: Settings, now: datetime) -> Found:
    for name, reason in found.channels_off.items():
        yield "fail", f"{name} is off: {reason}", "correct it, then: socap alerts retry"
    for state, word in (("dead", "fail"), ("unknown", "warn")):
        if count := found.alerts.deliveries.get(state, 0):
            said = f"1 delivery is {state}" if count == 1 else f"{count:,} deliveries are {state}"
            yield word, said, f"socap alerts list --status {state}, then: socap alerts retry"
    due = found.alerts_due_since
    if due is not None and now - due > ALERTS_LATE:
        said = f"alerts have been due since {due:%Y-%m-%d %H:%M}Z"
        yield "fail", said, "see that socap alerts send runs every few minutes"


def _budget(found: Status, wanted: Settings, now: datetime) -> Found:
    soft, hard, spent = wanted.budget.day_soft, wanted.budget.day_hard, found.spent_today
    part = (now.hour * 3600 + now.minute * 60 + now.second) / DAY_SECONDS
    see = "socap usage --by campaign; raise [budget], or watch fewer tweets"
    if hard and spent >= hard:
        yield "fail", f"the day's {hard:,.0f} credits are spent: nothing is read until midnight UTC", see
    elif soft and spent >= soft:
        yield "warn", f"{spent:,.0f} credits are spent, more than {soft:,.0f}: only counters are read", see
    elif hard and part > PACE_AFTER and spent / part > hard:
        at = now + timedelta(seconds=(hard - spent) / spent * part * DAY_SECONDS)
        yield "warn", f"at this pace the day's {hard:,.0f} credits are spent at {at:%H:%M}Z", see


def _campaigns(found: Status, _wanted: Settings, _now: datetime) -> Found:
    for slug, reason in found.campaigns_unreadable.items():
        message = f"campaign {slug} is skipped: {reason} in its document"
        yield "fail", message, "correct it in the database, or: socap campaign apply FILE"


def _coverage(found: Status, _wanted: Settings, _now: datetime) -> Found:
    for kind, row in found.coverage.items():
        if row.counter >= LEAST_COUNTED and not row.unread and row.matched < LEAST_SHARE * row.counter:
            share = row.matched / row.counter
            said = f"{share:.0%} of {row.counter:,} {kind} are collected"
            hint = "private accounts are not shown; else: socap enqueue --verify, then socap work"
            yield "warn", said, hint


def _jobs(found: Status, _wanted: Settings, _now: datetime) -> Found:
    failed = sum(counts.get("failed", 0) for counts in found.jobs.values())
    if failed:
        said = "1 job failed" if failed == 1 else f"{failed:,} jobs failed"
        yield "warn", said, "socap jobs list --status failed, then: socap jobs retry"
    if found.rows_unreadable:
        said = f"{found.rows_unreadable:,} rows of answers could not be read in the last run of work"
        yield "warn", said, "see the log; the provider may have changed its answers"


def _outage(found: Status, _wanted: Settings, now: datetime) -> Found:
    for one in found.limits:
        if one.silent_for is not None:
            since = now - timedelta(seconds=one.silent_for)
            said = f"{one.scope} has not answered since {since:%Y-%m-%d %H:%M}Z: {one.reason}"
            yield "fail", said, "nothing is lost, the next run continues; see the provider's own status"
        elif one.blocked_for > 0:
            until = now + timedelta(seconds=one.blocked_for)
            yield "warn", f"{one.scope} is closed by the provider until {until:%Y-%m-%d %H:%M}Z", "wait"
    if (work := found.last_runs.get("work")) is not None and work.refused:
        said = f"socap work read nothing at {work.started_at:%Y-%m-%d %H:%M}Z: {work.refused}"
        yield "fail", said, work.result.get("hint") or "socap doctor asks the provider"


def _runs(found: Status, wanted: Settings, now: datetime) -> Found:
    if not found.tweets:
        return
    limit = timedelta(minutes=wanted.collection.gap_after_minutes)
    last = found.last_runs.get("enqueue")
    look = "check cron, the timer or n8n: socap enqueue should run every 30 minutes"
    if last is None:
        yield "warn", f"{found.tweets:,} tweets are watched, and socap enqueue never ran", look
    elif now - last.started_at > limit:
        yield "fail", f"socap enqueue ran last at {last.started_at:%Y-%m-%d %H:%M}Z", look
    elif now - last.started_at > ADAPTIVE_LATE and any(one.is_adaptive for one in found.looks):
        said = f"a campaign is adaptive, and socap enqueue ran last at {last.started_at:%Y-%m-%d %H:%M}Z"
        yield "warn", said, "let enqueue and work run every five minutes"
    work = found.last_runs.get("work")
    is_away = any(one.is_closed for one in found.limits) or (work is not None and work.refused)
    if found.lag_seconds > limit.total_seconds() and not is_away:
        said = f"jobs have been waiting for {found.lag_seconds / 60:,.0f} min"
        if work is not None and now - work.started_at - timedelta(seconds=work.seconds) <= limit:
            hint = "the rate limit or --max-runtime leaves them to later cycles; see: socap jobs list"
            yield "warn", said, hint
        else:
            yield "fail", said, "see that socap work runs, and whether its --max-runtime suffices"


RULES: dict[str, Callable[[Status, Settings, datetime], Found]] = {
    "outage": _outage,
    "campaigns": _campaigns,
    "runs": _runs,
    "jobs": _jobs,
    "alerts": _alerts,
    "coverage": _coverage,
    "budget": _budget,
}


def gather(db: Db, policy: LookPolicy | None = None) -> Status:
    """The state of the queue, the lists, the provider and the channels; with a policy, the looks to come."""
    now = clock(db)()
    active = campaigns.listed(db, CampaignStatus.ACTIVE)
    tweet_ids = {tweet_id for campaign in active for tweet_id in campaigns.tweet_ids_of(db, campaign.slug)}
    states = list(worker_state.load(db, tweet_ids).values())
    last = {command: run for command in COMMANDS if (run := usage.last(db, command)) is not None}
    return Status(
        campaigns_active=len(active),
        campaigns_unreadable=campaigns.unreadable(db),
        tweets=len(tweet_ids),
        jobs=jobs.count_by_status(db),
        lag_seconds=jobs.lag(db),
        coverage=coverage_of(states),
        gaps=gaps_of(states)[:MOST_GAPS],
        limits=tuple(rate_limits.states(db)),
        channels_off={
            f"{one.channel} ({one.receiver})": one.reason for one in rate_limits.switched_off(db).values()
        },
        alerts=alert_queue.totals(db),
        last_runs=last,
        rows_unreadable=int(last["work"].result.get("rows_unreadable", 0)) if "work" in last else 0,
        alerts_due_since=alert_queue.due_since(db, now=now),
        spent_today=sum(usage.spent(db, f"{now:%Y-%m-%d}").values()),
        detection=detection(db, [one.slug for one in active], list(tweet_ids), since=now - DAY),
        looks=tuple(summarized(db, one, policy, now=now) for one in active if policy is not None),
    )


def troubles(found: Status, *, wanted: Settings, now: datetime) -> tuple[Trouble, ...]:
    """Everything that is wrong, in the order in which it should be looked at."""
    return tuple(Trouble(area, *one) for area, rule in RULES.items() for one in rule(found, wanted, now))
