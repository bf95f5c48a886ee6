"""Campaigns and their tweets."""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pymongo import ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from socap_cli.model import cleaning
from socap_cli.model.campaign import STORED, Campaign, CampaignStatus, CampaignTweet, TweetCategory
from socap_cli.store.connect import Db
from socap_cli.text import counted

PLACES = {
    "starts_at": "monitor_window.starts_at",
    "ends_at": "monitor_window.ends_at",
    "threshold": "alert_preferences.threshold",
    "channels": "alert_preferences.channels",
    "spacing_minutes": "alert_preferences.spacing_minutes",
    "frequency_window_minutes": "alert_preferences.frequency_window_minutes",
    "slack_webhook": "alert_preferences.slack_webhook",
    "vips": "alert_preferences.vips",
    "ignores": "alert_preferences.ignores",
    "account_ids": "alert_preferences.account_ids",
    "quiet_hours": "alert_preferences.quiet_hours",
    "digest": "alert_preferences.digest",
    "client_name": "client_info.name",
    "client_email": "client_info.email",
}
"""Where a campaign's field stands in its document, when not under its own name at the top."""
SECRETS = ("channels", "slack_webhook")
CAMPAIGN = TypeAdapter(Campaign)
TWEET = TypeAdapter(CampaignTweet)
log = logging.getLogger("socap.store")
LEASE = timedelta(minutes=10)
"""A claimed report that is not marked as sent within this time is sent again."""


def insert(db: Db, campaign: Campaign) -> bool:
    """False when the slug is taken."""
    new = {"$setOnInsert": _stored(campaign)}
    return db.campaigns.update_one({"_id": campaign.slug}, new, upsert=True).upserted_id is not None


def find(db: Db, slug: str) -> Campaign | None:
    """None when there is none, or its document is invalid."""
    row = db.campaigns.find_one({"_id": slug})
    return _valid(row) if row else None


def exists(db: Db, slug: str) -> bool:
    """Whether there is a document of that slug, valid or not."""
    return db.campaigns.find_one({"_id": slug}, {"_id": 1}) is not None


def listed(db: Db, status: CampaignStatus | None = None) -> list[Campaign]:
    """Valid campaigns, or those in one status, by slug; `unreadable` names the others."""
    query = {"status": {"$in": [status] if status else list(CampaignStatus)}}
    found = (_valid(row) for row in db.campaigns.find(query).sort("_id", 1))
    return [campaign for campaign in found if campaign is not None]


def any_of_cadence(db: Db, cadence: str) -> bool:
    """Whether there is a campaign of this cadence, whatever its status."""
    query = {"status": {"$in": list(CampaignStatus)}, "cadence": cadence}
    return db.campaigns.find_one(query, {"_id": 1}) is not None


def any_at_all(db: Db) -> bool:
    return db.campaigns.find_one({}, {"_id": 1}, hint=[("_id", 1)]) is not None


def unreadable(db: Db) -> dict[str, str]:
    """Invalid documents by slug, with the first field that is missing or invalid, and its value unless secret."""
    found = {}
    for row in db.campaigns.find().sort("_id", 1):
        try:
            _campaign(row)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0]) if first["loc"] else ""
            reason = "is invalid" if name in SECRETS else f"is {ascii(first['input'])[:60]}"
            reason = "is missing" if first["type"].startswith("missing") else reason
            found[str(row["_id"])] = f"{PLACES.get(name, '_id' if name == 'slug' else name)} {reason}"
    return found


def update(db: Db, before: Campaign, after: Campaign) -> Campaign | None:
    """Write what differs between two states of a campaign; None when it was deleted meanwhile."""
    old, new = _stored(before), _stored(after)
    changes = {path: value for path, value in new.items() if value != old[path]}
    if not changes:
        return after
    row = db.campaigns.find_one_and_update({"_id": before.slug}, {"$set": changes}, return_document=True)
    return _valid(row) if row else None


def note_last_cycle(db: Db, slug: str, *, at: datetime) -> None:
    db.campaigns.update_one({"_id": slug, "last_cycle_at": None}, {"$set": {"last_cycle_at": at}})


def delete(db: Db, slug: str) -> None:
    """With its tweets. Engagements and snapshots belong to the tweet and stay."""
    db.campaigns.delete_one({"_id": slug})
    db.tweets.delete_many({"campaign_id": slug})


def _stored(campaign: Campaign) -> dict[str, Any]:
    """A campaign's values by their path in its document."""
    row = asdict(campaign)
    del row["slug"]
    return {
        PLACES.get(name, name): list(value) if isinstance(value, tuple) else value
        for name, value in row.items()
    }


def _valid(row: dict[str, Any]) -> Campaign | None:
    try:
        return _campaign(row)
    except ValidationError:
        return None


def _campaign(row: dict[str, Any]) -> Campaign:
    """Raises ValidationError when a field is missing or invalid."""
    values: dict[str, Any] = {
        "spacing_minutes": 20,
        "frequency_window_minutes": 30,
        "channels": (),
        "ends_at": None,
    }
    values["slug"] = row["_id"]
    for entry in fields(Campaign):
        outer, _, inner = PLACES.get(entry.name, entry.name).partition(".")
        part = row.get(outer)
        value = part if not inner else part.get(inner) if isinstance(part, dict) else None
        if value is not None:
            values[entry.name] = value
    return CAMPAIGN.validate_python(values, context=STORED)


