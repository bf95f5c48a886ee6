"""What is read beside the alerts of a campaign, to decide which of them wait."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from socap_cli.alerts.context import AlertContext
from socap_cli.alerts.holds import Circumstances
from socap_cli.alerts.plan import is_vip
from socap_cli.model.alert import Alert
from socap_cli.model.campaign import Campaign
from socap_cli.model.digest import Digest, parse_digest
from socap_cli.model.quiet_hours import QuietHours, parse_quiet_hours
from socap_cli.store import alert_history, engagements, silences

Parsed = TypeVar("Parsed")


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
        silences=silences.active(context.db, now=now),
        last_notified=alert_history.last_notified(
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
