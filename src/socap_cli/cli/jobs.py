"""socap jobs …"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from socap_cli.campaigns import register
from socap_cli.cli import tables
from socap_cli.cli.options import Limit, OnlyCampaign, one_of
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import SocapError
from socap_cli.model import JobRecord, JobStatus
from socap_cli.store import jobs, queue_view

app = typer.Typer(help="Look into the queue.", no_args_is_help=True)


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[
        str, typer.Option("--status", "--state", metavar="pending|processing|completed|failed")
    ] = "",
    campaign: OnlyCampaign = "",
    limit: Limit = 50,
) -> None:
    """List jobs, the next due first."""
    run: Run = ctx.obj
    wanted = JobStatus(one_of(status, JobStatus, "state")) if status else None
    with bootstrap(run).database() as db:
        only = register.find(db, campaign).slug if campaign else None
        found = queue_view.listed(db, status=wanted, campaign_id=only, limit=limit)
    rows = [{name: value for name, value in asdict(job).items() if name != "traceback"} for job in found]
    run.done({"jobs": rows}, text=lambda: _show(run, found))


def _show(run: Run, found: Sequence[JobRecord]) -> None:
    if not found:
        run.info("no such job")
        return
    tables.show(
        ("job", "status", "due", "attempts", "outcome", "last error"),
        ([j.job_id, j.status, _due(j), j.attempts, j.outcome, j.last_error] for j in found),
        numbers=("attempts",),
    )


def _due(job: JobRecord) -> object:
    return job.due or ("in turn" if job.status is JobStatus.PENDING else None)


@app.command("show")
def show(
    ctx: typer.Context, job: Annotated[str, typer.Argument(metavar="JOB", help="As `jobs list` names it.")]
) -> None:
    """Show everything about one job, the traceback of an unforeseen error included."""
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        found = queue_view.find(db, job)
    if found is None:
        raise SocapError(f"no job {job!r}", hint="see: socap jobs list")

    def draw() -> None:
        rows = {name.replace("_", " "): value for name, value in asdict(found).items()}
        text = rows.pop("traceback")
        tables.pairs(rows.items())
        if text:
            run.print(str(text))

    run.done({"job": asdict(found)}, text=draw)


@app.command("retry")
def retry(
    ctx: typer.Context,
    job: Annotated[list[str], typer.Argument(metavar="[JOB]…", help="Failed jobs (default: all).")] = [],  # noqa: B006
    campaign: OnlyCampaign = "",
) -> None:
    """Arm failed jobs again."""
    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        only = register.find(db, campaign).slug if campaign else None
        count = jobs.retry_failed(db, job, campaign_id=only)
    run.done({"jobs_armed": count}, text=f"{count} jobs armed again")
