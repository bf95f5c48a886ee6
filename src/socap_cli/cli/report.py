"""socap report … and socap metrics …"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from socap_cli.alerts import mail
from socap_cli.campaigns import register
from socap_cli.campaigns.categories import category_of, is_category
from socap_cli.cli import tables
from socap_cli.cli.options import OptionalSlug, Slug, moment
from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import ConfigError, SocapError, UsageError
from socap_cli.model import RunRecord, counter_names
from socap_cli.report import analytics
from socap_cli.report.edition import compose
from socap_cli.report.gather import gather
from socap_cli.report.render import render as stage
from socap_cli.store import campaigns, runs, snapshots

app = typer.Typer(help="Static pages, and the mail edition.", no_args_is_help=True)
metrics_app = typer.Typer(help="Counters over time.", no_args_is_help=True)


@app.command("render")
def render(
    ctx: typer.Context,
    slug: OptionalSlug = "",
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Folder of the pages (default: socap-report).")
    ] = "",
) -> None:
    """Write a page per campaign and an index, with the same numbers as JSON beside them."""

    run: Run = ctx.obj
    built = bootstrap(run)
    folder = Path(out) if out else built.settings.report.out
    started, since = run.now(), time.monotonic()
    with built.database() as db:
        chosen = [register.find(db, slug)] if slug else campaigns.listed(db)
        reports = [gather(db, campaign, top=built.settings.report.top) for campaign in chosen]
        done = stage(reports, folder, usd_per_credit=built.settings.provider.usd_per_credit, index=not slug)
        result = {"pages": [str(path) for path in done.pages], "unchanged": done.unchanged}
        seconds = time.monotonic() - since
        runs.record(db, RunRecord(run.run_id, "report render", started, seconds, result))

    def show() -> None:
        if not run.quiet:
            for path in done.pages:
                print_line(str(path))

    run.done(result, text=show)


@app.command("send")
def send(
    ctx: typer.Context,
    slug: Slug,
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDR", help="Receiver; may be repeated (default: the client)."),
    ] = [],  # noqa: B006
) -> None:
    """Mail a campaign's report."""

    run: Run = ctx.obj
    built = bootstrap(run)
    outlets = built.outlets()
    if outlets.mail_server is None:
        raise ConfigError("no mail server", hint="set SOCAP_ALERT_EMAIL_SMTP")
    with built.database() as db:
        campaign = register.find(db, slug)
        report = gather(db, campaign, top=15)
    receivers = [mail.check_address(a) for a in to] or (
        [campaign.client_email] if campaign.client_email else []
    )
    if not receivers:
        raise UsageError("nobody to mail to", hint="give --to ADDR, or the campaign a --client-email")
    refused: list[str] = []
    for receiver in receivers:
        edition = compose(report, sender=outlets.mail_from, receiver=receiver, now=run.now())
        try:
            mail.hand_in(outlets.mail_server, outlets.mail_from, receiver, edition, timeout=outlets.timeout)
        except SocapError as error:
            refused.append(f"{receiver}: {error.message}")
    if len(refused) == len(receivers):
        raise SocapError(refused[0], hint="check SOCAP_ALERT_EMAIL_SMTP")
    sent = len(receivers) - len(refused)
    run.done(
        {"sent": sent, "failed": len(refused)},
        text=f"sent to {sent}",
        warnings=refused,
        exit_code=4 if refused else 0,
    )


@metrics_app.command("series")
def series(
    ctx: typer.Context,
    slug: Slug,
    granularity: Annotated[str, typer.Option(metavar="hour|day")] = "day",
    since: Annotated[str, typer.Option("--from", metavar="ISO", help="Only from this time on.")] = "",
    category: Annotated[str, typer.Option(metavar="C", help="Only tweets of this category.")] = "",
) -> None:
    """A campaign's counters, cumulative and per interval."""

    run: Run = ctx.obj
    if granularity not in analytics.STEPS:
        raise UsageError(f"no granularity {granularity!r}", hint="there are hour, day")
    wanted = category_of(category) if is_category(category) else None
    if category and wanted is None:
        raise UsageError(f"no category {category!r}", hint="there are client, influencer, investor")
    begin = moment(since, "--from") if since else None
    with bootstrap(run).database() as db:
        register.find(db, slug)
        tweets = [t.tweet_id for t in campaigns.tweets_of(db, slug) if wanted in (None, t.category)]
        summed = analytics.sum_series(snapshots.series(db, tweets))
    rows = [i for i in analytics.intervals(summed, granularity) if begin is None or i.starts_at >= begin]

    def show() -> None:

        tables.show(
            ("from", *counter_names()),
            ([i.starts_at, *(f"{i.totals[n]:,} ({i.growth[n]:+,})" for n in counter_names())] for i in rows),
            numbers=counter_names(),
        )

    run.done({"granularity": granularity, "intervals": [asdict(row) for row in rows]}, text=show)
