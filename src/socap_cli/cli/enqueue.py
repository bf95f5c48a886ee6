"""socap enqueue."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import LOOK_FOR_IT, Bootstrap
from socap_cli.bootstrap.looking import look_policy
from socap_cli.campaigns import register
from socap_cli.cli.options import DryRun, OnlyCampaign
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.cli.wording import counted
from socap_cli.client.looks import adaptive_in_use
from socap_cli.enqueue import EnqueueResult, Wanted, planned
from socap_cli.enqueue import enqueue as enqueue_jobs
from socap_cli.importance.rescoring import catch_up
from socap_cli.model.run import RunRecord
from socap_cli.store import Db, campaigns, runs


def enqueue(
    ctx: typer.Context,
    campaign: OnlyCampaign = "",
    verify: Annotated[bool, typer.Option("--verify", help="Ask for a full pass over every list.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Arm every tweet, whether its look is due or not.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Arm the jobs of all active campaigns inside their window. Running it twice changes nothing.

    Where a campaign is adaptive, call it every few minutes: it arms what is due.

    Example: socap enqueue --campaign launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.now()
    with built.database() as db:
        only = register.find(db, campaign) if campaign else None
        policy = look_policy(built, db)
        looks = policy if adaptive_in_use(db, policy) and not everything else None
        wanted = Wanted(only, verify, looks)
        if dry_run:
            done = planned(db, wanted, now=now)
            result = {**_counts(done), "dry_run": True}
        else:
            done, result = _enqueue(db, built, wanted, now=now)
            runs.record(db, RunRecord(run.run_id, "enqueue", now, 0.0, result))
        warnings = [*done.warnings, *register.left_out(db)]
        if not campaigns.any_at_all(db):
            warnings.append(f"there is no campaign in {built.place}; if you have one, {LOOK_FOR_IT}")
    if only is not None and not done.campaigns and not done.campaigns_completed:
        warnings.append(f"{campaign} is {only.status.value} or outside its window: nothing armed")
    run.done(
        result,
        text=enqueued_line(done, dry_run=dry_run),
        warnings=warnings,
        exit_code=PARTLY_DONE if done.warnings else 0,
    )


def _enqueue(
    db: Db, built: Bootstrap, wanted: Wanted, *, now: datetime
) -> tuple[EnqueueResult, dict[str, Any]]:
    """Arm the jobs, and apply a changed index of importance: (what was armed, all of it for a program)."""
    done = enqueue_jobs(
        db,
        wanted,
        now=now,
        max_attempts=built.settings.worker.max_attempts,
        patience=built.settings.database.patience,
    )
    rescored = catch_up(db, built.importance(), built.rules(), now=now)
    return done, {**_counts(done), "engagements_rescored": rescored.changed}


def _counts(done: EnqueueResult) -> dict[str, Any]:
    return {name: value for name, value in asdict(done).items() if name != "warnings"}


def enqueued_line(done: EnqueueResult, *, dry_run: bool = False) -> str:
    """What was armed, for a person."""
    jobs, over = counted(done.jobs_armed, "job"), counted(done.campaigns_completed, "campaign")
    armed = f"would arm {jobs}" if dry_run else f"{jobs} armed"
    completed = (
        (f", would complete {over}" if dry_run else f", {over} completed") if done.campaigns_completed else ""
    )
    return (
        f"{counted(done.campaigns, 'campaign')}: {armed}, {done.jobs_already_open:,} already open{completed}"
    )
