"""socap alerts …"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from socap_cli.alerts import send as sending
from socap_cli.alerts import trying
from socap_cli.alerts.planning import plan_alerts
from socap_cli.alerts.preview import preview
from socap_cli.alerts.recording import record_outcomes
from socap_cli.bootstrap.telling import alert_context, channels_of
from socap_cli.campaigns import register
from socap_cli.channels.table import CHANNELS
from socap_cli.cli import alerts_text, silences
from socap_cli.cli.campaign_input import tweet_id_of
from socap_cli.cli.options import DryRun, Limit, MinImportance, OnlyCampaign, account, one_of
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.start import bootstrap
from socap_cli.cli.stopping import stopping
from socap_cli.cli.wording import counted
from socap_cli.errors import SocapError
from socap_cli.model.alert import AlertStatus, HoldReason
from socap_cli.model.kinds import action_types
from socap_cli.model.run import RunRecord
from socap_cli.store import Db, alert_retries, alert_view, channel_state, runs
from socap_cli.store.alert_view import AlertFilter

app = typer.Typer(help="Tell people about important engagements.", no_args_is_help=True)
NAME = "alerts send"
STOPPED = "stopped before everything was sent; the next run goes on"
IN_FLIGHT = SocapError(
    "stopped while a message was being sent",
    hint="it may have arrived; the next run says so when it repeats it",
)


@app.command("plan")
def plan(ctx: typer.Context, dry_run: DryRun = False) -> None:
    """Consider new engagements; send nothing.

    Example: socap alerts plan
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        context = alert_context(built, db)
        if dry_run:
            done, _ = plan_alerts(context, dry_run=True)
        else:
            with sending.planning(context):
                done, _ = plan_alerts(context)
        counts = alert_view.totals(db).alerts
    waiting = sum(counts.get(status.value, 0) for status in (AlertStatus.PENDING, AlertStatus.HELD))
    text = f"{counted(done.planned, 'alert')} planned, {waiting:,} waiting for their time"
    run.done(
        {"planned": done.planned, "waiting": waiting, "unscored": done.unscored},
        text=text
        if not dry_run
        else f"would plan {counted(done.planned, 'alert')}, {waiting:,} waiting already",
        warnings=done.warnings,
    )


@app.command("send")
def send(ctx: typer.Context, campaign: OnlyCampaign = "", dry_run: DryRun = False) -> None:
    """Plan, then send what is due. At least once; a repeat says that it may be one.

    Example: socap alerts send --campaign launch --dry-run
    """
    run: Run = ctx.obj
    started, since = run.now(), time.monotonic()
    built, stop = bootstrap(run), threading.Event()
    with built.database() as db, stopping(run, stop, IN_FLIGHT):
        only = register.find(db, campaign).slug if campaign else None
        context = alert_context(built, db, stop=stop)
        if dry_run:
            alerts_text.show_preview(run, preview(context, campaign_id=only))
            return
        done = context.until_available(partial(sending.send_alerts, context, campaign_id=only))
        result = {name: value for name, value in asdict(done).items() if name != "warnings"}
        record = RunRecord(run.run_id, NAME, started, time.monotonic() - since, result)
        context.until_available(partial(runs.record, db, record))
    warnings = [*done.warnings, *([STOPPED] if stop.is_set() else [])]
    text = ", ".join(f"{count} {name}" for name, count in result.items())
    troubled = done.failed or done.dead or done.unknown or stop.is_set()
    run.done(result, text=text, warnings=warnings, exit_code=PARTLY_DONE if troubled else 0)


