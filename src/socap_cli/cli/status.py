"""socap status."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import typer

from socap_cli.cli import tables
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.model import JobStatus, LimitState
from socap_cli.status.gather import Status, gather

SUMS = ("counter", "collected", "removed")
MOST_GAPS_SHOWN = 5


def status(ctx: typer.Context) -> None:
    """The queue by kind and status, last runs, coverage, and endpoints that are closed."""
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        found = gather(db)
    run.done(_result(found), text=lambda: _show(found))


def _result(found: Status) -> dict[str, Any]:
    rows = found.coverage.values()
    return {
        "campaigns_active": found.campaigns_active,
        "campaigns_unreadable": found.campaigns_unreadable,
        "tweets": found.tweets,
        "jobs": found.jobs,
        "lag_seconds": found.lag_seconds,
        "coverage": {name: sum(getattr(row, name) for row in rows) for name in SUMS},
        "coverage_by_kind": {kind: asdict(row) for kind, row in found.coverage.items()},
        "rows_unreadable": found.rows_unreadable,
        "gaps": [asdict(gap) for gap in found.gaps],
        "limits": [{**asdict(one), "is_closed": one.is_closed} for one in found.limits],
        "channels_off": found.channels_off,
        "deliveries": found.deliveries,
        "last_runs": {
            command: {"started_at": last.started_at, "seconds": last.seconds}
            for command, last in found.last_runs.items()
        },
    }


def _show(found: Status) -> None:
    states = [status.value for status in JobStatus]
    tables.show(
        ("jobs", *states),
        ([kind, *(counts.get(state, 0) for state in states)] for kind, counts in found.jobs.items()),
        numbers=states,
    )
    columns = (*SUMS, "unread")
    tables.show(
        ("coverage", *columns, "oldest"),
        (
            [kind, *(getattr(row, name) for name in columns), row.oldest_pass_at]
            for kind, row in found.coverage.items()
        ),
        numbers=columns,
    )
    tables.pairs(list(_notes(found)))


def _notes(found: Status) -> Iterator[tuple[str, Any]]:
    yield "lag", f"{found.lag_seconds:.0f} s"
    for command, last in found.last_runs.items():
        yield f"last {command}", last.started_at
    for slug in found.campaigns_unreadable:
        yield "unreadable", f"the document of campaign {slug}: it is skipped; a field is missing or wrong"
    if found.rows_unreadable:
        yield "left out", f"{found.rows_unreadable} rows of answers could not be read in the last run of work"
    for gap in found.gaps[:MOST_GAPS_SHOWN]:
        yield "gap", f"{gap.begins_at:%m-%d %H:%M} {gap.kind}, {gap.tweets} tweets, {gap.reason}"
    for one in found.limits:
        yield from _limit(one)
    for mark, reason in found.channels_off.items():
        yield "channel off", f"{mark}: {reason}"


def _limit(one: LimitState) -> Iterator[tuple[str, Any]]:
    if one.silent_for is not None:
        yield "no answer", f"{one.scope}: for {one.silent_for:.0f} s, asked every few seconds; {one.reason}"
    if one.blocked_for:
        yield "closed", f"{one.scope}: the provider limits it, for {one.blocked_for:.0f} s"
    refused = f"; {one.refused} refused" if one.refused else ""
    if one.rate is not None:
        yield "rate", f"{one.scope}: {one.rate:.1f} requests/s, from {one.source}{refused}"
    elif refused:
        yield "rate", f"{one.scope}: {one.refused} refused"
