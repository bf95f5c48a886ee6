"""What holds an alert back although its time has come. Pure; asked anew each time: nothing outlasts its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from socap_cli.alerts.plan import is_ignored, is_vip
from socap_cli.model.alert import Alert, Hold, HoldReason, Silence
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.model.digest import Digest
from socap_cli.model.quiet_hours import QuietHours

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
