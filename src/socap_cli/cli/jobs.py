"""socap jobs …"""

from __future__ import annotations

from typing import Annotated

import typer

from socap_cli.cli.options import Limit
from socap_cli.cli.run import Run
from socap_cli.errors import SocapError, UsageError

app = typer.Typer(help="Look into the queue.", no_args_is_help=True)


@app.command("list")
def list_(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(metavar="pending|running|completed|failed")] = "",
    campaign: Annotated[str, typer.Option(metavar="SLUG")] = "",
    limit: Limit = 50,
) -> None:
    """List jobs, the next due first."""
    from socap_cli.cli.shop import Shop
    from socap_cli.model import JobState
    from socap_cli.store import jobs

    run: Run = ctx.obj
    if state and state not in set(JobState):
        raise UsageError(f"no state {state!r}", hint=f"there are {', '.join(s.value for s in JobState)}")
    with Shop(run).database() as db:
        rows = jobs.listed(
            db, state=JobState(state) if state else None, campaign_id=campaign or None, limit=limit
        )

    def show() -> None:
        from socap_cli.cli import tables

        tables.show(
            ("job", "state", "due", "attempts", "outcome", "last error"),
            (
                [
                    r["_id"],
                    r["status"],
                    r["due"] or ("in turn" if r["status"] == "pending" else None),
                    r["attempts"],
                    r["outcome"],
                    (r["last_error"] or {}).get("message"),
                ]
                for r in rows
            ),
            numbers=("attempts",),
        )

    run.done({"jobs": rows}, text=show)


@app.command("show")
def show(
    ctx: typer.Context, job: Annotated[str, typer.Argument(metavar="JOB", help="As `jobs list` names it.")]
) -> None:
    """Show everything about one job."""
    from socap_cli.cli.shop import Shop
    from socap_cli.store import jobs

    run: Run = ctx.obj
    with Shop(run).database() as db:
        row = jobs.shown(db, job)
    if row is None:
        raise SocapError(f"no job {job!r}", hint="see: socap jobs list")

    def draw() -> None:
        from socap_cli.cli import tables

        tables.pairs(row.items())

    run.done({"job": row}, text=draw)


@app.command("retry")
def retry(
    ctx: typer.Context,
    job: Annotated[list[str], typer.Argument(metavar="[JOB]…", help="Failed jobs (default: all).")] = [],  # noqa: B006
    campaign: Annotated[str, typer.Option(metavar="SLUG", help="Only this campaign's.")] = "",
) -> None:
    """Arm failed jobs again."""
    from socap_cli.cli.shop import Shop
    from socap_cli.store import jobs

    run: Run = ctx.obj
    with Shop(run).database() as db:
        count = jobs.retry_failed(db, job, campaign_id=campaign or None)
    run.done({"jobs_armed": count}, text=f"{count} jobs armed again")
