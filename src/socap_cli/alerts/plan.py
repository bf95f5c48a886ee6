"""Which engagements deserve an alert, and when. Pure rules; every plan made twice is the same plan."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from socap_cli.model.alert import Alert
from socap_cli.model.campaign import Campaign, CampaignTweet
from socap_cli.model.engagement import Engagement
from socap_cli.model.important import fold_handle


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
