"""socap alerts …"""

from __future__ import annotations

import getpass
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any

import typer

from socap_cli.alerts import send as sending
from socap_cli.alerts import trying
from socap_cli.alerts.pipeline import Preview, plan_alerts, preview, record_outcomes
from socap_cli.alerts.rules import Target
from socap_cli.alerts.trying import Tried
from socap_cli.bootstrap import alert_context, channels_of
from socap_cli.campaigns import adding
from socap_cli.channels import CHANNELS
from socap_cli.cli import tables
from socap_cli.cli.campaign import tweet_id_of
from socap_cli.cli.options import DryRun, Limit, MinImportance, OnlyCampaign, account, category_named, one_of
from socap_cli.cli.run import PARTLY_DONE, Run, bootstrap, stopping
from socap_cli.errors import SocapError
from socap_cli.model import links
from socap_cli.model.alert import LONG_SILENCE, AlertListing, AlertStatus, HoldReason, MessageRecord, Silence
from socap_cli.model.kinds import action_types
from socap_cli.model.queue import RunRecord
from socap_cli.store import Db, alert_messages, alert_queue, rate_limits, usage
from socap_cli.store.alert_queue import AlertFilter
from socap_cli.text import counted

app = typer.Typer(help="Tell people about important engagements.", no_args_is_help=True)


NAME = "alerts send"


STOPPED = "stopped before everything was sent; the next run goes on"


IN_FLIGHT = SocapError(
    "stopped while a message was being sent",
    hint="it may have arrived; the next run says so when it repeats it",
)


def silence(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(metavar="[SLUG]", help="Only this campaign's alerts.")] = "",
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0, max=MOST_MINUTES, metavar="N", help="For how long (default: 60); 0 ends it at once."
        ),
    ] = None,
    person: Annotated[str, typer.Option(metavar="@NAME", help="Only alerts about this account.")] = "",
    category: Annotated[
        str, typer.Option(metavar="C", help="Only a category of tweets (client …) or accounts (founders …).")
    ] = "",
    action_type: Annotated[str, typer.Option(metavar="A", help="Only retweet, reply or quote.")] = "",
    comment: Annotated[str, typer.Option(metavar="TEXT", help="Why.")] = "",
    author: Annotated[str, typer.Option(metavar="NAME", help="Who says so (default: the user here).")] = "",
    dry_run: DryRun = False,
) -> None:
    """Hold alerts back for a while. They are not lost: they go out together afterwards.

    Without anything it lists the silences.

    Example: socap alerts silence launch --minutes 90 --comment "the party"
    """
    run: Run = ctx.obj
    built = bootstrap(run)
    with built.database() as db:
        now = alert_context(built, db).now()
        if not any((slug, person, category, action_type)) and minutes is None:
            active = alert_queue.active(db, now=now)
            run.done(
                {"silences": [asdict(one) for one in active]},
                text=lambda: show_silences(run, active, now=now),
            )
            return
        wanted = Silence(
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
        ended = 0
        if minutes == 0:
            ended = alert_queue.count_like(db, wanted) if dry_run else alert_queue.end(db, wanted)
        elif not dry_run:
            alert_queue.put_silence(db, wanted)
    until = None if minutes == 0 else wanted.until
    result = {"slug": slug or None, "silenced_until": until, "scope": wanted.scope, "ended": ended}
    run.done({**result, "dry_run": dry_run}, text=_said(wanted.scope, until, ended, dry_run=dry_run))


app.command("silence")(silence)


COLUMNS = ("alert", "status", "due or sent", "who", "score", "channel", "reason")
"""An alert's id holds campaign, tweet and action."""


WORDS = {
    "alert_id": "alert", "campaign_id": "campaign", "status": "status", "username": "who", "name": "name",
    "user_id": "account", "action_type": "action", "url": "link", "tweet_id": "tweet", "importance_score": "importance",
    "importance_reasons": "followed by", "is_vip": "VIP", "is_backlog": "there before", "planned_at": "planned",
    "due": "due", "sent_at": "sent", "reason": "because",
}  # fmt: skip
"""Fields of an alert in the order and words of `alerts show`."""


MOST_MINUTES = LONG_SILENCE.total_seconds() / 60


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
        counts = alert_queue.totals(db).alerts
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
        only = adding.find(db, campaign).slug if campaign else None
        context = alert_context(built, db, stop=stop)
        if dry_run:
            show_preview(run, preview(context, campaign_id=only))
            return
        done = context.until_available(partial(sending.send_alerts, context, campaign_id=only))
        result = {name: value for name, value in asdict(done).items() if name != "warnings"}
        record = RunRecord(run.run_id, NAME, started, time.monotonic() - since, result)
        context.until_available(partial(usage.record_run, db, record))
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
            adding.find(db, campaign).slug if campaign else None,
            AlertStatus(one_of(status, AlertStatus, "status")) if status else None,
            account(person, "--person") if person else None,
            one_of(action_type, action_types(), "action") if action_type else None,
            tweet_id_of(tweet) if tweet else None,
            min_importance,
            HoldReason(one_of(reason, HoldReason, "reason")) if reason else None,
            one_of(channel, channels_of(built), "channel") if channel else None,
        )
        found = alert_queue.listed(db, wanted, limit=limit)
    rows = [row(listing) for listing in found]
    run.done({"alerts": rows}, text=lambda: show_list(run, found, now=run.now()))


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
        found = alert_queue.find_alerts(db, alert)
        if found is None:
            raise SocapError(f"no alert {alert!r}", hint="see: socap alerts list")
        messages = alert_queue.messages_of(db, found)
    result = {**row(found), "messages": [asdict(message) for message in messages]}
    run.done({"alert": result}, text=lambda: show_one(run, found, messages, now=run.now()))


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
        only = adding.find(db, campaign).slug if campaign else None
        ids = _messages_of(db, alerts) if alerts else None
        addresses = alert_messages.addresses(db, campaign_id=only, message_ids=ids)
        if only is None and ids is None:  # also those of which nothing is left to be told
            addresses += rate_limits.switched_off(db)
        count = alert_messages.count(db, campaign_id=only, message_ids=ids)
        if not dry_run:
            rate_limits.switch_on(db, addresses)
            context = alert_context(built, db)
            alert_messages.retry(db, now=context.now(), campaign_id=only, message_ids=ids)
            record_outcomes(context)
    run.done(
        {"deliveries": count},
        text=f"{counted(count, 'message')} will be tried at the next: socap alerts send",
    )


