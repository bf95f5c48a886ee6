"""Campaigns and tweets taken away, in an order in which a killed run can be repeated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from socap_cli.campaigns.register import find
from socap_cli.store import Db, alert_queue, campaigns, engagement_view, jobs


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion took away, and what it left."""

    tweets: int
    engagements_left: int


def delete(db: Db, slug: str, *, dry_run: bool = False) -> Deletion:
    """Remove a campaign, its tweets, jobs and alerts; what was collected stays.

    Works for a document that cannot be read, too. Raises SocapError when there is none.
    """
    if not campaigns.exists(db, slug):
        find(db, slug)
    ids = campaigns.tweet_ids_of(db, slug)
    left = sum(engagement_view.count_by(db, ids, "action_type").values())
    if not dry_run:
        jobs.delete(db, slug)
        alert_queue.drop_campaign(db, slug)
        campaigns.delete(db, slug)
    return Deletion(len(ids), left)


def remove_tweets(db: Db, slug: str, tweet_ids: Iterable[str]) -> None:
    """Take tweets out of a campaign, jobs first, so that a killed run can be repeated."""
    for tweet_id in tweet_ids:
        jobs.delete(db, slug, tweet_id)
        campaigns.remove_tweet(db, slug, tweet_id)
