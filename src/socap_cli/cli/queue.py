"""enqueue, work and status."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from socap_cli.cli.live import Watch, watching
from socap_cli.cli.run import INTERRUPTED, PARTLY_DONE, Run
from socap_cli.errors import SocapError

if TYPE_CHECKING:
    from socap_cli.cli.shop import Shop

STOPPED_WITHIN = 3.6
"""Seconds after a signal."""


def enqueue(
    ctx: typer.Context,
    campaign: Annotated[str, typer.Option(metavar="SLUG", help="Only this campaign.")] = "",
    verify: Annotated[bool, typer.Option("--verify", help="Ask for a full reading of every list.")] = False,
) -> None:
    """Arm the jobs of all active campaigns inside their window. Running it twice changes nothing."""
    from socap_cli.cli.shop import Shop
    from socap_cli.enqueue import enqueue as stage
    from socap_cli.store import campaigns, runs

    run: Run = ctx.obj
    shop = Shop(run)
    with shop.database() as db:
        only = None
        if campaign:
            only = campaigns.find(db, campaign)
            if only is None:
                from socap_cli.campaigns import register as campaigns_stage

                campaigns_stage.find(db, campaign)
        now = run.now()
        done = stage(
            db,
            now=now,
            only=only,
            verify=verify,
            max_attempts=shop.settings.worker.max_attempts,
            patience=shop.settings.database.patience,
        )
        result = asdict(done)
        warnings = result.pop("warnings")
        runs.record(db, "enqueue", run_id=run.run_id, started_at=now, seconds=0.0, result=result)
    if only is not None and not done.campaigns and not done.campaigns_completed:
        warnings = (*warnings, f"{campaign} is {only.status.value} or outside its window: nothing armed")
    text = (
        f"{done.campaigns} campaigns: {done.jobs_armed} jobs armed, {done.jobs_already_open} already open"
        + (f", {done.campaigns_completed} campaigns completed" if done.campaigns_completed else "")
    )
    run.done(result, text=text, warnings=warnings, exit_code=PARTLY_DONE if done.warnings else 0)


def work(
    ctx: typer.Context,
    concurrency: Annotated[
        int,
        typer.Option(
            min=0,
            help="Requests at a time in each process (default: pool_size × concurrency of the configuration).",
        ),
    ] = 0,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes on this host.")] = 1,
    max_runtime: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Stop claiming after this time.")
    ] = 0.0,
    wait: Annotated[bool, typer.Option("--wait", help="Stay when the queue is dry; work for ever.")] = False,
    progress: Annotated[
        str,
        typer.Option(metavar="auto|json", help="json: an object a second on stderr, for other programs."),
    ] = "auto",
) -> None:
    """Work the queue until it is dry. SIGTERM and Ctrl-C finish or give back what is running."""
    from socap_cli.cli.shop import Shop

    run: Run = ctx.obj
    shop = Shop(run)
    shop.key()
    with watching(run, progress) as watch:
        if processes > 1:
            from socap_cli.cli.processes import work_in_processes

            options = ["--concurrency", str(concurrency), "--max-runtime", str(max_runtime)]
            done = work_in_processes(run, processes, [*options, *(["--wait"] if wait else [])], watch)
        else:
            done = _work_here(run, shop, watch, concurrency=concurrency, max_runtime=max_runtime, wait=wait)
    _tell_work(run, done, wait=wait)


def _work_here(
    run: Run, shop: Shop, watch: Watch | None, *, concurrency: int, max_runtime: float, wait: bool
) -> dict[str, Any]:
    """Work the queue in this process, until it is dry or a signal comes."""
    from socap_cli.store import runs
    from socap_cli.work.pool import SEATS_A_REQUEST, Pool

    wanted = shop.settings.worker
    at_once = concurrency or wanted.at_once
    stop = threading.Event()
    started = run.now()
    with shop.database() as db, shop.provider() as provider, _stopping(run, stop):
        pool = Pool(
            shop.desk(db, provider, now=run.now, stop=stop, at_once=at_once),
            seats=SEATS_A_REQUEST * at_once,
            lease=wanted.lease,
            max_runtime=float("inf") if wait and not max_runtime else max_runtime or wanted.max_runtime,
            forever=wait,
            watch=watch,
        )
        done = pool.run()
        record = partial(runs.record, db, "work", run_id=run.run_id, started_at=started, seconds=done.seconds)
        pool.desk.insist(partial(record, result=asdict(done)))
    return asdict(done)


def _tell_work(run: Run, done: dict[str, Any], *, wait: bool) -> None:
    text = (
        f"{done['completed']} jobs completed, {done['unchanged']} unchanged, {done['requeued']} requeued, "
        f"{done['failed']} failed in {done['seconds']:.1f} s: {done['engagements_new']} new engagements, "
        f"{done['snapshots']} snapshots, {done['requests']} requests"
    )
    warnings = []
    if done["failed"]:
        warnings.append(f"{done['failed']} jobs failed; see: socap jobs list --state failed")
    if done["over_budget"]:
        warnings.append(
            f"{done['over_budget']} jobs were not worked, over budget; see: socap usage --by campaign"
        )
    if done.get("processes_restarted"):
        warnings.append(f"{done['processes_restarted']} workers died and were replaced")
    early = done["stopped"] and not wait  # a worker that works for ever is stopped by whoever runs it
    if early:
        why = f" (the last trouble: {done['last_error']})" if done["last_error"] else ""
        warnings.append(f"stopped before the queue was dry; the next run goes on{why}")
    run.done(
        done,
        text=text,
        warnings=warnings,
        exit_code=PARTLY_DONE if done["failed"] or done["over_budget"] or early else 0,
    )


@contextmanager
def _stopping(run: Run, stop: threading.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT asks for a stop, a second SIGINT ends at once.

    What has not stopped in time, since the database does not answer, is left to the leases.
    """

    def give_up() -> None:
        gone = SocapError(
            "stopped while the database did not answer", hint="its leases run out by themselves"
        )
        os._exit(run.finish(gone))

    overdue = threading.Timer(STOPPED_WITHIN, give_up)
    overdue.daemon = True

    def handle(number: int, _frame: object) -> None:
        if stop.is_set():
            if number == signal.SIGINT:
                os._exit(INTERRUPTED)
            return
        stop.set()
        overdue.start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        overdue.cancel()
        for number, handler in before.items():
            signal.signal(number, handler)


