"""What `socap alerts` shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from socap_cli.alerts.preview import Preview
from socap_cli.alerts.receivers import Target
from socap_cli.alerts.trying import Tried
from socap_cli.cli import tables
from socap_cli.cli.run import PARTLY_DONE, Run
from socap_cli.cli.wording import counted
from socap_cli.errors import SocapError
from socap_cli.model import links
from socap_cli.model.alert_listing import AlertListing, MessageRecord

COLUMNS = ("alert", "status", "due or sent", "who", "score", "channel", "reason")
"""An alert's id holds campaign, tweet and action."""


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


WORDS = {
    "alert_id": "alert", "campaign_id": "campaign", "status": "status", "username": "who", "name": "name",
    "user_id": "account", "action_type": "action", "url": "link", "tweet_id": "tweet", "importance_score": "importance",
    "importance_reasons": "followed by", "is_vip": "VIP", "is_backlog": "there before", "planned_at": "planned",
    "due": "due", "sent_at": "sent", "reason": "because",
}  # fmt: skip
"""Fields of an alert in the order and words of `alerts show`."""


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
