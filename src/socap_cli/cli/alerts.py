"""socap alerts …"""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

import typer

from socap_cli.alerts import mail, slack
from socap_cli.alerts.send import plan_new, send_due
from socap_cli.campaigns import register
from socap_cli.cli import tables
from socap_cli.cli.options import Limit, Slug
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.errors import ConfigError, UsageError
from socap_cli.model import DeliveryStatus, RunRecord
from socap_cli.store import alerts, locks, runs

app = typer.Typer(help="Tell people about important engagements.", no_args_is_help=True)
LOCK = "alerts send"


@app.command("plan")
def plan(ctx: typer.Context) -> None:
    """Consider new engagements; send nothing."""

    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db, locks.held(db, LOCK):
        planned = plan_new(db, built.firm(), now=run.now())
        waiting = alerts.waiting(db, now=run.now())
    run.done(
        {"planned": planned, "waiting": waiting},
        text=f"{planned} alerts planned, {waiting} wait for their time",
    )


@app.command("send")
def send(ctx: typer.Context) -> None:
    """Plan, then send what is due. At least once; a repeat says that it may be one."""

    run: Run = ctx.obj
    built = bootstrap(run)
    outlets = built.outlets()
    started = run.now()
    with built.database() as db, locks.held(db, LOCK):
        planned = plan_new(db, built.firm(), now=run.now())
        done = send_due(db, outlets, now=run.now(), planned=planned)
        result = {k: v for k, v in asdict(done).items() if k != "warnings"}
        seconds = (run.now() - started).total_seconds()
        runs.record(db, RunRecord(run.run_id, "alerts send", started, seconds, result))
    text = ", ".join(f"{count} {name}" for name, count in result.items())
    troubled = done.failed or done.dead or done.unknown
    run.done(result, text=text, warnings=done.warnings, exit_code=PARTLY_DONE if troubled else 0)


@app.command("list")
def list_(
    ctx: typer.Context,
    campaign: Annotated[str, typer.Option(metavar="SLUG")] = "",
    state: Annotated[str, typer.Option(metavar="pending|sending|sent|failed|dead|unknown")] = "",
    limit: Limit = 50,
) -> None:
    """List deliveries, the latest first."""

    run: Run = ctx.obj
    if state and state not in set(DeliveryStatus):
        raise UsageError(
            f"no state {state!r}", hint=f"there are {', '.join(s.value for s in DeliveryStatus)}"
        )
    with bootstrap(run).database() as db:
        rows = alerts.listed(db, campaign_id=campaign or None, state=state or None, limit=limit)
    for row in rows:
        row.pop("token", None)

    def show() -> None:

        tables.show(
            ("created", "campaign", "channel", "receiver", "state", "attempts", "error"),
            (
                [
                    r["created_at"],
                    r["campaign_id"],
                    r["channel"],
                    r["receiver"],
                    r["state"],
                    r["attempts"],
                    r.get("last_error"),
                ]
                for r in rows
            ),
            numbers=("attempts",),
        )

    run.done({"deliveries": rows}, text=show)


@app.command("retry")
def retry(
    ctx: typer.Context,
    campaign: Annotated[str, typer.Option(metavar="SLUG", help="Only this campaign's.")] = "",
) -> None:
    """Let dead and unknown deliveries try again, and switch their channels on."""

    run: Run = ctx.obj
    with bootstrap(run).database() as db:
        count = alerts.retry_dead(db, campaign_id=campaign or None, now=run.now())
    run.done({"deliveries": count}, text=f"{count} deliveries will be tried at the next: socap alerts send")


@app.command("test")
def test(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="slack|email")],
    campaign: Annotated[str, typer.Option(metavar="SLUG", help="Use this campaign's own webhook.")] = "",
) -> None:
    """Send a test message over one channel, now."""

    run: Run = ctx.obj
    built = bootstrap(run)
    outlets = built.outlets()
    text = "socap test message: this channel works."
    if channel == "slack":
        webhook = outlets.slack_webhook
        if campaign:
            with built.database() as db:
                webhook = register.find(db, campaign).slack_webhook or webhook
        if not webhook:
            raise ConfigError("no Slack webhook", hint="set SOCAP_ALERT_SLACK_WEBHOOK")
        slack.notify(slack.check_address(webhook, outlets.webhook_hosts), text, timeout=outlets.timeout)
    elif channel == "email":
        if outlets.mail_server is None or not outlets.mail_to:
            raise ConfigError(
                "nobody to mail to", hint="set SOCAP_ALERT_EMAIL_SMTP and SOCAP_ALERTS__EMAIL_TO"
            )
        for address in outlets.mail_to:
            mail.notify(
                outlets.mail_server, outlets.mail_from, address, text, now=run.now(), timeout=outlets.timeout
            )
    else:
        raise UsageError(f"no channel {channel!r}", hint="there are slack, email")
    run.done({"channel": channel}, text=f"{channel}: sent")


@app.command("silence")
def silence(
    ctx: typer.Context,
    slug: Slug,
    minutes: Annotated[float, typer.Option(min=0, help="For how long; 0 ends the silence.")] = 60.0,
) -> None:
    """Hold a campaign's alerts back for a while. They are not lost: they go out afterwards."""

    run: Run = ctx.obj
    until = run.now() + timedelta(minutes=minutes) if minutes else None
    with bootstrap(run).database() as db:
        register.edit(db, slug, {"silenced_until": until})
    said = f"{slug} is silent until {until:%Y-%m-%d %H:%M} UTC" if until else f"{slug} speaks again"
    run.done({"slug": slug, "silenced_until": until}, text=said)
