"""socap enqueue, and socap jobs …"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import LOOK_FOR_IT, look_policy
from socap_cli.campaigns import adding
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, Limit, OnlyCampaign, choice, one_of
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap
from socap_cli.client.looks import adaptive_in_use
from socap_cli.enqueue import EnqueueResult, planned
from socap_cli.enqueue import enqueue as enqueue_jobs
from socap_cli.errors import SocapError
from socap_cli.importance.accounts import catch_up
from socap_cli.model.queue import JobRecord, JobStatus, RunRecord
from socap_cli.store import Db, campaigns, jobs, usage
from socap_cli.store.connect import clock
from socap_cli.text import counted

app = typer.Typer(help="Inspect the queue.", no_args_is_help=True)


LABELS = {
    "job_id": "job", "campaign_id": "campaign", "tweet_id": "tweet", "job_type": "collects", "status": "status",
    "due": "due", "outcome": "outcome", "last_error": "last error", "last_error_at": "failed",
    "claimed_by": "worked by", "claimed_at": "claimed", "created_at": "created", "updated_at": "changed",
    "finished_at": "ended",
}  # fmt: skip
"""Fields of a job in the order and words of `jobs show`."""


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[
        str,
        choice("pending|processing|completed|failed", "--status", help="Only these."),
    ] = "",
    campaign: OnlyCampaign = "",
    limit: Limit = 50,
) -> None:
    """List jobs, the next due first.

    Example: socap jobs list --status failed --campaign launch
    """
    run: Run = ctx.obj
    wanted = JobStatus(one_of(status, JobStatus, "job status")) if status else None
    with bootstrap(run).database() as db:
        only = adding.find(db, campaign).slug if campaign else None
        found, total = jobs.listed(db, status=wanted, campaign_id=only, limit=limit)
    rows = [{name: value for name, value in asdict(job).items() if name != "traceback"} for job in found]
    run.done({"jobs": rows, "total": total}, text=lambda: show_jobs(run, found, now=run.now()))


def show_jobs(run: Run, found: Sequence[JobRecord], *, now: datetime) -> None:
    if not found:
        run.info("no matching jobs")
        return
    tables.show(
        tables.Columns(
            ("job", "status", "due", "outcome", "last error"), drop=("last error", "outcome", "due")
        ),
        (
            [
                j.job_id,
                j.status,
                j.due or ("in turn" if j.status is JobStatus.PENDING else None),
                j.outcome,
                j.last_error,
            ]
            for j in found
        ),
        now=now,
        fold=True,
    )


@app.command("show")
def show(
    ctx: typer.Context, job: Annotated[str, typer.Argument(metavar="JOB", help="As `jobs list` names it.")]
) -> None:
    """Show everything about one job, including the traceback of an unexpected error.

    Example: socap jobs show launch:9651898815170611:retweets
    """
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        found = _find(db, job)
    run.done({"job": found}, text=lambda: show_job(run, found, now=run.now()))


def show_job(run: Run, job: JobRecord, *, now: datetime) -> None:
    known = [(label, getattr(job, name)) for name, label in LABELS.items() if getattr(job, name) is not None]
    tables.pairs([*known, ("attempts", f"{job.attempts} of {job.max_attempts}")], now=now)
    if job.traceback:
        run.print(job.traceback.rstrip())


@app.command("retry")
def retry(
    ctx: typer.Context,
    job: Annotated[list[str], typer.Argument(metavar="JOB", help="Failed jobs (default: all).")] = [],  # noqa: B006
    campaign: OnlyCampaign = "",
    dry_run: DryRun = False,
) -> None:
    """Queue failed jobs again.

    Example: socap jobs retry --campaign launch
    """
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        only = adding.find(db, campaign).slug if campaign else None
        named = [_find(db, job_id) for job_id in job]
        warnings = [
            f"{j.job_id} is {j.status}: left alone" for j in named if j.status is not JobStatus.FAILED
        ]
        count = jobs.retry_failed(db, job, campaign_id=only, dry_run=dry_run)
    run.done(
        {"jobs_armed": count, **({"dry_run": True} if dry_run else {})},
        text=f"would queue {counted(count, 'job')}" if dry_run else f"{counted(count, 'job')} queued again",
        warnings=warnings,
        exit_code=PARTLY_DONE if warnings else 0,
    )


def _find(db: Db, job_id: str) -> JobRecord:
    found = jobs.find(db, job_id)
    if found is None:
        raise SocapError(f"job {job_id!r} not found", hint="see: socap jobs list")
    return found


def enqueue(
    ctx: typer.Context,
    campaign: OnlyCampaign = "",
    verify: Annotated[bool, typer.Option("--verify", help="Read every list in full.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Queue every tweet, whether its poll is due or not.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Queue the jobs of all active campaigns within their dates. Running it twice changes nothing.

    With adaptive campaigns, run it every five minutes: it queues what is due.

    Example: socap enqueue --campaign launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        now = clock(db)()  # the server's clock decides which campaigns run
        only = adding.find(db, campaign) if campaign else None
        policy = look_policy(built, db)
        looks = policy if adaptive_in_use(db, policy) and not everything else None
        if dry_run:
            done = planned(db, only=only, verify=verify, looks=looks, now=now)
            result = {**_counts(done), "dry_run": True}
        else:
            done = enqueue_jobs(
                db,
                only=only,
                verify=verify,
                looks=looks,
                now=now,
                max_attempts=built.settings.worker.max_attempts,
                patience=built.settings.database.patience,
            )
            rescored = catch_up(db, built.importance(), built.rules(), now=now)
            result = {**_counts(done), "engagements_rescored": rescored.changed}
            usage.record_run(db, RunRecord(run.run_id, "enqueue", run.now(), 0.0, result))
        warnings = [*done.warnings, *adding.left_out(db)]
        if not campaigns.any_at_all(db):
            warnings.append(f"there is no campaign in {built.place}; if you have one, {LOOK_FOR_IT}")
    if only is not None and not done.campaigns and not done.campaigns_completed:
        warnings.append(f"{campaign} is {only.status.value} or outside its dates: nothing queued")
    run.done(
        result,
        text=enqueued_line(done, dry_run=dry_run),
        warnings=warnings,
        exit_code=PARTLY_DONE if done.warnings else 0,
    )


def _counts(done: EnqueueResult) -> dict[str, Any]:
    return {name: value for name, value in asdict(done).items() if name != "warnings"}


def enqueued_line(done: EnqueueResult, *, dry_run: bool = False) -> str:
    jobs, over = counted(done.jobs_armed, "job"), counted(done.campaigns_completed, "campaign")
    queued = f"would queue {jobs}" if dry_run else f"{jobs} queued"
    completed = ""
    if done.campaigns_completed:
        completed = f", would complete {over}" if dry_run else f", {over} completed"
    return f"{counted(done.campaigns, 'campaign')}: {queued}, {done.jobs_already_open:,} already queued{completed}"
