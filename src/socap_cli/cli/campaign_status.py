"""socap campaign pause, resume and complete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from socap_cli.campaigns.status import resume as resume_campaign
from socap_cli.campaigns.status import set_status
from socap_cli.campaigns.values import read_days
from socap_cli.cli import campaign_text as text
from socap_cli.cli.options import DryRun, Slug
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.model.campaign import Campaign, CampaignStatus, public_campaign

app = typer.Typer()


@app.command("pause")
def pause(ctx: typer.Context, slug: Slug, dry_run: DryRun = False) -> None:
    """Stop collecting until `resume`.

    Example: socap campaign pause launch
    """
    _set_status(ctx.obj, slug, CampaignStatus.PAUSED, dry_run=dry_run)


@app.command("resume")
def resume(
    ctx: typer.Context,
    slug: Slug,
    days: Annotated[float | None, typer.Option(metavar="N", help="For so many days from now.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Collect again, a completed campaign as well.

    Example: socap campaign resume launch --days 3
    """
    run: Run = ctx.obj
    lasting = None if days is None else read_days(days, "--days")
    now = run.now().replace(microsecond=0)
    with bootstrap(run).database() as db:
        campaign = resume_campaign(db, slug, lasting, now=now, dry_run=dry_run)
    _tell(run, campaign, text.without_end(campaign), dry_run=dry_run)


@app.command("complete")
def complete(ctx: typer.Context, slug: Slug, dry_run: DryRun = False) -> None:
    """End a campaign now.

    Example: socap campaign complete launch
    """
    _set_status(ctx.obj, slug, CampaignStatus.COMPLETED, dry_run=dry_run)


def _set_status(run: Run, slug: str, status: CampaignStatus, *, dry_run: bool) -> None:
    now = run.now().replace(microsecond=0)
    with bootstrap(run).database() as db:
        campaign = set_status(db, slug, status, now=now, dry_run=dry_run)
    _tell(run, campaign, (), dry_run=dry_run)


def _tell(run: Run, campaign: Campaign, warnings: Sequence[str], *, dry_run: bool) -> None:
    ends = campaign.ends_at if campaign.status is CampaignStatus.ACTIVE else None
    until = f" until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    run.done(
        {"campaign": public_campaign(campaign), "dry_run": dry_run},
        text=f"{campaign.slug} {'would be' if dry_run else 'is'} {campaign.status.value}{until}",
        warnings=warnings,
    )
