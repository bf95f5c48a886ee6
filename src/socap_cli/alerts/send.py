"""A send: plan what is owed, hold what must wait, group the rest into messages, deliver them.

A run can be killed anywhere and repeated: an alert has a deterministic id, a message is stored whole before its
alerts are marked, and a message is claimed before it is sent. `preview` takes the same steps without writing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from socap_cli.alerts.context import AlertContext, index_warning
from socap_cli.alerts.deliver import Sender, report_dead
from socap_cli.alerts.rules import (
    MOST_REPEATS,
    NOTHING_CONFIGURED,
    Held,
    Situation,
    assign_deliveries,
    fingerprint,
    group,
    is_vip,
    plan,
    release,
    run_stages,
)
from socap_cli.errors import LockHeld
from socap_cli.model.alert import Alert, Delivery, OpenMessage, OutgoingMessage
from socap_cli.model.campaign import Campaign
from socap_cli.model.engagement import Engagement
from socap_cli.model.important import fold_handle
from socap_cli.model.message import AT_ONCE, QuietHours, parse_digest, parse_quiet_hours
from socap_cli.store import (
    alert_messages,
    alert_queue,
    campaigns,
    connect,
    engagements,
    importance,
    rate_limits,
)
from socap_cli.store.alert_queue import LastPlan

LOCK = "alerts plan"
"""Held while alerts are planned and grouped: moments, whatever the channels do."""
LOCK_LEASE = 20.0
ANOTHER_PLANS = "another run is planning; it sends what it plans, or the next run does"
NO_RECIPIENT_ANY_MORE = "its recipient is not configured any more"
CAMPAIGN_DELETED = "its campaign was deleted"
BATCH = 500
IDS_SHOWN = 3

Setting = TypeVar("Setting")


@dataclass(frozen=True, slots=True)
class SendResult:
    """`planned`, `held` and `later` count alerts; the others messages, one a recipient."""

    planned: int
    sent: int
    held: int
    failed: int
    dead: int
    unknown: int
    disabled: int = 0
    """Messages that wait for a disabled address."""
    later: int = 0
    """Alerts with a time to come."""
    next_due: datetime | None = None
    warnings: tuple[str, ...] = ()


@dataclass
class Planned:
    """`fresh` are the new alerts of a dry run, which stores none."""

    planned: int = 0
    fresh: list[Alert] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Dispatched:
    """The messages that were made (of a preview: would be), alerts that wait, stored messages that are due."""

    messages: list[OutgoingMessage]
    held: list[Held]
    due: list[OpenMessage]
    warnings: list[str]
    planned: int = 0


def send_alerts(context: AlertContext, *, campaign_id: str | None = None) -> SendResult:
    """Plan what is owed and send what is due, of all campaigns or of one. Several runs may send at once.

    Raises what concerns the whole run, such as a database that is down; nothing is lost by that.
    """
    db = context.db
    planned, held, warnings = 0, 0, list[str]()
    again = context.settings.resend_unknown
    alert_queue.convert_old_messages(db)
    alert_messages.expire(db, now=context.now(), resend_unknown=again, most_repeats=MOST_REPEATS)
    alert_messages.record(db)
    try:
        with planning(context):
            plans = plan_alerts(context)
            made = dispatch(context, campaign_id=campaign_id)
        planned, held = plans.planned, len(made.held)
        warnings += [*plans.warnings, *made.warnings]
    except LockHeld:
        warnings.append(ANOTHER_PLANS)
    sent = Sender(context, campaign_id=campaign_id).run()
    warnings += [*sent.warnings, *report_dead(context)]
    later, next_due = alert_queue.due_later(db, after=context.now(), campaign_id=campaign_id)
    return SendResult(
        planned=planned,
        held=held,
        **{name: sent.counts[name] for name in ("sent", "failed", "dead", "unknown")},
        disabled=alert_messages.waiting_for(db, rate_limits.switched_off(db), campaign_id=campaign_id),
        later=later,
        next_due=next_due,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def preview(context: AlertContext, *, campaign_id: str | None = None) -> Dispatched:
    """What `send_alerts` would do now; writes nothing."""
    plans = plan_alerts(context, dry_run=True)
    made = dispatch(context, campaign_id=campaign_id, dry_run=True, fresh=plans.fresh)
    off = rate_limits.switched_off(context.db)
    disabled = {
        f"{one.channel} ({one.receiver}) is disabled, its messages will be dead: {off[one.address_id].reason}"
        for message in made.messages
        for one in message.deliveries[:1]
        if one.address_id in off
    }
    return replace(made, planned=plans.planned, warnings=[*plans.warnings, *made.warnings, *sorted(disabled)])


@contextmanager
def planning(context: AlertContext) -> Iterator[None]:
    """Hold the planning lock, waiting for it for a while. Raises LockHeld."""
    until = time.monotonic() + context.lock_patience
    while True:
        try:
            with connect.held(context.db, LOCK, lease=LOCK_LEASE):
                yield
                return
        except LockHeld:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


# Plan.


def plan_alerts(context: AlertContext, *, dry_run: bool = False) -> Planned:
    """Turn every engagement that carries its planning mark into the alerts that it deserves.

    Engagements of a campaign whose settings or tweets changed since its last planning are considered again.
    """
    db, now = context.db, context.now()
    result = Planned()
    readable = {campaign.slug: campaign for campaign in campaigns.listed(db)}
    result.warnings += [
        f"campaign {slug!r} is skipped: {reason} in its document"
        for slug, reason in campaigns.unreadable(db).items()
    ]
    # Fingerprints are taken before anything is considered: the next planning sees what changes meanwhile.
    last_plans, changed, tweets = alert_queue.last_plans(db), dict[str, str](), set[str]()
    for slug, campaign in readable.items():
        own = campaigns.tweets_of(db, slug)
        today = fingerprint(campaign, own)
        if slug not in last_plans or last_plans[slug].fingerprint != today:
            changed[slug] = today
            tweets |= {tweet.tweet_id for tweet in own}
            handles = _unknown_handles(campaign)
            seen = engagements.first_accounts(db, [tweet.tweet_id for tweet in own], handles)
            readable[slug] = _with_ids(context, campaign, handles, seen, result.warnings, dry_run=dry_run)
    if not dry_run:
        alert_queue.consider_again(db, sorted(tweets))
    until = {slug: last_plans[slug].considered_until for slug in changed if slug in last_plans}
    unscored, unreadable, after = 0, list[str](), ""
    while True:
        batch, damaged, after = engagements.needing_plan(
            db, after=after, limit=BATCH, also_of=sorted(tweets) if dry_run else ()
        )
        unreadable += damaged
        if not after:
            break
        batch = _scored(context, batch, result.warnings, dry_run=dry_run)
        entries = campaigns.with_tweets(db, (one.tweet_id for one in batch))
        newest_first = sorted(batch, key=lambda one: one.first_seen_at, reverse=True)
        seen = {fold_handle(one.profile.username): one.profile.user_id for one in newest_first}
        for slug in {tweet.campaign_id for own in entries.values() for tweet in own} & readable.keys():
            if handles := [handle for handle in _unknown_handles(readable[slug]) if handle in seen]:
                campaign = readable[slug]
                readable[slug] = _with_ids(context, campaign, handles, seen, result.warnings, dry_run=dry_run)
        alerts: list[Alert] = []
        considered: list[Engagement] = []
        for one in batch:
            try:
                owed = [
                    plan(readable[slug], one, tweet, now=now, considered_until=until.get(slug))
                    for tweet in entries.get(one.tweet_id, ())
                    if (slug := tweet.campaign_id) in readable
                ]
            except Exception:  # a fault of this engagement, which keeps its mark
                unreadable.append(one.engagement_id)
                continue
            alerts += [alert for alert in owed if alert is not None]
            if one.importance.score is None:
                unscored += 1
            else:
                considered.append(one)
        if dry_run:
            known = alert_queue.known(db, [alert.alert_id for alert in alerts])
            result.fresh += [alert for alert in alerts if alert.alert_id not in known]
            result.planned = len(result.fresh)
        else:
            result.planned += alert_queue.put(db, alerts)
            alert_queue.reopen_risen(db, _with_more_recipients(context, readable, alerts))
            engagements.mark_planned(db, considered)
    if not dry_run:
        for slug, today in changed.items():
            alert_queue.write_plan(db, slug, LastPlan(today, now))
    if unscored:
        result.warnings.append(f"{unscored} engagements wait for their importance; it could not be looked up")
    if unreadable:
        named = ", ".join(unreadable[:IDS_SHOWN])
        result.warnings.append(f"{len(unreadable)} engagements cannot be read and are left out: {named}")
    return result


def _unknown_handles(campaign: Campaign) -> list[str]:
    """Those on its lists of which the account is not known yet."""
    listed = dict.fromkeys(map(fold_handle, (*campaign.vips, *campaign.ignores)))
    return [handle for handle in listed if handle not in campaign.account_ids]


def _with_ids(
    context: AlertContext,
    campaign: Campaign,
    handles: Sequence[str],
    seen: Mapping[str, str],
    warnings: list[str],
    *,
    dry_run: bool,
) -> Campaign:
    """The campaign with the accounts that these handles mean: as the customer's lists say, else as first seen."""
    listed = set(map(fold_handle, (*campaign.vips, *campaign.ignores)))
    try:
        people = importance.find_person(context.db, context.names, handles)
        entries = importance.find(context.db, context.names, [(None, handle) for handle in handles])
    except Exception as error:
        warnings.append(index_warning(error))
        return campaign
    found = {
        handle: (people[handle].user_id if handle in people else None)
        or (entry.user_id if entry else None)
        or seen.get(handle)
        for handle, entry in zip(handles, entries, strict=True)
    }
    known = {handle: user_id for handle, user_id in campaign.account_ids.items() if handle in listed}
    known |= {handle: user_id for handle, user_id in found.items() if user_id}
    after = replace(campaign, account_ids=known)
    return after if dry_run else campaigns.update(context.db, campaign, after) or campaign


