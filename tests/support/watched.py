"""A campaign with one tweet, and important people who engage with it, written straight into the database."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from socap_cli.model.campaign import CampaignTweet, TweetCategory
from socap_cli.store import Db, campaigns
from support.lab import campaign

TWEET = "1996518988151706001"
VIP = "the_vip"


def watch(db: Db) -> None:
    """A campaign that tells everybody over 10 at once."""
    now = datetime.now(UTC) - timedelta(hours=1)
    campaigns.insert(db, campaign(at=now, threshold=10.0, vips=(VIP,)))
    row = CampaignTweet("launch", TWEET, TweetCategory.MAIN, f"https://x.com/c/status/{TWEET}", now, "client")
    campaigns.add_tweets(db, [row])


def engage(db: Db, names: Sequence[str], *, score: float = 50.0) -> None:
    """Each of them replies, just now."""
    now = datetime.now(UTC)
    db.engagements.insert_many(
        [
            {
                "_id": f"{TWEET}:reply:{name}", "tweet_id": TWEET, "action_type": "reply",
                "source_id": str(zlib.crc32(name.encode())), "username": name, "user_id": f"id-{name}", "name": name,
                "bio": "", "followers": 5, "verified": False, "text": f"I am {name}", "importance_score": score,
                "importance_reasons": [], "categories": ["others"], "first_seen_at": now, "last_seen_at": now,
                "engaged_at": now, "backfill": False, "needs_planning": True, "removed_at": None,
            }
            for name in names
        ]
    )  # fmt: skip
