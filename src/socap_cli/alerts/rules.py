"""Which engagements deserve an alert, what holds one back, who gets it, and in which message. Pure functions.

Every rule made twice from the same values gives the same result.
"""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from socap_cli.channels import Channel
from socap_cli.errors import ChannelError, SocapError
from socap_cli.model.account import Profile
from socap_cli.model.alert import (
    Alert,
    ClaimedMessage,
    Delivery,
    DeliveryStatus,
    Hold,
    HoldReason,
    OutgoingMessage,
    Settlement,
    Silence,
)
from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet
from socap_cli.model.engagement import Engagement
from socap_cli.model.important import fold_handle
from socap_cli.model.message import (
    AT_ONCE,
    Digest,
    MessageKind,
    QuietHours,
    Receiver,
    address_id,
    parse_receiver,
)

NOTHING_CONFIGURED = "no channel is configured; set SOCAP_ALERT_SLACK_WEBHOOK or SOCAP_ALERT_EMAIL_SMTP"
ALERTS_IN_A_MESSAGE = 20_000
"""A message is one document, of at most 16 MB."""
SPREAD_STEP = timedelta(minutes=10)
BACK_OFF = timedelta(minutes=1)
LONGEST_BACK_OFF = timedelta(hours=2)
MOST_REPEATS = 2
"""How often a message that may have arrived is sent again automatically."""
RETRY_AFTER_HONOURED = 3
"""For so many attempts the recipient's Retry-After is taken as it is."""


# What is owed.


def is_named(handles: Sequence[str], campaign: Campaign, account: Profile | Alert) -> bool:
    """Whether a list means an account: by its id where that is known, else by its handle."""
    ids, own = campaign.account_ids, fold_handle(account.username)
    return any(
        ids[handle] == account.user_id if handle in ids else handle == own
        for handle in map(fold_handle, handles)
    )


def is_vip(campaign: Campaign, account: Profile | Alert) -> bool:
    return is_named(campaign.vips, campaign, account)


def is_ignored(campaign: Campaign, account: Profile | Alert) -> bool:
    """A VIP is never ignored."""
    return is_named(campaign.ignores, campaign, account) and not is_vip(campaign, account)


def plan(
    campaign: Campaign,
    engagement: Engagement,
    tweet: CampaignTweet,
    *,
    now: datetime,
    considered_until: datetime | None = None,
) -> Alert | None:
    """The alert that an engagement deserves in a campaign, or None.

    Owed is everything from the campaign's threshold on, and whatever a VIP did. What was there before the tweet
    joined the campaign, or before its settings made it count (`considered_until`), is baseline: one summary.
    """
    if campaign.completed_at is not None and engagement.first_seen_at > campaign.completed_at:
        return None
    username, score = engagement.profile.username, engagement.importance.score
    vip = is_vip(campaign, engagement.profile)
    if not vip and (is_ignored(campaign, engagement.profile) or score is None or score < campaign.threshold):
        return None
    seen = engagement.first_seen_at
    backlog = (
        engagement.backfill
        or seen < tweet.added_at
        or (considered_until is not None and seen <= considered_until)
    )
    batch = run_batch(now)
    person = f"{campaign.slug}:{engagement.profile.user_id}:{batch}"
    delay = timedelta(0) if vip or backlog else spread(person, timedelta(minutes=campaign.spacing_minutes))
    return Alert(
        alert_id=f"{campaign.slug}:{engagement.engagement_id}",
        campaign_id=campaign.slug,
        engagement_id=engagement.engagement_id,
        tweet_id=engagement.tweet_id,
        user_id=engagement.profile.user_id,
        username=username,
        action_type=engagement.action_type,
        importance_score=score,
        is_vip=vip,
        is_backlog=backlog,
        scheduled_send_time=now + delay,
        run_batch=batch,
        planned_at=now,
        labels=(tweet.category.value, tweet.category.short, *engagement.categories),
    )


def spread(key: str, spacing: timedelta) -> timedelta:
    """A delay within the spacing that looks random and is the same for the same key."""
    drawn = int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:8], "big")
    return timedelta(seconds=int(spacing.total_seconds() * drawn / 2**64))


