"""socap alerts …"""

from __future__ import annotations

import getpass
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

import typer

from socap_cli.alerts import send as sending
from socap_cli.alerts.compose import as_text, sample_of
from socap_cli.alerts.deliver import targets_to_try, try_out
from socap_cli.bootstrap import alert_context
from socap_cli.campaigns import adding
from socap_cli.channels import CHANNELS
from socap_cli.cli import tables
from socap_cli.cli.options import (
    DryRun,
    Limit,
    OnlyCampaign,
    account,
    category_named,
    channels,
    choice,
    finite,
    one_of,
)
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap, stopping
from socap_cli.errors import SocapError
from socap_cli.model import links
from socap_cli.model.alert import AlertListing, AlertStatus, MessageRecord, Silence
from socap_cli.model.kinds import action_types
from socap_cli.model.queue import RunRecord
from socap_cli.store import alert_messages, alert_queue, rate_limits, usage
from socap_cli.store.alert_queue import AlertFilter
from socap_cli.text import counted

app = typer.Typer(help="Alert people about important engagements.", no_args_is_help=True)

STOPPED = "stopped before everything was sent; the next run continues"
IN_FLIGHT = SocapError(
    "stopped while a message was being sent",
    hint="it may have arrived; when the next run sends it again, it says so",
)
MOST_MINUTES = 10 * 365 * 24 * 60
COLUMNS = tables.Columns(
    ("status", "who", "action", "score", "due or sent", "channel", "reason", "alert"),
    numbers=("score",),
    cut=("reason",),
    drop=("alert", "channel", "reason", "due or sent", "score"),
)
WORDS = {
    "alert_id": "alert", "campaign_id": "campaign", "status": "status", "username": "who", "name": "name",
    "user_id": "account", "action_type": "action", "url": "link", "tweet_id": "tweet", "importance_score": "importance",
    "importance_reasons": "followed by", "is_vip": "VIP", "is_backlog": "baseline", "planned_at": "planned",
    "due": "due", "sent_at": "sent", "reason": "reason",
}  # fmt: skip
"""Fields of an alert in the order and words of `alerts show`."""