def _messages_of(db: Db, alert_ids: list[str]) -> list[str]:
    found = []
    for alert_id in alert_ids:
        listing = alert_queue.find_alerts(db, alert_id)
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
        chosen = adding.find(db, campaign) if campaign else None
        targets = trying.targets_to_try(context, channel or None, chosen)
        message = trying.sample(context, chosen) if chosen else None
        tried = [] if dry_run else trying.try_out(context, targets, message)
        shown = trying.as_text(context, message) if message else None
    show_tried(run, channel, targets, tried, shown)


def row(listing: AlertListing) -> dict[str, Any]:
    """An alert for programs."""
    alert, about = listing.alert, listing.engagement
    return {
        "alert_id": alert.alert_id,
        "campaign_id": alert.campaign_id,
        "status": alert.status.value,
        "user_id": alert.user_id,
        "username": alert.username,
        "name": about.profile.name if about else None,
        "action_type": alert.action_type,
        "url": links.engagement_url(about) if about else None,
        "tweet_id": alert.tweet_id,
        "importance_score": alert.importance_score,
        "importance_reasons": [who for who, _ in about.importance.reasons] if about else [],
        "is_vip": alert.is_vip,
        "is_backlog": alert.is_backlog,
        "run_batch": alert.run_batch,
        "planned_at": alert.planned_at,
        "scheduled_send_time": alert.scheduled_send_time,
        "due": listing.due,
        "sent_at": listing.sent_at,
        "reason": listing.reason or None,
        "deliveries": [asdict(delivery) for delivery in listing.deliveries],
    }


def show_list(run: Run, found: Sequence[AlertListing], *, now: datetime) -> None:
    """A line for each alert."""
    if not found:
        run.info("no alert is like that")
        return
    drop = ("reason", "channel", "score", "due or sent", "who", "status")
    tables.show(
        tables.Columns(COLUMNS, numbers=("score",), cut=("reason",), drop=drop),
        map(_cells, found),
        now=now,
        fold=True,
    )


def _cells(listing: AlertListing) -> list[Any]:
    alert = listing.alert
    channels = dict.fromkeys(delivery.channel for delivery in listing.deliveries)
    return [
        alert.alert_id,
        alert.status.value,
        (listing.due or listing.sent_at) if listing.waits else (listing.sent_at or listing.due),
        f"{'VIP ' if alert.is_vip else ''}@{alert.username}",
        alert.importance_score,
        ", ".join(channels) or None,
        listing.reason or None,
    ]


