"""How late engagements were found, measured on what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from socap_cli.model.alert import DeliveryStatus
from socap_cli.model.detection import Delay, Detection, delay_of
from socap_cli.model.kinds import LISTS
from socap_cli.store.connect import Db

POSTS = [kind.action_type for kind in LISTS.values() if kind.is_post]
MOST = 20_000
"""Engagements that are looked at."""


def detection(db: Db, campaign_ids: Iterable[str], tweet_ids: Sequence[str], *, since: datetime) -> Detection:
    """Of replies and quotes that were found from a moment on; what a first pass found is left out."""
    return Detection(_stored(db, tweet_ids, since), _told(db, list(campaign_ids), since))


def _stored(db: Db, tweet_ids: Sequence[str], since: datetime) -> Delay | None:
    query = {
        "tweet_id": {"$in": list(tweet_ids)},
        "action_type": {"$in": POSTS},
        "first_seen_at": {"$gte": since},
        "engaged_at": {"$ne": None},
        "backfill": False,
    }
    rows = db.engagements.find(query, {"_id": 0, "engaged_at": 1, "first_seen_at": 1}).limit(MOST)
    return delay_of((row["first_seen_at"] - row["engaged_at"]).total_seconds() for row in rows)


def _told(db: Db, campaign_ids: list[str], since: datetime) -> Delay | None:
    query = {
        "campaign_id": {"$in": campaign_ids},
        "created_at": {"$gte": since},
        "status": DeliveryStatus.SENT.value,
        "action_type": {"$in": POSTS},
        "is_backlog": False,
    }
    first: dict[str, datetime] = {}
    for row in db.alert_history.find(query, {"engagement_id": 1, "sent_at": 1}).limit(MOST):
        if at := row.get("sent_at"):
            first[row["engagement_id"]] = min(first.get(row["engagement_id"], at), at)
    engaged = {"_id": {"$in": list(first)}, "engaged_at": {"$ne": None}}
    rows = db.engagements.find(engaged, {"engaged_at": 1})
    return delay_of((first[row["_id"]] - row["engaged_at"]).total_seconds() for row in rows)
