"""Plan, then send: each step can die and be repeated without losing or doubling an alert."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta

from socap_cli.alerts import mail, slack
from socap_cli.alerts.message import Message, compose
from socap_cli.alerts.plan import Alert, heaviest_first, held_until, plan
from socap_cli.errors import ChannelDead, ChannelError, ConfigError, DeliveryFailed, DeliveryUnknown
from socap_cli.model import Campaign, DeliveryStatus, Engagement
from socap_cli.model.alert import Channel
from socap_cli.store import Db, alerts, campaigns, engagements, importance
from socap_cli.store.alerts import Delivery
from socap_cli.store.importance import FirmCollections

BATCH = 200
MISSING = {
    Channel.SLACK: "no Slack webhook; set SOCAP_ALERT_SLACK_WEBHOOK or --slack-webhook",
    Channel.EMAIL: "nobody to mail to; set SOCAP_ALERT_EMAIL_SMTP and SOCAP_ALERTS__EMAIL_TO or --client-email",
}
BACK_OFF = timedelta(minutes=1)
LONGEST_BACK_OFF = timedelta(hours=2)


@dataclass(frozen=True)
class Outlets:
    """Where alerts may go: the global settings; a campaign's own webhook and client address come on top."""

    slack_webhook: str | None = field(default=None, repr=False)
    webhook_hosts: tuple[str, ...] = ("hooks.slack.com",)
    mail_server: mail.Server | None = None
    mail_from: str = "socap@localhost"
    mail_to: tuple[str, ...] = ()
    timeout: float = 15.0
    max_attempts: int = 8
    resend_unknown: bool = True
    slack_interval: float = slack.INTERVAL


@dataclass(frozen=True, slots=True)
class SendResult:
    planned: int
    sent: int
    held: int
    failed: int
    dead: int
    unknown: int
    warnings: tuple[str, ...] = ()


def plan_new(db: Db, firm: FirmCollections, *, now: datetime) -> int:
    """Consider every engagement that carries its mark; return how many alerts are new."""
    by_slug = {campaign.slug: campaign for campaign in campaigns.listed(db)}
    planned = 0
    while found := engagements.needing_plan(db, limit=BATCH):
        scored = _scored(db, firm, found)
        homes = campaigns.with_tweets(db, (one.tweet_id for one in scored))
        wanted: list[Alert] = []
        for one in scored:
            for home in homes.get(one.tweet_id, ()):
                campaign = by_slug.get(home.campaign_id)
                if campaign is not None:
                    alert = plan(campaign, one, added_at=home.added_at, now=now)
                    wanted.extend([alert] if alert else [])
        planned += alerts.put(db, (_document(alert, now) for alert in wanted))
        engagements.mark_planned(db, [one.engagement_id for one in scored])
    return planned


def _scored(db: Db, firm: FirmCollections, found: Sequence[Engagement]) -> list[Engagement]:
    """Look up what could not be scored before."""
    unknown = [one for one in found if one.importance.score is None]
    if not unknown:
        return list(found)
    scores = importance.look_up(db, firm, [one.profile for one in unknown])
    by_id = {one.engagement_id: scores[one.profile.user_id] for one in unknown}
    engagements.rescore(db, by_id)
    return [replace(one, importance=by_id.get(one.engagement_id, one.importance)) for one in found]


def _document(alert: Alert, now: datetime) -> dict[str, object]:
    row = asdict(alert)
    return {"_id": row.pop("alert_id"), **row, "planned_at": now}


def send_due(
    db: Db,
    outlets: Outlets,
    *,
    now: datetime,
    planned: int = 0,
    sleep: Callable[[float], None] = time.sleep,
) -> SendResult:
    """Form messages of what is due and hand them to their channels."""
    by_slug = {campaign.slug: campaign for campaign in campaigns.listed(db)}
    warnings: list[str] = []
    held = _form_messages(db, by_slug, now=now)
    _open_deliveries(db, by_slug, outlets, warnings, now=now)
    alerts.expire_sending(db)
    counts = {"sent": 0, "failed": 0, "dead": 0, "unknown": 0}
    resting: dict[str, float] = {}
    while delivery := alerts.claim_delivery(
        db, now=now, resend_unknown=outlets.resend_unknown, skip=list(resting), lease=outlets.timeout * 4
    ):
        state = _deliver(db, by_slug, outlets, delivery, warnings, resting, now=now, sleep=sleep)
        counts[state.value] += 1
    return SendResult(planned=planned, held=held, warnings=tuple(dict.fromkeys(warnings)), **counts)


