"""How a campaign comes to be, changes, ends and opens again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from socap_cli.campaigns.settings import defaults
from socap_cli.campaigns.values import LATEST, check_slug
from socap_cli.config import Alerts
from socap_cli.errors import SocapError, UsageError
from socap_cli.model.campaign import Campaign, CampaignStatus


def new_campaign(slug: str, values: Mapping[str, Any], alerts: Alerts, *, now: datetime) -> Campaign:
    """A campaign of these values and of defaults for all others. Raises UsageError."""
    fields = {"starts_at": now, **defaults(check_slug(slug), alerts), **values}
    return check_window(Campaign(slug=slug, status=CampaignStatus.ACTIVE, created_at=now, **fields))


def changed(campaign: Campaign, values: Mapping[str, Any], *, now: datetime) -> Campaign:
    """A campaign with other settings. One that had ended opens again when its window now reaches on."""
    after = check_window(replace(campaign, **values))
    if after.ends_at == campaign.ends_at and "ends_at" not in values:
        return after
    after = replace(after, last_cycle_at=None)
    is_open = after.ends_at is None or after.ends_at > now
    return reopened(after) if campaign.status is CampaignStatus.COMPLETED and is_open else after


def reopened(campaign: Campaign) -> Campaign:
    """A campaign that is collected again, with a last cycle of its own to come."""
    return replace(campaign, status=CampaignStatus.ACTIVE, completed_at=None, last_cycle_at=None)


def resumed(campaign: Campaign, days: timedelta | None, *, now: datetime) -> Campaign:
    """A campaign that goes on: for some days from now, or to the end that it has.

    Raises UsageError when that is past.
    """
    if days is not None:
        campaign = replace(campaign, ends_at=(now + days).replace(microsecond=0))
    if campaign.ends_at is not None and campaign.ends_at <= now:
        raise UsageError(
            f"the window of {campaign.slug!r} ended at {campaign.ends_at:%Y-%m-%d %H:%M}",
            hint=f"say for how long: socap campaign resume {campaign.slug} --days N",
        )
    if campaign.status is CampaignStatus.COMPLETED or days is not None:
        return reopened(campaign)
    return replace(campaign, status=CampaignStatus.ACTIVE)


def with_status(campaign: Campaign, status: CampaignStatus, *, now: datetime) -> Campaign:
    """A campaign that is paused or completed. Raises SocapError for pausing one that is completed."""
    if campaign.status is CampaignStatus.COMPLETED and status is not CampaignStatus.COMPLETED:
        raise SocapError(
            f"campaign {campaign.slug!r} is completed",
            hint=f"open it again: socap campaign resume {campaign.slug}",
        )
    completed_at = now if status is CampaignStatus.COMPLETED else None
    return replace(campaign, status=status, completed_at=campaign.completed_at or completed_at)


def check_window(campaign: Campaign) -> Campaign:
    """The campaign, when its window ends after it starts. Raises UsageError."""
    if campaign.ends_at is not None and campaign.ends_at <= campaign.starts_at:
        raise UsageError(
            f"the window ends at {campaign.ends_at:%Y-%m-%d %H:%M} before it starts",
            hint="check --start and --end",
        )
    if campaign.ends_at is not None and campaign.ends_at >= LATEST:
        raise UsageError(f"the window ends in {campaign.ends_at:%Y}", hint="there is time until 2199")
    return campaign
