"""Who gets a row of an alert now, and whom it waits for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from socap_cli.alerts.holds import Circumstances
from socap_cli.alerts.receivers import Target, Targets
from socap_cli.model.alert import Alert, Delivery, Hold, HoldReason
from socap_cli.model.receiver import AT_ONCE

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