def _form_messages(db: Db, by_slug: Mapping[str, Campaign], *, now: datetime) -> int:
    """Seal every due group into one message; hold back what was told lately. Returns how many alerts are held."""
    held = 0
    done: set[str] = set()
    for alert in alerts.due(db, now=now):
        group = alert["group_key"]
        if group in done:
            continue
        done.add(group)
        members = []
        for row in alerts.pending_of_group(db, group):
            message = alerts.message_with(db, row["_id"])
            if message is not None:  # sealed by a run that died before it could say so
                alerts.mark_merged(db, message["_id"], message["items"])
            else:
                members.append(row["_id"])
        campaign = by_slug.get(alert["campaign_id"])
        if not members or campaign is None:
            continue
        window = timedelta(minutes=campaign.frequency_window_minutes)
        until = None if alert["backfill"] else held_until(alerts.last_told(db, group), window, now)
        if campaign.silenced_until is not None and campaign.silenced_until > now:
            until = campaign.silenced_until
        if until is not None:
            alerts.put_off(db, members, until)
            held += len(members)
        elif alerts.seal(db, members[0], members, now=now):
            alerts.told(db, group, now)
            alerts.mark_merged(db, members[0], members)
    return held


def _open_deliveries(
    db: Db, by_slug: Mapping[str, Campaign], outlets: Outlets, warnings: list[str], *, now: datetime
) -> None:
    for row in alerts.sealed(db):
        alerts.told(db, row["group_key"], row["sealed_at"])
        alerts.mark_merged(db, row["_id"], row["items"])
        campaign = by_slug.get(row["campaign_id"])
        receivers = list(_receivers(campaign, outlets, warnings)) if campaign else []
        for channel, receiver in receivers:
            alerts.open_delivery(
                db,
                alert_id=row["_id"],
                campaign_id=row["campaign_id"],
                channel=channel.value,
                receiver=receiver,
                shown_as=receiver if channel is Channel.EMAIL else "webhook",
                now=now,
            )
        if receivers or campaign is None:
            alerts.dispatched(db, row["_id"])


def _receivers(campaign: Campaign, outlets: Outlets, warnings: list[str]) -> Iterable[tuple[Channel, str]]:
    """(channel, address) of everybody a campaign tells; the campaign's own webhook wins over the global one.

    A campaign that names no channel uses every one that is configured; its client is mailed only when it
    names `email`.
    """
    webhook = campaign.slack_webhook or outlets.slack_webhook
    addresses = list(outlets.mail_to) if outlets.mail_server else []
    if outlets.mail_server and Channel.EMAIL in campaign.channels and campaign.client_email:
        addresses.append(campaign.client_email)
    reachable: dict[Channel, list[str]] = {
        Channel.SLACK: [webhook] if webhook else [],
        Channel.EMAIL: list(dict.fromkeys(addresses)),
    }
    for channel in tuple(Channel(name) for name in campaign.channels) or tuple(Channel):
        if campaign.channels and not reachable[channel]:
            warnings.append(f"{campaign.slug}: {MISSING[channel]}")
        yield from ((channel, address) for address in reachable[channel])
    if not campaign.channels and not any(reachable.values()):
        warnings.append(
            f"{campaign.slug}: alerts wait, for no channel is configured; {MISSING[Channel.SLACK]}"
        )


def _deliver(
    db: Db,
    by_slug: Mapping[str, Campaign],
    outlets: Outlets,
    delivery: Delivery,
    warnings: list[str],
    resting: dict[str, float],
    *,
    now: datetime,
    sleep: Callable[[float], None],
) -> DeliveryStatus:
    campaign = by_slug.get(delivery.campaign_id)
    message = _message(db, campaign, delivery) if campaign else None
    if campaign is None or message is None:
        alerts.settle_delivery(db, delivery, DeliveryStatus.DEAD, now=now, error="its campaign is gone")
        return DeliveryStatus.DEAD
    address = _address(campaign, outlets, delivery)
    mark = alerts.channel_id(delivery.channel, address or "")
    off = alerts.switched_off(db).get(mark)
    if address is None or off:
        reason = off or "its channel is not configured any more"
        alerts.settle_delivery(db, delivery, DeliveryStatus.DEAD, now=now, error=reason)
        return DeliveryStatus.DEAD
    try:
        _hand_over(db, outlets, delivery, address, mark, message, now=now, sleep=sleep)
    except ChannelError as error:
        return _after_failure(db, outlets, delivery, mark, error, warnings, resting, now=now)
    except ConfigError as error:
        warnings.append(f"{campaign.slug}: {error.message}" + (f" ({error.hint})" if error.hint else ""))
        due = now + LONGEST_BACK_OFF
        alerts.settle_delivery(
            db, delivery, DeliveryStatus.FAILED, now=now, due=due, error=error.message, counts=False
        )
        return DeliveryStatus.FAILED
    alerts.settle_delivery(db, delivery, DeliveryStatus.SENT, now=now)
    return DeliveryStatus.SENT