def run_batch(moment: datetime) -> str:
    """The 30-minute slot of a moment, as its start."""
    start = moment.replace(minute=moment.minute // 30 * 30)
    return f"{start:%Y-%m-%dT%H:%MZ}"


def fingerprint(campaign: Campaign, tweets: list[CampaignTweet]) -> str:
    """Differs whenever a campaign may be owed alerts that it was not owed before."""
    settings = (
        campaign.threshold,
        sorted(map(fold_handle, campaign.vips)),
        sorted(map(fold_handle, campaign.ignores)),
        campaign.completed_at,
        sorted((tweet.tweet_id, tweet.added_at) for tweet in tweets),
    )
    return hashlib.sha256(repr(settings).encode("utf-8", "replace")).hexdigest()[:16]


# Who gets it.


@dataclass(frozen=True, slots=True)
class Target:
    """One address of one channel."""

    channel: str
    address: str = field(repr=False)
    shown: str
    min_importance: float = 0.0
    digest: Digest = AT_ONCE

    @property
    def address_id(self) -> str:
        """Names the address, which may be a secret, without revealing it."""
        return address_id(self.channel, self.address)

    def accepts(self, alert: Alert) -> bool:
        """Whether the importance reaches this recipient's minimum; VIPs always do."""
        return alert.is_vip or (alert.importance_score or 0.0) >= self.min_importance

    def waits_until(self, alert: Alert, *, now: datetime) -> datetime | None:
        """The time of its own digest for this alert; None: at once, as for VIPs."""
        until = None if alert.is_vip else self.digest.next_after(alert.planned_at)
        return until if until is not None and until > now else None


@dataclass(frozen=True, slots=True)
class Targets:
    """A campaign's recipients. An address may be here twice: for some alerts at once, for the others in a digest."""

    found: tuple[Target, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    """Channels without an address, and what to do about it."""


def default_campaign(now: datetime) -> Campaign:
    """A campaign without settings: its recipients are those of the configuration."""
    return Campaign("sample", "Sample", CampaignStatus.ACTIVE, now, None, 0.0, (), 0, 0, now)


def targets_of(
    campaign: Campaign, channels: Mapping[str, Channel], usual: Sequence[Receiver] = ()
) -> Targets:
    """The recipients that a campaign names, else those of the configuration: every channel's own and `usual`."""
    named: list[Receiver] = []
    missing: dict[str, str] = {}
    for text in campaign.channels:
        try:
            named.append(parse_receiver(text))
        except ValueError as error:
            channel_name = text.partition("=")[0][:30]
            missing[channel_name] = f"channel {channel_name!r} {error}"
    named.sort(key=lambda receiver: receiver.min_importance)
    found: dict[Target, None] = {}
    for receiver in named or [*map(Receiver, channels), *usual]:
        channel = channels.get(receiver.channel)
        addresses: Sequence[str] = ()
        if channel is not None and channel.is_ready:
            addresses = (receiver.address,) if receiver.address else channel.receivers(campaign)
            for address in addresses:
                shown = channel.shown(address)
                found[Target(channel.name, address, shown, receiver.min_importance, receiver.digest)] = None
        if not addresses and named:
            missing[receiver.channel] = channel.missing if channel else f"no channel {receiver.channel!r}"
    return Targets(tuple(found), missing)


# What holds it back.


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides, beside the alerts themselves, whether a campaign's alerts go out now."""

    campaign: Campaign
    now: datetime
    targets: Targets
    silences: Sequence[Silence] = ()
    last_notified: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    """When each (user id, action) was alerted last."""
    quiet_hours: QuietHours | None = None
    digest: Digest = AT_ONCE
    in_messages: Collection[str] = ()
    """Alerts that some recipients have in a message already."""

    def is_vip(self, alert: Alert) -> bool:
        return is_vip(self.campaign, alert)

    def recipients(self, alert: Alert) -> list[Target]:
        """Each address once, at the earliest of its times; the rest of them for an alert that some have."""
        targets = [
            target
            for target in self.targets.found
            if target.accepts(alert) and self._is_missed(alert, target.channel)
        ]
        targets.sort(key=lambda target: target.waits_until(alert, now=self.now) or self.now)
        first: dict[str, Target] = {}
        for target in targets:
            first.setdefault(target.address_id, target)
        return list(first.values())

    def missing(self, alert: Alert) -> dict[str, str]:
        """The channels without an address that this alert waits for."""
        return {name: why for name, why in self.targets.missing.items() if self._is_missed(alert, name)}

    def _is_missed(self, alert: Alert, channel: str) -> bool:
        rest = alert.waits_for if alert.alert_id in self.in_messages else ()
        return not rest or channel in rest


Held = tuple[Alert, Hold]
Stage = Callable[[Situation, Sequence[Alert]], tuple[list[Alert], list[Held]]]
"""(the alerts that pass, those that are held)"""


def stage(rule: Callable[[Situation, Alert], Hold | None]) -> Stage:
    """A stage that judges each alert by itself."""

    def split(situation: Situation, alerts: Sequence[Alert]) -> tuple[list[Alert], list[Held]]:
        judged = [(alert, rule(situation, alert)) for alert in alerts]
        passed = [alert for alert, hold in judged if hold is None]
        return passed, [(alert, hold) for alert, hold in judged if hold is not None]

    return split


@stage
def paused(situation: Situation, _: Alert) -> Hold | None:
    is_paused = situation.campaign.status is CampaignStatus.PAUSED
    return Hold(HoldReason.PAUSED, "the campaign is paused") if is_paused else None


@stage
def ignored(situation: Situation, alert: Alert) -> Hold | None:
    """Planned before the account was ignored: waits in case that is taken back."""
    is_held = is_ignored(situation.campaign, alert)
    return Hold(HoldReason.IGNORED, "on the campaign's ignore list") if is_held else None


@stage
def below_threshold(situation: Situation, alert: Alert) -> Hold | None:
    """Planned under a lower threshold, or with a higher score."""
    threshold, score = situation.campaign.threshold, alert.importance_score or 0.0
    if situation.is_vip(alert) or score >= threshold:
        return None
    text = f"importance {score:g} is below the campaign's threshold of {threshold:g}"
    return Hold(HoldReason.THRESHOLD, text)


@stage
def silenced(situation: Situation, alert: Alert) -> Hold | None:
    """Of several silences the one that lasts longest counts."""
    active = [one for one in situation.silences if one.until > situation.now and one.covers(alert)]
    if not active:
        return None
    last = max(active, key=lambda silence: silence.until)
    comment = f": {last.comment}" if last.comment else ""
    return Hold(HoldReason.SILENCED, f"silenced ({last.scope}) by {last.author}{comment}", last.until)


@stage
def quiet_hours(situation: Situation, alert: Alert) -> Hold | None:
    quiet = situation.quiet_hours
    until = quiet.until(situation.now) if quiet else None
    if quiet is None or until is None or (situation.is_vip(alert) and not quiet.hold_vips):
        return None
    return Hold(HoldReason.QUIET_HOURS, f"quiet hours {quiet}", until)


@stage
def campaign_digest(situation: Situation, alert: Alert) -> Hold | None:
    until = situation.digest.next_after(alert.planned_at)
    if until is None or until <= situation.now or situation.is_vip(alert):
        return None
    return Hold(HoldReason.DIGEST, f"waits for the digest ({situation.digest})", until)


@stage
def repeat_window(situation: Situation, alert: Alert) -> Hold | None:
    """By times, not clock hours. An alert that is in a message already does not hold itself back."""
    minutes = situation.campaign.frequency_window_minutes
    last = situation.last_notified.get((alert.user_id, alert.action_type))
    if last is None or alert.is_backlog or alert.alert_id in situation.in_messages:
        return None
    until = last + timedelta(minutes=minutes)
    text = f"the last alert about a {alert.action_type} of @{alert.username} is under {minutes} min old"
    return Hold(HoldReason.REPEAT_WINDOW, text, until) if until > situation.now else None


@stage
def without_recipient(situation: Situation, alert: Alert) -> Hold | None:
    found, missing = situation.targets.found, situation.missing(alert)
    if situation.recipients(alert) or (alert.alert_id in situation.in_messages and (found or missing)):
        return None
    if found and not missing:
        least = min(target.min_importance for target in found)
        return Hold(HoldReason.NO_RECIPIENT, f"no recipient takes importance below {least:g}")
    return Hold(HoldReason.NO_CHANNEL, "; ".join(missing.values()) or NOTHING_CONFIGURED)


STAGES = (
    paused, ignored, below_threshold, silenced, quiet_hours, campaign_digest, repeat_window, without_recipient,
)  # fmt: skip
"""What holds an alert back, in this order: the first that does is its hold reason."""


def run_stages(situation: Situation, alerts: Sequence[Alert]) -> tuple[list[Alert], list[Held]]:
    """(the alerts that nothing holds, the others with why)"""
    all_held: list[Held] = []
    passed = list(alerts)
    for one in STAGES:
        passed, held = one(situation, passed)
        all_held += held
    return passed, all_held


def release(situation: Situation, alerts: Sequence[Alert]) -> tuple[list[Alert], list[Held]]:
    """(the alerts to send now, those that are due and held); the others wait for their time.

    When one alert about a person is due, whatever else that person did and nothing holds goes with it.
    """
    spacing = timedelta(minutes=situation.campaign.spacing_minutes)

    def is_due(alert: Alert) -> bool:
        # A spacing that was shortened counts at once, and what was held or is in messages was due before.
        is_time = min(alert.scheduled_send_time, alert.planned_at + spacing) <= situation.now
        was_due = alert.hold is not None or alert.alert_id in situation.in_messages
        return is_time or was_due or situation.is_vip(alert)

    passed, held = run_stages(situation, alerts)
    people = {alert.person for alert in passed if is_due(alert)}
    return [alert for alert in passed if alert.person in people], [one for one in held if is_due(one[0])]


def assign_deliveries(
    situation: Situation, alerts: Sequence[Alert]
) -> tuple[list[Delivery], list[Alert], list[Held]]:
    """(deliveries to make, alerts that thereby reach everybody, alerts that still wait for some recipients).

    An alert waits for a recipient whose own digest comes later, and for a channel without an address.
    """
    deliveries: list[Delivery] = []
    complete: list[Alert] = []
    waiting: list[Held] = []
    quiet = situation.quiet_hours
    for alert in alerts:
        was_held = alert.hold is not None and alert.hold.reason.gathers
        was_quiet = quiet is not None and quiet.until(alert.scheduled_send_time) is not None
        later: dict[Target, datetime] = {}
        for target in situation.recipients(alert):
            if until := target.waits_until(alert, now=situation.now):
                later[target] = until
                continue
            gathered = (was_held or was_quiet or target.digest != AT_ONCE) and not alert.is_vip
            deliveries.append(Delivery(alert, target.channel, target.address_id, target.shown, gathered))
        missing = situation.missing(alert)
        if missing:
            why = Hold(HoldReason.NO_CHANNEL, "; ".join(missing.values()))
        elif later:
            first = min(later, key=lambda target: later[target])
            why = Hold(HoldReason.DIGEST, f"waits for {first.shown}'s digest ({first.digest})", later[first])
        else:
            complete.append(alert)
            continue
        channels = tuple(dict.fromkeys([*missing, *(target.channel for target in later)]))
        waiting.append((replace(alert, waits_for=channels), why))
    return deliveries, complete, waiting


# In which message.

People = list[list[Delivery]]
"""Deliveries by person, the most important first."""


def group(
    deliveries: Iterable[Delivery],
    *,
    digest_after: int,
    most_people: Mapping[str, int],
    waiting: Mapping[str, int],
    salt: str,
) -> list[OutgoingMessage]:
    """Messages with these deliveries, each exactly once: one for a person, a digest where that is too much.

    The baseline is one summary, what was held together is a digest, VIPs are never grouped with others.
    `digest_after`: more people at once are a digest; `most_people` in one digest, by channel; `waiting` messages
    at an address already count; `salt` keeps ids apart, since a delivery can come back in another message.
    Alerts that the spacing spread over 10 or 20 minutes may be two or three times as many before they are a digest:
    a sender that runs every few minutes would have sent them one by one.
    """
    by_address: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in deliveries:
        by_address.setdefault((delivery.alert.campaign_id, delivery.address_id), []).append(delivery)
    messages = []
    for (slug, address), found in by_address.items():
        most = most_people[found[0].channel]
        for part, kind in _parts(found, most, digest_after, waiting.get(address, 0)):
            ids = sorted(delivery.delivery_id for delivery in part)
            digest = hashlib.sha256("\n".join([salt, *ids]).encode("utf-8", "replace")).hexdigest()
            messages.append(OutgoingMessage(f"{slug}-{digest[:20]}", kind, tuple(part)))
    return messages


def _parts(
    deliveries: Sequence[Delivery], most: int, digest_after: int, waiting: int
) -> Iterator[tuple[list[Delivery], MessageKind]]:
    backlog = [one for person in _people(d for d in deliveries if d.alert.is_backlog) for one in person]
    for start in range(0, len(backlog), ALERTS_IN_A_MESSAGE):
        yield backlog[start : start + ALERTS_IN_A_MESSAGE], MessageKind.BACKLOG
    vips: People = []
    gathered: People = []
    singles: People = []
    for person in _people(d for d in deliveries if not d.alert.is_backlog):
        if any(d.alert.is_vip for d in person):
            vips.append(person)
        else:
            (gathered if any(d.is_gathered for d in person) else singles).append(person)
    times = [delivery.alert.scheduled_send_time for person in singles for delivery in person]
    spread_over = max(times) - min(times) if times else timedelta(0)
    if len(singles) + waiting > digest_after * (1 + min(2, spread_over // SPREAD_STEP)):
        gathered, singles = sorted(gathered + singles, key=_rank), []
    digests = [gathered]
    if len(vips) > digest_after:
        digests, vips = [vips, gathered], []
    for people in digests:
        for start in range(0, len(people), most):
            part = people[start : start + most]
            yield (
                [d for one in part for d in one],
                MessageKind.DIGEST if len(part) > 1 else MessageKind.PERSON,
            )
    for person in [*vips, *singles]:
        yield person, MessageKind.PERSON


def _people(deliveries: Iterable[Delivery]) -> People:
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.alert.user_id, []).append(delivery)
    return sorted(found.values(), key=_rank)


def _rank(person: Sequence[Delivery]) -> tuple[float, str]:
    return -max(d.alert.importance_score or 0.0 for d in person), person[0].delivery_id


# What follows from an attempt.


def after_failure(
    message: ClaimedMessage, error: Exception, *, now: datetime, max_attempts: int, resend_unknown: bool
) -> Settlement:
    """Tried again or not: by whether it may have arrived, whether that is final, and how often it was tried.

    An unforeseen error is a fault in this message; its traceback is kept.
    """
    if not isinstance(error, SocapError):
        text = f"{type(error).__name__}: {error}"
        return Settlement(DeliveryStatus.DEAD, text, traceback="".join(traceback.format_exception(error)))
    text = f"{error.message} ({error.hint})" if error.hint else error.message
    if not isinstance(error, ChannelError) or error.final:
        return Settlement(DeliveryStatus.DEAD, text)
    if error.may_have_arrived:
        again = resend_unknown and message.repeats < MOST_REPEATS
        due = now + back_off(message.attempts) if again else None
        return Settlement(DeliveryStatus.UNKNOWN, text, due, may_have_arrived=True)
    if message.attempts >= max_attempts:
        return Settlement(DeliveryStatus.DEAD, f"failed after {message.attempts} attempts: {text}")
    wait = timedelta(seconds=error.retry_after or 0.0)
    if not wait or message.attempts > RETRY_AFTER_HONOURED:
        # At least our own pauses, or one night of a short Retry-After uses all attempts up.
        wait = max(wait, back_off(message.attempts))
    return Settlement(DeliveryStatus.FAILED, text, now + wait)


def back_off(attempts: int) -> timedelta:
    """A minute, doubled with each attempt, up to two hours."""
    return min(LONGEST_BACK_OFF, BACK_OFF * float(2 ** min(10, max(0, attempts - 1))))
