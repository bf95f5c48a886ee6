"""What a sending would do, without doing it."""

from __future__ import annotations

from dataclasses import dataclass, field

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.dispatching import capacity_of, decide
from socap_cli.alerts.grouping import group
from socap_cli.alerts.planning import plan_alerts
from socap_cli.model.alert import Alert, OutgoingMessage
from socap_cli.store import alert_history, alert_messages, alert_queue, campaigns


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
    planned, fresh = plan_alerts(context, dry_run=True)
    found = Preview(planned=planned.planned, warnings=planned.warnings)
    deliveries = alert_history.ungrouped(context.db, [campaign_id] if campaign_id else None)
    for campaign in campaigns.listed(context.db):
        if campaign_id in (None, campaign.slug):
            alerts = alert_queue.open_of(context.db, campaign.slug)
            done = decide(context, campaign, [*alerts, *_of(fresh, campaign.slug)], _begun(context, alerts))
            deliveries += done.deliveries
            found.warnings += done.warnings
            for _, hold in done.held:
                found.held[hold.said] = found.held.get(hold.said, 0) + 1
    found.messages = group(deliveries, capacity_of(context, context.now()))
    waiting = alert_messages.waiting_by_address(context.db, now=context.now(), campaign_id=campaign_id)
    found.waiting = sum(waiting.values())
    return found


def _of(alerts: list[Alert], slug: str) -> list[Alert]:
    return [alert for alert in alerts if alert.campaign_id == slug]


def _begun(context: AlertContext, alerts: list[Alert]) -> set[str]:
    return alert_history.with_rows(context.db, [alert.alert_id for alert in alerts])
