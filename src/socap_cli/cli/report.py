"""socap report …"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from socap_cli.bootstrap import Bootstrap, look_policy, report_brand, report_options
from socap_cli.campaigns import adding
from socap_cli.cli import tables
from socap_cli.cli.options import DryRun, OptionalSlug, choice, one_of
from socap_cli.cli.run import Run, bootstrap, print_line
from socap_cli.errors import ConfigError, SocapError, UsageError
from socap_cli.model.campaign import Campaign
from socap_cli.model.queue import RunRecord
from socap_cli.report.analytics import GrowthAtAges, list_total
from socap_cli.report.gather import compare as stage_compare
from socap_cli.report.gather import gather
from socap_cli.report.mail import (
    Attachment,
    MailEdition,
    Mailer,
    Sent,
    as_html,
    as_zip,
    compose,
    send_final,
    waiting_finals,
)
from socap_cli.report.mail import (
    send as stage_send,
)
from socap_cli.report.page import campaign_page
from socap_cli.report.publish import Published, Site, as_pdf, publish
from socap_cli.report.values import Edition
from socap_cli.report.words import duration, short_number
from socap_cli.settings import check_address, parse_address
from socap_cli.store import Db, campaigns, usage
from socap_cli.text import counted

app = typer.Typer(help="Static pages, the mail edition, campaigns compared.", no_args_is_help=True)


EditionOption = Annotated[str, choice("client|operator", help="For whom (default: [report] edition).")]
MEASURES: dict[str, Callable[[Mapping[str, int]], int]] = {
    "engagements since the start": list_total,
    "likes": lambda growth: growth.get("likes", 0),
    "views": lambda growth: growth.get("views", 0),
}
ATTACHMENTS: dict[str, Callable[[str, bytes], Attachment] | None] = {
    "none": None, "html": as_html, "zip": as_zip, "pdf": as_pdf,
}  # fmt: skip
Attach = Annotated[str, choice("none|html|zip|pdf", help="The page beside the mail.")]


@app.command("render")
def render(
    ctx: typer.Context,
    slug: OptionalSlug = "",
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Folder of the pages (default: socap-report).")
    ] = "",
    edition: EditionOption = "",
    dry_run: DryRun = False,
) -> None:
    """Write a page per campaign and an index, with the same numbers as JSON beside them.

    Example: socap report render --out pages --edition client
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    options = report_options(built, _edition(built, edition))
    folder = Path(out) if out else built.settings.report.out
    started, since = run.now(), time.monotonic()
    with built.database() as db:
        chosen = [adding.find(db, slug)] if slug else campaigns.listed(db)
        options = replace(options, policy=look_policy(built, db))
        unread = [] if slug else adding.left_out(db)
        site = Site(folder, options, report_brand(built), bool(built.settings.report.url), dry_run)
        done = publish(db, chosen, site, now=started, index=not slug)
        result = {"pages": [str(path) for path in done.pages], "unchanged": done.unchanged}
        seconds = time.monotonic() - since
        if not dry_run:
            usage.record_run(db, RunRecord(run.run_id, "report render", started, seconds, result))
    warnings = [*done.left_out, *unread]

    def show() -> None:
        if dry_run:
            print_line(_would_line(done))
        elif not run.quiet:
            for path in done.pages:
                print_line(str(path))

    run.done({**result, "dry_run": dry_run}, text=show, warnings=warnings, exit_code=4 if warnings else 0)


def _would_line(done: Published) -> str:
    """What rendering would change."""
    if not done.changed:
        return f"would write nothing: {counted(done.unchanged, 'page')} would stay"
    rest = f"; {done.unchanged:,} would stay" if done.unchanged else ""
    return f"would write {', '.join(map(str, done.changed))}{rest}"


def _edition(built: Bootstrap, text: str) -> Edition:
    return Edition(one_of(text or built.settings.report.edition, list(Edition), "edition"))


@app.command("compare")
def compare(
    ctx: typer.Context,
    slugs: Annotated[
        list[str],
        typer.Argument(metavar="SLUG SLUG…", help="Two campaigns or more."),
    ],
) -> None:
    """Campaigns at the same age: what each had grown by so long after its start.

    Example: socap report compare launch spring
    """
    run: Run = ctx.obj
    names = list(dict.fromkeys(slugs))
    if len(names) < 2:
        raise UsageError("report compare needs two campaigns", hint="socap report compare launch relaunch")
    with bootstrap(run).database() as db:
        found = stage_compare(db, [adding.find(db, slug) for slug in names])
    rows = [
        {
            "slug": campaign.slug,
            "starts_at": campaign.starts_at,
            "at": [{"age_hours": age / timedelta(hours=1), "growth": growth} for age, growth in at.items()],
        }
        for campaign, at in found
    ]
    run.done({"campaigns": rows}, text=lambda: show_compared(run, found))


