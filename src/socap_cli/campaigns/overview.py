"""All campaigns with what they brought."""

from __future__ import annotations

from dataclasses import dataclass

from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.store import Db, alert_view, campaigns, engagement_view, worker_state


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    """A campaign in a line."""

    campaign: Campaign
    tweets: int
    engagements: int
    """Those that are still there."""
    important: int
    """Engagements at or over the campaign's threshold."""
    views: int | None
    """The last known sum over its tweets; None when none is known."""
    alerts_sent: int


def overview(db: Db, status: CampaignStatus | None = None) -> list[CampaignTotals]:
    """Every campaign that can be read, by slug."""
    return [_totals(db, campaign) for campaign in campaigns.listed(db, status)]


def _totals(db: Db, campaign: Campaign) -> CampaignTotals:
    ids = campaigns.tweet_ids_of(db, campaign.slug)
    counters = [state.counters.get("views") for state in worker_state.load(db, ids).values()]
    views = [count for count in counters if count is not None]
    return CampaignTotals(
        campaign,
        tweets=len(ids),
        engagements=sum(engagement_view.count_by(db, ids, "action_type").values()),
        important=engagement_view.count_important(db, ids, campaign.threshold),
        views=sum(views) if views else None,
        alerts_sent=alert_view.totals(db, campaign.slug).deliveries.get("sent", 0),
    )
