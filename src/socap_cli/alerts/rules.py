"""Which engagements deserve an alert, and when. Pure rules; every plan made twice is the same plan."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from socap_cli.channels import Channel
from socap_cli.errors import ChannelError, SocapError
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

LastNotified = Mapping[tuple[str, str, str], datetime]
"""(campaign, user, action) to when it was told last."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Everything beside the alert itself that decides whether it may be told now."""

    now: datetime
    silences: Sequence[Silence] = ()
    last_notified: LastNotified = field(default_factory=dict)
    quiet_hours: QuietHours | None = None
    digest: Digest = field(default_factory=Digest)


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
        """Names it without telling the address."""
        return address_id(self.channel, self.address)

    def wants(self, alert: Alert) -> bool:
        """Whether this importance is enough for it; of VIPs everybody is told."""
        return alert.is_vip or (alert.importance_score or 0.0) >= self.min_importance

    def waits_until(self, alert: Alert, *, now: datetime) -> datetime | None:
        """When its digest comes that tells this; None when that is now. Of VIPs everybody is told at once."""
        until = None if alert.is_vip else self.digest.next_after(alert.planned_at)
        return until if until is not None and until > now else None


@dataclass(frozen=True, slots=True)
class Targets:
    """Everybody who is told, and what is missing: channels that are named and reach nobody.

    An address may stand here twice, to be told of some at once and of the others in a digest.
    """

    found: tuple[Target, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    """By channel, what to do about it."""

    def of(self, channels: Sequence[str]) -> tuple[Target, ...]:
        """Those of these channels."""
        return tuple(target for target in self.found if target.channel in channels)


NOTHING_CONFIGURED = "no channel is configured; set SOCAP_ALERT_SLACK_WEBHOOK or SOCAP_ALERT_EMAIL_SMTP"


@dataclass
class Dispatched:
    """What came of the alerts of one campaign, or of all."""

    deliveries: list[Delivery] = field(default_factory=list)
    complete: list[str] = field(default_factory=list)
    """Alerts that have a row for everybody."""
    waiting: dict[str, tuple[Sequence[str], Hold]] = field(default_factory=dict)
    """Alerts that have rows, but for these channels, and why."""
    held: list[tuple[Alert, Hold]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def holds(self) -> list[Hold]:
        """Of every alert that waits, for all its receivers or for some."""
        return [hold for _, hold in self.held] + [hold for _, hold in self.waiting.values()]

    def add(self, other: Dispatched) -> None:
        """What came of another campaign."""
        self.deliveries += other.deliveries
        self.complete += other.complete
        self.waiting.update(other.waiting)
        self.held += other.held
        self.warnings += other.warnings


USUAL_PEOPLE = 10


People = list[list[Delivery]]
"""Deliveries by person."""


Part = tuple[list[Delivery], MessageKind]
"""What one message tells, and why together."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What the channels can bear."""

    digest_after: int
    """From more people at once than this on they are told together."""
    most_people: Mapping[str, int] = field(default_factory=dict)
    """By channel, how many people one message can tell about."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """By address id, how many messages wait already."""
    salt: str = ""
    """Makes the ids of these messages their own: the same rows may come back in another message."""


BACK_OFF = timedelta(minutes=1)


LONGEST_BACK_OFF = timedelta(hours=2)


MOST_REPEATS = 2
"""How often a message that may have arrived is sent again by itself."""


TAKEN_AT_ITS_WORD = 3
"""How often a receiver that says when to come back is asked again just then."""


def is_vip(campaign: Campaign, username: str) -> bool:
    """Whether a campaign is told of everything that this account does."""
    return fold_handle(username) in {fold_handle(name) for name in campaign.vips}


def is_ignored(campaign: Campaign, username: str) -> bool:
    """Whether a campaign is never told of this account; a VIP is."""
    ignored = {fold_handle(name) for name in campaign.ignores}
    return fold_handle(username) in ignored and not is_vip(campaign, username)


def plan(
    campaign: Campaign,
    engagement: Engagement,
    tweet: CampaignTweet,
    *,
    now: datetime,
    considered_until: datetime | None = None,
) -> Alert | None:
    """The alert that an engagement deserves in a campaign, or None.

    Owed is everything from the campaign's threshold on, and whatever a VIP did; a pause only makes it wait.
    What was there before the tweet joined the campaign, or before its settings made it count
    (`considered_until`), is backlog: it is told in one summary.
    """
    if campaign.completed_at is not None and engagement.first_seen_at > campaign.completed_at:
        return None
    username, score = engagement.profile.username, engagement.importance.score
    vip = is_vip(campaign, username)
    if not vip and (is_ignored(campaign, username) or score is None or score < campaign.threshold):
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
    """A delay within the spacing window that looks random and is the same each time it is asked for."""
    drawn = int.from_bytes(hashlib.sha256(key.encode("utf-8", "replace")).digest()[:8], "big")
    return timedelta(seconds=int(spacing.total_seconds() * drawn / 2**64))


def run_batch(moment: datetime) -> str:
    """The 30-minute slot of a moment, as its start."""
    start = moment - timedelta(
        minutes=moment.minute % 30, seconds=moment.second, microseconds=moment.microsecond
    )
    return f"{start:%Y-%m-%dT%H:%MZ}"


def fingerprint(campaign: Campaign, tweets: list[CampaignTweet]) -> str:
    """A short text that differs whenever a campaign may be owed alerts that it was not owed before."""
    settings = (
        campaign.threshold,
        sorted(map(fold_handle, campaign.vips)),
        sorted(map(fold_handle, campaign.ignores)),
        campaign.completed_at,
        sorted((tweet.tweet_id, tweet.added_at) for tweet in tweets),
    )
    return hashlib.sha256(repr(settings).encode("utf-8", "replace")).hexdigest()[:16]


def hold(campaign: Campaign, alert: Alert, given: Circumstances) -> Hold | None:
    """Why an alert of this campaign must wait; None when nothing holds it. Whether its time has come is not asked."""
    for rule in (_paused, _unwanted, _silenced, _quiet, _digest, _told_lately):
        if found := rule(campaign, alert, given):
            return found
    return None


def _paused(campaign: Campaign, alert: Alert, given: Circumstances) -> Hold | None:  # noqa: ARG001
    if campaign.status is CampaignStatus.PAUSED:
        return Hold(HoldReason.PAUSED, "the campaign is paused")
    return None


def _unwanted(campaign: Campaign, alert: Alert, given: Circumstances) -> Hold | None:  # noqa: ARG001
    """Planned under other settings: it waits for the day when these hold again."""
    if is_ignored(campaign, alert.username):
        return Hold(HoldReason.IGNORED, "on the campaign's ignore list")
    score = alert.importance_score or 0.0
    if not is_vip(campaign, alert.username) and score < campaign.threshold:
        said = f"importance {score:g} is below the campaign's threshold of {campaign.threshold:g}"
        return Hold(HoldReason.THRESHOLD, said)
    return None


def _silenced(campaign: Campaign, alert: Alert, given: Circumstances) -> Hold | None:  # noqa: ARG001
    """Of several silences the one that lasts longest counts."""
    active = [silence for silence in given.silences if silence.until > given.now and silence.covers(alert)]
    if not active:
        return None
    last = max(active, key=lambda silence: silence.until)
    comment = f": {last.comment}" if last.comment else ""
    return Hold(HoldReason.SILENCED, f"silenced ({last.scope}) by {last.author}{comment}", last.until)


def _quiet(campaign: Campaign, alert: Alert, given: Circumstances) -> Hold | None:
    quiet = given.quiet_hours
    until = quiet.until(given.now) if quiet else None
    if quiet is None or until is None or (is_vip(campaign, alert.username) and not quiet.hold_vips):
        return None
    return Hold(HoldReason.QUIET_HOURS, f"quiet hours {quiet}", until)


def _digest(campaign: Campaign, alert: Alert, given: Circumstances) -> Hold | None:
    until = given.digest.next_after(alert.planned_at)
    if until is None or until <= given.now or is_vip(campaign, alert.username):
        return None
    return Hold(HoldReason.DIGEST, f"waits for the digest ({given.digest})", until)


def _told_lately(campaign: Campaign, alert: Alert, given: Circumstances) -> Hold | None:
    """Judged on times, not on clock hours."""
    told_at = given.last_notified.get((alert.campaign_id, alert.user_id, alert.action_type))
    until = told_at + timedelta(minutes=campaign.frequency_window_minutes) if told_at else None
    if alert.is_backlog or until is None or until <= given.now:
        return None
    return Hold(HoldReason.TOLD_LATELY, f"{alert.action_type} of @{alert.username} was told lately", until)


def sort_out(
    campaign: Campaign, alerts: Sequence[Alert], given: Circumstances
) -> tuple[list[Alert], list[tuple[Alert, Hold]]]:
    """(what is told now, what is held and why) of a campaign's open alerts; the rest waits for its time.

    When one alert about a person is due, whatever else that person did and nothing holds goes with it.
    """
    held = {alert.alert_id: found for alert in alerts if (found := hold(campaign, alert, given))}
    free = [alert for alert in alerts if alert.alert_id not in held]
    due = {alert.person for alert in free if _is_due(campaign, alert, given.now)}
    told = [alert for alert in free if alert.person in due]
    waiting = [
        (alert, held[alert.alert_id])
        for alert in alerts
        if alert.alert_id in held and _is_due(campaign, alert, given.now)
    ]
    return told, waiting


def _is_due(campaign: Campaign, alert: Alert, now: datetime) -> bool:
    """By its time, or by the campaign's spacing of today when that is shorter; one that was held was due before."""
    latest = alert.planned_at + timedelta(minutes=campaign.spacing_minutes)
    came = min(alert.scheduled_send_time, latest) <= now
    return came or alert.hold is not None or is_vip(campaign, alert.username)


def nobody(now: datetime) -> Campaign:
    """A campaign of which nothing was said: its receivers are those of the configuration."""
    return Campaign("sample", "Sample", CampaignStatus.ACTIVE, now, None, 0.0, (), 0, 0, now)


def targets_of(
    campaign: Campaign, channels: Mapping[str, Channel], usual: Sequence[Receiver] = ()
) -> Targets:
    """Everybody whom a campaign tells: those whom it names, else every channel's usual ones and `usual`."""
    named, problems = _named(campaign)
    wanted = named or [*map(Receiver, channels), *usual]
    found: dict[Target, None] = {}
    missing = dict(problems)
    for receiver in wanted:
        targets = list(_addressed(receiver, campaign, channels))
        if not targets and named:
            channel = channels.get(receiver.channel)
            missing[receiver.channel] = (
                channel.missing if channel else f"there is no channel {receiver.channel!r}"
            )
        found.update(dict.fromkeys(targets))
    return Targets(tuple(found), missing)


def _named(campaign: Campaign) -> tuple[list[Receiver], dict[str, str]]:
    """The receivers that a campaign names, the least demanding first."""
    named, problems = [], {}
    for text in campaign.channels:
        try:
            named.append(parse_receiver(text))
        except ValueError as error:
            channel = text.partition("=")[0][:30]
            problems[channel] = f"channel {channel!r} {error}"
    return sorted(named, key=lambda receiver: receiver.min_importance), problems


def _addressed(receiver: Receiver, campaign: Campaign, channels: Mapping[str, Channel]) -> Iterator[Target]:
    channel = channels.get(receiver.channel)
    if channel is None or not channel.is_ready:
        return
    addresses = (receiver.address,) if receiver.address else channel.receivers(campaign)
    for address in addresses:
        yield Target(channel.name, address, channel.shown(address), receiver.min_importance, receiver.digest)


def give_rows(alert: Alert, targets: Targets, found: Dispatched, given: Circumstances) -> None:
    """An alert that nobody has a row of."""
    wanted = _wanting(alert, targets.found, given)
    if not wanted:
        found.held.append((alert, _nobody(targets)))
        if not targets.found and not targets.missing:
            found.warnings.append(f"{alert.campaign_id}: alerts wait, for {NOTHING_CONFIGURED}")
        return
    _tell(alert, wanted, targets.missing, found, given)


def _wanting(alert: Alert, targets: Sequence[Target], given: Circumstances) -> list[Target]:
    """Each address once, at the earliest of its times."""
    found: dict[str, Target] = {}
    wanted = (target for target in targets if target.wants(alert))
    for target in sorted(wanted, key=lambda one: one.waits_until(alert, now=given.now) or given.now):
        found.setdefault(target.address_id, target)
    return list(found.values())


def _tell(
    alert: Alert,
    wanted: Sequence[Target],
    missing: Mapping[str, str],
    found: Dispatched,
    given: Circumstances,
) -> None:
    """Rows for those who are told now; the alert waits for those whose digest comes later, and for who is missing."""
    later = {target: until for target in wanted if (until := target.waits_until(alert, now=given.now))}
    found.deliveries += [_delivery(alert, target, given) for target in wanted if target not in later]
    if missing:
        why = Hold(HoldReason.NO_CHANNEL, "; ".join(missing.values()))
    elif later:
        first = min(later, key=lambda target: later[target])
        why = Hold(HoldReason.DIGEST, f"waits for {first.shown}'s digest ({first.digest})", later[first])
    else:
        found.complete.append(alert.alert_id)
        return
    channels = dict.fromkeys([*missing, *(target.channel for target in later)])
    found.waiting[alert.alert_id] = (tuple(channels), why)


def _nobody(targets: Targets) -> Hold:
    if targets.found and not targets.missing:
        least = min(target.min_importance for target in targets.found)
        return Hold(HoldReason.NO_RECEIVER, f"no receiver wants less than importance {least:g}")
    return Hold(HoldReason.NO_CHANNEL, "; ".join(targets.missing.values()) or NOTHING_CONFIGURED)


def give_the_rest(alert: Alert, targets: Targets, found: Dispatched, given: Circumstances) -> None:
    """An alert that some have rows of: a run was killed, a channel reached nobody then, a digest comes later."""
    chosen = targets.of(alert.waits_for) if alert.waits_for else targets.found
    missing = {
        channel: said
        for channel, said in targets.missing.items()
        if not alert.waits_for or channel in alert.waits_for
    }
    if not targets.found and not missing:
        found.held.append((alert, _nobody(targets)))
    else:
        _tell(alert, _wanting(alert, chosen, given), missing, found, given)


def _delivery(alert: Alert, target: Target, given: Circumstances) -> Delivery:
    was_held = alert.hold is not None and alert.hold.reason.gathers
    was_quiet = (
        given.quiet_hours is not None and given.quiet_hours.until(alert.scheduled_send_time) is not None
    )
    return Delivery(
        delivery_id=f"{alert.alert_id}|{target.address_id}",
        alert_id=alert.alert_id,
        campaign_id=alert.campaign_id,
        engagement_id=alert.engagement_id,
        user_id=alert.user_id,
        action_type=alert.action_type,
        importance_score=alert.importance_score,
        is_vip=alert.is_vip,
        is_backlog=alert.is_backlog,
        is_gathered=(was_held or was_quiet or target.digest != AT_ONCE) and not alert.is_vip,
        channel=target.channel,
        address_id=target.address_id,
        receiver=target.shown,
        run_batch=alert.run_batch,
        created_at=given.now,
    )


def group(deliveries: Iterable[Delivery], capacity: Capacity) -> list[OutgoingMessage]:
    """Messages that tell these deliveries, each exactly once: one a person, and together what is too much for that.

    What was held back is told together; what was there before is one summary; VIPs are told by themselves.
    """
    by_address: dict[tuple[str, str], list[Delivery]] = {}
    for delivery in deliveries:
        by_address.setdefault((delivery.campaign_id, delivery.address_id), []).append(delivery)
    return [
        _message(part, kind, capacity.salt)
        for found in by_address.values()
        for part, kind in _parts(found, capacity)
    ]


def _parts(deliveries: Sequence[Delivery], capacity: Capacity) -> Iterator[Part]:
    first = deliveries[0]
    most = max(1, capacity.most_people.get(first.channel, USUAL_PEOPLE))
    backlog = _people(d for d in deliveries if d.is_backlog)
    yield from _together(backlog, most, MessageKind.BACKLOG)
    others = _people(d for d in deliveries if not d.is_backlog)
    vips = [person for person in others if any(d.is_vip for d in person)]
    gathered = [p for p in others if p not in vips and any(d.is_gathered for d in p)]
    singles = [p for p in others if p not in vips and p not in gathered]
    if len(singles) + capacity.waiting.get(first.address_id, 0) > capacity.digest_after:
        gathered, singles = gathered + singles, []
    if len(vips) > capacity.digest_after:
        yield from _together(vips, most, MessageKind.DIGEST)
        vips = []
    yield from _together(gathered, most, MessageKind.DIGEST)
    for person in [*vips, *singles]:
        yield person, MessageKind.PERSON


def _people(deliveries: Iterable[Delivery]) -> People:
    found: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        found.setdefault(delivery.user_id, []).append(delivery)
    return sorted(found.values(), key=lambda person: (-_score(person), person[0].delivery_id))


def _together(people: People, most: int, kind: MessageKind) -> Iterator[Part]:
    """The most important first, so many people a message."""
    for start in range(0, len(people), most):
        part = sorted(people, key=lambda p: (-_score(p), p[0].delivery_id))[start : start + most]
        one = len(part) == 1 and kind is MessageKind.DIGEST
        yield [d for person in part for d in person], MessageKind.PERSON if one else kind


def _score(person: Sequence[Delivery]) -> float:
    return max(delivery.importance_score or 0.0 for delivery in person)


def _message(deliveries: Sequence[Delivery], kind: MessageKind, salt: str) -> OutgoingMessage:
    first = deliveries[0]
    ids = tuple(delivery.delivery_id for delivery in deliveries)
    digest = hashlib.sha256("\n".join([salt, *sorted(ids)]).encode("utf-8", "replace")).hexdigest()
    return OutgoingMessage(
        message_id=f"{first.campaign_id}-{digest[:20]}",
        campaign_id=first.campaign_id,
        channel=first.channel,
        address_id=first.address_id,
        receiver=first.receiver,
        kind=kind,
        is_vip=any(delivery.is_vip and not delivery.is_backlog for delivery in deliveries),
        importance_score=_score(deliveries),
        delivery_ids=ids,
        may_be_repeated=any(delivery.may_have_arrived for delivery in deliveries),
    )


def after_success() -> Settlement:
    """The channel took it."""
    return Settlement(DeliveryStatus.SENT)


def after_failure(
    message: ClaimedMessage, error: Exception, *, now: datetime, max_attempts: int, resend_unknown: bool
) -> Settlement:
    """Tried again, or not any more: by whether it may have arrived, whether it is final, and how often it was tried.

    An error that is none of ours is a fault of this message; its traceback is kept.
    """
    if not isinstance(error, SocapError):
        said = f"{type(error).__name__}: {error}"
        return Settlement(DeliveryStatus.DEAD, said, traceback="".join(traceback.format_exception(error)))
    said = f"{error.message} ({error.hint})" if error.hint else error.message
    if not isinstance(error, ChannelError) or error.final:
        return Settlement(DeliveryStatus.DEAD, said)
    if error.may_have_arrived:
        again = resend_unknown and message.repeats < MOST_REPEATS
        due = now + back_off(message.attempts) if again else None
        return Settlement(DeliveryStatus.UNKNOWN, said, due, may_have_arrived=True)
    if message.attempts >= max_attempts:
        return Settlement(DeliveryStatus.DEAD, f"given up after {message.attempts} attempts: {said}")
    return Settlement(DeliveryStatus.FAILED, said, now + _wait(message.attempts, error.retry_after))


def _wait(attempts: int, asked: float | None) -> timedelta:
    """What was asked for, the first times; then at least our pauses, or a night of it uses all attempts up."""
    if asked and attempts <= TAKEN_AT_ITS_WORD:
        return timedelta(seconds=asked)
    return max(timedelta(seconds=asked or 0.0), back_off(attempts))


def back_off(attempts: int) -> timedelta:
    """A minute, doubled with each attempt, up to two hours."""
    return min(LONGEST_BACK_OFF, BACK_OFF * float(2 ** min(10, max(0, attempts - 1))))