def show_compared(run: Run, found: Sequence[tuple[Campaign, GrowthAtAges]]) -> None:
    if not found[0][1]:
        run.info("no readings to compare")
        return
    slugs = [campaign.slug for campaign, _ in found]
    for label, value in MEASURES.items():
        rows = [[duration(age), *(_grown(at[age], value) for _, at in found)] for age in found[0][1]]
        tables.show(tables.Columns(("age", *slugs), numbers=slugs, drop=slugs[:0:-1]), rows, title=label)


def _grown(growth: Mapping[str, int] | None, value: Callable[[Mapping[str, int]], int]) -> str:
    return "–" if growth is None else f"{'+' if value(growth) > 0 else ''}{short_number(value(growth))}"


@app.command("send")
def send(
    ctx: typer.Context,
    slug: OptionalSlug = "",
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDR", help="Recipient; may be repeated (default: the client)."),
    ] = [],  # noqa: B006
    attach: Attach = "",
    final: Annotated[
        bool, typer.Option("--final", help="To the client of each completed campaign, once.")
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Mail a campaign's report: the client edition.

    Example: socap report send launch --to boss@fund.example
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    mailer = _mailer(built)
    how = one_of(attach or built.settings.report.attach, ATTACHMENTS, "attachment")
    if final == bool(to) and final:
        raise UsageError("--final cannot be combined with --to", hint="the final report goes to the client")
    if not slug and not final:
        raise UsageError(
            "no campaign named", hint="socap report send SLUG, or --final for all that completed"
        )
    with built.database() as db:
        chosen = [adding.find(db, slug)] if slug else campaigns.listed(db)

        def edition(campaign: Campaign) -> MailEdition:
            return _mail(db, built, campaign, how, now=run.now(), dry_run=dry_run)

        if dry_run:
            waiting = [(one, to_) for one, _, to_ in waiting_finals(db, chosen, now=run.now())]
            planned = waiting if final else [(chosen[0], address) for address in _recipients(chosen[0], to)]
            _tell_planned(run, planned, edition)
            return
        if final:
            done = send_final(db, mailer, chosen, edition, now=run.now())
        else:
            recipients = _recipients(chosen[0], to)
            composed = edition(chosen[0])
            done = stage_send(mailer, chosen[0], composed, recipients, now=run.now())
    _tell_sent(run, done)


def _tell_planned(
    run: Run, planned: Sequence[tuple[Campaign, str]], edition: Callable[[Campaign], MailEdition]
) -> None:
    """What would be sent, composed as it would be."""
    subjects = {campaign.slug: edition(campaign).subject for campaign, _ in planned}
    rows = [
        {"slug": campaign.slug, "to": recipient, "subject": subjects[campaign.slug]}
        for campaign, recipient in planned
    ]
    lines = [f"would send {row['subject']!r} to {row['to']}" for row in rows]
    run.done(
        {"sent": 0, "failed": 0, "would_send": rows, "dry_run": True},
        text="\n".join(lines) or "would send nothing",
    )


def _tell_sent(run: Run, done: Sent) -> None:
    if done.refused and not done.sent:
        raise SocapError(done.refused[0], hint="check SOCAP_ALERT_EMAIL_SMTP")
    run.done(
        {"sent": done.sent, "failed": len(done.refused), "dry_run": False},
        text=f"sent to {done.sent}",
        warnings=done.refused,
        exit_code=4 if done.refused else 0,
    )


def _mailer(built: Bootstrap) -> Mailer:
    """Raises ConfigError without a mail server."""
    settings = built.settings.alerts
    if settings.email_smtp is None:
        raise ConfigError("no mail server", hint="set SOCAP_ALERT_EMAIL_SMTP")
    from socap_cli.channels.email import parse_server

    server = parse_server(settings.email_smtp.get_secret_value())
    return Mailer(server, parse_address(settings.email_from), settings.timeout)


def _recipients(campaign: Campaign, to: Sequence[str]) -> list[str]:
    try:
        found = [check_address(address) for address in to]
    except ValueError as error:
        raise UsageError(f"--to {error}", hint="as in --to ada@example.com") from None
    found = found or ([campaign.client_email] if campaign.client_email else [])
    if not found:
        raise UsageError("no recipient", hint="give --to ADDR, or the campaign a --client-email")
    return list(dict.fromkeys(found))


def _mail(
    db: Db, built: Bootstrap, campaign: Campaign, how: str, *, now: datetime, dry_run: bool
) -> MailEdition:
    """What a client may see, whatever the edition of the pages is."""
    options, brand = report_options(built, Edition.CLIENT), report_brand(built)
    report = gather(db, campaign, options, now=now)
    make, url = ATTACHMENTS[how], built.settings.report.url
    page = campaign_page(report, brand, options.zone).encode("utf-8", "replace") if make else b""
    attachments = (make(campaign.slug, page),) if make else ()
    if url:
        folder = campaigns.client_folder(db, campaign, is_public=True, dry_run=dry_run)
        url = f"{url.rstrip('/')}/{folder}/{campaign.slug}.html"
    return compose(report, brand, options.zone, url=url, attachments=attachments)
