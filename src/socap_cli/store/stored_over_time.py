"""When engagements were stored, and when they were found gone, counted per interval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

from socap_cli.store.connect import Db

Step = Literal["hour", "day"]


def changes(db: Db, tweet_ids: Sequence[str], step: Step) -> Iterator[tuple[str, datetime, int]]:
    """(action, start of an interval in UTC, by how much the engagements that are stored and present grew in it)."""
    for moment, sign in (("first_seen_at", 1), ("removed_at", -1)):
        pipeline = [
            {"$match": {"tweet_id": {"$in": list(tweet_ids)}, moment: {"$type": "date"}}},
            {
                "$group": {
                    "_id": {
                        "action": "$action_type",
                        "starts_at": {"$dateTrunc": {"date": f"${moment}", "unit": step}},
                    },
                    "n": {"$sum": sign},
                }
            },
        ]
        for row in db.engagements.aggregate(pipeline):
            yield row["_id"]["action"], row["_id"]["starts_at"], row["n"]
