"""Campaigns and their tweets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from socap_cli.model import Campaign, CampaignStatus, CampaignTweet, Category, Channel
from socap_cli.store.connect import Db


def insert(db: Db, campaign: Campaign) -> bool:
    """Store a new campaign. False when the slug is taken."""
    try:
        db.campaigns.insert_one(_document(campaign))
    except DuplicateKeyError:
        return False
    return True


def find(db: Db, slug: str) -> Campaign | None:
    row = db.campaigns.find_one({"_id": slug})
    return _campaign(row) if row else None


def listed(db: Db, status: CampaignStatus | None = None) -> list[Campaign]:
    query = {"status": status.value} if status else {"status": {"$in": [s.value for s in CampaignStatus]}}
    return [_campaign(row) for row in db.campaigns.find(query).sort("_id", 1)]


def change(db: Db, slug: str, **values: Any) -> Campaign | None:
    """Set fields of a campaign; None when there is no such campaign."""
    row = db.campaigns.find_one_and_update({"_id": slug}, {"$set": values}, return_document=True)
    return _campaign(row) if row else None


def delete(db: Db, slug: str) -> None:
    """Remove a campaign with its tweets. Engagements and snapshots belong to the tweet and stay."""
    db.campaigns.delete_one({"_id": slug})
    db.tweets.delete_many({"campaign_id": slug})


def add_tweets(db: Db, tweets: Sequence[CampaignTweet]) -> int:
    """Store tweets of a campaign; return how many were not in it before."""
    operations = [
        UpdateOne({"_id": f"{t.campaign_id}:{t.tweet_id}"}, {"$setOnInsert": asdict(t)}, upsert=True)
        for t in tweets
    ]
    return db.tweets.bulk_write(operations, ordered=False).upserted_count if operations else 0


def remove_tweet(db: Db, slug: str, tweet_id: str) -> bool:
    return db.tweets.delete_one({"_id": f"{slug}:{tweet_id}"}).deleted_count == 1


def tweets_of(db: Db, slug: str) -> list[CampaignTweet]:
    return [_tweet(row) for row in db.tweets.find({"campaign_id": slug}).sort("tweet_id", 1)]


def tweet_ids_of(db: Db, slug: str) -> list[str]:
    return [
        row["tweet_id"] for row in db.tweets.find({"campaign_id": slug}, {"tweet_id": 1}).sort("tweet_id", 1)
    ]


def with_tweets(db: Db, tweet_ids: Iterable[str]) -> dict[str, list[CampaignTweet]]:
    """Per tweet, its entry in every campaign that it stands in."""
    found: dict[str, list[CampaignTweet]] = {}
    for row in db.tweets.find({"tweet_id": {"$in": list(set(tweet_ids))}}).sort("_id", 1):
        found.setdefault(row["tweet_id"], []).append(_tweet(row))
    return found


def count_tweets(db: Db, slug: str) -> int:
    return db.tweets.count_documents({"campaign_id": slug})


def _document(campaign: Campaign) -> dict[str, Any]:
    row = asdict(campaign)
    return {"_id": row.pop("slug"), **row, "channels": [channel.value for channel in campaign.channels]}


def _campaign(row: dict[str, Any]) -> Campaign:
    names = {entry.name for entry in fields(Campaign)}
    known = {name: value for name, value in row.items() if name in names}
    known.update(
        slug=row["_id"],
        status=CampaignStatus(row["status"]),
        channels=tuple(Channel(name) for name in row["channels"]),
        vips=tuple(row["vips"]),
        ignores=tuple(row["ignores"]),
    )
    return Campaign(**known)


def _tweet(row: dict[str, Any]) -> CampaignTweet:
    names = {entry.name for entry in fields(CampaignTweet)}
    known = {name: value for name, value in row.items() if name in names}
    return CampaignTweet(**{**known, "category": Category(row["category"])})


def window_ended(db: Db, slug: str, *, at: datetime) -> None:
    """Note that the one last cycle was armed."""
    db.campaigns.update_one({"_id": slug, "last_cycle_at": None}, {"$set": {"last_cycle_at": at}})
