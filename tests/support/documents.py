"""A campaign's documents, inserted as they are stored: for gathering and rendering without a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import mongomock

from socap_cli.model.campaign import Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.model.kinds import LISTS, METRICS
from socap_cli.model.list_state import SCANS_A_HOLD
from socap_cli.report.gather import ReportOptions, gather
from socap_cli.report.values import Brand, CampaignReport, Edition
from socap_cli.store import Db, campaigns

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SLUG = "launch"
BRAND = Brand("Acme Agency")


def options(edition: Edition = Edition.CLIENT, rows: int = 5000) -> ReportOptions:
    return ReportOptions(edition, rows, UTC, 0.00001)


def plain_campaign(slug: str = SLUG, **changes: Any) -> Campaign:
    facts: dict[str, Any] = {
        "slug": slug, "name": "Launch week", "status": CampaignStatus.ACTIVE, "starts_at": START,
        "ends_at": START + timedelta(days=7), "threshold": 10.0, "channels": (), "spacing_minutes": 20,
        "frequency_window_minutes": 30, "created_at": START, "client_name": "Example Labs",
    }  # fmt: skip
    return Campaign(**{**facts, **changes})


@dataclass
class Documents:
    """One campaign in a database of its own."""

    db: Db = field(default_factory=lambda: mongomock.MongoClient(tz_aware=True).db)
    campaign: Campaign = field(default_factory=plain_campaign)
    number: int = 0

    def __post_init__(self) -> None:
        campaigns.insert(self.db, self.campaign)

    def tweet(self, tweet_id: str, category: TweetCategory = TweetCategory.MAIN, **facts: Any) -> str:
        url = str(facts.pop("url", f"https://x.com/i/status/{tweet_id}"))
        known: dict[str, Any] = {
            "author_username": f"author{tweet_id}",
            "text": f"Text of {tweet_id}",
            **facts,
        }
        tweet = CampaignTweet(self.campaign.slug, tweet_id, category, url, START, **known)
        document: dict[str, Any] = {
            "_id": f"{self.campaign.slug}:{tweet_id}",
            **asdict(tweet),
            "category": category.value,
        }
        self.db.tweets.insert_one(document)
        return tweet_id

    def read(self, tweet_id: str, minutes: float, **counters: int) -> None:
        """A reading of a tweet's counters so long after the start."""
        at = START + timedelta(minutes=minutes)
        self.db.metric_snapshots.insert_one({"tweet_id": tweet_id, "captured_at": at, **counters})
        before = self.db.worker_state.find_one({"_id": tweet_id}) or {}
        lists: dict[str, Any] = {
            kind: {
                "last_success": at,
                "completed_passes": 1,
                "collected": counters.get(kind, 0),
                "epoch": before.get(kind, {}).get("epoch", 0) + 1,
            }
            for kind in LISTS
        }
        state = {"counters": counters, "checked_at": at, "metrics_at": at, "gaps": [], **lists}
        self.db.worker_state.replace_one({"_id": tweet_id}, state, upsert=True)

    def gap(self, tweet_id: str, begin: float, end: float) -> None:
        times = {"begins_at": START + timedelta(minutes=begin), "ends_at": START + timedelta(minutes=end)}
        self.db.worker_state.update_one(
            {"_id": tweet_id}, {"$push": {"gaps": {"kind": METRICS, **times, "reason": "not read"}}}
        )

    def engage(
        self, tweet_id: str, action: str = "retweet", *, user: int = 0, minutes: float = 1, **facts: Any
    ) -> str:
        """Somebody engages; `user` 0 is somebody new."""
        self.number += 1
        kind = next(row.name for row in LISTS.values() if row.action_type == action)
        state = self.db.worker_state.find_one_and_update(
            {"_id": tweet_id}, {"$inc": {f"{kind}.epoch": 1}}, return_document=True
        )
        epoch = state[kind]["epoch"] if state else 0
        user = user or 1000 + self.number
        at = START + timedelta(minutes=minutes)
        source = str(user) if action == "retweet" else str(9_000_000 + self.number)
        document = {
            "_id": f"{tweet_id}:{action}:{source}", "tweet_id": tweet_id, "action_type": action, "source_id": source,
            "user_id": str(user), "username": f"user{user}", "name": f"User {user}", "bio": "", "followers": 10,
            "verified": False, "engaged_at": None if action == "retweet" else at, "first_seen_at": at,
            "last_seen_at": at, "text": None if action == "retweet" else "well said", "importance_score": 0.0,
            "importance_reasons": [], "categories": ["others"], "backfill": False, "removed_at": None,
            "last_scan": epoch * SCANS_A_HOLD + 1,
            **facts,
        }  # fmt: skip
        self.db.engagements.insert_one(document)
        return str(document["_id"])

    def report(self, edition: Edition = Edition.CLIENT, rows: int = 5000) -> CampaignReport:
        found = campaigns.find(self.db, self.campaign.slug)
        assert found is not None
        return gather(self.db, found, options(edition, rows), now=START)


def reasons(*weights: tuple[str, float]) -> dict[str, Any]:
    """The fields of an account's importance."""
    rows: list[Mapping[str, Any]] = [{"username": who, "weight": weight} for who, weight in weights]
    return {"importance_score": sum(weight for _, weight in weights), "importance_reasons": rows}
