"""socap report send."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from socap_cli.bootstrap import Bootstrap
from socap_cli.bootstrap.reporting import report_brand, report_wanted
from socap_cli.campaigns import register
from socap_cli.channels.smtp_address import parse_server
from socap_cli.cli.options import DryRun, OptionalSlug, one_of
from socap_cli.cli.run import Run
from socap_cli.cli.start import bootstrap
from socap_cli.config.mail_address import check_address, parse_address
from socap_cli.errors import ConfigError, SocapError, UsageError
from socap_cli.model.campaign import Campaign
from socap_cli.report.gather import gather
from socap_cli.report.mail import Attachment, MailEdition, as_html, as_zip, compose
from socap_cli.report.page import campaign_page
from socap_cli.report.pdf import as_pdf
from socap_cli.report.sending import PostOffice, Sent, send_final, waiting_finals
from socap_cli.report.sending import send as stage_send
from socap_cli.report.values import Edition
from socap_cli.store import Db, campaigns

app = typer.Typer()
ATTACHMENTS: dict[str, Callable[[str, bytes], Attachment] | None] = {
    "none": None, "html": as_html, "zip": as_zip, "pdf": as_pdf,
}  # fmt: skip

Attach = Annotated[str, typer.Option(metavar="none|html|zip|pdf", help="The page beside the mail.")]


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
    dry_run: DryRun = False,
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

        if dry_run:
            waiting = [(one, to_) for one, _, to_ in waiting_finals(db, chosen, now=run.now())]
            planned = waiting if final else [(chosen[0], address) for address in _receivers(chosen[0], to)]
            _tell_planned(run, planned, edition)
            return
        if final:
            done = send_final(db, office, chosen, edition, now=run.now())
        else:
            receivers = _receivers(chosen[0], to)
            composed = edition(chosen[0])
            done = stage_send(office, chosen[0], composed, receivers, mark=composed.subject, now=run.now())
    _tell_sent(run, done)


def _tell_planned(
    run: Run, planned: Sequence[tuple[Campaign, str]], edition: Callable[[Campaign], MailEdition]
) -> None:
    """What would be sent, composed as it would be."""
    subjects = {campaign.slug: edition(campaign).subject for campaign, _ in planned}
    rows = [
        {"slug": campaign.slug, "to": receiver, "subject": subjects[campaign.slug]}
        for campaign, receiver in planned
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
