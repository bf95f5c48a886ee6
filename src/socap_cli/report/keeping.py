"""The sums for the pages of large campaigns, computed at the end of collection, so that no page has to."""

from __future__ import annotations

import logging
from datetime import datetime

from socap_cli.model.campaign import Campaign, CampaignStatus
from socap_cli.store import Db, campaigns, worker_state

LARGE = 50_000
"""Engagements from which on collection sums them up; of fewer a page does it in no time."""
log = logging.getLogger("socap.report")


def keep_all(db: Db, *, rows: int, now: datetime, large: int = LARGE) -> None:
    """Bring the sums of active campaigns up to date. What fails is logged: the page then computes them itself."""
    try:
        for campaign in campaigns.listed(db):
            if campaign.status is CampaignStatus.ACTIVE and _collected(db, campaign) >= large:
                from socap_cli.report.kept_sums import keep_sums  # arrays, for large campaigns alone

                keep_sums(db, campaign, rows=rows, now=now)
    except Exception:
        log.warning("the sums for the pages are left to the next report", exc_info=True)


def _collected(db: Db, campaign: Campaign) -> int:
    ids = [tweet.tweet_id for tweet in campaigns.tweets_of(db, campaign.slug)]
    states = worker_state.load(db, ids)
    return sum(one.collected for state in states.values() for one in state.lists.values())
