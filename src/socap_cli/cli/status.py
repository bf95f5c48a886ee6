"""socap status."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, get_args

import typer

from socap_cli.bootstrap import look_policy
from socap_cli.cli import tables
from socap_cli.cli.options import choice, number, one_of
from socap_cli.cli.run import Run, bootstrap
from socap_cli.errors import UsageError
from socap_cli.files import STDOUT, write_file
from socap_cli.model.cadence import Cadence, LookSummary
from socap_cli.model.engagement import Detection
from socap_cli.model.queue import JobStatus, LimitState, Usage
from socap_cli.status import Status, Trouble, gather, troubles
from socap_cli.status.prometheus import exposition
from socap_cli.store import usage as table
from socap_cli.store.connect import clock
from socap_cli.store.usage import By
from socap_cli.text import counted, duration, since

SUMS = ("counter", "collected", "removed")
MOST_GAPS_SHOWN = 5
CLEAR = "\x1b[2J\x1b[H"
COLUMNS = {"requests": "requests", "items": "items", "cost": "credits", "usd": "USD", "failed": "failed"}
"""Sums, with the words for them."""


def status(
    ctx: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 when something fails, for monitoring.")
    ] = False,
    watch: Annotated[float, number("SECONDS", "Refresh until Ctrl-C.", min=0, show_default=False)] = 0.0,
    prometheus: Annotated[
        str, typer.Option(metavar="FILE|-", help="Also write metrics for Prometheus's textfile collector.")
    ] = "",
) -> None:
    """Show the queue by kind and status, last runs, coverage, and problems with what to do about them.

    Example: socap status
    """
    run: Run = ctx.obj
    if watch and (run.json or prometheus or check):
        raise UsageError(
            "--watch cannot be combined with --json, --check or --prometheus", hint="use one of them"
        )
    built = bootstrap(run)
    with built.database() as db:
        policy, clock_now = look_policy(built, db), clock(db)
        with suppress(KeyboardInterrupt):
            while watch:
                state, now = gather(db, policy), clock_now()
                run.print(f"{CLEAR if sys.stdout.isatty() else ''}{now:%Y-%m-%d %H:%M:%S}Z")
                show_status(state, troubles(state, wanted=built.settings, now=now), now=now)
                time.sleep(watch)
        if watch:
            return
        state, now = gather(db, policy), clock_now()
    problems = troubles(state, wanted=built.settings, now=now)
    if prometheus:
        write_file(prometheus, exposition(state, problems, now=now), mode=0o644)
    is_failing = any(one.state == "fail" for one in problems)
    run.done(
        {**_result(state), "troubles": [asdict(one) for one in problems]},
        text=(lambda: show_status(state, problems, now=now)) if prometheus != STDOUT else "",
        exit_code=1 if check and is_failing else 0,
    )


def _result(found: Status) -> dict[str, Any]:
    rows = found.coverage.values()
    return {
        "campaigns_active": found.campaigns_active,
        "campaigns_unreadable": list(found.campaigns_unreadable),
        "tweets": found.tweets,
        "jobs": found.jobs,
        "lag_seconds": found.lag_seconds,
        "coverage": {name: sum(getattr(row, name) for row in rows) for name in SUMS},
        "coverage_by_kind": {kind: asdict(row) for kind, row in found.coverage.items()},
        "rows_unreadable": found.rows_unreadable,
        "detection": asdict(found.detection),
        "looks": [asdict(one) for one in found.looks],
        "gaps": [asdict(gap) for gap in found.gaps],
        "limits": [{**asdict(one), "is_closed": one.is_closed} for one in found.limits],
        "channels_off": found.channels_off,
        "alerts": found.alerts.alerts,
        "alerts_held": found.alerts.holds,
        "deliveries": found.alerts.deliveries,
        "last_runs": {
            command: {"started_at": last.started_at, "seconds": last.seconds}
            for command, last in found.last_runs.items()
        },
    }


def show_status(found: Status, problems: Sequence[Trouble] = (), *, now: datetime) -> None:
    """The queue and the coverage as tables, then a line per note; problems stand last."""
    states = [status.value for status in JobStatus]
    tables.show(
        tables.Columns(("jobs", *states), numbers=states, drop=("completed",)),
        ([kind, *(counts.get(state, 0) for state in states)] for kind, counts in found.jobs.items()),
    )
    columns = (*SUMS, "unread")
    tables.show(
        tables.Columns(("coverage", *columns, "oldest pass"), numbers=columns, drop=("unread", "removed")),
        (
            [kind, *(getattr(row, name) for name in columns), row.oldest_pass_at]
            for kind, row in found.coverage.items()
        ),
        now=now,
    )
    tables.pairs([*_notes(found, now), *((one.state, f"{one.message} – {one.hint}") for one in problems)])


def _notes(found: Status, now: datetime) -> Iterator[tuple[str, str]]:
    yield "campaigns", f"{found.campaigns_active:,} active, {counted(found.tweets, 'tweet')}"
    yield "lag", duration(found.lag_seconds)
    yield from _detection(found.detection)
    for campaign in found.looks:
        yield f"polls {campaign.campaign}", _polls(campaign, now)
    for command, last in found.last_runs.items():
        took = f", took {last.seconds:.1f} s" if last.seconds else ""
        yield f"last {command}", f"{since(last.started_at, now)}{took}"
    for slug, reason in found.campaigns_unreadable.items():
        yield "unreadable", f"campaign {slug} is skipped: {reason} in its document"
    if found.rows_unreadable:
        rows = counted(found.rows_unreadable, "unreadable row")
        yield "left out", f"{rows} of responses in the last run of work"
    for gap in found.gaps[:MOST_GAPS_SHOWN]:
        tweets = counted(gap.tweets, "tweet")
        yield "gap", f"{gap.begins_at:%Y-%m-%d %H:%M}Z {gap.kind}, {tweets}, {gap.reason}"
    for one in found.limits:
        yield from _limit(one)
    for name, reason in found.channels_off.items():
        yield "channel off", f"{name}: {reason}; correct it, then: socap alerts retry"
    for name, count in found.alerts.holds.items():
        yield "alerts held", f"{count:,}: {name}"
    for name in ("dead", "unknown"):
        if (dead := found.alerts.alerts.get(name)) is not None:
            yield f"alerts {name}", f"{dead:,}; see: socap alerts list --status {name}"


def _detection(found: Detection) -> Iterator[tuple[str, str]]:
    for name, delay in (("time to detect", found.stored), ("time to alert", found.told)):
        if delay is not None:
            half, most = duration(delay.median), duration(delay.ninety)
            posts = counted(delay.count, "reply or quote", "replies and quotes")
            yield name, f"{half} (median), {most} (90 %), {posts} of the last 24 hours"


def _polls(one: LookSummary, now: datetime) -> str:
    due = f", {one.due:,} due" if one.due else ""
    if one.next_at is None or one.last_at is None:
        return f"{one.cadence}{due}"
    why = f" ({one.why})" if one.cadence == Cadence.ADAPTIVE else ""
    return f"{one.cadence}{due}, next {since(one.next_at, now)}{why}, all {since(one.last_at, now)}"


def _limit(one: LimitState) -> Iterator[tuple[str, str]]:
    if one.silent_for is not None:
        yield "outage", f"{one.scope}: no response for {duration(one.silent_for)}, probed; {one.reason}"
    if one.blocked_for:
        yield "rate limit", f"{one.scope}: reached, for {duration(one.blocked_for)}"
    refused = f"; {one.refused:,} refused" if one.refused else ""
    if one.rate is not None:
        yield "rate", f"{one.scope}: {one.rate:.1f} requests/s, from {one.source}{refused}"
    elif refused:
        yield "rate", f"{one.scope}: {one.refused:,} refused"


def usage(
    ctx: typer.Context,
    by: Annotated[str, choice("campaign|endpoint|day", help="Break the sums down.")] = "",
) -> None:
    """Requests, items and money so far, and what is left of today's budget.

    Example: socap usage --by campaign
    """
    run: Run = ctx.obj
    wanted: By | None = one_of(by, get_args(By), "break-down") if by else None  # type: ignore[assignment]
    built = bootstrap(run)
    with built.database() as db:
        total = next(iter(table.summed(db)), Usage(None))
        rows = table.summed(db, wanted) if wanted else []
        spent = table.spent(db, f"{run.now():%Y-%m-%d}")
    today = sum(spent.values())
    price, limit = built.settings.provider.usd_per_credit, built.settings.budget.day_hard
    result = _priced(total, price)
    result["budget_left"] = round(max(0.0, limit - today), 2) if limit else None
    if by:
        result["rows"] = [{by: row.of, **_priced(row, price)} for row in rows]
    run.done(result, text=lambda: show_usage(result, by))


def _priced(sums: Usage, usd_per_credit: float) -> dict[str, Any]:
    row = asdict(sums)
    del row["of"]
    return {**row, "usd": round(sums.cost * usd_per_credit, 4)}


def show_usage(result: Mapping[str, Any], by: str) -> None:
    body = [[row[by], *_cells(row)] for row in result.get("rows", [])]
    labels = tuple(COLUMNS.values())
    tables.show(
        tables.Columns((by or "of", *labels), numbers=labels, drop=("failed", "items")),
        [*body, ["all", *_cells(result)]],
    )
    if result["budget_left"] is not None:
        tables.pairs([("budget left today", f"{result['budget_left']:,.0f} credits")])


def _cells(row: Mapping[str, Any]) -> list[Any]:
    """A row's figures; money with its cents."""
    return [f"{row[name]:,.2f}" if name == "usd" else row[name] for name in COLUMNS]
