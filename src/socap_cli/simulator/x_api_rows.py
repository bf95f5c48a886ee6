"""Rows of X's own API over a world, and how they are spoilt on a bad day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from socap_cli.simulator import damage
from socap_cli.simulator.people import Account
from socap_cli.simulator.tweets import Engagement, WorldTweet

Row = dict[str, Any]


def written(moment: float) -> str:
    """`2025-12-04T09:56:34.000Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def user_row(account: Account) -> Row:
    """An account; X leaves out what is empty."""
    row = {
        "id": account.user_id,
        "username": account.username,
        "name": account.name,
        "verified": account.verified,
        "verified_type": "blue" if account.verified else "none",
        "public_metrics": {
            "followers_count": account.followers,
            "following_count": account.following,
            "tweet_count": 900,
            "listed_count": 4,
        },
    }
    return {**row, "description": account.bio} if account.bio else row


def tweet_row(tweet: WorldTweet, moment: float) -> Row:
    """A tweet with its counters."""
    counters = tweet.counters(moment)
    return {
        "id": tweet.tweet_id,
        "text": tweet.text,
        "author_id": tweet.author.user_id,
        "created_at": written(tweet.posted_at),
        "conversation_id": tweet.tweet_id,
        "edit_history_tweet_ids": [tweet.tweet_id],
        "public_metrics": {
            "retweet_count": counters["retweets"],
            "reply_count": counters["replies"],
            "like_count": counters["likes"],
            "quote_count": counters["quotes"],
            "bookmark_count": counters["bookmarks"],
            "impression_count": counters["views"],
        },
    }


def post_row(item: Engagement, target: str, relation: str) -> Row:
    """A reply to, or a quote of, the tweet."""
    return {
        "id": item.source_id,
        "text": item.text,
        "author_id": item.account.user_id,
        "created_at": written(item.engaged_at),
        "conversation_id": target if relation == "replied_to" else item.source_id,
        "edit_history_tweet_ids": [item.source_id],
        "referenced_tweets": [{"type": relation, "id": target}],
        "public_metrics": {"retweet_count": 0, "reply_count": 0, "like_count": 1, "quote_count": 0},
    }


def _odd_values(row: Row) -> Row:
    if "username" in row:
        metrics = {"followers_count": damage.BEYOND_64_BITS}
        return {**row, "name": damage.ODD_TEXT, "description": damage.ODD_TEXT, "public_metrics": metrics}
    return {**row, "text": damage.ODD_TEXT, "created_at": damage.BEFORE_ALL_YEARS}


SPOILT = damage.Ways(
    odd=_odd_values,
    unreadable=(
        lambda _: None,
        lambda row: {**row, "id": None},
        lambda row: {**row, "id": float(row["id"])},
        lambda row: str(row["id"]),
        lambda row: {key: value for key, value in row.items() if key != "id"},
    ),
)
