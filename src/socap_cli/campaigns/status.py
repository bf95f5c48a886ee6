"""Campaigns that exist: paused, completed, resumed."""

from __future__ import annotations

from datetime import datetime, timedelta

from socap_cli.campaigns import windows
from socap_cli.campaigns.register import find, update
from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.store import Db


def set_status(
    db: Db, slug: str, status: CampaignStatus, *, now: datetime, dry_run: bool = False
) -> Campaign:
    """Pause or complete. Raises SocapError for pausing what is completed."""
    after = windows.with_status(campaign := find(db, slug), status, now=now)
    return after if dry_run else update(db, campaign, after)


def resume(db: Db, slug: str, days: timedelta | None, *, now: datetime, dry_run: bool = False) -> Campaign:
    """Go on collecting, a completed campaign as well. Raises UsageError when its window is over."""
    after = windows.resumed(campaign := find(db, slug), days, now=now)
    return after if dry_run else update(db, campaign, after)
