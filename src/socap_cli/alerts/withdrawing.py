"""Messages that are made and not sent, and must not be any more.

Their campaign is paused, silenced or quiet since: they wait as well. Or their address is no receiver any more: it
was replaced, or taken out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from socap_cli.alerts.circumstances import as_of_today, circumstances
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.holds import hold
from socap_cli.alerts.receivers import targets_of
from socap_cli.alerts.recording import record_outcomes
from socap_cli.model.alert import OutgoingMessage
from socap_cli.model.campaign import Campaign
from socap_cli.store import alert_history, alert_messages, alert_queue, campaigns

NO_RECEIVER_ANY_MORE = "its receiver is not configured any more"


def withdraw_unwanted(context: AlertContext) -> None:
    """Take back every message that must not be sent now; what may have arrived goes on, unless nobody would get it.

    Its alerts are open again before that, so that none is lost when a run dies in between; what of them may be told
    goes to whoever is a receiver now and has no row of them.
    """
    db, now = context.db, context.now()
    for slug in alert_messages.campaigns_with_open(db):
        campaign = campaigns.find(db, slug)
        if campaign is None:
            continue
        reasons = to_withdraw(context, campaign)
        alert_queue.reopen(db, alert_history.alerts_of(db, reasons))
        for message_id, said in reasons.items():
            alert_messages.withdraw(db, message_id, said=said, now=now)
        for address in set(alert_messages.open_of(db, slug).values()) - _receivers(context, campaign):
            alert_queue.reopen(db, alert_history.alerts_open_for(db, slug, address))
            alert_messages.withdraw_for_address(db, slug, address, said=NO_RECEIVER_ANY_MORE, now=now)
    record_outcomes(context)


def would_withdraw(
    context: AlertContext, campaign: Campaign, left: Sequence[OutgoingMessage] = ()
) -> set[str]:
    """The messages of a campaign that would be taken back, those among them that a killed run left unwritten."""
    known = _receivers(context, campaign)
    mine = [message for message in left if message.campaign_id == campaign.slug]
    addresses = {
        **alert_messages.open_of(context.db, campaign.slug),
        **{message.message_id: message.address_id for message in mine},
    }
    unwanted = {message_id for message_id, address in addresses.items() if address not in known}
    return unwanted | to_withdraw(context, campaign, mine).keys()


def _receivers(context: AlertContext, campaign: Campaign) -> set[str]:
    found = targets_of(campaign, context.channels, context.usual_receivers).found
    return {target.address_id for target in found}


def to_withdraw(
    context: AlertContext, campaign: Campaign, left: Sequence[OutgoingMessage] = ()
) -> dict[str, str]:
    """A campaign's messages that nobody took and that tell what must wait now, each with the reason."""
    into = {delivery_id: one.message_id for one in left for delivery_id in one.delivery_ids}
    rows = alert_history.unsent(context.db, campaign.slug)
    unwritten = alert_history.ungrouped(context.db, [campaign.slug]) if left else []
    rows += [
        replace(row, message_id=into[row.delivery_id])
        for row in unwritten
        if row.delivery_id in into and not row.may_have_arrived
    ]
    if not rows:
        return {}
    given = replace(circumstances(context, campaign, []), last_notified={})  # by themselves
    alerts = alert_queue.of_ids(context.db, {row.alert_id for row in rows})
    held = {
        alert.alert_id: found
        for alert in as_of_today(context, campaign, alerts)
        if (found := hold(campaign, alert, given))
    }
    untaken = alert_messages.untaken_of(context.db, campaign.slug)
    untaken |= {one.message_id for one in left if not one.may_be_repeated}
    return {
        row.message_id: held[row.alert_id].said
        for row in rows
        if row.message_id in untaken and row.alert_id in held
    }