@app.command("silence")
def silence(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(metavar="[SLUG]", help="Only this campaign's alerts.")] = "",
    minutes: Annotated[
        float | None,
        typer.Option(
            callback=finite,
            min=0,
            max=MOST_MINUTES,
            metavar="N",
            help="For how long (default: 60); 0 ends it at once.",
        ),
    ] = None,
    person: Annotated[str, typer.Option(metavar="@NAME", help="Only alerts about this account.")] = "",
    category: Annotated[
        str, typer.Option(metavar="C", help="Only a category of tweets (client …) or accounts (founders …).")
    ] = "",
    action_type: Annotated[str, typer.Option(metavar="A", help="Only retweet, reply or quote.")] = "",
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    author: Annotated[
        str, typer.Option(metavar="NAME", help="Who silences (default: the current user).")
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Hold alerts for a while. They are not lost: they go out together afterwards.

    Without arguments it lists the silences.

    Example: socap alerts silence launch --minutes 90 --comment "the party"
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        now = alert_context(built, db).now()
        if not any((slug, person, category, action_type)) and minutes is None:
            active = alert_queue.active(db, now=now)
            rows = [asdict(one) for one in active]
            run.done({"silences": rows}, text=lambda: show_silences(run, active, now=now))
            return
        new = Silence(
            silence_id=uuid.uuid4().hex,
            until=now + timedelta(minutes=60 if minutes is None else minutes),
            created_at=now,
            author=author or _user(),
            comment=comment,
            campaign_id=adding.find(db, slug).slug if slug else None,
            username=account(person, "--person") if person else None,
            category=category_named(category, built.rules()) if category else None,
            action_type=one_of(action_type, action_types(), "action") if action_type else None,
        )
        ended = alert_queue.end(db, new, dry_run=dry_run) if minutes == 0 else 0
        if minutes != 0 and not dry_run:
            alert_queue.put_silence(db, new)
    until = None if minutes == 0 else new.until
    if until:
        text = f"{'would be silent' if dry_run else 'silent'} until {until:%Y-%m-%d %H:%M} UTC: {new.scope}"
    elif ended:
        text = f"{'would end the silence' if dry_run else 'silence ended'}: {new.scope}"
    else:
        text = f"no silence of {new.scope}"
    result = {
        "slug": slug or None,
        "silenced_until": until,
        "scope": new.scope,
        "ended": ended,
        "dry_run": dry_run,
    }
    run.done(result, text=text)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"


def show_silences(run: Run, active: Sequence[Silence], *, now: datetime) -> None:
    if not active:
        run.info("no silences")
        return
    rows = ([one.scope, one.until, one.author, one.comment] for one in active)
    names = ("silenced", "until", "by", "comment")
    tables.show(tables.Columns(names, cut=("comment",), drop=("by", "comment")), rows, now=now)


@app.command("send")
def send(ctx: typer.Context, campaign: OnlyCampaign = "", dry_run: DryRun = False) -> None:
    """Plan alerts for new engagements, and send what is due. A possible duplicate says so.

    Example: socap alerts send --campaign launch --dry-run
    """
    run: Run = ctx.obj
    started, since = run.now(), time.monotonic()
    built, stop = bootstrap(run), threading.Event()
    with built.database() as db, stopping(run, stop, IN_FLIGHT):
        only = adding.find(db, campaign).slug if campaign else None
        context = alert_context(built, db, stop=stop)
        if dry_run:
            show_preview(run, sending.preview(context, campaign_id=only))
            return
        done = context.until_available(partial(sending.send_alerts, context, campaign_id=only))
        result = {name: value for name, value in asdict(done).items() if name != "warnings"}
        record = RunRecord(run.run_id, "alerts send", started, time.monotonic() - since, result)
        context.until_available(partial(usage.record_run, db, record))
    parts = [f"{counted(done.planned, 'alert')} planned", f"{counted(done.sent, 'message')} sent"]
    parts += [f"{result[name]:,} {name}" for name in ("failed", "dead", "unknown") if result[name]]
    later = [f"{counted(done.later, 'alert')} due later"] if done.later else []
    later += [f"next at {done.next_due:%H:%M} UTC"] if done.later and done.next_due else []
    text = ", ".join(parts) + (f" ({', '.join(later)})" if later else "")
    warnings = [*done.warnings, *([STOPPED] if stop.is_set() else [])]
    troubled = done.failed or done.dead or done.unknown or done.disabled or stop.is_set()
    run.done(result, text=text, warnings=warnings, exit_code=PARTLY_DONE if troubled else 0)


def show_preview(run: Run, found: sending.Dispatched) -> None:
    messages = [
        {
            "campaign_id": message.campaign_id,
            "channel": message.deliveries[0].channel,
            "receiver": message.deliveries[0].receiver,
            "kind": message.kind.value,
            "is_vip": message.is_vip,
            "alerts": len(message.deliveries),
        }
        for message in found.messages
    ]
    held, waiting = len(found.held), len(found.due)
    result = {"planned": found.planned, "sent": 0, "held": held, "messages": messages, "waiting": waiting}

    def draw() -> None:
        sends = counted(len(messages) + waiting, "message")
        run.print(f"would plan {counted(found.planned, 'alert')}, send {sends}, hold {held:,}")
        if messages:
            columns = ("campaign", "channel", "recipient", "kind", "alerts")
            rows = ([m["campaign_id"], m["channel"], m["receiver"], m["kind"], m["alerts"]] for m in messages)
            tables.show(tables.Columns(columns, numbers=("alerts",), drop=("alerts", "kind")), rows)
        for reason, count in Counter(hold.text for _, hold in found.held).items():
            run.print(f"held: {count:,}: {reason}")

    run.done(result, text=draw, warnings=found.warnings)


@app.command("list")
def list_(
    ctx: typer.Context,
    campaign: OnlyCampaign = "",
    status: Annotated[str, choice("pending|held|sending|sent|dead|unknown|dropped", help="Only these.")] = "",
    person: Annotated[str, typer.Option(metavar="@NAME", help="Only about this account.")] = "",
    limit: Limit = 50,
) -> None:
    """List pending, held, sent and failed alerts, the latest first.

    Example: socap alerts list --campaign launch --status sent
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        chosen = AlertFilter(
            adding.find(db, campaign).slug if campaign else None,
            AlertStatus(one_of(status, AlertStatus, "status")) if status else None,
            account(person, "--person") if person else None,
        )
        found = alert_queue.listed(db, chosen, limit=limit)
        total = alert_queue.count(db, chosen)
    result = {"alerts": [row(listing) for listing in found], "total": total}
    run.done(result, text=lambda: show_list(run, found, now=run.now()))


def row(listing: AlertListing) -> dict[str, Any]:
    """An alert for programs."""
    alert, about = asdict(listing.alert), listing.engagement
    for name in ("engagement_id", "labels", "hold", "waits_for"):
        del alert[name]
    return {
        **alert,
        "name": about.profile.name if about else None,
        "url": links.engagement_url(about) if about else None,
        "importance_reasons": [who for who, _ in about.importance.reasons] if about else [],
        "due": listing.due,
        "sent_at": listing.sent_at,
        "reason": listing.reason or None,
        "deliveries": [asdict(delivery) for delivery in listing.deliveries],
    }


def show_list(run: Run, found: Sequence[AlertListing], *, now: datetime) -> None:
    if not found:
        run.info("no matching alerts")
        return

    def cells(listing: AlertListing) -> list[Any]:
        alert = listing.alert
        times = (listing.due, listing.sent_at) if alert.hold else (listing.sent_at, listing.due)
        return [
            alert.status.value,
            f"{'VIP ' if alert.is_vip else ''}@{alert.username}",
            alert.action_type,
            alert.importance_score,
            times[0] or times[1],
            ", ".join(dict.fromkeys(delivery.channel for delivery in listing.deliveries)) or None,
            listing.reason or None,
            alert.alert_id,
        ]

    tables.show(COLUMNS, map(cells, found), now=now, fold=True)


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
        found = alert_queue.find_alert(db, alert)
        if found is None:
            raise SocapError(f"alert {alert!r} not found", hint="see: socap alerts list")
        messages = alert_queue.messages_of(db, found)
    result = {**row(found), "messages": [asdict(message) for message in messages]}
    run.done({"alert": result}, text=lambda: show_one(run, found, messages, now=run.now()))


def show_one(run: Run, found: AlertListing, messages: Sequence[MessageRecord], *, now: datetime) -> None:
    shown = row(found)
    shown["importance_reasons"] = ", ".join(f"@{who}" for who in shown["importance_reasons"]) or None
    shown["username"] = f"@{found.alert.username}"
    pairs = [(word, shown[name]) for name, word in WORDS.items()]
    if found.engagement is not None and found.engagement.text:
        pairs.append(("text", found.engagement.text))
    tables.pairs(pairs, now=now)
    if found.deliveries:
        names = ("channel", "recipient", "status", "at", "last error")
        columns = tables.Columns(names, cut=("last error",), drop=("last error", "at"))
        rows = (
            [d.channel, d.receiver, d.status.value, d.sent_at or d.created_at, d.said]
            for d in found.deliveries
        )
        tables.show(columns, rows, now=now)
    for message in messages:
        attempts = ([one.at, one.status.value, one.said] for one in message.log)
        title = f"message {message.message_id}: {counted(message.attempts, 'attempt')}"
        columns = tables.Columns(("at", "outcome", "error"), cut=("error",), drop=("error",))
        tables.show(columns, attempts, title=title, now=now)
        if message.traceback:
            run.print(message.traceback)


@app.command("retry")
def retry(
    ctx: typer.Context,
    alerts: Annotated[
        list[str], typer.Argument(metavar="ALERT", help="Only these (default: all that need it).")
    ] = [],  # noqa: B006
    campaign: OnlyCampaign = "",
    dry_run: DryRun = False,
) -> None:
    """Retry dead and unknown messages, and enable their channels again.

    Example: socap alerts retry --campaign launch
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        only = adding.find(db, campaign).slug if campaign else None
        ids: list[str] | None = [] if alerts else None
        for alert_id in alerts:
            listing = alert_queue.find_alert(db, alert_id)
            if listing is None:
                raise SocapError(f"alert {alert_id!r} not found", hint="see: socap alerts list")
            ids = [*(ids or []), *(one.message_id for one in listing.deliveries if one.message_id)]
        ended = alert_messages.ended(db, campaign_id=only, message_ids=ids)
        addresses = list(ended.values())
        if only is None and ids is None:  # also those that nothing waits for any more
            addresses += rate_limits.switched_off(db)
        if not dry_run:
            rate_limits.switch_on(db, addresses)
            now = alert_context(built, db).now()
            alert_queue.convert_old_messages(db)
            alert_messages.retry(db, now=now, campaign_id=only, message_ids=ids)
    text = f"{counted(len(ended), 'message')} will be retried by: socap alerts send"
    run.done({"deliveries": len(ended)}, text=text)


@app.command("test")
def test(
    ctx: typer.Context,
    channel: Annotated[
        str, typer.Argument(metavar="[CHANNEL]", autocompletion=channels, help=f"{', '.join(CHANNELS)}.")
    ] = "",
    campaign: Annotated[
        str,
        typer.Option(
            metavar="SLUG",
            help="Send a sample of this campaign's alerts, to its recipients.",
        ),
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
        chosen = adding.find(db, campaign) if campaign else None
        targets = targets_to_try(context, channel or None, chosen)
        message = sample_of(context, chosen) if chosen else None
        errors = [] if dry_run else [try_out(context, target, message) for target in targets]
        sample = as_text(context, message) if message else None
    names = [f"{target.channel} ({target.shown})" for target in targets]
    outcomes = list(zip(names, errors, strict=False))
    sent = [name for name, error in outcomes if error is None]
    failed = [(name, error) for name, error in outcomes if error is not None]
    if failed and not sent:
        raise failed[0][1]

    def draw() -> None:
        if sample is not None:
            run.print(sample)
        for name in names if dry_run else sent:
            run.print(f"{name}: {'would be sent' if dry_run else 'sent'}")

    result = {"channel": channel or None, "sent": sent, "receivers": names, "sample": sample}
    warnings = [f"{name}: {error}" for name, error in failed]
    run.done(result, text=draw, warnings=warnings, exit_code=PARTLY_DONE if failed else 0)
