"""socap report …"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.looking import look_policy
from socap_cli.bootstrap.reporting import report_brand, report_wanted
from socap_cli.campaigns import register
from socap_cli.channels.smtp_address import parse_server
from socap_cli.cli import tables
from socap_cli.cli.options import OptionalSlug, one_of
from socap_cli.cli.output import print_line
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.config.mail_address import check_address, parse_address
from socap_cli.errors import ConfigError, SocapError, UsageError
from socap_cli.model import Campaign, RunRecord
from socap_cli.report.analytics import AtAge, list_total
from socap_cli.report.charts import short_number
from socap_cli.report.compare import Compared
from socap_cli.report.compare import compare as stage_compare
from socap_cli.report.gather import gather
from socap_cli.report.mail import Attachment, MailEdition, as_html, as_zip, compose
from socap_cli.report.page import campaign_page
from socap_cli.report.pdf import as_pdf
from socap_cli.report.publish import Site, publish
from socap_cli.report.sending import PostOffice, send_final
from socap_cli.report.sending import send as stage_send
from socap_cli.report.story import duration
from socap_cli.report.values import Edition
from socap_cli.store import Db, campaigns, runs

app = typer.Typer(help="Static pages, the mail edition, campaigns compared.", no_args_is_help=True)
ATTACHMENTS: dict[str, Callable[[str, bytes], Attachment] | None] = {
    "none": None, "html": as_html, "zip": as_zip, "pdf": as_pdf,
}  # fmt: skip

EditionOption = Annotated[
    str, typer.Option(metavar="client|operator", help="For whom (default: [report] edition).")
]
Attach = Annotated[str, typer.Option(metavar="none|html|zip|pdf", help="The page beside the mail.")]


@app.command("render")
def render(
    ctx: typer.Context,
    slug: OptionalSlug = "",
    out: Annotated[
        str, typer.Option(metavar="DIR", help="Folder of the pages (default: socap-report).")
    ] = "",
    edition: EditionOption = "",
) -> None:
    """Write a page per campaign and an index, with the same numbers as JSON beside them.

    Example: socap report render --out pages --edition client
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    wanted = report_wanted(built, _edition(built, edition))
    folder = Path(out) if out else built.settings.report.out
    started, since = run.now(), time.monotonic()
    with built.database() as db:
        chosen = [register.find(db, slug)] if slug else campaigns.listed(db)
        wanted = replace(wanted, policy=look_policy(built, db))
        unread = [] if slug else campaigns.unreadable(db)
        site = Site(folder, wanted, report_brand(built))
        done = publish(db, chosen, site, now=started, index=not slug)
        result = {"pages": [str(path) for path in done.pages], "unchanged": done.unchanged}
        seconds = time.monotonic() - since
        runs.record(db, RunRecord(run.run_id, "report render", started, seconds, result))
    warnings = [*done.left_out, *(f"{name}: its document is no campaign" for name in unread)]

    def show() -> None:
        if not run.quiet:
            for path in done.pages:
                print_line(str(path))

    run.done(result, text=show, warnings=warnings, exit_code=4 if warnings else 0)


def _edition(built: Bootstrap, text: str) -> Edition:
    return Edition(one_of(text or built.settings.report.edition, list(Edition), "edition"))


