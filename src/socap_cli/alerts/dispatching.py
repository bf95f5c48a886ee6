"""Stage two: what is due becomes rows for its receivers, and these become messages.

Every step can be repeated: rows have ids of alert and receiver, a row stands in one message only, and a message
that a killed run did not write is made again from its rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from socap_cli.alerts.addressing import Dispatched, give_rows, give_the_rest
from socap_cli.alerts.circumstances import as_of_today, circumstances
from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.grouping import Capacity, group
from socap_cli.alerts.holds import hold, sort_out
from socap_cli.alerts.receivers import targets_of
from socap_cli.alerts.recording import write_statuses
from socap_cli.alerts.withdrawing import withdraw_unwanted
from socap_cli.model.alert import Alert, OutgoingMessage
from socap_cli.model.campaign import Campaign
from socap_cli.store import Db, alert_history, alert_messages, alert_queue, campaigns


def dispatch(context: AlertContext, *, campaign_id: str | None = None) -> Dispatched:
    """Write rows for what is due, holds for what must wait, and the messages of all rows that are in none."""
    total = Dispatched()
    make_messages(context)  # of rows that a killed run left: what must wait by now is taken back as a message
    withdraw_unwanted(context)
    readable = {campaign.slug: campaign for campaign in campaigns.listed(context.db)}
    for slug in alert_queue.campaigns_with_open(context.db):
        if campaign_id not in (None, slug):
            continue
        campaign = readable.get(slug)
        if campaign is not None:
            _write(context, _sorted_out(context, campaign), total)
        elif not campaigns.exists(context.db, slug):
            alert_queue.drop_campaign(context.db, slug)
    make_messages(context, campaign_id=campaign_id)
    return total


def _sorted_out(context: AlertContext, campaign: Campaign) -> Dispatched:
    """What is to be done with a campaign's open alerts. Writes nothing."""
    alerts = alert_queue.open_of(context.db, campaign.slug)
    begun = alert_history.with_rows(context.db, [alert.alert_id for alert in alerts])
    return decide(context, campaign, alerts, begun)


def decide(
    context: AlertContext,
    campaign: Campaign,
    alerts: Sequence[Alert],
    begun: Collection[str] = frozenset(),
    withdrawn: Collection[str] = (),
) -> Dispatched:
    """What is to be done with these alerts; those in `begun` have rows already, but not for everybody.

    `withdrawn` are messages that will not be sent.
    """
    found = Dispatched()
    alerts = as_of_today(context, campaign, alerts)
    given = circumstances(context, campaign, found.warnings, withdrawn=withdrawn)
    targets = targets_of(campaign, context.channels, context.usual_receivers)
    found.warnings += [f"{campaign.slug}: {said}" for said in targets.missing.values()]
    told, found.held = sort_out(campaign, [a for a in alerts if a.alert_id not in begun], given)
    for alert in told:
        give_rows(alert, targets, found, given)
    untold = replace(given, last_notified={})  # by themselves
    for alert in alerts:
        if alert.alert_id in begun and (why := hold(campaign, alert, untold)):
            found.held.append((alert, why))
        elif alert.alert_id in begun:
            give_the_rest(alert, targets, found, given)
    return found


def _write(context: AlertContext, found: Dispatched, total: Dispatched) -> None:
    db = context.db
    alert_history.put(db, found.deliveries)
    alert_queue.mark_sending(db, found.complete)
    alert_queue.wait_for_channels(db, found.waiting)
    alert_queue.write_holds(db, found.held)
    write_statuses(db, found.complete)
    total.add(found)


def make_messages(context: AlertContext, *, campaign_id: str | None = None) -> None:
    """Put rows that are in no message into messages, and write the messages."""
    db, now = context.db, context.now()
    rows = alert_history.ungrouped(db, [campaign_id] if campaign_id else None)
    waiting = alert_messages.due_of(db, now=now)
    for message in group(rows, capacity_of(context, waiting.values(), now=now)):
        alert_history.assign(db, message)
    alert_messages.put(db, unwritten(db), now=now)


def unwritten(db: Db) -> list[OutgoingMessage]:
    """The messages that rows stand in and that are not written yet."""
    made = alert_history.assigned(db)
    known = alert_messages.known(db, [message.message_id for message in made])
    return [message for message in made if message.message_id not in known]


def capacity_of(context: AlertContext, waiting: Iterable[str], *, now: datetime) -> Capacity:
    """What the channels can bear now, when a message waits at each of these addresses."""
    return Capacity(
        context.settings.digest_after,
        {name: channel.most_people for name, channel in context.channels.items()},
        Counter(waiting),
        salt=now.isoformat(),
    )
