"""Which engagements deserve an alert, and when. Pure rules; every plan made twice is the same plan."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.model import Campaign, CampaignStatus, Engagement


@dataclass(frozen=True, slots=True)
class Alert:
    """One engagement that one campaign is told about."""

    alert_id: str
    campaign_id: str
    engagement_id: str
    tweet_id: str
    group_key: str
    """Campaign, user and action: what is not told again within the frequency window."""
    scheduled_at: datetime
    run_batch: str
    vip: bool
    backfill: bool
    importance_score: float


def plan(campaign: Campaign, engagement: Engagement, *, added_at: datetime, now: datetime) -> Alert | None:
    """The alert that an engagement deserves in a campaign, or None.

    What was there before the tweet joined the campaign is backfill: it is told in one summary.
    """
    ended = campaign.completed_at is not None and engagement.first_seen_at > campaign.completed_at
    if ended or campaign.status is CampaignStatus.PAUSED:
        return None
    username = engagement.profile.username.lower()
    vip = username in {name.lower() for name in campaign.vips}
    if not vip and username in {name.lower() for name in campaign.ignores}:
        return None
    score = engagement.importance.score or 0.0
    if not vip and score < campaign.threshold:
        return None
    backfill = engagement.backfill or engagement.first_seen_at < added_at
    key = f"{campaign.slug}:{engagement.profile.user_id}:{engagement.action_type}"
    alert_id = f"{campaign.slug}:{engagement.engagement_id}"
    delay = timedelta(0) if vip or backfill else spread(alert_id, timedelta(minutes=campaign.spacing_minutes))
    return Alert(
        alert_id=alert_id,
        campaign_id=campaign.slug,
        engagement_id=engagement.engagement_id,
        tweet_id=engagement.tweet_id,
        group_key=f"{campaign.slug}:backfill" if backfill else key,
        scheduled_at=now + delay,
        run_batch=run_batch(now),
        vip=vip,
        backfill=backfill,
        importance_score=float(score),
    )


def spread(alert_id: str, spacing: timedelta) -> timedelta:
    """A delay within the spacing window that looks random and is the same each time it is asked for."""
    drawn = int.from_bytes(hashlib.sha256(alert_id.encode()).digest()[:8], "big")
    return timedelta(seconds=int(spacing.total_seconds() * drawn / 2**64))


def run_batch(moment: datetime) -> str:
    """The 30-minute slot of a moment, as its start."""
    start = moment - timedelta(
        minutes=moment.minute % 30, seconds=moment.second, microseconds=moment.microsecond
    )
    return f"{start:%Y-%m-%dT%H:%MZ}"


def held_until(last_told_at: datetime | None, window: timedelta, now: datetime) -> datetime | None:
    """Until when a message is held back because the same person and action were told lately; None when free."""
    if last_told_at is None or now - last_told_at >= window:
        return None
    return last_told_at + window


def heaviest_first(items: Sequence[Engagement]) -> list[Engagement]:
    """Engagements, the most important first."""
    return sorted(items, key=lambda e: (-(e.importance.score or 0.0), e.engagement_id))