@app.command("send")
def send(
    ctx: typer.Context,
    slug: OptionalSlug = "",
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDR", help="Receiver; may be repeated (default: the client)."),
    ] = [],  # noqa: B006
    attach: Attach = "",
    final: Annotated[
        bool, typer.Option("--final", help="To the client of each completed campaign, once.")
    ] = False,
) -> None:
    """Mail a campaign's report: the client edition.

    Example: socap report send launch --to boss@fund.example
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    office = _office(built)
    how = one_of(attach or built.settings.report.attach, ATTACHMENTS, "attachment")
    if final == bool(to) and final:
        raise UsageError("--final goes to the client", hint="leave --to out")
    if not slug and not final:
        raise UsageError("which campaign?", hint="socap report send SLUG, or --final for all that completed")
    with built.database() as db:
        chosen = [register.find(db, slug)] if slug else campaigns.listed(db)

        def edition(campaign: Campaign) -> MailEdition:
            return _mail(db, built, campaign, how, run)

        if final:
            done = send_final(db, office, chosen, edition, now=run.now())
        else:
            receivers = _receivers(chosen[0], to)
            composed = edition(chosen[0])
            done = stage_send(office, chosen[0], composed, receivers, mark=composed.subject, now=run.now())
    if done.refused and not done.sent:
        raise SocapError(done.refused[0], hint="check SOCAP_ALERT_EMAIL_SMTP")
    run.done(
        {"sent": done.sent, "failed": len(done.refused)},
        text=f"sent to {done.sent}",
        warnings=done.refused,
        exit_code=4 if done.refused else 0,
    )


def _office(built: Bootstrap) -> PostOffice:
    """Raises ConfigError without a mail server."""
    settings = built.settings.alerts
    if settings.email_smtp is None:
        raise ConfigError("no mail server", hint="set SOCAP_ALERT_EMAIL_SMTP")
    server = parse_server(settings.email_smtp.get_secret_value())
    return PostOffice(server, parse_address(settings.email_from), settings.timeout)


def _receivers(campaign: Campaign, to: Sequence[str]) -> list[str]:
    try:
        found = [check_address(address) for address in to]
    except ValueError as error:
        raise UsageError(f"--to {error}", hint="as in --to ada@example.com") from None
    found = found or ([campaign.client_email] if campaign.client_email else [])
    if not found:
        raise UsageError("nobody to mail to", hint="give --to ADDR, or the campaign a --client-email")
    return list(dict.fromkeys(found))


def _mail(db: Db, built: Bootstrap, campaign: Campaign, how: str, run: Run) -> MailEdition:
    """What a client may see, whatever the edition of the pages is."""
    wanted, brand = report_wanted(built, Edition.CLIENT), report_brand(built)
    report = gather(db, campaign, wanted, now=run.now())
    make = ATTACHMENTS[how]
    page = campaign_page(report, brand, wanted.zone).encode("utf-8", "replace") if make else b""
    attachments = (make(campaign.slug, page),) if make else ()
    return compose(report, brand, wanted.zone, url=built.settings.report.url, attachments=attachments)


@app.command("compare")
def compare(
    ctx: typer.Context,
    slugs: Annotated[list[str], typer.Argument(metavar="SLUG SLUG…", help="Two campaigns or more.")],
) -> None:
    """Campaigns at the same age: what each had grown by so long after its start.

    Example: socap report compare launch spring
    """
    run: Run = ctx.obj
    names = list(dict.fromkeys(slugs))
    if len(names) < 2:
        raise UsageError("one campaign cannot be compared", hint="socap report compare launch relaunch")
    with bootstrap(run).database() as db:
        found = stage_compare(db, [register.find(db, slug) for slug in names])
    rows = [_compared(one) for one in found]
    run.done({"campaigns": rows}, text=lambda: _show_compared(run, found))


def _compared(one: Compared) -> dict[str, Any]:
    at = [
        {"age_hours": row.age / timedelta(hours=1), "growth": dict(row.growth) if row.growth else None}
        for row in one.at
    ]
    return {"slug": one.campaign.slug, "starts_at": one.campaign.starts_at, "at": at}


def _show_compared(run: Run, found: Sequence[Compared]) -> None:
    if not found[0].at:
        run.info("none of them was read a minute after its start")
        return
    slugs = [one.campaign.slug for one in found]
    for label, value in MEASURES.items():
        rows = [
            [duration(row.age), *(_grown(one.at[n], value) for one in found)]
            for n, row in enumerate(found[0].at)
        ]
        tables.show(("age", *slugs), rows, numbers=slugs, title=label, drop=slugs[:0:-1])


MEASURES: dict[str, Callable[[AtAge], int]] = {
    "engagements since the start": lambda row: list_total(row.growth or {}),
    "likes": lambda row: (row.growth or {}).get("likes", 0),
    "views": lambda row: (row.growth or {}).get("views", 0),
}


def _grown(row: AtAge, value: Callable[[AtAge], int]) -> str:
    return "–" if row.growth is None else f"{'+' if value(row) > 0 else ''}{short_number(value(row))}"