def _scored(
    context: AlertContext, batch: list[Engagement], warnings: list[str], *, dry_run: bool
) -> list[Engagement]:
    """Look up scores that could not be looked up before; one that still cannot stays unknown, never 0."""
    unknown = [one for one in batch if one.importance.score is None]
    if not unknown:
        return batch
    try:
        scores = importance.look_up(context.db, context.names, [one.profile for one in unknown])
    except Exception as error:
        warnings.append(index_warning(error))
        return batch
    scored = {one.engagement_id: replace(one, importance=scores[one.profile.user_id]) for one in unknown}
    if not dry_run:
        importance.write_scores(context.db, [(one, scored[one.engagement_id]) for one in unknown])
    return [scored.get(one.engagement_id, one) for one in batch]


def _with_more_recipients(
    context: AlertContext, readable: Mapping[str, Campaign], alerts: Sequence[Alert]
) -> Iterator[tuple[Alert, float]]:
    """Alerts that reach a recipient's own minimum, with the highest that they reach."""
    minimums = {
        slug: [target for target in context.targets_of(readable[slug]).found if target.min_importance > 0]
        for slug in {alert.campaign_id for alert in alerts}
    }
    for alert in alerts:
        reached = [one.min_importance for one in minimums[alert.campaign_id] if one.accepts(alert)]
        if reached:
            yield alert, max(reached)