def show_one(run: Run, found: AlertListing, messages: Sequence[MessageRecord], *, now: datetime) -> None:
    """Everything about one alert."""
    tables.pairs(_pairs(found), now=now)
    rows = (
        [d.channel, d.receiver, d.status.value, d.sent_at or d.created_at, d.said] for d in found.deliveries
    )
    if found.deliveries:
        columns = ("channel", "receiver", "status", "at", "last error")
        tables.show(tables.Columns(columns, cut=columns[-1:], drop=("last error", "at")), rows, now=now)
    for message in messages:
        tries = ([one.at, one.status.value, one.said] for one in message.log)
        title = f"message {message.message_id}: {counted(message.attempts, 'attempt')}"
        tables.show(
            tables.Columns(("at", "came to", "because"), cut=("because",), drop=("because",)),
            tries,
            title=title,
            now=now,
        )
        if message.traceback:
            run.print(message.traceback)


def _pairs(found: AlertListing) -> Iterator[tuple[str, Any]]:
    shown = row(found)
    shown["importance_reasons"] = ", ".join(f"@{who}" for who in shown["importance_reasons"]) or None
    shown["username"] = f"@{found.alert.username}"
    yield from ((word, shown[name]) for name, word in WORDS.items())
    if found.engagement is not None and found.engagement.text:
        yield "text", found.engagement.text


def show_preview(run: Run, found: Preview) -> None:
    """What a sending would do."""
    messages = [
        {
            "campaign_id": message.campaign_id,
            "channel": message.channel,
            "receiver": message.receiver,
            "kind": message.kind.value,
            "is_vip": message.is_vip,
            "alerts": len(message.delivery_ids),
        }
        for message in found.messages
    ]
    held = sum(found.held.values())
    result = {
        "planned": found.planned,
        "sent": 0,
        "held": held,
        "messages": messages,
        "waiting": found.waiting,
    }

    def draw() -> None:
        run.print(
            f"would plan {counted(found.planned, 'alert')}, send {counted(len(messages) + found.waiting, 'message')}, "
            f"hold {held:,}"
        )
        if messages:
            columns = ("campaign", "channel", "receiver", "tells", "alerts")
            tables.show(
                tables.Columns(columns, numbers=("alerts",), drop=("alerts", "tells")),
                ([m["campaign_id"], m["channel"], m["receiver"], m["kind"], m["alerts"]] for m in messages),
            )
        for said, count in found.held.items():
            run.print(f"held: {count:,}: {said}")

    run.done(result, text=draw, warnings=found.warnings)


def show_tried(
    run: Run, channel: str, targets: Sequence[Target], tried: Sequence[Tried], sample: str | None
) -> None:
    """What came of a test. Raises the error when nobody got it."""
    failed = [one for one in tried if one.error is not None]
    if tried and len(failed) == len(tried):
        raise failed[0].error or SocapError("not sent")
    sent = [one for one in tried if one.error is None]
    names = [f"{target.channel} ({target.shown})" for target in targets]
    result = {
        "channel": channel or None,
        "sent": [f"{one.target.channel} ({one.target.shown})" for one in sent],
        "receivers": names,
        "sample": sample,
    }

    def draw() -> None:
        if sample is not None:
            run.print(sample)
        for one in sent:
            run.print(f"{one.target.channel} ({one.target.shown}): sent")
        for name in names if not tried else ():
            run.print(f"{name}: would be sent")

    warnings = [f"{one.target.channel} ({one.target.shown}): {one.error}" for one in failed]
    run.done(result, text=draw, warnings=warnings, exit_code=PARTLY_DONE if failed else 0)


def _said(scope: str, until: datetime | None, ended: int, *, dry_run: bool) -> str:
    if until:
        return f"{'would be silent' if dry_run else 'silent'} until {until:%Y-%m-%d %H:%M} UTC: {scope}"
    if not ended:
        return f"there is no silence of {scope}"
    return f"{'would end the silence' if dry_run else 'silence ended'}: {scope}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "somebody"


def show_silences(run: Run, active: Sequence[Silence], *, now: datetime) -> None:
    """A row for each silence."""
    if not active:
        run.info("no silence")
        return
    rows = ([one.scope, one.until, one.author, one.comment] for one in active)
    tables.show(
        tables.Columns(("silenced", "until", "by", "comment"), cut=("comment",), drop=("by", "comment")),
        rows,
        now=now,
    )
