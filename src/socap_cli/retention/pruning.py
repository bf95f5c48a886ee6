"""Delete what is too old, and what X or its author deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from socap_cli.store import Db, forgetting


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    taken_back: int
    """Engagements that were gone from X."""
    campaigns: tuple[str, ...] = ()
    tweets: int = 0
    engagements: int = 0
    """Of these tweets."""
    snapshots: int = 0


def prune(
    db: Db, *, now: datetime, taken_back_for: timedelta, older_than: timedelta | None, dry_run: bool = False
) -> Pruned:
    """Delete engagements that have been gone from X for so long; with `older_than` old campaigns and their data too.

    A campaign is old by when it was completed; a tweet goes when no campaign holds it and nobody looked at it since.
    What was spent stays. Can be repeated.
    """
    gone = forgetting.engagements(db, forgetting.taken_back(now - taken_back_for), dry_run=dry_run)
    if older_than is None:
        return Pruned(gone.engagements)
    before = now - older_than
    old = forgetting.completed_before(db, before)
    slugs = old if dry_run else [slug for slug in old if forgetting.campaign(db, slug, before)]
    tweets = forgetting.tweets_of_nobody(db, without=slugs, before=before)
    engagements, snapshots = 0, 0
    for tweet_id in tweets:
        done, readings = forgetting.tweet(db, tweet_id, dry_run=dry_run)
        engagements, snapshots = engagements + done.engagements, snapshots + readings
    return Pruned(gone.engagements, tuple(slugs), len(tweets), engagements, snapshots)