def status(ctx: typer.Context) -> None:
    """The queue by kind and state, last runs, coverage, and endpoints that are closed."""
    from socap_cli.cli.shop import Shop
    from socap_cli.model import CampaignStatus, JobState
    from socap_cli.report.gather import gaps_of
    from socap_cli.store import alerts, campaigns, jobs, rate_limits, runs, worker_state

    run: Run = ctx.obj
    with Shop(run).database() as db:
        active = campaigns.listed(db, CampaignStatus.ACTIVE)
        tweet_ids = {
            tweet_id for campaign in active for tweet_id in campaigns.tweet_ids_of(db, campaign.slug)
        }
        states = worker_state.load(db, tweet_ids).values()
        per_kind = worker_state.coverage(states)
        totals = {
            name: sum(row[name] for row in per_kind.values()) for name in ("counter", "collected", "removed")
        }
        last = {
            command: runs.last(db, command) for command in ("enqueue", "work", "alerts send", "report render")
        }
        result: dict[str, Any] = {
            "campaigns_active": len(active),
            "tweets": len(tweet_ids),
            "jobs": jobs.count_by_state(db),
            "lag_seconds": jobs.lag(db),
            "coverage": totals,
            "coverage_by_kind": per_kind,
            "gaps": [asdict(gap) for gap in gaps_of(states)[:20]],
            "blocked": rate_limits.blocked(db),
            "channels_off": alerts.switched_off(db),
            "deliveries": alerts.counts(db),
            "last_runs": {
                c: {"started_at": r["started_at"], "seconds": r["seconds"]} for c, r in last.items() if r
            },
        }

    def show() -> None:
        from socap_cli.cli import tables

        states = [state.value for state in JobState]
        tables.show(
            ("jobs", *states),
            ([kind, *(counts.get(state, 0) for state in states)] for kind, counts in result["jobs"].items()),
            numbers=states,
        )
        columns = ("counter", "collected", "removed", "unread")
        tables.show(
            ("coverage", *columns, "oldest"),
            ([kind, *(row[c] for c in columns), row["oldest_pass_at"]] for kind, row in per_kind.items()),
            numbers=columns,
        )
        notes = [("lag", f"{result['lag_seconds']:.0f} s")]
        notes += [(f"last {command}", r["started_at"]) for command, r in last.items() if r]
        notes += [
            ("gap", f"{g['begins_at']:%m-%d %H:%M} {g['kind']}, {g['tweets']} tweets, {g['reason']}")
            for g in result["gaps"][:5]
        ]
        notes += [("closed", f"{b['endpoint']} for {b['seconds']:.0f} s") for b in result["blocked"]]
        notes += [("channel off", f"{mark}: {reason}") for mark, reason in result["channels_off"].items()]
        tables.pairs(notes)

    run.done(result, text=show)