@app.command("list")
def list_(
    ctx: typer.Context,
    campaign: OnlyCampaign = "",
    status: Annotated[
        str,
        typer.Option(
            "--status",
            metavar="pending|held|sending|sent|dead|unknown|dropped",
            help="Only these.",
        ),
    ] = "",
    person: Annotated[str, typer.Option(metavar="@NAME", help="Only about this account.")] = "",
    action_type: Annotated[str, typer.Option(metavar="A", help="Only this action.")] = "",
    tweet: Annotated[str, typer.Option(metavar="URL|ID", help="Only about this tweet.")] = "",
    min_importance: MinImportance = None,
    reason: Annotated[
        str, typer.Option(metavar="R", help=f"Only what waits for this: {', '.join(HoldReason)}.")
    ] = "",
    channel: Annotated[str, typer.Option(metavar="NAME", help="Only what went over this channel.")] = "",
    limit: Limit = 50,
) -> None:
    """List alerts, planned, held, sent and dead, the latest first.

    Example: socap alerts list --campaign launch --status sent
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        wanted = AlertFilter(
            register.find(db, campaign).slug if campaign else None,
            AlertStatus(one_of(status, AlertStatus, "status")) if status else None,
            account(person, "--person") if person else None,
            one_of(action_type, action_types(), "action") if action_type else None,
            tweet_id_of(tweet) if tweet else None,
            min_importance,
            HoldReason(one_of(reason, HoldReason, "reason")) if reason else None,
            one_of(channel, channels_of(built), "channel") if channel else None,
        )
        found = alert_view.listed(db, wanted, limit=limit)
    rows = [alerts_text.row(listing) for listing in found]
    run.done({"alerts": rows}, text=lambda: alerts_text.show_list(run, found, now=run.now()))


@app.command("show")
def show(
    ctx: typer.Context,
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="As `alerts list` names it.")],
) -> None:
    """Show one alert with every attempt, the traceback of an unforeseen error included.

    Example: socap alerts show launch:9651898815170611:retweet:44196397
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        found = alert_view.find(db, alert)
        if found is None:
            raise SocapError(f"no alert {alert!r}", hint="see: socap alerts list")
        messages = alert_view.messages_of(db, found)
    result = {**alerts_text.row(found), "messages": [asdict(message) for message in messages]}
    run.done({"alert": result}, text=lambda: alerts_text.show_one(run, found, messages, now=run.now()))


@app.command("retry")
def retry(
    ctx: typer.Context,
    alerts: Annotated[
        list[str], typer.Argument(metavar="[ALERT]…", help="Only these (default: all that need it).")
    ] = [],  # noqa: B006
    campaign: OnlyCampaign = "",
    dry_run: DryRun = False,
) -> None:
    """Let dead and unknown messages be tried again, and switch their channels on.

    Example: socap alerts retry --campaign launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        only = register.find(db, campaign).slug if campaign else None
        ids = _messages_of(db, alerts) if alerts else None
        addresses = alert_retries.addresses(db, campaign_id=only, message_ids=ids)
        if only is None and ids is None:  # also those of which nothing is left to be told
            addresses += channel_state.switched_off(db)
        count = alert_retries.count(db, campaign_id=only, message_ids=ids)
        if not dry_run:
            channel_state.switch_on(db, addresses)
            context = alert_context(built, db)
            alert_retries.retry(db, now=context.now(), campaign_id=only, message_ids=ids)
            record_outcomes(context)
    run.done(
        {"deliveries": count},
        text=f"{counted(count, 'message')} will be tried at the next: socap alerts send",
    )


def _messages_of(db: Db, alert_ids: list[str]) -> list[str]:
    found = []
    for alert_id in alert_ids:
        listing = alert_view.find(db, alert_id)
        if listing is None:
            raise SocapError(f"no alert {alert_id!r}", hint="see: socap alerts list")
        found += [delivery.message_id for delivery in listing.deliveries if delivery.message_id]
    return found


@app.command("test")
def test(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="[CHANNEL]", help=f"{', '.join(CHANNELS)}.")] = "",
    campaign: Annotated[
        str,
        typer.Option(metavar="SLUG", help="Send a sample of what this campaign is told, to its receivers."),
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Send a test message over a channel, or over all, now; with --campaign show and send a sample.

    Example: socap alerts test slack --dry-run
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        context = alert_context(built, db)
        chosen = register.find(db, campaign) if campaign else None
        targets = trying.targets_to_try(context, channel or None, chosen)
        message = trying.sample(context, chosen) if chosen else None
        tried = [] if dry_run else trying.try_out(context, targets, message)
        shown = trying.as_text(context, message) if message else None
    alerts_text.show_tried(run, channel, targets, tried, shown)


app.command("silence")(silences.silence)