def add_tweets(db: Db, tweets: Sequence[CampaignTweet]) -> int:
    """Returns how many were not in the campaign before."""
    operations = [
        UpdateOne({"_id": f"{t.campaign_id}:{t.tweet_id}"}, {"$setOnInsert": asdict(t)}, upsert=True)
        for t in tweets
    ]
    return db.tweets.bulk_write(operations, ordered=False).upserted_count if operations else 0


def remove_tweet(db: Db, slug: str, tweet_id: str) -> bool:
    """False when the tweet was not in the campaign."""
    return db.tweets.delete_one({"_id": f"{slug}:{tweet_id}"}).deleted_count == 1


def set_category(db: Db, slug: str, tweet_id: str, category: TweetCategory) -> bool:
    """False when the tweet is not in the campaign."""
    change = {"$set": {"category": category}}
    return db.tweets.update_one({"_id": f"{slug}:{tweet_id}"}, change).matched_count == 1


def tweets_of(db: Db, slug: str) -> list[CampaignTweet]:
    return _tweets(db.tweets.find({"campaign_id": slug}).sort("tweet_id", 1))


def tweet_ids_of(db: Db, slug: str) -> list[str]:
    return [tweet.tweet_id for tweet in tweets_of(db, slug)]


def with_tweets(db: Db, tweet_ids: Iterable[str]) -> dict[str, list[CampaignTweet]]:
    """Each tweet's entry in every campaign that contains it."""
    found: dict[str, list[CampaignTweet]] = {}
    for tweet in _tweets(db.tweets.find({"tweet_id": {"$in": list(set(tweet_ids))}}).sort("_id", 1)):
        found.setdefault(tweet.tweet_id, []).append(tweet)
    return found


def count_tweets(db: Db, slug: str) -> int:
    return db.tweets.count_documents({"campaign_id": slug})


def _tweets(rows: Iterable[dict[str, Any]]) -> list[CampaignTweet]:
    """Documents as values. Those that are no tweet are left out, counted and logged."""
    names = {entry.name for entry in fields(CampaignTweet)}
    found, strange = [], []
    for row in rows:
        try:
            found.append(TWEET.validate_python({name: row[name] for name in names if name in row}))
        except ValidationError:
            strange.append(cleaning.sample(row["_id"]))
    if strange:
        log.warning(
            "%s cannot be read and left out: %s", counted(len(strange), "tweet"), ", ".join(strange[:3])
        )
    return found


def client_folder(db: Db, campaign: Campaign, *, is_public: bool, dry_run: bool = False) -> str:
    """The folder of a client's pages; of public pages its name ends in a token that nobody can guess.

    A campaign without a client has a folder of its own. Two names never share a folder: those that differ in more
    than capitals have different folders.
    """
    key = (campaign.client_name or "").casefold()
    plain = re.sub(r"[^a-z0-9]+", "-", key).strip("-")[:40]
    if plain.replace("-", " ") != key:
        plain = f"{plain or 'client'}-{hashlib.sha256(key.encode()).hexdigest()[:6]}"
    if not campaign.client_name:
        key, plain = f"campaign\t{campaign.slug}", f"{campaign.slug}_"  # as no client's can be
    if not is_public:
        return plain
    if not dry_run:
        new = {"$setOnInsert": {"token": secrets.token_hex(8)}}
        db.report_folders.update_one({"_id": key}, new, upsert=True)
    row = db.report_folders.find_one({"_id": key})
    return f"{plain}-{row['token']}" if row else plain


def claim(db: Db, slug: str, completed_at: datetime, receiver: str, *, now: datetime) -> str | None:
    """Claim a campaign's last report to one recipient; None when it is sent or claimed.

    A campaign that was resumed and completed again has another last report.
    """
    token = secrets.token_hex(8)
    free = {"sent_at": None, "claimed_at": {"$not": {"$gt": now - LEASE}}}
    fresh = {"campaign_id": slug, "completed_at": completed_at}
    try:
        row = db.final_reports.find_one_and_update(
            {"_id": _key(slug, completed_at, receiver), **free},
            {"$set": {"claimed_at": now, "token": token}, "$setOnInsert": fresh},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
    except DuplicateKeyError:  # it is there, and not free
        return None
    return token if row is not None else None


def is_free(db: Db, slug: str, completed_at: datetime, receiver: str, *, now: datetime) -> bool:
    """Whether `claim` would take it on."""
    row = db.final_reports.find_one({"_id": _key(slug, completed_at, receiver)}) or {}
    claimed = row.get("claimed_at")
    return row.get("sent_at") is None and (claimed is None or claimed <= now - LEASE)


def note_sent(db: Db, slug: str, completed_at: datetime, receiver: str, token: str, *, now: datetime) -> None:
    db.final_reports.update_one(
        {"_id": _key(slug, completed_at, receiver), "token": token}, {"$set": {"sent_at": now}}
    )


def release(db: Db, slug: str, completed_at: datetime, receiver: str, token: str) -> None:
    """Not sent: the next run may try at once."""
    db.final_reports.update_one(
        {"_id": _key(slug, completed_at, receiver), "token": token}, {"$set": {"claimed_at": None}}
    )


def _key(slug: str, completed_at: datetime, receiver: str) -> str:
    """Names a sending without telling the receiver."""
    mark = hashlib.sha256(receiver.encode("utf-8", "replace")).hexdigest()[:10]
    return f"{slug}|{completed_at:%Y%m%dT%H%M%S}|{mark}"
