"""What a sending would do, without doing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from socap_cli.alerts.addressing import Dispatched
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.dispatching import capacity_of, decide, unwritten
from socap_cli.alerts.grouping import group
from socap_cli.alerts.outcome import MOST_REPEATS
from socap_cli.alerts.planning import plan_alerts
from socap_cli.alerts.withdrawing import would_withdraw
from socap_cli.model.alert import Alert, OutgoingMessage
from socap_cli.model.campaign import Campaign
from socap_cli.store import alert_history, alert_messages, alert_queue, campaigns, channel_state


@dataclass
class Preview:
    """What would be planned, sent and held back."""

    planned: int = 0
    messages: list[OutgoingMessage] = field(default_factory=list)
    waiting: int = 0
    """Messages that are made already and due."""
    held: dict[str, int] = field(default_factory=dict)
    """Alerts by reason."""
    warnings: list[str] = field(default_factory=list)


def preview(context: AlertContext, *, campaign_id: str | None = None) -> Preview:
    """What `send_alerts` would do now."""
    db, now = context.db, context.now()
    planned, fresh = plan_alerts(context, dry_run=True)
    left = _left_unwritten(context)
    gone = _of_deleted_campaigns(context)
    done = Dispatched()
    for campaign in campaigns.listed(db):
        withdrawn = would_withdraw(context, campaign, left)
        gone |= withdrawn
        if campaign_id in (None, campaign.slug):
            mine = [alert for alert in fresh if alert.campaign_id == campaign.slug]
            done.add(_decided(context, campaign, mine, withdrawn, left))
    again = MOST_REPEATS if context.settings.resend_unknown else None
    due = alert_messages.due_of(db, now=now, campaign_id=campaign_id, most_repeats=again)
    waiting = {message_id: address for message_id, address in due.items() if message_id not in gone}
    everywhere = [at for key, at in alert_messages.due_of(db, now=now).items() if key not in gone]
    kept = [message for message in left if message.message_id not in gone]
    everywhere += [message.address_id for message in kept]
    fresh_ones = group(done.deliveries, capacity_of(context, everywhere, now=now))
    messages = [one for one in kept if campaign_id in (None, one.campaign_id)] + fresh_ones
    return Preview(
        planned.planned,
        messages,
        len(waiting),
        dict(Counter(hold.said for hold in done.holds)),
        [*planned.warnings, *done.warnings, *_switched_off(context, messages)],
    )


def _left_unwritten(context: AlertContext) -> list[OutgoingMessage]:
    """The messages that the first step of `dispatch` makes, of rows that a killed run left without."""
    db, now = context.db, context.now()
    capacity = capacity_of(context, alert_messages.due_of(db, now=now).values(), now=now)
    return unwritten(db) + group(alert_history.ungrouped(db), capacity)


def _decided(
    context: AlertContext,
    campaign: Campaign,
    fresh: list[Alert],
    withdrawn: set[str],
    left: Sequence[OutgoingMessage],
) -> Dispatched:
    """What is to be done with a campaign's open alerts, those of messages that would be let go among them."""
    db = context.db
    taken_back = {row for one in left if one.message_id in withdrawn for row in one.delivery_ids}
    rows = alert_history.ungrouped(db, [campaign.slug])
    again = {
        *alert_history.alerts_of(db, withdrawn),
        *(r.alert_id for r in rows if r.delivery_id in taken_back),
    }
    waiting = alert_queue.open_of(db, campaign.slug)
    alerts = {alert.alert_id: alert for alert in [*waiting, *alert_queue.of_ids(db, again), *fresh]}
    have = {
        row: alert
        for row, alert in alert_history.rows_of(db, alerts, but=withdrawn).items()
        if row not in taken_back
    }
    found = decide(context, campaign, list(alerts.values()), frozenset(have.values()), withdrawn)
    found.deliveries = [delivery for delivery in found.deliveries if delivery.delivery_id not in have]
    return found


def _of_deleted_campaigns(context: AlertContext) -> set[str]:
    deleted = (
        s for s in alert_messages.campaigns_with_open(context.db) if not campaigns.exists(context.db, s)
    )
    return {message_id for slug in deleted for message_id in alert_messages.open_of(context.db, slug)}


def _switched_off(context: AlertContext, messages: list[OutgoingMessage]) -> list[str]:
    """Receivers of these messages that take nothing any more."""
    off = channel_state.switched_off(context.db)
    named = {message.address_id: message for message in messages if message.address_id in off}
    return [
        f"{one.channel} ({one.receiver}) is switched off, its messages will be dead: {off[address].reason}"
        for address, one in named.items()
    ]
