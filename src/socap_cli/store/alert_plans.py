"""alert_plans: under which settings each campaign's engagements were considered last, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from socap_cli.store.connect import Db


@dataclass(frozen=True, slots=True)
class LastPlan:
    """The settings, as a short text that differs with them, and the time."""

    fingerprint: str
    considered_until: datetime


def read(db: Db) -> dict[str, LastPlan]:
    """By campaign. A document that is none counts as no plan: everything is considered once more."""
    wanted = {"_id": {"$gt": ""}, "fingerprint": {"$type": "string"}, "considered_until": {"$type": "date"}}
    rows = db.alert_plans.find(wanted)
    return {row["_id"]: LastPlan(row["fingerprint"], row["considered_until"]) for row in rows}


def write(db: Db, campaign_id: str, plan: LastPlan) -> None:
    """Note that everything stored until then was considered under these settings."""
    fields = {"fingerprint": plan.fingerprint, "considered_until": plan.considered_until}
    db.alert_plans.update_one({"_id": campaign_id}, {"$set": fields}, upsert=True)


def consider_again(db: Db, tweet_ids: list[str]) -> int:
    """Let planning look at every engagement with these tweets once more; returns how many."""
    query = {"tweet_id": {"$in": tweet_ids}, "needs_planning": {"$ne": True}}
    return db.engagements.update_many(query, {"$set": {"needs_planning": True}}).modified_count
