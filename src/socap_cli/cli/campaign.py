"""socap campaign …"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from socap_cli.bootstrap.looking import look_policy
from socap_cli.campaigns import adding, document, register, removal, windows
from socap_cli.campaigns.overview import overview
from socap_cli.campaigns.settings import over_file, read_settings
from socap_cli.campaigns.values import check_slug
from socap_cli.cli import campaign_file, campaign_price, campaign_status, campaign_tweets
from socap_cli.cli import campaign_text as text
from socap_cli.cli import campaign_view as view
from socap_cli.cli.campaign_input import checked, edited_values, input_of, verifying
from socap_cli.cli.campaign_options import (
    SETTINGS_OF_ADD,
    SETTINGS_OF_EDIT,
    NoVerify,
    Source,
    Tweets,
    options_of,
    with_options,
)
from socap_cli.cli.options import DryRun, Slug, Yes, one_of
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.client.looks import next_looks
from socap_cli.errors import UsageError
from socap_cli.model.campaign import CampaignStatus, public_campaign
from socap_cli.store import campaigns, worker_state

app = typer.Typer(help="Register campaigns and their tweets.", no_args_is_help=True)
app.add_typer(campaign_tweets.app)
app.add_typer(campaign_file.app)
app.add_typer(campaign_price.app)
app.add_typer(campaign_status.app)


@app.command("add")
@with_options(SETTINGS_OF_ADD)
def add(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006  (typer copies defaults)
    source: Source = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Create a campaign. Every line of the input is accepted or named with a reason.

    Example: socap campaign add launch --from tweets.csv --days 7
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = _now(run)
    check_slug(slug)
    said = input_of(tweet, source, slug)
    given = over_file(options_of(ctx), said.given)
    values = checked(built, read_settings(given, start=now, of_file=set(said.given) - set(options_of(ctx))))
    campaign = windows.new_campaign(slug, values, built.settings.alerts, now=now)
    verify = bool(said.lines) and not no_verify and not dry_run
    with built.database() as db, verifying(run, built, db, wanted=verify) as verifier:
        result = adding.add(db, campaign, said.lines, verifier=verifier, now=now, dry_run=dry_run)
    warnings = [*text.without_end(campaign), *text.already_over(campaign, now)]
    text.tell_added(run, result, warnings, dry_run=dry_run)


@app.command("list")
def list_(
    ctx: typer.Context,
    status: Annotated[str, typer.Option(metavar="active|paused|completed", help="Only these.")] = "",
) -> None:
    """List campaigns with what they brought.

    Example: socap campaign list --status active
    """
    run: Run = ctx.obj
    wanted = CampaignStatus(one_of(status, CampaignStatus, "status")) if status else None
    with bootstrap(run).database() as db:
        rows = overview(db, wanted)
        warnings = register.left_out(db)
    run.done(
        {"campaigns": [view.totals_row(row) for row in rows]},
        text=lambda: view.show_list(run, rows, now=run.now()),
        warnings=warnings,
    )


@app.command("show")
def show(ctx: typer.Context, slug: Slug) -> None:
    """Show a campaign, its tweets and their counters.

    Example: socap campaign show launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    now = run.now()
    with built.database() as db:
        campaign = register.find(db, slug)
        tweets = campaigns.tweets_of(db, slug)
        states = worker_state.load(db, [tweet.tweet_id for tweet in tweets])
        is_watched = campaign.status is CampaignStatus.ACTIVE
        looks = next_looks(db, campaign, look_policy(built, db), now=now) if is_watched else {}
    rows = [view.watched_row(t, states[t.tweet_id], looks.get(t.tweet_id)) for t in tweets]
    run.done(
        {"campaign": public_campaign(campaign), "tweets": rows},
        text=lambda: view.show_campaign(campaign, tweets, states, looks=looks, now=now),
    )


@app.command("edit")
@with_options(SETTINGS_OF_EDIT)
def edit(
    ctx: typer.Context,
    slug: Slug,
    tweet: Tweets = [],  # noqa: B006
    source: Source = None,
    no_verify: NoVerify = False,
    dry_run: DryRun = False,
) -> None:
    """Change a campaign; what is not named stays, and so does what was collected. A later end opens it again.

    Example: socap campaign edit launch --threshold 20 --add-vip @ada
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    said = input_of(tweet, source, slug)
    now = _now(run)
    verify = bool(said.lines) and not no_verify and not dry_run
    with built.database() as db, verifying(run, built, db, wanted=verify) as verifier:
        before = register.find(db, slug)
        values = checked(built, edited_values(ctx, said, before, built.settings.alerts))
        if not values and not said.lines:
            raise UsageError("nothing to change", hint="name what to change: socap campaign edit --help")
        after = windows.changed(before, values, now=now)
        added = adding.add_usable(db, slug, said.lines, verifier=verifier, now=now, dry_run=dry_run)
        if not dry_run:
            after = register.update(db, before, after)
    changes = document.differences(before, after)
    text.tell_lines(run, added.accepted, added.rejected)
    run.done(
        text.edited_row(after, changes, added, dry_run=dry_run),
        text=lambda: text.show_changes(run, changes, added, dry_run=dry_run),
        warnings=[
            *(text.without_end(after) if before.ends_at else []),
            *text.already_over(after, now),
            *added.warnings,
        ],
        exit_code=PARTLY_DONE if added.rejected else 0,
    )


@app.command("delete")
def delete(ctx: typer.Context, slug: Slug, yes: Yes = False, dry_run: DryRun = False) -> None:
    """Delete a campaign with its tweets, jobs and alerts. What was collected stays.

    Example: socap campaign delete launch --dry-run
    """
    run: Run = ctx.obj
    if not yes and not dry_run:
        raise UsageError(
            f"this deletes campaign {slug!r}", hint="say --yes to do it, or --dry-run to see what"
        )
    with bootstrap(run).database() as db:
        done = removal.delete(db, slug, dry_run=dry_run)
    run.done(
        {"slug": slug, **asdict(done), "dry_run": dry_run},
        text=text.deletion_line(slug, done, dry_run=dry_run),
    )


def _now(run: Run) -> datetime:
    return run.now().replace(microsecond=0)