def _message(db: Db, campaign: Campaign, delivery: Delivery) -> Message | None:
    row = alerts.message(db, delivery.alert_id)
    if row is None:
        return None
    told = heaviest_first(alerts.engagements_of(db, row["items"]))
    if not told:
        return None
    homes = campaigns.with_tweets(db, (e.tweet_id for e in told))
    tweets = {
        t: next((h for h in found if h.campaign_id == campaign.slug), found[0]) for t, found in homes.items()
    }
    return compose(row, told, campaign, tweets, repeated=delivery.may_have_arrived)


def _address(campaign: Campaign, outlets: Outlets, delivery: Delivery) -> str | None:
    if delivery.channel == Channel.SLACK:
        return campaign.slack_webhook or outlets.slack_webhook
    return delivery.receiver if outlets.mail_server else None


def _hand_over(
    db: Db,
    outlets: Outlets,
    delivery: Delivery,
    address: str,
    mark: str,
    message: Message,
    *,
    now: datetime,
    sleep: Callable[[float], None],
) -> None:
    if delivery.channel == Channel.SLACK:
        url = slack.check_address(address, outlets.webhook_hosts)
        wait = alerts.reserve_channel(db, mark, interval=outlets.slack_interval)
        if wait > 0:
            sleep(wait)
        slack.send(url, message, timeout=outlets.timeout)
    else:
        assert outlets.mail_server is not None
        mail.send(
            outlets.mail_server,
            outlets.mail_from,
            mail.check_address(address),
            message,
            now=now,
            timeout=outlets.timeout,
        )


def _after_failure(
    db: Db,
    outlets: Outlets,
    delivery: Delivery,
    mark: str,
    error: ChannelError,
    warnings: list[str],
    resting: dict[str, float],
    *,
    now: datetime,
) -> DeliveryStatus:
    """Decide from one bit, permanent or not, and from whether it may have arrived."""
    state = DeliveryStatus.DEAD
    due = now
    if isinstance(error, ChannelDead):
        warnings.append(
            f"{delivery.channel} is switched off: {error.message}" + (f"; {error.hint}" if error.hint else "")
        )
        first = alerts.switch_off(db, mark, reason=error.message, now=now)
        waiting = alerts.kill_channel_deliveries(db, mark, error=error.message) + 1
        if first:
            _report_elsewhere(
                outlets, delivery, f"{error.message}; {waiting} alert(s) wait", warnings, now=now
            )
    elif isinstance(error, (DeliveryFailed, DeliveryUnknown)) and delivery.attempts < outlets.max_attempts:
        state = DeliveryStatus.UNKNOWN if isinstance(error, DeliveryUnknown) else DeliveryStatus.FAILED
        wait = error.retry_after if isinstance(error, DeliveryFailed) else None
        due = now + (timedelta(seconds=wait) if wait else back_off(delivery.attempts))
        if wait:
            resting[mark] = wait
        warnings.append(f"{delivery.channel}: {error.message}; tried again later")
    else:
        warnings.append(f"{delivery.channel}: {error.message}; see: socap alerts list --state dead")
    alerts.settle_delivery(db, delivery, state, now=now, due=due, error=error.message)
    return state


def _report_elsewhere(
    outlets: Outlets, delivery: Delivery, said: str, warnings: list[str], *, now: datetime
) -> None:
    """Tell the operator about a dead channel through the other one, once."""
    text = f"socap: the {delivery.channel} channel of {delivery.campaign_id} is switched off. {said}"
    try:
        if delivery.channel == Channel.SLACK and outlets.mail_server:
            for address in outlets.mail_to:
                mail.notify(
                    outlets.mail_server, outlets.mail_from, address, text, now=now, timeout=outlets.timeout
                )
        elif delivery.channel == Channel.EMAIL and outlets.slack_webhook:
            url = slack.check_address(outlets.slack_webhook, outlets.webhook_hosts)
            slack.notify(url, text, timeout=outlets.timeout)
    except (ChannelError, ConfigError) as error:
        warnings.append(f"the dead channel could not be reported elsewhere: {error.message}")


def back_off(attempts: int) -> timedelta:
    """A minute, doubled with each attempt, up to two hours."""
    return min(LONGEST_BACK_OFF, BACK_OFF * float(2 ** max(0, attempts - 1)))
