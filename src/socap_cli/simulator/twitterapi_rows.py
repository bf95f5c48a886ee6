"""twitterapi.io's rows over a world, and how they are spoilt on a bad day."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from socap_cli.model.kinds import Kind
from socap_cli.simulator import damage
from socap_cli.simulator.people import Account
from socap_cli.simulator.tweets import Engagement, WorldTweet

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
Row = dict[str, Any]


def twitter_time(moment: datetime) -> str:
    """`Thu Dec 04 09:56:34 +0000 2025`, whatever the locale."""
    at = moment.astimezone(UTC)
    return f"{WEEKDAYS[at.weekday()]} {MONTHS[at.month - 1]} {at:%d %H:%M:%S} +0000 {at.year}"


def user_row(account: Account) -> Row:
    """An account in a list of accounts."""
    return {
        "type": "user",
        "id": account.user_id,
        "userName": account.username,
        "name": account.name,
        "isBlueVerified": account.verified,
        "verifiedType": "",
        "followers": account.followers,
        "following": account.following,
        "description": account.bio,
        "location": "",
        "profilePicture": "https://example.invalid/a.jpg",
        "createdAt": account.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "protected": False,
    }


def author_row(account: Account) -> Row:
    """An embedded author: the bio stands in `profile_bio`, `description` is empty."""
    return {
        **user_row(account),
        "description": "",
        "profile_bio": {"description": account.bio},
        "createdAt": twitter_time(account.created_at),
    }


def tweet_row(tweet: WorldTweet, moment: float, counter_fields: dict[Kind, str]) -> Row:
    """A tweet with its counters; views are text, as they sometimes are."""
    counters = tweet.counters(moment)
    return {
        "type": "tweet",
        "id": tweet.tweet_id,
        "url": tweet.url,
        "text": tweet.text,
        **{field: counters[kind] for kind, field in counter_fields.items() if kind in counters},
        "likeCount": counters["likes"],
        "viewCount": str(counters["views"]),
        "bookmarkCount": counters["bookmarks"],
        "createdAt": twitter_time(datetime.fromtimestamp(tweet.posted_at, UTC)),
        "lang": "en",
        "isReply": False,
        "inReplyToId": None,
        "conversationId": tweet.tweet_id,
        "author": author_row(tweet.author),
        "entities": {"hashtags": [], "urls": [], "user_mentions": []},
        "quoted_tweet": None,
    }


def account_item(item: Engagement, target: str) -> Row:  # noqa: ARG001
    """An item that is an account: without any time."""
    return user_row(item.account)


def post_item(item: Engagement, target: str) -> Row:  # noqa: ARG001
    """An item that is a post."""
    return {
        "type": "tweet",
        "id": item.source_id,
        "url": f"https://x.com/{item.account.username}/status/{item.source_id}",
        "text": item.text,
        "retweetCount": 0,
        "replyCount": 0,
        "likeCount": 1,
        "quoteCount": 0,
        "createdAt": twitter_time(datetime.fromtimestamp(item.engaged_at, UTC)),
        "isReply": False,
        "inReplyToId": None,
        "conversationId": item.source_id,
        "author": author_row(item.account),
        "quoted_tweet": None,
    }


def reply_item(item: Engagement, target: str) -> Row:
    """A reply to the tweet, or, nested, to another post below it."""
    replied_to = str(int(target) + 1) if item.nested else target
    return {**post_item(item, target), "isReply": True, "inReplyToId": replied_to, "conversationId": target}


def quote_item(item: Engagement, target: str) -> Row:
    """A quote."""
    return {**post_item(item, target), "quoted_tweet": {"id": target}}


def _odd_values(row: Row) -> Row:
    odd = {
        "name": damage.ODD_TEXT,
        "followers": damage.BEYOND_64_BITS,
        "following": -1,
        "isBlueVerified": "maybe",
        "profile_bio": {"description": damage.ODD_TEXT},
        "createdAt": damage.BEFORE_ALL_YEARS,
    }
    if "author" not in row:
        return {**row, **odd}
    changes = {"text": damage.ODD_TEXT, "likeCount": float("inf"), "createdAt": damage.BEFORE_ALL_YEARS}
    return {**row, **changes, "author": {**row["author"], **odd}}


def _without_author(row: Row) -> Row:
    return {**row, "author": None} if "author" in row else {**row, "id": None}


SPOILT = damage.Ways(
    odd=_odd_values,
    unreadable=(
        lambda _: None,
        _without_author,
        lambda row: {**row, "id": None},
        lambda row: {**row, "id": float(row["id"])},
        lambda row: {"type": row["type"], "unavailable": True, "unavailableReason": "Suspended"},
        lambda row: str(row["id"]),
        lambda row: {key: value for key, value in row.items() if key != "id"},
    ),
)
