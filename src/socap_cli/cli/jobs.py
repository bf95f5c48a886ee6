"""socap jobs …"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from socap_cli.campaigns import register
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, Limit, OnlyCampaign, one_of
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.cli.wording import counted
from socap_cli.errors import SocapError
from socap_cli.model.queue import JobRecord, JobStatus
from socap_cli.store import Db, jobs, queue_view

app = typer.Typer(help="Look into the queue.", no_args_is_help=True)


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[
        str,
        typer.Option("--status", metavar="pending|processing|completed|failed", help="Only these."),
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
        only = register.find(db, campaign).slug if campaign else None
        found = queue_view.listed(db, status=wanted, campaign_id=only, limit=limit)
    rows = [{name: value for name, value in asdict(job).items() if name != "traceback"} for job in found]
    run.done({"jobs": rows}, text=lambda: show_jobs(run, found, now=run.now()))


def show_jobs(run: Run, found: Sequence[JobRecord], *, now: datetime) -> None:
    """A row for each job: when, which, and how it stands."""
    if not found:
        run.info("no job is like that")
        return
    tables.show(
        tables.Columns(
            ("due", "job", "status", "attempts", "outcome", "last error"),
            numbers=("attempts",),
            cut=("last error",),
            drop=("outcome", "attempts", "last error", "due"),
        ),
        ([_due(j), j.job_id, j.status, j.attempts, j.outcome, j.last_error] for j in found),
        now=now,
    )


def _due(job: JobRecord) -> object:
    return job.due or ("in turn" if job.status is JobStatus.PENDING else None)


@app.command("show")
def show(
    ctx: typer.Context, job: Annotated[str, typer.Argument(metavar="JOB", help="As `jobs list` names it.")]
) -> None:
    """Show everything about one job, the traceback of an unforeseen error included.

    Example: socap jobs show launch:9651898815170611:retweets
    """
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        found = _find(db, job)
    run.done({"job": found}, text=lambda: show_job(run, found, now=run.now()))


LABELS = {
    "job_id": "job", "campaign_id": "campaign", "tweet_id": "tweet", "job_type": "collects", "status": "status",
    "due": "due", "outcome": "outcome", "last_error": "last error", "last_error_at": "failed",
    "claimed_by": "worked by", "claimed_at": "claimed", "created_at": "created", "updated_at": "changed",
    "finished_at": "ended",
}  # fmt: skip
"""Fields of a job in the order and words of `jobs show`."""


def show_job(run: Run, job: JobRecord, *, now: datetime) -> None:
    """Everything about one job that is known, and the traceback of an unforeseen error."""
    known = [(label, getattr(job, name)) for name, label in LABELS.items() if getattr(job, name) is not None]
    tables.pairs([*known, ("attempts", f"{job.attempts} of {job.max_attempts}")], now=now)
    if job.traceback:
        run.print(job.traceback.rstrip())


@app.command("retry")
def retry(
    ctx: typer.Context,
    job: Annotated[list[str], typer.Argument(metavar="[JOB]…", help="Failed jobs (default: all).")] = [],  # noqa: B006
    campaign: OnlyCampaign = "",
    dry_run: DryRun = False,
) -> None:
    """Arm failed jobs again.

    Example: socap jobs retry --campaign launch
    """
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        only = register.find(db, campaign).slug if campaign else None
        warnings = [said for name in job if (said := _not_failed(db, name))]
        change = jobs.count_failed if dry_run else jobs.retry_failed
        count = change(db, job, campaign_id=only)
    would = "would arm " if dry_run else ""
    run.done(
        {"jobs_armed": count, **({"dry_run": True} if dry_run else {})},
        text=f"{would}{counted(count, 'job')}{'' if dry_run else ' armed again'}",
        warnings=warnings,
        exit_code=PARTLY_DONE if warnings else 0,
    )


def _not_failed(db: Db, job_id: str) -> str:
    """What to say of a job that did not fail; nothing of one that did. Raises SocapError for one that is none."""
    found = _find(db, job_id)
    return "" if found.status is JobStatus.FAILED else f"{job_id} is {found.status.value}: left alone"


def _find(db: Db, job_id: str) -> JobRecord:
    found = queue_view.find(db, job_id)
    if found is None:
        raise SocapError(f"no job {job_id!r}", hint="see: socap jobs list")
    return found
