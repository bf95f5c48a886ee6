"""Messages that are made and not sent, when their campaign is paused, silenced or quiet since: they wait as well."""

from __future__ import annotations

from dataclasses import replace

from socap_cli.alerts.circumstances import circumstances
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.holds import hold
from socap_cli.model import Campaign
from socap_cli.store import alert_history, alert_messages, alert_queue


def withdraw(context: AlertContext, campaign: Campaign) -> None:
    """Take back a campaign's messages that tell what must wait now; what may have arrived goes on.

    Its alerts are open again before that, so that none is lost when a run dies in between; what of them may be told
    gets another message.
    """
    db, now = context.db, context.now()
    rows = alert_history.unsent(db, campaign.slug)
    if not rows:
        return
    given = replace(circumstances(context, campaign, []), last_told={})  # by themselves
    alerts = alert_queue.of_ids(db, {row.alert_id for row in rows})
    held = {alert.alert_id: found for alert in alerts if (found := hold(campaign, alert, given))}
    reasons = {
        row.message_id: held[row.alert_id].said for row in rows if row.message_id and row.alert_id in held
    }
    alert_queue.reopen(db, [row.alert_id for row in rows if row.message_id in reasons])
    for message_id, said in reasons.items():
        alert_messages.withdraw(db, message_id, said=said, now=now)
