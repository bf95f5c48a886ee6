"""Stage two: what is due becomes rows for its receivers, and these become messages.

Every step can be repeated: rows have ids of alert and receiver, a row stands in one message only, and a message
that a killed run did not write is made again from its rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from socap_cli.alerts.context import AlertContext, told_unreadable
from socap_cli.alerts.rules import (
    MOST_REPEATS,
    Capacity,
    Circumstances,
    Dispatched,
    Target,
    fingerprint,
    give_rows,
    give_the_rest,
    group,
    hold,
    is_vip,
    plan,
    sort_out,
    targets_of,
)
from socap_cli.model.alert import Alert, OutgoingMessage
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import Engagement
from socap_cli.model.message import Digest, QuietHours, parse_digest, parse_quiet_hours
from socap_cli.store import Db, alert_messages, alert_queue, campaigns, engagements, importance, rate_limits
from socap_cli.store.alert_queue import LastPlan

BATCH = 500


SHOWN = 3


@dataclass
class PlanResult:
    """What a planning did."""

    planned: int = 0
    """Alerts that were not there before."""
    unscored: int = 0
    """Engagements that wait for their importance."""
    unreadable: list[str] = field(default_factory=list)
    """Ids of documents that are no engagements."""
    problems: list[str] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        """What an operator should know."""
        found = list(self.problems)
        if self.unscored:
            found.append(f"{self.unscored} engagements wait for their importance; it could not be looked up")
        if self.unreadable:
            named = ", ".join(self.unreadable[:SHOWN])
            found.append(f"{len(self.unreadable)} engagements cannot be read and are left out: {named}")
        return found


@dataclass(frozen=True)
class _Changed:
    """A campaign whose settings or tweets are others than at its last planning."""

    fingerprint: str
    """What was read before anything was considered: what changes meanwhile is seen by the next planning."""
    tweet_ids: tuple[str, ...]
    considered_until: datetime | None


@dataclass(frozen=True)
class _Homes:
    """The campaigns that can be read, and since when each has considered its engagements under other settings."""

    campaigns: Mapping[str, Campaign]
    considered_until: Mapping[str, datetime]


Parsed = TypeVar("Parsed")


NO_RECEIVER_ANY_MORE = "its receiver is not configured any more"


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
    begun = alert_messages.with_rows(context.db, [alert.alert_id for alert in alerts])
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
    alert_messages.put_deliveries(db, found.deliveries)
    alert_queue.mark_sending(db, found.complete)
    alert_queue.wait_for_channels(db, found.waiting)
    alert_queue.write_holds(db, found.held)
    write_statuses(db, found.complete)
    total.add(found)


def make_messages(context: AlertContext, *, campaign_id: str | None = None) -> None:
    """Put rows that are in no message into messages, and write the messages."""
    db, now = context.db, context.now()
    rows = alert_messages.ungrouped(db, [campaign_id] if campaign_id else None)
    waiting = alert_messages.due_of(db, now=now)
    for message in group(rows, capacity_of(context, waiting.values(), now=now)):
        alert_messages.assign(db, message)
    alert_messages.put(db, unwritten(db), now=now)


def unwritten(db: Db) -> list[OutgoingMessage]:
    """The messages that rows stand in and that are not written yet."""
    made = alert_messages.assigned(db)
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


def plan_alerts(context: AlertContext, *, dry_run: bool = False) -> tuple[PlanResult, list[Alert]]:
    """Consider every engagement that carries its mark. Returns what was done, and with `dry_run` what would be."""
    db, now = context.db, context.now()
    result, dry = PlanResult(), list[Alert]()
    by_slug = {campaign.slug: campaign for campaign in campaigns.listed(db)}
    result.problems += [f"campaign {slug}: its document cannot be read" for slug in campaigns.unreadable(db)]
    changed = _reconsider(context, by_slug)
    tweets = sorted({tweet for one in changed.values() for tweet in one.tweet_ids})
    unmarked = tweets if dry_run else ()
    if not dry_run:
        alert_queue.consider_again(db, tweets)
    homes = _Homes(
        by_slug, {slug: one.considered_until for slug, one in changed.items() if one.considered_until}
    )
    after = ""
    while True:
        found, unreadable, after = engagements.needing_plan(db, after=after, limit=BATCH, also_of=unmarked)
        result.unreadable += unreadable
        if not after:
            break
        scored = _scored(context, found, result, dry_run=dry_run)
        alerts, considered = _alerts_of(context, scored, homes, result)
        if dry_run:
            known = alert_queue.known(db, [alert.alert_id for alert in alerts])
            dry += [alert for alert in alerts if alert.alert_id not in known]
            result.planned = len(dry)
            continue
        result.planned += alert_queue.put(db, alerts)
        alert_queue.reopen_risen(db, list(_wanted_by_more(context, by_slug, alerts)))
        engagements.mark_planned(db, considered)
    if not dry_run:
        for slug, one in changed.items():
            alert_queue.write(db, slug, LastPlan(one.fingerprint, now))
    return result, dry


def _reconsider(context: AlertContext, by_slug: Mapping[str, Campaign]) -> dict[str, _Changed]:
    """Campaigns that may be owed more than when they were planned last: their engagements are looked at again."""
    plans = alert_queue.read(context.db)
    changed: dict[str, _Changed] = {}
    for slug, campaign in by_slug.items():
        tweets = campaigns.tweets_of(context.db, slug)
        last, today = plans.get(slug), fingerprint(campaign, tweets)
        if last is None or last.fingerprint != today:
            ids = tuple(tweet.tweet_id for tweet in tweets)
            changed[slug] = _Changed(today, ids, last.considered_until if last else None)
    return changed


def _wanted_by_more(
    context: AlertContext, by_slug: Mapping[str, Campaign], alerts: Sequence[Alert]
) -> Iterator[tuple[Alert, float]]:
    """Alerts that a receiver wants who does not want every one, with the importance from which it does."""
    receivers: dict[str, list[Target]] = {}
    for alert in alerts:
        slug = alert.campaign_id
        if slug not in receivers:
            found = targets_of(by_slug[slug], context.channels, context.usual_receivers).found
            receivers[slug] = [target for target in found if target.min_importance > 0]
        wanted = [target.min_importance for target in receivers[slug] if target.wants(alert)]
        if wanted:
            yield alert, max(wanted)


def _scored(
    context: AlertContext, found: Sequence[Engagement], result: PlanResult, *, dry_run: bool
) -> list[Engagement]:
    """Look up what could not be scored before; what still cannot stays unknown, and is never taken for 0."""
    unknown = [one for one in found if one.importance.score is None]
    if not unknown:
        return list(found)
    try:
        scores = importance.look_up(context.db, context.names, [one.profile for one in unknown])
    except Exception as error:
        result.problems.append(told_unreadable(error))
        return list(found)
    by_id = {one.engagement_id: scores[one.profile.user_id] for one in unknown}
    if not dry_run:
        engagements.rescore(
            context.db, {key: value for key, value in by_id.items() if value.score is not None}
        )
    return [replace(one, importance=by_id.get(one.engagement_id, one.importance)) for one in found]


def _alerts_of(
    context: AlertContext, found: Sequence[Engagement], homes: _Homes, result: PlanResult
) -> tuple[list[Alert], list[Engagement]]:
    """(alerts, engagements that are considered by that). One that cannot be considered keeps its mark."""
    tweets = campaigns.with_tweets(context.db, (one.tweet_id for one in found))
    alerts: list[Alert] = []
    considered: list[Engagement] = []
    for one in found:
        try:
            alerts += _planned(one, tweets.get(one.tweet_id, ()), homes, context.now())
        except Exception:
            result.unreadable.append(one.engagement_id)
            continue
        if one.importance.score is None:
            result.unscored += 1
        else:
            considered.append(one)
    return alerts, considered


def _planned(one: Engagement, tweets: Sequence[CampaignTweet], homes: _Homes, now: datetime) -> list[Alert]:
    found = []
    for tweet in tweets:
        campaign = homes.campaigns.get(tweet.campaign_id)
        if campaign is not None:
            until = homes.considered_until.get(campaign.slug)
            alert = plan(campaign, one, tweet, now=now, considered_until=until)
            found += [alert] if alert else []
    return found


def circumstances(
    context: AlertContext, campaign: Campaign, warnings: list[str], *, withdrawn: Collection[str] = ()
) -> Circumstances:
    """What decides beside the alerts themselves; a setting that cannot be read is told and left out.

    Messages that are let go have told nothing.
    """
    now = context.now()
    window = timedelta(minutes=campaign.frequency_window_minutes)
    quiet = campaign.quiet_hours if campaign.quiet_hours is not None else context.settings.quiet_hours
    digest = campaign.digest if campaign.digest is not None else context.settings.digest
    return Circumstances(
        now,
        silences=alert_queue.active(context.db, now=now),
        last_notified=alert_messages.last_notified(
            context.db, campaign.slug, since=now - window, but=withdrawn
        ),
        quiet_hours=_parsed(_quiet_hours, quiet, campaign, warnings),
        digest=_parsed(parse_digest, digest, campaign, warnings) or Digest(),
    )


def as_of_today(context: AlertContext, campaign: Campaign, alerts: Sequence[Alert]) -> list[Alert]:
    """A score may have fallen since an alert was planned, and somebody may have been named a VIP."""
    scores = engagements.scores_of(context.db, [alert.engagement_id for alert in alerts])
    return [
        replace(
            alert,
            importance_score=scores.get(alert.engagement_id, alert.importance_score),
            is_vip=is_vip(campaign, alert.username),
        )
        for alert in alerts
    ]


def _quiet_hours(text: str) -> QuietHours | None:
    return None if text in ("", "off") else parse_quiet_hours(text)


def _parsed(
    parse: Callable[[str], Parsed], text: str | None, campaign: Campaign, warnings: list[str]
) -> Parsed | None:
    if text is None:
        return None
    try:
        return parse(text)
    except ValueError as error:
        warnings.append(f"{campaign.slug}: {text!r} {error}")
        return None


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
        alert_queue.reopen(db, alert_messages.alerts_of(db, reasons))
        for message_id, said in reasons.items():
            alert_messages.withdraw(db, message_id, said=said, now=now)
        for address in set(alert_messages.open_of(db, slug).values()) - _receivers(context, campaign):
            alert_queue.reopen(db, alert_messages.alerts_open_for(db, slug, address))
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
    rows = alert_messages.unsent(context.db, campaign.slug)
    unwritten = alert_messages.ungrouped(context.db, [campaign.slug]) if left else []
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


def record_outcomes(context: AlertContext, message_id: str | None = None) -> None:
    """Write what became of a message to the rows of its alerts; without one, of all that a killed run left."""
    for ended_id, settlement, settled_at in alert_messages.unrecorded(context.db, message_id):
        alert_ids = alert_messages.record(context.db, ended_id, settlement, now=settled_at)
        write_statuses(context.db, alert_ids)
        alert_messages.note_recorded(context.db, ended_id, settled_at=settled_at)


def write_statuses(db: Db, alert_ids: Sequence[str]) -> None:
    """Write to these alerts what their rows say.

    Read again after writing: another thread may have written a row in between, and its status before ours.
    """
    written = None
    while (statuses := alert_messages.statuses_of(db, alert_ids)) != written:
        alert_queue.set_statuses(db, statuses)
        written = statuses


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
    return unwritten(db) + group(alert_messages.ungrouped(db), capacity)


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
    rows = alert_messages.ungrouped(db, [campaign.slug])
    again = {
        *alert_messages.alerts_of(db, withdrawn),
        *(r.alert_id for r in rows if r.delivery_id in taken_back),
    }
    waiting = alert_queue.open_of(db, campaign.slug)
    alerts = {alert.alert_id: alert for alert in [*waiting, *alert_queue.of_ids(db, again), *fresh]}
    have = {
        row: alert
        for row, alert in alert_messages.rows_of(db, alerts, but=withdrawn).items()
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
    off = rate_limits.switched_off(context.db)
    named = {message.address_id: message for message in messages if message.address_id in off}
    return [
        f"{one.channel} ({one.receiver}) is switched off, its messages will be dead: {off[address].reason}"
        for address, one in named.items()
    ]