# Hold and group.


def dispatch(
    context: AlertContext,
    *,
    campaign_id: str | None = None,
    dry_run: bool = False,
    fresh: Sequence[Alert] = (),
) -> Dispatched:
    """Withdraw messages that must wait by now, hold what must wait, and make messages of what is due.

    A dry run takes the same decisions on the same values, with `fresh` alerts that are not stored.
    """
    db, now = context.db, context.now()
    warnings: list[str] = []
    held: list[Held] = []
    complete: list[Alert] = []
    deliveries: list[Delivery] = []
    again = MOST_REPEATS if context.settings.resend_unknown else 0
    readable = {campaign.slug: campaign for campaign in campaigns.listed(db)}
    stored = alert_messages.open_messages(db, now=now, most_repeats=again)
    withdrawn = withdrawals(context, readable, stored)
    due = [one for one in stored if one.is_due and one.message_id not in withdrawn]
    reopened = {alert for one in stored if one.message_id in withdrawn for alert in one.alert_ids}
    if withdrawn and not dry_run:
        alert_queue.reopen(db, reopened)  # first, so that a run that is killed in between loses no alert
        alert_messages.withdraw(db, withdrawn, now=now, whatever=(NO_RECIPIENT_ANY_MORE, CAMPAIGN_DELETED))
        alert_messages.record(db)
    gone = set(withdrawn) if dry_run else set[str]()  # what was withdrawn counts nowhere any more
    candidates = [*alert_queue.of_ids(db, reopened), *fresh] if dry_run else []
    slugs = {*alert_queue.campaigns_with_open(db), *(alert.campaign_id for alert in candidates)}
    for slug in sorted(slugs):
        campaign = readable.get(slug)
        if campaign_id not in (None, slug):
            continue
        if campaign is None:
            if not dry_run and not campaigns.exists(db, slug):
                alert_queue.drop_campaign(db, slug)
            continue
        waiting = [*alert_queue.open_of(db, slug), *(a for a in candidates if a.campaign_id == slug)]
        alerts = refreshed(context, campaign, list({alert.alert_id: alert for alert in waiting}.values()))
        have = alert_messages.deliveries_of(db, [alert.alert_id for alert in alerts], without=gone)
        situation = _situation(context, campaign, set(have.values()), warnings, without=gone)
        warnings += [f"{slug}: {why}" for why in situation.targets.missing.values()]
        passed, stopped = release(situation, alerts)
        assigned, reached, partly = assign_deliveries(situation, passed)
        deliveries += [one for one in assigned if one.delivery_id not in have]
        complete += reached
        held += [*stopped, *partly]
        if any(hold.text == NOTHING_CONFIGURED for _, hold in stopped):
            warnings.append(f"{slug}: alerts wait: {NOTHING_CONFIGURED}")
    arrived = alert_messages.may_have_arrived(db, [one.delivery_id for one in deliveries])
    messages = group(
        [replace(one, may_have_arrived=one.delivery_id in arrived) for one in deliveries],
        digest_after=context.settings.digest_after,
        most_people={name: channel.most_people for name, channel in context.channels.items()},
        waiting=Counter(one.address_id for one in due),
        salt=now.isoformat(),
    )
    if not dry_run:
        refused = alert_messages.put(db, messages, now=now)
        ids = [alert.alert_id for alert in complete if alert.alert_id not in refused]
        alert_queue.mark_in_messages(db, ids)
        alert_queue.write_holds(db, [one for one in held if one[0].alert_id not in refused])
        alert_messages.record(db)
        alert_messages.write_statuses(db, ids)  # of those whose messages another run settled meanwhile
    own = [one for one in due if campaign_id in (None, one.campaign_id)]
    return Dispatched(messages, held, own, warnings)


