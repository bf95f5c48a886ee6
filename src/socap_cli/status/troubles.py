"""What in the state of the program somebody should look at, and what to do about it. Pure.

Each area is a rule of its own: the state, the settings and the moment in, troubles out. `doctor` shows the areas one by
one, `status` what was found in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.config import Settings
from socap_cli.status.gather import Status

DAY = 86_400.0
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


def troubles(found: Status, *, wanted: Settings, now: datetime) -> tuple[Trouble, ...]:
    """Everything that is wrong, in the order in which it should be looked at."""
    return tuple(Trouble(area, *one) for area, rule in RULES.items() for one in rule(found, wanted, now))


def _outage(found: Status, _wanted: Settings, now: datetime) -> Found:
    for one in found.limits:
        if one.silent_for is not None:
            since = now - timedelta(seconds=one.silent_for)
            said = f"{one.scope} has not answered since {since:%Y-%m-%d %H:%M}Z: {one.reason}"
            yield "fail", said, "nothing is lost, the next run goes on; see the provider's own status"
        elif one.blocked_for > 0:
            until = now + timedelta(seconds=one.blocked_for)
            yield "warn", f"{one.scope} is closed by the provider until {until:%Y-%m-%d %H:%M}Z", "wait"
    if (work := found.last_runs.get("work")) is not None and work.refused:
        said = f"socap work read nothing at {work.started_at:%Y-%m-%d %H:%M}Z: {work.refused}"
        yield "fail", said, work.result.get("hint") or "socap doctor asks the provider"


def _campaigns(found: Status, _wanted: Settings, _now: datetime) -> Found:
    for slug in found.campaigns_unreadable:
        said = f"the document of campaign {slug} cannot be read: it is skipped"
        yield "fail", said, "mend it in the database, or: socap campaign apply FILE"


def _runs(found: Status, wanted: Settings, now: datetime) -> Found:
    if not found.tweets:
        return
    limit = timedelta(minutes=wanted.collection.gap_after_minutes)
    last = found.last_runs.get("enqueue")
    look = "look at cron, the timer or n8n: socap enqueue should run every half hour"
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
        yield "fail", said, "see that socap work runs, and whether its --max-runtime suffices"


def _jobs(found: Status, _wanted: Settings, _now: datetime) -> Found:
    failed = sum(counts.get("failed", 0) for counts in found.jobs.values())
    if failed:
        said = "1 job failed" if failed == 1 else f"{failed:,} jobs failed"
        yield "warn", said, "socap jobs list --status failed, then: socap jobs retry"
    if found.rows_unreadable:
        said = f"{found.rows_unreadable:,} rows of answers could not be read in the last run of work"
        yield "warn", said, "see the log; the provider may have changed its answers"


def _alerts(found: Status, _wanted: Settings, now: datetime) -> Found:
    for name, reason in found.channels_off.items():
        yield "fail", f"{name} is off: {reason}", "mend it, then: socap alerts retry"
    for state, word in (("dead", "fail"), ("unknown", "warn")):
        if count := found.alerts.deliveries.get(state, 0):
            said = f"1 delivery is {state}" if count == 1 else f"{count:,} deliveries are {state}"
            yield word, said, f"socap alerts list --status {state}, then: socap alerts retry"
    due = found.alerts_due_since
    if due is not None and now - due > ALERTS_LATE:
        said = f"alerts have been due since {due:%Y-%m-%d %H:%M}Z"
        yield "fail", said, "see that socap alerts send runs every few minutes"


def _coverage(found: Status, _wanted: Settings, _now: datetime) -> Found:
    for kind, row in found.coverage.items():
        if row.counter >= LEAST_COUNTED and not row.unread and row.collected < LEAST_SHARE * row.counter:
            share = row.collected / row.counter
            said = f"{share:.0%} of {row.counter:,} {kind} are collected"
            yield (
                "warn",
                said,
                "private accounts are not shown; else: socap enqueue --verify, then socap work",
            )


def _budget(found: Status, wanted: Settings, now: datetime) -> Found:
    soft, hard, spent = wanted.budget.day_soft, wanted.budget.day_hard, found.spent_today
    part = (now.hour * 3600 + now.minute * 60 + now.second) / DAY
    see = "socap usage --by campaign; raise [budget], or watch fewer tweets"
    if hard and spent >= hard:
        yield "fail", f"the day's {hard:,.0f} credits are spent: nothing is read until midnight UTC", see
    elif soft and spent >= soft:
        yield "warn", f"{spent:,.0f} credits are spent, more than {soft:,.0f}: only counters are read", see
    elif hard and part > PACE_AFTER and spent / part > hard:
        at = now + timedelta(seconds=(hard - spent) / spent * part * DAY)
        yield "warn", f"at this pace the day's {hard:,.0f} credits are spent at {at:%H:%M}Z", see


RULES: dict[str, Callable[[Status, Settings, datetime], Found]] = {
    "outage": _outage,
    "campaigns": _campaigns,
    "runs": _runs,
    "jobs": _jobs,
    "alerts": _alerts,
    "coverage": _coverage,
    "budget": _budget,
}