def withdrawals(
    context: AlertContext, readable: Mapping[str, Campaign], stored: Sequence[OpenMessage]
) -> dict[str, str]:
    """The stored messages that must not be sent now, with the reason.

    Those for an address that is nobody's any more; and of those that cannot have arrived, the ones with an alert
    that is held by now. What may have arrived is sent again whatever holds.
    """
    found: dict[str, str] = {}
    by_slug: dict[str, list[OpenMessage]] = {}
    for one in stored:
        by_slug.setdefault(one.campaign_id, []).append(one)
    for slug, messages in by_slug.items():
        campaign = readable.get(slug)
        if campaign is None:
            if not campaigns.exists(context.db, slug):
                found |= dict.fromkeys([one.message_id for one in messages], CAMPAIGN_DELETED)
            continue
        addresses = {target.address_id for target in context.targets_of(campaign).found}
        found |= {
            one.message_id: NO_RECIPIENT_ANY_MORE for one in messages if one.address_id not in addresses
        }
        untaken = [one for one in messages if one.address_id in addresses and not one.may_have_arrived]
        ids = {alert_id for one in untaken for alert_id in one.alert_ids}
        if not ids:
            continue
        alerts = refreshed(context, campaign, alert_queue.of_ids(context.db, ids))
        _, held = run_stages(_situation(context, campaign, ids, []), alerts)
        reasons = {alert.alert_id: hold.text for alert, hold in held}
        for one in untaken:
            if texts := [reasons[alert_id] for alert_id in one.alert_ids if alert_id in reasons]:
                found[one.message_id] = texts[0]
    return found


def refreshed(context: AlertContext, campaign: Campaign, alerts: Sequence[Alert]) -> list[Alert]:
    """With today's score, which may have fallen since the alert was planned, and today's VIPs."""
    scores = engagements.scores_of(context.db, [alert.engagement_id for alert in alerts])
    return [
        replace(
            alert,
            importance_score=scores.get(alert.engagement_id, alert.importance_score),
            is_vip=is_vip(campaign, alert),
        )
        for alert in alerts
    ]


def _situation(
    context: AlertContext,
    campaign: Campaign,
    in_messages: Collection[str],
    warnings: list[str],
    *,
    without: Collection[str] = (),
) -> Situation:
    """`without`: messages that count as never sent. A setting that cannot be read is a warning and left out."""
    db, now = context.db, context.now()
    window = timedelta(minutes=campaign.frequency_window_minutes)
    usual = context.settings

    def parsed(parse: Callable[[str], Setting], text: str | None) -> Setting | None:
        try:
            return None if text is None else parse(text)
        except ValueError as error:
            warnings.append(f"{campaign.slug}: {text!r} {error}")
            return None

    def quiet_hours(text: str) -> QuietHours | None:
        return None if text in ("", "off") else parse_quiet_hours(text)

    quiet = campaign.quiet_hours if campaign.quiet_hours is not None else usual.quiet_hours
    digest = campaign.digest if campaign.digest is not None else usual.digest
    return Situation(
        campaign,
        now,
        context.targets_of(campaign),
        silences=alert_queue.active(db, now=now),
        last_notified=alert_messages.last_notified(db, campaign.slug, since=now - window, without=without),
        quiet_hours=parsed(quiet_hours, quiet),
        digest=parsed(parse_digest, digest) or AT_ONCE,
        in_messages=in_messages,
    )
